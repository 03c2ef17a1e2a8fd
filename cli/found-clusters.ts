import { factsOf, leftToCrawl, noFacts } from '../shared/domain/facts.ts'
import type { FoundCluster } from '../shared/domain/inventory.ts'
import type { Policy } from '../shared/domain/policy.ts'
import type { Pointer } from '../shared/store/directory-store.ts'
import { CommandError } from './command-error.ts'
import type { Stack } from './stack.ts'

export type FoundClustersDeps = {
  readonly directories: Pick<Stack['directories'], 'readFacts'>
  readonly inventory: Pick<Stack['inventory'], 'list' | 'readSnapshot'>
}

/**
 * What the last crawl found of the clusters whose listeners the policy leaves to it, as far as it is not published yet.
 * @returns by the id of the cluster
 * @throws CommandError for a cluster that no crawl has found a way into
 */
export const findUnpublished = async (
  policy: Policy,
  { facts }: Pick<Pointer, 'facts'>,
  { directories, inventory }: FoundClustersDeps,
): Promise<ReadonlyMap<string, FoundCluster>> => {
  const missing = new Map(leftToCrawl(policy))
  if (missing.size === 0) return new Map()
  const { clusters } = facts === undefined ? noFacts : await directories.readFacts(facts)
  for (const id of Object.keys(clusters)) missing.delete(id)
  const found = new Map<string, FoundCluster>()
  if (missing.size === 0) return found
  for await (const { entry } of inventory.list()) {
    if (!missing.has(entry.id) || entry.snapshot === undefined) continue
    const { cluster } = await inventory.readSnapshot(entry.snapshot)
    if (factsOf(cluster).listeners.length > 0) found.set(entry.id, cluster)
  }
  for (const [id, name] of missing)
    if (!found.has(id))
      throw new CommandError(
        `the cluster \`${name}\` has no \`listeners\`, and no crawl has found one there that takes its kind of credential: write them, or put the \`crawl\` of the policy in force first, run \`switchboard crawl\` and apply again`,
      )
  return found
}
