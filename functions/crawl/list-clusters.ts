import {
  type CrawlFailure,
  entryAfterVanishing,
  isForgotten,
  isTooMuchToVanish,
  sourceAfterFailure,
  sourceAfterListing,
} from '../../shared/domain/inventory.ts'
import { type ClusterSource, SourceError } from '../../shared/inventory/cluster-source.ts'
import type { CrawlMessage, CrawlQueue } from '../../shared/store/crawl-queue.ts'
import type { InventoryStore, StoredEntry } from '../../shared/store/inventory-store.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'

/**
 * Asks for a look at every cluster of a source, and notes those that are there no more.
 * @param accept somebody said that clusters that are gone are meant to be
 */
export type ListClusters = (source: string, accept?: boolean) => Promise<void>

export type ListClustersDeps = {
  /** undefined: the policy in force has no such source */
  readonly openSource: (source: string) => Promise<ClusterSource | undefined>
  readonly inventory: Pick<InventoryStore, 'list' | 'write' | 'remove' | 'readSource' | 'writeSource'>
  readonly queue: Pick<CrawlQueue, 'send'>
  readonly telemetry: Telemetry
  readonly clock: () => Date
}

/** Messages in one request. */
const batchSize = 10

export const createListClusters = ({
  openSource,
  inventory,
  queue,
  telemetry,
  clock,
}: ListClustersDeps): ListClusters => {
  type Unlisted = CrawlFailure & { readonly prefix: string }

  /** Sends as it reads, so that an account of any size is never in memory; of it the ids alone are. */
  const list = async (name: string, source: ClusterSource) => {
    const ids = new Set<string>()
    const unlisted: Unlisted[] = []
    let batch: CrawlMessage[] = []
    for await (const listed of source.list())
      if (listed.kind === 'unlisted') unlisted.push({ prefix: listed.prefix, ...listed.failure })
      else if (!ids.has(listed.ref.id)) {
        ids.add(listed.ref.id)
        batch.push({ kind: 'crawl-cluster', source: name, ...listed.ref })
        if (batch.length < batchSize) continue
        await queue.send(batch)
        batch = []
      }
    await queue.send(batch)
    return { ids, unlisted }
  }

  /**
   * A write that is lost to a worker is made good by the next listing.
   * @throws SourceError `dropped` when so many are gone that it is more likely a mistake; nothing was noted
   */
  const noteVanished = async (
    name: string,
    ids: ReadonlySet<string>,
    unlisted: readonly Unlisted[],
    accept: boolean,
  ): Promise<void> => {
    const now = clock()
    const vanishing: StoredEntry[] = []
    let known = 0
    for await (const stored of inventory.list(name)) {
      const { entry } = stored
      if (entry.vanishedAt === undefined) known++
      if (ids.has(entry.id) || unlisted.some(({ prefix }) => entry.id.startsWith(prefix))) continue
      if (isForgotten(entry, now)) await inventory.remove(stored)
      else if (entry.vanishedAt === undefined) vanishing.push(stored)
    }
    if (!accept && isTooMuchToVanish(vanishing.length, known))
      throw new SourceError('dropped', `${vanishing.length} of ${known} clusters are not listed any more`)
    for (const stored of vanishing) {
      const { entry } = stored
      await inventory.write(stored, entryAfterVanishing(entry, now))
      telemetry.warn('cluster vanished', { source: name, cluster: entry.id, name: entry.name })
    }
  }

  return async (name, accept = false) => {
    const source = await openSource(name)
    if (source === undefined) return telemetry.info('source is not configured', { source: name })
    const last = await inventory.readSource(name)
    try {
      const { ids, unlisted } = await list(name, source)
      await noteVanished(name, ids, unlisted, accept)
      await inventory.writeSource(sourceAfterListing(last, name, ids.size, unlisted, clock()))
      for (const { prefix, code, detail } of unlisted)
        telemetry.warn('clusters cannot be listed', { source: name, prefix, code, detail })
    } catch (error) {
      if (!(error instanceof SourceError)) throw error
      const failure = { code: error.code, detail: error.message }
      await inventory.writeSource(sourceAfterFailure(last, name, failure, clock()))
      telemetry.count(metricNames.clusterCrawlFailed, { name: 'reason', value: failure.code })
      telemetry.warn('clusters cannot be listed', { source: name, ...failure })
    }
  }
}
