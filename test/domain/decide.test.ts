import { describe, expect, it } from 'vitest'
import { type Decision, decide } from '../../shared/domain/decide.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import type { Revocation } from '../../shared/domain/revocation.ts'
import { aCluster, aDirectory, anIntent, aPrincipal, now, revoked } from '../fixtures/policies.ts'

const ordersApi = aPrincipal('orders-api')
const created = 'kafka://acme/orders/created'

const deciding = (
  changes: Partial<Policy>,
  intent: Record<string, unknown>,
  { principal = ordersApi, denied = [] as readonly Revocation[] } = {},
): Decision => decide(principal, anIntent(intent), { directory: aDirectory(changes), denied, now, jitter: 0.5 })

/** What a denial says, or how an allowance came to be. */
const told = (decision: Decision) =>
  decision.outcome === 'deny'
    ? { rule: decision.rule, reason: decision.reason, pointer: decision.pointer }
    : decision.connections.map(({ cluster, admissions, path }) => ({
        cluster: cluster.name,
        listener: path.listener.name,
        topics: admissions.map((admission) => (admission.kind === 'channel' ? admission.topic : admission.expression)),
        grants: admissions.map(({ grant }) => grant.index),
      }))

const all = { principals: ['orders-api'], produce: ['kafka://acme/**'], consume: ['kafka://acme/**'] }

describe('rule 1', () => {
  it('denies a principal on the deny list, whatever its grants say', () => {
    expect(told(deciding({ grants: [all] }, { produce: [created] }, { denied: [revoked('orders-api')] }))).toEqual({
      rule: 1,
      reason: 'principal_denied',
      pointer: '',
    })
  })
})

describe('rule 2', () => {
  const noGrant = { rule: 2, reason: 'no_grant', pointer: '/produce/0' }

  it('denies without a grant', () => {
    expect(told(deciding({}, { produce: [created] }))).toEqual(noGrant)
  })

  it('denies when the only grant is for the other action', () => {
    const grants = [{ principals: ['orders-api'], consume: ['kafka://acme/**'] }]
    expect(told(deciding({ grants }, { produce: [created] }))).toEqual(noGrant)
  })

  it('denies when the only grant is for somebody else', () => {
    const grants = [{ principals: ['orders-api2'], produce: ['kafka://acme/**'] }]
    expect(told(deciding({ grants }, { produce: [created] }))).toEqual(noGrant)
  })

  it('denies when the only grant has ended', () => {
    const grants = [{ ...all, until: '2026-11-20' }]
    expect(told(deciding({ grants }, { produce: [created] }))).toEqual(noGrant)
  })

  it('denies when a label of the grant is missing, other or only inherited', () => {
    const grants = [{ ...all, principals: { labels: { team: 'payments', env: 'prod' } } }]
    for (const labels of [{}, { team: 'payments' }, { team: 'payments', env: 'dev' }])
      expect(
        told(deciding({ grants }, { produce: [created] }, { principal: aPrincipal('orders-api', labels) })),
      ).toEqual(noGrant)
    const inherits = Object.create({ team: 'payments', env: 'prod' }) as Record<string, string>
    expect(
      told(deciding({ grants }, { produce: [created] }, { principal: aPrincipal('orders-api', inherits) })),
    ).toEqual(noGrant)
  })

  it('allows by labels, of which the principal may have more', () => {
    const grants = [{ ...all, principals: { labels: { team: 'payments' } } }]
    const principal = aPrincipal('anybody', { team: 'payments', env: 'dev' })
    expect(deciding({ grants }, { produce: [created] }, { principal }).outcome).toBe('allow')
  })

  it('takes the first grant that allows, by name or by label', () => {
    const grants = [{ ...all, principals: ['somebody'] }, { ...all, principals: { labels: { team: 'payments' } } }, all]
    const principal = aPrincipal('orders-api', { team: 'payments' })
    expect(told(deciding({ grants }, { produce: [created] }, { principal }))).toMatchObject([{ grants: [1] }])
  })

  it('denies everything when one of several channels is not granted, and points to it', () => {
    const grants = [{ principals: ['orders-api'], produce: ['kafka://acme/orders/*'] }]
    expect(told(deciding({ grants }, { produce: [created, 'kafka://acme/payouts/settled'] }))).toEqual({
      rule: 2,
      reason: 'no_grant',
      pointer: '/produce/1',
    })
  })

  it('gives every principal the group of its own name', () => {
    const decision = deciding({ grants: [all] }, { consume: [created] })
    expect(decision.outcome === 'allow' && decision.connections[0]?.group).toBe('orders-api')
  })

  it('denies a group that the grant of the channel does not name', () => {
    const grants = [{ principals: ['orders-api'], consume: ['kafka://acme/other'], groups: ['reports-*'] }, all]
    expect(told(deciding({ grants }, { consume: [created], group: 'reports-1' }))).toEqual({
      rule: 2,
      reason: 'group_not_granted',
      pointer: '/consume/0',
    })
  })

  it('passes over a grant without the group when a later one has it', () => {
    const grants = [all, { ...all, groups: ['reports-*'] }]
    expect(told(deciding({ grants }, { consume: [created], group: 'reports-1' }))).toMatchObject([{ grants: [1] }])
  })

  it('denies a pattern that no single grant contains, though two together would', () => {
    const grants = [
      { principals: ['orders-api'], consume: ['kafka://acme/orders/created', 'kafka://acme/orders/shipped'] },
      { principals: ['orders-api'], consume: ['kafka://acme/orders/*/**'] },
    ]
    expect(told(deciding({ grants }, { consume: ['kafka://acme/orders/**'] }))).toMatchObject({ reason: 'no_grant' })
  })
})

describe('rule 3', () => {
  it('takes the first route in document order, not the narrowest', () => {
    const routes = [
      { channel: 'kafka://acme/**', cluster: 'main', topic: 'all.{**}' },
      { channel: 'kafka://acme/orders/created', cluster: 'main', topic: 'special' },
    ]
    expect(told(deciding({ grants: [all], routes }, { produce: [created] }))).toMatchObject([
      { topics: ['all.orders.created'] },
    ])
  })

  it('passes over routes whose labels the principal lacks', () => {
    const routes = [
      { channel: 'kafka://acme/**', when: { labels: { env: 'prod' } }, cluster: 'main', topic: 'prod.{**}' },
      { channel: 'kafka://acme/**', cluster: 'main', topic: 'dev.{**}' },
    ]
    const as = (labels: Record<string, string>) =>
      told(deciding({ grants: [all], routes }, { produce: [created] }, { principal: aPrincipal('orders-api', labels) }))
    expect(as({})).toMatchObject([{ topics: ['dev.orders.created'] }])
    expect(as({ env: 'prod' })).toMatchObject([{ topics: ['prod.orders.created'] }])
  })

  it('denies a channel without a route', () => {
    const grants = [{ ...all, produce: ['kafka://beta/x'] }]
    expect(told(deciding({ grants }, { produce: ['kafka://beta/x'] }))).toEqual({
      rule: 3,
      reason: 'no_route',
      pointer: '/produce/0',
    })
  })

  it('denies a channel that cannot be a topic of its route', () => {
    expect(told(deciding({ grants: [all] }, { produce: ['kafka://acme/a.b'] }))).toEqual({
      rule: 3,
      reason: 'no_topic',
      pointer: '/produce/0',
    })
  })

  it('asks for a narrower pattern where an earlier route takes some of its channels', () => {
    const routes = [
      { channel: 'kafka://acme/orders/{event}', cluster: 'main', topic: 'moved.{event}' },
      { channel: 'kafka://acme/**', cluster: 'main', topic: 'all.{**}' },
    ]
    expect(told(deciding({ grants: [all], routes }, { consume: ['kafka://acme/orders/**'] }))).toEqual({
      rule: 3,
      reason: 'pattern_split',
      pointer: '/consume/0',
    })
    expect(told(deciding({ grants: [all], routes }, { consume: ['kafka://acme/orders/*'] }))).toMatchObject([
      { topics: ['moved\\.[^.]+'] },
    ])
  })
})

describe('a pattern that many routes carry', () => {
  const routesOf = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      channel: `kafka://acme/orders/o${index}/**`,
      cluster: 'main',
      topic: `orders.o${index}.{**}`,
    }))

  it('is answered by up to 1000 of them', () => {
    const decision = deciding({ grants: [all], routes: routesOf(1000) }, { consume: ['kafka://acme/orders/**'] })
    expect(decision.outcome === 'allow' && decision.connections[0]?.admissions).toHaveLength(1000)
  })

  it('has to be narrower with more', () => {
    const routes = routesOf(1001)
    expect(told(deciding({ grants: [all], routes }, { consume: ['kafka://acme/orders/**'] }))).toEqual({
      rule: 3,
      reason: 'pattern_too_wide',
      pointer: '/consume/0',
    })
    expect(told(deciding({ grants: [all], routes }, { consume: ['kafka://acme/orders/o1000/**'] }))).toMatchObject([
      { topics: ['orders\\.o1000\\..+'] },
    ])
  })
})

describe('rule 4', () => {
  it('denies while the cluster of the route is quarantined, and looks for no other', () => {
    const clusters = { main: aCluster({ quarantined: true }), other: aCluster() }
    const routes = [
      { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}' },
      { channel: 'kafka://acme/**', cluster: 'other', topic: '{path}' },
    ]
    expect(told(deciding({ grants: [all], clusters, routes }, { produce: [created] }))).toMatchObject({
      rule: 4,
      reason: 'cluster_quarantined',
    })
  })

  it('denies a principal on a cluster where it is revoked, and all that it asks for with it, and nowhere else', () => {
    const clusters = { main: aCluster(), other: aCluster() }
    const routes = [
      { channel: 'kafka://acme/orders/**', cluster: 'main', topic: '{path}' },
      { channel: 'kafka://acme/**', cluster: 'other', topic: '{path}' },
    ]
    const asking = (produce: readonly string[], denied = [revoked('orders-api', 'other')]) =>
      told(deciding({ grants: [all], clusters, routes }, { produce }, { denied }))
    const refusal = { rule: 4, reason: 'denied_on_cluster', pointer: '' }
    expect(asking(['kafka://acme/payouts'])).toEqual(refusal)
    expect(asking([created, 'kafka://acme/payouts'])).toEqual(refusal)
    expect(asking([created])).toMatchObject([{ cluster: 'main' }])
    expect(asking(['kafka://acme/payouts'], [revoked('billing', 'other')])).toMatchObject([{ cluster: 'other' }])
  })
})

describe('rule 5', () => {
  const listeners = [
    { name: 'inside', network: 'vpc-a', bootstrap: 'in:9092', security: 'SASL_PLAINTEXT' as const },
    { name: 'outside', network: 'public', bootstrap: 'out:9093' },
  ]
  const { bootstrap: _, ...cluster } = aCluster()
  const clusters = { main: { ...cluster, listeners } }

  it('denies while nobody has found where the cluster is', () => {
    const found = {
      main: { provider: 'msk' as const, arn: 'arn:aws:kafka:eu-west-1:1:cluster/main/1', auth: ['scram' as const] },
    }
    expect(told(deciding({ grants: [all], clusters: found }, { produce: [created] }))).toEqual({
      rule: 5,
      reason: 'no_listener_found',
      pointer: '',
    })
  })

  it('denies a network where the cluster has no listener, and points to it', () => {
    expect(told(deciding({ grants: [all], clusters }, { produce: [created], network: 'vpc-b' }))).toEqual({
      rule: 5,
      reason: 'no_access_path',
      pointer: '/network',
    })
  })

  it('takes the listener of the asked network', () => {
    expect(told(deciding({ grants: [all], clusters }, { produce: [created], network: 'vpc-a' }))).toMatchObject([
      { listener: 'inside' },
    ])
  })

  it('denies a profile that nobody wrote for the role', () => {
    const profiles = { fast: { role: 'consumer' as const, properties: { 'fetch.min.bytes': 1 } } }
    expect(
      told(deciding({ grants: [all], profiles }, { produce: [created], profile: { producer: 'fast' } })),
    ).toMatchObject({ reason: 'unknown_profile', pointer: '/profile/producer' })
  })

  it('takes the profile of the caller, else that of the route, else the default', () => {
    const profiles = {
      fast: { role: 'producer' as const, properties: { acks: 1 } },
      slow: { role: 'producer' as const, properties: { acks: 'all' } },
    }
    const used = (profile: Record<string, string>, route: { producer: string } | undefined) => {
      const routes = [
        {
          channel: 'kafka://acme/**',
          cluster: 'main',
          topic: '{path}',
          ...(route === undefined ? {} : { profiles: route }),
        },
      ]
      const decision = deciding({ grants: [all], profiles, routes }, { produce: [created], profile })
      return decision.outcome === 'allow' && decision.connections[0]?.profiles.producer?.name
    }
    expect(used({ producer: 'fast' }, { producer: 'slow' })).toBe('fast')
    expect(used({}, { producer: 'slow' })).toBe('slow')
    expect(used({}, undefined)).toBe('balanced')
  })
})

describe('rule 6', () => {
  const times = (grants: Policy['grants']) => {
    const decision = deciding({ grants }, { produce: [created] })
    if (decision.outcome === 'deny') throw new Error(decision.reason)
    return { expiresAt: decision.times.expiresAt.toISOString(), limit: decision.times.limit }
  }

  it('is an hour when nothing limits it', () => {
    expect(times([all])).toEqual({ expiresAt: '2026-11-21T13:00:00.000Z', limit: 'maximum' })
  })

  it('is the shortest limit of the grant that allowed, and names it', () => {
    expect(times([{ ...all, maxLease: '15m', until: '2026-11-21T12:10:00Z' }])).toEqual({
      expiresAt: '2026-11-21T12:10:00.000Z',
      limit: 'grants[0].until',
    })
    expect(times([{ ...all, maxLease: '5m', until: '2026-11-21T12:10:00Z' }])).toEqual({
      expiresAt: '2026-11-21T12:05:00.000Z',
      limit: 'grants[0].maxLease',
    })
  })

  it('is never longer than an hour, whatever a grant says', () => {
    expect(times([{ ...all, maxLease: '99h' }])).toMatchObject({ limit: 'maximum' })
  })
})

it('one connection a cluster, in the order in which the intent reaches them', () => {
  const clusters = { main: aCluster(), other: aCluster() }
  const routes = [
    { channel: 'kafka://acme/a/**', cluster: 'other', topic: 'a.{**}' },
    { channel: 'kafka://acme/b/**', cluster: 'main', topic: 'b.{**}' },
  ]
  const intent = { produce: ['kafka://acme/a/1', 'kafka://acme/b/2'], consume: ['kafka://acme/a/3'] }
  expect(told(deciding({ grants: [all], clusters, routes }, intent))).toMatchObject([
    { cluster: 'other', topics: ['a.1', 'a.3'] },
    { cluster: 'main', topics: ['b.2'] },
  ])
})
