import {
  type CatalogQuery,
  type CatalogRow,
  createCatalog,
  type UnusedGrant,
  type UnusedRoute,
  type Use,
  unusedAfterDays,
} from '../shared/domain/catalog.ts'
import type { Directory } from '../shared/domain/directory.ts'
import type { InventoryEntry } from '../shared/domain/inventory.ts'
import { policyNameOfKey } from '../shared/domain/known-cluster.ts'
import { hasLabels } from '../shared/domain/principal.ts'
import { latestUses, type RecordedUse, useOfLease, usesOfRecorded } from '../shared/domain/use.ts'
import type { InventoryStore } from '../shared/store/inventory-store.ts'
import type { LeaseStore } from '../shared/store/lease-store.ts'
import { type InForce, readInForce } from './in-force.ts'
import { readSnapshots } from './read-snapshots.ts'
import type { Stack } from './stack.ts'
import { renderTable } from './table.ts'

export type CatalogDeps = Pick<Stack, 'directories' | 'access' | 'uses'> & {
  readonly inventory: Pick<InventoryStore, 'list' | 'read' | 'readSnapshot'>
  readonly leases: Pick<LeaseStore, 'readAll'>
}

/** What was found, one cluster after the other while it is read. */
export type CatalogSearch = {
  readonly rows: AsyncIterable<CatalogRow>
  readonly unusedRoutes: () => readonly UnusedRoute[]
  readonly unusedGrants: () => readonly UnusedGrant[]
}

/** What crawl has on record, and the leases of now: the record is up to a day behind them. */
const readUses = async (
  { directory, policy, pointer }: InForce,
  { access, uses, leases }: Pick<CatalogDeps, 'access' | 'uses' | 'leases'>,
  now: Date,
): Promise<readonly Use[]> => {
  const known = (await Promise.all(Object.keys(policy.clusters).map((cluster) => access.list(cluster)))).flat()
  const labels = new Map<string, Readonly<Record<string, string>>>()
  for (const entry of known) labels.set(entry.principal, { ...labels.get(entry.principal), ...entry.labels })
  async function* all(): AsyncGenerator<RecordedUse> {
    yield* uses.list()
    for await (const lease of leases.readAll()) yield useOfLease(lease, pointer.policy, now)
  }
  return [...(await latestUses(all())).values()].flatMap((use) =>
    usesOfRecorded(use, directory, labels.get(use.principal) ?? {}),
  )
}

/** Whether anything of a cluster can be in the answer, by its entry alone. */
const canHaveRows = (
  { owner, labels = {}, cluster }: CatalogQuery,
  directory: Directory,
): ((entry: InventoryEntry) => boolean) => {
  const isCalled = (entry: InventoryEntry): boolean => {
    if (cluster === undefined || [entry.name, entry.id].includes(cluster)) return true
    const name = policyNameOfKey(directory, entry)
    // what the policy calls others is known with their addresses
    return name === undefined ? directory.clusters.has(cluster) : name === cluster
  }
  return (entry) => (owner === undefined || entry.owner === owner) && hasLabels(entry.labels, labels) && isCalled(entry)
}

/** Channels and topics of all clusters that a crawl found, with who may use them and who does. */
export const searchCatalog = async (query: CatalogQuery, deps: CatalogDeps, now: Date): Promise<CatalogSearch> => {
  const inForce = await readInForce(deps.directories)
  const { directory } = inForce
  const catalog = createCatalog({ directory, uses: await readUses(inForce, deps, now), now })
  async function* rows(): AsyncGenerator<CatalogRow> {
    const told = new Set<string>()
    for await (const found of readSnapshots(deps.inventory, directory, canHaveRows(query, directory))) {
      const { policyName, snapshot } = found
      // two sources may know one cluster
      if (policyName !== undefined && told.has(policyName)) continue
      if (policyName !== undefined && snapshot.parts.topics !== undefined) told.add(policyName)
      yield* catalog.rowsOf(found, query)
    }
  }
  return { rows: rows(), unusedRoutes: catalog.unusedRoutes, unusedGrants: catalog.unusedGrants }
}

/** More than anybody reads in a table. */
const maximumShown = 1_000

const listed = (names: readonly string[]): string => names.join(', ') || '-'
const fromTo = (from: readonly string[], to: readonly string[]): string =>
  from.length + to.length === 0 ? '-' : `${listed(from)} -> ${listed(to)}`

/** At most as many rows as somebody reads: whoever wants all of them asks for JSON. */
export const renderRows = async (rows: AsyncIterable<CatalogRow>): Promise<readonly string[]> => {
  const cells: string[][] = []
  let hasMore = false
  for await (const row of rows) {
    if (cells.length === maximumShown) {
      hasMore = true
      break
    }
    const { channel, topic, cluster, partitions, owner, mayProduce, mayConsume, producers, consumers } = row
    cells.push([
      channel ?? '(no route)',
      topic,
      cluster,
      String(partitions),
      owner ?? '-',
      fromTo(mayProduce, mayConsume),
      fromTo(producers, consumers),
      listed(row.subjects),
      listed(Object.entries(row.labels).map(([name, value]) => `${name}=${value}`)),
    ])
  }
  if (cells.length === 0) return ['nothing found']
  const head = ['channel', 'topic', 'cluster', 'partitions', 'owner', 'may use it', 'uses it', 'schemas', 'labels']
  return [
    ...renderTable(head, cells),
    ...(hasMore ? [`the first ${maximumShown}; search for more words, or take all with --json`] : []),
  ]
}

/** Of the policy as a whole, whatever was searched for. */
export const renderUnused = ({
  unusedRoutes,
  unusedGrants,
}: Pick<CatalogSearch, 'unusedRoutes' | 'unusedGrants'>): readonly string[] => {
  const [routes, grants] = [unusedRoutes(), unusedGrants()]
  return [
    '',
    routes.length === 0
      ? `every route was taken by a lease of the last ${unusedAfterDays} days`
      : `routes without a lease for ${unusedAfterDays} days`,
    ...(routes.length === 0
      ? []
      : renderTable(
          ['route', 'channel', 'cluster', 'last lease'],
          routes.map(({ position, channel, cluster, lastLease }) => [
            `routes[${position}]`,
            channel,
            cluster,
            lastLease?.toISOString() ?? 'never',
          ]),
        ).map((line) => `  ${line}`)),
    '',
    grants.length === 0 ? 'every grant was used' : 'grants never used',
    ...(grants.length === 0
      ? []
      : renderTable(
          ['grant', 'principals', 'expired'],
          grants.map(({ index, principals, expired }) => [
            `grants[${index}]`,
            listed(principals),
            expired ? 'yes' : 'no',
          ]),
        ).map((line) => `  ${line}`)),
  ]
}

/** One document, written while it is read: a row stands on a line of its own. */
export async function* catalogAsJson(
  { rows, unusedRoutes, unusedGrants }: CatalogSearch,
  withUnused: boolean,
): AsyncGenerator<string> {
  yield '{"rows":['
  let last: string | undefined
  for await (const row of rows) {
    if (last !== undefined) yield `${last},`
    last = JSON.stringify(row)
  }
  if (last !== undefined) yield last
  yield withUnused
    ? `],"unusedRoutes":${JSON.stringify(unusedRoutes())},"unusedGrants":${JSON.stringify(unusedGrants())}}`
    : ']}'
}
