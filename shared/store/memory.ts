import { canonicalJson } from '../domain/canonical-json.ts'
import type { Facts } from '../domain/facts.ts'
import type { ClusterKey } from '../domain/inventory.ts'
import { namesSlot } from '../domain/lease-slots.ts'
import type { Policy } from '../domain/policy.ts'
import { isUnlimited } from '../domain/quota.ts'
import type { AccessStore, AppliedAccess } from './access-store.ts'
import {
  type CredentialStore,
  credentialFromItem,
  credentialToItem,
  type SlotCheck,
  type StoredCredential,
  statesFor,
} from './credential-store.ts'
import type { DirectoryStore, Pointer, Revision } from './directory-store.ts'
import { contentAddress, DamagedDocumentError } from './documents.ts'
import {
  entryFromItem,
  entryToItem,
  type InventoryStore,
  outdatedBy,
  type StoredEntry,
  snapshotAddress,
  sourceFromItem,
  sourceToItem,
  storedAfter,
} from './inventory-store.ts'
import { type End, isUnexpiredAt, type Lease, type LeaseStore, leaseFromItem, leaseToItem } from './lease-store.ts'
import { type UseStore, useFromItem, useSk, useToItem } from './use-store.ts'

/*
 * The stores without DynamoDB, for tests and the bench. The contract suites in `test/contracts` hold them to what the
 * adapters beside them do.
 */

/** A document as it lies in the store; `chunks` is what the head says, undefined while there is no head. */
export type StoredDocument = { chunks: number | undefined; readonly parts: string[] }

const partLength = 100_000

/** @param documents what is stored, by address; a test can damage it */
export const createMemoryDirectoryStore = (documents: Map<string, StoredDocument> = new Map()): DirectoryStore => {
  let pointer: Pointer = { revision: 0, policy: undefined, facts: undefined, next: undefined, denied: [] }
  const revisions: Revision[] = []
  const read = (kind: string, address: string): unknown => {
    const { chunks, parts } = documents.get(address) ?? { chunks: undefined, parts: [] }
    if (chunks === undefined || parts.length !== chunks)
      throw new Error(
        `the stored ${kind} \`${address}\` is incomplete: ${parts.length} of ${chunks ?? 'unknown'} chunks`,
      )
    const text = parts.join('')
    if (contentAddress(text) !== address)
      throw new Error(`the stored ${kind} \`${address}\` has other content than its address`)
    return JSON.parse(text)
  }
  const write = (document: unknown): string => {
    const text = canonicalJson(document)
    const address = contentAddress(text)
    const parts = Array.from({ length: Math.ceil(text.length / partLength) }, (_, index) =>
      text.slice(index * partLength, (index + 1) * partLength),
    )
    documents.set(address, { chunks: parts.length, parts })
    return address
  }
  return {
    readPointer: async () => structuredClone(pointer),

    swapPointer: async (expected, { policy, facts, next, denied }, appliedAt) => {
      if (pointer.revision !== expected) return false
      const revision = expected + 1
      pointer = structuredClone({ revision, policy, facts, next, denied })
      if (appliedAt !== undefined && policy !== undefined) revisions.unshift({ revision, policy, appliedAt })
      return true
    },

    listRevisions: async () => structuredClone(revisions),

    readPolicy: async (hash) => read('policy', hash) as Policy,
    writePolicy: async (policy) => write(policy),
    readFacts: async (hash) => read('facts', hash) as Facts,
    writeFacts: async (facts) => write(facts),
  }
}

const isLater = (end: End, other: End): boolean => other !== 'never' && (end === 'never' || end > other)

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)

/** Map of maps; DynamoDB's partition and sort key. */
const createPartitions = <T>() => {
  const partitions = new Map<string, Map<string, T>>()
  return {
    partitions: (): readonly string[] => [...partitions.keys()],
    get: (partition: string, sort: string): T | undefined => partitions.get(partition)?.get(sort),
    put: (partition: string, sort: string, value: T): void => {
      const items = partitions.get(partition) ?? new Map<string, T>()
      partitions.set(partition, items.set(sort, value))
    },
    remove: (partition: string, sort: string): void => void partitions.get(partition)?.delete(sort),
    /** In the order of the sort key, as a query answers. */
    query: (partition: string): readonly T[] =>
      [...(partitions.get(partition) ?? [])].sort(byKey).map(([, value]) => value),
  }
}

/**
 * No count is kept: to look at every lease of a principal costs nothing here.
 * @param credentials what the slots of leases are held against
 */
export const createMemoryLeaseStore = (credentials?: Pick<CredentialStore, 'read'>): LeaseStore => {
  const leases = createPartitions<Lease>()

  const unexpired = (principal: string, id: string, now: Date): Lease | undefined => {
    const found = leases.get(principal, id)
    return found !== undefined && isUnexpiredAt(found.expiresAt, now) ? found : undefined
  }

  /** Through an item and JSON, so that what the database would lose is lost here too. */
  const put = (lease: Lease): void =>
    leases.put(lease.principal, lease.id, leaseFromItem(JSON.parse(JSON.stringify(leaseToItem(lease)))))

  const listUnexpired = (principal: string, now: Date): readonly Lease[] =>
    leases.query(principal).filter(({ expiresAt }) => isUnexpiredAt(expiresAt, now))

  /** Everything after this runs without a pause, as one transaction. */
  const allHold = async (principal: string, checks: readonly SlotCheck[]): Promise<boolean> => {
    if (checks.length > 0 && credentials === undefined)
      throw new Error('leases with slots cannot be written without credentials')
    const held = await Promise.all(
      checks.map(async (check) => {
        const found = (await credentials?.read(check.cluster, principal))?.credential
        const slot = found?.slots[check.slot]
        return found?.wanted === true && slot?.generation === check.generation && statesFor(check).includes(slot.state)
      }),
    )
    return held.every(Boolean)
  }

  const create: LeaseStore['create'] = async (lease, maximum, now, checks = []) => {
    const isSound = await allHold(lease.principal, checks)
    if (unexpired(lease.principal, lease.id, now) !== undefined) return 'exists'
    if (listUnexpired(lease.principal, now).length >= maximum) return 'capped'
    if (!isSound) return 'stale'
    put(lease)
    return 'created'
  }

  const renew: LeaseStore['renew'] = async (lease, now, checks = []) => {
    const isSound = await allHold(lease.principal, checks)
    const held = unexpired(lease.principal, lease.id, now)
    if (held === undefined) return 'absent'
    if (!isSound) return 'stale'
    put({ ...lease, instance: held.instance, issuedAt: held.issuedAt })
    return 'renewed'
  }

  return {
    create,
    renew,

    keep: async (lease, maximum, now, checks = []) => {
      const held = unexpired(lease.principal, lease.id, now)
      if (held !== undefined && held.etag === lease.etag && held.directory === lease.directory) return 'kept'
      const renewed = await renew(lease, now, checks)
      if (renewed !== 'absent') return renewed === 'stale' ? 'stale' : 'kept'
      const outcome = await create(lease, maximum, now, checks)
      return outcome === 'capped' || outcome === 'stale' ? outcome : 'kept'
    },

    renewUnchanged: async ({ principal, id, etag, expiresAt, credentialLivesUntil }, now, checks = []) => {
      const isSound = await allHold(principal, checks)
      const held = unexpired(principal, id, now)
      if (
        !isSound ||
        held === undefined ||
        held.etag !== etag ||
        !isUnexpiredAt(held.credentialExpiresAt, credentialLivesUntil)
      )
        return false
      put({ ...held, expiresAt })
      return true
    },

    read: async (principal, id, now) => structuredClone(unexpired(principal, id, now)),

    slotHeldUntil: async ({ principal, cluster, ...slot }, now) =>
      listUnexpired(principal, now)
        .filter((lease) => namesSlot(lease.slots, cluster, slot))
        .map(({ expiresAt }) => expiresAt)
        .reduce<End | undefined>((last, end) => (last === undefined || isLater(end, last) ? end : last), undefined),

    listHolders: async (principal, slot, cluster, now) =>
      structuredClone(
        listUnexpired(principal, now).filter(({ slots = {} }) =>
          Object.entries(slots).some(
            ([name, held]) => (cluster === undefined || name === cluster) && held.some((each) => each.slot === slot),
          ),
        ),
      ),

    release: async (principal, id, now) => {
      const held = unexpired(principal, id, now)
      if (held === undefined) return false
      put({ ...held, expiresAt: now })
      return true
    },

    list: async (principal, now) => structuredClone(listUnexpired(principal, now)),

    listAll: async (now) => structuredClone(leases.partitions().flatMap((principal) => listUnexpired(principal, now))),

    readAll: async function* () {
      for (const principal of leases.partitions()) yield* structuredClone(leases.query(principal))
    },
  }
}

export const createMemoryAccessStore = (): AccessStore => {
  const requestEveryMs = 10_000
  type Held = Pick<AppliedAccess, 'cluster' | 'principal' | 'labels' | 'acls' | 'quota' | 'policies'> & {
    readonly appliedAt?: Date
    readonly requestedAt: Date | undefined
    readonly requestedFor: string | undefined
    readonly answeredAt: Date | undefined
  }
  const accesses = createPartitions<Held>()

  const find = (cluster: string, principal: string): Held =>
    accesses.get(cluster, principal) ?? {
      cluster,
      principal,
      labels: {},
      acls: [],
      policies: [],
      requestedAt: undefined,
      requestedFor: undefined,
      answeredAt: undefined,
    }

  const shown = ({ requestedAt, requestedFor, answeredAt, ...rest }: Held): AppliedAccess =>
    structuredClone({
      ...rest,
      ...(requestedAt !== undefined &&
        requestedFor !== undefined && {
          asked: { need: requestedFor, at: requestedAt },
          answered: answeredAt?.getTime() === requestedAt.getTime(),
        }),
    })

  return {
    read: async (cluster, principal) => {
      const found = accesses.get(cluster, principal)
      return found === undefined ? undefined : shown(found)
    },

    list: async (cluster) => accesses.query(cluster).map(shown),

    request: async (cluster, principal, labels, now, need) => {
      const found = find(cluster, principal)
      const isRecent = found.requestedAt !== undefined && now.getTime() - found.requestedAt.getTime() < requestEveryMs
      if (isRecent && canonicalJson(found.labels) === canonicalJson(labels)) return false
      accesses.put(cluster, principal, structuredClone({ ...found, labels, requestedAt: now, requestedFor: need }))
      return true
    },

    recordApplied: async ({ cluster, principal, acls, quota, policies, answers }, startedAt) => {
      const found = find(cluster, principal)
      if (found.appliedAt !== undefined && found.appliedAt > startedAt) return false
      const { quota: _, ...others } = found
      const limited = quota === undefined || isUnlimited(quota) ? {} : { quota }
      const applied = { ...others, ...limited, acls, policies, appliedAt: startedAt, answeredAt: answers?.at }
      accesses.put(cluster, principal, structuredClone(applied))
      return true
    },
  }
}

export const createMemoryCredentialStore = (): CredentialStore => {
  const credentials = createPartitions<Record<string, unknown>>()
  const versionOf = (cluster: string, principal: string): unknown => credentials.get(cluster, principal)?.version ?? 0
  const all = (): readonly StoredCredential[] =>
    credentials.partitions().flatMap((cluster) => credentials.query(cluster).map(credentialFromItem))

  return {
    read: async (cluster, principal) => {
      const found = credentials.get(cluster, principal)
      return found === undefined ? undefined : credentialFromItem(found)
    },

    list: async (cluster) => (cluster === undefined ? all() : credentials.query(cluster).map(credentialFromItem)),

    due: async (now, limit) =>
      all()
        .flatMap(({ credential: { cluster, principal }, dueAt }) =>
          dueAt !== undefined && dueAt <= now ? [{ cluster, principal, dueAt }] : [],
        )
        .sort((a, b) => a.dueAt.getTime() - b.dueAt.getTime())
        .slice(0, limit)
        .map(({ cluster, principal }) => ({ cluster, principal })),

    write: async (expectedVersion, credential, dueAt) => {
      const { cluster, principal } = credential
      if (versionOf(cluster, principal) !== expectedVersion) return false
      const item = credentialToItem({ credential, version: expectedVersion + 1, dueAt })
      credentials.put(cluster, principal, JSON.parse(JSON.stringify(item)))
      return true
    },

    remove: async (cluster, principal, expectedVersion) => {
      if (expectedVersion === 0 || versionOf(cluster, principal) !== expectedVersion) return false
      credentials.remove(cluster, principal)
      return true
    },
  }
}

/** @param snapshots what is stored, by address; a test can damage it */
export const createMemoryInventoryStore = (snapshots: Map<string, string> = new Map()): InventoryStore => {
  const entries = createPartitions<Record<string, unknown>>()
  const sources = new Map<string, Record<string, unknown>>()
  /** Through an item and JSON, so that what the database would lose is lost here too. */
  const stored = (item: Readonly<Record<string, unknown>>): Record<string, unknown> => JSON.parse(JSON.stringify(item))
  const isUnwritten = (key: ClusterKey, last: StoredEntry | undefined): boolean =>
    entries.get(key.source, key.id)?.revision === last?.revision

  return {
    read: async ({ source, id }) => {
      const item = entries.get(source, id)
      return item && entryFromItem(item)
    },

    list: async function* (source) {
      const names = source === undefined ? [...entries.partitions()].sort() : [source]
      for (const name of names) for (const item of entries.query(name)) yield entryFromItem(item)
    },

    readSnapshot: async (address) => {
      const text = snapshots.get(address)
      if (text === undefined)
        throw new DamagedDocumentError(`the stored snapshot \`${address}\` is incomplete: 0 of unknown chunks`)
      if (contentAddress(text) !== address)
        throw new DamagedDocumentError(`the stored snapshot \`${address}\` has other content than its address`)
      return JSON.parse(text)
    },

    write: async (last, entry, snapshot) => {
      if (snapshot !== undefined) snapshots.set(snapshotAddress(snapshot), canonicalJson(snapshot))
      if (!isUnwritten(entry, last)) return false
      const next = storedAfter(last, entry)
      entries.put(entry.source, entry.id, stored(entryToItem(next)))
      const outdated = outdatedBy(last, next)
      if (outdated !== undefined) snapshots.delete(outdated)
      return true
    },

    remove: async (last) => {
      if (!isUnwritten(last.entry, last)) return false
      entries.remove(last.entry.source, last.entry.id)
      for (const address of [last.entry.snapshot, last.superseded]) if (address !== undefined) snapshots.delete(address)
      return true
    },

    readSource: async (source) => {
      const item = sources.get(source)
      return item && sourceFromItem(item)
    },

    listSources: async () => [...sources].sort(byKey).map(([, item]) => sourceFromItem(item)),

    writeSource: async (entry) => void sources.set(entry.source, stored(sourceToItem(entry))),

    removeSource: async (source) => void sources.delete(source),
  }
}

export const createMemoryUseStore = (): UseStore => {
  const uses = new Map<string, string>()
  return {
    list: async function* () {
      for (const [, text] of [...uses].sort(byKey)) yield useFromItem(JSON.parse(text))
    },
    write: async (use) => void uses.set(useSk(use), JSON.stringify(useToItem(use))),
    remove: async (use) => void uses.delete(useSk(use)),
  }
}
