import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type GetBootstrapBrokersResponse, KafkaClient } from '@aws-sdk/client-kafka'
import * as fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type MskControlPlane, startMskControlPlane } from '../../local/msk/control-plane.ts'
import type { CallsOptions } from '../../shared/inventory/calls.ts'
import type { ClusterSource } from '../../shared/inventory/cluster-source.ts'
import { createMskSource, listenersOf, type MskPlace, parseConfigs } from '../../shared/inventory/msk.ts'
import { listAll, observe, refsOf } from './observed.ts'
import { callsIn, virtualTime } from './virtual-time.ts'

// Through the SDK's own client, against the simulated control planes of two accounts.

const region = 'eu-west-1'
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
const accounts = ['111111111111', '222222222222'] as const
const places: readonly MskPlace[] = accounts.map((account) => ({ account, region }))
const topicsPerCluster = 120

let time = virtualTime()
const planes = new Map<string, MskControlPlane>()
const clients = new Map<string, KafkaClient>()
const plane = (account: string = accounts[0]): MskControlPlane => {
  const found = planes.get(account)
  if (found === undefined) throw new Error(`no control plane of ${account}`)
  return found
}

const sourceOf = (changes: Partial<CallsOptions> = {}, among: readonly MskPlace[] = places): ClusterSource =>
  createMskSource({
    places: among,
    clientOf: ({ account }) => clients.get(account) as KafkaClient,
    callsOf: () => callsIn(time, changes),
  })
const arnOf = (name: string, account?: string): string => plane(account).clusterArns[name] ?? ''
const impatient = { budgetMs: 0 }

beforeAll(async () => {
  for (const accountId of accounts) {
    const count = accountId === accounts[0] ? 1_000 : 20
    const started = await startMskControlPlane({
      aws: { endpointUrl: 'http://127.0.0.1:1', region, accountId, ...credentials },
      clusters: [],
      generated: { count, topicsPerCluster },
      propagation: { minMs: 100, maxMs: 200 },
      report: () => {},
      now: () => time.now(),
    })
    planes.set(accountId, started)
    clients.set(accountId, new KafkaClient({ region, endpoint: started.url, credentials, maxAttempts: 1 }))
  }
})
beforeEach(() => {
  time = virtualTime()
})
afterEach(() => {
  for (const { faults } of planes.values()) faults.clear()
})
afterAll(async () => {
  for (const client of clients.values()) client.destroy()
  await Promise.all([...planes.values()].map(({ stop }) => stop()))
})

describe('a listing', () => {
  test('holds every cluster of every account once, though two have one name', async () => {
    const refs = refsOf(await listAll(sourceOf()))

    expect(refs).toHaveLength(1_020)
    expect(new Set(refs.map(({ id }) => id)).size).toBe(1_020)
    expect(refs.filter(({ name }) => name === 'generated-0003').map(({ id }) => id)).toEqual([
      arnOf('generated-0003', accounts[0]),
      arnOf('generated-0003', accounts[1]),
    ])
  })

  test('of an account that refuses us hides no other', async () => {
    plane().faults.inject({ kind: 'forbidden' })
    const listed = await listAll(sourceOf())

    expect(refsOf(listed)).toHaveLength(20)
    expect(listed).toContainEqual({
      kind: 'unlisted',
      prefix: `arn:aws:kafka:${region}:${accounts[0]}:cluster/`,
      failure: { code: 'denied', detail: expect.stringContaining('ForbiddenException') },
    })
  })

  test('of an account whose role cannot be assumed hides no other', async () => {
    const refused = Object.assign(new Error('not authorized to perform: sts:AssumeRole'), {
      name: 'AccessDenied',
      $metadata: { httpStatusCode: 403 },
    })
    const source = createMskSource({
      places,
      clientOf: ({ account }) =>
        account === accounts[1]
          ? (clients.get(account) as KafkaClient)
          : new KafkaClient({ region, endpoint: plane().url, credentials: () => Promise.reject(refused) }),
      callsOf: () => callsIn(time),
    })
    const listed = await listAll(source)

    expect(refsOf(listed)).toHaveLength(20)
    expect(listed).toContainEqual(
      expect.objectContaining({ kind: 'unlisted', failure: expect.objectContaining({ code: 'denied' }) }),
    )
  })

  test('that shows another account’s clusters is not taken for this one’s', async () => {
    const [place = { account: '', region }] = places
    const source = createMskSource({
      places: [place],
      clientOf: () => clients.get(accounts[1]) as KafkaClient,
      callsOf: () => callsIn(time),
    })

    expect(await listAll(source)).toMatchObject([{ kind: 'unlisted', failure: { code: 'denied' } }])
  })

  test.each([
    { kind: 'next-token-repeats', code: 'looped' },
    { kind: 'next-token-loops', code: 'looped' },
    { kind: 'next-token-endless', code: 'looped' },
    { kind: 'next-token-refused', code: 'unexpected' },
    { kind: 'malformed', code: 'malformed' },
  ] as const)('with `$kind` ends, is `$code`, and harms no other account', async ({ kind, code }) => {
    plane().faults.inject({ kind, operations: ['ListClustersV2'] })
    const listed = await listAll(sourceOf())

    expect(listed.filter((each) => each.kind === 'unlisted')).toMatchObject([{ failure: { code } }])
    expect(refsOf(listed).filter(({ id }) => id.includes(accounts[1]))).toHaveLength(20)
    expect(new Set(refsOf(listed).map(({ id }) => id)).size).toBe(refsOf(listed).length)
  })

  test('whose token expires once in the middle is whole', async () => {
    const source = sourceOf()
    const ids: string[] = []
    for await (const each of source.list()) {
      if (each.kind === 'cluster') ids.push(each.ref.id)
      if (ids.length === 450) plane().faults.inject({ kind: 'next-token-refused', calls: 1 })
    }

    expect(ids).toHaveLength(1_020)
    expect(new Set(ids).size).toBe(1_020)
  })

  test.each(['internal-error', 'unavailable', 'throttled'] as const)('outlasts a minute of `%s`', async (kind) => {
    plane().faults.inject({ kind, forMs: 60_000 })

    expect(refsOf(await listAll(sourceOf()))).toHaveLength(1_020)
  })

  test('waits as long as AWS says', async () => {
    let asked = 0
    const server = createServer((_, response) => {
      const headers = { 'content-type': 'application/json', 'x-amzn-errortype': 'TooManyRequestsException' }
      if (asked++ === 0) response.writeHead(429, { ...headers, 'retry-after': '7' }).end('{"message":"slow down"}')
      else response.end('{"clusterInfoList":[]}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const client = new KafkaClient({ region, endpoint, credentials, maxAttempts: 1 })
    try {
      const startedAt = time.now()
      const [place = { account: '', region }] = places
      expect(
        await listAll(createMskSource({ places: [place], clientOf: () => client, callsOf: () => callsIn(time) })),
      ).toEqual([])
      expect(asked).toBe(2)
      expect(time.now() - startedAt).toBeGreaterThanOrEqual(7_000)
    } finally {
      client.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  test('does not wait for a connection that says nothing', async () => {
    plane().faults.inject({ kind: 'half-open' })
    const listed = await listAll(sourceOf({ timeoutMs: 100, ...impatient }))

    expect(listed).toContainEqual(
      expect.objectContaining({ failure: expect.objectContaining({ code: 'unavailable' }), kind: 'unlisted' }),
    )
    expect(refsOf(listed)).toHaveLength(20)
  })
})

describe('an observation', () => {
  test('tells all that the control plane knows, in pieces of a page', async () => {
    const { cluster, found, unknown, largestPiece } = await observe(sourceOf(), arnOf('generated-0002'))

    expect(cluster).toMatchObject({
      name: 'generated-0002',
      provider: 'msk',
      account: accounts[0],
      region,
      state: 'ACTIVE',
      kind: 'PROVISIONED',
      version: '3.6.0',
      auth: ['SCRAM-SHA-512', 'AWS_MSK_IAM', 'TLS', 'NONE'],
      tags: { team: 'search', 'Cost Center': '1002 / Ops & Co.' },
    })
    expect(cluster?.listeners).toHaveLength(14)
    expect(found.brokers).toHaveLength(3)
    expect(found.brokers).toContainEqual({ id: 1, endpoints: [`b-1.generated-0002.kafka.${region}.example.com`] })
    expect(found.users).toEqual(
      [0, 1].map((at) => ({
        mechanism: 'SCRAM-SHA-512',
        secret: `arn:aws:secretsmanager:${region}:${accounts[0]}:secret:AmazonMSK_generated-0002-${at}-AbCdEf`,
      })),
    )
    expect(found.topics).toHaveLength(topicsPerCluster)
    expect(largestPiece).toBeLessThanOrEqual(100)
    expect(unknown).toEqual({})
    expect(found.groups).toBeUndefined()
  })

  test('tells topics with dots, underscores, 249 characters and 10,000 partitions', async () => {
    const { found } = await observe(sourceOf(), arnOf('generated-0000'))
    const topics = found.topics ?? []

    expect(topics.find(({ name }) => name.length === 249)).toMatchObject({
      partitions: 6,
      replication: 3,
      minInsync: 2,
    })
    expect(topics.find(({ partitions }) => partitions === 10_000)).toBeDefined()
    expect(topics.find(({ name }) => name === 'd0_ledger_events_0003')).toMatchObject({
      configs: { 'cleanup.policy': 'compact', 'min.insync.replicas': '2' },
      minInsync: 2,
    })
  })

  test('of a serverless cluster knows its way in and leaves topics to Kafka’s own protocol', async () => {
    const { cluster, found, unknown } = await observe(sourceOf(), arnOf('generated-0009'))

    expect(cluster).toMatchObject({
      kind: 'SERVERLESS',
      auth: ['AWS_MSK_IAM'],
      listeners: [
        { field: 'BootstrapBrokerStringSaslIam', network: 'vpc', security: 'SASL_SSL', mechanisms: ['AWS_MSK_IAM'] },
      ],
    })
    expect(found).toEqual({})
    expect(unknown).toEqual({ topics: 'unsupported' })
  })

  test.each([
    { name: 'generated-0007', why: 'a version before 3.6', version: '2.8.1' },
    { name: 'generated-0050', why: 'a cluster that is being made', version: '3.6.0' },
  ])('says that it cannot tell the topics of $why', async ({ name, version }) => {
    const { cluster, unknown } = await observe(sourceOf(), arnOf(name))

    expect(cluster?.version).toBe(version)
    expect(unknown).toEqual({ topics: 'unsupported' })
  })

  test('a cluster that is being made has no addresses, and that is no failure', async () => {
    const { cluster } = await observe(sourceOf(), arnOf('generated-0050'))

    expect(cluster).toMatchObject({ state: 'CREATING', listeners: [] })
  })

  test.each([
    { kind: 'next-token-repeats', code: 'looped' },
    { kind: 'next-token-loops', code: 'looped' },
    { kind: 'next-token-endless', code: 'looped' },
    { kind: 'next-token-refused', code: 'unexpected' },
    { kind: 'malformed', code: 'malformed' },
    { kind: 'forbidden', code: 'denied' },
  ] as const)('with `$kind` among topics is `$code` there, and whole elsewhere', async ({ kind, code }) => {
    plane().faults.inject({ kind, operations: ['ListTopics'] })
    const { cluster, found, unknown } = await observe(sourceOf(), arnOf('generated-0002'))

    expect(unknown).toEqual({ topics: code })
    expect(cluster?.listeners).toHaveLength(14)
    expect(found.brokers).toHaveLength(3)
    expect(found.users).toHaveLength(2)
  })

  test('lists the topics that it may not describe', async () => {
    plane().faults.inject({ kind: 'forbidden', operations: ['DescribeTopic'] })
    const { found, unknown } = await observe(sourceOf(), arnOf('generated-0002'))

    expect(found.topics).toHaveLength(topicsPerCluster)
    expect(found.topics?.[0]).toEqual({ name: expect.any(String), partitions: 6, replication: 3 })
    expect(unknown).toEqual({})
  })

  test('outlasts a minute of 500 between two pages', async () => {
    const { found, unknown } = await observe(sourceOf(), arnOf('generated-0002'), (part) => {
      if (part === 'topics') plane().faults.inject({ kind: 'internal-error', forMs: 60_000 })
    })

    expect(found.topics).toHaveLength(topicsPerCluster)
    expect(unknown).toEqual({})
  })

  test.each(['cluster', 'brokers', 'users', 'topics'])(
    'of a cluster that is deleted after its %s were read says that it is gone',
    async (lastPart) => {
      const name = 'generated-0002'
      const observation = observe(sourceOf(), arnOf(name), (part) => {
        if (part === lastPart) plane().faults.inject({ kind: 'cluster-gone', cluster: name })
      })

      await expect(observation).rejects.toMatchObject({ name: 'SourceError', code: 'gone' })
    },
  )

  test('of a cluster that is not there, or in no place of ours, fails as a whole', async () => {
    const nobody = `arn:aws:kafka:${region}:${accounts[0]}:cluster/nobody/00000000-0000-0000-0000-000000000000-1`
    await expect(observe(sourceOf(), nobody)).rejects.toMatchObject({ code: 'gone' })
    await expect(observe(sourceOf(), nobody.replace(accounts[0], '333333333333'))).rejects.toMatchObject({
      code: 'not_configured',
    })
    await expect(observe(sourceOf(), 'arn:aws:s3:::bucket')).rejects.toThrow('is not the ARN of an MSK cluster')
  })

  test('does not wait for a connection that says nothing', async () => {
    plane().faults.inject({ kind: 'half-open', operations: ['ListTopics'] })
    const { found, unknown } = await observe(sourceOf({ timeoutMs: 100, ...impatient }), arnOf('generated-0002'))

    expect(unknown).toEqual({ topics: 'unavailable' })
    expect(found.brokers).toHaveLength(3)
  })
})

describe('a way in', () => {
  const fields = {
    BootstrapBrokerString: ['vpc', 'PLAINTEXT', []],
    BootstrapBrokerStringTls: ['vpc', 'SSL', []],
    BootstrapBrokerStringSaslScram: ['vpc', 'SASL_SSL', ['SCRAM-SHA-512']],
    BootstrapBrokerStringSaslIam: ['vpc', 'SASL_SSL', ['AWS_MSK_IAM']],
    BootstrapBrokerStringPublicTls: ['public', 'SSL', []],
    BootstrapBrokerStringPublicSaslScram: ['public', 'SASL_SSL', ['SCRAM-SHA-512']],
    BootstrapBrokerStringPublicSaslIam: ['public', 'SASL_SSL', ['AWS_MSK_IAM']],
    BootstrapBrokerStringVpcConnectivityTls: ['private-link', 'SSL', []],
    BootstrapBrokerStringVpcConnectivitySaslScram: ['private-link', 'SASL_SSL', ['SCRAM-SHA-512']],
    BootstrapBrokerStringVpcConnectivitySaslIam: ['private-link', 'SASL_SSL', ['AWS_MSK_IAM']],
    BootstrapBrokerStringIpv6: ['vpc-ipv6', 'PLAINTEXT', []],
    BootstrapBrokerStringTlsIpv6: ['vpc-ipv6', 'SSL', []],
    BootstrapBrokerStringSaslScramIpv6: ['vpc-ipv6', 'SASL_SSL', ['SCRAM-SHA-512']],
    BootstrapBrokerStringSaslIamIpv6: ['vpc-ipv6', 'SASL_SSL', ['AWS_MSK_IAM']],
  } as const satisfies Record<keyof GetBootstrapBrokersResponse, unknown>

  test.each(Object.entries(fields))('is told by %s and not by its port', (field, [network, security, mechanisms]) => {
    for (const port of [9092, 9098, 14_001])
      expect(listenersOf({ [field]: `b-1.example.com:${port}` })).toEqual([
        { field, network, security, mechanisms, bootstrap: `b-1.example.com:${port}` },
      ])
  })

  test('that the answer does not name, or leaves empty, is none', () => {
    expect(listenersOf({})).toEqual([])
    expect(listenersOf({ BootstrapBrokerStringTls: '' })).toEqual([])
  })
})

test('a topic’s settings are read from properties in base64, whatever their values are', () => {
  // as the developer guide shows it
  expect(parseConfigs('Y29tcHJlc3Npb24udHlwZT1wcm9kdWNlcgpyZXRlbnRpb24ubXM9NjA0ODAwMDAw')).toEqual({
    'compression.type': 'producer',
    'retention.ms': '604800000',
  })
  const value = fc.stringMatching(/^[^\s]([^\n\r]*[^\s])?$/)
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z.]{1,20}$/), value), (settings) => {
      const text = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
      expect(parseConfigs(Buffer.from(text.join('\n')).toString('base64'))).toEqual({ ...settings })
    }),
  )
  fc.assert(fc.property(fc.string(), (text) => void parseConfigs(text)))
})
