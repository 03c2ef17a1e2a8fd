import { entryAfterVanishing, isForgotten } from '../../shared/domain/inventory.ts'
import type { CrawlQueue } from '../../shared/store/crawl-queue.ts'
import type { InventoryStore } from '../../shared/store/inventory-store.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'

/** Starts a crawl of everything that the policy in force names, and says how the last one left the inventory. */
export type Crawl = () => Promise<void>

export type CrawlDeps = {
  /** The names of the configured sources. */
  readonly sources: () => Promise<readonly string[]>
  readonly inventory: Pick<InventoryStore, 'list' | 'listSources' | 'write' | 'remove' | 'removeSource'>
  readonly queue: Pick<CrawlQueue, 'send'>
  readonly telemetry: Telemetry
  readonly clock: () => Date
}

export const createCrawl =
  ({ sources, inventory, queue, telemetry, clock }: CrawlDeps): Crawl =>
  async () => {
    const configured = new Set(await sources())
    // one that fails is one message that fails
    await queue.send([...configured].map((source) => ({ kind: 'list-clusters', source })))

    const now = clock()
    let failing = 0
    for await (const stored of inventory.list()) {
      const { entry } = stored
      if (configured.has(entry.source)) {
        if (entry.failing !== undefined && entry.vanishedAt === undefined) failing++
      } else if (isForgotten(entry, now)) await inventory.remove(stored)
      else if (entry.vanishedAt === undefined) await inventory.write(stored, entryAfterVanishing(entry, now))
    }
    let failingSources = 0
    for (const { source, failing, unlisted } of await inventory.listSources())
      if (!configured.has(source)) await inventory.removeSource(source)
      else if (failing !== undefined || unlisted.length > 0) failingSources++

    telemetry.gauge(metricNames.clustersFailing, failing, 'Count')
    telemetry.gauge(metricNames.sourcesFailing, failingSources, 'Count')
    telemetry.count(metricNames.crawled)
  }
