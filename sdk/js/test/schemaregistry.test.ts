import { inspect } from 'node:util'
import { RestError, SchemaRegistryClient } from '@confluentinc/schemaregistry'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Lease } from '../src/lease.ts'
import { openLease } from '../src/open-lease.ts'
import { schemaRegistry } from '../src/schemaregistry.ts'
import { anAnswer, created } from './answers.ts'
import { createManualClock, type ManualClock, until } from './manual-clock.ts'
import { type SimulatedRegistry, startSimulatedRegistry } from './simulated-registry.ts'
import { problem, type SimulatedSwitchboard, startSimulatedSwitchboard } from './simulated-switchboard.ts'

// A real client of schema registries, against one that remembers what it was sent.

const schema = { schemaType: 'AVRO', schema: '{"type":"record","name":"Order","fields":[]}' }

let clock: ManualClock
let switchboard: SimulatedSwitchboard
let registry: SimulatedRegistry
let lease: Lease | undefined

const later = (seconds: number): string => new Date(clock.now().getTime() + seconds * 1000).toISOString()
const withToken = (token: string, lifeSeconds = 600) =>
  anAnswer(clock.now(), {
    token: 'kafka-token',
    lifeSeconds,
    schemaRegistry: {
      url: registry.url,
      logicalCluster: 'lsrc-local',
      identityPoolId: 'pool-1',
      credential: { kind: 'jwt', token, expiresAt: later(lifeSeconds) },
    },
  })
const withPassword = (password: string, username = 'orders-api') =>
  anAnswer(clock.now(), {
    schemaRegistry: { url: `${registry.url}/`, credential: { kind: 'basic', username, password } },
  })
const basic = (password: string, username = 'orders-api'): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

const open = async (): Promise<Lease> => {
  lease = await openLease({
    url: switchboard.url,
    token: 'workload.token.secret',
    intent: { produce: [created] },
    instance: 'pod-1',
    clock,
    random: () => 0.5,
  })
  return lease
}

beforeEach(async () => {
  clock = createManualClock()
  registry = await startSimulatedRegistry()
  switchboard = await startSimulatedSwitchboard(clock.now, () => problem(503, 'unavailable'))
})

afterEach(async () => {
  lease?.close()
  await switchboard.close()
  await registry.close()
})

describe('a schema registry that takes tokens', () => {
  test('is told the token of now, for which registry and as which pool', async () => {
    switchboard.follow(() => withToken('registry-token-1'))
    const client = SchemaRegistryClient.newClient({ ...schemaRegistry((await open()).connection()), maxRetries: 0 })
    registry.take('Bearer registry-token-1')
    const id = await client.register('orders.created-value', schema, false)
    expect(await client.getBySubjectAndId('orders.created-value', id)).toMatchObject({ schema: schema.schema })

    switchboard.follow(() => withToken('registry-token-2'))
    clock.next()
    await until(() => lease?.connection().schemaRegistry?.token() === 'registry-token-2', 'the second token')
    registry.take('Bearer registry-token-2')
    expect(await client.getAllSubjects()).toEqual(['orders.created-value'])
    expect(new Set(registry.sent)).toEqual(
      new Set(['Bearer registry-token-1,lsrc-local,pool-1', 'Bearer registry-token-2,lsrc-local,pool-1']),
    )
  })

  test('gets no token that is over', async () => {
    switchboard.follow(() => withToken('registry-token-1'))
    const client = SchemaRegistryClient.newClient({ ...schemaRegistry((await open()).connection()), maxRetries: 0 })
    registry.take('Bearer registry-token-1')
    await client.getAllSubjects()
    switchboard.follow(() => problem(503, 'unavailable'))
    clock.advance(700_000)
    const asked = registry.sent.length
    await expect(client.getAllSubjects()).rejects.toMatchObject({ code: 'credential_ended', retryable: true })
    expect(registry.sent).toHaveLength(asked)
  })

  test('bounds the life of a lease whose clusters hand out stored credentials', async () => {
    switchboard.follow(() =>
      anAnswer(clock.now(), {
        properties: { 'bootstrap.servers': 'k:1', 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'SCRAM-SHA-512' },
        credential: { kind: 'scram', mechanism: 'SCRAM-SHA-512', username: 'u@a', password: 'p', slot: 'a' },
        schemaRegistry: {
          url: registry.url,
          logicalCluster: 'lsrc-local',
          identityPoolId: 'pool-1',
          credential: { kind: 'jwt', token: 'registry-token-1', expiresAt: later(100) },
        },
      }),
    )
    await open()
    const asked = switchboard.requests.length
    const start = clock.now().getTime()
    clock.next()
    expect(clock.now().getTime() - start).toBeLessThan(100_000)
    await until(() => switchboard.requests.length > asked, 'a renewal')
    expect(switchboard.requests.at(-1)?.headers['if-none-match']).toBeUndefined()
  })
})

describe('a schema registry that takes a password', () => {
  test('is told the password of now', async () => {
    switchboard.follow(() => withPassword('first'))
    const client = SchemaRegistryClient.newClient({ ...schemaRegistry((await open()).connection()), maxRetries: 0 })
    registry.take(basic('first'))
    expect(await client.getAllSubjects()).toEqual(['orders.created-value'])
    switchboard.follow(() => withPassword('second'))
    clock.next()
    await until(() => lease?.connection().schemaRegistry?.password() === 'second', 'the second password')
    registry.take(basic('second'))
    expect(await client.getAllSubjects()).toEqual(['orders.created-value'])
    registry.take(basic('third'))
    await expect(client.getAllSubjects()).rejects.toThrow(RestError)
  })

  test('is told the user of now with it, as an API key changes with its secret', async () => {
    switchboard.follow(() => withPassword('first', 'KEY1'))
    const client = SchemaRegistryClient.newClient({ ...schemaRegistry((await open()).connection()), maxRetries: 0 })
    switchboard.follow(() => withPassword('second', 'KEY2'))
    clock.next()
    await until(() => lease?.connection().schemaRegistry?.password() === 'second', 'the second key')
    registry.take(basic('second', 'KEY2'))
    expect(await client.getAllSubjects()).toEqual(['orders.created-value'])
  })
})

describe('a lease', () => {
  test('without a registry says that a grant is missing', async () => {
    switchboard.follow(() => anAnswer(clock.now()))
    const connection = (await open()).connection()
    expect(connection.schemaRegistry).toBeUndefined()
    expect(() => schemaRegistry(connection)).toThrow('expected a grant with `schemas`')
  })

  test.each([
    { member: 'url', schemaRegistry: { credential: { kind: 'basic', username: 'u', password: 'p' } } },
    { member: 'url', schemaRegistry: { url: 'ftp://x', credential: { kind: 'basic', username: 'u', password: 'p' } } },
    { member: 'credential', schemaRegistry: { url: 'https://registry.acme.com' } },
    {
      member: 'credential/password',
      schemaRegistry: { url: 'https://registry.acme.com', credential: { kind: 'basic', username: 'u' } },
    },
    {
      member: 'logicalCluster',
      schemaRegistry: {
        url: 'https://registry.acme.com',
        logicalCluster: 'lsrc\r\nx: y',
        credential: { kind: 'basic', username: 'u', password: 'p' },
      },
    },
  ])('takes no registry without its $member', async ({ member, schemaRegistry: value }) => {
    switchboard.follow(() => anAnswer(clock.now(), { schemaRegistry: value }))
    await expect(open()).rejects.toThrow(`malformed answer at \`/connections/0/schemaRegistry/${member}\``)
  })

  test('shows no token and no password to whoever prints it', async () => {
    for (const reply of [withToken('registry-token-1'), withPassword('first-password')]) {
      switchboard.follow(() => reply)
      const connection = (await open()).connection()
      const printed = inspect([connection, schemaRegistry(connection)], { depth: 9 })
      expect(printed).not.toMatch(/registry-token-1|first-password/)
      expect(JSON.stringify([connection, schemaRegistry(connection)])).not.toMatch(/registry-token-1|first-password/)
      lease?.close()
    }
  })
})
