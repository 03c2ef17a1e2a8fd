// A process that searches the catalog once, cold: nothing of it has run before in this process but the crawl that filled
// the inventory.
import { searchCatalog } from '../cli/catalog.ts'
import {
  createMemoryAccessStore,
  createMemoryDirectoryStore,
  createMemoryLeaseStore,
  createMemoryUseStore,
} from '../shared/store/memory.ts'
import { createAccountCrawl } from './generated-account.ts'
import { createMemoryDynamo } from './memory-dynamodb.ts'
import { inProcessDynamo } from './simulated-dynamodb.ts'

export type CatalogReport = {
  readonly topics: number
  readonly rows: number
  readonly ms: number
  readonly bytesRead: number
  readonly itemsRead: number
  readonly readUnits: number
}

const [clusters = 0, topics = 0] = process.argv.slice(2, 4).map(Number)
const memory = createMemoryDynamo()
const account = createAccountCrawl({ clusters, topics }, inProcessDynamo(memory), 'inventory')
await account.list()
while (await account.crawlNext());

const directories = createMemoryDirectoryStore()
const names: string[] = []
let found = 0
const policyClusters: Record<string, { provider: 'msk'; arn: string; auth: ['scram']; admin: { secret: string } }> = {}
for await (const { entry } of account.inventory.list()) {
  names.push(entry.name ?? '')
  found += entry.counts?.topics ?? 0
  const admin = { secret: 's' }
  policyClusters[entry.name ?? ''] = { provider: 'msk', arn: entry.id, auth: ['scram'], admin }
}
const policy = await directories.writePolicy({
  identities: [{ issuer: 'https://login.acme.com', audience: 'switchboard', labels: { team: '{team}' } }],
  clusters: policyClusters,
  grants: names.map((name) => ({ principals: { labels: { team: name } }, consume: [`kafka://${name}.acme.com/**`] })),
  routes: names.map((cluster) => ({ channel: `kafka://${cluster}.acme.com/**`, cluster, topic: '{**}' })),
})
const { revision } = await directories.readPointer()
await directories.swapPointer(revision, { policy, facts: undefined, next: undefined, denied: [] })
memory.takeUsage()

const startedAt = performance.now()
const search = await searchCatalog(
  { words: ['payments'] },
  {
    directories,
    inventory: account.inventory,
    access: createMemoryAccessStore(),
    uses: createMemoryUseStore(),
    leases: createMemoryLeaseStore(),
  },
  new Date(),
)
let rows = 0
for await (const _ of search.rows) rows++
const ms = performance.now() - startedAt
const { bytesRead, itemsRead, readUnits } = memory.takeUsage()
const report: CatalogReport = { topics: found, rows, ms, bytesRead, itemsRead, readUnits }
process.send?.(report)
process.disconnect?.()
process.exit()
