import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { settingsOf, toDialect } from '../../shared/domain/client-dialect.ts'
import { builtInProfiles, type ClientRole, type Properties, propertyProblem } from '../../shared/domain/profile.ts'
import { type Client, startJavaClient, startLibrdkafkaClient } from './ask.ts'

type Row = { readonly name: string; readonly scope: string; readonly range: string; readonly type: string }

let java: Client
let librdkafka: Client
let table: readonly Row[]
const javaNames: Record<string, readonly string[]> = {}

const roles: readonly ClientRole[] = ['producer', 'consumer']
const scopes: Record<ClientRole, readonly string[]> = { producer: ['*', 'P'], consumer: ['*', 'C'] }
const namesOf = (role: ClientRole): readonly string[] =>
  table.filter(({ scope }) => scopes[role].includes(scope)).map(({ name }) => name)

beforeAll(async () => {
  java = await startJavaClient()
  librdkafka = await startLibrdkafkaClient()
  table = (await librdkafka.ask({ ask: 'table' })) as readonly Row[]
  for (const role of roles) javaNames[role] = (await java.ask({ ask: 'names', role })) as readonly string[]
})

afterAll(async () => {
  await java?.stop()
  await librdkafka?.stop()
})

/** Nobody listens there; a client is made all the same. */
const base: Record<ClientRole, Properties> = {
  producer: { 'bootstrap.servers': '127.0.0.1:1' },
  consumer: { 'bootstrap.servers': '127.0.0.1:1', 'group.id': 'orders' },
}

const makeJava = (role: ClientRole, properties: Properties): Promise<unknown> =>
  java.ask({ ask: 'construct', role, settings: { ...base[role], ...toDialect(properties, role, 'java') } })

const makeLibrdkafka = (role: ClientRole, properties: Properties): Promise<unknown> =>
  librdkafka.ask({ ask: 'construct', role, settings: { ...base[role], ...toDialect(properties, role, 'librdkafka') } })

describe("the clients' own definitions", () => {
  it.each(roles)('have every setting of a %s that we say they have', (role) => {
    expect(javaNames[role]).toEqual(expect.arrayContaining([...settingsOf(role, 'java')]))
    expect(namesOf(role)).toEqual(expect.arrayContaining([...settingsOf(role, 'librdkafka')]))
  })

  it.each(roles)('have no setting of a %s in Java that we do not know, but for what a profile may not say', (role) => {
    const ours = settingsOf(role, 'java')
    const missing = (javaNames[role] ?? []).filter((name) => !ours.has(name) && propertyProblem(name, '') === undefined)
    // of another kind of consumer, and of Kafka itself
    expect(missing.filter((name) => !/^(share|internal)\./.test(name))).toEqual([])
  })

  it.each(roles)('have what decides who a %s is, where it connects or what it loads among what is refused', (role) => {
    const telling =
      /sasl|ssl|https|security|(?<!re)bootstrap|broker\.list|\.id$|class|serializer|plugin|interceptor|_cb$|provider/
    const harmless = new Set(['broker.version.fallback', 'enabled_events'])
    const named = [...(javaNames[role] ?? []), ...namesOf(role)].filter(
      (name) => telling.test(name) && !harmless.has(name),
    )
    expect(named.length).toBeGreaterThan(100)
    const allowed = named.filter((name) => propertyProblem(name, 'x') === undefined)
    // pointers, which no text can set, are in no table either
    expect(
      allowed.filter((name) => settingsOf(role, 'librdkafka').has(name) || settingsOf(role, 'java').has(name)),
    ).toEqual([])
    expect(allowed.filter((name) => !/^(ssl_|opaque)/.test(name))).toEqual([])
  })
})

describe('built-in profiles', () => {
  it.each(builtInProfiles)(
    '$name of a $role is taken by both clients without a warning',
    async ({ role, properties }) => {
      expect(await makeJava(role, properties)).toEqual({})
      expect(await makeLibrdkafka(role, properties)).toEqual({ warnings: [] })
    },
  )

  it.each(builtInProfiles)('$name of a $role says nothing that Kafka does not call so', ({ role, properties }) => {
    expect(javaNames[role]).toEqual(expect.arrayContaining(Object.keys(properties)))
  })
})

describe('what a policy is warned of', () => {
  it.each<[string, Properties]>([
    ['fewer acknowledgements', { acks: 1 }],
    ['no retries', { retries: 0 }],
    ['more requests in flight', { 'max.in.flight.requests.per.connection': 6 }],
  ])('makes neither client beside idempotence: %s', async (_what, setting) => {
    const properties = { 'enable.idempotence': true, ...setting }
    expect(await makeJava('producer', properties)).toHaveProperty('error')
    expect(await makeLibrdkafka('producer', properties)).toHaveProperty('error')
  })
})

describe('a refused setting', () => {
  it('would be noticed here', async () => {
    const settings = { ...base.producer, 'no.such.setting': 1 }
    expect(await librdkafka.ask({ ask: 'construct', role: 'producer', settings })).toHaveProperty('error')
    expect(
      await librdkafka.ask({
        ask: 'construct',
        role: 'producer',
        settings: { ...base.producer, 'session.timeout.ms': 10_000 },
      }),
    ).toEqual({ warnings: [expect.stringContaining('is a consumer property')] })
    expect(
      await java.ask({ ask: 'construct', role: 'producer', settings: { ...base.producer, acks: 'many' } }),
    ).toHaveProperty('error', expect.stringContaining('acks'))
  })
})

/** Every name of either client that a policy's profile may say. */
const anyName = (role: ClientRole) =>
  fc
    .constantFrom(...new Set([...(javaNames[role] ?? []), ...namesOf(role)]))
    .filter((name) => propertyProblem(name, '') === undefined || name === 'partition.assignment.strategy')

const anyValue = fc.oneof(
  fc.constantFrom<string | number | boolean>(
    'all',
    'none',
    'NONE',
    'true',
    'False',
    '',
    ' ',
    '5',
    '-1',
    '1e3',
    'gzip',
    'earliest',
    'by_duration:PT1H',
  ),
  fc.constantFrom('range', 'org.apache.kafka.clients.consumer.StickyAssignor', 'sticky,cooperative-sticky, range'),
  fc.boolean(),
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  fc.string(),
)

describe('what a policy says', () => {
  it.each(roles)('reaches a librdkafka %s only with names and values that it takes', async (role) => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(anyName(role), anyValue, { maxKeys: 8 }), async (properties) => {
        const known = namesOf(role)
        for (const [name, value] of Object.entries(toDialect(properties, role, 'librdkafka'))) {
          expect(known).toContain(name)
          if (String(value).includes('\0')) continue
          expect(await librdkafka.ask({ ask: 'set', name, value: String(value) })).toEqual({})
        }
      }),
      { numRuns: 300 },
    )
  })

  it.each([
    ['a small fetch', 'consumer', { 'fetch.max.bytes': 1_000 }],
    ['a first backoff over the largest', 'consumer', { 'reconnect.backoff.ms': 20_000 }],
    ['a session longer than the time between polls', 'consumer', { 'session.timeout.ms': 400_000 }],
    [
      'a list of eager and cooperative assignors',
      'consumer',
      { 'partition.assignment.strategy': 'range,cooperative-sticky' },
    ],
    ['a duration to go back by', 'consumer', { 'auto.offset.reset': 'by_duration:PT1H' }],
    ['the new group protocol', 'consumer', { 'group.protocol': 'consumer' }],
    ['numbers as text', 'producer', { 'linger.ms': '20', acks: '-1', 'enable.idempotence': 'true' }],
    ['a compression level', 'producer', { 'compression.type': 'zstd', 'compression.zstd.level': 22 }],
    ['a little memory', 'producer', { 'buffer.memory': 1_048_576, 'max.request.size': 262_144 }],
    ['buffers of the system', 'producer', { 'send.buffer.bytes': -1, 'receive.buffer.bytes': -1 }],
  ] satisfies [string, ClientRole, Properties][])('makes both clients: %s', async (_what, role, properties) => {
    expect(await makeJava(role, properties)).toEqual({})
    expect(await makeLibrdkafka(role, properties)).toEqual({ warnings: [] })
  })
})
