import * as sdk from '@aws-sdk/client-kafka'
import { expect, test } from 'vitest'
import { type ProvisionedCluster, toClusterInfo, toClusterV2, toNodes } from '../../local/msk/clusters.ts'
import { matchRoute, operationNames, routes } from '../../local/msk/routes.ts'
import { toWire } from '../../local/msk/wire.ts'
import { aMskCluster, aServerlessMskCluster } from './an-msk.ts'
import { declaredErrors } from './msk-declared-errors.ts'

// The SDK carries AWS's service model: what is simulated is held against it, not against our memory.

/** `[3, namespace, name, traits, members, types]`; a list is `[1, …, 0, type]`. */
type Schema = readonly unknown[]
const schemas = sdk as unknown as Readonly<Record<string, Schema>>
const jsonNameOf = (type: unknown): unknown => Object(Array.isArray(type) ? type[1] : undefined).jsonName
const resolve = (type: unknown): unknown => {
  const first = Array.isArray(type) && typeof type[1] === 'object' ? type[0] : type
  return typeof first === 'function' ? first() : first
}

/** The paths in a JSON value that the model does not know. */
const strangers = (value: unknown, type: unknown, path = ''): readonly string[] => {
  const schema = resolve(type)
  if (Array.isArray(value)) {
    const item = Array.isArray(schema) && schema[0] === 1 ? schema[4] : undefined
    return value.flatMap((each, at) => strangers(each, item, `${path}[${at}]`))
  }
  // A map or a plain value: its names are data.
  if (value === null || typeof value !== 'object' || !Array.isArray(schema) || schema[0] !== 3) return []
  const types: readonly unknown[] = schema[5]
  return Object.entries(value).flatMap(([name, member]) => {
    const found = types.find((each) => jsonNameOf(each) === name)
    return found === undefined ? [`${path}.${name}`] : strangers(member, found, `${path}.${name}`)
  })
}

const asJson = (answer: unknown): unknown => JSON.parse(JSON.stringify(toWire(answer)))
const place = { region: 'eu-west-1', accountId: '000000000000' }
const inventory = { brokers: [{ id: 1, host: '127.0.0.1' }], topics: new Map() }

test.each(operationNames)('%s has the method and the path of the service model', (operation) => {
  const [method, path] = Object(schemas[`${operation}$`]?.[3]).http

  expect(routes[operation]).toEqual([method, path])
})

test.each(operationNames)('a path of %s is taken apart before it is decoded', (operation) => {
  const [method, template] = routes[operation]
  const values = { ClusterArn: 'arn:aws:kafka:eu:1:cluster/a/b-1', TopicName: 'a/b c', ResourceArn: 'arn:x/y' }
  const path = template.replace(/\{(\w+)\}/g, (_, name: keyof typeof values) => encodeURIComponent(values[name]))
  const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as keyof typeof values)

  expect(matchRoute(method, path)).toEqual({
    operation,
    labels: Object.fromEntries(names.map((name) => [name, values[name]])),
  })
  expect(matchRoute('DELETE', path)).toBeUndefined()
  expect(matchRoute(method, `${path}/%E0%A4%A`)).toBeUndefined()
})

test('every member of every answer is named on the wire as in the model', () => {
  const lowerFirst = (name: unknown) => String(name).charAt(0).toLowerCase() + String(name).slice(1)
  for (const operation of operationNames) {
    const [, , , , members, types] = schemas[`${operation}Response$`] ?? []
    const wire = (types as readonly unknown[]).map(jsonNameOf)
    expect(wire).toEqual((members as readonly unknown[]).map(lowerFirst))
  }
})

const everything: ProvisionedCluster = aMskCluster({ tags: { Team: 'a', cost: 'b' } })

test.each([
  { of: 'DescribeCluster', answer: { ClusterInfo: toClusterInfo(everything, place) } },
  { of: 'DescribeClusterV2', answer: { ClusterInfo: toClusterV2(everything, place) } },
  { of: 'DescribeClusterV2', answer: { ClusterInfo: toClusterV2(aServerlessMskCluster(), place) } },
  { of: 'ListNodes', answer: { NodeInfoList: toNodes(everything, inventory, place) } },
])('$of says nothing that the model does not know', ({ of, answer }) => {
  expect(strangers(asJson(answer), schemas[`${of}Response$`])).toEqual([])
  expect(strangers({ ...Object(asJson(answer)), invented: 1 }, schemas[`${of}Response$`])).toEqual(['.invented'])
})

test('a stranger deep in an answer is found', () => {
  const json = Object(asJson({ ClusterInfo: toClusterV2(everything, place) }))
  json.clusterInfo.provisioned.clientAuthentication.sasl.scram.invented = 1

  expect(strangers(json, schemas.DescribeClusterV2Response$)).toEqual([
    '.clusterInfo.provisioned.clientAuthentication.sasl.scram.invented',
  ])
})

test('tags keep their names', () => {
  expect(asJson({ ClusterInfo: toClusterInfo(everything, place) })).toMatchObject({
    clusterInfo: { tags: { Team: 'a', cost: 'b' } },
  })
})

test.each([
  { error: 'NotFoundException', known: 'GetBootstrapBrokers', is: false },
  { error: 'NotFoundException', known: 'ListTopics', is: false },
  { error: 'NotFoundException', known: 'DescribeClusterV2', is: true },
  { error: 'NotFoundException', known: 'BatchAssociateScramSecret', is: true },
  { error: 'ConflictException', known: 'GetBootstrapBrokers', is: true },
  { error: 'TooManyRequestsException', known: 'BatchAssociateScramSecret', is: true },
] as const)('the model still declares $error for $known: $is', ({ error, known, is }) => {
  expect(declaredErrors(known).includes(error)).toBe(is)
})
