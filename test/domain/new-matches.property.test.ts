import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { newMatches, newMatchLine } from '../../shared/domain/new-matches.ts'
import { pinClusters } from '../../shared/domain/pin-clusters.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { aCluster, aPolicy } from '../fixtures/policies.ts'

const names = ['one', 'two', 'three'] as const
const labels = fc.dictionary(fc.constantFrom('tier', 'env', 'constructor'), fc.constantFrom('a', 'b'), {
  noNullPrototype: true,
})
/** Labels of the policy, and those of the tags; undefined: no crawl found the cluster. */
const world = fc.record({
  clusters: fc.tuple(labels, labels, labels),
  tags: fc.tuple(...names.map(() => fc.option(labels, { nil: undefined }))),
})
type World = Parameters<Parameters<typeof world.map>[0]>[0]

const policyOf = ({ clusters }: World, routes: Policy['routes']): Policy =>
  aPolicy({ clusters: Object.fromEntries(names.map((name, at) => [name, aCluster({ labels: clusters[at] })])), routes })

const taggedOf = ({ tags }: World) =>
  new Map(names.flatMap((name, at) => (tags[at] === undefined ? [] : [[name as string, tags[at]] as const])))

const aRoute = (cluster: string, selector?: Readonly<Record<string, string>>): Policy['routes'][number] => ({
  channel: 'kafka://acme/**',
  cluster,
  topic: '{path}',
  ...(selector === undefined ? {} : { selector: { labels: selector } }),
})

test('there is a warning exactly for each other cluster whose tags, and labels where no tag says otherwise, are all that was asked for', () => {
  const route = fc.record({ cluster: fc.constantFrom(...names), selector: fc.option(labels, { nil: undefined }) })
  fc.assert(
    fc.property(world, fc.array(route, { maxLength: 4 }), (given, routes) => {
      const expected: string[] = []
      for (const [index, { cluster, selector }] of routes.entries())
        for (const [at, name] of names.entries()) {
          if (selector === undefined || name === cluster) continue
          let isMatch = true
          for (const key of Object.keys(selector)) {
            const tags = new Map(Object.entries(given.tags[at] ?? {}))
            const own = new Map(Object.entries(given.clusters[at] ?? {}))
            const value = tags.has(key) ? tags.get(key) : own.get(key)
            if (value !== selector[key]) isMatch = false
          }
          if (isMatch) expected.push(`${index} ${cluster} ${name} ${JSON.stringify(selector)}`)
        }

      const policy = policyOf(
        given,
        routes.map(({ cluster, selector }) => aRoute(cluster, selector)),
      )
      const found = newMatches(policy, taggedOf(given)).map(
        ({ route: index, selector, cluster, match }) => `${index} ${cluster} ${match} ${JSON.stringify(selector)}`,
      )
      expect(found.sort()).toEqual(expected.sort())
    }),
  )
})

test('what was just pinned has no warning as long as no tag says what the policy does not', () => {
  fc.assert(
    fc.property(world, labels, (given, selector) => {
      const { channel, topic } = aRoute('one')
      const { policy, issues } = pinClusters({
        ...policyOf(given, []),
        routes: [{ channel, topic, cluster: { labels: selector } }],
      })
      fc.pre(issues.length === 0)

      expect(newMatches(policy, new Map())).toEqual([])
      expect(newMatches(policy, taggedOf({ ...given, tags: given.clusters }))).toEqual([])
    }),
  )
})

test('a warning names the route, the selector, what matches it now, and where the route stays', () => {
  const policy = policyOf({ clusters: [{ tier: 'a' }, { env: 'b' }, {}], tags: [undefined, undefined, undefined] }, [
    aRoute('three'),
    aRoute('one', { tier: 'a', env: 'b' }),
  ])

  const matches = newMatches(policy, new Map([['two', { tier: 'a' }]]))

  expect(matches.map(newMatchLine)).toEqual([
    'routes[1].cluster: `tier=a env=b` matches `two` by its tags; the route stays on `one`',
  ])
})
