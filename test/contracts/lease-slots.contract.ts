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
    const heldUntil = (held: HeldSlot, at = now, cluster = 'main-1') =>
      leases.slotHeldUntil({ principal, cluster, ...held }, at)
    const isHeld = async (...asked: Parameters<typeof heldUntil>) => (await heldUntil(...asked)) !== undefined
    return { leases, principal, become, aLease, isHeld, heldUntil }
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

      await leases.renew({ ...lease, slots: undefined }, now, [], lease)

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
      const both = { ...lease, slots: { 'main-1': [a1, b1] } }
      await leases.renew(both, now, [kept(a1), handedOut(b1)], lease)
      expect([await isHeld(a1), await isHeld(b1)]).toEqual([true, true])
      await leases.renew({ ...lease, slots: { 'main-1': [b1] } }, now, [kept(b1)], both)
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

    test('is held until the last of its leases ends, whichever came first', async () => {
      const { leases, aLease, become, heldUntil } = await start({ a: {} })
      for (const seconds of [300, 900, 600])
        await leases.create(aLease({ expiresAt: later(seconds) }), maximum, now, [handedOut(a1)])
      expect(await heldUntil(a1)).toEqual(later(900))
      expect(await heldUntil(a1, later(899.999))).toEqual(later(900))
      expect(await heldUntil(a1, later(900))).toBeUndefined()
      await become({ a: { state: 'draining' }, b: {} })
      expect(await heldUntil(b1)).toBeUndefined()
    })

    test('is held for longer by a lease that is renewed with it, be its answer another or not', async () => {
      const { leases, aLease, heldUntil } = await start({ a: {} })
      const lease = aLease({ expiresAt: later(300) })
      await leases.create(lease, maximum, now, [handedOut(a1)])
      const longer = { ...lease, expiresAt: later(600) }
      await leases.renew(longer, now, [kept(a1)], lease)
      expect(await heldUntil(a1)).toEqual(later(600))
      const longest = { ...longer, expiresAt: later(900), credentialLivesUntil: later(300) }
      expect(await leases.renewUnchanged(longest, now, [kept(a1)], longer)).toBe(true)
      expect(await heldUntil(a1)).toEqual(later(900))
    })

    test('is held without end by a lease without end, until that lets go of it or is ended', async () => {
      const { leases, principal, become, aLease, heldUntil } = await start({ a: {} })
      const [moving, ended] = [aLease({ expiresAt: 'never' }), aLease({ expiresAt: 'never' })]
      for (const lease of [moving, ended]) await leases.keep(lease, maximum, now, [handedOut(a1)])
      expect(await heldUntil(a1)).toBe('never')
      await become({ a: { state: 'draining' }, b: {} })
      const moved = { ...moving, etag: '"two"', slots: { 'main-1': [b1] } }
      expect(await leases.keep(moved, maximum, now, [handedOut(b1)], moving)).toBe('kept')
      expect(await heldUntil(a1)).toBe('never')
      await leases.release(principal, ended.id, now)
      expect([await heldUntil(a1), await heldUntil(b1)]).toEqual([undefined, 'never'])
    })

    test('names its holders, on one cluster or on all, and reads no other lease', async () => {
      const { leases, principal, become, aLease } = await start({ a: {} })
      await become({ a: {} }, { cluster: 'other-1' })
      const here = aLease()
      const there = aLease({ slots: { 'other-1': [a1] } })
      const ended = aLease({ expiresAt: later(1) })
      const withoutSlots = aLease({ slots: undefined })
      await leases.create(here, maximum, now, [handedOut(a1)])
      await leases.create(there, maximum, now, [handedOut(a1, 'other-1')])
      await leases.create(ended, maximum, now, [handedOut(a1)])
      await leases.create(withoutSlots, maximum, now)
      const idsOf = async (slot: SlotName, cluster?: string) =>
        (await leases.listHolders(principal, slot, cluster, later(1))).map(({ id }) => id).sort()

      expect(await idsOf('a', 'main-1')).toEqual([here.id])
      expect(await idsOf('a')).toEqual([here.id, there.id].sort())
      expect(await idsOf('b')).toEqual([])
      expect(await leases.listHolders(principal, 'a', 'other-1', now)).toEqual([there])
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
