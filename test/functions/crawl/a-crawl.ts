import type { SQSRecord } from 'aws-lambda'
import { createCrawl } from '../../../functions/crawl/crawl.ts'
import { createCrawlCluster } from '../../../functions/crawl/crawl-cluster.ts'
import { createInForce } from '../../../functions/crawl/in-force.ts'
import { runJobs } from '../../../functions/crawl/jobs.ts'
import { createListClusters } from '../../../functions/crawl/list-clusters.ts'
import { createNoteUses } from '../../../functions/crawl/note-uses.ts'
import { createTopicsAppeared } from '../../../functions/crawl/topics-appeared.ts'
import { createWarnOfNewMatches } from '../../../functions/crawl/warn-of-new-matches.ts'
import type { FoundCluster } from '../../../shared/domain/inventory.ts'
import type { ClusterSource, Listed, Part } from '../../../shared/inventory/cluster-source.ts'
import type { CrawlMessage } from '../../../shared/store/crawl-queue.ts'
import type { InventoryStore } from '../../../shared/store/inventory-store.ts'
import {
  createMemoryAccessStore,
  createMemoryDirectoryStore,
  createMemoryInventoryStore,
  createMemoryLeaseStore,
  createMemoryUseStore,
} from '../../../shared/store/memory.ts'
import { createPublishFacts } from '../../../shared/store/publish-facts.ts'
import type { Message } from '../../../shared/store/queue.ts'
import { aFoundCluster, theseParts } from '../../fixtures/inventories.ts'
import { recordTelemetry } from '../../fixtures/recorded-telemetry.ts'

/** A control plane that says what it is told to say: parts, or an error in the middle of them. */
export type SimulatedSource = ClusterSource & {
  /** What the listing yields; an error is thrown where it stands. */
  listed: readonly (Listed | Error)[]
  readonly clusters: Map<string, readonly (Part | Error | Promise<never>)[]>
}

export const someParts = (name: string, given: Parameters<typeof theseParts>[0] = {}): readonly Part[] => {
  const parts = theseParts(given)
  return [
    { part: 'cluster', cluster: aFoundCluster({ name }) },
    { part: 'brokers', found: parts.brokers },
    { part: 'topics', found: parts.topics },
    { part: 'groups', found: parts.groups },
    { part: 'users', found: parts.users },
    { part: 'acls', found: parts.acls },
    { part: 'registries', found: parts.registries },
  ]
}

export const aSource = (...names: readonly string[]): SimulatedSource => {
  const source: SimulatedSource = {
    listed: names.map((name) => ({ kind: 'cluster', ref: { id: `arn:${name}`, name } })),
    clusters: new Map(names.map((name) => [`arn:${name}`, someParts(name)])),
    list: async function* () {
      for (const each of source.listed) {
        if (each instanceof Error) throw each
        yield each
      }
    },
    observe: async function* ({ id }) {
      for (const each of source.clusters.get(id) ?? []) {
        if (each instanceof Error) throw each
        yield await each
      }
    },
  }
  return source
}

/** A crawl function with a queue that only remembers, until `run` empties it. */
export const aCrawl = ({
  sources = {} as Record<string, ClusterSource>,
  brokers = (_: FoundCluster): AsyncIterable<Part> | undefined => undefined,
  wrap = (store: InventoryStore): InventoryStore => store,
  remainingMs = 60_000,
} = {}) => {
  const inventory = createMemoryInventoryStore()
  const telemetry = recordTelemetry()
  const leases = createMemoryLeaseStore()
  const uses = createMemoryUseStore()
  const directories = createMemoryDirectoryStore()
  const access = createMemoryAccessStore()
  const waiting: CrawlMessage[] = []
  const toRotate: Message[] = []
  const postponed: number[] = []
  let now = new Date('2026-11-21T12:00:00.000Z')
  const common = {
    inventory: wrap(inventory),
    telemetry,
    clock: () => now,
    queue: {
      send: async (messages: readonly CrawlMessage[]) => void waiting.push(...messages),
      postpone: async (_: string, seconds: number) => void postponed.push(seconds),
    },
    openSource: async (name: string) => sources[name],
  }
  const deps = {
    ...common,
    crawl: createCrawl({ ...common, sources: async () => Object.keys(sources) }),
    listClusters: createListClusters(common),
    noteUses: createNoteUses({ ...common, directories, leases, uses }),
    crawlCluster: createCrawlCluster({
      ...common,
      openBrokers: async (found) => brokers(found),
      publish: createPublishFacts(directories),
      topicsAppeared: createTopicsAppeared({
        inForce: createInForce(directories),
        access,
        queue: { send: async (message) => void toRotate.push(message) },
        telemetry,
        clock: () => now,
      }),
      warnOfNewMatches: createWarnOfNewMatches({ inForce: createInForce(directories), telemetry }),
    }),
  }
  const record = (message: unknown): SQSRecord =>
    ({
      messageId: JSON.stringify(message),
      receiptHandle: 'handle',
      body: typeof message === 'string' ? message : JSON.stringify(message),
      attributes: { ApproximateReceiveCount: '1' },
    }) as SQSRecord
  return {
    inventory,
    leases,
    uses,
    telemetry,
    directories,
    access,
    waiting,
    toRotate,
    postponed,
    sources,
    at: (time: string) => {
      now = new Date(time)
    },
    /** One message and nothing of what it asks for. */
    one: (message: unknown) => runJobs([record(message)], deps, () => remainingMs),
    /** Works until nothing is left to do. @returns the messages that failed */
    run: async (first: unknown = { kind: 'crawl' }): Promise<readonly string[]> => {
      const failed: SQSRecord[] = [...(await runJobs([record(first)], deps, () => remainingMs))]
      for (let message = waiting.shift(); message !== undefined; message = waiting.shift())
        failed.push(...(await runJobs([record(message)], deps, () => remainingMs)))
      return failed.map(({ messageId }) => messageId)
    },
    entries: async () => {
      const found = []
      for await (const { entry } of inventory.list()) found.push(entry)
      return found
    },
    entry: async (source: string, id: string) => (await inventory.read({ source, id }))?.entry,
    snapshot: async (source: string, id: string) => {
      const address = (await inventory.read({ source, id }))?.entry.snapshot
      return address === undefined ? undefined : inventory.readSnapshot(address)
    },
  }
}
