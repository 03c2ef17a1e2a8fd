import { inspect } from 'node:util'
import { Admin, Producer, stringSerializers } from '@platformatic/kafka'
import { Kafka } from 'kafkajs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { kafkajs } from '../src/kafkajs.ts'
import { keepClient } from '../src/keep-client.ts'
import type { Connection, Lease, LeaseEvent, LeaseOptions, SecretReference } from '../src/lease.ts'
import { openLease } from '../src/open-lease.ts'
import { platformatic } from '../src/platformatic.ts'
import { aConnection, anAnswer, created } from './answers.ts'
import { createManualClock, type ManualClock, until } from './manual-clock.ts'
import {
  problem,
  type SimulatedReply,
  type SimulatedSwitchboard,
  startSimulatedSwitchboard,
} from './simulated-switchboard.ts'

let clock: ManualClock
let switchboard: SimulatedSwitchboard
let events: LeaseEvent[]
let lease: Lease

const inSlot = (slot: 'a' | 'b', members: Readonly<Record<string, unknown>> = {}) => {
  const { properties, ...connection } = aConnection(clock.now())
  return {
    ...connection,
    properties: { ...properties, 'sasl.mechanism': 'SCRAM-SHA-512' },
    credential: {
      kind: 'scram',
      mechanism: 'SCRAM-SHA-512',
      username: `sb.orders-api@${slot}`,
      password: `kafka-password-${slot}`,
      slot,
    },
    ...members,
  }
}
const answerIn = (slot: 'a' | 'b'): SimulatedReply =>
  anAnswer(clock.now(), { connections: [inSlot(slot)], etag: `"${slot}"` })

beforeEach(async () => {
  clock = createManualClock()
  events = []
  switchboard = await startSimulatedSwitchboard(clock.now, () => answerIn('a'))
  lease = await openLease({
    url: switchboard.url,
    token: 'workload.token.secret',
    intent: { produce: [created] },
    instance: 'pod-1',
    clock,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
  })
})

afterEach(async () => {
  lease.close()
  await switchboard.close()
})

const bodies = () => switchboard.requests.map(({ body }) => body.moved)
const countOf = (type: LeaseEvent['type']): number => events.filter((event) => event.type === type).length

/** What Switchboard does when a credential rotates: the next renewal has the other slot. */
const rotate = async (slot: 'a' | 'b'): Promise<void> => {
  const renewed = countOf('renewed')
  switchboard.follow(() => answerIn(slot))
  clock.next()
  await until(() => countOf('renewed') > renewed, 'a renewal')
}

describe('a stored credential', () => {
  test('is the same for the life of a connection, whatever the lease has by now', async () => {
    const first = lease.connection()
    expect(first.credential).toEqual({
      kind: 'scram',
      mechanism: 'SCRAM-SHA-512',
      username: 'sb.orders-api@a',
      slot: 'a',
    })
    expect(first.password()).toBe('kafka-password-a')
    await rotate('b')
    expect(first.password()).toBe('kafka-password-a')
    expect(lease.connection().password()).toBe('kafka-password-b')
  })

  test('is no token, and says so', () => {
    expect(() => lease.connection().token()).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringContaining('`password`') }),
    )
  })

  test('does not end, so that only `refreshAfter` says when to renew', async () => {
    switchboard.follow(() => ({ status: 304 }))
    clock.next()
    await until(() => countOf('renewed') === 1, 'a renewal')
    expect(switchboard.requests.at(-1)?.headers['if-none-match']).toBe('"a"')
    expect(countOf('replaced')).toBe(0)
  })

  test('is what the clients log in with', async () => {
    const { sasl } = platformatic(lease.connection()).client
    expect(sasl).toMatchObject({ mechanism: 'SCRAM-SHA-512', username: 'sb.orders-api@a' })
    expect(typeof sasl?.password === 'function' && sasl.password()).toBe('kafka-password-a')
    const other = kafkajs(lease.connection()).client.sasl as { readonly password?: string }
    expect(other).toMatchObject({ mechanism: 'scram-sha-512', username: 'sb.orders-api@a' })
    expect(other.password).toBe('kafka-password-a')
  })

  test('is taken by the clients as it is', async () => {
    const kafka = platformatic(lease.connection())
    for (const client of [
      new Admin({ ...kafka.client, strict: true }),
      new Producer({ ...kafka.producer, strict: true, serializers: stringSerializers }),
    ])
      await client.close()
    expect(() => new Kafka(kafkajs(lease.connection()).client).producer()).not.toThrow()
  })

  test('is in nothing that is printed', async () => {
    await rotate('b')
    const connection = lease.connection()
    const settings = [platformatic(connection).client, kafkajs(connection).client]
    for (const value of [lease, connection, events, ...settings])
      expect(`${inspect(value, { depth: 9 })} ${JSON.stringify(value)}`).not.toContain('kafka-password')
  })

  test.each([
    ['an unknown mechanism', { mechanism: 'SCRAM-SHA-1' }, 'unsupported'],
    ['no password', { password: undefined }, 'malformed_answer'],
    ['no user', { username: '' }, 'malformed_answer'],
    ['no slot', { slot: undefined }, 'malformed_answer'],
  ])('with %s is refused', async (_, changes, code) => {
    const connection = inSlot('a')
    switchboard.follow(() =>
      anAnswer(clock.now(), { connections: [{ ...connection, credential: { ...connection.credential, ...changes } }] }),
    )
    clock.next()
    await until(() => countOf('renewal_failed') === 1, 'a refusal')
    const [failed] = events.flatMap((event) => (event.type === 'renewal_failed' ? [event.error] : []))
    expect(failed).toMatchObject({ code })
    expect(String(failed)).not.toContain('kafka-password')
  })
})

describe('a stored credential that is handed out as a reference', () => {
  const arn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:switchboard/credentials/payments/orders-api-AbCdEf'
  const referenceTo = (slot: 'a' | 'b', versionId: string): SimulatedReply => {
    const { credential, ...connection } = inSlot(slot)
    const { password: _, ...user } = credential
    return anAnswer(clock.now(), {
      connections: [{ ...connection, credential: { ...user, kind: 'reference', arn, versionId } }],
    })
  }
  const bothSlots = JSON.stringify({
    a: { generation: 1, username: 'sb.orders-api@a', password: 'kafka-password-a' },
    b: { generation: 1, username: 'sb.orders-api@b', password: 'kafka-password-b' },
  })
  const oneUser = JSON.stringify({ username: 'sb.orders-api@a', password: 'kafka-password-a' })

  let asked: SecretReference[]
  let read: () => Promise<string>
  const opened = (options: Partial<LeaseOptions> = {}) =>
    openLease({
      url: switchboard.url,
      token: 'workload.token.secret',
      intent: { produce: [created] },
      clock,
      random: () => 0.5,
      onEvent: (event) => events.push(event),
      readSecret: (secret) => {
        asked.push(secret)
        return read()
      },
      ...options,
    })

  beforeEach(() => {
    lease.close()
    asked = []
    read = async () => bothSlots
    switchboard.follow(() => referenceTo('a', 'v1'))
  })

  test.each([
    ['in a secret of both slots', bothSlots],
    ['in a secret of its own, as on MSK', oneUser],
  ])('is read with the rights of the workload, %s', async (_, text) => {
    read = async () => text
    lease = await opened()
    const connection = lease.connection()
    expect(connection.credential).toEqual({
      kind: 'scram',
      mechanism: 'SCRAM-SHA-512',
      username: 'sb.orders-api@a',
      slot: 'a',
    })
    expect(connection.password()).toBe('kafka-password-a')
    expect(asked).toEqual([{ arn, versionId: 'v1' }])
  })

  test('is read once for each version, and moves as any other', async () => {
    lease = await opened()
    const release = lease.hold(lease.connection())
    clock.next()
    await until(() => countOf('renewed') === 1, 'a renewal')
    expect(asked).toHaveLength(1)
    switchboard.follow(() => referenceTo('b', 'v2'))
    clock.next()
    await until(() => countOf('renewed') === 2, 'a renewal')
    expect(countOf('replaced')).toBe(1)
    expect(lease.connection().password()).toBe('kafka-password-b')
    release()
    await until(() => bodies().at(-1) !== undefined, 'the word that it moved')
    expect(bodies().at(-1)).toEqual({ payments: 'b' })
  })

  test('stays as it is while the next one cannot be read', async () => {
    lease = await opened()
    switchboard.follow(() => referenceTo('b', 'v2'))
    read = () => Promise.reject(Object.assign(new Error('no rights'), { name: 'AccessDeniedException' }))
    clock.next()
    await until(() => countOf('renewal_failed') === 1, 'a failure')
    expect(lease.connection().password()).toBe('kafka-password-a')
    expect(countOf('replaced')).toBe(0)
    expect(events.at(-1)).toMatchObject({
      error: { code: 'secret_unavailable', retryable: true, message: expect.stringContaining('AccessDeniedException') },
    })
    read = async () => bothSlots
    clock.next()
    await until(() => countOf('replaced') === 1, 'the next one')
    expect(lease.connection().password()).toBe('kafka-password-b')
  })

  test('is waited for no longer than for an answer', async () => {
    read = () => new Promise(() => {})
    const opening = opened({ startTimeoutMs: 1 })
    await until(() => asked.length === 1, 'the question')
    clock.advance(3_000)
    await expect(opening).rejects.toMatchObject({ code: 'start_timeout', cause: { code: 'secret_unavailable' } })
  })

  test.each([
    ['no JSON', 'kafka-password-a'],
    ['of somebody else', JSON.stringify({ username: 'sb.billing@a', password: 'kafka-password-a' })],
    ['without the slot', JSON.stringify({ b: { username: 'sb.orders-api@b', password: 'kafka-password-b' } })],
    ['without a password', JSON.stringify({ a: { username: 'sb.orders-api@a', password: '' } })],
    ['empty', ''],
  ])('is refused when the secret is %s, and nothing of it is told', async (_, text) => {
    read = async () => text
    const error = await opened().catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'secret_unavailable', retryable: false })
    expect(inspect(error, { depth: 9 })).not.toContain('kafka-password')
  })

  test("is the program's own to read when it gives no way to", async () => {
    switchboard.follow(() => referenceTo('a', 'v1'))
    lease = await openLease({
      url: switchboard.url,
      token: 'workload.token.secret',
      intent: { produce: [created] },
      clock,
    })
    const connection = lease.connection()
    expect(connection.credential).toEqual({
      kind: 'reference',
      mechanism: 'SCRAM-SHA-512',
      arn,
      versionId: 'v1',
      username: 'sb.orders-api@a',
      slot: 'a',
    })
    const refused = expect.objectContaining({
      code: 'unsupported',
      message: expect.stringContaining('the option `readSecret`'),
    })
    expect(() => connection.password()).toThrow(refused)
    expect(() => connection.token()).toThrow(expect.objectContaining({ code: 'unsupported' }))
    expect(() => kafkajs(connection).client.sasl).not.toThrow()
  })

  test.each([
    ['no ARN', { arn: '' }],
    ['no version', { versionId: undefined }],
  ])('with %s is no answer', async (_, changes) => {
    const { body, ...reply } = referenceTo('a', 'v1')
    const answer = body as { connections: [{ credential: object }] }
    const [connection] = answer.connections
    const connections = [{ ...connection, credential: { ...connection.credential, ...changes } }]
    switchboard.follow(() => ({ ...reply, body: { ...answer, connections } }))
    await expect(opened()).rejects.toMatchObject({ code: 'malformed_answer' })
  })
})

describe('moving to the next slot', () => {
  test('is told once when no client holds the one before any more', async () => {
    const releases = [lease.hold(lease.connection()), lease.hold(lease.connection())]
    await rotate('b')
    expect(events.at(-1)).toEqual({ type: 'replaced', cluster: 'payments' })
    lease.hold(lease.connection())
    releases[0]?.()
    releases[0]?.()
    await rotate('b')
    expect(bodies().filter(Boolean)).toEqual([])
    releases[1]?.()
    await until(() => countOf('renewed') === 3, 'the renewal that says it')
    expect(bodies().at(-1)).toEqual({ payments: 'b' })
    await rotate('b')
    expect(bodies().filter(Boolean)).toHaveLength(1)
  })

  test('is told again after a failure', async () => {
    const release = lease.hold(lease.connection())
    await rotate('b')
    switchboard.follow(() => problem(503, 'unavailable'))
    release()
    await until(() => countOf('renewal_failed') === 1, 'a failure')
    await rotate('b')
    expect(bodies().slice(-2)).toEqual([{ payments: 'b' }, { payments: 'b' }])
  })

  test('is not told for clients that nobody holds: nobody knows whether they moved', async () => {
    await rotate('b')
    await rotate('b')
    expect(bodies().filter(Boolean)).toEqual([])
  })

  test('is nothing that a new lease has to know', async () => {
    const release = lease.hold(lease.connection())
    await rotate('b')
    switchboard.follow(({ body }) => (body.lease === undefined ? answerIn('b') : problem(404, 'not_found')))
    clock.next()
    await until(() => countOf('renewed') === 2, 'a new lease')
    release()
    await rotate('b')
    expect(bodies().filter(Boolean)).toEqual([])
  })
})

describe('a kept client', () => {
  type Fake = { readonly slot: string; isOpen: boolean }
  let log: string[]
  let failing: number
  let closing: Promise<void> | undefined

  const slotOf = ({ credential }: Connection): string => (credential.kind === 'scram' ? credential.slot : 'none')
  const keep = (errors: unknown[] = []) => {
    log = []
    failing = 0
    closing = undefined
    return keepClient<Fake>(lease, {
      open: async (connection) => {
        if (failing-- > 0) throw new Error('no broker')
        log.push(`open ${slotOf(connection)}`)
        return { slot: slotOf(connection), isOpen: true }
      },
      close: async (client) => {
        log.push(`close ${client.slot}`)
        await closing
        client.isOpen = false
      },
      closeTimeoutMs: 100,
      onError: (error) => errors.push(error),
      clock,
      random: () => 0.5,
    })
  }

  test('is made before the one before it is closed, and then Switchboard is told', async () => {
    const kept = await keep()
    const first = kept.current()
    await rotate('b')
    await until(() => bodies().at(-1) !== undefined, 'the word that it moved')
    expect(bodies().at(-1)).toEqual({ payments: 'b' })
    expect(log).toEqual(['open a', 'open b', 'close a'])
    expect([first.isOpen, kept.current()]).toEqual([false, { slot: 'b', isOpen: true }])
    await kept.close()
    await kept.close()
    expect(log).toEqual(['open a', 'open b', 'close a', 'close b'])
  })

  test('is not closed before what uses it has ended, while the next one is used already', async () => {
    const kept = await keep()
    const { promise: sent, resolve: acknowledge } = Promise.withResolvers<void>()
    const using = kept.use(async (client) => {
      await sent
      return client.isOpen
    })
    await rotate('b')
    await until(() => log.includes('open b'), 'the next client')
    expect(await kept.use(({ slot }) => slot)).toBe('b')
    expect(log).toEqual(['open a', 'open b'])
    acknowledge()
    expect(await using).toBe(true)
    await until(() => log.includes('close a'), 'the end of the one before')
    await expect(kept.use(() => Promise.reject(new Error('no broker')))).rejects.toThrow('no broker')
    await kept.close()
  })

  test('that does not come back from its close counts as closed after a while, and Switchboard is told', async () => {
    const errors: unknown[] = []
    const kept = await keep(errors)
    closing = new Promise(() => {})
    await rotate('b')
    await until(() => log.includes('close a'), 'the end of the one before')
    clock.advance(99)
    expect(errors).toEqual([])
    clock.advance(1)
    await until(() => errors.length === 1, 'the end of patience')
    expect(errors).toEqual([
      expect.objectContaining({ code: 'close_timeout', message: expect.stringContaining('100 ms') }),
    ])
    await until(() => bodies().at(-1) !== undefined, 'the word that it moved')
    expect(bodies().at(-1)).toEqual({ payments: 'b' })
    closing = undefined
    await kept.close()
  })

  test('stays when the next one cannot be made, until it can', async () => {
    const errors: unknown[] = []
    const kept = await keep(errors)
    failing = 1
    await rotate('b')
    await until(() => errors.length === 1, 'a failure')
    expect(kept.current()).toEqual({ slot: 'a', isOpen: true })
    expect(bodies().filter(Boolean)).toEqual([])
    clock.next()
    await until(() => log.includes('close a'), 'the next client')
    expect(kept.current().slot).toBe('b')
    await kept.close()
  })

  test('of which there are several in a process moves with all of them', async () => {
    const [one, two] = [await keep(), await keep()]
    await rotate('b')
    await until(() => log.filter((line) => line === 'close a').length === 2, 'both')
    await until(() => bodies().at(-1) !== undefined, 'the word that they moved')
    expect(bodies().filter(Boolean)).toEqual([{ payments: 'b' }])
    await one.close()
    await two.close()
  })

  test('that was closed is not made anew', async () => {
    const kept = await keep()
    await kept.close()
    await rotate('b')
    expect(log).toEqual(['open a', 'close a'])
  })

  test('that cannot be made at first is an error, and nothing is held', async () => {
    const opened = keepClient(lease, { open: () => Promise.reject(new Error('no broker')), close: () => {} })
    await expect(opened).rejects.toThrow('no broker')
    await rotate('b')
    await until(() => bodies().at(-1) !== undefined || countOf('renewed') > 1, 'the word that nobody is there')
    expect(bodies().at(-1)).toEqual({ payments: 'b' })
  })
})

describe('an API key', () => {
  const arn =
    'arn:aws:secretsmanager:eu-west-1:111122223333:secret:switchboard/credentials/cloud/orders-api/slot-a-AbCdEf'
  const inKey = (slot: 'a' | 'b', credential: Readonly<Record<string, unknown>>): SimulatedReply => {
    const { properties, ...connection } = inSlot(slot)
    return anAnswer(clock.now(), {
      connections: [
        {
          ...connection,
          properties: { ...properties, 'sasl.mechanism': 'PLAIN' },
          credential: { ...credential, slot },
        },
      ],
      etag: `"${slot}"`,
    })
  }
  const byValue = (slot: 'a' | 'b') =>
    inKey(slot, { kind: 'api-key', mechanism: 'PLAIN', username: `KEY-${slot}`, password: `its-secret-${slot}` })
  const byReference = (slot: 'a' | 'b', versionId: string) =>
    inKey(slot, { kind: 'reference', mechanism: 'PLAIN', arn, versionId })
  const opened = (options: Partial<LeaseOptions> = {}) =>
    openLease({
      url: switchboard.url,
      token: 'workload.token.secret',
      intent: { produce: [created] },
      clock,
      random: () => 0.5,
      onEvent: (event) => events.push(event),
      ...options,
    })

  beforeEach(() => lease.close())

  test('is what the clients log in with by SASL/PLAIN, and is printed nowhere', async () => {
    switchboard.follow(() => byValue('a'))
    lease = await opened()
    const connection = lease.connection()
    expect(connection.credential).toEqual({ kind: 'api-key', mechanism: 'PLAIN', username: 'KEY-a', slot: 'a' })
    const { sasl } = platformatic(connection).client
    expect(sasl).toMatchObject({ mechanism: 'PLAIN', username: 'KEY-a' })
    expect(typeof sasl?.password === 'function' && sasl.password()).toBe('its-secret-a')
    const other = kafkajs(connection).client.sasl as { readonly password?: string }
    expect(other).toMatchObject({ mechanism: 'plain', username: 'KEY-a' })
    expect(other.password).toBe('its-secret-a')
    expect(
      inspect([lease, connection, platformatic(connection).client, kafkajs(connection).client], { depth: 9 }),
    ).not.toContain('its-secret')
  })

  test('moves to its next slot as a user does', async () => {
    switchboard.follow(() => byValue('a'))
    lease = await opened()
    switchboard.follow(() => byValue('b'))
    clock.next()
    await until(() => countOf('replaced') === 1, 'the next one')
    expect(lease.connection().password()).toBe('its-secret-b')
  })

  test('that is a reference has its name in the secret, and another version is another key', async () => {
    const read = async ({ versionId }: SecretReference) =>
      JSON.stringify({ apiKey: `KEY-${versionId}`, apiSecret: 'its-secret', serviceAccountId: 'sa-1' })
    switchboard.follow(() => byReference('a', 'v1'))
    lease = await opened({ readSecret: read })
    expect(lease.connection().credential).toEqual({
      kind: 'api-key',
      mechanism: 'PLAIN',
      username: 'KEY-v1',
      slot: 'a',
    })
    lease.close()
    lease = await opened()
    expect(lease.connection().credential).toEqual({
      kind: 'reference',
      mechanism: 'PLAIN',
      arn,
      versionId: 'v1',
      slot: 'a',
    })
    events.length = 0
    switchboard.follow(() => byReference('a', 'v2'))
    clock.next()
    await until(() => countOf('replaced') === 1, 'another key')
  })

  test.each([
    [
      'a mechanism that it is not',
      () => inKey('a', { kind: 'api-key', mechanism: 'SCRAM-SHA-512', username: 'u', password: 'p' }),
      {},
    ],
    [
      'a secret without it',
      () => byReference('a', 'v1'),
      { readSecret: async () => '{"username":"u","password":"its-secret"}' },
    ],
  ])('is refused with %s', async (_, answer, options) => {
    switchboard.follow(answer)
    const error = await opened(options).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: expect.stringMatching(/unsupported|secret_unavailable/) })
    expect(inspect(error, { depth: 9 })).not.toContain('its-secret')
  })
})
