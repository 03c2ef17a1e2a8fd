import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { type Intent, type Lease, type LeaseEvent, openLease } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { awsEnvironment } from '../../local/emulator.ts'
import { startFront, stopFront } from '../../local/front.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment, runCommand } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { until } from '../fixtures/until.ts'

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const created = 'kafka://payments.acme.com/orders/created'
const principal = `outage-${randomUUID().slice(0, 8)}`

const hasty = `${principal}-hasty`

const apply = (policyFile: string): Promise<void> =>
  runCommand({
    name: 'switchboard apply',
    file: nodeFile,
    args: [join(root, 'cli/switchboard.ts'), 'apply', policyFile, '--stack', state.switchboard.stackName],
    env: cleanEnvironment(awsEnvironment(state.aws, state.caFile)),
    cwd: root,
    log: join(state.logDirectory, 'outage-apply.log'),
  })

beforeAll(async () => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  policy.addIn(['grants'], { principals: [principal], produce: [created], consume: [created], maxLease: '20s' })
  policy.addIn(['grants'], { principals: [hasty], produce: [created], maxLease: '10s' })
  const policyFile = join(state.runDirectory, 'outage-policy.yaml')
  writeFileSync(policyFile, policy.toString(), { mode: 0o600 })
  await apply(policyFile)
})

afterAll(() => apply(state.policyFile))

/** Every `code` of an error, of its causes and of the errors it holds. */
const codesOf = (error: unknown): string[] => {
  if (!(error instanceof Error)) return []
  const { code } = error as { readonly code?: string }
  const inner = error instanceof AggregateError ? error.errors : []
  return [...(code === undefined ? [] : [code]), ...codesOf(error.cause), ...inner.flatMap(codesOf)]
}

const open = (name: string, intent: Intent, events: LeaseEvent[]): Promise<Lease> =>
  openLease({
    url: state.switchboard.url,
    token: () => mintWorkloadToken(state, { principal: name }),
    intent,
    onEvent: (event) => events.push(event),
    random: () => 0,
  })

// the test wants to see a failure, not to wait for the end of all attempts
const impatient = { idempotent: false, retries: 1, retryDelay: 200, serializers: stringSerializers }

/** A client that authenticates again with the token it began with, whatever the lease has. */
const openStubborn = (lease: Lease) => {
  const token = lease.connection().token()
  if (typeof token !== 'string') throw new Error('the token held is not good any more')
  const { producer } = platformatic(lease.connection())
  return new Producer({ ...producer, ...impatient, sasl: { mechanism: 'OAUTHBEARER', token } })
}

test('a producer sends through renewals and re-authentication without one error', async () => {
  const events: LeaseEvent[] = []
  const lease = await open(hasty, { produce: [created] }, events)
  const kafka = platformatic(lease.connection())
  // one attempt: a single failure has to show
  const producer = new Producer({ ...kafka.producer, ...impatient, retries: 0 })
  let reauthenticated = 0
  producer.on('client:broker:sasl:authentication:extended', () => {
    reauthenticated += 1
  })
  const first = lease.connection().token()
  const firstEnd = Number(lease.connection().credential.expiresAt)

  try {
    while (reauthenticated === 0 || Date.now() < firstEnd + 2_000) {
      if (Date.now() > firstEnd + 20_000) throw new Error('the producer never authenticated again')
      const messages = [{ topic: kafka.topic(created), key: 'hasty', value: '' }]
      await Promise.all(Array.from({ length: 5 }, () => producer.send({ messages })))
      await delay(20)
    }
    expect(await lease.connection().token()).not.toBe(first)
  } finally {
    await producer.close()
    lease.close()
  }

  expect(events.filter(({ type }) => type === 'renewed').length).toBeGreaterThan(0)
  expect(events.filter(({ type }) => type === 'renewal_failed')).toEqual([])
})

test('clients go on without Switchboard until their token ends, fail after it, and recover when it is back', async () => {
  const run = randomUUID()
  const events: LeaseEvent[] = []
  const lease = await open(principal, { produce: [created], consume: [created] }, events)
  const kafka = platformatic(lease.connection())
  const consumer = new Consumer({ ...kafka.consumer, retries: 120, deserializers: stringDeserializers })
  const producer = new Producer({ ...kafka.producer, ...impatient })
  const seen = new Set<string>()
  let sent = 0
  const closing: { close: () => Promise<void> }[] = [producer]
  let down = true
  const send = async (): Promise<string> => {
    const key = `${run}-${sent}`
    await producer.send({ messages: [{ topic: kafka.topic(created), key, value: key }] })
    sent += 1
    return key
  }
  const stream = await consumer.consume({ ...kafka.consume, topics: [kafka.topic(created)] })
  const reading = (async () => {
    for await (const { key } of stream) seen.add(key ?? 'a record of others, without a key')
  })()

  try {
    const first = await send()
    await until('the first record', () => seen.has(first))

    await stopFront(state)
    await expect(fetch(`${state.switchboard.url}/v1/health`)).rejects.toThrow()
    const end = Number(lease.connection().credential.expiresAt)
    expect(end - Date.now()).toBeGreaterThan(8_000)
    const stubborn = openStubborn(lease)
    closing.push(stubborn)
    await stubborn.send({ messages: [{ topic: kafka.topic(created), key: 'stubborn', value: '' }] })
    while (Date.now() < end - 4_000) {
      const key = await send()
      await until('a record during the outage', () => seen.has(key))
      await delay(250)
    }
    expect(sent).toBeGreaterThan(10)
    expect(events.some(({ type }) => type === 'renewal_failed')).toBe(true)
    expect(events.some(({ type }) => type === 'renewed')).toBe(false)

    await until('the end of the token', () => Date.now() > end + 1_000)
    await expect(
      stubborn.send({ messages: [{ topic: kafka.topic(created), key: 'stubborn', value: '' }] }),
    ).rejects.toThrow()
    await expect(Promise.resolve(lease.connection().token())).rejects.toMatchObject({ code: 'credential_ended' })
    expect(codesOf(await send().catch((error: unknown) => error))).toContain('credential_ended')

    await startFront(state)
    down = false
    await until('a renewal', () => events.some(({ type }) => type === 'renewed'))
    const back = await send()
    await until('a record after the outage', () => seen.has(back))
    expect([...seen].filter((key) => key.startsWith(run))).toHaveLength(sent)
  } finally {
    if (down) await startFront(state)
    stream.destroy()
    await reading.catch(() => {})
    await consumer.close(true)
    for (const client of closing) await client.close()
    lease.close()
  }
})
