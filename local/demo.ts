import { randomUUID } from 'node:crypto'
import { Consumer, findErrorBy, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { type Lease, type LeaseOptions, openLease, SwitchboardProblem } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { LocalError } from './errors.ts'
import { mintWorkloadToken } from './issuer.ts'
import type { StackState } from './state.ts'
import { renderSeconds } from './terminal.mjs'

/** Takes one finished line of text. */
export type Report = (line: string) => void

const created = 'kafka://payments.acme.com/orders/created'
const ungrantedTopic = 'payouts.settled'
const count = 100
const readTimeoutMs = 30_000
// a demo that was killed must not keep the next one waiting for its place in the group
const sessionTimeout = 10_000

const open = (
  state: StackState,
  principal: string,
  options: Pick<LeaseOptions, 'intent' | 'onEvent'>,
): Promise<Lease> =>
  openLease({
    url: state.switchboard.url,
    token: () => mintWorkloadToken(state, { principal }),
    ...options,
  })

const secondsLeft = (end: Date): number => Math.round((end.getTime() - Date.now()) / 1000)

const writeOrders = async (lease: Lease, run: string): Promise<void> => {
  const kafka = platformatic(lease.connection())
  const producer = new Producer({ ...kafka.producer, serializers: stringSerializers })
  try {
    const topic = kafka.topic(created)
    const messages = Array.from({ length: count }, (_, index) => ({
      topic,
      key: `order-${index}`,
      value: JSON.stringify({ order: index, amount: 100 + index }),
      headers: { run },
    }))
    await producer.send({ messages })
  } finally {
    await producer.close()
  }
}

const readOrders = async (lease: Lease, run: string): Promise<void> => {
  const kafka = platformatic(lease.connection())
  const consumer = new Consumer({ ...kafka.consumer, sessionTimeout, deserializers: stringDeserializers })
  const seen = new Set<string>()
  const lastCommit = new Map<number, () => void | Promise<void>>()
  try {
    const stream = await consumer.consume({ ...kafka.consume, topics: [kafka.topic(created)] })
    const timer = setTimeout(
      () => stream.destroy(new LocalError(`${seen.size} of ${count} records after ${readTimeoutMs / 1000} s`)),
      readTimeoutMs,
    )
    try {
      for await (const message of stream) {
        lastCommit.set(message.partition, message.commit)
        if (message.headers.get('run') === run) seen.add(message.key)
        if (seen.size === count) break
      }
      for (const commit of lastCommit.values()) await commit()
    } finally {
      clearTimeout(timer)
    }
  } finally {
    await consumer.close(true)
  }
}

const refusedByKafka = async (lease: Lease): Promise<string> => {
  const kafka = platformatic(lease.connection())
  const producer = new Producer({ ...kafka.producer, serializers: stringSerializers })
  try {
    await producer.send({ messages: [{ topic: ungrantedTopic, key: 'mine', value: 'all of it' }] })
  } catch (error) {
    const refusal = error instanceof Error ? findErrorBy(error, 'apiId', 'TOPIC_AUTHORIZATION_FAILED') : null
    if (refusal) return `${refusal.apiId} (${refusal.apiCode})`
    throw error
  } finally {
    await producer.close()
  }
  throw new LocalError(`kafka let orders-api write to \`${ungrantedTopic}\`, which no grant allows`)
}

const refusedBySwitchboard = async (state: StackState): Promise<SwitchboardProblem> => {
  try {
    const lease = await open(state, 'intruder', { intent: { produce: [created] } })
    lease.close()
  } catch (error) {
    if (error instanceof SwitchboardProblem && error.status === 403 && error.code === 'access_denied') return error
    throw error
  }
  throw new LocalError('switchboard gave intruder a lease that no grant allows')
}

const stepsTo =
  (line: Report) =>
  async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    const start = performance.now()
    const mark = (tick: string) => line(`${tick} ${name.padEnd(58)} ${renderSeconds(performance.now() - start)}`)
    try {
      const result = await run()
      mark('✔')
      return result
    } catch (error) {
      mark('✖')
      throw error
    }
  }

/** The main job, once: two services exchange records, a third is refused, and Kafka itself refuses what no grant allows. */
export const runDemo = async (state: StackState, line: Report): Promise<void> => {
  const step = stepsTo(line)
  const run = randomUUID()
  const leases: Lease[] = []
  const detail = (text: string): void => line(`    ${text}`)
  try {
    const orders = await step('orders-api resolves its intent to produce', async () => {
      const lease = await open(state, 'orders-api', { intent: { produce: [created] } })
      leases.push(lease)
      return lease
    })
    const { cluster, properties, credential, topic } = orders.connection()
    if (credential.kind !== 'jwt') throw new Error(`the example has tokens, got \`${credential.kind}\``)
    detail(`${created} is ${topic(created)} on ${cluster.name} at ${properties['bootstrap.servers']}`)
    detail(`with a token for ${secondsLeft(credential.expiresAt)} s`)
    await step(`orders-api writes ${count} records`, () => writeOrders(orders, run))

    const waits: string[] = []
    const billing = await step('billing resolves its intent to consume', async () => {
      const lease = await open(state, 'billing', {
        intent: { consume: [created] },
        onEvent: (event) => {
          if (event.type === 'waiting' && event.error instanceof SwitchboardProblem) waits.push(event.error.code)
        },
      })
      leases.push(lease)
      return lease
    })
    if (waits.length > 0)
      detail(`first sight of it: its access was made while it waited (${waits.length} x ${waits[0]})`)
    await step(`billing reads all ${count} of them`, () => readOrders(billing, run))

    const problem = await step('intruder is refused by Switchboard', () => refusedBySwitchboard(state))
    detail(`${problem.status} ${problem.code}: ${problem.detail} (${problem.requestId})`)

    const refusal = await step(`orders-api is refused by Kafka on ${ungrantedTopic}`, () => refusedByKafka(orders))
    detail(refusal)
  } finally {
    for (const lease of leases) lease.close()
  }
}
