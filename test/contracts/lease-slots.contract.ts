import { randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { HeldSlot } from '../../shared/domain/lease-slots.ts'
import type { Credential, Slot, SlotName } from '../../shared/domain/rotation.ts'
import type { CredentialStore, SlotCheck } from '../../shared/store/credential-store.ts'
import type { Lease, LeaseStore } from '../../shared/store/lease-store.ts'
import { now } from '../fixtures/policies.ts'
import { aCredential } from '../fixtures/stored-credentials.ts'

export type LeasesAndCredentials = { readonly leases: LeaseStore; readonly credentials: CredentialStore }

const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1000)
const expiresAt = later(600)
const maximum = 10
const a1: HeldSlot = { slot: 'a', generation: 1 }
const b1: HeldSlot = { slot: 'b', generation: 1 }
const handedOut = (held: HeldSlot, cluster = 'main-1'): SlotCheck => ({ cluster, ...held, isNew: true })
const kept = (held: HeldSlot, cluster = 'main-1'): SlotCheck => ({ cluster, ...held, isNew: false })
const countOf = (outcomes: readonly unknown[], outcome: unknown): number =>
  outcomes.filter((each) => each === outcome).length

/** @param make stores that know each other; every test has a principal of its own, so several may share them */
export const testLeaseSlots = (name: string, make: () => Promise<LeasesAndCredentials>): void => {
  const start = async (slots: Partial<Record<SlotName, Partial<Slot>>>, changes: { wanted?: boolean } = {}) => {
    const { leases, credentials } = await make()
    const principal = `principal-${randomUUID()}`
    const put = async (next: Credential): Promise<void> => {
      const version = (await credentials.read(next.cluster, principal))?.version ?? 0
      expect(await credentials.write(version, next, undefined)).toBe(true)
    }
    const become = (
      next: Partial<Record<SlotName, Partial<Slot>>>,
      more: { wanted?: boolean; cluster?: string } = {},
    ): Promise<void> => put(aCredential(next, { principal, cluster: 'main-1', ...more }))
    await become(slots, changes)
    const aLease = (more: Partial<Lease> = {}): Lease => ({
      principal,
      id: `lease_${randomBytes(16).toString('hex')}`,
      instance: 'pod-1',
      intent: { produce: ['kafka://acme/orders/created'], consume: [] },
      clusters: ['main-1'],
      channels: ['kafka://acme/orders/created'],
      directory: 'sha256:one',
      etag: '"one"',
      issuedAt: now,
      expiresAt,
      credentialExpiresAt: 'never',
      slots: { 'main-1': [a1] },
      ...more,
    })
    const isHeld = (held: HeldSlot, at = now, cluster = 'main-1') =>
      leases.isSlotHeld({ principal, cluster, ...held }, at)
    return { leases, principal, become, aLease, isHeld }
  }

  describe(`${name}: a lease with slots`, () => {
    test('comes back as it was created, by itself and in the list', async () => {
      const { leases, principal, aLease } = await start({ a: {} })
      const lease = aLease()

      expect(await leases.create(lease, maximum, now, [handedOut(a1)])).toBe('created')

      expect(await leases.read(principal, lease.id, now)).toEqual(lease)
      expect(await leases.list(principal, now)).toEqual([lease])
    })

    test('is not there for others, nor when it never was, ended or was released', async () => {
      const { leases, principal, aLease } = await start({ a: {} })
      const lease = aLease()
      expect(await leases.read(principal, lease.id, now)).toBeUndefined()
      await leases.create(lease, maximum, now, [handedOut(a1)])

      expect(await leases.read(`${principal}2`, lease.id, now)).toBeUndefined()
      expect(await leases.read(principal, lease.id, expiresAt)).toBeUndefined()
      await leases.release(principal, lease.id, now)
      expect(await leases.read(principal, lease.id, now)).toBeUndefined()
    })

    test.each<[string, Partial<Record<SlotName, Partial<Slot>>>, { wanted?: boolean }]>([
      ['drains', { a: { state: 'draining' }, b: {} }, {}],
      ['is ready and not active yet', { a: { state: 'ready' } }, {}],
      ['was fenced', { a: { state: 'fenced' } }, {}],
      ['has another secret', { a: { generation: 2 } }, {}],
      ['nobody may have any more', { a: {} }, { wanted: false }],
    ])('is not created with a slot that %s', async (_, slots, changes) => {
      const { leases, principal, aLease } = await start(slots, changes)

      expect(await leases.create(aLease(), maximum, now, [handedOut(a1)])).toBe('stale')
      expect(await leases.keep(aLease(), maximum, now, [handedOut(a1)])).toBe('stale')

      expect(await leases.list(principal, now)).toEqual([])
      // nor does it count
      expect(await leases.create(aLease({ slots: undefined }), 1, now)).toBe('created')
    })

    test('is not created where there is no credential at all', async () => {
      const { leases, aLease } = await start({ a: {} })
      const slots = { 'other-1': [a1] }

      expect(await leases.create(aLease({ slots }), maximum, now, [handedOut(a1, 'other-1')])).toBe('stale')
    })

    test('needs every one of its slots', async () => {
      const { leases, become, aLease } = await start({ a: {} })
      await become({ a: { state: 'draining' } }, { cluster: 'other-1' })
      const slots = { 'main-1': [a1], 'other-1': [a1] }
      const checks = [handedOut(a1), handedOut(a1, 'other-1')]

      expect(await leases.create(aLease({ slots }), maximum, now, checks)).toBe('stale')
      await become({ a: {} }, { cluster: 'other-1' })
      expect(await leases.create(aLease({ slots }), maximum, now, checks)).toBe('created')
    })

    test('that exists or does not fit says so, whatever its slots are', async () => {
      const { leases, become, aLease } = await start({ a: {} })
      const lease = aLease()
      await leases.create(lease, maximum, now, [handedOut(a1)])
      await become({ b: {} })

      expect(await leases.create(lease, maximum, now, [handedOut(a1)])).toBe('exists')
      expect(await leases.create(aLease(), 1, now, [handedOut(a1)])).toBe('capped')
    })

    test('is renewed with a slot that drains, and with what is active beside it', async () => {
      const { leases, principal, become, aLease } = await start({ a: {} })
      const lease = aLease()
      await leases.create(lease, maximum, now, [handedOut(a1)])
      await become({ a: { state: 'draining' }, b: {} })
      const slots = { 'main-1': [a1, b1] }

      expect(await leases.renew({ ...lease, slots }, now, [kept(a1), handedOut(b1)])).toBe('renewed')

      expect(await leases.read(principal, lease.id, now)).toEqual({ ...lease, slots })
    })

    test('is not renewed with a slot that was fenced, and stays as it was', async () => {
      const { leases, principal, become, aLease } = await start({ a: {} })
      const lease = aLease()
      await leases.create(lease, maximum, now, [handedOut(a1)])
      await become({ a: { state: 'fenced' }, b: {} })
      const unchanged = { ...lease, expiresAt: later(900), credentialLivesUntil: later(300) }

      expect(await leases.renew({ ...lease, etag: '"two"' }, now, [kept(a1)])).toBe('stale')
      expect(await leases.renewUnchanged(unchanged, now, [kept(a1)])).toBe(false)

      expect(await leases.read(principal, lease.id, now)).toEqual(lease)
    })

    test('is renewed unchanged for as long as its slots are kept', async () => {
      const { leases, principal, become, aLease } = await start({ a: {} })
      const lease = aLease()
      await leases.create(lease, maximum, now, [handedOut(a1)])
      await become({ a: { state: 'draining' }, b: {} })
      const unchanged = { ...lease, expiresAt: later(900), credentialLivesUntil: later(300) }

      expect(await leases.renewUnchanged(unchanged, now, [kept(a1)])).toBe(true)
      expect(await leases.renewUnchanged({ ...unchanged, etag: '"two"' }, now, [kept(a1)])).toBe(false)

      expect(await leases.read(principal, lease.id, now)).toEqual({ ...lease, expiresAt: later(900) })
    })

    test('that never was is absent to a renewal, whatever its slots are', async () => {
      const { leases, aLease } = await start({ a: {} })

      expect(await leases.renew(aLease(), now, [kept(a1)])).toBe('absent')
      expect(await leases.renew(aLease(), now, [kept(b1)])).toBe('absent')
    })

    test('lets go of slots when it is renewed without', async () => {
      const { leases, principal, aLease, isHeld } = await start({ a: {} })
      const lease = aLease()
      await leases.create(lease, maximum, now, [handedOut(a1)])

      await leases.renew({ ...lease, slots: undefined }, now)

      expect(await leases.read(principal, lease.id, now)).toEqual({ ...lease, slots: undefined })
      expect(await isHeld(a1)).toBe(false)
    })

    test('is kept once, and again when its answer is another', async () => {
      const { leases, principal, become, aLease } = await start({ a: {} })
      const lease = aLease({ expiresAt: 'never' })
      expect(await leases.keep(lease, maximum, now, [handedOut(a1)])).toBe('kept')
      expect(await leases.keep({ ...lease, channels: [] }, maximum, now, [handedOut(a1)])).toBe('kept')
      expect(await leases.read(principal, lease.id, now)).toEqual(lease)
      await become({ a: { state: 'draining' }, b: {} })
      const next = { ...lease, etag: '"two"', slots: { 'main-1': [a1, b1] } }

      expect(await leases.keep(next, maximum, now, [kept(a1), handedOut(b1)])).toBe('kept')

      expect(await leases.read(principal, lease.id, now)).toEqual(next)
    })
  })

  describe(`${name}: a slot`, () => {
    test('is held while an unexpired lease names it, also beside another', async () => {
      const { leases, become, aLease, isHeld } = await start({ a: {} })
      const lease = aLease()
      expect(await isHeld(a1)).toBe(false)
      await leases.create(lease, maximum, now, [handedOut(a1)])

      expect(await isHeld(a1)).toBe(true)
      await become({ a: { state: 'draining' }, b: {} })
      await leases.renew({ ...lease, slots: { 'main-1': [a1, b1] } }, now, [kept(a1), handedOut(b1)])
      expect([await isHeld(a1), await isHeld(b1)]).toEqual([true, true])
      await leases.renew({ ...lease, slots: { 'main-1': [b1] } }, now, [kept(b1)])
      expect([await isHeld(a1), await isHeld(b1)]).toEqual([false, true])
    })

    test('is not held by a lease that ended or was released, nor on another cluster or in another generation', async () => {
      const { leases, principal, aLease, isHeld } = await start({ a: {} })
      const lease = aLease()
      await leases.create(lease, maximum, now, [handedOut(a1)])

      expect(await isHeld(a1, expiresAt)).toBe(false)
      expect(await isHeld(a1, now, 'other-1')).toBe(false)
      expect(await isHeld({ slot: 'a', generation: 2 })).toBe(false)
      await leases.release(principal, lease.id, now)
      expect(await isHeld(a1)).toBe(false)
    })

    test('is not held by leases of tokens', async () => {
      const { leases, aLease, isHeld } = await start({ a: {} })
      await leases.create(aLease({ slots: undefined }), maximum, now)

      expect(await isHeld(a1)).toBe(false)
    })

    test('is found among 300 leases that do not name it', async () => {
      const { leases, aLease, isHeld } = await start({ a: {} })
      for (let batch = 0; batch < 10; batch++)
        await Promise.all(
          Array.from({ length: 30 }, () => leases.create(aLease({ slots: { 'other-1': [a1] } }), 1_000, now)),
        )
      expect(await isHeld(a1)).toBe(false)
      await leases.create(aLease(), 1_000, now, [handedOut(a1)])

      expect(await isHeld(a1)).toBe(true)
    })

    test('that is fenced at once is either not handed out or seen to be held', async () => {
      for (let round = 0; round < 5; round++) {
        const { leases, become, aLease, isHeld } = await start({ a: {} })
        const [outcomes] = await Promise.all([
          Promise.all(Array.from({ length: 5 }, () => leases.create(aLease(), maximum, now, [handedOut(a1)]))),
          become({ a: { state: 'draining' }, b: {} }),
        ])
        expect(countOf(outcomes, 'created') + countOf(outcomes, 'stale')).toBe(5)
        expect(await isHeld(a1)).toBe(outcomes.includes('created'))
        expect(await leases.create(aLease(), maximum, now, [handedOut(a1)])).toBe('stale')
      }
    })
  })
}
