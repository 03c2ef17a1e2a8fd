import { describe, expect, test } from 'vitest'
import type { RecordedUse } from '../../shared/domain/use.ts'
import type { UseStore } from '../../shared/store/use-store.ts'

const aUse = (given: Partial<RecordedUse> = {}): RecordedUse => ({
  principal: 'orders-api',
  asked: { produce: ['kafka://acme/orders/**'], consume: [] },
  clusters: ['main'],
  until: new Date('2026-11-21T12:00:00.000Z'),
  ...given,
})

const listed = async (store: UseStore): Promise<readonly RecordedUse[]> => {
  const found: RecordedUse[] = []
  for await (const use of store.list()) found.push(use)
  return found
}

/** @param make a store in which nothing was written yet */
export const testUseStore = (name: string, make: () => Promise<UseStore>): void => {
  describe(`${name}: a recorded use`, () => {
    test('comes back as it was written, of channels as of a token', async () => {
      const store = await make()
      const token = aUse({ principal: 'audit', asked: { token: 'main' } })

      for (const use of [aUse(), token]) await store.write(use)

      expect(await listed(store)).toEqual([token, aUse()])
    })

    test('is one for the same principal, channels and clusters: a later one takes its place', async () => {
      const store = await make()
      const later = aUse({ until: new Date('2026-11-22T12:00:00.000Z') })

      for (const use of [aUse(), later]) await store.write(use)

      expect(await listed(store)).toEqual([later])
    })

    test('is another for other channels, another cluster, or a principal whose name begins alike', async () => {
      const store = await make()
      const uses = [
        aUse(),
        aUse({ asked: { produce: [], consume: ['kafka://acme/orders/**'] } }),
        aUse({ clusters: ['main', 'other'] }),
        aUse({ principal: 'orders-api-2' }),
      ]

      for (const use of uses) await store.write(use)

      expect(await listed(store)).toHaveLength(4)
    })

    test('with more channels than a key holds is kept whole', async () => {
      const store = await make()
      const produce = Array.from({ length: 200 }, (_, at) => `kafka://acme/${'x'.repeat(100)}/${at}`)
      const use = aUse({ asked: { produce, consume: [] } })

      await store.write(use)

      expect(await listed(store)).toEqual([use])
    })

    test('is gone when it was removed, and removing it again succeeds', async () => {
      const store = await make()
      await store.write(aUse())

      for (let time = 0; time < 2; time++) await store.remove(aUse())

      expect(await listed(store)).toEqual([])
    })

    test('is on one of as many pages as there are', async () => {
      const store = await make()
      const produce = Array.from({ length: 100 }, (_, at) => `kafka://acme/${'x'.repeat(200)}/${at}`)
      const uses = Array.from({ length: 60 }, (_, at) =>
        aUse({ principal: `p-${at}`, asked: { produce, consume: [] } }),
      )

      for (const use of uses) await store.write(use)

      expect(await listed(store)).toHaveLength(60)
    })
  })
}
