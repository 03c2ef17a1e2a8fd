import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type Credential, newCredential } from '../../shared/domain/rotation.ts'
import type { CredentialStore } from '../../shared/store/credential-store.ts'
import { now } from '../fixtures/policies.ts'

const later = (milliseconds: number): Date => new Date(now.getTime() + milliseconds)
const newCluster = (): string => `cluster-${randomUUID()}`

const worked = (cluster: string, principal = 'billing'): Credential => ({
  ...newCredential(principal, cluster),
  slots: {
    a: { state: 'active', since: now, generation: 3, health: 'works', checkedAt: later(1), toldAt: later(2) },
    b: { state: 'created', since: later(3), generation: 7, health: 'unprobed', checkedAt: later(4), toldAt: later(5) },
  },
  wanted: false,
  failures: { count: 2, step: 'create', reason: 'cluster_unavailable', retryAt: later(6) },
  claim: { by: 'a-worker', until: later(7) },
})

/** @param make a store; every test has clusters of its own, so several may share one */
export const testCredentialStore = (name: string, make: () => Promise<CredentialStore>): void => {
  /** `due` of an index that lags a moment, asked until it shows what is expected, without what other tests left. */
  const dueIn = async (store: CredentialStore, cluster: string, at: Date, expected: readonly string[]) => {
    const ask = async () =>
      (await store.due(at, 1_000)).filter((key) => key.cluster === cluster).map(({ principal }) => principal)
    await expect.poll(ask).toEqual(expected)
  }

  describe(`${name}: a stored credential`, () => {
    test('that never was written does not exist', async () => {
      const store = await make()

      expect(await store.read(newCluster(), 'billing')).toBeUndefined()
      expect(await store.list(newCluster())).toEqual([])
    })

    test.each([
      { what: 'new', make: (cluster: string) => newCredential('billing', cluster), dueAt: now },
      { what: 'with everything that it can have', make: (cluster: string) => worked(cluster), dueAt: undefined },
    ])('comes back as it was written: $what', async ({ make: credentialOf, dueAt }) => {
      const store = await make()
      const credential = credentialOf(newCluster())

      expect(await store.write(0, credential, dueAt)).toBe(true)

      expect(await store.read(credential.cluster, 'billing')).toEqual({ credential, version: 1, dueAt })
    })

    test('is written only over the version that was read', async () => {
      const store = await make()
      const cluster = newCluster()
      const credential = newCredential('billing', cluster)
      expect(await store.write(1, credential, now)).toBe(false)
      expect(await store.write(0, credential, now)).toBe(true)

      expect(await store.write(0, worked(cluster), now)).toBe(false)
      expect(await store.write(2, worked(cluster), now)).toBe(false)
      expect(await store.read(cluster, 'billing')).toEqual({ credential, version: 1, dueAt: now })
      expect(await store.write(1, worked(cluster), undefined)).toBe(true)
      expect(await store.read(cluster, 'billing')).toEqual({
        credential: worked(cluster),
        version: 2,
        dueAt: undefined,
      })
    })

    test('is written by one of 20 that try at once', async () => {
      const store = await make()
      const credential = newCredential('billing', newCluster())

      const outcomes = await Promise.all(Array.from({ length: 20 }, () => store.write(0, credential, now)))

      expect(outcomes.filter(Boolean)).toHaveLength(1)
    })

    test('loses what it no longer has', async () => {
      const store = await make()
      const cluster = newCluster()
      await store.write(0, worked(cluster), now)

      await store.write(1, { ...worked(cluster), failures: undefined, claim: undefined }, undefined)

      expect((await store.read(cluster, 'billing'))?.credential).toMatchObject({
        failures: undefined,
        claim: undefined,
      })
    })

    test('is removed only in the version that was read, and can then be made anew', async () => {
      const store = await make()
      const cluster = newCluster()
      expect(await store.remove(cluster, 'billing', 0)).toBe(false)
      await store.write(0, worked(cluster), now)

      expect(await store.remove(cluster, 'billing', 2)).toBe(false)
      expect(await store.remove(cluster, 'billing', 1)).toBe(true)
      expect(await store.read(cluster, 'billing')).toBeUndefined()
      expect(await store.write(0, worked(cluster), now)).toBe(true)
    })

    test('is listed with those of its cluster, by name of the principal, and with all', async () => {
      const store = await make()
      const [cluster, other] = [newCluster(), newCluster()]
      await store.write(0, worked(cluster, 'orders-api'), now)
      await store.write(0, worked(cluster, 'billing'), undefined)
      await store.write(0, worked(other, 'stranger'), now)

      const listed = await store.list(cluster)
      expect(listed.map(({ credential }) => credential.principal)).toEqual(['billing', 'orders-api'])
      expect(listed[1]).toEqual({ credential: worked(cluster, 'orders-api'), version: 1, dueAt: now })
      const all = (await store.list()).map(({ credential }) => credential.cluster)
      expect(all.filter((each) => each === cluster || each === other).sort()).toEqual([cluster, cluster, other].sort())
    })
  })

  describe(`${name}: what is due`, () => {
    test('is found from its time on, the longest due first, and not what waits for nothing', async () => {
      const store = await make()
      const cluster = newCluster()
      const times = { third: later(3), first: later(1), second: later(2), fourth: later(60_000) }
      for (const [principal, dueAt] of Object.entries(times)) await store.write(0, worked(cluster, principal), dueAt)
      await store.write(0, worked(cluster, 'never'), undefined)

      await dueIn(store, cluster, later(2), ['first', 'second'])
      await dueIn(store, cluster, later(59_999), ['first', 'second', 'third'])
      await dueIn(store, cluster, later(60_000), ['first', 'second', 'third', 'fourth'])
    })

    test('is no longer due when it was put off, waits for nothing or is gone', async () => {
      const store = await make()
      const cluster = newCluster()
      for (const principal of ['off', 'nothing', 'gone', 'stays']) await store.write(0, worked(cluster, principal), now)
      await dueIn(store, cluster, now, expect.arrayContaining(['off', 'nothing', 'gone', 'stays']))

      await store.write(1, worked(cluster, 'off'), later(1))
      await store.write(1, worked(cluster, 'nothing'), undefined)
      await store.remove(cluster, 'gone', 1)

      await dueIn(store, cluster, now, ['stays'])
    })

    test('is bounded, and the longest due are the ones that are found', async () => {
      const store = await make()
      const cluster = newCluster()
      // before anything that other tests write
      const time = (index: number): Date => new Date(index)
      for (let index = 0; index < 30; index++) await store.write(0, worked(cluster, `p${index}`), time(index))
      await dueIn(store, cluster, time(29), expect.objectContaining({ length: 30 }))

      const found = await store.due(now, 10)

      expect(found.map(({ principal }) => principal)).toEqual(Array.from({ length: 10 }, (_, index) => `p${index}`))
    })
  })
}
