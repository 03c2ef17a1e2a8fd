// A process that crawls an account as a worker of `crawl` does, cluster after cluster, twice: everything is new, then
// nothing has changed. The account and the database are in this very process, so its memory is more than a worker's.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { createAccountCrawl } from './generated-account.ts'
import { createMemoryDynamo, type Usage } from './memory-dynamodb.ts'
import { inProcessDynamo } from './simulated-dynamodb.ts'

export type CrawlRun = {
  readonly ms: number
  readonly listing: Usage
  readonly crawling: Usage
  /** Of the cluster that took the most. */
  readonly mostWrites: number
  /** Of the control plane. */
  readonly calls: number
}

export type CrawlReport = {
  readonly clusters: number
  readonly topics: number
  readonly first: CrawlRun
  readonly unchanged: CrawlRun
  readonly rssMb: number
}

const [clusters = 0, topics = 0] = process.argv.slice(2, 4).map(Number)
const [, , , , endpoint, table = 'inventory'] = process.argv

const memory = createMemoryDynamo()
const client =
  endpoint === undefined
    ? inProcessDynamo(memory)
    : // region and credentials come from the environment
      DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint }), {
        marshallOptions: { removeUndefinedValues: true },
      })
const account = createAccountCrawl({ clusters, topics }, client, table)

const nothing: Usage = { requests: 0, itemsRead: 0, itemsWritten: 0, bytesRead: 0, readUnits: 0, writeUnits: 0 }
const add = (a: Usage, b: Usage): Usage => ({
  requests: a.requests + b.requests,
  itemsRead: a.itemsRead + b.itemsRead,
  itemsWritten: a.itemsWritten + b.itemsWritten,
  bytesRead: a.bytesRead + b.bytesRead,
  readUnits: a.readUnits + b.readUnits,
  writeUnits: a.writeUnits + b.writeUnits,
})

const crawl = async (): Promise<CrawlRun> => {
  const startedAt = performance.now()
  const before = account.calls()
  await account.list()
  const listing = memory.takeUsage()
  let crawling = nothing
  let mostWrites = 0
  while (await account.crawlNext()) {
    const usage = memory.takeUsage()
    crawling = add(crawling, usage)
    mostWrites = Math.max(mostWrites, usage.itemsWritten)
  }
  return { ms: performance.now() - startedAt, listing, crawling, mostWrites, calls: account.calls() - before }
}

const first = await crawl()
const unchanged = await crawl()
let found = 0
for await (const { entry } of account.inventory.list()) found += entry.counts?.topics ?? 0
const report: CrawlReport = {
  clusters: account.clusters,
  topics: found,
  first,
  unchanged,
  // the peak, in KB
  rssMb: process.resourceUsage().maxRSS / 1024,
}
process.send?.(report)
process.disconnect?.()
process.exit()
