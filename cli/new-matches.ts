import type { Directory } from '../shared/domain/directory.ts'
import type { InventoryEntry } from '../shared/domain/inventory.ts'
import { type NewMatch, newMatches } from '../shared/domain/new-matches.ts'
import { type Policy, policySource } from '../shared/domain/policy.ts'
import { sideBySide } from '../shared/inventory/side-by-side.ts'
import type { InventoryStore } from '../shared/store/inventory-store.ts'
import { readPolicyName } from './read-snapshots.ts'

const snapshotsAtATime = 4

const labelKey = ([name, value]: readonly [string, string]): string => `${name}=${value}`

/**
 * What selectors of a policy match by the last crawl. Nothing is read for a policy without selectors, and of clusters that no
 * tag lets match only the entry.
 */
export const findNewMatches = async (
  policy: Policy,
  directory: Directory,
  inventory: Pick<InventoryStore, 'list' | 'read' | 'readSnapshot'>,
): Promise<readonly NewMatch[]> => {
  const wanted = new Set(policy.routes.flatMap(({ selector }) => Object.entries(selector?.labels ?? {}).map(labelKey)))
  if (wanted.size === 0) return []
  const entries: InventoryEntry[] = []
  // what was found of the clusters that the policy describes itself are the labels of an earlier policy
  for await (const { entry } of inventory.list())
    if (
      entry.source !== policySource &&
      entry.vanishedAt === undefined &&
      Object.entries(entry.labels).some((label) => wanted.has(labelKey(label)))
    )
      entries.push(entry)
  // where two sources know it, what was seen last
  entries.sort((a, b) => (a.seenAt?.getTime() ?? 0) - (b.seenAt?.getTime() ?? 0))
  const tagged = await sideBySide(entries, snapshotsAtATime, async (entry) => ({
    name: await readPolicyName(inventory, directory, entry),
    labels: entry.labels,
  }))
  return newMatches(
    policy,
    new Map(tagged.flatMap(({ name, labels }) => (name === undefined ? [] : [[name, labels] as const]))),
  )
}
