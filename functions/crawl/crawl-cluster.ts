import {
  type ClusterKey,
  type CrawlFailure,
  compare,
  completeObservation,
  entryAfterFailure,
  entryAfterLook,
  entryAfterVanishing,
  type FoundCluster,
  type Observation,
  type PartName,
  type Snapshot,
} from '../../shared/domain/inventory.ts'
import { type ClusterSource, type Part, SourceError } from '../../shared/inventory/cluster-source.ts'
import { gather, within } from '../../shared/inventory/gather.ts'
import { DamagedDocumentError } from '../../shared/store/documents.ts'
import { type InventoryStore, type StoredEntry, snapshotAddress } from '../../shared/store/inventory-store.ts'
import type { PublishFacts } from '../../shared/store/publish-facts.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'
import type { TopicsAppeared } from './topics-appeared.ts'
import type { WarnOfNewMatches } from './warn-of-new-matches.ts'

/** What is asked for besides the cluster: as the listing called it, and whether listeners may be gone. */
export type CrawlOptions = { readonly name?: string | undefined; readonly accept?: boolean | undefined }

/**
 * Looks at one cluster, tells clients where it is, and writes what is known of it then. What fails is written too, and is
 * no failure of the message: the next crawl tries again.
 */
export type CrawlCluster = (key: ClusterKey, options: CrawlOptions, remainingMs: () => number) => Promise<void>

export type CrawlClusterDeps = {
  /** undefined: the policy in force has no such source */
  readonly openSource: (source: string) => Promise<ClusterSource | undefined>
  /** The Kafka protocol of a cluster that a control plane knows; undefined: nothing says how to log in there. */
  readonly openBrokers: (cluster: FoundCluster) => Promise<AsyncIterable<Part> | undefined>
  readonly inventory: Pick<InventoryStore, 'read' | 'readSnapshot' | 'write'>
  readonly publish: PublishFacts
  readonly topicsAppeared: TopicsAppeared
  readonly warnOfNewMatches: WarnOfNewMatches
  readonly telemetry: Telemetry
  readonly clock: () => Date
}

/** What it takes to write what was seen, after there is no more time to look. */
const writingMs = 15_000
/** Nobody but a listing and an operator writes between a worker's read and its write. */
const maximumTries = 5
/** Of which the control planes of clusters say nothing, or not of every cluster. */
const askedOfBrokers: readonly PartName[] = ['topics', 'groups', 'acls']

type Outcome = { readonly seen: Observation } | { readonly failure: CrawlFailure; readonly cause?: unknown }

export const createCrawlCluster = ({
  openSource,
  openBrokers,
  inventory,
  publish,
  topicsAppeared,
  warnOfNewMatches,
  telemetry,
  clock,
}: CrawlClusterDeps): CrawlCluster => {
  /** A cluster that the brokers hide does not hide what its control plane said. */
  const complete = async (seen: Observation, remainingMs: () => number): Promise<Observation> => {
    if (askedOfBrokers.every((part) => seen.parts[part] !== undefined)) return seen
    const brokers = await openBrokers(seen.cluster)
    if (brokers === undefined) return seen
    async function* parts(from: AsyncIterable<Part>): AsyncGenerator<Part> {
      yield { part: 'cluster', cluster: seen.cluster }
      yield* from
    }
    try {
      return completeObservation(seen, await gather(within(parts(brokers), remainingMs() - writingMs)))
    } catch (error) {
      if (!(error instanceof SourceError)) throw error
      return completeObservation(seen, { code: error.code, detail: error.message })
    }
  }

  const observe = async (source: ClusterSource, id: string, remainingMs: () => number): Promise<Outcome> => {
    try {
      const seen = await gather(within(source.observe({ id }), remainingMs() - writingMs))
      return { seen: await complete(seen, remainingMs) }
    } catch (error) {
      if (error instanceof SourceError) return { failure: { code: error.code, detail: error.message } }
      // a mistake of ours: its text may hold anything, so it goes to the log alone
      return { failure: { code: 'unexpected', detail: error instanceof Error ? error.name : 'unknown' }, cause: error }
    }
  }

  /** undefined: there is none, or what there is can only be written anew. */
  const lastSnapshot = async (last: StoredEntry | undefined): Promise<Snapshot | undefined> => {
    const address = last?.entry.snapshot
    if (address === undefined) return undefined
    try {
      return await inventory.readSnapshot(address)
    } catch (error) {
      if (!(error instanceof DamagedDocumentError)) throw error
      telemetry.error('snapshot is damaged', error, { source: last?.entry.source, cluster: last?.entry.id })
      return undefined
    }
  }

  /** @returns listeners whose absence keeps clients from being told */
  const tellClients = async (key: ClusterKey, found: FoundCluster, accept: boolean) => {
    const published = await publish(key.id, found, accept)
    if (published.outcome === 'published') {
      telemetry.count(metricNames.factsPublished)
      telemetry.info('facts published', { ...key, facts: published.facts })
    }
    if (published.outcome !== 'withheld') return undefined
    telemetry.count(metricNames.factsWithheld)
    telemetry.warn('facts withheld: listeners are gone', { ...key, listeners: published.listeners })
    return published.listeners
  }

  const writeSeen = async (
    key: ClusterKey,
    last: StoredEntry | undefined,
    seen: Observation,
    accept: boolean,
  ): Promise<boolean> => {
    const now = clock()
    const before = await lastSnapshot(last)
    const { snapshot, changes, clusterChanges } = compare(key, before, seen, now)
    const address = snapshotAddress(snapshot)
    const withheld = await tellClients(key, snapshot.cluster, accept)
    const appeared = changes.flatMap(({ change, kind, name }) => (change === 'added' && kind === 'topic' ? [name] : []))
    // before it is written that they are there: a worker that is killed in between does it again
    if (appeared.length > 0) await topicsAppeared(key, snapshot, appeared)
    if (before === undefined || clusterChanges.includes('tags'))
      await warnOfNewMatches(key, snapshot.cluster, before?.cluster)
    const entry = entryAfterLook(last?.entry, snapshot, address, seen.unknown, withheld, now)
    const isSame = before !== undefined && last?.entry.snapshot === address
    if (!(await inventory.write(last, entry, isSame ? undefined : snapshot))) return false
    telemetry.count(metricNames.clusterCrawled)
    if (isSame) return true
    telemetry.count(metricNames.clusterChanged)
    const count = (wanted: string): number => changes.filter(({ change }) => change === wanted).length
    telemetry.info('cluster changed', {
      ...key,
      name: entry.name,
      isNew: last?.entry.snapshot === undefined,
      added: count('added'),
      changed: count('changed'),
      removed: count('removed'),
      members: clusterChanges,
    })
    return true
  }

  const writeFailure = async (
    key: ClusterKey,
    last: StoredEntry | undefined,
    failure: CrawlFailure,
    name: string | undefined,
  ): Promise<boolean> => {
    const now = clock()
    if (failure.code === 'gone')
      return last === undefined || inventory.write(last, entryAfterVanishing(last.entry, now))
    const entry = entryAfterFailure(key, last?.entry, failure, now, name)
    if (!(await inventory.write(last, entry))) return false
    telemetry.count(metricNames.clusterCrawlFailed, { name: 'reason', value: failure.code })
    telemetry.warn('cluster cannot be crawled', { ...key, ...failure, since: entry.failing?.since.toISOString() })
    return true
  }

  return async (key, { name, accept = false }, remainingMs) => {
    const source = await openSource(key.source)
    if (source === undefined) return telemetry.info('source is not configured', { source: key.source })
    const outcome = await observe(source, key.id, remainingMs)
    for (let tries = 1; ; tries++) {
      const last = await inventory.read(key)
      const isWritten =
        'seen' in outcome
          ? await writeSeen(key, last, outcome.seen, accept)
          : await writeFailure(key, last, outcome.failure, name)
      if (isWritten) break
      if (tries === maximumTries) throw new Error(`others wrote \`${key.id}\` of \`${key.source}\` ${tries} times`)
    }
    if ('cause' in outcome) throw outcome.cause
  }
}
