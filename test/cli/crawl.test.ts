import { describe, expect, test } from 'vitest'
import { CommandError } from '../../cli/command-error.ts'
import { type CrawlRequest, crawlClusters, crawlError, renderCrawl } from '../../cli/crawl.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { type ClusterSource, SourceError } from '../../shared/inventory/cluster-source.ts'
import { createMemoryDirectoryStore } from '../../shared/store/memory.ts'
import { aCluster, aPolicy, now } from '../fixtures/policies.ts'
import { aCrawl, aSource, someParts } from '../functions/crawl/a-crawl.ts'

const regions: Policy['crawl'] = { prod: { provider: 'msk', regions: ['eu-west-1'] } }
const everything: CrawlRequest = { cluster: undefined, acceptDrop: false }

/** The command over a crawl function that works while the command waits; `works: false`: nobody does. */
const aCommand = async (
  sources: Record<string, ClusterSource>,
  { works = true, crawl: given = regions, policy: rest = {} as Partial<Policy> } = {},
) => {
  const crawl = aCrawl({ sources })
  const directories = createMemoryDirectoryStore()
  const policy = await directories.writePolicy(aPolicy({ ...rest, ...(given === undefined ? {} : { crawl: given }) }))
  await directories.swapPointer(0, { policy, facts: undefined, next: undefined, denied: [] }, now)
  const lines: string[] = []
  let time = now.getTime()
  const sent: unknown[] = []
  return {
    crawl,
    lines,
    sent,
    run: (request: Partial<CrawlRequest> = {}, waitSeconds = 30) =>
      crawlClusters(
        { ...everything, ...request },
        {
          directories,
          inventory: crawl.inventory,
          crawlQueue: {
            send: async (messages) => {
              sent.push(...messages)
              crawl.waiting.push(...messages)
            },
          },
          report: (line) => lines.push(line),
          clock: () => new Date(time),
          wait: async (milliseconds) => {
            time += milliseconds
            crawl.at(new Date(time).toISOString())
            const next = works ? crawl.waiting.shift() : undefined
            // one message at a time, as if each took as long as the command waits
            if (next !== undefined) {
              const rest = crawl.waiting.splice(0)
              await crawl.one(next)
              crawl.waiting.push(...rest)
            }
          },
          waitSeconds,
        },
      ),
  }
}

describe('switchboard crawl', () => {
  test('asks for all that the policy names and follows it until every listed cluster was looked at', async () => {
    const { run, lines, sent } = await aCommand({ kafka: aSource(), prod: aSource('payments', 'orders') })

    const crawled = await run()

    expect(sent).toEqual([{ kind: 'crawl' }])
    expect(crawled.sources.map(({ source, clusters, waiting }) => [source, clusters, waiting])).toEqual([
      ['kafka', 0, 0],
      ['prod', 2, 0],
    ])
    expect(crawled.sources[1]?.outcomes).toMatchObject({ new: 2, unchanged: 0, failed: 0 })
    expect(crawled.sources[1]?.topics).toBe(4)
    expect(lines.at(-1)).toMatch(/^prod: 2 clusters looked at after \d+\.?\d* s$/)
    expect(crawlError(crawled)).toBeUndefined()
  })

  test('tells what changed from what did not, and what is gone', async () => {
    const source = aSource('payments', 'orders', 'old')
    const command = await aCommand({ kafka: aSource(), prod: source })
    await command.run()
    source.listed = source.listed.slice(0, 2)
    source.clusters.set('arn:orders', someParts('orders', { topics: [] }))

    const { sources } = await command.run()

    expect(sources[1]?.outcomes).toEqual({ new: 0, changed: 1, unchanged: 1, failed: 0, vanished: 1 })
    expect(sources[1]?.clusters).toBe(2)
  })

  test('is not done by a cluster that vanished while one that was listed waits', async () => {
    const source = aSource('payments', 'old', 'older')
    const command = await aCommand({ kafka: aSource(), prod: source })
    await command.run()
    source.listed = [...source.listed.slice(0, 2), { kind: 'cluster', ref: { id: 'arn:young', name: 'young' } }]
    source.clusters.set('arn:young', someParts('young'))

    const { sources } = await command.run()

    expect(sources[1]?.outcomes).toEqual({ new: 1, changed: 0, unchanged: 2, failed: 0, vanished: 1 })
  })

  test('says what failed and since when, every time that it still fails, and ends with 1', async () => {
    const source = aSource('payments', 'orders')
    source.clusters.set('arn:orders', [new SourceError('denied', 'the login was refused')])
    const command = await aCommand({ kafka: aSource(), prod: source })

    await command.run()
    const crawled = await command.run()

    expect(crawled.sources[1]?.outcomes).toMatchObject({ unchanged: 1, failed: 1 })
    expect(crawled.failed).toMatchObject([{ name: 'orders', code: 'denied', detail: 'the login was refused' }])
    expect(renderCrawl(crawled).at(-1)).toMatch(/^prod: orders failing since 2026-\S+: denied: the login was refused$/)
    expect(crawlError(crawled)?.exitCode).toBe(1)
  })

  test('waits for no cluster of a listing that failed, and says why it did', async () => {
    const source = aSource('payments')
    const command = await aCommand({ kafka: aSource(), prod: source })
    await command.run()
    source.listed = [new SourceError('throttled', 'asked too often')]

    const crawled = await command.run()

    expect(crawled.sources[1]).toMatchObject({ waiting: 0, problems: ['cannot be listed: throttled: asked too often'] })
    expect(crawlError(crawled)?.message).toContain('0 clusters and 1 listings failed')
  })

  test('stops when it has waited for long enough, says what is missing and that the crawl goes on', async () => {
    const { run, lines } = await aCommand({ kafka: aSource(), prod: aSource('payments') }, { works: false })

    const crawled = await run({}, 12)

    expect(lines).toContain('0 done, 0 failed, 0 still waiting, 2 sources being listed')
    expect(crawled.seconds).toBe(12)
    expect(crawlError(crawled)?.message).toContain('`kafka`, `prod` cannot be told')
    expect(crawlError(crawled)?.message).toContain('the crawl goes on')
  })

  test('warns of selectors that match another cluster by what was found, and does not fail for them', async () => {
    const id = 'lkc-abc123'
    const source = aSource()
    source.listed = [{ kind: 'cluster', ref: { id, name: 'two' } }]
    source.clusters.set(id, someParts('two'))
    const confluent = aCluster({ provider: 'confluent', id })
    const [route] = aPolicy().routes
    const policy = aPolicy({
      clusters: { main: aCluster(), two: confluent },
      routes: route === undefined ? [] : [{ ...route, selector: { labels: { env: 'prod' } } }],
    })
    const command = await aCommand({ kafka: aSource(), prod: source }, { policy })

    const crawled = await command.run()

    expect(renderCrawl(crawled).at(-1)).toBe(
      'warning: routes[0].cluster: `env=prod` matches `two` by its tags; the route stays on `main`',
    )
    expect(crawlError(crawled)).toBeUndefined()
  })

  test('counts every source and all of them together', async () => {
    const { run } = await aCommand({ kafka: aSource('main'), prod: aSource('payments', 'orders') })

    const [head, ...rows] = renderCrawl(await run())

    expect(head).toMatch(/^SOURCE +CLUSTERS +TOPICS +NEW +CHANGED +UNCHANGED +FAILED +VANISHED +WAITING +TOOK$/)
    expect(rows.map((row) => row.split(/ +/).slice(0, 4))).toEqual([
      ['kafka', '1', '2', '1'],
      ['prod', '2', '4', '2'],
      ['all', '3', '6', '3'],
    ])
  })
})

describe('switchboard crawl --cluster', () => {
  const sources = () => ({ kafka: aSource(), prod: aSource('payments', 'orders') })

  test('looks at that cluster alone, by the name of its provider as by its id', async () => {
    const command = await aCommand(sources())
    await command.run()
    command.sent.length = 0

    const byName = await command.run({ cluster: 'payments' })
    await command.run({ cluster: 'arn:payments' })

    const message = { kind: 'crawl-cluster', source: 'prod', id: 'arn:payments', name: 'payments' }
    expect(command.sent).toEqual([message, message])
    expect(byName.sources).toMatchObject([{ source: 'prod', clusters: 1, outcomes: { unchanged: 1 } }])
  })

  test('looks at a cluster of the policy that nobody has looked at yet', async () => {
    const main = aSource()
    main.clusters.set('main', someParts('main'))
    const command = await aCommand({ ...sources(), kafka: main })

    const crawled = await command.run({ cluster: 'main' })

    expect(command.sent).toEqual([{ kind: 'crawl-cluster', source: 'kafka', id: 'main' }])
    expect(crawled.sources).toMatchObject([{ clusters: 1, outcomes: { new: 1 } }])
  })

  test('looks at both of two clusters of one name in two accounts', async () => {
    const other = aSource()
    other.clusters.set('arn:payments-2', someParts('payments'))
    other.listed = [{ kind: 'cluster', ref: { id: 'arn:payments-2', name: 'payments' } }]
    const crawl: Policy['crawl'] = { ...regions, lab: { provider: 'msk', regions: ['eu-west-1'] } }
    const command = await aCommand({ ...sources(), lab: other }, { crawl })
    await command.run()

    const { sources: looked } = await command.run({ cluster: 'payments' })

    expect(looked.map(({ source, clusters }) => [source, clusters])).toEqual([
      ['lab', 1],
      ['prod', 1],
    ])
  })

  test('says so when nobody has found such a cluster', async () => {
    const command = await aCommand(sources())

    await expect(command.run({ cluster: 'nowhere' })).rejects.toThrow('no crawl has found `nowhere`')
    expect(command.sent).toEqual([])
  })

  test('hands on that listeners which are gone are meant to be', async () => {
    const command = await aCommand(sources())
    await command.run()
    command.sent.length = 0

    await command.run({ cluster: 'payments', acceptDrop: true })

    expect(command.sent).toMatchObject([{ kind: 'crawl-cluster', id: 'arn:payments', accept: true }])
  })
})

describe('switchboard crawl --source', () => {
  test('lists that source alone; that clusters are gone is meant when somebody says so', async () => {
    const source = aSource('a', 'b', 'c')
    const command = await aCommand({ kafka: aSource(), prod: source })
    await command.run()
    source.listed = source.listed.slice(0, 1)

    const refused = await command.run({ source: 'prod' })
    command.sent.length = 0
    const accepted = await command.run({ source: 'prod', acceptDrop: true })

    expect(refused.sources[0]?.problems[0]).toContain('dropped')
    expect(command.sent).toEqual([{ kind: 'list-clusters', source: 'prod', accept: true }])
    expect(accepted.sources).toMatchObject([{ source: 'prod', problems: [], outcomes: { vanished: 2 } }])
  })

  test('names the sources that there are when it is none of them', async () => {
    const { run } = await aCommand({})

    const error = await run({ source: 'nowhere' }).catch((cause: unknown) => cause)

    expect(error).toBeInstanceOf(CommandError)
    expect(error).toMatchObject({
      exitCode: 2,
      message: 'there is no source `nowhere`; the policy has `kafka`, `prod`',
    })
  })
})
