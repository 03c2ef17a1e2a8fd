import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Acl, computeAccess } from '../../shared/domain/access.ts'
import type { Directory } from '../../shared/domain/directory.ts'
import { type ClusterState, type Drift, driftOfCluster, mergeDrift } from '../../shared/domain/drift.ts'
import type { FoundAcl, InventoryEntry, Snapshot } from '../../shared/domain/inventory.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import type { Revocation } from '../../shared/domain/revocation.ts'
import type { Credential } from '../../shared/domain/rotation.ts'
import { aFoundCluster, anEntry, aSnapshot, aTopic } from '../fixtures/inventories.ts'
import { aCluster, aDirectory, now, revoked } from '../fixtures/policies.ts'
import { aCredential } from '../fixtures/stored-credentials.ts'

const before = new Date(now.getTime() - 60_000)

const policy: Partial<Policy> = {
  clusters: { main: aCluster() },
  grants: [
    { principals: ['orders-api'], produce: ['kafka://acme/orders/**'] },
    { principals: ['billing'], consume: ['kafka://acme/orders/created'] },
  ],
  routes: [
    { channel: 'kafka://acme/orders/created', cluster: 'main', topic: 'orders.created' },
    { channel: 'kafka://acme/orders/**', cluster: 'main', topic: 'orders.{**}' },
  ],
}

const resources = { topic: 'TOPIC', group: 'GROUP', 'transactional-id': 'TRANSACTIONAL_ID' } as const

const asFound = (user: string, { resource, pattern, operation, name }: Acl): FoundAcl => ({
  principal: `User:${user}`,
  host: '*',
  permission: 'ALLOW',
  operation: operation.toUpperCase(),
  resource: resources[resource],
  pattern: pattern === 'prefixed' ? 'PREFIXED' : 'LITERAL',
  name,
})

const topics = ['orders.created', 'orders.paid']

/** What rotate puts there for the principals that grants name. */
const rightAcls = (directory: Directory, names = ['orders-api', 'billing']): readonly FoundAcl[] =>
  names.flatMap((name) =>
    computeAccess(directory, 'main', { name, labels: {} }, new Set(topics), now).map((acl) =>
      asFound(`sb.${name}`, acl),
    ),
  )

type Given = {
  readonly policy?: Partial<Policy>
  readonly acls?: (right: readonly FoundAcl[]) => readonly FoundAcl[]
  readonly snapshot?: Partial<Snapshot['parts']>
  readonly entry?: Partial<InventoryEntry>
  readonly known?: ClusterState['known']
  readonly credentials?: readonly Credential[]
  readonly denied?: readonly Revocation[]
  readonly found?: 'never' | 'entry alone'
}

const drift = (given: Given = {}): Drift => {
  const directory = aDirectory({ ...policy, ...given.policy })
  const cluster = directory.clusters.get('main') ?? expect.unreachable()
  const snapshot = aSnapshot({
    source: 'kafka',
    id: 'main',
    cluster: aFoundCluster({ provider: 'kafka', name: 'main' }),
    parts: {
      topics: topics.map((name) => aTopic(name)),
      acls: (given.acls ?? ((right) => right))(rightAcls(directory)),
      users: [],
      ...given.snapshot,
    },
  })
  const entry = anEntry(snapshot, { seenAt: now, ...given.entry })
  const found =
    given.found === 'never' ? undefined : { entry, snapshot: given.found === 'entry alone' ? undefined : snapshot }
  return driftOfCluster(
    cluster,
    { found, known: given.known ?? [], credentials: given.credentials ?? [] },
    { directory, denied: given.denied ?? [], now },
  )
}

const shown = ({ differences }: Drift) => differences.map(({ kind, what, name }) => `${kind} ${what} ${name}`)

describe('a cluster that is as the policy says', () => {
  test('has no drift, and nothing that cannot be told', () => {
    expect(drift()).toEqual({ differences: [], untold: [] })
  })

  test('may have whatever its owner has there besides', () => {
    const others: readonly FoundAcl[] = [
      asFound('legacy', { resource: 'topic', pattern: 'literal', operation: 'write', name: 'orders.created' }),
      asFound('sbx', { resource: 'topic', pattern: 'literal', operation: 'write', name: 'orders.created' }),
      {
        ...asFound('x', { resource: 'topic', pattern: 'literal', operation: 'read', name: 't' }),
        principal: 'Group:sb.',
      },
    ]

    expect(
      drift({ acls: (right) => [...right, ...others], snapshot: { users: [{ name: 'legacy', mechanism: 'x' }] } }),
    ).toEqual({ differences: [], untold: [] })
  })

  test('has as many differences as ACLs of ours were taken away, and none for those of others', () => {
    const all = rightAcls(aDirectory(policy))
    fc.assert(
      fc.property(fc.subarray([...all]), fc.array(fc.string(), { maxLength: 3 }), (kept, strangers) => {
        const theirs = strangers.map((name) =>
          asFound(`their.${name}`, { resource: 'topic', pattern: 'literal', operation: 'read', name: 'orders.paid' }),
        )
        const { differences, untold } = drift({ acls: () => [...theirs, ...kept] })
        expect(differences.length).toBe(all.length - kept.length)
        expect(differences.every(({ kind, what }) => kind === 'missing' && what === 'acl')).toBe(true)
        expect(untold).toEqual([])
      }),
    )
  })
})

describe('drift of access', () => {
  const stale = asFound('sb.billing', {
    resource: 'topic',
    pattern: 'literal',
    operation: 'write',
    name: 'orders.paid',
  })

  test('is extra where an ACL of ours is not wanted, also of a principal that nobody knows any more', () => {
    const ofNobody = { ...stale, principal: 'User:sb.former' }

    expect(shown(drift({ acls: (right) => [...right, stale, ofNobody] }))).toEqual([
      'extra acl sb.billing topic:literal:write:orders.paid',
      'extra acl sb.former topic:literal:write:orders.paid',
    ])
  })

  test('is changed where something else stands in the place of an ACL of ours', () => {
    const denied = drift({ acls: ([first, ...rest]) => (first ? [{ ...first, permission: 'DENY' }, ...rest] : []) })
    const narrowed = drift({ acls: ([first, ...rest]) => (first ? [{ ...first, host: '10.0.0.1' }, ...rest] : []) })

    expect(denied.differences).toMatchObject([{ kind: 'changed', what: 'acl' }])
    expect(narrowed.differences).toMatchObject([{ kind: 'changed', what: 'acl' }])
    expect(narrowed.differences[0]?.detail).toContain('from 10.0.0.1')
  })

  test('is changed also where a DENY stands beside what is right', () => {
    const { differences } = drift({
      acls: (right) => right.flatMap((acl, at) => (at === 0 ? [acl, { ...acl, permission: 'DENY' as const }] : [acl])),
    })

    expect(differences).toMatchObject([{ kind: 'changed', what: 'acl' }])
  })

  test('is all that a revoked principal still has', () => {
    const { differences } = drift({ denied: [revoked('billing')] })

    expect(differences.length).toBeGreaterThan(0)
    expect(differences.every(({ kind, name }) => kind === 'extra' && name.startsWith('sb.billing '))).toBe(true)
  })

  test('is not looked for where the policy has no admin, for nobody puts anything there', () => {
    const clusters = { main: { ...aCluster(), admin: undefined } }

    expect(drift({ policy: { clusters }, acls: () => [stale] }).differences).toEqual([])
  })

  test('cannot be told of a principal whose access changed after the last look', () => {
    const known = [{ principal: 'billing', labels: {}, appliedAt: now }]
    const { differences, untold } = drift({ known, entry: { seenAt: before }, acls: () => [] })

    expect(differences.every(({ name }) => name.startsWith('sb.orders-api '))).toBe(true)
    expect(untold).toMatchObject([{ what: 'billing' }])
  })

  test('follows the labels that a principal was last seen with', () => {
    const grants: Policy['grants'] = [
      { principals: { labels: { team: 'x' } }, consume: ['kafka://acme/orders/created'] },
    ]
    const known = [{ principal: 'reports', labels: { team: 'x' }, appliedAt: before }]

    expect(shown(drift({ policy: { grants }, known }))[0]).toMatch(/^missing acl sb\.reports /)
  })
})

describe('drift of users', () => {
  const scram = { clusters: { main: aCluster({ auth: ['scram'] }) }, grants: [] }
  const users = (...names: readonly string[]) => ({
    users: names.map((name) => ({ name, mechanism: 'SCRAM-SHA-512' })),
  })
  const active = aCredential({ a: { since: before } })

  test('is missing where a slot that is handed out has none', () => {
    expect(shown(drift({ policy: scram, acls: () => [], credentials: [active], snapshot: users() }))).toContain(
      'missing user sb.orders-api@a',
    )
  })

  test('is extra where a user of ours belongs to no slot', () => {
    const given = { policy: scram, acls: () => [], snapshot: users('sb.orders-api@b', 'legacy', 'sb.admin') }

    expect(shown(drift(given))).toEqual(['extra user sb.orders-api@b'])
  })

  test('is none for the user of a slot, and cannot be told of one that moved after the last look', () => {
    const given = { policy: scram, acls: () => [], credentials: [active] }

    expect(shown(drift({ ...given, snapshot: users('sb.orders-api@a') }))).toEqual([])
    expect(drift({ ...given, snapshot: users(), entry: { seenAt: new Date(before.getTime() - 1) } })).toMatchObject({
      differences: [],
      untold: [{ what: 'orders-api' }],
    })
  })
})

describe('drift of a cluster', () => {
  test('is missing where no crawl came across it, or where it vanished', () => {
    expect(drift({ found: 'never' }).differences).toMatchObject([
      { kind: 'missing', what: 'cluster', name: 'main', detail: 'no crawl came across it' },
    ])
    expect(drift({ entry: { vanishedAt: now } }).differences[0]?.detail).toMatch(/^vanished 2026/)
  })

  test('cannot be told where nobody could look at it, and its facts are not taken for those of now', () => {
    const failing = { code: 'denied', detail: 'the login was refused', since: before } as const

    expect(drift({ found: 'entry alone', entry: { failing } })).toMatchObject({
      differences: [],
      untold: [{ what: 'cluster', why: expect.stringContaining('denied since') }],
    })
    expect(drift({ acls: () => [], entry: { failing } })).toMatchObject({
      differences: [],
      untold: [{ what: 'topics' }],
    })
  })

  test('cannot be told of a part that nobody could see', () => {
    expect(drift({ snapshot: { acls: undefined } as never })).toMatchObject({
      differences: [],
      untold: [{ what: 'acls' }],
    })
  })

  test('is a topic that a route leads to and that is not there; what a wildcard leads to need not be', () => {
    const given = { snapshot: { topics: [aTopic('orders.paid')] }, policy: { grants: [] }, acls: () => [] }

    expect(drift(given).differences).toMatchObject([
      {
        kind: 'missing',
        what: 'topic',
        name: 'orders.created',
        detail: 'the route of `kafka://acme/orders/created` leads there',
      },
    ])
  })

  test('is an address of the policy that the cluster has not; of clusters that the policy describes nothing else is known', () => {
    const arn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/main/0a1b2c3d-0000-4000-8000-000000000000-1'
    const directory = aDirectory({
      clusters: { main: aCluster({ provider: 'msk', arn, auth: ['scram'], bootstrap: 'b-1.payments:9096,gone:9096' }) },
    })
    const cluster = directory.clusters.get('main') ?? expect.unreachable()
    const snapshot = aSnapshot({ source: 'prod', id: arn })
    const state = { found: { entry: anEntry(snapshot), snapshot }, known: [], credentials: [] }

    expect(driftOfCluster(cluster, state, { directory, denied: [], now }).differences).toEqual([
      {
        cluster: 'main',
        kind: 'changed',
        what: 'listener',
        name: 'bootstrap',
        detail: 'not on the cluster: gone:9096',
      },
    ])
  })
})

test('the drift of several clusters is in order: by cluster, of each what is missing first', () => {
  const of = (cluster: string, kind: 'missing' | 'extra', name: string) => ({
    cluster,
    kind,
    what: 'acl' as const,
    name,
  })
  const untold = [{ cluster: 'b', what: 'acls', why: 'denied' }]

  const merged = mergeDrift([
    { differences: [of('b', 'extra', 'x'), of('b', 'missing', 'z')], untold },
    { differences: [of('a', 'extra', 'y')], untold: [] },
  ])

  expect(shown(merged)).toEqual(['extra acl y', 'missing acl z', 'extra acl x'])
  expect(merged.untold).toEqual(untold)
})

test('on Confluent Cloud the ACLs of pools and service accounts are compared, and nobody else’s', () => {
  const main = aCluster({
    provider: 'confluent',
    id: 'lkc-1',
    auth: ['jwt', 'api-key'],
    identityPools: { 'orders-api': 'pool-1' },
    serviceAccounts: { 'orders-api': 'sa-1', search: 'sa-2' },
  })
  const given = {
    ...policy,
    clusters: { main },
    grants: [{ principals: ['orders-api'], produce: ['kafka://acme/orders/**'] }],
  }
  const of = (user: string) =>
    rightAcls(aDirectory(given), ['orders-api']).map((acl) => ({ ...acl, principal: `User:${user}` }))
  const [first] = of('sa-1')
  if (first === undefined) throw new Error('expected an ACL')

  expect(shown(drift({ policy: given, acls: () => [...of('pool-1'), ...of('sa-1'), ...of('sa-9')] }))).toEqual([])
  const found = shown(drift({ policy: given, acls: () => [...of('pool-1'), ...of('sa-1').slice(1), ...of('sa-2')] }))
  expect(found).toContain(`missing acl sa-1 topic:literal:write:${first.name}`)
  expect(found.filter((each) => each.startsWith('extra'))).toEqual(
    of('sa-2').map(({ name }) => `extra acl sa-2 topic:literal:write:${name}`),
  )
})
