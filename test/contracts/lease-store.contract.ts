import { randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Lease, LeaseStore } from '../../shared/store/lease-store.ts'
import { now } from '../fixtures/policies.ts'

const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1000)
const lifeSeconds = 600
const anyMaximum = 100

const newPrincipal = (): string => `principal-${randomUUID()}`

type TimedLease = Lease & { readonly expiresAt: Date }

const aLease = (changes: Partial<TimedLease> = {}): TimedLease => {
  const issuedAt = changes.issuedAt ?? now
  const expiresAt = new Date(issuedAt.getTime() + lifeSeconds * 1000)
  return {
    principal: newPrincipal(),
    id: `lease_${randomBytes(16).toString('hex')}`,
    instance: 'pod-1',
    intent: { produce: ['kafka://acme/orders/created'], consume: [], family: 'java' },
    clusters: ['main'],
    channels: ['kafka://acme/orders/created'],
    directory: 'sha256:one',
    etag: '"one"',
    issuedAt,
    expiresAt,
    credentialExpiresAt: expiresAt,
    ...changes,
  }
}

const unchangedOf = (
  { principal, id, etag }: Lease,
  changes: { readonly etag?: string; readonly lives?: Date } = {},
) => ({
  principal,
  id,
  etag: changes.etag ?? etag,
  expiresAt: later(900),
  credentialLivesUntil: changes.lives ?? later(300),
})

const createMany = (store: LeaseStore, count: number, maximum: number, changes: Partial<TimedLease>, at: Date = now) =>
  Promise.all(Array.from({ length: count }, () => store.create(aLease({ issuedAt: at, ...changes }), maximum, at)))

const countOf = (outcomes: readonly string[], outcome: string): number =>
  outcomes.filter((each) => each === outcome).length

/** @param make a store; every test has principals of its own, so several may share one */
export const testLeaseStore = (name: string, make: () => Promise<LeaseStore>): void => {
  describe(`${name}: a lease`, () => {
    test('comes back as it was created', async () => {
      const store = await make()
      const lease = aLease()

      expect(await store.create(lease, anyMaximum, now)).toBe('created')

      expect(await store.list(lease.principal, now)).toEqual([lease])
    })

    test('without an instance comes back without one', async () => {
      const store = await make()
      const lease = aLease({ instance: undefined })

      await store.create(lease, anyMaximum, now)

      expect(await store.list(lease.principal, now)).toEqual([lease])
    })

    test('exists already when the same instance asks again, and stays as it was', async () => {
      const store = await make()
      const lease = aLease()
      await store.create(lease, anyMaximum, now)

      expect(await store.create({ ...lease, etag: '"two"' }, anyMaximum, later(1))).toBe('exists')

      expect(await store.list(lease.principal, now)).toEqual([lease])
    })

    test('that ended is replaced by a new one of the same id', async () => {
      const store = await make()
      const lease = aLease()
      await store.create(lease, anyMaximum, now)
      const next = aLease({ principal: lease.principal, id: lease.id, issuedAt: later(lifeSeconds), etag: '"two"' })

      expect(await store.create(next, anyMaximum, later(lifeSeconds))).toBe('created')

      expect(await store.list(lease.principal, later(lifeSeconds))).toEqual([next])
    })

    test('is created by one of 10 processes that ask for the same one at once', async () => {
      const store = await make()
      const lease = aLease()

      const outcomes = await Promise.all(Array.from({ length: 10 }, () => store.create(lease, anyMaximum, now)))

      expect(countOf(outcomes, 'created')).toBe(1)
      expect(countOf(outcomes, 'exists')).toBe(9)
    })

    test('is no longer listed from the instant of its expiry on', async () => {
      const store = await make()
      const lease = aLease()
      await store.create(lease, anyMaximum, now)

      expect(await store.list(lease.principal, new Date(lease.expiresAt.getTime() - 1))).toHaveLength(1)
      expect(await store.list(lease.principal, lease.expiresAt)).toEqual([])
    })

    test('of another principal does not exist', async () => {
      const store = await make()
      const lease = aLease()
      await store.create(lease, anyMaximum, now)
      const stranger = { ...lease, principal: newPrincipal(), etag: '"theirs"' }

      expect(await store.renew(stranger, now)).toBe('absent')
      expect(await store.renewUnchanged({ ...unchangedOf(lease), principal: stranger.principal }, now)).toBe(false)
      expect(await store.release(stranger.principal, lease.id, now)).toBe(false)
      expect(await store.list(stranger.principal, now)).toEqual([])

      expect(await store.create(stranger, anyMaximum, now)).toBe('created')
      expect(await store.list(lease.principal, now)).toEqual([lease])
    })
  })

  describe(`${name}: the maximum of leases`, () => {
    test('caps the next lease and lets the same instance have its own again', async () => {
      const store = await make()
      const lease = aLease()
      await store.create(lease, 2, now)
      await store.create(aLease({ principal: lease.principal }), 2, now)

      expect(await store.create(aLease({ principal: lease.principal }), 2, now)).toBe('capped')
      expect(await store.create(lease, 2, now)).toBe('exists')
      expect(await store.list(lease.principal, now)).toHaveLength(2)
    })

    test('is for each principal alone', async () => {
      const store = await make()

      expect(await store.create(aLease(), 1, now)).toBe('created')
      expect(await store.create(aLease(), 1, now)).toBe('created')
    })

    test('does not count leases that ended', async () => {
      const store = await make()
      const principal = newPrincipal()
      await createMany(store, 3, 3, { principal })
      expect(await store.create(aLease({ principal }), 3, now)).toBe('capped')

      const outcomes = [
        ...(await createMany(store, 3, 3, { principal }, later(lifeSeconds))),
        ...(await createMany(store, 1, 3, { principal }, later(lifeSeconds))),
      ]

      expect(outcomes).toEqual(['created', 'created', 'created', 'capped'])
    })

    test('counts those that are left when only some ended', async () => {
      const store = await make()
      const principal = newPrincipal()
      const [first] = [aLease({ principal }), ...(await createMany(store, 2, 3, { principal }))]
      await store.create(first, 3, now)
      await store.renew({ ...first, expiresAt: later(lifeSeconds * 2) }, now)

      expect(await createMany(store, 2, 3, { principal }, later(lifeSeconds))).toEqual(['created', 'created'])
      expect(await createMany(store, 1, 3, { principal }, later(lifeSeconds))).toEqual(['capped'])
    })

    test('counts an instance that comes back after its end once', async () => {
      const store = await make()
      const lease = aLease()
      const { principal, id } = lease
      for (const at of [now, later(lifeSeconds), later(2 * lifeSeconds)])
        expect(await store.create(aLease({ principal, id, issuedAt: at }), 2, at)).toBe('created')

      const at = later(2 * lifeSeconds)
      expect(await createMany(store, 1, 2, { principal }, at)).toEqual(['created'])
      expect(await createMany(store, 1, 2, { principal }, at)).toEqual(['capped'])
    })

    test('has room again after a release, and only for one', async () => {
      const store = await make()
      const lease = aLease()
      await store.create(lease, 1, now)

      expect(await store.release(lease.principal, lease.id, now)).toBe(true)

      expect(await createMany(store, 1, 1, { principal: lease.principal })).toEqual(['created'])
      expect(await createMany(store, 1, 1, { principal: lease.principal })).toEqual(['capped'])
    })

    test('that was lowered caps at once, and one that was raised lets more in', async () => {
      const store = await make()
      const principal = newPrincipal()
      await createMany(store, 4, 4, { principal })

      expect(await createMany(store, 1, 2, { principal })).toEqual(['capped'])
      expect(await createMany(store, 1, 5, { principal })).toEqual(['created'])
    })

    test('is never exceeded by creates at once', async () => {
      const store = await make()
      const principal = newPrincipal()

      const outcomes = await createMany(store, 20, 5, { principal })

      expect(countOf(outcomes, 'created')).toBe(5)
      expect(countOf(outcomes, 'capped')).toBe(15)
      expect(await store.list(principal, now)).toHaveLength(5)
    })

    test('is never exceeded by creates at once that all find it full of ended leases', async () => {
      const store = await make()
      // which of them overtakes which is chance, so that several rounds see more than one
      for (let round = 1; round <= 4; round++) {
        const principal = newPrincipal()
        await createMany(store, 5, 5, { principal })

        const outcomes = await createMany(store, 40, 5, { principal }, later(lifeSeconds))

        expect(await store.list(principal, later(lifeSeconds))).toHaveLength(5)
        expect(countOf(outcomes, 'created')).toBe(5)
        expect(countOf(outcomes, 'capped')).toBe(35)
      }
    })

    test('is never exceeded while others release', async () => {
      const store = await make()
      const principal = newPrincipal()
      const held = Array.from({ length: 5 }, () => aLease({ principal }))
      for (const lease of held) await store.create(lease, 5, now)

      const [outcomes] = await Promise.all([
        createMany(store, 20, 5, { principal }),
        ...held.slice(0, 3).map((lease) => store.release(principal, lease.id, now)),
      ])

      const listed = await store.list(principal, now)
      expect(listed.length).toBeLessThanOrEqual(5)
      expect(listed).toHaveLength(2 + countOf(outcomes, 'created'))
    })
  })

  describe(`${name}: a renewal`, () => {
    test('stores what is answered now and keeps who and since when', async () => {
      const store = await make()
      const lease = aLease()
      await store.create(lease, anyMaximum, now)
      const renewed: Lease = {
        ...lease,
        intent: { produce: [], consume: ['kafka://acme/orders/**'] },
        clusters: ['main', 'other'],
        channels: ['kafka://acme/orders/**'],
        directory: 'sha256:two',
        etag: '"two"',
        issuedAt: later(300),
        expiresAt: later(900),
        credentialExpiresAt: later(900),
      }

      expect(await store.renew(renewed, later(300))).toBe('renewed')

      expect(await store.list(lease.principal, later(lifeSeconds))).toEqual([{ ...renewed, issuedAt: lease.issuedAt }])
    })

    test('of a lease that never was or that ended makes none', async () => {
      const store = await make()
      const lease = aLease()
      expect(await store.renew(lease, now)).toBe('absent')
      await store.create(lease, anyMaximum, now)

      expect(await store.renew({ ...lease, expiresAt: later(2 * lifeSeconds) }, later(lifeSeconds))).toBe('absent')

      expect(await store.list(lease.principal, later(lifeSeconds))).toEqual([])
    })

    test('that changes nothing moves the expiry alone', async () => {
      const store = await make()
      const lease = aLease()
      await store.create(lease, anyMaximum, now)

      expect(await store.renewUnchanged(unchangedOf(lease), later(299))).toBe(true)

      expect(await store.list(lease.principal, later(lifeSeconds))).toEqual([{ ...lease, expiresAt: later(900) }])
    })

    test('that changes nothing is refused for another etag', async () => {
      const store = await make()
      const lease = aLease()
      await store.create(lease, anyMaximum, now)

      expect(await store.renewUnchanged(unchangedOf(lease, { etag: '"two"' }), now)).toBe(false)

      expect(await store.list(lease.principal, now)).toEqual([lease])
    })

    test.each([
      { credential: 'outlives the next refresh', endsAfter: 301, expected: true },
      { credential: 'ends at the next refresh', endsAfter: 300, expected: false },
      { credential: 'ends before the next refresh', endsAfter: 299, expected: false },
    ])('that changes nothing answers $expected when the credential $credential', async ({ endsAfter, expected }) => {
      const store = await make()
      const lease = aLease({ credentialExpiresAt: later(endsAfter) })
      await store.create(lease, anyMaximum, now)

      expect(await store.renewUnchanged(unchangedOf(lease, { lives: later(300) }), now)).toBe(expected)
    })

    test('that changes nothing never lengthens the credential', async () => {
      const store = await make()
      const lease = aLease()
      await store.create(lease, anyMaximum, now)
      await store.renewUnchanged(unchangedOf(lease), now)

      const renewed = await store.renewUnchanged(unchangedOf(lease, { lives: later(700) }), later(500))

      expect(renewed).toBe(false)
    })

    test('that changes nothing is refused for a lease that never was or that ended', async () => {
      const store = await make()
      const lease = aLease({ credentialExpiresAt: later(3600) })
      expect(await store.renewUnchanged(unchangedOf(lease), now)).toBe(false)
      await store.create(lease, anyMaximum, now)

      expect(await store.renewUnchanged(unchangedOf(lease), later(lifeSeconds))).toBe(false)
      expect(await store.list(lease.principal, later(lifeSeconds))).toEqual([])
    })
  })

  describe(`${name}: a release`, () => {
    test('ends the lease, once', async () => {
      const store = await make()
      const lease = aLease()
      const other = aLease({ principal: lease.principal })
      await store.create(lease, anyMaximum, now)
      await store.create(other, anyMaximum, now)

      expect(await store.release(lease.principal, lease.id, now)).toBe(true)
      expect(await store.release(lease.principal, lease.id, now)).toBe(false)

      expect(await store.list(lease.principal, now)).toEqual([other])
      expect(await store.renew(lease, now)).toBe('absent')
    })

    test('of a lease that never was or that ended answers that there is none', async () => {
      const store = await make()
      const lease = aLease()
      expect(await store.release(lease.principal, lease.id, now)).toBe(false)
      await store.create(lease, anyMaximum, now)

      expect(await store.release(lease.principal, lease.id, later(lifeSeconds))).toBe(false)
    })

    test('is answered with yes to one of 5 that ask at once', async () => {
      const store = await make()
      const lease = aLease()
      await store.create(lease, 2, now)

      const released = await Promise.all(Array.from({ length: 5 }, () => store.release(lease.principal, lease.id, now)))

      expect(released.filter(Boolean)).toHaveLength(1)
      expect(await createMany(store, 3, 2, { principal: lease.principal })).toContain('capped')
    })
  })

  describe(`${name}: a lease without end`, () => {
    const standing: Partial<Lease> = { expiresAt: 'never', credentialExpiresAt: 'never' }
    const aStandingLease = (changes: Partial<Lease> = {}): Lease => ({ ...aLease(), ...standing, ...changes })
    const inAThousandYears = new Date('3026-11-21T12:00:00.000Z')

    test('is kept, comes back as it was, and does not end by itself', async () => {
      const store = await make()
      const lease = aStandingLease()

      expect(await store.keep(lease, anyMaximum, now)).toBe('kept')

      expect(await store.list(lease.principal, inAThousandYears)).toEqual([lease])
      const all = await store.listAll(inAThousandYears)
      expect(all.filter(({ principal }) => principal === lease.principal)).toEqual([lease])
    })

    test('stays as it was first stored when it is kept again', async () => {
      const store = await make()
      const lease = aStandingLease()
      await store.keep(lease, anyMaximum, now)

      const again = { ...lease, issuedAt: later(60), intent: {}, channels: [] }
      expect(await store.keep(again, anyMaximum, later(60))).toBe('kept')

      expect(await store.list(lease.principal, now)).toEqual([lease])
    })

    test.each([
      ['another answer', { etag: '"two"', clusters: ['other'] }],
      ['another policy', { directory: 'sha256:two' }],
    ])('says what is so now after %s, and keeps since when', async (_, changes) => {
      const store = await make()
      const lease = aStandingLease()
      await store.keep(lease, anyMaximum, now)

      expect(await store.keep({ ...lease, ...changes, issuedAt: later(60) }, anyMaximum, later(60))).toBe('kept')

      expect(await store.list(lease.principal, now)).toEqual([{ ...lease, ...changes }])
    })

    test('counts toward the maximum, for ever, and once', async () => {
      const store = await make()
      const lease = aStandingLease()
      const { principal } = lease
      for (const at of [now, later(1), later(lifeSeconds)]) await store.keep(lease, 2, at)

      expect(await createMany(store, 1, 2, { principal })).toEqual(['created'])
      expect(await store.keep(aStandingLease({ principal }), 2, now)).toBe('capped')
      expect(await createMany(store, 2, 2, { principal }, later(lifeSeconds))).toContain('capped')
      expect(await store.list(principal, inAThousandYears)).toEqual([lease])
    })

    test('is kept when the principal holds as many as it may', async () => {
      const store = await make()
      const lease = aStandingLease()
      await store.keep(lease, 1, now)

      expect(await store.keep({ ...lease, etag: '"two"' }, 1, now)).toBe('kept')
    })

    test('is stored once by 10 processes that keep it at once', async () => {
      const store = await make()
      const lease = aStandingLease()

      const outcomes = await Promise.all(Array.from({ length: 10 }, () => store.keep(lease, 2, now)))

      expect(countOf(outcomes, 'kept')).toBe(10)
      expect(await store.list(lease.principal, now)).toEqual([lease])
      expect(await createMany(store, 1, 2, { principal: lease.principal })).toEqual(['created'])
    })

    test('ends by a release, and is kept again as a new one', async () => {
      const store = await make()
      const lease = aStandingLease()
      await store.keep(lease, 1, now)

      expect(await store.release(lease.principal, lease.id, later(60))).toBe(true)
      expect(await store.list(lease.principal, later(60))).toEqual([])

      const next = { ...lease, issuedAt: later(60) }
      expect(await store.keep(next, 1, later(60))).toBe('kept')
      expect(await store.list(lease.principal, later(60))).toEqual([next])
    })

    test('that was given an end is kept again after it', async () => {
      const store = await make()
      const lease = aStandingLease()
      await store.keep({ ...lease, expiresAt: later(lifeSeconds) }, anyMaximum, now)
      expect(await store.list(lease.principal, later(lifeSeconds))).toEqual([])

      const next = { ...lease, issuedAt: later(lifeSeconds) }
      expect(await store.keep(next, anyMaximum, later(lifeSeconds))).toBe('kept')

      expect(await store.list(lease.principal, inAThousandYears)).toEqual([next])
    })

    test('takes the place of one with an end when the answer changes', async () => {
      const store = await make()
      const lease = aStandingLease()
      await store.keep({ ...lease, expiresAt: later(lifeSeconds), etag: '"earlier"' }, anyMaximum, now)

      await store.keep(lease, anyMaximum, later(1))

      expect(await store.list(lease.principal, inAThousandYears)).toEqual([lease])
    })

    test('of another principal is not touched', async () => {
      const store = await make()
      const lease = aStandingLease()
      await store.keep(lease, anyMaximum, now)
      const stranger = { ...lease, principal: newPrincipal(), etag: '"theirs"' }

      await store.keep(stranger, anyMaximum, now)

      expect(await store.list(lease.principal, now)).toEqual([lease])
      expect(await store.list(stranger.principal, now)).toEqual([stranger])
    })
  })

  describe(`${name}: all leases`, () => {
    test('are those of every principal that have not ended, and nothing else', async () => {
      const store = await make()
      const [first, second, ended] = [aLease(), aLease(), aLease({ issuedAt: later(-lifeSeconds) })]
      for (const lease of [first, second, ended]) await store.create(lease, anyMaximum, lease.issuedAt)

      const mine = (await store.listAll(now)).filter(({ principal }) =>
        [first, second, ended].some((lease) => lease.principal === principal),
      )

      expect(mine).toHaveLength(2)
      expect(mine).toEqual(expect.arrayContaining([first, second]))
    })
  })
}
