import { describe, expect, it } from 'vitest'
import { aclFromKey, aclKey, computeAccess, isAdmitted, requiredAccess } from '../../shared/domain/access.ts'
import { decide } from '../../shared/domain/decide.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { aCluster, aDirectory, anIntent, aPrincipal, now } from '../fixtures/policies.ts'

type Grants = Policy['grants']
type Routes = Policy['routes']

const toEverything: Routes = [{ channel: 'kafka://acme/**', cluster: 'main', topic: '{path}' }]

const topicAccess = (
  grants: Grants,
  routes: Routes,
  topics: readonly string[] = [],
  labels: Record<string, string> = {},
): readonly string[] => {
  const directory = aDirectory({ clusters: { main: aCluster(), other: aCluster() }, grants, routes })
  return computeAccess(directory, 'main', { name: 'orders-api', labels }, new Set(topics), now)
    .map(aclKey)
    .filter((key) => key.startsWith('topic:'))
}

describe('access to topics', () => {
  it('is a prefix for a whole subtree, whatever topics exist', () => {
    expect(topicAccess([{ principals: ['orders-api'], produce: ['kafka://acme/orders/**'] }], toEverything)).toEqual([
      'topic:prefixed:write:orders.',
    ])
  })

  it('is a prefix with its separator, so that a topic that only starts alike is not in it', () => {
    const keys = topicAccess([{ principals: ['orders-api'], consume: ['kafka://acme/orders/**'] }], toEverything)
    expect(keys).toEqual(['topic:prefixed:read:orders.'])
  })

  it('is literal for a channel that is named, before its topic exists', () => {
    expect(
      topicAccess([{ principals: ['orders-api'], produce: ['kafka://acme/orders/created'] }], toEverything),
    ).toEqual(['topic:literal:write:orders.created'])
  })

  it('is literal over the topics that exist where no prefix gives just these channels', () => {
    const grants: Grants = [{ principals: ['orders-api'], produce: ['kafka://acme/*/created'] }]
    const topics = ['orders.created', 'orders.shipped', 'created', 'payouts.created', 'payouts.created.v2', '__x']
    expect(topicAccess(grants, toEverything, topics)).toEqual([
      'topic:literal:write:orders.created',
      'topic:literal:write:payouts.created',
    ])
  })

  it('is no prefix where the topic goes on after what `**` took', () => {
    const grants: Grants = [{ principals: ['orders-api'], produce: ['kafka://acme/orders/**'] }]
    const routes: Routes = [{ channel: 'kafka://acme/orders/**', cluster: 'main', topic: 'orders.{**}.v3' }]
    expect(topicAccess(grants, routes, ['orders.a.v3', 'orders.a.v2'])).toEqual(['topic:literal:write:orders.a.v3'])
  })

  it('is no prefix where an earlier route takes a part of the subtree away', () => {
    const grants: Grants = [{ principals: ['orders-api'], produce: ['kafka://acme/orders/**'] }]
    const routes: Routes = [
      { channel: 'kafka://acme/orders/moved', cluster: 'other', topic: 'orders.moved' },
      ...toEverything,
    ]
    expect(topicAccess(grants, routes, ['orders.created', 'orders.moved'])).toEqual([
      'topic:literal:write:orders.created',
    ])
  })

  it('is a prefix all the same when that earlier route is for other labels', () => {
    const grants: Grants = [{ principals: ['orders-api'], produce: ['kafka://acme/orders/**'] }]
    const routes: Routes = [
      {
        channel: 'kafka://acme/orders/moved',
        when: { labels: { env: 'prod' } },
        cluster: 'other',
        topic: 'orders.moved',
      },
      ...toEverything,
    ]
    expect(topicAccess(grants, routes, [], { env: 'dev' })).toEqual(['topic:prefixed:write:orders.'])
    expect(topicAccess(grants, routes, ['orders.x', 'orders.moved'], { env: 'prod' })).toEqual([
      'topic:literal:write:orders.x',
    ])
  })

  it('is nothing for the channels of others, of ended grants and of other clusters', () => {
    const grants: Grants = [
      { principals: ['somebody'], produce: ['kafka://acme/a/**'] },
      { principals: ['orders-api'], produce: ['kafka://acme/b/**'], until: '2026-11-20' },
      { principals: ['orders-api'], produce: ['kafka://beta/c/**'] },
    ]
    const routes: Routes = [...toEverything, { channel: 'kafka://beta/**', cluster: 'other', topic: '{path}' }]
    expect(topicAccess(grants, routes, ['a.x', 'b.x', 'c.x'])).toEqual([])
  })

  it('is the shared topic for whoever may use one of its channels', () => {
    const routes: Routes = [{ channel: 'kafka://acme/logs/*', cluster: 'main', topic: 'logs', shared: true }]
    const access = (produce: string) =>
      topicAccess([{ principals: ['orders-api'], produce: [produce] }], routes, ['logs'])
    expect(access('kafka://acme/logs/mine')).toEqual(['topic:literal:write:logs'])
    expect(access('kafka://acme/logs/*')).toEqual(['topic:literal:write:logs'])
    expect(access('kafka://acme/**')).toEqual(['topic:literal:write:logs'])
    expect(access('kafka://acme/metrics/**')).toEqual([])
  })

  it('is the shared topic too when only a part of its channels was left over by an earlier route', () => {
    const routes: Routes = [
      { channel: 'kafka://acme/logs/audit', cluster: 'other', topic: 'audit' },
      { channel: 'kafka://acme/logs/{service}/**', cluster: 'main', topic: 'logs.{service}', shared: true },
    ]
    const access = (produce: string) =>
      topicAccess([{ principals: ['orders-api'], produce: [produce] }], routes, ['logs.billing', 'logs.orders'])
    expect(access('kafka://acme/logs/billing/**')).toEqual(['topic:literal:write:logs.billing'])
    expect(access('kafka://acme/logs/*/errors')).toEqual([
      'topic:literal:write:logs.billing',
      'topic:literal:write:logs.orders',
    ])
  })
})

describe('access to groups and transactional ids', () => {
  const keys = (grants: Grants) =>
    computeAccess(aDirectory({ grants }), 'main', { name: 'orders-api', labels: {} }, new Set(), now)
      .map(aclKey)
      .filter((key) => !key.startsWith('topic:'))

  it('is the own name for who consumes, and what its grants add', () => {
    expect(
      keys([{ principals: ['orders-api'], consume: ['kafka://acme/orders'], groups: ['orders-*', 'team.one'] }]),
    ).toEqual(['group:literal:read:orders-api', 'group:literal:read:team.one', 'group:prefixed:read:orders-'])
  })

  it('is no group for who only produces', () => {
    expect(
      keys([
        { principals: ['orders-api'], produce: ['kafka://acme/orders'], groups: ['x'], transactionalIds: ['orders-*'] },
      ]),
    ).toEqual(['transactional-id:prefixed:write:orders-'])
  })

  it('is nothing of a grant for what is on another cluster', () => {
    const grants: Grants = [
      { principals: ['orders-api'], consume: ['kafka://beta/x'], groups: ['x'] },
      { principals: ['orders-api'], produce: ['kafka://acme/orders'] },
    ]
    expect(keys(grants)).toEqual([])
  })
})

describe('what an intent needs before it is answered', () => {
  const needs = (topic: string, intent: Record<string, unknown>) => {
    const principal = aPrincipal('orders-api')
    const directory = aDirectory({
      grants: [
        { principals: ['orders-api'], produce: ['kafka://acme/orders/**'], consume: ['kafka://acme/orders/**'] },
      ],
      routes: [{ channel: 'kafka://acme/**', cluster: 'main', topic }],
    })
    const decision = decide(principal, anIntent(intent), { directory, denied: [], now, jitter: 0 })
    const connection = decision.outcome === 'allow' ? decision.connections[0] : undefined
    if (connection === undefined) throw new Error('denied')
    const { acls, everything } = requiredAccess(directory, principal, connection)
    return { acls: acls.map(aclKey), everything }
  }

  it('is each topic, and the group of who consumes', () => {
    expect(needs('{path}', { produce: ['kafka://acme/orders/a'], consume: ['kafka://acme/orders/b'] })).toEqual({
      acls: ['topic:literal:write:orders.a', 'topic:literal:read:orders.b', 'group:literal:read:orders-api'],
      everything: false,
    })
  })

  it('is the prefix of the grant for a pattern in it', () => {
    expect(needs('{path}', { produce: ['kafka://acme/orders/x/**'] })).toEqual({
      acls: ['topic:prefixed:write:orders.'],
      everything: false,
    })
  })

  it('is all that the policy gives for a pattern that no prefix covers', () => {
    expect(needs('{path}.v1', { produce: ['kafka://acme/orders/**'] })).toEqual({ acls: [], everything: true })
  })

  it('is not there yet when a shorter name or another pattern type is', () => {
    const needed = { resource: 'topic', pattern: 'literal', name: 'orders.a', operation: 'read' } as const
    expect(isAdmitted([{ ...needed, name: 'orders.' }], needed)).toBe(false)
    expect(isAdmitted([{ ...needed, operation: 'write' }], needed)).toBe(false)
    expect(isAdmitted([{ ...needed, resource: 'group' }], needed)).toBe(false)
    expect(isAdmitted([{ ...needed, name: 'orders.', pattern: 'prefixed' }], needed)).toBe(true)
    expect(isAdmitted([{ ...needed, name: 'orders.' }], { ...needed, name: 'orders.', pattern: 'prefixed' })).toBe(
      false,
    )
  })
})

it('an ACL survives being stored as text, whatever its name holds', () => {
  const acl = { resource: 'group', pattern: 'literal', name: 'a:b:c', operation: 'read' } as const
  expect(aclFromKey(aclKey(acl))).toEqual(acl)
  expect(aclFromKey('topic:literal:alter:x')).toBeUndefined()
  expect(aclFromKey('cluster:literal:read:x')).toBeUndefined()
  expect(aclFromKey('topic:any:read:x')).toBeUndefined()
})
