import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { DirectoryStore } from '../../shared/store/directory-store.ts'
import { contentAddress } from '../../shared/store/documents.ts'
import { aCluster, aPolicy, revoked } from '../fixtures/policies.ts'

/** What only somebody with the storage itself in hand can do to a policy. */
export type StorageDamage = {
  readonly removeHead: (hash: string) => Promise<void>
  readonly removeLastChunk: (hash: string) => Promise<void>
  /** Leaves whole and readable chunks there, of other content. */
  readonly replaceContent: (hash: string, text: string) => Promise<void>
}

export type DirectoryStoreUnderTest = { readonly store: DirectoryStore; readonly damage: StorageDamage }

/** Random text does not compress, so this is several chunks and more than one page of a query. */
const largePolicy = () => aPolicy({ clusters: { main: aCluster({ ca: randomBytes(1_200_000).toString('base64') }) } })

const nothingElse = { facts: undefined, next: undefined, denied: [] }

/** @param make a store in which nothing was written yet */
export const testDirectoryStore = (name: string, make: () => Promise<DirectoryStoreUnderTest>): void => {
  describe(`${name}: the pointer`, () => {
    test('is revision 0 of nothing before the first apply', async () => {
      const { store } = await make()

      expect(await store.readPointer()).toEqual({
        revision: 0,
        policy: undefined,
        facts: undefined,
        next: undefined,
        denied: [],
      })
    })

    test('takes what it is given and counts its revisions', async () => {
      const { store } = await make()

      expect(await store.swapPointer(0, { policy: undefined, facts: undefined, next: 'sha256:a', denied: [] })).toBe(
        true,
      )
      const denied = [revoked('intruder'), revoked('billing', 'main')]
      expect(await store.swapPointer(1, { policy: 'sha256:a', facts: undefined, next: undefined, denied })).toBe(true)

      const pointer = await store.readPointer()
      expect(pointer).toEqual({ revision: 2, policy: 'sha256:a', facts: undefined, next: undefined, denied })
    })

    test.each([0, 1, 3])('is not moved by a writer that saw revision %i when it has 2', async (expected) => {
      const { store } = await make()
      await store.swapPointer(0, { policy: 'sha256:a', ...nothingElse })
      await store.swapPointer(1, { policy: 'sha256:b', ...nothingElse })

      const swapped = await store.swapPointer(expected, { policy: 'sha256:late', ...nothingElse })

      expect(swapped).toBe(false)
      expect(await store.readPointer()).toMatchObject({ revision: 2, policy: 'sha256:b' })
    })

    test('is not moved by a writer that saw a revision before the first', async () => {
      const { store } = await make()

      expect(await store.swapPointer(4, { policy: 'sha256:early', ...nothingElse })).toBe(false)
      expect(await store.readPointer()).toMatchObject({ revision: 0, policy: undefined })
    })

    test.each([
      { from: 'nothing', revision: 0 },
      { from: 'a policy', revision: 1 },
    ])('is moved from $from by one of 20 writers at once, and says which', async ({ revision }) => {
      const { store } = await make()
      if (revision === 1) await store.swapPointer(0, { policy: 'sha256:first', ...nothingElse })

      const swapped = await Promise.all(
        Array.from({ length: 20 }, (_, writer) =>
          store.swapPointer(revision, { policy: `sha256:${writer}`, ...nothingElse }),
        ),
      )

      expect(swapped.filter(Boolean)).toHaveLength(1)
      const pointer = await store.readPointer()
      expect(pointer).toMatchObject({ revision: revision + 1, policy: `sha256:${swapped.indexOf(true)}` })
    })

    test('loses none of 20 changes when each writer reads again and tries again', async () => {
      const { store } = await make()
      const deny = async (principal: string): Promise<void> => {
        for (;;) {
          const { revision, policy, next, denied } = await store.readPointer()
          if (
            await store.swapPointer(revision, {
              policy,
              facts: undefined,
              next,
              denied: [...denied, revoked(principal)],
            })
          )
            return
        }
      }
      const principals = Array.from({ length: 20 }, (_, index) => `principal-${String(index).padStart(2, '0')}`)

      await Promise.all(principals.map(deny))

      const { revision, denied } = await store.readPointer()
      expect(revision).toBe(20)
      expect(denied.map(({ principal }) => principal).sort()).toEqual(principals)
    })
  })

  describe(`${name}: the history`, () => {
    const appliedAt = new Date('2026-11-21T12:00:00.000Z')

    test('has every policy that was put in force, the latest first, and no other change of the pointer', async () => {
      const { store } = await make()
      await store.swapPointer(0, { policy: undefined, facts: undefined, next: 'sha256:a', denied: [] })
      await store.swapPointer(1, { policy: 'sha256:a', ...nothingElse }, appliedAt)
      await store.swapPointer(2, {
        policy: 'sha256:a',
        facts: undefined,
        next: undefined,
        denied: [revoked('intruder')],
      })
      const later = new Date(appliedAt.getTime() + 1000)
      await store.swapPointer(3, { policy: 'sha256:b', ...nothingElse }, later)

      expect(await store.listRevisions()).toEqual([
        { revision: 4, policy: 'sha256:b', appliedAt: later },
        { revision: 2, policy: 'sha256:a', appliedAt },
      ])
      expect(await store.readPointer()).toMatchObject({ revision: 4, policy: 'sha256:b' })
    })

    test('is in the order of the numbers beyond the ninth', async () => {
      const { store } = await make()
      for (let revision = 0; revision < 12; revision++)
        await store.swapPointer(revision, { policy: `sha256:${revision}`, ...nothingElse }, appliedAt)

      const revisions = (await store.listRevisions()).map(({ revision }) => revision)
      expect(revisions).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    })

    test.each([0, 1, 3])('has nothing of a writer that saw revision %i when it has 2', async (expected) => {
      const { store } = await make()
      await store.swapPointer(0, { policy: 'sha256:a', ...nothingElse }, appliedAt)
      await store.swapPointer(1, { policy: 'sha256:b', ...nothingElse }, appliedAt)
      const before = await store.listRevisions()

      expect(await store.swapPointer(expected, { policy: 'sha256:late', ...nothingElse }, appliedAt)).toBe(false)

      expect(await store.listRevisions()).toEqual(before)
      expect(before.map(({ policy }) => policy)).toEqual(['sha256:b', 'sha256:a'])
    })

    test('takes at most one of 10 writers at once', async () => {
      const { store } = await make()

      const swapped = await Promise.all(
        Array.from({ length: 10 }, (_, writer) =>
          store.swapPointer(0, { policy: `sha256:${writer}`, ...nothingElse }, appliedAt),
        ),
      )

      const revisions = await store.listRevisions()
      expect(swapped.filter(Boolean).length).toBe(revisions.length)
      expect(revisions.length).toBeLessThanOrEqual(1)
      expect(revisions[0]?.policy).toBe((await store.readPointer()).policy)
    })
  })

  describe(`${name}: a policy`, () => {
    test('comes back as it was written, under the hash of its content', async () => {
      const { store } = await make()
      const policy = aPolicy({ grants: [{ principals: ['orders-api'], produce: ['kafka://acme/größe/**'] }] })

      const hash = await store.writePolicy(policy)

      expect(hash).toMatch(/^sha256:[0-9a-f]{64}$/)
      expect(await store.readPolicy(hash)).toEqual(policy)
    })

    test('of many chunks comes back whole', async () => {
      const { store } = await make()
      const policy = largePolicy()

      const hash = await store.writePolicy(policy)

      expect(await store.readPolicy(hash)).toEqual(policy)
    })

    test('has one address however its members are ordered, and writing it again changes nothing', async () => {
      const { store } = await make()
      const { identities, ...rest } = aPolicy()

      const first = await store.writePolicy({ identities, ...rest })
      const second = await store.writePolicy({ ...rest, identities })

      expect(second).toBe(first)
      expect(await store.readPolicy(first)).toEqual(aPolicy())
    })

    test('that was never written is refused', async () => {
      const { store } = await make()

      await expect(store.readPolicy(contentAddress('nothing'))).rejects.toThrow('is incomplete')
    })

    test('whose writer was killed before the head is refused, and is whole once it is written again', async () => {
      const { store, damage } = await make()
      const hash = await store.writePolicy(aPolicy())
      await damage.removeHead(hash)

      await expect(store.readPolicy(hash)).rejects.toThrow('is incomplete')

      await store.writePolicy(aPolicy())
      expect(await store.readPolicy(hash)).toEqual(aPolicy())
    })

    test('that lacks a chunk is refused', async () => {
      const { store, damage } = await make()
      const hash = await store.writePolicy(largePolicy())
      await damage.removeLastChunk(hash)

      await expect(store.readPolicy(hash)).rejects.toThrow('is incomplete')
    })

    test('whose content is not that of its address is refused', async () => {
      const { store, damage } = await make()
      const hash = await store.writePolicy(aPolicy())
      await damage.replaceContent(hash, JSON.stringify(aPolicy({ kafkaUserPrefix: 'other.' })))

      await expect(store.readPolicy(hash)).rejects.toThrow('has other content than its address')
    })
  })
}
