import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileDirectory } from '../../shared/domain/directory.ts'
import { pinClusters } from '../../shared/domain/pin-clusters.ts'
import { type PolicyFile, policySchema } from '../../shared/domain/policy.ts'
import { aCluster, aPolicy } from '../fixtures/policies.ts'

const written = (
  clusters: Readonly<Record<string, Readonly<Record<string, string>>>>,
  cluster: PolicyFile['routes'][number]['cluster'],
): PolicyFile => ({
  ...aPolicy(),
  clusters: Object.fromEntries(Object.entries(clusters).map(([name, labels]) => [name, aCluster({ labels })])),
  routes: [{ channel: 'kafka://acme/**', cluster, topic: '{path}' }],
})

const clusters = { one: { tier: 'gold', region: 'eu' }, two: { tier: 'gold' }, three: {} }

test('labels that one cluster has become its name', () => {
  const { policy, pins, issues } = pinClusters(written(clusters, { labels: { tier: 'gold', region: 'eu' } }))
  expect(issues).toEqual([])
  expect(policy.routes[0]?.cluster).toBe('one')
  expect(pins).toEqual([{ path: ['routes', 0, 'cluster'], cluster: 'one' }])
})

test('what is stored keeps the selector beside the name, and it decides nothing', () => {
  const { policy } = pinClusters(written(clusters, { labels: { region: 'eu' } }))
  const named = written(clusters, 'one')

  expect(policySchema.parse(policy)).toEqual({
    ...named,
    routes: named.routes.map((route) => ({ ...route, selector: { labels: { region: 'eu' } } })),
  })
  expect(compileDirectory(policy, 'sha256:one')).toEqual(compileDirectory(policySchema.parse(named), 'sha256:one'))
})

test('a name stays what it is, also one that no cluster has', () => {
  const { policy, pins, issues } = pinClusters(written(clusters, 'nowhere'))
  expect([policy.routes[0]?.cluster, pins, issues]).toEqual(['nowhere', [], []])
  expect(policy.routes[0]).not.toHaveProperty('selector')
})

test.each([
  [{ tier: 'gold' }, '`tier=gold` is `one`, `two`; allowed: labels that exactly one cluster has'],
  [{ tier: 'lead' }, '`tier=lead` is no cluster; allowed: labels that exactly one cluster has'],
])('labels that several or no clusters have are refused', (labels, detail) => {
  expect(pinClusters(written(clusters, { labels })).issues).toEqual([{ path: ['routes', 0, 'cluster'], detail }])
})

test('a selector is pinned exactly when one cluster has all of its labels', () => {
  const anyLabels = fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2'), { noNullPrototype: true })
  fc.assert(
    fc.property(fc.array(anyLabels, { maxLength: 4 }), anyLabels, (each, labels) => {
      const named = Object.fromEntries(each.map((own, at) => [`c${at}`, own]))
      const having = Object.keys(named).filter((name) =>
        Object.entries(labels).every(([key, value]) => named[name]?.[key] === value),
      )
      const { pins, issues } = pinClusters(written(named, { labels }))
      expect(pins.map(({ cluster }) => cluster)).toEqual(having.length === 1 ? having : [])
      expect(issues).toHaveLength(having.length === 1 ? 0 : 1)
    }),
  )
})
