import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { pinClusters } from '../../shared/domain/pin-clusters.ts'
import type { PolicyFile } from '../../shared/domain/policy.ts'
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

test('a name stays what it is, also one that no cluster has', () => {
  const { policy, pins, issues } = pinClusters(written(clusters, 'nowhere'))
  expect([policy.routes[0]?.cluster, pins, issues]).toEqual(['nowhere', [], []])
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
