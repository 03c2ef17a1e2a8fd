import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  paginateQuery,
} from '@aws-sdk/lib-dynamodb'
import { canonicalJson } from '../domain/canonical-json.ts'
import type { ClusterKey, Failing, InventoryEntry, Snapshot, SourceEntry } from '../domain/inventory.ts'
import { conditionHolds } from './conditional-write.ts'
import { contentAddress, createDocuments, type Documents } from './documents.ts'

/** An entry as it lies in the store: what a write is compared with. */
export type StoredEntry = {
  readonly entry: InventoryEntry
  /** Counts the writes. */
  readonly revision: number
  /** Content address of the facts before these: whoever began to read them can end it. */
  readonly superseded: string | undefined
}

export type InventoryStore = {
  readonly read: (key: ClusterKey) => Promise<StoredEntry | undefined>
  /** Entries of a source, or all, by source and id, a page at a time; never a snapshot. */
  readonly list: (source?: string) => AsyncIterable<StoredEntry>
  /**
   * What `entry.snapshot` names. It stays there until the cluster has changed twice.
   * @throws DamagedDocumentError when it is not there whole, or has other content than its address
   */
  readonly readSnapshot: (address: string) => Promise<Snapshot>
  /**
   * Makes `entry` the current one if nobody wrote since `last` was read; answers whether it did. A snapshot that comes
   * with it is there, whole, before the entry names it: whoever reads meets the old one or the new one. Without a snapshot
   * it is one write.
   * @param last undefined: there was none
   */
  readonly write: (last: StoredEntry | undefined, entry: InventoryEntry, snapshot?: Snapshot) => Promise<boolean>
  /** With its snapshots, if nobody wrote since it was read; answers whether it did. */
  readonly remove: (last: StoredEntry) => Promise<boolean>
  readonly readSource: (source: string) => Promise<SourceEntry | undefined>
  readonly listSources: () => Promise<readonly SourceEntry[]>
  /** The last writer wins: a listing that took longer only says something older. */
  readonly writeSource: (entry: SourceEntry) => Promise<void>
  readonly removeSource: (source: string) => Promise<void>
}

export const snapshotKind = 'snapshot'
/** What `entry.snapshot` of this snapshot has to be. */
export const snapshotAddress = (snapshot: Snapshot): string => contentAddress(canonicalJson(snapshot))

const clustersPk = 'clusters'
const sourcesPk = 'sources'
/** No source has a `#` in its name. */
const clusterSk = ({ source, id }: ClusterKey): string => `${source}#${id}`

type Item = Readonly<Record<string, unknown>>

const isoOf = (date: Date | undefined): string | undefined => date?.toISOString()
const dateOf = (text: unknown): Date | undefined => (text === undefined ? undefined : new Date(String(text)))

const failingToItem = ({ since, ...failing }: Failing): Item => ({ ...failing, since: since.toISOString() })
const failingFromItem = (item: unknown): Failing => {
  const { since, ...failing } = item as Omit<Failing, 'since'> & { readonly since: string }
  return { ...failing, since: new Date(since) }
}

export const entryToItem = ({ entry, revision, superseded }: StoredEntry): Item => ({
  ...entry,
  firstLookAt: entry.firstLookAt.toISOString(),
  seenAt: isoOf(entry.seenAt),
  changedAt: isoOf(entry.changedAt),
  vanishedAt: isoOf(entry.vanishedAt),
  failing: entry.failing && failingToItem(entry.failing),
  unknown: Object.fromEntries(Object.entries(entry.unknown).map(([part, failing]) => [part, failingToItem(failing)])),
  withheld: entry.withheld && { ...entry.withheld, since: entry.withheld.since.toISOString() },
  revision,
  superseded,
})

export const entryFromItem = (item: Item): StoredEntry => {
  const { failing, unknown } = item
  const known = item as unknown as InventoryEntry
  return {
    entry: {
      source: known.source,
      id: known.id,
      name: known.name,
      provider: known.provider,
      account: known.account,
      region: known.region,
      environment: known.environment,
      state: known.state,
      version: known.version,
      labels: known.labels,
      owner: known.owner,
      snapshot: known.snapshot,
      counts: known.counts,
      firstLookAt: new Date(String(item.firstLookAt)),
      seenAt: dateOf(item.seenAt),
      changedAt: dateOf(item.changedAt),
      failing: failing === undefined ? undefined : failingFromItem(failing),
      unknown: Object.fromEntries(Object.entries(unknown as Item).map(([part, each]) => [part, failingFromItem(each)])),
      vanishedAt: dateOf(item.vanishedAt),
      withheld: known.withheld && { ...known.withheld, since: new Date(known.withheld.since) },
    },
    revision: Number(item.revision),
    superseded: item.superseded as string | undefined,
  }
}

/** What lies in the store after a write. */
export const storedAfter = (last: StoredEntry | undefined, entry: InventoryEntry): StoredEntry => ({
  entry,
  revision: (last?.revision ?? 0) + 1,
  superseded: last?.entry.snapshot === entry.snapshot ? last?.superseded : last?.entry.snapshot,
})

/** What nobody reads any more after a write. */
export const outdatedBy = (last: StoredEntry | undefined, next: StoredEntry): string | undefined =>
  last?.superseded === next.superseded || last?.superseded === next.entry.snapshot ? undefined : last?.superseded

export const sourceToItem = ({ source, triedAt, listedAt, clusters, failing, unlisted }: SourceEntry): Item => ({
  source,
  triedAt: isoOf(triedAt),
  listedAt: isoOf(listedAt),
  clusters,
  failing: failing && failingToItem(failing),
  unlisted: unlisted.map(({ prefix, ...each }) => ({ prefix, ...failingToItem(each) })),
})

export const sourceFromItem = (item: Item): SourceEntry => ({
  source: String(item.source),
  triedAt: dateOf(item.triedAt),
  listedAt: dateOf(item.listedAt),
  clusters: item.clusters as number | undefined,
  failing: item.failing === undefined ? undefined : failingFromItem(item.failing),
  unlisted: (item.unlisted as readonly (Item & { readonly prefix: string })[]).map(({ prefix, ...each }) => ({
    prefix,
    ...failingFromItem(each),
  })),
})

export const createInventoryStore = (
  dynamo: DynamoDBDocumentClient,
  table: string,
  documents: Documents = createDocuments(dynamo, table),
): InventoryStore => {
  const unlessWritten = (last: StoredEntry | undefined) =>
    last === undefined
      ? { ConditionExpression: 'attribute_not_exists(revision)' }
      : { ConditionExpression: 'revision = :last', ExpressionAttributeValues: { ':last': last.revision } }

  async function* query(pk: string, prefix: string): AsyncGenerator<Item> {
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName: table,
        KeyConditionExpression: prefix === '' ? 'pk = :pk' : 'pk = :pk AND begins_with(sk, :prefix)',
        ExpressionAttributeValues: { ':pk': pk, ...(prefix === '' ? {} : { ':prefix': prefix }) },
        ConsistentRead: true,
      },
    )
    for await (const { Items = [] } of pages) yield* Items
  }

  const get = async (pk: string, sk: string): Promise<Item | undefined> => {
    const { Item } = await dynamo.send(new GetCommand({ TableName: table, Key: { pk, sk }, ConsistentRead: true }))
    return Item
  }

  return {
    read: async (key) => {
      const item = await get(clustersPk, clusterSk(key))
      return item && entryFromItem(item)
    },

    list: async function* (source) {
      for await (const item of query(clustersPk, source === undefined ? '' : `${source}#`)) yield entryFromItem(item)
    },

    readSnapshot: async (address) => (await documents.read(snapshotKind, address)) as Snapshot,

    write: async (last, entry, snapshot) => {
      if (snapshot !== undefined) await documents.write(snapshotKind, snapshot)
      const next = storedAfter(last, entry)
      const Item = { pk: clustersPk, sk: clusterSk(entry), ...entryToItem(next) }
      const isWritten = await conditionHolds(
        dynamo.send(new PutCommand({ TableName: table, Item, ...unlessWritten(last) })),
      )
      // afterwards, for who lost the race may not take away what the winner names
      const outdated = outdatedBy(last, next)
      if (isWritten && outdated !== undefined) await documents.remove(snapshotKind, outdated)
      return isWritten
    },

    remove: async (last) => {
      const Key = { pk: clustersPk, sk: clusterSk(last.entry) }
      const isRemoved = await conditionHolds(
        dynamo.send(new DeleteCommand({ TableName: table, Key, ...unlessWritten(last) })),
      )
      if (isRemoved)
        for (const address of [last.entry.snapshot, last.superseded])
          if (address !== undefined) await documents.remove(snapshotKind, address)
      return isRemoved
    },

    readSource: async (source) => {
      const item = await get(sourcesPk, source)
      return item && sourceFromItem(item)
    },

    listSources: async () => {
      const found: SourceEntry[] = []
      for await (const item of query(sourcesPk, '')) found.push(sourceFromItem(item))
      return found
    },

    writeSource: async (entry) => {
      const Item = { pk: sourcesPk, sk: entry.source, ...sourceToItem(entry) }
      await dynamo.send(new PutCommand({ TableName: table, Item }))
    },

    removeSource: async (source) => {
      await dynamo.send(new DeleteCommand({ TableName: table, Key: { pk: sourcesPk, sk: source } }))
    },
  }
}
