import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileDirectory } from '../../shared/domain/directory.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { warnAboutPolicy } from '../../shared/domain/policy-warnings.ts'
import { aDirectory, aPolicy, now } from '../fixtures/policies.ts'
import { anyPattern, hasChannel, texts } from '../fixtures/small-universe.ts'

const warnings = (changes: Partial<Policy>): readonly string[] =>
  warnAboutPolicy(compileDirectory(aPolicy(changes), '').directory, now).map(
    ({ path, detail }) => `${path.join('.')}: ${detail}`,
  )

const route = (channel: string, labels?: Record<string, string>): Policy['routes'][number] => ({
  channel,
  cluster: 'main',
  topic: '{path}',
  shared: true,
  ...(labels === undefined ? {} : { when: { labels } }),
})

describe('routes that never decide', () => {
  test('a route behind one with all its channels is named with what stands before it', () => {
    expect(warnings({ routes: [route('kafka://acme/**'), route('kafka://acme/orders/*')] })).toEqual([
      'routes.1.channel: never decides: `routes[0]` (`kafka://acme/**`) comes first and takes all channels of `kafka://acme/orders/*`',
    ])
  })

  test('a `when` of its own makes no route reachable, and a `when` before it leaves it reachable', () => {
    const eu = { region: 'eu' }
    expect(warnings({ routes: [route('kafka://acme/**'), route('kafka://acme/a', eu)] })).toHaveLength(1)
    expect(warnings({ routes: [route('kafka://acme/**', eu), route('kafka://acme/a')] })).toEqual([])
    expect(
      warnings({ routes: [route('kafka://acme/**', eu), route('kafka://acme/a', { ...eu, env: 'x' })] }),
    ).toHaveLength(1)
    expect(warnings({ routes: [route('kafka://acme/**', eu), route('kafka://acme/a', { region: 'us' })] })).toEqual([])
  })

  /** One level deeper than any pattern of the small universe, so that `*` and `**` differ everywhere. */
  const pathsOf = (length: number): readonly string[] =>
    length === 0 ? [''] : pathsOf(length - 1).flatMap((head) => texts.map((text) => `${head}/${text}`))
  const deepChannels = [1, 2, 3, 4].flatMap(pathsOf).map((path) => `kafka://acme${path}`)
  const covers = (outer: string, inner: string): boolean =>
    deepChannels.every((channel) => !hasChannel(inner, channel) || hasChannel(outer, channel))

  const anyWhen = fc.dictionary(fc.constantFrom('x', 'y'), fc.constantFrom('1', '2'), {
    maxKeys: 2,
    noNullPrototype: true,
  })
  const acmePattern = anyPattern({ domain: fc.constant('acme') })

  test('exactly the routes with an earlier one over them are named', () => {
    const anyRoutes = fc.array(fc.tuple(acmePattern, anyWhen), { maxLength: 6 })
    fc.assert(
      fc.property(anyRoutes, (entries) => {
        const found = warnings({ routes: entries.map(([channel, when]) => route(channel, when)) }).map((line) =>
          Number(/^routes\.(\d+)\.channel: never/.exec(line)?.[1]),
        )
        const expected = entries.flatMap(([channel, when], at) =>
          entries
            .slice(0, at)
            .some(
              ([earlier, wider]) =>
                Object.entries(wider).every(([key, value]) => when[key] === value) && covers(earlier, channel),
            )
            ? [at]
            : [],
        )
        expect(found).toEqual(expected)
      }),
      { numRuns: 200 },
    )
  })

  test('exactly the granted patterns that share no channel with a route are named', () => {
    fc.assert(
      fc.property(fc.array(acmePattern, { maxLength: 3 }), acmePattern, (channels, granted) => {
        const found = warnings({
          routes: channels.map((channel) => route(channel)),
          grants: [{ principals: ['reader'], consume: [granted] }],
        }).filter((line) => line.startsWith('grants.0.consume.0: gives nothing: no route'))
        const isServed = deepChannels.some(
          (channel) => hasChannel(granted, channel) && channels.some((each) => hasChannel(each, channel)),
        )
        expect(found).toHaveLength(isServed ? 0 : 1)
      }),
      { numRuns: 200 },
    )
  })

  // INVARIANT: an apply of a large policy waits for brokers, never for its own checks
  test('100,000 routes and grants are checked in seconds, also when all carry one channel', () => {
    const count = 100_000
    const distinct = aDirectory({
      routes: Array.from({ length: count }, (_, at) => route(`kafka://acme/team-${at}/{event}`, { team: `t${at}` })),
      grants: Array.from({ length: count }, (_, at) => ({
        principals: [`p${at}`],
        consume: [`kafka://acme/team-${at}/*`],
      })),
    })
    const same = {
      ...distinct,
      grants: [],
      routes: distinct.routes.map((each) => ({ ...each, channel: distinct.routes[0]?.channel ?? each.channel })),
    }
    expect(warnAboutPolicy(distinct, now)).toEqual([])
    expect(warnAboutPolicy(same, now)).toEqual([])
    // one that compares each with each takes minutes, and is stopped
  }, 60_000)
})

describe('identity rules that never decide', () => {
  const login = { issuer: 'https://login.acme.com', audience: 'switchboard' }

  test.each<[string, Policy['identities']]>([
    ['the same rule twice', [login, login]],
    ['a condition behind none', [login, { ...login, claims: { env: 'prod' } }]],
    [
      'a value behind a list that has it',
      [
        { ...login, claims: { env: ['prod', 'test'] } },
        { ...login, claims: { env: 'prod' } },
      ],
    ],
    ['a client twice', [{ client: 'legacy' }, { client: 'legacy' }]],
    [
      'a role behind a pattern that has it',
      [{ awsRole: 'arn:aws:iam::111122223333:role/svc-*' }, { awsRole: 'arn:aws:iam::111122223333:role/svc-orders-*' }],
    ],
  ])('%s is named', (_, identities) => {
    expect(warnings({ identities })).toEqual([
      expect.stringMatching(/^identities\.1: never decides: `identities\[0\]`/),
    ])
  })

  test.each<[string, Policy['identities']]>([
    ['another audience', [login, { ...login, audience: 'other' }]],
    [
      'a wider list',
      [
        { ...login, claims: { env: 'prod' } },
        { ...login, claims: { env: ['prod', 'test'] } },
      ],
    ],
    [
      'an algorithm of its own',
      [
        { ...login, algorithms: ['RS256'] },
        { ...login, algorithms: ['RS256', 'ES256'] },
      ],
    ],
    [
      'a role of another account',
      [{ awsRole: 'arn:aws:iam::111122223333:role/svc' }, { awsRole: 'arn:aws:iam::444455556666:role/svc' }],
    ],
  ])('a rule with %s decides', (_, identities) => {
    expect(warnings({ identities })).toEqual([])
  })
})

test('a grant whose end has passed is named with that end', () => {
  const grant = { principals: ['reader'], consume: ['kafka://acme/a'] }
  expect(
    warnings({
      grants: [
        { ...grant, until: '2026-11-20' },
        { ...grant, until: '2026-11-21' },
      ],
    }),
  ).toEqual(['grants.0.until: gives nothing: it ended at `2026-11-21T00:00:00.000Z`'])
})

describe('settings that nobody is told', () => {
  const ofProfile = (role: 'producer' | 'consumer', properties: Record<string, string | number | boolean>) =>
    warnings({ profiles: { mine: { role, properties } } })

  test('a setting that no client has for the role is named', () => {
    expect(ofProfile('producer', { 'linger.mss': 5, 'fetch.min.bytes': 1, acks: 'all' })).toEqual([
      "profiles.mine.properties.linger.mss: no client is told: neither Java's nor librdkafka has it for a producer",
      "profiles.mine.properties.fetch.min.bytes: no client is told: neither Java's nor librdkafka has it for a producer",
    ])
  })

  test('a setting that one of the clients has is fine', () => {
    expect(
      ofProfile('producer', { 'max.block.ms': 1_000, 'statistics.interval.ms': 1_000, 'buffer.memory': 1 }),
    ).toEqual([])
    expect(ofProfile('consumer', { 'auto.offset.reset': 'none', 'fetch.max.wait.ms': 5 })).toEqual([])
  })

  test('a value that librdkafka does not take is named', () => {
    expect(ofProfile('producer', { acks: '2', 'linger.ms': 'soon' })).toEqual([
      'profiles.mine.properties.acks: clients of librdkafka are not told: they take no `2` for it',
      'profiles.mine.properties.linger.ms: clients of librdkafka are not told: they take no `soon` for it',
    ])
  })

  test('a producer that neither client starts is named', () => {
    const idempotent = { 'enable.idempotence': 'true' }
    expect(
      ofProfile('producer', { ...idempotent, acks: 1, retries: 0, 'max.in.flight.requests.per.connection': 6 }),
    ).toEqual([
      'profiles.mine.properties.acks: no producer starts with `1` beside `enable.idempotence`; allowed: `all`',
      'profiles.mine.properties.retries: no producer starts with `0` beside `enable.idempotence`; allowed: more than `0`',
      'profiles.mine.properties.max.in.flight.requests.per.connection: no producer starts with `6` beside `enable.idempotence`; allowed: up to `5`',
    ])
    expect(ofProfile('producer', { ...idempotent, acks: '-1', retries: 1 })).toEqual([])
    expect(ofProfile('producer', { 'enable.idempotence': false, acks: 1 })).toEqual([])
  })

  test('the built-in profiles are no business of the policy', () => {
    expect(warnings({})).toEqual([])
  })
})
