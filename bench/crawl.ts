import { fileURLToPath } from 'node:url'
import type { CatalogReport } from './catalog-worker.ts'
import { messageFrom } from './child.ts'
import type { CrawlReport, CrawlRun } from './crawl-worker.ts'
import type { Figure } from './figure.ts'

const size = { clusters: 1_000, topics: 1_000 } as const
const emulated = { clusters: 20, topics: 1_000 } as const
const searched = { clusters: 100, topics: 1_000 } as const

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
/** What a worker is given on Lambda is twice this; the heap grows for as long as it may, so it is told to stop. */
const allowedMb = 256
const execArgv = ['--max-old-space-size=128', '--max-semi-space-size=8']
/** Of on-demand tables in us-east-1, since November 2024. @see https://aws.amazon.com/dynamodb/pricing/on-demand/ */
const dollars = { readUnit: 0.125 / 1_000_000, writeUnit: 0.625 / 1_000_000 }

const perCluster = (total: number, { clusters }: CrawlReport): number => total / clusters

const runFigures = (name: string, run: CrawlRun, report: CrawlReport): readonly Figure[] => {
  const { listing, crawling, ms, calls } = run
  const [read, written] = [listing.readUnits + crawling.readUnits, listing.writeUnits + crawling.writeUnits]
  return [
    { name: `${name}, time`, value: ms / 1000, unit: 's' },
    { name: `${name}, calls of the control plane / topics`, value: calls / report.topics, unit: 'x', limit: 1.1 },
    { name: `${name}, items read a cluster`, value: perCluster(crawling.itemsRead, report), unit: 'items' },
    { name: `${name}, items written a cluster`, value: perCluster(crawling.itemsWritten, report), unit: 'items' },
    { name: `${name}, read units`, value: read, unit: 'units' },
    { name: `${name}, write units`, value: written, unit: 'units' },
    { name: `${name}, cost`, value: read * dollars.readUnit + written * dollars.writeUnit, unit: '$' },
  ]
}

const crawls = async (): Promise<readonly Figure[]> => {
  const report = await messageFrom<CrawlReport>(file('crawl-worker.ts'), {
    args: [String(size.clusters), String(size.topics)],
    execArgv,
  })
  const { clusters, topics, first, unchanged, rssMb } = report
  if (clusters !== size.clusters || topics !== size.clusters * size.topics)
    throw new Error(`the inventory has \`${topics}\` topics of \`${clusters}\` clusters after the crawls`)
  return [
    ...runFigures('crawl of 1,000 x 1,000, first', first, report),
    ...runFigures('crawl of 1,000 x 1,000, unchanged', unchanged, report),
    { name: 'crawl, writes of an unchanged cluster, most', value: unchanged.mostWrites, unit: 'items', limit: 1 },
    {
      name: 'crawl, writes of a listing of what is known',
      value: unchanged.listing.itemsWritten,
      unit: 'items',
      limit: 1,
    },
    { name: 'crawl, memory, account and database included', value: rssMb, unit: 'MB', limit: allowedMb },
  ]
}

/** Only where somebody names one: `BENCH_INVENTORY_ENDPOINT` and `BENCH_INVENTORY_TABLE`, with AWS credentials for it. */
const crawlsOfEmulator = async (): Promise<readonly Figure[]> => {
  const { BENCH_INVENTORY_ENDPOINT: endpoint, BENCH_INVENTORY_TABLE: table = 'inventory' } = process.env
  if (endpoint === undefined) return []
  const env = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? '']))
  const { first, unchanged } = await messageFrom<CrawlReport>(file('crawl-worker.ts'), {
    args: [String(emulated.clusters), String(emulated.topics), endpoint, table],
    env,
    execArgv,
  })
  return [
    { name: 'crawl of 20 x 1,000 into the emulator, first', value: first.ms / 1000, unit: 's' },
    { name: 'crawl of 20 x 1,000 into the emulator, unchanged', value: unchanged.ms / 1000, unit: 's' },
  ]
}

const searches = async (): Promise<readonly Figure[]> => {
  const { topics, rows, ms, bytesRead, itemsRead, readUnits } = await messageFrom<CatalogReport>(
    file('catalog-worker.ts'),
    { args: [String(searched.clusters), String(searched.topics)] },
  )
  if (topics !== searched.clusters * searched.topics || rows === 0)
    throw new Error(`the search found \`${rows}\` of \`${topics}\` topics`)
  return [
    { name: 'catalog, search of 100,000 topics, cold', value: ms / 1000, unit: 's', limit: 2 },
    { name: 'catalog, rows found', value: rows, unit: 'rows' },
    { name: 'catalog, items read', value: itemsRead, unit: 'items' },
    { name: 'catalog, bytes read', value: bytesRead / 1_000_000, unit: 'MB' },
    { name: 'catalog, read units', value: readUnits, unit: 'units' },
    { name: 'catalog, cost', value: readUnits * dollars.readUnit, unit: '$' },
  ]
}

export const measure = async (): Promise<readonly Figure[]> => [
  ...(await searches()),
  ...(await crawlsOfEmulator()),
  ...(await crawls()),
]
