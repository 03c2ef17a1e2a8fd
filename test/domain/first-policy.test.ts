import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { computeAccess, isAdmitted } from '../../shared/domain/access.ts'
import { compileDirectory } from '../../shared/domain/directory.ts'
import { firstPolicy } from '../../shared/domain/first-policy.ts'
import type { FoundAcl, Snapshot } from '../../shared/domain/inventory.ts'
import { policySchema } from '../../shared/domain/policy.ts'
import { checkPolicy } from '../../shared/domain/policy-checks.ts'
import { aCluster, aPolicy, now } from '../fixtures/policies.ts'

const anAcl = (changed: Partial<FoundAcl> = {}): FoundAcl => ({
  principal: 'User:billing',
  host: '*',
  permission: 'ALLOW',
  operation: 'READ',
  resource: 'TOPIC',
  pattern: 'LITERAL',
  name: 'orders.created',
  ...changed,
})

const aSnapshot = (
  topics: readonly string[],
  acls: readonly FoundAcl[],
  tags: Readonly<Record<string, string>> = {},
): Snapshot => ({
  source: 'policy',
  id: 'main',
  cluster: { name: 'main', provider: 'kafka', auth: [], listeners: [], tags },
  parts: { topics: topics.map((name) => ({ name, partitions: 3, replication: 1 })), acls, groups: [] },
  tombstones: [],
})

const propose = (snapshot: Snapshot) => firstPolicy([{ name: 'main', snapshot }], 'sb.')

const policyOf = (snapshot: Snapshot) => {
  const { grants, routes } = propose(snapshot)
  return aPolicy({
    clusters: { main: aCluster() },
    grants: grants.map(({ value }) => value),
    routes: routes.map(({ value }) => value),
  })
}

describe('a first policy', () => {
  test('has a channel for each topic, in the domain of the cluster’s owner', () => {
    const { routes } = propose(aSnapshot(['orders.created', 'audit'], [], { owner: 'Payments Team' }))

    expect(routes.map(({ value }) => value)).toEqual([
      { channel: 'kafka://payments-team/orders/created', cluster: 'main', topic: 'orders.created' },
      { channel: 'kafka://payments-team/audit', cluster: 'main', topic: 'audit' },
    ])
  })

  test('has the cluster’s name for a domain where nobody owns it, and both where one owner has several', () => {
    const owned = (id: string) => ({ name: id, snapshot: { ...aSnapshot(['t'], [], { owner: 'acme.com' }), id } })
    const clusters = [owned('east'), owned('west'), { name: 'lab', snapshot: aSnapshot(['t'], []) }]

    const channels = firstPolicy(clusters, 'sb.').routes.map(({ value }) => value.channel)

    expect(channels).toEqual(['kafka://east.acme.com/t', 'kafka://west.acme.com/t', 'kafka://lab/t'])
  })

  test('has a subtree of channels where somebody has a prefix that ends in a dot', () => {
    const snapshot = aSnapshot(['orders.created', 'audit'], [anAcl({ pattern: 'PREFIXED', name: 'orders.' })])

    const { routes, grants } = propose(snapshot)

    expect(routes.map(({ value }) => value.channel)).toEqual(['kafka://main/orders/**', 'kafka://main/audit'])
    expect(grants[0]?.value.consume).toEqual(['kafka://main/orders/**'])
  })

  test('says where each part comes from and what it leaves out', () => {
    const acls = [
      anAcl(),
      anAcl({ operation: 'ALTER' }),
      anAcl({ operation: 'WRITE', host: '10.0.0.1' }),
      anAcl({ principal: 'User:CN=legacy,O=acme' }),
    ]

    const { grants, leftOut } = propose(aSnapshot(['orders.created'], acls))

    expect(grants[0]?.comments).toEqual([
      'from the ACLs of User:billing on main',
      'not carried over, no grant says it: ALLOW ALTER TOPIC orders.created',
      'not carried over, no grant says it: ALLOW WRITE TOPIC orders.created from 10.0.0.1',
    ])
    expect(leftOut).toEqual([expect.stringContaining('CN=legacy')])
  })

  test('gives our own Kafka users nothing', () => {
    expect(propose(aSnapshot(['orders.created'], [anAcl({ principal: 'User:sb.billing' })])).grants).toEqual([])
  })

  test('carries groups and transactional ids over', () => {
    const acls = [
      anAcl(),
      anAcl({ operation: 'WRITE' }),
      anAcl({ resource: 'GROUP', name: 'billing-', pattern: 'PREFIXED' }),
      anAcl({ resource: 'TRANSACTIONAL_ID', operation: 'ALL', name: 'tx' }),
    ]

    expect(propose(aSnapshot(['orders.created'], acls)).grants[0]?.value).toMatchObject({
      groups: ['billing-*'],
      transactionalIds: ['tx'],
    })
  })
})

/** Kafka's own rule, written down once more: a DENY wins, then one ALLOW is enough. */
const kafkaAllows = (acls: readonly FoundAcl[], user: string, operation: string, topic: string): boolean => {
  const about = acls.filter(
    (acl) =>
      (acl.principal === `User:${user}` || acl.principal === 'User:*') &&
      acl.resource === 'TOPIC' &&
      (acl.operation === operation || acl.operation === 'ALL') &&
      (acl.name === '*' || (acl.pattern === 'PREFIXED' ? topic.startsWith(acl.name) : topic === acl.name)),
  )
  return about.some((acl) => acl.permission === 'ALLOW') && !about.some((acl) => acl.permission === 'DENY')
}

const users = ['alice', 'bob']
const piece = fc.constantFrom('a', 'b', '.', '-', '_', 'a.', 'b.a')
const topicName = fc
  .array(piece, { minLength: 1, maxLength: 5 })
  .map((pieces) => pieces.join(''))
  .filter((name) => name !== '.' && name !== '..')
const acl = fc
  .record({
    principal: fc.constantFrom('User:alice', 'User:bob', 'User:*'),
    permission: fc.constantFrom('ALLOW' as const, 'ALLOW' as const, 'ALLOW' as const, 'DENY' as const),
    operation: fc.constantFrom('READ', 'WRITE', 'ALL', 'DESCRIBE'),
    pattern: fc.constantFrom('LITERAL' as const, 'PREFIXED' as const),
    name: fc.oneof(topicName, fc.constant('*')),
  })
  // Kafka refuses a prefix `*` nobody means, and so does nobody here
  .filter(({ pattern, name }) => !(pattern === 'PREFIXED' && name === '*'))
  .map((found) => anAcl(found))
const cluster = fc.record({
  topics: fc.uniqueArray(topicName, { maxLength: 8 }),
  acls: fc.array(acl, { maxLength: 8 }),
  later: topicName,
})

test('gives each user on each topic what its ACLs give it, and on a later one never more', () => {
  fc.assert(
    fc.property(cluster, ({ topics, acls, later }) => {
      const policy = policyOf(aSnapshot(topics, acls))
      const { directory, issues } = compileDirectory(policy, '')
      expect([...issues, ...checkPolicy(policy, directory)]).toEqual([])
      expect(policySchema.safeParse(policy).error).toBeUndefined()
      const known = acls.flatMap(({ principal }) => principal.slice('User:'.length))
      for (const user of users) {
        const access = computeAccess(directory, 'main', { name: user, labels: {} }, new Set(topics), now)
        const gives = (operation: 'read' | 'write', name: string): boolean =>
          isAdmitted(access, { resource: 'topic', pattern: 'literal', name, operation })
        for (const operation of ['read', 'write'] as const) {
          const kafka = (topic: string): boolean => kafkaAllows(acls, user, operation.toUpperCase(), topic)
          // a user of whom nothing tells but an ACL for everybody has no name here
          if (known.includes(user))
            for (const topic of topics) expect([topic, gives(operation, topic)]).toEqual([topic, kafka(topic)])
          if (gives(operation, later)) expect(kafka(later)).toBe(true)
        }
      }
    }),
    { numRuns: 1_000 },
  )
})
