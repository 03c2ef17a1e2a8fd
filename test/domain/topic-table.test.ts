import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { computeAccess } from '../../shared/domain/access.ts'
import { decide } from '../../shared/domain/decide.ts'
import { compileDirectory } from '../../shared/domain/directory.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { topicsOfTwoChannels } from '../../shared/domain/policy-checks.ts'
import { warnAboutPolicy } from '../../shared/domain/policy-warnings.ts'
import { aDirectory, anIntent, aPolicy, aPrincipal, now } from '../fixtures/policies.ts'
import { texts } from '../fixtures/small-universe.ts'

const table: Policy['routes'][number] = {
  channel: 'kafka://acme/orders/{event}',
  cluster: 'main',
  topics: { created: 'orders.created.v3', shipped: 'orders.shipped.v1' },
}
const everything: Policy['routes'][number] = { channel: 'kafka://acme/**', cluster: 'main', topic: 'all.{**}' }
const grants = [{ principals: ['reader'], consume: ['kafka://acme/**'] }]
const reader = aPrincipal('reader')

const ask = (routes: Policy['routes'], channel: string) =>
  decide(reader, anIntent({ consume: [channel] }), {
    directory: aDirectory({ routes, grants }),
    denied: [],
    now,
    jitter: 0.5,
  })

const topics = (routes: Policy['routes'], channel: string): readonly string[] | string => {
  const decision = ask(routes, channel)
  return decision.outcome === 'deny'
    ? decision.reason
    : decision.connections.flatMap(({ admissions }) =>
        admissions.map((admission) => (admission.kind === 'channel' ? admission.topic : admission.expression)),
      )
}

describe('a lookup table', () => {
  test('leads a channel to the topic of its entry', () => {
    expect(topics([table], 'kafka://acme/orders/created')).toEqual(['orders.created.v3'])
  })

  test('refuses a channel without an entry, whatever later routes say', () => {
    expect(topics([table, everything], 'kafka://acme/orders/lost')).toBe('no_topic')
    expect(topics([table, everything], 'kafka://acme/other')).toEqual(['all.other'])
  })

  test('answers a pattern with the topics of its entries', () => {
    expect(topics([table], 'kafka://acme/orders/*')).toEqual(['orders\\.created\\.v3', 'orders\\.shipped\\.v1'])
  })

  test('and a route behind it that share a pattern ask for a narrower one', () => {
    expect(topics([table, everything], 'kafka://acme/**')).toBe('pattern_split')
    expect(topics([table, everything], 'kafka://acme/orders/*')).toEqual([
      'orders\\.created\\.v3',
      'orders\\.shipped\\.v1',
    ])
  })

  test('behind a route that takes one entry has the others', () => {
    const earlier = { channel: 'kafka://acme/orders/created', cluster: 'main', topic: 'special' }
    expect(topics([earlier, table], 'kafka://acme/orders/created')).toEqual(['special'])
    expect(topics([earlier, table], 'kafka://acme/orders/shipped')).toEqual(['orders.shipped.v1'])
  })

  test('gives access to its topics alone, whatever topics there are', () => {
    const seen = new Set(['orders.created.v3', 'orders.lost', 'orders.v9', 'no topic'])
    const acls = computeAccess(aDirectory({ routes: [table], grants }), 'main', reader, seen, now)
    expect(acls.filter(({ resource }) => resource === 'topic')).toEqual([
      { resource: 'topic', pattern: 'literal', operation: 'read', name: 'orders.created.v3' },
      { resource: 'topic', pattern: 'literal', operation: 'read', name: 'orders.shipped.v1' },
    ])
  })

  const issues = (changes: Partial<Policy['routes'][number]>): readonly string[] => {
    const policy = aPolicy({ routes: [{ ...table, ...changes }] })
    const compiled = compileDirectory(policy, '')
    return [...compiled.issues, ...topicsOfTwoChannels(policy, compiled.directory)].map(
      ({ path, detail }) => `${path.join('.')}: ${detail}`,
    )
  }

  test.each<[string, Partial<Policy['routes'][number]>, string]>([
    [
      'a channel without a wildcard',
      { channel: 'kafka://acme/orders' },
      'routes.0.topics: a table needs a channel with one',
    ],
    ['a channel with two', { channel: 'kafka://acme/{a}/{b}' }, 'routes.0.topics: a table needs a channel with one'],
    [
      'a channel that ends in `**`',
      { channel: 'kafka://acme/**' },
      'routes.0.topics: a table needs a channel with one',
    ],
    ['an entry of two segments', { topics: { 'a/b': 'x' } }, 'routes.0.topics.a/b: `a/b` is no segment of a channel'],
    ['an entry that is a wildcard', { topics: { '*': 'x' } }, 'routes.0.topics.*: `*` is no segment of a channel'],
    ['an entry that is a template', { topics: { a: '{path}' } }, 'routes.0.topics.a: `{path}` is no topic'],
    [
      'two entries with one topic',
      { topics: { a: 'x', b: 'x' } },
      'routes.0.topics: topic `x` would be that of `kafka://acme/orders/b` here and of `kafka://acme/orders/a` by `routes[0]`',
    ],
  ])('with %s is refused', (_, changes, expected) => {
    expect(issues(changes)).toEqual([expect.stringContaining(expected)])
  })

  test('two entries may share a topic that says so', () => {
    expect(issues({ topics: { a: 'x', b: 'x' }, shared: true })).toEqual([])
  })

  test('does not move the places of the routes behind it', () => {
    const routes = [table, { ...everything, cluster: 'nowhere' }]
    expect(compileDirectory(aPolicy({ routes }), '').issues).toMatchObject([{ path: ['routes', 1, 'cluster'] }])
    const behind = aDirectory({ routes: [table, everything, { ...everything, channel: 'kafka://acme/x', topic: 'x' }] })
    expect(warnAboutPolicy(behind, now)).toMatchObject([
      { path: ['routes', 2, 'channel'], detail: expect.stringContaining('`routes[1]`') },
    ])
  })

  test('behind a route that takes all of it is named once, behind one that takes an entry for that entry', () => {
    expect(warnAboutPolicy(aDirectory({ routes: [everything, table] }), now)).toMatchObject([
      {
        path: ['routes', 1, 'channel'],
        detail: expect.stringContaining('all channels of `kafka://acme/orders/{event}`'),
      },
    ])
    const one = { channel: 'kafka://acme/orders/created', cluster: 'main', topic: 'special' }
    expect(warnAboutPolicy(aDirectory({ routes: [one, table] }), now)).toMatchObject([
      { detail: expect.stringContaining('all channels of `kafka://acme/orders/created`') },
    ])
  })
})

test('a table decides as if each entry were written as a route, and every other channel has no topic', () => {
  const anyTable = fc.dictionary(fc.constantFrom(...texts), fc.constantFrom('t.one', 't.two', 't.three'), {
    minKeys: 1,
    noNullPrototype: true,
  })
  fc.assert(
    fc.property(anyTable, fc.constantFrom(...texts, 'fresh'), fc.boolean(), (entries, segment, isBehind) => {
      const written = { channel: 'kafka://acme/{x}/end', cluster: 'main', topics: entries, shared: true }
      const routes = isBehind ? [written, everything] : [written]
      expect(topics(routes, `kafka://acme/${segment}/end`)).toEqual(
        Object.hasOwn(entries, segment) ? [entries[segment]] : 'no_topic',
      )
      const admitted = computeAccess(aDirectory({ routes: [written], grants }), 'main', reader, new Set(), now)
      const names = admitted.filter(({ resource }) => resource === 'topic').map(({ name }) => name)
      expect(names).toEqual([...new Set(Object.values(entries))].sort())
    }),
  )
})
