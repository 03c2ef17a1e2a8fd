import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Acl } from '../../shared/domain/access.ts'
import type { AccessStore } from '../../shared/store/access-store.ts'
import { now } from '../fixtures/policies.ts'

const later = (milliseconds: number): Date => new Date(now.getTime() + milliseconds)
const newCluster = (): string => `cluster-${randomUUID()}`
const labels = { team: 'payments', env: 'prod' }

const acls: readonly Acl[] = [
  { resource: 'topic', pattern: 'prefixed', name: 'orders.', operation: 'write' },
  { resource: 'topic', pattern: 'literal', name: 'orders.created', operation: 'read' },
  { resource: 'group', pattern: 'literal', name: 'a:name:with:colons', operation: 'read' },
  { resource: 'transactional-id', pattern: 'prefixed', name: 'orders-', operation: 'write' },
]

/** @param make a store; every test has a cluster of its own, so several may share one */
export const testAccessStore = (name: string, make: () => Promise<AccessStore>): void => {
  describe(`${name}: a request for access`, () => {
    test('is for a message the first time, and notes the labels', async () => {
      const store = await make()
      const cluster = newCluster()

      expect(await store.request(cluster, 'billing', labels, now)).toBe(true)

      const noted = await store.read(cluster, 'billing')
      expect(noted).toEqual({ cluster, principal: 'billing', labels, acls: [], policies: [] })
    })

    test.each([
      { milliseconds: 0, expected: false },
      { milliseconds: 9_999, expected: false },
      { milliseconds: 10_000, expected: true },
      { milliseconds: 60_000, expected: true },
    ])('with the same labels $milliseconds ms later answers $expected', async ({ milliseconds, expected }) => {
      const store = await make()
      const cluster = newCluster()
      await store.request(cluster, 'billing', labels, now)

      expect(await store.request(cluster, 'billing', { ...labels }, later(milliseconds))).toBe(expected)
    })

    test('that was answered with no does not start the 10 s again', async () => {
      const store = await make()
      const cluster = newCluster()
      await store.request(cluster, 'billing', labels, now)
      await store.request(cluster, 'billing', labels, later(9_000))

      expect(await store.request(cluster, 'billing', labels, later(10_000))).toBe(true)
    })

    test.each([
      { change: 'another value', changed: { team: 'finance', env: 'prod' } },
      { change: 'one more', changed: { ...labels, tier: 'gold' } },
      { change: 'one less', changed: { team: 'payments' } },
      { change: 'none at all', changed: {} },
    ])('is for a message at once when the labels are others: $change', async ({ changed }) => {
      const store = await make()
      const cluster = newCluster()
      await store.request(cluster, 'billing', labels, now)

      expect(await store.request(cluster, 'billing', changed, later(1))).toBe(true)

      expect((await store.read(cluster, 'billing'))?.labels).toEqual(changed)
      expect(await store.request(cluster, 'billing', changed, later(2))).toBe(false)
    })

    test('with the labels in another order is the same', async () => {
      const store = await make()
      const cluster = newCluster()
      await store.request(cluster, 'billing', { team: 'payments', env: 'prod' }, now)

      expect(await store.request(cluster, 'billing', { env: 'prod', team: 'payments' }, later(1))).toBe(false)
    })

    test('is for a message once when 20 ask at once', async () => {
      const store = await make()
      const cluster = newCluster()

      const outcomes = await Promise.all(
        Array.from({ length: 20 }, () => store.request(cluster, 'billing', labels, now)),
      )

      expect(outcomes.filter(Boolean)).toHaveLength(1)
    })

    test('is for each principal and cluster alone', async () => {
      const store = await make()
      const cluster = newCluster()
      await store.request(cluster, 'billing', labels, now)

      expect(await store.request(cluster, 'orders-api', labels, now)).toBe(true)
      expect(await store.request(newCluster(), 'billing', labels, now)).toBe(true)
    })

    test('is for a message when rotate was there first', async () => {
      const store = await make()
      const cluster = newCluster()
      await store.recordApplied({ cluster, principal: 'billing', acls, policies: ['sha256:one'] }, now)

      expect(await store.request(cluster, 'billing', {}, later(1))).toBe(true)
    })

    test('keeps what was applied', async () => {
      const store = await make()
      const cluster = newCluster()
      await store.recordApplied({ cluster, principal: 'billing', acls, policies: ['sha256:one'] }, now)

      await store.request(cluster, 'billing', labels, now)

      const noted = await store.read(cluster, 'billing')
      expect(noted).toEqual({ cluster, principal: 'billing', labels, acls, policies: ['sha256:one'], appliedAt: now })
    })
  })

  describe(`${name}: what a request was for`, () => {
    const recorded = (cluster: string) => ({ cluster, principal: 'billing', acls, policies: ['sha256:one'] })

    test('is kept, and not answered before somebody says so', async () => {
      const store = await make()
      const cluster = newCluster()
      await store.request(cluster, 'billing', labels, now, 'orders')
      expect(await store.read(cluster, 'billing')).toMatchObject({
        asked: { need: 'orders', at: now },
        answered: false,
      })

      await store.recordApplied(recorded(cluster), later(1))
      expect(await store.read(cluster, 'billing')).toMatchObject({ answered: false })
    })

    test('is answered by access that was made after it', async () => {
      const store = await make()
      const cluster = newCluster()
      await store.request(cluster, 'billing', labels, now, 'orders')
      const { asked } = (await store.read(cluster, 'billing')) ?? {}

      await store.recordApplied({ ...recorded(cluster), answers: asked }, later(1))

      expect(await store.read(cluster, 'billing')).toMatchObject({ asked, answered: true })
    })

    test('is not answered by what answers an earlier request', async () => {
      const store = await make()
      const cluster = newCluster()
      await store.request(cluster, 'billing', labels, now, 'orders')
      const { asked } = (await store.read(cluster, 'billing')) ?? {}
      await store.request(cluster, 'billing', labels, later(10_000), 'orders')

      await store.recordApplied({ ...recorded(cluster), answers: asked }, later(10_001))

      expect(await store.read(cluster, 'billing')).toMatchObject({ answered: false })
    })

    test('stays what it was while requests come too soon for a message', async () => {
      const store = await make()
      const cluster = newCluster()
      await store.request(cluster, 'billing', labels, now, 'orders')
      await store.request(cluster, 'billing', labels, later(1), 'payouts')

      expect(await store.read(cluster, 'billing')).toMatchObject({ asked: { need: 'orders', at: now } })
    })
  })

  describe(`${name}: applied access`, () => {
    test('that never was recorded does not exist', async () => {
      const store = await make()

      expect(await store.read(newCluster(), 'billing')).toBeUndefined()
    })

    test('comes back as it was recorded, with no labels for a principal that was never seen', async () => {
      const store = await make()
      const cluster = newCluster()

      await store.recordApplied({ cluster, principal: 'orders-api', acls, policies: ['sha256:a', 'sha256:b'] }, now)

      expect(await store.read(cluster, 'orders-api')).toEqual({
        cluster,
        principal: 'orders-api',
        labels: {},
        acls,
        policies: ['sha256:a', 'sha256:b'],
        appliedAt: now,
      })
    })

    test('is replaced and not added to, and keeps the labels and the time of the last request', async () => {
      const store = await make()
      const cluster = newCluster()
      await store.request(cluster, 'billing', labels, now)
      await store.recordApplied({ cluster, principal: 'billing', acls, policies: ['sha256:one'] }, later(1))

      await store.recordApplied({ cluster, principal: 'billing', acls: [], policies: ['sha256:two'] }, later(2))

      const noted = await store.read(cluster, 'billing')
      const appliedAt = later(2)
      expect(noted).toEqual({ cluster, principal: 'billing', labels, acls: [], policies: ['sha256:two'], appliedAt })
      expect(await store.request(cluster, 'billing', labels, later(9_999))).toBe(false)
    })

    test('is listed for one cluster, by name of the principal', async () => {
      const store = await make()
      const [cluster, other] = [newCluster(), newCluster()]
      await store.recordApplied({ cluster, principal: 'orders-api', acls, policies: ['sha256:one'] }, now)
      await store.request(cluster, 'billing', labels, now)
      await store.request(other, 'stranger', labels, now)

      expect(await store.list(cluster)).toEqual([
        { cluster, principal: 'billing', labels, acls: [], policies: [] },
        { cluster, principal: 'orders-api', labels: {}, acls, policies: ['sha256:one'], appliedAt: now },
      ])
      expect(await store.list(newCluster())).toEqual([])
    })
  })
}
