import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareRules } from '../../cli/plan-rules.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { aCluster, aPolicy } from '../fixtures/policies.ts'

const route = (name: string, changes: Partial<Policy['routes'][number]> = {}): Policy['routes'][number] => ({
  channel: `kafka://acme/${name}`,
  cluster: 'main',
  topic: name,
  ...changes,
})

const lines = (current: Partial<Policy>, next: Partial<Policy>): readonly string[] =>
  compareRules(aPolicy(current), aPolicy(next)).map(
    ({ change, rule, about, details }) =>
      `${change} ${rule} ${about}${details.length > 0 ? `: ${details.join('; ')}` : ''}`,
  )

test('a policy and itself have no differences', () => {
  expect(lines({}, {})).toEqual([])
})

describe('a rule', () => {
  test('that another one pushed down is not changed', () => {
    expect(lines({ routes: [route('a'), route('b')] }, { routes: [route('x'), route('a'), route('b')] })).toEqual([
      'added routes[0] kafka://acme/x',
    ])
  })

  test('about the same as before is changed, member by member', () => {
    expect(lines({ routes: [route('a')] }, { routes: [route('a', { topic: 'a.v2', shared: true })] })).toEqual([
      'changed routes[0] kafka://acme/a: topic: a -> a.v2; shared: nothing -> true',
    ])
  })

  test('that is gone is named by its place in the policy in force', () => {
    expect(lines({ routes: [route('a'), route('b')] }, { routes: [route('a')] })).toEqual([
      'removed routes[1] kafka://acme/b',
    ])
  })

  test('that changed places is moved, because the first match decides', () => {
    expect(
      lines({ routes: [route('a'), route('b'), route('c')] }, { routes: [route('b'), route('c'), route('a')] }),
    ).toEqual(['moved routes[2] kafka://acme/a: position: routes[0] -> routes[2]'])
  })

  test('for other labels is another rule', () => {
    const when = { labels: { region: 'eu' } }
    expect(lines({ routes: [route('a')] }, { routes: [route('a', { when }), route('a')] })).toEqual([
      'added routes[0] kafka://acme/a region=eu',
    ])
  })
})

test('identities, clusters, profiles, grants and settings are compared too', () => {
  const login = { issuer: 'https://login.acme.com', audience: 'switchboard' }
  const grant = { principals: ['orders-api'], produce: ['kafka://acme/**'] }
  const found = lines(
    { identities: [login], grants: [grant], profiles: { slow: { role: 'producer', properties: { acks: 'all' } } } },
    {
      identities: [{ ...login, audience: 'other' }, { client: 'legacy' }],
      clusters: { main: aCluster({ quarantined: true }), spare: aCluster() },
      grants: [
        { ...grant, maxLease: '15m' },
        { principals: { labels: { team: 'a' } }, consume: ['kafka://acme/**'] },
      ],
      limits: { leasesPerPrincipal: 5 },
    },
  )
  expect(found).toEqual([
    'changed identities[0] https://login.acme.com: audience: switchboard -> other',
    'added identities[1] legacy',
    'changed clusters.main main: quarantined: nothing -> true',
    'added clusters.spare spare',
    'removed profiles.slow slow',
    'changed grants[0] orders-api: maxLease: nothing -> 15m',
    'added grants[1] team=a',
    'changed limits limits: limits: nothing -> {"leasesPerPrincipal":5}',
  ])
})

describe('for any two lists of routes', () => {
  const anyRoutes = fc
    .array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.constantFrom('x', 'y')), { maxLength: 6 })
    .map((entries) => entries.map(([name, topic]) => route(name, { topic })))

  test('added less removed is what one is longer, and every change has a place of its own', () => {
    fc.assert(
      fc.property(anyRoutes, anyRoutes, (current, next) => {
        const changes = compareRules(aPolicy({ routes: current }), aPolicy({ routes: next }))
        const count = (kind: string): number => changes.filter(({ change }) => change === kind).length
        expect(count('added') - count('removed')).toBe(next.length - current.length)
        const places = changes.map(({ change, rule }) => `${change === 'removed'} ${rule}`)
        expect(new Set(places).size).toBe(places.length)
        expect(changes.length === 0).toBe(JSON.stringify(current) === JSON.stringify(next))
      }),
    )
  })

  test('no more rules are moved than must be', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    const isSorted = (order: readonly number[]): boolean =>
      order.every((each, at) => at === 0 || (order[at - 1] ?? 0) < each)
    /** Tries every way to keep some of them. */
    const mostKept = (order: readonly number[]): number =>
      Math.max(
        ...Array.from({ length: 2 ** order.length }, (_, mask) => order.filter((__, at) => (mask >> at) & 1))
          .filter(isSorted)
          .map((kept) => kept.length),
      )
    fc.assert(
      fc.property(fc.shuffledSubarray(names, { minLength: 6 }), (shuffled) => {
        const changes = lines(
          { routes: names.map((name) => route(name)) },
          { routes: shuffled.map((name) => route(name)) },
        )
        expect(changes.every((line) => line.startsWith('moved '))).toBe(true)
        expect(changes).toHaveLength(6 - mostKept(shuffled.map((name) => names.indexOf(name))))
      }),
    )
  })
})
