import { randomUUID } from 'node:crypto'
import { Consumer, findErrorBy, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import {
  type Lease,
  type LeaseEvent,
  type LeaseOptions,
  openLease,
  SwitchboardProblem,
} from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { afterEach, expect, test } from 'vitest'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { readStackState } from '../../local/state.ts'

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const created = 'kafka://payments.acme.com/orders/created'
const leases: Lease[] = []

afterEach(() => {
  for (const lease of leases.splice(0)) lease.close()
})

const open = async (
  principal: string,
  options: Pick<LeaseOptions, 'intent' | 'onEvent'> & { readonly claims?: Readonly<Record<string, string>> },
): Promise<Lease> => {
  const { claims = {}, ...rest } = options
  const lease = await openLease({
    url: state.switchboard.url,
    token: () => mintWorkloadToken(state, { principal, claims }),
    ...rest,
  })
  leases.push(lease)
  return lease
}

const produce = async (lease: Lease, topic: string, keys: readonly string[]): Promise<void> => {
  const kafka = platformatic(lease.connection())
  const producer = new Producer({ ...kafka.producer, serializers: stringSerializers })
  try {
    await producer.send({ messages: keys.map((key) => ({ topic, key, value: key })) })
  } finally {
    await producer.close()
  }
}

const readUntil = async (lease: Lease, wanted: ReadonlySet<string>): Promise<Set<string>> => {
  const kafka = platformatic(lease.connection())
  const consumer = new Consumer({ ...kafka.consumer, sessionTimeout: 10_000, deserializers: stringDeserializers })
  const seen = new Set<string>()
  try {
    const stream = await consumer.consume({ ...kafka.consume, topics: [kafka.topic(created)] })
    const timer = setTimeout(() => stream.destroy(new Error(`${seen.size} of ${wanted.size} records in time`)), 60_000)
    try {
      for await (const { key } of stream) {
        if (wanted.has(key)) seen.add(key)
        if (seen.size === wanted.size) break
      }
    } finally {
      clearTimeout(timer)
    }
  } finally {
    await consumer.close(true)
  }
  return seen
}

const keysOf = (run: string): string[] => Array.from({ length: 100 }, (_, index) => `${run}-${index}`)

test('a workload with a grant gets a topic, a cluster and a short-lived token, and produces 100 records', async () => {
  const lease = await open('orders-api', { intent: { produce: [created] } })
  const { cluster, credential, properties } = lease.connection()

  await produce(lease, lease.connection().topic(created), keysOf(randomUUID()))

  expect(cluster.name).toBe('payments')
  expect(lease.connection().topics).toEqual({ [created]: 'orders.created' })
  expect(properties['bootstrap.servers']).toBe(state.clusters.payments.outside)
  expect((credential.expiresAt?.getTime() ?? 0) - Date.now()).toBeLessThanOrEqual(3_600_000)
  expect(credential.expiresAt?.getTime()).toBeGreaterThan(Date.now())
})

test('a workload that Switchboard never saw waits until its access is made and reads all 100 records', async () => {
  const keys = keysOf(randomUUID())
  const orders = await open('orders-api', { intent: { produce: [created] } })
  await produce(orders, orders.connection().topic(created), keys)
  const events: LeaseEvent[] = []

  const lease = await open(`billing-${randomUUID().slice(0, 8)}`, {
    claims: { team: 'finance' },
    intent: { consume: [created] },
    onEvent: (event) => events.push(event),
  })
  const seen = await readUntil(lease, new Set(keys))

  expect(events[0]).toMatchObject({ type: 'waiting', error: { code: 'credential_not_ready', status: 503 } })
  expect(seen.size).toBe(100)
})

test('a workload without a grant is refused by Switchboard, in words that do not say what exists', async () => {
  const refusal = async (channel: string): Promise<unknown> => {
    try {
      return await open('intruder', { intent: { produce: [channel] } })
    } catch (error) {
      return error
    }
  }

  const problem = await refusal(created)
  const nowhere = await refusal('kafka://payments.acme.com/nothing/here')

  expect(problem).toBeInstanceOf(SwitchboardProblem)
  expect(problem).toMatchObject({ status: 403, code: 'access_denied', retryable: false, requestId: expect.any(String) })
  expect(nowhere).toMatchObject({ status: 403, code: 'access_denied', detail: (problem as SwitchboardProblem).detail })
})

test('a workload with a good credential is refused by Kafka on a topic that no grant reaches', async () => {
  const lease = await open('orders-api', { intent: { produce: [created] } })
  let error: unknown
  try {
    await produce(lease, 'payouts.settled', ['mine'])
  } catch (thrown) {
    error = thrown
  }

  expect(findErrorBy(error as Error, 'apiId', 'TOPIC_AUTHORIZATION_FAILED')).toMatchObject({ apiCode: 29 })
  await produce(lease, lease.connection().topic(created), [randomUUID()])
})
