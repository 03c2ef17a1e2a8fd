import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isRevoked,
  isRevokedOn,
  type Revocation,
  withoutRevocation,
  withRevocation,
} from '../../shared/domain/revocation.ts'
import { revoked } from '../fixtures/policies.ts'

describe('who is revoked', () => {
  it('everywhere is revoked on every cluster', () => {
    expect(isRevoked([revoked('billing')], 'billing')).toBe(true)
    expect(isRevokedOn([revoked('billing')], 'billing', 'main')).toBe(true)
  })

  it('on one cluster is revoked there and nowhere else', () => {
    const denied = [revoked('billing', 'main')]
    expect(isRevoked(denied, 'billing')).toBe(false)
    expect(isRevokedOn(denied, 'billing', 'main')).toBe(true)
    expect(isRevokedOn(denied, 'billing', 'other')).toBe(false)
    expect(isRevokedOn(denied, 'orders-api', 'main')).toBe(false)
  })
})

describe('the list', () => {
  it('stays as it is when nothing changes, so that nothing is written', () => {
    const denied = [revoked('billing'), revoked('orders-api', 'main')]
    expect(withRevocation(denied, revoked('billing'))).toBe(denied)
    expect(withRevocation(denied, revoked('billing', 'main'))).toBe(denied)
    expect(withRevocation(denied, revoked('orders-api', 'main'))).toBe(denied)
    expect(withoutRevocation(denied, revoked('orders-api', 'other'))).toBe(denied)
    expect(withoutRevocation(denied, revoked('stranger'))).toBe(denied)
  })

  it('has no clusters of somebody who is revoked everywhere, and a restore without a cluster ends them all', () => {
    const onTwo = [revoked('billing', 'main'), revoked('billing', 'other'), revoked('orders-api')]
    expect(withRevocation(onTwo, revoked('billing'))).toEqual([revoked('orders-api'), revoked('billing')])
    expect(withoutRevocation(onTwo, revoked('billing'))).toEqual([revoked('orders-api')])
    expect(withoutRevocation(onTwo, revoked('billing', 'main'))).toEqual([onTwo[1], onTwo[2]])
  })

  const anyRevocation = fc
    .tuple(fc.constantFrom('a', 'b'), fc.constantFrom('x', 'y', undefined))
    .map(([principal, cluster]) => revoked(principal, cluster))
  const listOf = (changes: readonly Revocation[]): readonly Revocation[] =>
    changes.reduce<readonly Revocation[]>(withRevocation, [])

  it('revokes what was added and changes nothing for anybody else', () => {
    fc.assert(
      fc.property(fc.array(anyRevocation), anyRevocation, (before, added) => {
        const list = listOf(before)
        const after = withRevocation(list, added)
        for (const principal of ['a', 'b'])
          for (const cluster of ['x', 'y']) {
            const isMeant = principal === added.principal && (added.cluster ?? cluster) === cluster
            expect(isRevokedOn(after, principal, cluster)).toBe(isMeant || isRevokedOn(list, principal, cluster))
          }
        expect(withRevocation(after, added)).toBe(after)
      }),
    )
  })

  it('revokes nobody after everybody was restored, and restoring one leaves the others', () => {
    fc.assert(
      fc.property(fc.array(anyRevocation), (before) => {
        const list = listOf(before)
        const withoutA = withoutRevocation(list, revoked('a'))
        expect(withoutA).toEqual(list.filter(({ principal }) => principal === 'b'))
        expect(withoutRevocation(withoutA, revoked('b'))).toEqual([])
      }),
    )
  })
})
