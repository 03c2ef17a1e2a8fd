import { inspect } from 'node:util'
import library, { CompressionTypes, Kafka } from 'kafkajs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { kafkajs } from '../src/kafkajs.ts'
import type { Lease } from '../src/lease.ts'
import { openLease } from '../src/open-lease.ts'
import { anAnswer, created, orders } from './answers.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'
import { type SimulatedSwitchboard, startSimulatedSwitchboard } from './simulated-switchboard.ts'

let clock: ManualClock
let switchboard: SimulatedSwitchboard
let lease: Lease

beforeEach(() => {
  clock = createManualClock()
})

afterEach(async () => {
  lease?.close()
  await switchboard?.close()
})

const connection = async (members: { readonly [name: string]: unknown } = {}) => {
  switchboard = await startSimulatedSwitchboard(clock.now, (_, index) =>
    anAnswer(clock.now(), { token: `kafka-token-${index + 1}`, ...members }),
  )
  lease = await openLease({ url: switchboard.url, token: 'workload', intent: { produce: [created] }, clock })
  return lease.connection()
}

const createPartitioner = library.Partitioners.DefaultPartitioner

const base = {
  'bootstrap.servers': 'kafka-1.acme.com:9093',
  'security.protocol': 'SASL_SSL',
  'sasl.mechanism': 'OAUTHBEARER',
}

/** What the client does with `sasl` when it authenticates: the bytes that it sends, and the answer to them. */
const authenticate = async (sasl: Kafkajs['client']['sasl'], answer = ''): Promise<string> => {
  let sent = Buffer.alloc(0)
  const saslAuthenticate = async (exchange: SaslExchange): Promise<void> => {
    sent = Buffer.from(await exchange.request.encode())
    const length = Buffer.alloc(4)
    length.writeInt32BE(Buffer.byteLength(answer))
    const bytes = await exchange.response?.decode(Buffer.concat([length, Buffer.from(answer)]))
    exchange.response?.parse(bytes ?? Buffer.alloc(0))
  }
  if (!('authenticationProvider' in sasl)) throw new Error('expected a provider of ours')
  const provider = sasl.authenticationProvider({ saslAuthenticate } as never)
  await provider.authenticate()
  expect(sent.readInt32BE()).toBe(sent.length - 4)
  return sent.subarray(4).toString()
}

type Kafkajs = ReturnType<typeof kafkajs>
type SaslExchange = {
  readonly request: { readonly encode: () => Buffer | Promise<Buffer> }
  readonly response?: {
    readonly decode: (raw: Buffer) => Buffer | Promise<Buffer>
    readonly parse: (bytes: Buffer) => unknown
  }
}

describe('the client settings', () => {
  test('are brokers, names, the private CA and a token that is read when it is needed', async () => {
    const { client } = kafkajs(await connection())
    const { sasl, ...rest } = client
    expect(rest).toMatchObject({
      brokers: ['kafka-1.acme.com:9093', 'kafka-2.acme.com:9093'],
      clientId: 'orders-api',
      ssl: { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' },
    })
    expect(sasl.mechanism).toBe('OAUTHBEARER')
    expect(await authenticate(sasl)).toBe('n,,\u0001auth=Bearer kafka-token-1\u0001\u0001')
    clock.jump(600_000)
    expect(await authenticate(sasl)).toBe('n,,\u0001auth=Bearer kafka-token-2\u0001\u0001')
  })

  test('authenticate again no sooner than a second after the last time, however short the session', async () => {
    const shortestSessionMs = 2_000
    const { reauthenticationThreshold } = kafkajs(await connection()).client
    expect(reauthenticationThreshold).toBeGreaterThan(0)
    expect(shortestSessionMs - reauthenticationThreshold).toBeGreaterThan(1_000)
  })

  test('send what the connection says beside its token', async () => {
    const extensions = { logicalCluster: 'lkc-1', identityPoolId: 'pool-1' }
    const { client } = kafkajs(await connection({ extensions }))
    expect(await authenticate(client.sasl)).toBe(
      'n,,\u0001auth=Bearer kafka-token-1\u0001logicalCluster=lkc-1\u0001identityPoolId=pool-1\u0001\u0001',
    )
  })

  test('have no TLS on a plain listener', async () => {
    const plain = kafkajs(await connection({ properties: { ...base, 'security.protocol': 'SASL_PLAINTEXT' } }))
    expect(plain.client).not.toHaveProperty('ssl')
  })

  test('have TLS by the authorities of the system where the cluster has no CA of its own', async () => {
    expect(kafkajs(await connection({ properties: base })).client.ssl).toEqual({})
  })

  test('have a token of AWS as they have any other', async () => {
    const later = new Date(clock.now().getTime() + 600_000).toISOString()
    const { sasl } = kafkajs(
      await connection({ credential: { kind: 'msk-iam', token: 'aHR0cHM6', expiresAt: later } }),
    ).client
    expect(await authenticate(sasl)).toBe('n,,\u0001auth=Bearer aHR0cHM6\u0001\u0001')
  })

  test('never show the token', async () => {
    const settings = kafkajs(await connection())
    const everything = [settings, settings.client, settings.producer, settings.send, settings.consumer]
    const shown = inspect(everything, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true })
    expect(shown).toContain('OAUTHBEARER')
    expect(shown).not.toContain('kafka-token')
  })

  test.each([
    ['a mechanism of another kind', { ...base, 'sasl.mechanism': 'SCRAM-SHA-512' }, '`SCRAM-SHA-512`'],
    ['a protocol without SASL', { ...base, 'security.protocol': 'SSL' }, '`SSL`'],
    ['a truststore that is no PEM', { ...base, 'ssl.truststore.type': 'JKS' }, '`JKS`, which kafkajs cannot do'],
    ['a number that is none', { ...base, 'request.timeout.ms': 'soon' }, '`soon`'],
  ])('with %s are refused at once', async (_, properties, part) => {
    const refused = await connection({ properties })
    expect(() => kafkajs(refused)).toThrowError(
      expect.objectContaining({ code: 'unsupported', message: expect.stringContaining(part) }),
    )
  })
})

describe('a refusal of the token by the broker', () => {
  test('is an error with the status in it', async () => {
    const { sasl } = kafkajs(await connection()).client
    await expect(authenticate(sasl, '{"status":"invalid_token"}')).rejects.toMatchObject({
      code: 'kafka_refused',
      message: 'the broker refused the token: `invalid_token`',
    })
  })

  test.each(['', '{"version":"1"}'])('is not what the answer `%s` means', async (answer) => {
    const { sasl } = kafkajs(await connection()).client
    await expect(authenticate(sasl, answer)).resolves.toContain('kafka-token-1')
  })
})

describe('the producer settings', () => {
  test('have Kafka values under the names of the client, in the place where it takes them', async () => {
    const settings = kafkajs(
      await connection({
        producer: {
          acks: 'all',
          'enable.idempotence': 'false',
          'compression.type': 'gzip',
          'delivery.timeout.ms': 30_000,
          'retry.backoff.ms': '100',
          'retry.backoff.max.ms': 1_000,
          'request.timeout.ms': 10_000,
          'metadata.max.age.ms': 60_000,
          'linger.ms': 5,
        },
      }),
    )
    expect(settings.producer).toMatchObject({
      allowAutoTopicCreation: false,
      idempotent: false,
      metadataMaxAge: 60_000,
    })
    expect(settings.send).toEqual({ acks: -1, compression: CompressionTypes.GZIP, timeout: 10_000 })
    expect(settings.producer).not.toHaveProperty('linger.ms')
  })

  test.each([
    // 100 + 200 + 400 + 800 ms, then seconds
    [{ 'retry.backoff.ms': 100, 'retry.backoff.max.ms': 1_000, 'delivery.timeout.ms': 30_000 }, 33],
    [{ 'retry.backoff.ms': 1_000, 'retry.backoff.max.ms': 1_000, 'delivery.timeout.ms': 5_000 }, 5],
    [{ 'retry.backoff.ms': 1, 'retry.backoff.max.ms': 1, 'delivery.timeout.ms': 2_147_483_647 }, 2_147_483_647],
  ])('wait in all retries of %o as long as Kafka would', async (settings, expected) => {
    const { producer } = kafkajs(await connection({ producer: { 'enable.idempotence': false, ...settings } }))
    expect(producer.retry?.retries).toBe(expected)
  })

  test('let an idempotent producer retry for ever, whose next record would else take the place of a lost one', async () => {
    const settings = kafkajs(await connection({ producer: { 'enable.idempotence': true } }))
    const warnings: unknown[] = []
    const logCreator = () => (entry: { readonly log: { readonly message: string } }) => warnings.push(entry.log.message)

    new Kafka({ ...settings.client, logCreator }).producer({ ...settings.producer, createPartitioner })

    expect(settings.producer).toMatchObject({ idempotent: true, retry: { retries: Number.MAX_SAFE_INTEGER } })
    // the client warns when the retries of an idempotent producer end
    expect(warnings).toEqual([])
  })

  test('compress with what the program has installed, and else not at all', async () => {
    const settings = kafkajs(await connection({ producer: { 'compression.type': 'zstd' } }))
    expect(settings.send).not.toHaveProperty('compression')
    const { ZSTD } = library.CompressionTypes
    const before = library.CompressionCodecs[ZSTD]
    library.CompressionCodecs[ZSTD] = () => ({}) as never
    try {
      expect(settings.send.compression).toBe(ZSTD)
    } finally {
      library.CompressionCodecs[ZSTD] = before
    }
  })

  test('with a value that the client does not know are refused at once', async () => {
    const refused = await connection({ producer: { acks: '2' } })
    expect(() => kafkajs(refused)).toThrowError('`acks` is `2`, which kafkajs cannot do; expected')
  })
})

describe('the consumer settings', () => {
  test('have Kafka values under the names of the client, in the place where it takes them', async () => {
    const settings = kafkajs(
      await connection({
        consumer: {
          'group.id': 'billing',
          'auto.offset.reset': 'earliest',
          'enable.auto.commit': true,
          'auto.commit.interval.ms': 5_000,
          'isolation.level': 'read_committed',
          'fetch.min.bytes': 2,
          'fetch.max.bytes': 3,
          'max.partition.fetch.bytes': 4,
          'fetch.max.wait.ms': 5,
          'session.timeout.ms': 45_000,
          'heartbeat.interval.ms': 3_000,
          'max.poll.interval.ms': 300_000,
        },
      }),
    )
    expect(settings.consumer).toMatchObject({
      groupId: 'billing',
      allowAutoTopicCreation: false,
      readUncommitted: false,
      rackId: 'euw1-az1',
      minBytes: 2,
      maxBytes: 3,
      maxBytesPerPartition: 4,
      maxWaitTimeInMs: 5,
      sessionTimeout: 45_000,
      heartbeatInterval: 3_000,
      rebalanceTimeout: 300_000,
    })
    expect(settings.subscribe).toEqual({ fromBeginning: true })
    expect(settings.run).toEqual({ autoCommit: true, autoCommitInterval: 5_000 })
  })

  test('start at the end when nobody said where, as Kafka does', async () => {
    expect(kafkajs(await connection({ consumer: { 'group.id': 'billing' } })).subscribe.fromBeginning).toBe(false)
  })

  test.each([
    ['group.protocol', 'consumer'],
    ['auto.offset.reset', 'none'],
  ])('with `%s` at `%s`, which the client cannot do, are refused at once', async (name, value) => {
    const refused = await connection({ consumer: { 'group.id': 'billing', [name]: value } })
    expect(() => kafkajs(refused)).toThrowError(`\`${name}\` is \`${value}\``)
  })
})

test('the clients accept the settings as they are', async () => {
  const settings = kafkajs(await connection({ producer: { 'enable.idempotence': false } }))
  const kafka = new Kafka({ ...settings.client, logLevel: library.logLevel.NOTHING })
  expect(() => [kafka.producer(settings.producer), kafka.consumer(settings.consumer), kafka.admin()]).not.toThrow()
})

test('a role that the lease does not have says so', async () => {
  const settings = kafkajs(await connection({ producer: undefined, consumer: undefined }))
  for (const name of ['producer', 'send'] as const) expect(() => settings[name]).toThrowError('nothing to produce')
  for (const name of ['consumer', 'subscribe', 'run'] as const)
    expect(() => settings[name]).toThrowError('nothing to consume on cluster `payments`')
})

test('channels and patterns are looked up as on the connection', async () => {
  const settings = kafkajs(await connection())
  expect(settings.topic(created)).toBe('orders.created')
  expect(settings.topicsOf(orders, ['orders.shipped', 'payouts.settled'])).toEqual(['orders.shipped'])
})
