import { describe, expect, it } from 'vitest'
import type { Cluster, CredentialKind } from '../../shared/domain/cluster.ts'
import { mergeUsers, possibleUsers, principalUsers } from '../../shared/domain/kafka-users.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import type { Credential, SlotState } from '../../shared/domain/rotation.ts'
import { aCluster, aDirectory } from '../fixtures/policies.ts'
import { aCredential } from '../fixtures/stored-credentials.ts'

const clusterOf = (policy: Partial<Policy['clusters'][string]>): Cluster => {
  const found = aDirectory({ clusters: { main: aCluster(policy) } }).clusters.get('main')
  if (found === undefined) throw new Error('expected the cluster')
  return found
}

const usersWith = (auth: readonly CredentialKind[], credential: Credential | undefined): readonly string[] =>
  principalUsers(clusterOf({ auth: [...auth] }), 'sb.', 'orders-api', credential).flatMap(({ user, hasAccess }) =>
    hasAccess ? [user] : [],
  )

const active = aCredential({ a: {} })

describe('the access of a principal', () => {
  it.each<[string, readonly CredentialKind[], Credential | undefined, readonly string[]]>([
    ['is that of its token user on a cluster of tokens', ['jwt'], undefined, ['sb.orders-api']],
    ['is that of its slot on a cluster of stored credentials', ['scram'], active, ['sb.orders-api@a']],
    ['is that of both where both are taken', ['jwt', 'scram'], active, ['sb.orders-api', 'sb.orders-api@a']],
    ['is nobody’s before there is a slot', ['scram'], undefined, []],
    ['is no slot’s any more on a cluster that takes only tokens now', ['jwt'], active, ['sb.orders-api']],
  ])('%s', (_, auth, credential, expected) => {
    expect(usersWith(auth, credential)).toEqual(expected)
  })

  it.each<[SlotState, boolean]>([
    ['absent', false],
    ['created', true],
    ['settling', true],
    ['ready', true],
    ['active', true],
    ['draining', true],
    ['fenced', false],
  ])('of a slot that is %s: %s', (state, expected) => {
    expect(usersWith(['scram'], aCredential({ b: { state } }))).toEqual(expected ? ['sb.orders-api@b'] : [])
  })

  const named = (credential: Credential) =>
    principalUsers(clusterOf({ auth: ['scram'] }), 'sb.', 'orders-api', credential).map(({ user }) => user)

  it('names every user that may have something left', () => {
    const rotated = aCredential({ a: {}, b: { state: 'absent', generation: 1 } })
    expect(named(rotated)).toEqual(['sb.orders-api', 'sb.orders-api@a', 'sb.orders-api@b'])
  })

  it('is that of one service account, whichever of its two API keys is handed out', () => {
    const cloud = { provider: 'confluent', id: 'lkc-1', identityPools: { 'orders-api': 'pool-1' } } as const
    const both = clusterOf({ ...cloud, auth: ['jwt', 'api-key'], serviceAccounts: { 'orders-api': 'sa-1' } })
    const rotated = aCredential({ a: { state: 'draining' }, b: {} })
    for (const credential of [undefined, rotated])
      expect(principalUsers(both, 'sb.', 'orders-api', credential)).toEqual([
        { user: 'pool-1', hasAccess: true },
        { user: 'sa-1', hasAccess: true },
      ])
    const tokensAlone = clusterOf({ ...cloud, auth: ['jwt'], serviceAccounts: { 'orders-api': 'sa-1' } })
    expect(principalUsers(tokensAlone, 'sb.', 'orders-api', rotated)).toContainEqual({ user: 'sa-1', hasAccess: false })
    expect(possibleUsers(both, 'sb.', 'orders-api')).toEqual(['pool-1', 'sa-1'])
  })

  it('of several settings is what any of them gives', () => {
    const merged = mergeUsers([
      [
        { user: 'pool-1', hasAccess: true },
        { user: 'sa-1', hasAccess: false },
      ],
      [
        { user: 'pool-1', hasAccess: false },
        { user: 'sa-1', hasAccess: true },
      ],
    ])
    expect(merged).toEqual([
      { user: 'pool-1', hasAccess: true },
      { user: 'sa-1', hasAccess: true },
    ])
  })

  it('leaves out the name of a slot that was never ours: it may be a stranger’s', () => {
    expect(named(active)).toEqual(['sb.orders-api', 'sb.orders-api@a'])
  })
})
