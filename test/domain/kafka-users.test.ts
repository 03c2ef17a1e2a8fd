import { describe, expect, it } from 'vitest'
import type { CredentialKind } from '../../shared/domain/cluster.ts'
import { principalUsers } from '../../shared/domain/kafka-users.ts'
import type { Credential, SlotState } from '../../shared/domain/rotation.ts'
import { aCredential } from '../fixtures/stored-credentials.ts'

const usersWith = (auth: readonly CredentialKind[], credential: Credential | undefined): readonly string[] =>
  principalUsers({ auth }, 'sb.', 'orders-api', credential).flatMap(({ user, hasAccess }) => (hasAccess ? [user] : []))

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
    principalUsers({ auth: ['scram'] }, 'sb.', 'orders-api', credential).map(({ user }) => user)

  it('names every user that may have something left', () => {
    const rotated = aCredential({ a: {}, b: { state: 'absent', generation: 1 } })
    expect(named(rotated)).toEqual(['sb.orders-api', 'sb.orders-api@a', 'sb.orders-api@b'])
  })

  it('leaves out the name of a slot that was never ours: it may be a stranger’s', () => {
    expect(named(active)).toEqual(['sb.orders-api', 'sb.orders-api@a'])
  })
})
