import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { openLease } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { expect, test } from 'vitest'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { readStackState } from '../../local/state.ts'

// Every grant of examples/policy.yaml and every ACL that comes from it is used here once, by the principal that has it;
// that of legacy-billing, which keeps its own Kafka client, in clients.test.ts.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const created = 'kafka://payments.acme.com/orders/created'
const daily = 'kafka://payments.acme.com/reports/daily'
const readTimeoutMs = 20_000

const ordersApiWrites = async (key: string): Promise<void> => {
  const lease = await openLease({
    url: state.switchboard.url,
    token: () => mintWorkloadToken(state, { principal: 'orders-api' }),
    intent: { produce: [created] },
    startTimeoutMs: 15_000,
  })
  const kafka = platformatic(lease.connection())
  const producer = new Producer({ ...kafka.producer, retries: 2, serializers: stringSerializers })
  try {
    await producer.send({ messages: [{ topic: kafka.topic(created), key, value: key }] })
  } finally {
    await producer.close()
    lease.close()
  }
}

/** Nobody in the example writes reports: they come from outside of Switchboard. */
const adminWritesReport = async (key: string): Promise<void> => {
  const { outside, admin } = state.clusters.analytics
  const producer = new Producer({
    clientId: 'reports',
    bootstrapBrokers: [outside],
    sasl: { mechanism: admin.mechanism, username: admin.username, password: admin.password },
    tls: { ca: readFileSync(state.caFile, 'utf8') },
    serializers: stringSerializers,
  })
  try {
    await producer.send({ messages: [{ topic: 'reports.daily', key, value: key }] })
  } finally {
    await producer.close()
  }
}

const reads = async (principal: string, channel: string, wanted: string): Promise<boolean> => {
  const lease = await openLease({
    url: state.switchboard.url,
    token: () => mintWorkloadToken(state, { principal }),
    intent: { consume: [channel] },
    startTimeoutMs: 15_000,
  })
  const kafka = platformatic(lease.connection())
  const consumer = new Consumer({
    ...kafka.consumer,
    sessionTimeout: 10_000,
    deserializers: stringDeserializers,
  })
  try {
    const stream = await consumer.consume({ ...kafka.consume, topics: [kafka.topic(channel)] })
    const timer = setTimeout(() => stream.destroy(new Error(`${principal} read nothing in time`)), readTimeoutMs)
    try {
      for await (const { key } of stream) if (key === wanted) return true
    } finally {
      clearTimeout(timer)
    }
    return false
  } finally {
    await consumer.close(true)
    lease.close()
  }
}

test('orders-api writes orders and reads them in a group of its own name', async () => {
  const key = randomUUID()
  await ordersApiWrites(key)

  expect(await reads('orders-api', created, key)).toBe(true)
})

test('billing, one of the finance team, reads orders in a group of its own name', async () => {
  const key = randomUUID()
  await ordersApiWrites(key)

  expect(await reads('billing', created, key)).toBe(true)
})

test('reporting, one of the analytics team, reads reports of another cluster in a group of its own name', async () => {
  const key = randomUUID()
  await adminWritesReport(key)

  expect(await reads('reporting', daily, key)).toBe(true)
})
