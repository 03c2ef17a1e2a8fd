import type { Directory } from '../shared/domain/directory.ts'
import type { InventoryEntry, Snapshot } from '../shared/domain/inventory.ts'
import { policyNameOf, policyNameOfKey } from '../shared/domain/known-cluster.ts'
import { policySource } from '../shared/domain/policy.ts'
import { DamagedDocumentError } from '../shared/store/documents.ts'
import type { InventoryStore } from '../shared/store/inventory-store.ts'

/** A cluster that a crawl found, with its facts. */
export type FoundEntry = {
  readonly entry: InventoryEntry
  readonly snapshot: Snapshot
  /** What the policy in force calls it. */
  readonly policyName: string | undefined
}

/**
 * The facts that an entry names. They go when the cluster has changed twice since the entry was read; it names others then.
 * @returns undefined where no look succeeded yet
 */
export const readSnapshotOf = async (
  inventory: Pick<InventoryStore, 'read' | 'readSnapshot'>,
  entry: InventoryEntry,
): Promise<Snapshot | undefined> => {
  if (entry.snapshot === undefined) return undefined
  try {
    return await inventory.readSnapshot(entry.snapshot)
  } catch (error) {
    const now = (await inventory.read(entry))?.entry.snapshot
    if (!(error instanceof DamagedDocumentError) || now === undefined || now === entry.snapshot) throw error
    return inventory.readSnapshot(now)
  }
}

/** A cluster that the policy describes by its addresses may be one of a control plane, and only its facts say so. */
const needsAddresses = ({ clusters }: Directory, { source, counts, vanishedAt }: InventoryEntry): boolean =>
  source !== policySource &&
  vanishedAt === undefined &&
  (counts?.listeners ?? 0) > 0 &&
  [...clusters.values()].some(({ provider }) => provider === 'kafka')

/** What a policy calls a cluster of the inventory. Its facts are read only where its id does not say it. */
export const readPolicyName = async (
  inventory: Pick<InventoryStore, 'read' | 'readSnapshot'>,
  directory: Directory,
  entry: InventoryEntry,
): Promise<string | undefined> => {
  const name = policyNameOfKey(directory, entry)
  if (name !== undefined || !needsAddresses(directory, entry)) return name
  const snapshot = await readSnapshotOf(inventory, entry)
  return snapshot && policyNameOf(directory, entry, snapshot.cluster)
}

/** Snapshots that are read ahead of the one that is looked at. */
const readAhead = 3

/**
 * Clusters with their facts, a few at a time and never all: those that are there now, those that only the policy describes
 * last, because a control plane says more of the same cluster.
 * @param isWanted by what its entry says, so that nobody reads the facts of the others
 */
export async function* readSnapshots(
  inventory: Pick<InventoryStore, 'list' | 'read' | 'readSnapshot'>,
  directory: Directory,
  isWanted: (entry: InventoryEntry) => boolean,
): AsyncGenerator<FoundEntry> {
  const read = async (entry: InventoryEntry): Promise<FoundEntry | undefined> => {
    const snapshot = await readSnapshotOf(inventory, entry)
    return snapshot && { entry, snapshot, policyName: policyNameOf(directory, entry, snapshot.cluster) }
  }
  const ahead: Promise<FoundEntry | undefined>[] = []
  const next = async (): Promise<readonly FoundEntry[]> => {
    const found = await ahead.shift()
    return found === undefined ? [] : [found]
  }
  const entries: InventoryEntry[] = []
  for await (const { entry } of inventory.list())
    if (entry.vanishedAt === undefined && isWanted(entry)) entries.push(entry)
  entries.sort((a, b) => Number(a.source === policySource) - Number(b.source === policySource))
  for (const entry of entries) {
    const reading = read(entry)
    // told when its turn comes
    reading.catch(() => undefined)
    ahead.push(reading)
    if (ahead.length > readAhead) yield* await next()
  }
  while (ahead.length > 0) yield* await next()
}
