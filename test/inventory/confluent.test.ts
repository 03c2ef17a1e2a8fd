import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type ConfluentControlPlane,
  type ConfluentControlPlaneOptions,
  startConfluentControlPlane,
} from '../../local/confluent/control-plane.ts'
import { generateOrganization } from '../../local/confluent/organization.ts'
import { createRealKafka } from '../../local/confluent/real-kafka.ts'
import { type SchemaRegistry, startSchemaRegistry } from '../../local/schema-registry/registry.ts'
import type { CallsOptions } from '../../shared/inventory/calls.ts'
import type { ClusterSource, Part } from '../../shared/inventory/cluster-source.ts'
import { type ConfluentResource, createConfluentSource } from '../../shared/inventory/confluent.ts'
import { listAll, observe, refsOf } from './observed.ts'
import { callsIn, virtualTime } from './virtual-time.ts'

const environments = 25
const clustersEach = 4
const topicsEach = 230
const cloudKey = { key: 'CLOUDKEY', secret: 'cloud-secret-that-nobody-sees' }
const keyFor = (id: string) => ({ key: `KEY-${id}`, secret: `secret-of-${id}` })
const registryKey = keyFor('registry')
const subjects = Array.from({ length: 2_345 }, (_, at) => `orders.created-${String(at).padStart(4, '0')}-value`)

let time = virtualTime()
let registry: SchemaRegistry
let plane: ConfluentControlPlane

const keyOf = async (resource: ConfluentResource) => {
  if (resource.kind === 'cloud') return cloudKey
  return resource.kind === 'registry' ? registryKey : keyFor(resource.id)
}
const start = (changes: Partial<ConfluentControlPlaneOptions> = {}): Promise<ConfluentControlPlane> =>
  startConfluentControlPlane({
    organization: generateOrganization({ environments, clustersEach, topicsEach, registryUrl: registry.url }),
    cloudKey,
    kafkaKeyOf: keyFor,
    now: () => time.now(),
    ...changes,
  })
type Changes = { readonly url?: string; readonly keyOf?: typeof keyOf; readonly calls?: Partial<CallsOptions> }
const sourceOf = ({ url = plane.url, calls = {}, ...changes }: Changes = {}): ClusterSource =>
  createConfluentSource({
    organization: 'acme',
    url,
    keyOf,
    fetch,
    newCalls: () => callsIn(time, calls),
    development: true,
    ...changes,
  })
const impatient = { timeoutMs: 100, budgetMs: 0 }
const firstId = 'env-0000/lkc-000000'

beforeAll(async () => {
  registry = await startSchemaRegistry({ key: registryKey, subjects })
  plane = await start()
})
beforeEach(() => {
  time = virtualTime()
})
afterEach(() => plane.faults.clear())
afterAll(async () => {
  await plane.stop()
  await registry.stop()
})

describe('a listing', () => {
  test('holds every cluster of every environment once, though many have one name', async () => {
    const refs = refsOf(await listAll(sourceOf()))

    expect(refs).toHaveLength(environments * clustersEach)
    expect(new Set(refs.map(({ id }) => id)).size).toBe(environments * clustersEach)
    expect(refs.filter(({ name }) => name === 'cluster-1')).toHaveLength(environments)
  })

  test('with a key that has no rights in one environment holds all others, and says which is missing', async () => {
    const other = await start({ forbidden: ['env-0007'] })
    try {
      const listed = await listAll(sourceOf({ url: other.url }))

      expect(refsOf(listed)).toHaveLength((environments - 1) * clustersEach)
      expect(listed.filter((each) => each.kind === 'unlisted')).toEqual([
        {
          kind: 'unlisted',
          prefix: 'env-0007/',
          failure: { code: 'denied', detail: expect.stringMatching(/\/cmk\/v2\/clusters: answered 403$/) },
        },
      ])
    } finally {
      await other.stop()
    }
  })

  test('asks no more than it may, and is told so at most once', async () => {
    const rate = { limit: 10, windowMs: 30_000 }
    const other = await start({ rate })
    try {
      const startedAt = time.now()
      expect(refsOf(await listAll(sourceOf({ url: other.url })))).toHaveLength(environments * clustersEach)

      // 1 page of environments, 25 of clusters, 10 a window
      expect(other.requests).toHaveLength(environments + 1)
      expect(time.now() - startedAt).toBeGreaterThanOrEqual(2 * rate.windowMs)
    } finally {
      await other.stop()
    }
  })

  test('waits as long as a 429 says', async () => {
    plane.faults.inject({ kind: 'throttled', where: '/cmk/v2/clusters', calls: 3 })
    const startedAt = time.now()

    expect(refsOf(await listAll(sourceOf()))).toHaveLength(environments * clustersEach)
    expect(time.now() - startedAt).toBeGreaterThanOrEqual(30_000)
  })

  test('outlasts a minute of 500', async () => {
    plane.faults.inject({ kind: 'internal-error', forMs: 60_000 })

    expect(refsOf(await listAll(sourceOf()))).toHaveLength(environments * clustersEach)
  })

  test.each([
    { kind: 'token-repeats', code: 'looped' },
    { kind: 'token-loops', code: 'looped' },
    { kind: 'token-endless', code: 'looped' },
    { kind: 'token-expired', code: 'unexpected' },
    { kind: 'malformed', code: 'malformed' },
  ] as const)('with `$kind` in one environment is `$code` there and harms no other', async ({ kind, code }) => {
    const many = await startConfluentControlPlane({
      organization: generateOrganization({
        environments: 3,
        clustersEach: 250,
        topicsEach: 0,
        registryUrl: registry.url,
      }),
      cloudKey,
      kafkaKeyOf: keyFor,
      now: () => time.now(),
    })
    try {
      many.faults.inject({ kind, where: 'environment=env-0001' })
      const listed = await listAll(sourceOf({ url: many.url }))

      expect(listed.filter((each) => each.kind === 'unlisted')).toMatchObject([
        { prefix: 'env-0001/', failure: { code } },
      ])
      expect(refsOf(listed).filter(({ id }) => !id.startsWith('env-0001/'))).toHaveLength(500)
    } finally {
      await many.stop()
    }
  })

  test('whose token expires once is whole', async () => {
    const many = await startConfluentControlPlane({
      organization: generateOrganization({
        environments: 2,
        clustersEach: 350,
        topicsEach: 0,
        registryUrl: registry.url,
      }),
      cloudKey,
      kafkaKeyOf: keyFor,
      now: () => time.now(),
    })
    try {
      many.faults.inject({ kind: 'token-expired', calls: 1 })
      const ids = refsOf(await listAll(sourceOf({ url: many.url }))).map(({ id }) => id)

      expect(ids).toHaveLength(700)
      expect(new Set(ids).size).toBe(700)
    } finally {
      await many.stop()
    }
  })

  test('of an environment that is deleted meanwhile holds none of its clusters, and that is no failure', async () => {
    plane.faults.inject({ kind: 'gone', where: 'environment=env-0003' })
    const listed = await listAll(sourceOf())

    expect(listed.filter((each) => each.kind === 'unlisted')).toEqual([])
    expect(refsOf(listed)).toHaveLength((environments - 1) * clustersEach)
  })

  test('that nobody answers throws, so that nothing is taken for gone', async () => {
    plane.faults.inject({ kind: 'half-open', where: '/org/v2' })

    await expect(listAll(sourceOf({ calls: impatient }))).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('with a key that is wrong, or without one, throws', async () => {
    const wrong = async () => ({ key: 'CLOUDKEY', secret: 'wrong' })
    await expect(listAll(sourceOf({ keyOf: wrong }))).rejects.toMatchObject({ code: 'denied' })
    await expect(listAll(sourceOf({ keyOf: async () => undefined as never }))).rejects.toMatchObject({
      code: 'not_configured',
      message: 'there is no API key for `acme`',
    })
  })

  test('sends no key where the line is open, and follows no redirect', async () => {
    await expect(listAll(sourceOf({ url: 'http://api.example.com' }))).rejects.toMatchObject({
      code: 'malformed',
      message: '`api.example.com` is not asked: its URL is not https',
    })
  })
})

describe('an observation', () => {
  test('tells all that the REST APIs know', async () => {
    const { cluster, found, unknown, largestPiece } = await observe(sourceOf(), firstId)

    expect(cluster).toEqual({
      name: 'cluster-0',
      provider: 'confluent',
      account: 'acme',
      region: 'eu-west-1',
      environment: 'env-0000',
      state: 'PROVISIONED',
      kind: 'Dedicated',
      auth: ['PLAIN', 'OAUTHBEARER'],
      tags: {},
      listeners: [
        { field: 'PUBLIC', network: 'public', bootstrap: 'lkc-000000.eu-west-1.aws.example.com:9092' },
        {
          field: 'ap1pni123',
          network: 'private-network-interface',
          bootstrap: 'private-lkc-000000.eu-west-1.aws.example.com:9092',
        },
        { field: 'PRIVATE_LINK', network: 'private-link', bootstrap: 'link-lkc-000000.eu-west-1.aws.example.com:9092' },
      ].map((each) => ({ ...each, security: 'SASL_SSL', mechanisms: ['PLAIN', 'OAUTHBEARER'] })),
    })
    expect(unknown).toEqual({})
    expect(found.topics).toHaveLength(topicsEach)
    expect(found.topics?.[0]).toEqual({
      name: 'payments.events.0000',
      partitions: 6,
      replication: 3,
      minInsync: 2,
      configs: { 'cleanup.policy': 'compact' },
    })
    expect(found.topics?.some(({ name }) => name.length === 249)).toBe(true)
    expect(found.topics?.some(({ partitions }) => partitions === 10_000)).toBe(true)
    expect(found.topics?.some(({ name }) => name.startsWith('__'))).toBe(false)
    expect(found.groups).toEqual(
      ['payments', 'orders', 'search'].map((team) => ({ name: `${team}-worker`, type: 'classic' })),
    )
    expect(found.acls).toMatchObject([{ principal: 'User:sa-12345', pattern: 'PREFIXED', resource: 'TOPIC' }])
    expect(found.registries?.flatMap((each) => each.subjects)).toHaveLength(subjects.length)
    expect(found.registries?.[0]).toMatchObject({ id: 'lsrc-0', url: registry.url })
    expect(largestPiece).toBeLessThanOrEqual(100)
  })

  test('reads none of the deprecated addresses', async () => {
    const { cluster } = await observe(sourceOf(), 'env-0000/lkc-000003')

    expect(cluster).toMatchObject({ state: 'PROVISIONING', listeners: [] })
    expect(JSON.stringify(cluster)).not.toContain('deprecated')
  })

  test('of a cluster that is being made knows nothing of what is in it', async () => {
    const { unknown } = await observe(sourceOf(), 'env-0000/lkc-000003')

    expect(unknown).toEqual({ topics: 'unsupported', groups: 'unsupported', acls: 'unsupported' })
  })

  test('without a key for the cluster knows the cluster and its registry', async () => {
    const noKafkaKey = async (resource: ConfluentResource) => (resource.kind === 'kafka' ? undefined : keyOf(resource))
    const { cluster, found, unknown } = await observe(sourceOf({ keyOf: noKafkaKey as typeof keyOf }), firstId)

    expect(unknown).toEqual({ topics: 'not_configured', groups: 'not_configured', acls: 'not_configured' })
    expect(cluster?.listeners).toHaveLength(3)
    expect(found.registries).not.toEqual([])
  })

  test.each([
    { where: '/topics', kind: 'malformed', code: 'malformed', part: 'topics' },
    { where: '/consumer-groups', kind: 'forbidden', code: 'denied', part: 'groups' },
    { where: '/acls', kind: 'forbidden', code: 'denied', part: 'acls' },
    { where: '/srcm/v3', kind: 'forbidden', code: 'denied', part: 'registries' },
  ] as const)('with `$kind` at $where loses $part alone', async ({ where, kind, code, part }) => {
    plane.faults.inject({ kind, where })
    const { cluster, unknown } = await observe(sourceOf(), firstId)

    expect(unknown).toEqual({ [part]: code })
    expect(cluster?.listeners).toHaveLength(3)
  })

  test('waits and goes on when a cluster’s REST API says 429 in HTML, without a time', async () => {
    plane.faults.inject({ kind: 'throttled', where: '/kafka/v3', calls: 5 })
    const { found, unknown } = await observe(sourceOf(), firstId)

    expect(found.topics).toHaveLength(topicsEach)
    expect(unknown).toEqual({})
  })

  test('asks a cluster that says nothing once, and not for every part', async () => {
    plane.faults.inject({ kind: 'half-open', where: '/kafka/v3' })
    const before = plane.requests.length
    const { unknown } = await observe(sourceOf({ calls: impatient }), firstId)

    expect(unknown).toEqual({ topics: 'unavailable', groups: 'unavailable', acls: 'unavailable' })
    expect(plane.requests.slice(before).filter((address) => address.startsWith('/kafka/v3'))).toHaveLength(1)
  })

  test('of a topic that is deleted meanwhile holds all others', async () => {
    plane.faults.inject({ kind: 'gone', where: '/topics/payments.events.0003/configs' })
    const { found, unknown } = await observe(sourceOf(), firstId)

    expect(found.topics).toHaveLength(topicsEach - 1)
    expect(unknown).toEqual({})
  })

  test('of a cluster that is deleted meanwhile says that it is gone', async () => {
    const observation = observe(sourceOf(), firstId, (part) => {
      if (part === 'cluster') plane.faults.inject({ kind: 'gone', where: 'lkc-000000' })
    })

    await expect(observation).rejects.toMatchObject({ name: 'SourceError', code: 'gone' })
  })

  test('finds the registry where only version 2 of its API is', async () => {
    const other = await start({ hasSrcmV3: false })
    try {
      const { found } = await observe(sourceOf({ url: other.url }), firstId)

      expect(found.registries?.[0]).toMatchObject({ id: 'lsrc-0', url: registry.url })
    } finally {
      await other.stop()
    }
  })

  test('of what is no cluster of Confluent’s fails as a whole', async () => {
    await expect(observe(sourceOf(), 'env-0000/lkc-nobody')).rejects.toMatchObject({ code: 'gone' })
    await expect(observe(sourceOf(), '../../../etc')).rejects.toThrow('is not `<environment>/<cluster>`')
  })
})

test('no failure holds a key', async () => {
  const failures: string[] = []
  for (const kind of ['forbidden', 'malformed', 'internal-error', 'half-open'] as const) {
    plane.faults.clear()
    plane.faults.inject({ kind, where: '/cmk/v2/clusters?' })
    for (const each of await listAll(sourceOf({ calls: impatient })))
      if (each.kind === 'unlisted') failures.push(JSON.stringify(each.failure))
  }

  expect(failures.length).toBeGreaterThan(0)
  for (const text of failures) {
    expect(text).not.toContain(cloudKey.secret)
    expect(text).not.toContain(Buffer.from(`${cloudKey.key}:${cloudKey.secret}`).toString('base64'))
  }
})

test('a real cluster behind the control plane is told as it is', async () => {
  const acl = { principal: 'User:sa-1', host: '*', permission: 'ALLOW', operation: 'READ', resource: 'TOPIC' } as const
  const behind: readonly Part[] = [
    { part: 'brokers', found: [] },
    { part: 'topics', found: [{ name: 'a_b.c', partitions: 3, replication: 1, minInsync: 1, configs: {} }] },
    {
      part: 'topics',
      found: [{ name: 'd', partitions: 1, replication: 1, minInsync: 2, configs: { 'min.insync.replicas': '2' } }],
    },
    { part: 'groups', found: [{ name: 'worker' }] },
    { part: 'acls', found: [{ ...acl, pattern: 'PREFIXED', name: 'a_' }] },
  ]
  const organization = generateOrganization({
    environments: 1,
    clustersEach: 1,
    topicsEach: 0,
    registryUrl: registry.url,
  })
  const kafka = createRealKafka(async function* () {
    yield* behind
  })
  const [environment] = organization.environments
  if (environment === undefined) throw new Error('there is no environment')
  const other = await start({
    organization: {
      ...organization,
      environments: [{ ...environment, clusters: environment.clusters.map((each) => ({ ...each, kafka })) }],
    },
  })
  try {
    const { found } = await observe(sourceOf({ url: other.url }), firstId)

    expect(found.topics).toEqual(behind.flatMap((piece) => (piece.part === 'topics' ? piece.found : [])))
    expect(found.groups).toMatchObject([{ name: 'worker' }])
    expect(found.acls).toEqual([{ ...acl, pattern: 'PREFIXED', name: 'a_' }])
  } finally {
    await other.stop()
  }
})
