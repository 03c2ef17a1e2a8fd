import { describe, expect, it } from 'vitest'
import { countCredentials, isOverdue } from '../../shared/domain/credential-census.ts'
import { rotationContext } from '../../shared/domain/provider-clock.ts'
import { type Credential, fail, newCredential, type Slot, type SlotName } from '../../shared/domain/rotation.ts'
import { now } from '../fixtures/policies.ts'

const day = 86_400
const ago = (seconds: number): Date => new Date(now.getTime() - seconds * 1000)
const contextOf = (credential: Credential) => rotationContext(credential, undefined, now)

const aCredential = (
  principal: string,
  slots: Partial<Record<SlotName, Partial<Slot>>>,
  changes: Partial<Credential> = {},
): Credential => {
  const fresh = newCredential(principal, 'main')
  return {
    ...fresh,
    slots: { a: { ...fresh.slots.a, ...slots.a }, b: { ...fresh.slots.b, ...slots.b } },
    ...changes,
  }
}

const calm = aCredential('calm', { a: { state: 'active', since: ago(10 * day) } })

const failed = (times: number): Credential =>
  Array.from({ length: times }).reduce<Credential>(
    (credential) =>
      fail(
        credential,
        { kind: 'create', slot: 'b', unlessLeased: false },
        'cluster_unavailable',
        contextOf(credential),
      ),
    calm,
  )

describe('a credential is overdue', () => {
  const overdue = (credential: Credential, dueAt: Date | undefined): boolean =>
    isOverdue({ credential, dueAt }, contextOf(credential))

  it('when nobody came for it a quarter of an hour after it was due', () => {
    expect(overdue(calm, undefined)).toBe(false)
    expect(overdue(calm, new Date(now.getTime() + 1000))).toBe(false)
    expect(overdue(calm, ago(15 * 60))).toBe(false)
    expect(overdue(calm, ago(15 * 60 + 1))).toBe(true)
  })

  it('when what is handed out is older than the policy allows and every try would have taken', () => {
    const aged = (seconds: number) => aCredential('aged', { b: { state: 'active', since: ago(seconds) } })
    expect(overdue(aged(30 * day), undefined)).toBe(false)
    expect(overdue(aged(30 * day + 30 * 60), undefined)).toBe(false)
    expect(overdue(aged(30 * day + 60 * 60), undefined)).toBe(true)
  })

  it('by its age only while it is wanted', () => {
    const old = aCredential('old', { a: { state: 'active', since: ago(100 * day) } }, { wanted: false })
    expect(overdue(old, undefined)).toBe(false)
    expect(overdue(old, ago(3600))).toBe(true)
  })
})

describe('a census', () => {
  it('of nothing counts nothing, in every state', () => {
    expect(countCredentials([], contextOf)).toEqual({
      states: { absent: 0, created: 0, settling: 0, ready: 0, active: 0, draining: 0, fenced: 0 },
      oldestSeconds: 0,
      stuck: 0,
      overdue: 0,
    })
  })

  it('counts slots by state, the stuck, the overdue, and the age of the oldest that is handed out', () => {
    const rotating = aCredential('rotating', {
      a: { state: 'draining', since: ago(50 * day) },
      b: { state: 'active', since: ago(20 * day) },
    })
    const all = [
      { credential: calm, dueAt: undefined },
      { credential: rotating, dueAt: ago(3600) },
      { credential: failed(4), dueAt: undefined },
      { credential: failed(5), dueAt: undefined },
    ]
    expect(countCredentials(all, contextOf)).toEqual({
      states: { absent: 3, created: 0, settling: 0, ready: 0, active: 4, draining: 1, fenced: 0 },
      oldestSeconds: 20 * day,
      stuck: 1,
      overdue: 1,
    })
  })
})
