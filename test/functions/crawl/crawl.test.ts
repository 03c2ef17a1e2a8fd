import { describe, expect, test } from 'vitest'
import { SourceError } from '../../../shared/inventory/cluster-source.ts'
import type { InventoryStore } from '../../../shared/store/inventory-store.ts'
import { aTopic } from '../../fixtures/inventories.ts'
import { aCrawl, aSource, someParts } from './a-crawl.ts'

const denied = new SourceError('denied', 'no rights')
const later = '2026-11-21T13:00:00.000Z'
const muchLater = '2026-11-21T14:00:00.000Z'

/** Counts what is written. */
const counting = () => {
  const writes: string[] = []
  const wrap = (store: InventoryStore): InventoryStore => ({
    ...store,
    write: (last, entry, snapshot) => {
      writes.push(snapshot === undefined ? entry.id : `${entry.id} with its snapshot`)
      return store.write(last, entry, snapshot)
    },
  })
  return { writes, wrap }
}

describe('a crawl', () => {
  test('finds every cluster of every source', async () => {
    const crawl = aCrawl({ sources: { prod: aSource('a', 'b'), acme: aSource('c') } })

    expect(await crawl.run()).toEqual([])

    const names = (await crawl.entries()).map(({ source, name }) => `${source} ${name}`)
    expect(names).toEqual(['acme c', 'prod a', 'prod b'])
    expect(await crawl.entry('prod', 'arn:a')).toMatchObject({
      counts: { topics: 2, partitions: 12, brokers: 1, listeners: 1, groups: 1, subjects: 0 },
      labels: { env: 'prod' },
      owner: 'team-payments',
      failing: undefined,
    })
    expect((await crawl.snapshot('prod', 'arn:a'))?.parts.topics?.map(({ name }) => name)).toEqual([
      'orders.created.v3',
      'orders.paid.v1',
    ])
    expect(await crawl.inventory.readSource('prod')).toMatchObject({ clusters: 2, failing: undefined })
  })

  test('keeps two clusters of one name in two accounts apart', async () => {
    const [one, two] = [aSource('a'), aSource('a')]
    two.clusters.set('arn:a', someParts('a', { topics: [aTopic('other')] }))
    const crawl = aCrawl({ sources: { one, two } })

    await crawl.run()

    expect((await crawl.entries()).map(({ source, counts }) => [source, counts?.topics])).toEqual([
      ['one', 2],
      ['two', 1],
    ])
  })

  test('of what did not change writes one item, however it is ordered and cut into pages', async () => {
    const source = aSource('a')
    const { writes, wrap } = counting()
    const crawl = aCrawl({ sources: { prod: source }, wrap })
    await crawl.run()
    crawl.at(later)
    const [cluster, ...rest] = someParts('a', { topics: [] })
    source.clusters.set('arn:a', [
      { part: 'topics', found: [aTopic('orders.paid.v1')] },
      ...rest,
      { part: 'topics', found: [aTopic('orders.created.v3')] },
      ...(cluster === undefined ? [] : [cluster]),
    ])

    await crawl.run()

    expect(writes).toEqual(['arn:a with its snapshot', 'arn:a'])
    const entry = await crawl.entry('prod', 'arn:a')
    expect(entry?.seenAt).toEqual(new Date(later))
    expect(entry?.changedAt).toEqual(new Date('2026-11-21T12:00:00.000Z'))
  })

  test('notes with its date what is there no more', async () => {
    const source = aSource('a')
    const crawl = aCrawl({ sources: { prod: source } })
    await crawl.run()
    source.clusters.set('arn:a', someParts('a', { topics: [aTopic('orders.paid.v1')] }))
    crawl.at(later)

    await crawl.run()

    const snapshot = await crawl.snapshot('prod', 'arn:a')
    expect(snapshot?.parts.topics?.map(({ name }) => name)).toEqual(['orders.paid.v1'])
    expect(snapshot?.tombstones).toEqual([{ kind: 'topic', name: 'orders.created.v3', vanishedAt: later }])
  })
})

describe('a cluster that cannot be looked at', () => {
  test('keeps its last facts, says since when, and harms no other', async () => {
    const source = aSource('a', 'b')
    const crawl = aCrawl({ sources: { prod: source } })
    await crawl.run()
    source.clusters.set('arn:a', [...someParts('a', { topics: [] }).slice(0, 3), denied])
    source.clusters.set('arn:b', someParts('b', { topics: [aTopic('new')] }))

    crawl.at(later)
    expect(await crawl.run()).toEqual([])
    crawl.at(muchLater)
    await crawl.run()

    expect(await crawl.entry('prod', 'arn:a')).toMatchObject({
      failing: { code: 'denied', detail: 'no rights', since: new Date(later) },
      seenAt: new Date('2026-11-21T12:00:00.000Z'),
      counts: { topics: 2 },
    })
    expect((await crawl.snapshot('prod', 'arn:a'))?.parts.topics).toHaveLength(2)
    expect(await crawl.entry('prod', 'arn:b')).toMatchObject({ failing: undefined, counts: { topics: 1 } })
    expect(crawl.telemetry.gauges).toMatchObject({ ClustersFailing: 1 })
  })

  test('is known by its name from the first listing on', async () => {
    const source = aSource('a')
    source.clusters.set('arn:a', [denied])
    const crawl = aCrawl({ sources: { prod: source } })

    await crawl.run()

    expect(await crawl.entry('prod', 'arn:a')).toMatchObject({
      name: 'a',
      snapshot: undefined,
      seenAt: undefined,
      failing: { code: 'denied' },
    })
  })

  test('has no error any more when it answers again', async () => {
    const source = aSource('a')
    const crawl = aCrawl({ sources: { prod: source } })
    source.clusters.set('arn:a', [denied])
    await crawl.run()
    source.clusters.set('arn:a', someParts('a'))

    await crawl.run()

    expect(await crawl.entry('prod', 'arn:a')).toMatchObject({ failing: undefined, counts: { topics: 2 } })
  })

  test('that hangs is given up in time to say so', async () => {
    const source = aSource('a')
    source.clusters.set('arn:a', [new Promise<never>(() => {})])
    const crawl = aCrawl({ sources: { prod: source }, remainingMs: 15_050 })

    expect(await crawl.run()).toEqual([])

    expect((await crawl.entry('prod', 'arn:a'))?.failing?.code).toBe('unavailable')
  })

  test('for a mistake of ours is recorded, without the text of the error, and comes back', async () => {
    const source = aSource('a', 'b')
    source.clusters.set('arn:a', [new TypeError('Bearer eyJ.secret')])
    const crawl = aCrawl({ sources: { prod: source } })

    expect(await crawl.run()).toEqual([
      JSON.stringify({ kind: 'crawl-cluster', source: 'prod', id: 'arn:a', name: 'a' }),
    ])

    expect((await crawl.entry('prod', 'arn:a'))?.failing).toMatchObject({ code: 'unexpected', detail: 'TypeError' })
    expect(await crawl.entry('prod', 'arn:b')).toMatchObject({ failing: undefined })
    expect(crawl.postponed).toEqual([2])
  })

  test('in one part keeps the last facts of that part alone', async () => {
    const source = aSource('a')
    const crawl = aCrawl({ sources: { prod: source } })
    await crawl.run()
    source.clusters.set('arn:a', [
      ...someParts('a', { topics: [aTopic('half-a-page')], groups: [{ name: 'new' }] }),
      { part: 'unknown', of: 'topics', failure: { code: 'throttled', detail: 'asked too often' } },
    ])
    crawl.at(later)

    await crawl.run()

    const snapshot = await crawl.snapshot('prod', 'arn:a')
    expect(snapshot?.parts.topics?.map(({ name }) => name)).toEqual(['orders.created.v3', 'orders.paid.v1'])
    expect(snapshot?.parts.groups).toEqual([{ name: 'new' }])
    expect(await crawl.entry('prod', 'arn:a')).toMatchObject({
      seenAt: new Date(later),
      unknown: { topics: { code: 'throttled', since: new Date(later) } },
    })
  })

  test('because its snapshot is damaged is written anew', async () => {
    const crawl = aCrawl({ sources: { prod: aSource('a') } })
    await crawl.run()
    const stored = (await crawl.inventory.read({ source: 'prod', id: 'arn:a' })) ?? expect.unreachable()
    await crawl.inventory.write(stored, { ...stored.entry, snapshot: 'sha256:nothing' })

    expect(await crawl.run()).toEqual([])

    expect((await crawl.snapshot('prod', 'arn:a'))?.parts.topics).toHaveLength(2)
  })
})

describe('a cluster that was deleted', () => {
  test('is vanished since the first listing without it, keeps its facts for 30 days, and is then forgotten', async () => {
    const source = aSource('a', 'b')
    const crawl = aCrawl({ sources: { prod: source } })
    await crawl.run()
    source.listed = source.listed.slice(0, 1)

    crawl.at(later)
    await crawl.run()
    crawl.at(muchLater)
    await crawl.run()

    expect((await crawl.entry('prod', 'arn:b'))?.vanishedAt).toEqual(new Date(later))
    expect((await crawl.snapshot('prod', 'arn:b'))?.parts.topics).toHaveLength(2)

    crawl.at('2026-12-22T14:00:00.000Z')
    await crawl.run()
    expect((await crawl.entries()).map(({ id }) => id)).toEqual(['arn:a'])
  })

  test('between its listing and its look is vanished, and nothing when nobody knew it', async () => {
    const source = aSource('a', 'b')
    const crawl = aCrawl({ sources: { prod: source } })
    source.clusters.set('arn:b', [new SourceError('gone', 'no such cluster')])
    await crawl.run()
    source.clusters.set('arn:a', [new SourceError('gone', 'no such cluster')])

    expect(await crawl.run()).toEqual([])

    expect((await crawl.entry('prod', 'arn:a'))?.vanishedAt).toBeInstanceOf(Date)
    expect(await crawl.entry('prod', 'arn:b')).toBeUndefined()
  })

  test('is there again when it is listed again', async () => {
    const source = aSource('a')
    const crawl = aCrawl({ sources: { prod: source } })
    const { listed } = source
    await crawl.run()
    source.listed = []
    await crawl.run()
    source.listed = listed

    await crawl.run()

    expect((await crawl.entry('prod', 'arn:a'))?.vanishedAt).toBeUndefined()
  })

  test('is not what a listing that broke off did not reach, or one that the key may not see', async () => {
    const source = aSource('a', 'b')
    const crawl = aCrawl({ sources: { prod: source } })
    await crawl.run()

    crawl.at(later)
    source.listed = [...source.listed.slice(0, 1), denied]
    expect(await crawl.run()).toEqual([])
    expect(await crawl.inventory.readSource('prod')).toMatchObject({
      clusters: 2,
      failing: { code: 'denied', since: new Date(later) },
    })

    source.listed = [{ kind: 'unlisted', prefix: 'arn:b', failure: { code: 'denied', detail: 'env-2' } }]
    await crawl.run()
    expect(await crawl.inventory.readSource('prod')).toMatchObject({
      failing: undefined,
      unlisted: [{ prefix: 'arn:b', code: 'denied' }],
    })
    expect((await crawl.entries()).map(({ id, vanishedAt }) => [id, vanishedAt !== undefined])).toEqual([
      ['arn:a', true],
      ['arn:b', false],
    ])
  })

  test('is every one of a source that the policy names no more, which harms no other source', async () => {
    const crawl = aCrawl({ sources: { prod: aSource('a'), old: aSource('z') } })
    await crawl.run()
    delete crawl.sources.old

    await crawl.run()

    expect((await crawl.entry('old', 'arn:z'))?.vanishedAt).toBeInstanceOf(Date)
    expect((await crawl.entry('prod', 'arn:a'))?.vanishedAt).toBeUndefined()
    expect((await crawl.inventory.listSources()).map(({ source }) => source)).toEqual(['prod'])
  })
})

describe('what a control plane does not say', () => {
  const serverless = () => {
    const source = aSource('a')
    const parts = someParts('a').filter(({ part }) => part === 'cluster' || part === 'brokers')
    const failure = { code: 'unsupported', detail: 'no topics of serverless clusters' } as const
    source.clusters.set('arn:a', [...parts, { part: 'unknown', of: 'topics', failure }])
    return source
  }

  test('is asked of the brokers', async () => {
    const brokers = async function* () {
      yield { part: 'topics' as const, found: [aTopic('from-a-broker')] }
      yield { part: 'brokers' as const, found: [] }
    }
    const crawl = aCrawl({ sources: { prod: serverless() }, brokers })

    await crawl.run()

    const { parts } = (await crawl.snapshot('prod', 'arn:a')) ?? expect.unreachable()
    expect(parts.topics?.map(({ name }) => name)).toEqual(['from-a-broker'])
    // what the control plane did say is its own
    expect(parts.brokers).toHaveLength(1)
    expect((await crawl.entry('prod', 'arn:a'))?.unknown).toEqual({})
  })

  test('stays unknown when the brokers do not answer, and the rest is written', async () => {
    const brokers = async function* () {
      yield await Promise.reject(new SourceError('unavailable', 'no answer'))
    }
    const crawl = aCrawl({ sources: { prod: serverless() }, brokers })

    expect(await crawl.run()).toEqual([])

    expect(await crawl.entry('prod', 'arn:a')).toMatchObject({
      failing: undefined,
      counts: { topics: 0, brokers: 1 },
      unknown: { topics: { code: 'unavailable' } },
    })
  })
})

describe('a message', () => {
  test.each(['not json', JSON.stringify({ kind: 'crawl-cluster' }), JSON.stringify({ kind: 'sweep' })])(
    'that is not ours fails: %s',
    async (body) => {
      expect(await aCrawl().run(body)).toHaveLength(1)
    },
  )

  test('of a source that is not configured is nothing to do', async () => {
    const crawl = aCrawl({ sources: {} })

    expect(await crawl.run({ kind: 'crawl-cluster', source: 'gone', id: 'x' })).toEqual([])
    expect(await crawl.run({ kind: 'list-clusters', source: 'gone' })).toEqual([])
    expect(await crawl.entries()).toEqual([])
  })

  test('whose worker is killed at any write leaves the last snapshot readable, and the next worker ends it', async () => {
    for (let survived = 0; survived < 2; survived++) {
      const source = aSource('a')
      let writes = Number.POSITIVE_INFINITY
      const wrap = (store: InventoryStore): InventoryStore => ({
        ...store,
        write: async (last, entry, snapshot) => {
          if (writes-- <= 0) throw new Error('the worker is killed')
          return store.write(last, entry, snapshot)
        },
      })
      const crawl = aCrawl({ sources: { prod: source }, wrap })
      await crawl.run()
      source.clusters.set('arn:a', someParts('a', { topics: [aTopic('new')] }))
      writes = survived

      await crawl.run()
      expect((await crawl.snapshot('prod', 'arn:a'))?.parts.topics).toHaveLength(survived === 0 ? 2 : 1)

      writes = Number.POSITIVE_INFINITY
      await crawl.run()
      expect((await crawl.snapshot('prod', 'arn:a'))?.parts.topics).toHaveLength(1)
    }
  })

  test('of a cluster that others write at the same time compares with what they wrote', async () => {
    const source = aSource('a')
    let interfere = true
    const wrap = (store: InventoryStore): InventoryStore => ({
      ...store,
      write: async (last, entry, snapshot) => {
        if (interfere && last !== undefined) {
          interfere = false
          await store.write(last, { ...last.entry, vanishedAt: new Date(1) })
        }
        return store.write(last, entry, snapshot)
      },
    })
    const crawl = aCrawl({ sources: { prod: source }, wrap })
    await crawl.run()
    crawl.at(later)

    expect(await crawl.run()).toEqual([])

    expect(await crawl.entry('prod', 'arn:a')).toMatchObject({ seenAt: new Date(later), vanishedAt: undefined })
  })
})
