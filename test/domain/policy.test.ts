import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { compileDirectory } from '../../shared/domain/directory.ts'
import { type Policy, policySchema } from '../../shared/domain/policy.ts'
import { topicsOfTwoChannels } from '../../shared/domain/policy-checks.ts'
import { aCluster, aPolicy } from '../fixtures/policies.ts'

const refused = (document: unknown): string[] => {
  const parsed = policySchema.safeParse(document)
  return parsed.success ? [] : parsed.error.issues.map(({ path }) => path.join('.'))
}

const issuesOf = (changes: Partial<Policy>) => {
  const policy = aPolicy(changes)
  const { directory, issues } = compileDirectory(policy, '')
  const all = issues.length > 0 ? issues : topicsOfTwoChannels(policy, directory)
  return all.map(({ path, detail }) => `${path.join('.')}: ${detail}`)
}

describe('the policy schema', () => {
  it('takes the example', () => {
    expect(refused(parse(readFileSync('examples/policy.yaml', 'utf8')))).toEqual([])
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['no identity rule, so that nobody could ever call', { identities: [] }, 'identities'],
    ['an unknown member', { grnats: [] }, ''],
    ['a cluster name in capitals', { clusters: { Main: aCluster() } }, 'clusters.Main'],
    [
      'a cluster with both forms of address',
      { clusters: { main: aCluster({ listeners: [{ bootstrap: 'a:1' }] }) } },
      'clusters.main',
    ],
    [
      'a bootstrap without a port',
      { clusters: { main: aCluster({ bootstrap: 'kafka-1' }) } },
      'clusters.main.bootstrap',
    ],
    ['a grant without an action', { grants: [{ principals: ['a'] }] }, 'grants.0'],
    ['a grant for nobody', { grants: [{ principals: [], produce: ['kafka://acme/x'] }] }, 'grants.0.principals'],
    [
      'a grant for no label, which would be everybody',
      { grants: [{ principals: { labels: {} }, produce: ['kafka://acme/x'] }] },
      'grants.0.principals.labels',
    ],
    [
      'a principal with a slash',
      { grants: [{ principals: ['a/b'], produce: ['kafka://acme/x'] }] },
      'grants.0.principals.0',
    ],
    [
      'a group prefix without a separator',
      { grants: [{ principals: ['a'], consume: ['kafka://acme/x'], groups: ['orders*'] }] },
      'grants.0.groups.0',
    ],
    [
      'every group',
      { grants: [{ principals: ['a'], consume: ['kafka://acme/x'], groups: ['*'] }] },
      'grants.0.groups.0',
    ],
    [
      'a lease time without a unit',
      { grants: [{ principals: ['a'], consume: ['kafka://acme/x'], maxLease: '60' }] },
      'grants.0.maxLease',
    ],
    [
      'a date that does not exist',
      { grants: [{ principals: ['a'], consume: ['kafka://acme/x'], until: '2027-02-30' }] },
      'grants.0.until',
    ],
    [
      'a profile that decides who a client is',
      { profiles: { p: { role: 'producer', properties: { 'sasl.jaas.config': 'x' } } } },
      'profiles.p.properties',
    ],
    [
      'a control character',
      { grants: [{ principals: ['a'], produce: ['kafka://acme/x\u0007'] }] },
      'grants.0.produce.0',
    ],
    ['a user prefix without a separator', { kafkaUserPrefix: 'sb' }, 'kafkaUserPrefix'],
  ])('refuses %s', (_, changes, path) => {
    const found = refused({ ...aPolicy(), ...changes })
    expect(found.some((each) => each.startsWith(path))).toBe(true)
    expect(found).toHaveLength(1)
  })
})

describe('the compiler', () => {
  it('refuses a route to a cluster that is not there, and says which ones are', () => {
    expect(issuesOf({ routes: [{ channel: 'kafka://acme/**', cluster: 'mian', topic: '{path}' }] })).toEqual([
      'routes.0.cluster: no cluster is named `mian`, allowed: `main`',
    ])
  })

  it('refuses a profile that is not there for the role', () => {
    const profiles = { fast: { role: 'consumer' as const, properties: {} } }
    const routes = [{ channel: 'kafka://acme/**', cluster: 'main', topic: '{path}', profiles: { producer: 'fast' } }]
    expect(issuesOf({ profiles, routes })).toEqual(['routes.0.profiles.producer: no producer profile is named `fast`'])
  })

  it('refuses a pattern that is none, where it stands', () => {
    const grants = [{ principals: ['a'], produce: ['kafka://acme/x', 'kafka://acme/**/x'] }]
    expect(issuesOf({ grants })).toEqual([
      'grants.0.produce.1: `**` may only be the last segment, got `kafka://acme/**/x`',
    ])
  })

  it('refuses a topic that leaves a wildcard of its channel out, unless the route says that it is shared', () => {
    const route = { channel: 'kafka://acme/{team}/**', cluster: 'main', topic: '{team}' }
    expect(issuesOf({ routes: [route] })).toHaveLength(1)
    expect(issuesOf({ routes: [{ ...route, shared: true }] })).toEqual([])
  })

  it('refuses two routes that lead two channels to one topic, and names both routes, both channels and the topic', () => {
    const routes = [
      { channel: 'kafka://acme/orders/{event}', cluster: 'main', topic: 'orders.{event}.v3' },
      { channel: 'kafka://acme/payouts', cluster: 'main', topic: 'payouts' },
      { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}' },
    ]
    expect(issuesOf({ routes })).toEqual([
      'routes.2.topic: topic `orders.x1.v3` would be that of `kafka://acme/orders/x1/v3` here and of `kafka://acme/orders/x1` by `routes[0]`; say `shared: true` if that is meant',
    ])
  })

  it.each<[string, Policy['routes']]>([
    [
      'on two clusters',
      [
        { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}' },
        { channel: 'kafka://beta/**', cluster: 'other', topic: '{path}' },
      ],
    ],
    [
      'of the same channel',
      [
        { channel: 'kafka://acme/orders/created', cluster: 'main', topic: 'orders.created' },
        { channel: 'kafka://acme/orders/{event}', cluster: 'main', topic: 'orders.{event}' },
        { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}' },
      ],
    ],
    [
      'for other labels, of the same channels',
      [
        { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}', when: { labels: { env: 'prod' } } },
        { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}' },
      ],
    ],
    [
      'when one of them says that it shares',
      [
        { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}' },
        { channel: 'kafka://beta/**', cluster: 'main', topic: '{path}', shared: true },
      ],
    ],
  ])('takes routes that render the same topic %s', (_, routes) => {
    expect(issuesOf({ clusters: { main: aCluster(), other: aCluster() }, routes })).toEqual([])
  })
})
