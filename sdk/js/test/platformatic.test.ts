import { inspect } from 'node:util'
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Lease } from '../src/lease.ts'
import { openLease } from '../src/open-lease.ts'
import { platformatic } from '../src/platformatic.ts'
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

const base = {
  'bootstrap.servers': 'kafka-1.acme.com:9093',
  'security.protocol': 'SASL_SSL',
  'sasl.mechanism': 'OAUTHBEARER',
}

describe('the client settings', () => {
  test('are brokers, names, the private CA and a token that is read when it is needed', async () => {
    const { client } = platformatic(await connection())
    const { sasl, ...rest } = client
    expect(rest).toEqual({
      bootstrapBrokers: ['kafka-1.acme.com:9093', 'kafka-2.acme.com:9093'],
      clientId: 'orders-api',
      clientRack: 'euw1-az1',
      retries: 60,
      tls: { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' },
      tlsServerName: true,
    })
    expect(sasl).toMatchObject({ mechanism: 'OAUTHBEARER' })
    const token = sasl?.token as () => string | Promise<string>
    // a promise here would let other requests slip between handshake and token when a connection authenticates again
    expect(token()).toBe('kafka-token-1')
    clock.jump(600_000)
    expect(await token()).toBe('kafka-token-2')
  })

  test('send what the connection says beside its token', async () => {
    const extensions = { logicalCluster: 'lkc-1', identityPoolId: 'pool-1' }
    expect(platformatic(await connection({ extensions })).client.sasl).toMatchObject({
      oauthBearerExtensions: extensions,
    })
  })

  test('refuse an answer whose extensions would be several', async () => {
    const extensions = { logicalCluster: 'lkc-1\u0001auth=Bearer another' }
    await expect(connection({ extensions })).rejects.toMatchObject({ code: 'malformed_answer' })
  })

  test('have no TLS on a plain listener, and no server name for an address', async () => {
    const plain = platformatic(
      await connection({
        properties: { ...base, 'bootstrap.servers': '127.0.0.1:9092', 'security.protocol': 'SASL_PLAINTEXT' },
      }),
    )
    expect(plain.client.tls).toBeUndefined()
    await switchboard.close()
    const address = platformatic(await connection({ properties: { ...base, 'bootstrap.servers': '[::1]:9093' } }))
    expect(address.client.tls).toEqual({})
    expect(address.client.tlsServerName).toBeUndefined()
  })

  test('have a token of AWS as they have any other', async () => {
    const later = new Date(clock.now().getTime() + 600_000).toISOString()
    const { sasl } = platformatic(
      await connection({ credential: { kind: 'msk-iam', token: 'aHR0cHM6', expiresAt: later } }),
    ).client
    const token = sasl?.token as () => string
    expect(token()).toBe('aHR0cHM6')
  })

  test('never show the token', async () => {
    const kafka = platformatic(await connection())
    const shown = inspect([kafka, kafka.client, kafka.producer, kafka.consumer], {
      depth: Number.POSITIVE_INFINITY,
      showHidden: true,
      getters: true,
    })
    expect(shown).toContain('OAUTHBEARER')
    expect(shown).not.toContain('kafka-token')
  })

  test.each([
    ['a mechanism of another kind', { ...base, 'sasl.mechanism': 'SCRAM-SHA-512' }, '`SCRAM-SHA-512`'],
    ['a protocol without SASL', { ...base, 'security.protocol': 'SSL' }, '`SSL`'],
    ['no protocol', { ...base, 'security.protocol': undefined }, '`security.protocol`'],
    ['a truststore that is no PEM', { ...base, 'ssl.truststore.type': 'JKS' }, '`JKS`'],
    ['a number that is none', { ...base, 'request.timeout.ms': 'soon' }, '`soon`'],
  ])('with %s are refused at once', async (_, properties, part) => {
    const refused = await connection({ properties })
    expect(() => platformatic(refused)).toThrowError(
      expect.objectContaining({ code: 'unsupported', message: expect.stringContaining(part) }),
    )
  })

  test('without brokers are malformed', async () => {
    const refused = await connection({ properties: { ...base, 'bootstrap.servers': ' , ' } })
    expect(() => platformatic(refused)).toThrowError('`bootstrap.servers` is missing')
  })
})

describe('the producer settings', () => {
  test('have Kafka values under the names of the client', async () => {
    const { producer } = platformatic(
      await connection({
        producer: {
          acks: 'all',
          'enable.idempotence': 'true',
          'compression.type': 'zstd',
          'delivery.timeout.ms': '30000',
          'retry.backoff.ms': 500,
          'request.timeout.ms': 10_000,
          'max.in.flight.requests.per.connection': 3,
          'linger.ms': 5,
        },
      }),
    )
    expect(producer).toMatchObject({
      acks: -1,
      idempotent: true,
      compression: 'zstd',
      retries: 60,
      retryDelay: 500,
      requestTimeout: 10_000,
      maxInflights: 3,
      clientId: 'orders-api',
    })
    expect(producer).not.toHaveProperty('linger.ms')
  })

  test('leave out what nobody set, but for the end of retrying', async () => {
    const { producer } = platformatic(await connection({ producer: {}, properties: base }))
    expect(Object.keys(producer).sort()).toEqual([
      'bootstrapBrokers',
      'clientId',
      'retries',
      'sasl',
      'tls',
      'tlsServerName',
    ])
    expect(producer.retries).toBe(120)
  })

  test.each([
    ['0', 2],
    ['5', 5],
    ['2147483647', 120],
  ])('with `retries` %s try %i times again: 0 and 1 would be for ever', async (retries, expected) => {
    const { producer } = platformatic(await connection({ producer: { retries } }))
    expect(producer.retries).toBe(expected)
  })

  test('with a value that the client does not know are refused at once', async () => {
    const refused = await connection({ producer: { acks: '2' } })
    expect(() => platformatic(refused)).toThrowError('`acks` is `2`, which @platformatic/kafka cannot do; expected')
  })
})

describe('the consumer settings', () => {
  test('have Kafka values under the names of the client', async () => {
    const kafka = platformatic(
      await connection({
        consumer: {
          'group.id': 'billing',
          'group.instance.id': 'billing-0',
          'auto.offset.reset': 'none',
          'enable.auto.commit': true,
          'auto.commit.interval.ms': 50,
          'isolation.level': 'read_uncommitted',
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
    expect(kafka.consumer).toMatchObject({
      groupId: 'billing',
      groupInstanceId: 'billing-0',
      autocommit: 100,
      isolationLevel: 0,
      minBytes: 2,
      maxBytes: 3,
      maxBytesPerPartition: 4,
      maxWaitTime: 5,
      sessionTimeout: 45_000,
      heartbeatInterval: 3_000,
      rebalanceTimeout: 300_000,
    })
    expect(kafka.consume).toEqual({ mode: 'committed', fallbackMode: 'fail' })
  })

  test.each([
    [{ 'enable.auto.commit': false, 'auto.commit.interval.ms': 5_000 }, false],
    [{ 'enable.auto.commit': true }, true],
    [{ 'auto.commit.interval.ms': 5_000 }, 5_000],
    [{}, undefined],
  ])('commit as %o says', async (settings, expected) => {
    const { consumer } = platformatic(await connection({ consumer: { 'group.id': 'billing', ...settings } }))
    expect(consumer.autocommit).toBe(expected)
  })

  test.each([
    [{}, 'latest'],
    [{ 'auto.offset.reset': 'earliest' }, 'earliest'],
  ])('start where %o says when the group has no offset', async (settings, expected) => {
    const { consume } = platformatic(await connection({ consumer: { 'group.id': 'billing', ...settings } }))
    expect(consume.fallbackMode).toBe(expected)
  })

  test('with a group protocol that takes other settings are refused at once', async () => {
    const refused = await connection({ consumer: { 'group.id': 'billing', 'group.protocol': 'consumer' } })
    expect(() => platformatic(refused)).toThrowError('`group.protocol` is `consumer`')
  })
})

test('the clients accept the settings as they are', async () => {
  const kafka = platformatic(await connection())
  const clients = [
    new Admin({ ...kafka.client, strict: true }),
    new Producer({ ...kafka.producer, strict: true, serializers: stringSerializers }),
    new Consumer({ ...kafka.consumer, strict: true, deserializers: stringDeserializers }),
  ]
  for (const client of clients) await client.close()
})

test('a role that the lease does not have says so', async () => {
  const kafka = platformatic(await connection({ producer: undefined, consumer: undefined }))
  expect(() => kafka.producer).toThrowError('nothing to produce on cluster `payments`')
  expect(() => kafka.consumer).toThrowError('nothing to consume on cluster `payments`')
  expect(kafka.client.bootstrapBrokers).toHaveLength(2)
})

test('channels and patterns are looked up as on the connection', async () => {
  const kafka = platformatic(await connection())
  expect(kafka.topic(created)).toBe('orders.created')
  expect(kafka.topicsOf(orders, ['orders.shipped', 'payouts.settled'])).toEqual(['orders.shipped'])
})

describe('a refusal of the token by the broker', () => {
  const outcome = async (text: string): Promise<unknown[][]> => {
    const { sasl } = platformatic(await connection()).client
    const calls: unknown[][] = []
    sasl?.authBytesValidator?.(Buffer.from(text), (...args: unknown[]) => calls.push(args))
    return calls
  }

  test('is one error with the status, said once', async () => {
    const calls = await outcome('{"status":"invalid_token"}')
    expect(calls).toHaveLength(1)
    expect(calls[0]?.[0]).toMatchObject({
      code: 'kafka_refused',
      message: 'the broker refused the token: `invalid_token`',
    })
  })

  test('is an error even when it is not readable', async () => {
    expect((await outcome('\u0001'))[0]?.[0]).toMatchObject({ code: 'kafka_refused' })
  })

  test.each(['', '{"version":"1"}'])('is not what the answer `%s` means', async (answer) => {
    const calls = await outcome(answer)
    expect(calls).toHaveLength(1)
    expect(calls[0]?.[0]).toBeNull()
  })
})
