import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  entryAfterFailure,
  type InventoryEntry,
  type Snapshot,
  sourceAfterFailure,
  sourceAfterListing,
} from '../../shared/domain/inventory.ts'
import { type InventoryStore, type StoredEntry, snapshotAddress } from '../../shared/store/inventory-store.ts'
import { aFoundCluster, anEntry, aSnapshot, look } from '../fixtures/inventories.ts'

export type InventoryStoreUnderTest = {
  readonly store: InventoryStore
  /** What a writer leaves that is killed before the entry names its snapshot. */
  readonly writeSnapshotAlone: (snapshot: Snapshot) => Promise<void>
  /** Takes away a part of what is stored. */
  readonly damage: (address: string) => Promise<void>
}

const withTopics = (...names: readonly string[]): Snapshot =>
  aSnapshot({ parts: { topics: names.map((name) => ({ name, partitions: 1, replication: 1 })) } })

/** Random text does not compress, so this is several chunks and more than one page of a query. */
const largeSnapshot = () =>
  aSnapshot({ cluster: aFoundCluster({ tags: { large: randomBytes(1_200_000).toString('base64') } }) })

const entriesOf = async (list: AsyncIterable<StoredEntry>): Promise<readonly InventoryEntry[]> => {
  const found: InventoryEntry[] = []
  for await (const { entry } of list) found.push(entry)
  return found
}

/** @param make a store in which nothing was written yet */
export const testInventoryStore = (name: string, make: () => Promise<InventoryStoreUnderTest>): void => {
  const written = async (store: InventoryStore, snapshot: Snapshot): Promise<StoredEntry> => {
    const last = await store.read(snapshot)
    const entry = anEntry(snapshot)
    expect(await store.write(last, entry, snapshot)).toBe(true)
    return (await store.read(snapshot)) ?? expect.unreachable()
  }

  describe(`${name}: an entry of the inventory`, () => {
    test('is not there before it is written', async () => {
      const { store } = await make()

      expect(await store.read({ source: 'prod', id: 'arn:x' })).toBeUndefined()
      expect(await entriesOf(store.list())).toEqual([])
    })

    test('comes back as it was written, with its snapshot', async () => {
      const { store } = await make()
      const snapshot = aSnapshot()
      const entry = anEntry(snapshot, {
        vanishedAt: new Date('2026-11-22T00:00:00.000Z'),
        failing: { code: 'throttled', detail: 'asked too often', since: look },
        unknown: { topics: { code: 'denied', detail: 'the topics of `payments`', since: look } },
      })

      expect(await store.write(undefined, entry, snapshot)).toBe(true)

      expect((await store.read(snapshot))?.entry).toEqual(entry)
      expect(await store.readSnapshot(entry.snapshot ?? '')).toEqual(snapshot)
    })

    test('of a cluster that nobody ever saw has no snapshot', async () => {
      const { store } = await make()
      const failure = { code: 'denied', detail: 'the login was refused' } as const
      const entry = entryAfterFailure({ source: 'prod', id: 'arn:x' }, undefined, failure, look, 'payments')

      expect(await store.write(undefined, entry)).toBe(true)

      expect((await store.read(entry))?.entry).toEqual(entry)
    })

    test('is listed with the others of its source, in their order, and never with those of a source that begins alike', async () => {
      const { store } = await make()
      const entries = ['arn:b', 'arn:a'].flatMap((id) =>
        ['prod', 'prod-2', 'pro'].map((source) => anEntry(aSnapshot({ source, id }))),
      )
      for (const entry of entries) await store.write(undefined, entry)

      const keys = (await entriesOf(store.list('prod'))).map(({ source, id }) => `${source} ${id}`)
      expect(keys).toEqual(['prod arn:a', 'prod arn:b'])
      expect(await entriesOf(store.list())).toHaveLength(6)
    })

    test('is listed whole when there are more than a page holds', async () => {
      const { store } = await make()
      const failure = { code: 'denied', detail: 'x'.repeat(4_000) } as const
      const ids = Array.from({ length: 400 }, (_, at) => `arn:${String(at).padStart(4, '0')}`)
      for (const id of ids)
        await store.write(undefined, entryAfterFailure({ source: 'prod', id }, undefined, failure, look))

      expect((await entriesOf(store.list('prod'))).map(({ id }) => id)).toEqual(ids)
    })

    test('is written by one of 10 writers at once that saw the same', async () => {
      const { store } = await make()
      const first = await written(store, withTopics('a'))

      const won = await Promise.all(
        Array.from({ length: 10 }, (_, at) => {
          const snapshot = withTopics('a', `topic-${at}`)
          return store.write(first, anEntry(snapshot), snapshot)
        }),
      )

      expect(won.filter(Boolean)).toHaveLength(1)
      const current = (await store.read(first.entry))?.entry.snapshot ?? ''
      expect(await store.readSnapshot(current)).toEqual(withTopics('a', `topic-${won.indexOf(true)}`))
    })

    test('is not written by who saw nothing when there is one, or one when there is nothing', async () => {
      const { store } = await make()
      const first = await written(store, withTopics('a'))

      expect(await store.write(undefined, anEntry(withTopics('b')), withTopics('b'))).toBe(false)
      await store.remove(first)
      expect(await store.write(first, anEntry(withTopics('b')), withTopics('b'))).toBe(false)

      expect(await store.read(first.entry)).toBeUndefined()
    })
  })

  describe(`${name}: a snapshot`, () => {
    test('of many chunks comes back whole', async () => {
      const { store } = await make()
      const snapshot = largeSnapshot()
      const { entry } = await written(store, snapshot)

      expect(await store.readSnapshot(entry.snapshot ?? '')).toEqual(snapshot)
    })

    test('can still be read by who began before the cluster changed, and is gone when it changed twice', async () => {
      const { store } = await make()
      const [a, b, c] = [withTopics('a'), withTopics('b'), withTopics('c')]
      await written(store, a)

      await written(store, b)
      expect(await store.readSnapshot(snapshotAddress(a))).toEqual(a)

      await written(store, c)
      expect(await store.readSnapshot(snapshotAddress(b))).toEqual(b)
      await expect(store.readSnapshot(snapshotAddress(a))).rejects.toThrow('is incomplete')
    })

    test('to which a cluster comes back is there, however often it changes between two', async () => {
      const { store } = await make()
      const [a, b] = [withTopics('a'), withTopics('b')]
      for (const snapshot of [a, b, a, b, b, a]) {
        await written(store, snapshot)
        expect(await store.readSnapshot(snapshotAddress(snapshot))).toEqual(snapshot)
      }
    })

    test('is there while only its entry is written', async () => {
      const { store } = await make()
      const snapshot = withTopics('a')
      let last = await written(store, withTopics('before'))
      last = await written(store, snapshot)
      for (let looks = 0; looks < 3; looks++) {
        expect(await store.write(last, { ...last.entry, seenAt: new Date(look.getTime() + looks) })).toBe(true)
        last = (await store.read(snapshot)) ?? expect.unreachable()
      }

      expect(await store.readSnapshot(last.entry.snapshot ?? '')).toEqual(snapshot)
      expect(await store.readSnapshot(last.superseded ?? '')).toEqual(withTopics('before'))
    })

    test('whose writer was killed before the entry named it changes nothing for anybody', async () => {
      const { store, writeSnapshotAlone } = await make()
      const first = await written(store, withTopics('a'))

      await writeSnapshotAlone(withTopics('a', 'b'))

      const found = await store.read(first.entry)
      expect(found).toEqual(first)
      expect(await store.readSnapshot(found?.entry.snapshot ?? '')).toEqual(withTopics('a'))
      // and the next worker is not in its way
      await written(store, withTopics('a', 'b'))
    })

    test('that is damaged is refused, and whole when it is written again', async () => {
      const { store, damage } = await make()
      const snapshot = largeSnapshot()
      const { entry } = await written(store, snapshot)
      await damage(entry.snapshot ?? '')

      await expect(store.readSnapshot(entry.snapshot ?? '')).rejects.toThrow()

      await written(store, snapshot)
      expect(await store.readSnapshot(entry.snapshot ?? '')).toEqual(snapshot)
    })

    test('goes with its entry, unless somebody wrote that since', async () => {
      const { store } = await make()
      const first = await written(store, withTopics('a'))
      const second = await written(store, withTopics('b'))

      expect(await store.remove(first)).toBe(false)
      expect(await store.readSnapshot(second.entry.snapshot ?? '')).toEqual(withTopics('b'))
      expect(await store.remove(second)).toBe(true)

      expect(await store.read(second.entry)).toBeUndefined()
      for (const snapshot of [withTopics('a'), withTopics('b')])
        await expect(store.readSnapshot(snapshotAddress(snapshot))).rejects.toThrow('is incomplete')
    })
  })

  describe(`${name}: a source of the inventory`, () => {
    test('comes back as it was written, until it is removed', async () => {
      const { store } = await make()
      const denied = { code: 'denied', detail: 'no rights for `env-2`' } as const
      const listed = sourceAfterListing(undefined, 'acme', 12, [{ prefix: 'env-2/', ...denied }], look)
      const failed = sourceAfterFailure(listed, 'acme', { code: 'throttled', detail: 'asked too often' }, look)
      const other = sourceAfterFailure(undefined, 'prod/eu-west-1', denied, look)

      await store.writeSource(listed)
      expect(await store.readSource('acme')).toEqual(listed)
      await store.writeSource(failed)
      await store.writeSource(other)
      expect(await store.listSources()).toEqual([failed, other])

      await store.removeSource('acme')
      expect(await store.readSource('acme')).toBeUndefined()
      expect(await store.listSources()).toEqual([other])
    })
  })
}
