import { describe, expect, test } from 'vitest'
import type { Policy } from '../../../shared/domain/policy.ts'
import type { InventoryStore } from '../../../shared/store/inventory-store.ts'
import { aFoundCluster } from '../../fixtures/inventories.ts'
import { aCluster, aPolicy } from '../../fixtures/policies.ts'
import { aCrawl, aSource, someParts } from './a-crawl.ts'

const arn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/two/0a1b2c3d-0000-4000-8000-000000000000-1'
const route: Policy['routes'][number] = { channel: 'kafka://acme/orders', cluster: 'one', topic: 'orders' }
const policy = aPolicy({
  clusters: {
    one: aCluster({ labels: { tier: 'gold' } }),
    two: aCluster({ provider: 'msk', arn, auth: ['scram'], bootstrap: 'b-1.two:9096' }),
  },
  routes: [route, { ...route, channel: 'kafka://acme/bills', selector: { labels: { tier: 'gold' } } }],
})

/** A crawl of one MSK cluster of the policy in force, whose tags somebody changes. */
const aTagged = async (given: Policy = policy, wrap = (store: InventoryStore): InventoryStore => store) => {
  const source = aSource()
  const crawl = aCrawl({ sources: { prod: source }, wrap })
  const hash = await crawl.directories.writePolicy(given)
  await crawl.directories.swapPointer(0, { policy: hash, facts: undefined, next: undefined, denied: [] })
  const tag = (tags: Readonly<Record<string, string>>, version = '3.8.x'): void => {
    source.listed = [{ kind: 'cluster', ref: { id: arn, name: 'two' } }]
    source.clusters.set(arn, [
      { part: 'cluster', cluster: aFoundCluster({ tags, version }) },
      ...someParts('two').filter(({ part }) => part !== 'cluster'),
    ])
  }
  const warnings = () => crawl.telemetry.lines.filter(({ level }) => level === 'warn')
  return { ...crawl, tag, warnings }
}

const warning = {
  level: 'warn',
  message: 'selectors match a cluster that they are not pinned to',
  fields: {
    source: 'prod',
    id: arn,
    cluster: 'two',
    count: 1,
    routes: ['routes[1].cluster: `tier=gold` matches `two` by its tags; the route stays on `one`'],
  },
}

describe('a cluster that a selector matches by its tags', () => {
  test('is warned of when it is found', async () => {
    const crawl = await aTagged()
    crawl.tag({ tier: 'gold' })

    expect(await crawl.run()).toEqual([])

    expect(crawl.warnings()).toEqual([warning])
  })

  test('is warned of once: not at looks that find the same, nor when something else changes', async () => {
    const crawl = await aTagged()
    crawl.tag({ tier: 'silver' })
    await crawl.run()
    expect(crawl.warnings()).toEqual([])

    crawl.tag({ tier: 'gold' })
    await crawl.run()
    await crawl.run()
    crawl.tag({ tier: 'gold' }, '3.9.x')
    await crawl.run()
    crawl.tag({ tier: 'gold', owner: 'team-payments' })
    await crawl.run()

    expect(crawl.warnings()).toEqual([warning])
  })

  test('is warned of again when it has been another in between', async () => {
    const crawl = await aTagged()
    for (const tier of ['gold', 'silver', 'gold']) {
      crawl.tag({ tier })
      await crawl.run()
    }

    expect(crawl.warnings()).toEqual([warning, warning])
  })

  test('moves no route and is written nowhere: what is in force stays, and an unchanged look is one write', async () => {
    const writes: string[] = []
    const crawl = await aTagged(policy, (store) => ({
      ...store,
      write: (last, entry, snapshot) => {
        writes.push(snapshot === undefined ? 'the entry' : 'the entry with its snapshot')
        return store.write(last, entry, snapshot)
      },
    }))
    const before = await crawl.directories.readPointer()
    crawl.tag({ tier: 'gold' })

    await crawl.run()
    await crawl.run()

    expect(await crawl.directories.readPointer()).toEqual(before)
    expect(writes).toEqual(['the entry with its snapshot', 'the entry'])
  })

  test('is nothing where no route has a selector, as in what earlier versions applied', async () => {
    const crawl = await aTagged({ ...policy, routes: [route] })
    crawl.tag({ tier: 'gold' })

    await crawl.run()

    expect(crawl.warnings()).toEqual([])
  })

  test('is warned of although the worker is killed right after it wrote down what it found', async () => {
    let isKilled = false
    const wrap = (store: InventoryStore): InventoryStore => ({
      ...store,
      write: async (last, entry, snapshot) => {
        const isWritten = await store.write(last, entry, snapshot)
        if (isKilled) throw new Error('the worker is killed')
        return isWritten
      },
    })
    const crawl = await aTagged(policy, wrap)
    crawl.tag({ tier: 'silver' })
    await crawl.run()
    crawl.tag({ tier: 'gold' })
    isKilled = true
    await crawl.run()
    isKilled = false

    await crawl.run()

    expect(crawl.warnings()).toEqual([warning])
  })
})
