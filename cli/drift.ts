import { type Drift, driftOfCluster, mergeDrift } from '../shared/domain/drift.ts'
import type { InventoryEntry } from '../shared/domain/inventory.ts'
import { policyNameOfKey } from '../shared/domain/known-cluster.ts'
import { type NewMatch, newMatchLine } from '../shared/domain/new-matches.ts'
import { sideBySide } from '../shared/inventory/side-by-side.ts'
import type { InventoryStore } from '../shared/store/inventory-store.ts'
import { CommandError } from './command-error.ts'
import { readInForce } from './in-force.ts'
import { findNewMatches } from './new-matches.ts'
import { readSnapshotOf } from './read-snapshots.ts'
import type { Stack } from './stack.ts'
import { renderTable } from './table.ts'

export type DriftDeps = Pick<Stack, 'directories' | 'access' | 'credentials'> & {
  readonly inventory: Pick<InventoryStore, 'list' | 'read' | 'readSnapshot'>
}

/** `newMatches`: of selectors, by tags. The policy is kept all the same, so that they are no difference. */
export type DriftReport = Drift & { readonly newMatches: readonly NewMatch[] }

const clustersAtATime = 4

/** One that is there before one that vanished, and of two the one that was seen last. */
const isBetter = (one: InventoryEntry, other: InventoryEntry | undefined): boolean =>
  other === undefined ||
  (one.vanishedAt === undefined
    ? other.vanishedAt !== undefined || (one.seenAt?.getTime() ?? 0) > (other.seenAt?.getTime() ?? 0)
    : false)

/**
 * The policy in force against what the last crawl found on its clusters.
 * @param only a cluster of the policy; undefined: all of them
 * @throws CommandError when the policy has no such cluster
 */
export const findDrift = async (
  only: string | undefined,
  { directories, inventory, access, credentials }: DriftDeps,
  now: Date,
): Promise<DriftReport> => {
  const { pointer, policy, directory } = await readInForce(directories)
  if (only !== undefined && !directory.clusters.has(only)) {
    const names = [...directory.clusters.keys()].map((name) => `\`${name}\``)
    throw new CommandError(`there is no cluster \`${only}\`; the policy has ${names.join(', ') || 'none'}`, 2)
  }
  const entries = new Map<string, InventoryEntry>()
  for await (const { entry } of inventory.list()) {
    const name = policyNameOfKey(directory, entry)
    if (name !== undefined && isBetter(entry, entries.get(name))) entries.set(name, entry)
  }
  const clusters = [...directory.clusters.values()].filter(({ name }) => only === undefined || name === only)
  const drifts = await sideBySide(clusters, clustersAtATime, async (cluster): Promise<Drift> => {
    const entry = entries.get(cluster.name)
    const [snapshot, known, stored] = await Promise.all([
      entry && readSnapshotOf(inventory, entry),
      access.list(cluster.name),
      credentials.list(cluster.name),
    ])
    const state = {
      found: entry && { entry, snapshot },
      known,
      credentials: stored.map(({ credential }) => credential),
    }
    return driftOfCluster(cluster, state, { directory, denied: pointer.denied, now })
  })
  const newMatches = (await findNewMatches(policy, directory, inventory)).filter(
    ({ cluster, match }) => only === undefined || cluster === only || match === only,
  )
  return { ...mergeDrift(drifts), newMatches }
}

const count = (list: readonly unknown[], what: string): string =>
  `${list.length} ${what}${list.length === 1 ? '' : 's'}`

export const renderDrift = ({ differences, untold, newMatches }: DriftReport): readonly string[] => [
  ...(differences.length === 0
    ? []
    : renderTable(
        ['cluster', 'drift', 'what', 'name', 'detail'],
        differences.map(({ cluster, kind, what, name, detail }) => [cluster, kind, what, name, detail ?? '']),
      )),
  ...(untold.length === 0 ? [] : [...(differences.length === 0 ? [] : ['']), 'cannot be told']),
  ...untold.map(({ cluster, what, why }) => `  ${cluster}: ${what}: ${why}`),
  ...(differences.length + untold.length === 0 ? ['no drift'] : []),
  ...(newMatches.length === 0 ? [] : ['', 'selectors that match another cluster by now']),
  ...newMatches.map((match) => `  ${newMatchLine(match)}`),
]

/**
 * For CI: 1 with drift, 3 without drift where something cannot be told.
 * @returns undefined when all is as the policy says
 */
export const driftError = ({ differences, untold }: Drift): CommandError | undefined => {
  if (differences.length > 0)
    return new CommandError(
      `${count(differences, 'difference')}${untold.length === 0 ? '' : `, and ${count(untold, 'thing')} that cannot be told`}`,
    )
  if (untold.length > 0)
    return new CommandError(
      `no difference was found, but ${count(untold, 'thing')} cannot be told; see why above, then \`switchboard crawl\``,
      3,
    )
  return undefined
}
