import type { Failing, InventoryEntry, SourceEntry } from '../shared/domain/inventory.ts'
import { sideBySide } from '../shared/inventory/side-by-side.ts'
import type { InventoryStore } from '../shared/store/inventory-store.ts'
import { duration } from './duration.ts'
import { type InForce, readInForce } from './in-force.ts'
import { readPolicyName } from './read-snapshots.ts'
import type { Stack } from './stack.ts'
import { renderTable } from './table.ts'

/** A cluster of the inventory, and what the policy in force calls it. */
export type ClusterReport = Omit<InventoryEntry, 'snapshot'> & { readonly policyName: string | undefined }

export type ClustersReport = { readonly clusters: readonly ClusterReport[]; readonly sources: readonly SourceEntry[] }

export type ClustersDeps = Pick<Stack, 'directories'> & {
  readonly inventory: Pick<InventoryStore, 'list' | 'listSources' | 'read' | 'readSnapshot'>
}

const snapshotsAtATime = 4

/** All clusters that a crawl found, by source and id. */
export const findClusters = async ({ directories, inventory }: ClustersDeps): Promise<ClustersReport> => {
  const { directory }: InForce = await readInForce(directories)
  const entries: InventoryEntry[] = []
  for await (const { entry } of inventory.list()) entries.push(entry)
  const clusters = await sideBySide(entries, snapshotsAtATime, async (entry): Promise<ClusterReport> => {
    const { snapshot: _, ...told } = entry
    return { ...told, policyName: await readPolicyName(inventory, directory, entry) }
  })
  return { clusters, sources: await inventory.listSources() }
}

const since = ({ code, detail, since: from }: Failing, now: Date): string =>
  `${code} for ${duration(now.getTime() - from.getTime())}: ${detail}`

const problemOf = ({ vanishedAt, failing, unknown, withheld }: ClusterReport, now: Date): string => {
  if (vanishedAt !== undefined) return `vanished ${duration(now.getTime() - vanishedAt.getTime())} ago`
  if (failing !== undefined) return since(failing, now)
  if (withheld !== undefined)
    return `kept from clients for ${duration(now.getTime() - withheld.since.getTime())}: without ${withheld.listeners.join(', ')}`
  const parts = Object.keys(unknown)
  const [first] = Object.values(unknown)
  return first === undefined ? '' : `${parts.join(', ')} not seen: ${since(first, now)}`
}

const whereOf = ({ environment, account, region }: ClusterReport): string =>
  [environment ?? account, region].filter((part) => part !== undefined).join(' ') || '-'

/** One line a cluster, then the sources that could not be listed. */
export const renderClusters = ({ clusters, sources }: ClustersReport, now: Date): readonly string[] => [
  ...(clusters.length === 0
    ? ['no crawl has found a cluster yet; `switchboard crawl` looks now']
    : renderTable(
        ['source', 'name', 'policy', 'provider', 'where', 'state', 'version', 'topics', 'seen', 'problem'],
        clusters.map((cluster) => [
          cluster.source,
          cluster.name ?? cluster.id,
          cluster.policyName ?? '-',
          cluster.provider ?? '-',
          whereOf(cluster),
          cluster.state ?? '-',
          cluster.version ?? '-',
          cluster.counts === undefined ? '-' : String(cluster.counts.topics),
          cluster.seenAt === undefined ? 'never' : `${duration(now.getTime() - cluster.seenAt.getTime())} ago`,
          problemOf(cluster, now),
        ]),
      )),
  ...sources.flatMap(({ source, failing, unlisted }) => [
    ...(failing === undefined ? [] : [`${source}: cannot be listed, ${since(failing, now)}`]),
    ...unlisted.map(({ prefix, ...failure }) => `${source}: ${prefix} cannot be listed, ${since(failure, now)}`),
  ]),
]
