import type { InventoryEntry, SourceEntry, Withheld } from '../shared/domain/inventory.ts'
import { policyNameOfKey } from '../shared/domain/known-cluster.ts'
import { type NewMatch, newMatchLine } from '../shared/domain/new-matches.ts'
import { policySource } from '../shared/domain/policy.ts'
import type { CrawlMessage, CrawlQueue } from '../shared/store/crawl-queue.ts'
import type { InventoryStore, StoredEntry } from '../shared/store/inventory-store.ts'
import { CommandError } from './command-error.ts'
import { type InForce, readInForce } from './in-force.ts'
import { findNewMatches } from './new-matches.ts'
import type { Stack } from './stack.ts'
import { renderTable } from './table.ts'

export type CrawlRequest = {
  /** What the policy calls it, or its id, or its provider's name of it; undefined: everything. */
  readonly cluster: string | undefined
  /** All clusters of it alone, and which there are. */
  readonly source?: string | undefined
  /** Listeners of that cluster, or clusters of that source, that are gone are meant to be. */
  readonly acceptDrop: boolean
}

export type CrawlDeps = Pick<Stack, 'directories'> & {
  readonly inventory: Pick<InventoryStore, 'list' | 'listSources' | 'read' | 'readSnapshot'>
  readonly crawlQueue: Pick<CrawlQueue, 'send'>
  readonly report: (line: string) => void
  readonly clock: () => Date
  readonly wait: (milliseconds: number) => Promise<void>
  readonly waitSeconds: number
}

/** What came of a look at a cluster. */
export type LookOutcome = 'new' | 'changed' | 'unchanged' | 'failed' | 'vanished'

export type SourceReport = {
  readonly source: string
  /** Those that were looked at. */
  readonly clusters: number
  readonly topics: number
  readonly outcomes: Readonly<Record<LookOutcome, number>>
  /** Listed and not looked at yet; undefined: it is still being listed. */
  readonly waiting: number | undefined
  /** Why it could not be listed, or not whole. */
  readonly problems: readonly string[]
  /** From the start until all of it was looked at; undefined: it is not. */
  readonly seconds: number | undefined
}

export type FailedLook = {
  readonly source: string
  readonly id: string
  readonly name: string | undefined
  readonly code: string
  readonly detail: string
  readonly since: Date
}

/** A cluster of which clients are not told what was found: these listeners are gone, and nobody said that it is meant. */
export type WithheldCluster = Pick<FailedLook, 'source' | 'id' | 'name'> & Withheld

export type CrawlReport = {
  readonly startedAt: Date
  readonly seconds: number
  readonly sources: readonly SourceReport[]
  readonly failed: readonly FailedLook[]
  readonly withheld: readonly WithheldCluster[]
  /** Of selectors, by all that is known now. */
  readonly newMatches: readonly NewMatch[]
}

/** How the inventory was before anything was asked for. */
type Before = { readonly entries: ReadonlyMap<string, StoredEntry>; readonly listings: ReadonlyMap<string, Date> }

type Asked = { readonly sources: readonly string[] } | { readonly keys: readonly InventoryEntryKey[] }
type InventoryEntryKey = Pick<InventoryEntry, 'source' | 'id'> & { readonly name?: string | undefined }

const pollMs = 1_000
const progressMs = 5_000

const keyText = ({ source, id }: InventoryEntryKey): string => `${source}#${id}`

const readBefore = async ({ inventory }: Pick<CrawlDeps, 'inventory'>): Promise<Before> => {
  const entries = new Map<string, StoredEntry>()
  for await (const stored of inventory.list()) entries.set(keyText(stored.entry), stored)
  const listings = (await inventory.listSources()).flatMap(({ source, triedAt }) =>
    triedAt === undefined ? [] : [[source, triedAt] as const],
  )
  return { entries, listings: new Map(listings) }
}

/** Every look is a write, so the count of writes tells it whatever the clocks say. */
const outcomeOf = (before: StoredEntry | undefined, { entry, revision }: StoredEntry): LookOutcome | undefined => {
  if (before !== undefined && before.revision === revision) return undefined
  if (entry.vanishedAt !== undefined) return 'vanished'
  if (entry.failing !== undefined) return 'failed'
  if (before?.entry.seenAt === undefined) return 'new'
  return before.entry.changedAt?.getTime() === entry.changedAt?.getTime() ? 'unchanged' : 'changed'
}

/** Its control plane did not name it, so nobody was sent there. */
const isUnlisted = ({ vanishedAt }: InventoryEntry, listing: SourceEntry | undefined): boolean =>
  vanishedAt !== undefined && listing?.triedAt !== undefined && vanishedAt <= listing.triedAt

const problemsOf = ({ failing, unlisted }: SourceEntry): readonly string[] => [
  ...(failing === undefined ? [] : [`cannot be listed: ${failing.code}: ${failing.detail}`]),
  ...unlisted.map(({ prefix, code, detail }) => `${prefix} cannot be listed: ${code}: ${detail}`),
]

type Look = {
  readonly sources: readonly Omit<SourceReport, 'seconds'>[]
  readonly failed: readonly FailedLook[]
  readonly withheld: readonly WithheldCluster[]
  readonly isDone: boolean
}

/** How far it is: what was asked for against what is there now. */
export const lookAt = (
  before: Before,
  asked: Asked,
  entries: readonly StoredEntry[],
  listings: readonly SourceEntry[],
): Look => {
  const only = 'keys' in asked ? new Set(asked.keys.map(keyText)) : undefined
  const names = 'keys' in asked ? [...new Set(asked.keys.map(({ source }) => source))] : asked.sources
  const bySource = Map.groupBy(entries, ({ entry }) => entry.source)
  const failed: FailedLook[] = []
  const withheld: WithheldCluster[] = []
  const sources = names.map((source): Omit<SourceReport, 'seconds'> => {
    const listing = listings.find((each) => each.source === source)
    const isListed =
      only !== undefined ||
      (listing?.triedAt !== undefined && listing.triedAt.getTime() !== before.listings.get(source)?.getTime())
    const outcomes: Record<LookOutcome, number> = { new: 0, changed: 0, unchanged: 0, failed: 0, vanished: 0 }
    let clusters = 0
    let topics = 0
    let ofListing = 0
    for (const stored of bySource.get(source) ?? []) {
      const { entry } = stored
      const key = keyText(entry)
      if (only !== undefined && !only.has(key)) continue
      const outcome = outcomeOf(before.entries.get(key), stored)
      if (outcome === undefined) continue
      outcomes[outcome]++
      if (only !== undefined || !isUnlisted(entry, listing)) ofListing++
      if (outcome === 'vanished') continue
      clusters++
      topics += entry.counts?.topics ?? 0
      const { id, name } = entry
      if (entry.failing !== undefined) failed.push({ source, id, name, ...entry.failing })
      else if (entry.withheld !== undefined) withheld.push({ source, id, name, ...entry.withheld })
    }
    const expected =
      'keys' in asked
        ? asked.keys.filter((key) => key.source === source).length
        : listing?.failing === undefined
          ? (listing?.clusters ?? 0)
          : // of a listing that broke off nobody knows how many it named
            0
    return {
      source,
      clusters,
      topics,
      outcomes,
      waiting: isListed ? Math.max(0, expected - ofListing) : undefined,
      problems: only === undefined && isListed && listing !== undefined ? problemsOf(listing) : [],
    }
  })
  return { sources, failed, withheld, isDone: sources.every(({ waiting }) => waiting === 0) }
}

const askedFor = (cluster: string, { directory }: InForce, { entries }: Before): readonly InventoryEntryKey[] => {
  const all = [...entries.values()].map(({ entry }) => entry)
  // a cluster that the policy describes itself is known before anybody has looked at it
  const own = directory.clusters.get(cluster)
  const byPolicy = all.filter((entry) => policyNameOfKey(directory, entry) === cluster)
  if (own?.provider === 'kafka' && byPolicy.length === 0) return [{ source: policySource, id: cluster }]
  const found = [byPolicy, all.filter(({ id }) => id === cluster), all.filter(({ name }) => name === cluster)].find(
    (list) => list.length > 0,
  )
  if (found !== undefined) return found
  throw new CommandError(
    `no crawl has found \`${cluster}\`; \`switchboard clusters\` shows what was found, and a crawl without --cluster looks for more`,
    2,
  )
}

const sourcesOf = ({ policy }: InForce): readonly string[] => [policySource, ...Object.keys(policy.crawl ?? {})]

const checkedSource = (source: string, inForce: InForce): string => {
  const names = sourcesOf(inForce)
  if (names.includes(source)) return source
  const known = names.map((name) => `\`${name}\``)
  throw new CommandError(`there is no source \`${source}\`; the policy has ${known.join(', ')}`, 2)
}

const messagesOf = (asked: Asked, { source, acceptDrop }: CrawlRequest): readonly CrawlMessage[] => {
  const accept = acceptDrop ? { accept: true as const } : {}
  if ('keys' in asked)
    return asked.keys.map(({ source: of, id, name }) => ({
      kind: 'crawl-cluster',
      source: of,
      id,
      ...(name === undefined ? {} : { name }),
      ...accept,
    }))
  return source === undefined ? [{ kind: 'crawl' }] : [{ kind: 'list-clusters', source, ...accept }]
}

const seconds = (milliseconds: number): number => Math.round(milliseconds / 100) / 10

const sum = (list: readonly number[]): number => list.reduce((total, each) => total + each, 0)

const progressText = ({ sources, failed }: Look): string => {
  const listing = sources.filter(({ waiting }) => waiting === undefined).length
  const looked = sum(sources.map(({ clusters }) => clusters))
  const waiting = sum(sources.map((each) => each.waiting ?? 0))
  return [
    `${looked - failed.length} done`,
    `${failed.length} failed`,
    `${waiting} still waiting`,
    ...(listing === 0 ? [] : [`${listing} source${listing === 1 ? '' : 's'} being listed`]),
  ].join(', ')
}

/**
 * Asks for a crawl and follows it until all that was listed was looked at, or for as long as the caller waits. The crawl
 * itself goes on whoever follows it.
 * @throws CommandError when no cluster or source is called so
 */
export const crawlClusters = async (request: CrawlRequest, deps: CrawlDeps): Promise<CrawlReport> => {
  const { cluster, source: only } = request
  const { directories, inventory, crawlQueue, report, clock, wait, waitSeconds } = deps
  const inForce = await readInForce(directories)
  const before = await readBefore(deps)
  const asked: Asked =
    cluster === undefined
      ? { sources: only === undefined ? sourcesOf(inForce) : [checkedSource(only, inForce)] }
      : { keys: askedFor(cluster, inForce, before) }
  const startedAt = clock()
  await crawlQueue.send(messagesOf(asked, request))
  const doneAfter = new Map<string, number>()
  let told = startedAt.getTime()
  for (;;) {
    const entries: StoredEntry[] = []
    // before the entries, so that none of what it counts is newer than they are
    const listings = await inventory.listSources()
    for await (const stored of inventory.list()) entries.push(stored)
    const look = lookAt(before, asked, entries, listings)
    const now = clock().getTime()
    const passed = now - startedAt.getTime()
    for (const { source, waiting, clusters, problems } of look.sources)
      if (waiting === 0 && !doneAfter.has(source)) {
        doneAfter.set(source, seconds(passed))
        report(`${source}: ${clusters} cluster${clusters === 1 ? '' : 's'} looked at after ${seconds(passed)} s`)
        for (const problem of problems) report(`${source}: ${problem}`)
      }
    if (look.isDone || passed >= waitSeconds * 1000)
      return {
        startedAt,
        seconds: seconds(passed),
        sources: look.sources.map((each) => ({ ...each, seconds: doneAfter.get(each.source) })),
        failed: look.failed,
        withheld: look.withheld,
        newMatches: await findNewMatches(inForce.policy, inForce.directory, inventory),
      }
    if (now - told >= progressMs) {
      told = now
      report(progressText(look))
    }
    await wait(pollMs)
  }
}

const outcomeNames = ['new', 'changed', 'unchanged', 'failed', 'vanished'] as const satisfies readonly LookOutcome[]

/** One line a source and one for all of them, then what failed and what somebody should look at. */
export const renderCrawl = ({
  sources,
  failed,
  withheld,
  newMatches,
  seconds: took,
}: CrawlReport): readonly string[] => {
  const rowOf = (name: string, of: readonly SourceReport[], time: number | undefined): readonly string[] => [
    name,
    String(sum(of.map(({ clusters }) => clusters))),
    String(sum(of.map(({ topics }) => topics))),
    ...outcomeNames.map((outcome) => String(sum(of.map(({ outcomes }) => outcomes[outcome])))),
    of.some(({ waiting }) => waiting === undefined) ? '?' : String(sum(of.map(({ waiting }) => waiting ?? 0))),
    time === undefined ? '-' : `${time.toFixed(1)} s`,
  ]
  return [
    ...renderTable(
      ['source', 'clusters', 'topics', ...outcomeNames, 'waiting', 'took'],
      [
        ...sources.map((each) => rowOf(each.source, [each], each.seconds)),
        ...(sources.length === 1 ? [] : [rowOf('all', sources, took)]),
      ],
    ),
    ...sources.flatMap(({ source, problems }) => problems.map((problem) => `${source}: ${problem}`)),
    ...failed.map(
      ({ source, id, name, code, detail, since }) =>
        `${source}: ${name ?? id} failing since ${since.toISOString()}: ${code}: ${detail}`,
    ),
    ...withheld.map(
      ({ source, id, name, listeners, since }) =>
        `${source}: ${name ?? id} is without ${listeners.join(', ')} since ${since.toISOString()}, and clients are not told; if that is meant: switchboard crawl --cluster ${id} --accept-drop`,
    ),
    ...newMatches.map((match) => `warning: ${newMatchLine(match)}`),
  ]
}

/** @returns undefined when everything was looked at, and could be */
export const crawlError = ({ sources, failed, withheld, seconds: took }: CrawlReport): CommandError | undefined => {
  const waiting = sum(sources.map((each) => each.waiting ?? 0))
  const unlisted = sources.filter((each) => each.waiting === undefined).map(({ source }) => `\`${source}\``)
  if (waiting + unlisted.length > 0)
    return new CommandError(
      `after ${took} s ${unlisted.length > 0 ? `${unlisted.join(', ')} cannot be told: no listing ended` : `${waiting} clusters were not looked at`}; the crawl goes on, and \`switchboard clusters\` shows what it finds`,
    )
  const problems = sum(sources.map((each) => each.problems.length))
  if (failed.length + problems > 0)
    return new CommandError(
      `${failed.length} clusters and ${problems} listings failed; their last facts stay, and what to do stands in docs/operations.md`,
    )
  if (withheld.length > 0)
    return new CommandError(
      `what was found of ${withheld.length} clusters is kept from clients, because so many of their listeners are gone`,
    )
  return undefined
}
