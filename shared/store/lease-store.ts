import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import {
  ConditionalCheckFailedException,
  TransactionCanceledException,
  TransactionConflictException,
} from '@aws-sdk/client-dynamodb'
import {
  BatchGetCommand,
  type BatchGetCommandOutput,
  type DynamoDBDocumentClient,
  GetCommand,
  paginateQuery,
  paginateScan,
  QueryCommand,
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb'
import { canonicalJson } from '../domain/canonical-json.ts'
import type { HeldSlot, LeaseSlots } from '../domain/lease-slots.ts'
import type { SlotName } from '../domain/rotation.ts'
import { conditionHolds } from './conditional-write.ts'
import { type SlotCheck, slotConditions } from './credential-store.ts'

/** When something ends; `never`: not by itself. */
export type End = Date | 'never'

/** What a principal was told, until when. Its key starts with the principal: someone else's lease does not exist. */
export type Lease = {
  readonly principal: string
  readonly id: string
  readonly instance: string | undefined
  readonly intent: unknown
  readonly clusters: readonly string[]
  readonly channels: readonly string[]
  readonly directory: string
  /** Hash of what was answered, without tokens and times. */
  readonly etag: string
  readonly issuedAt: Date
  /** The security expiry; checked on every read, whatever DynamoDB's TTL does. */
  readonly expiresAt: End
  /** When the last credential that was handed out ends. */
  readonly credentialExpiresAt: End
  /** Of the clusters whose credentials are stored; none of them is taken away before the lease ends. */
  readonly slots?: LeaseSlots | undefined
}

/** What a renewal that changes nothing asks for: the same answer, and a credential that lives long enough. */
export type Unchanged = {
  readonly principal: string
  readonly id: string
  readonly etag: string
  readonly expiresAt: Date
  readonly credentialLivesUntil: Date
}

/** What a lease had on record, as far as who writes it next knows: slots that it names no more are let go of. */
export type Before = Pick<Lease, 'slots' | 'expiresAt'>

/** `stale`: a slot that the lease names is not handed out, or not kept, any more; nothing was written. */
export type LeaseStore = {
  /**
   * Stores a new lease; nothing may be handed out before. One request. `exists` when the id has an unexpired lease (a
   * restart of the same instance), `capped` when the principal holds `maximum` unexpired leases.
   */
  readonly create: (
    lease: Lease,
    maximum: number,
    now: Date,
    checks?: readonly SlotCheck[],
  ) => Promise<'created' | 'exists' | 'capped' | 'stale'>
  /**
   * Sees to it that this lease is stored, for a caller that asks again and again: writes only what is not stored so, by
   * etag and directory. At most two requests, and one that changes nothing when all is there.
   */
  readonly keep: (
    lease: Lease,
    maximum: number,
    now: Date,
    checks?: readonly SlotCheck[],
    before?: Before,
  ) => Promise<'kept' | 'capped' | 'stale'>
  /** Renews an unexpired lease with a new credential; `absent` when there is none. One request. */
  readonly renew: (
    lease: Lease,
    now: Date,
    checks?: readonly SlotCheck[],
    before?: Before,
  ) => Promise<'renewed' | 'absent' | 'stale'>
  /**
   * Renews a lease whose answer is still right; false when there is none, its credential ends too soon or a slot is not
   * kept any more. One request.
   */
  readonly renewUnchanged: (
    unchanged: Unchanged,
    now: Date,
    checks?: readonly SlotCheck[],
    before?: Before,
  ) => Promise<boolean>
  /** Ends an unexpired lease; false when there is none. What it was for stays readable as of one that ended by itself. */
  readonly release: (principal: string, id: string, now: Date) => Promise<boolean>
  /** An unexpired lease. */
  readonly read: (principal: string, id: string, now: Date) => Promise<Lease | undefined>
  /**
   * When the last unexpired lease ends that names this slot; undefined when there is none. Consistent: whoever is not
   * seen here does not have it. A lease that let go of the slot unseen, by a restart, counts until it would have ended.
   * One request for one item, however many leases there are.
   */
  readonly slotHeldUntil: (
    slot: HeldSlot & { readonly cluster: string; readonly principal: string },
    now: Date,
  ) => Promise<End | undefined>
  /** The unexpired leases of a principal that name a slot, on one cluster or on any. Reads no other lease. */
  readonly listHolders: (
    principal: string,
    slot: SlotName,
    cluster: string | undefined,
    now: Date,
  ) => Promise<readonly Lease[]>
  /** The unexpired leases of a principal. */
  readonly list: (principal: string, now: Date) => Promise<readonly Lease[]>
  /** The unexpired leases of everybody: reads the whole table, for an operator's questions only. */
  readonly listAll: (now: Date) => Promise<readonly Lease[]>
  /**
   * The leases of everybody, those that ended or were released within the last day among them, a page at a time. Reads the
   * whole table, and for what may be a moment old.
   */
  readonly readAll: () => AsyncIterable<Lease>
}

/** DynamoDB deletes on its own time; so long somebody can read what an ended lease was for, and a crawl notes it. */
const keepSeconds = 86_400
/** Sort key of the item that counts a principal's leases; an upper bound that is counted anew when it says "full". */
const countKey = 'count'
/**
 * Sort keys of the items that say who holds a slot, one for each lease that names it, by when that ends: the last of
 * them is when the slot is free.
 */
const holdPrefix = 'hold#'
const holdsOf = (slot: SlotName, cluster: string, generation: number): string =>
  `${holdPrefix}${slot}#${cluster}#${generation}#`

/** As many items as DynamoDB reads in one request. */
const batchGetSize = 100

const chunked = <T>(list: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, at) => list.slice(at * size, (at + 1) * size))

/** A fleet of one principal that starts or ends at once meets on the count. */
const contentionAttempts = 8
const conflictDelayMs = 20

/** A lease id is stable over restarts of the same instance with the same intent, else 128 random bits. */
export const leaseId = (principal: string, instance: string | undefined, intentKey: unknown): string => {
  const bits =
    instance === undefined
      ? randomBytes(16)
      : createHash('sha256')
          .update(canonicalJson([principal, instance, intentKey]))
          .digest()
          .subarray(0, 16)
  return `lease_${bits.toString('hex')}`
}

/** Later than every instant that a read compares with, so that no condition has to know of leases without end. */
const neverText = '9999-12-31T23:59:59.999Z'
const endText = (end: End): string => (end === 'never' ? neverText : end.toISOString())
const endFromText = (text: string): End => (text === neverText ? 'never' : new Date(text))

export const isUnexpiredAt = (end: End, now: Date): boolean => end === 'never' || end > now

export const leaseToItem = (lease: Lease): Record<string, unknown> => ({
  principal: lease.principal,
  lease: lease.id,
  instance: lease.instance,
  intent: lease.intent,
  clusters: lease.clusters,
  channels: lease.channels,
  directory: lease.directory,
  etag: lease.etag,
  issuedAt: lease.issuedAt.toISOString(),
  expiresAt: endText(lease.expiresAt),
  credentialExpiresAt: endText(lease.credentialExpiresAt),
  ...(lease.slots === undefined ? {} : { slots: lease.slots }),
  ...(lease.expiresAt === 'never' ? {} : { ttl: ttlOf(lease.expiresAt) }),
})

export const leaseFromItem = (item: Record<string, unknown>): Lease => ({
  principal: String(item.principal),
  id: String(item.lease),
  instance: item.instance === undefined ? undefined : String(item.instance),
  intent: item.intent,
  clusters: item.clusters as string[],
  channels: item.channels as string[],
  directory: String(item.directory),
  etag: String(item.etag),
  issuedAt: new Date(String(item.issuedAt)),
  expiresAt: endFromText(String(item.expiresAt)),
  credentialExpiresAt: endFromText(String(item.credentialExpiresAt)),
  ...(item.slots === undefined ? {} : { slots: item.slots as LeaseSlots }),
})

/** Ended, and what comes after it in the order of keys: a hold that ends at this very moment is one that has ended. */
const afterEnd = (now: Date): string => `${now.toISOString()}$`
/** Later in the order of keys than any end and any lease. */
const lastKey = '~'

type Hold = { readonly key: string; readonly id: string; readonly expiresAt: End }

const holdsFor = (id: string, { slots = {}, expiresAt }: Before): readonly Hold[] =>
  Object.entries(slots).flatMap(([cluster, held]) =>
    held.map(({ slot, generation }) => ({
      key: `${holdsOf(slot, cluster, generation)}${endText(expiresAt)}#${id}`,
      id,
      expiresAt,
    })),
  )

/** As `checks` has the slots that a lease names after a write. */
const namedIn = (checks: readonly SlotCheck[]): LeaseSlots =>
  Object.fromEntries([...Map.groupBy(checks, ({ cluster }) => cluster)])

const ttlOf = (expiresAt: Date): number => Math.ceil(expiresAt.getTime() / 1000) + keepSeconds

const isUnexpired = 'attribute_exists(principal) AND expiresAt > :now'
const isAbsentOrExpired = 'attribute_not_exists(principal) OR expiresAt <= :now'
const isBelowMaximum = 'attribute_not_exists(held) OR held < :maximum'

const isConflict = (error: unknown): boolean =>
  error instanceof TransactionConflictException ||
  (error instanceof TransactionCanceledException &&
    (error.CancellationReasons ?? []).some(({ Code }) => Code === 'TransactionConflict'))

/** Writes that met on an item: DynamoDB refuses one of them, and the SDK leaves this retry to us. */
const retryConflicts = async <T>(write: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++)
    try {
      return await write()
    } catch (error) {
      if (attempt >= contentionAttempts || !isConflict(error)) throw error
      await wait(Math.random() * conflictDelayMs * attempt)
    }
}

/** What is answered now over an unexpired lease; who holds it and since when stays. */
const replaceWith = (
  lease: Lease,
  now: Date,
  table: string,
  condition: string | undefined,
): UpdateCommandInput & { readonly UpdateExpression: string } => {
  const ttl = lease.expiresAt === 'never' ? undefined : ttlOf(lease.expiresAt)
  const { slots } = lease
  const sets = [
    'intent = :intent, #clusters = :clusters, channels = :channels, directory = :directory, etag = :etag',
    'expiresAt = :expiresAt, credentialExpiresAt = :credentialExpiresAt',
    ...(ttl === undefined ? [] : ['#ttl = :ttl']),
    ...(slots === undefined ? [] : ['#slots = :slots']),
  ]
  const removes = [...(ttl === undefined ? ['#ttl'] : []), ...(slots === undefined ? ['#slots'] : [])]
  return {
    TableName: table,
    Key: { principal: lease.principal, lease: lease.id },
    UpdateExpression: `SET ${sets.join(', ')}${removes.length === 0 ? '' : ` REMOVE ${removes.join(', ')}`}`,
    ConditionExpression: condition === undefined ? isUnexpired : `${isUnexpired} AND (${condition})`,
    ExpressionAttributeNames: { '#clusters': 'clusters', '#ttl': 'ttl', '#slots': 'slots' },
    ExpressionAttributeValues: {
      ':now': now.toISOString(),
      ':intent': lease.intent,
      ':clusters': lease.clusters,
      ':channels': lease.channels,
      ':directory': lease.directory,
      ':etag': lease.etag,
      ':expiresAt': endText(lease.expiresAt),
      ':credentialExpiresAt': endText(lease.credentialExpiresAt),
      ...(ttl === undefined ? {} : { ':ttl': ttl }),
      ...(slots === undefined ? {} : { ':slots': slots }),
    },
  }
}

type Transaction = NonNullable<TransactWriteCommandInput['TransactItems']>

/** @param credentialsTable what the slots of a lease are held against; not needed to read */
export const createLeaseStore = (
  dynamo: DynamoDBDocumentClient,
  table: string,
  credentialsTable?: string,
): LeaseStore => {
  const conditionsOf = (principal: string, checks: readonly SlotCheck[]): Transaction => {
    if (checks.length === 0) return []
    if (credentialsTable === undefined) throw new Error('leases with slots cannot be written without credentials')
    return slotConditions(credentialsTable, principal, checks).map((ConditionCheck) => ({ ConditionCheck }))
  }

  /** What a lease holds from now on, and what it held before and does not any more. */
  const holdItems = (principal: string, after: readonly Hold[], before: readonly Hold[] = []): Transaction => {
    const kept = new Set(after.map(({ key }) => key))
    return [
      ...after.map(({ key, id, expiresAt }) => ({
        Put: {
          TableName: table,
          Item: {
            principal,
            lease: key,
            of: id,
            expiresAt: endText(expiresAt),
            ...(expiresAt === 'never' ? {} : { ttl: ttlOf(expiresAt) }),
          },
        },
      })),
      ...before
        .filter(({ key }) => !kept.has(key))
        .map(({ key }) => ({ Delete: { TableName: table, Key: { principal, lease: key } } })),
    ]
  }

  const updates = (command: UpdateCommand): Promise<boolean> =>
    retryConflicts(() => conditionHolds(dynamo.send(command)))

  /** Which of the conditions of a transaction did not hold; none when it was done. */
  const transact = (items: Transaction): Promise<ReadonlySet<number>> =>
    retryConflicts(async () => {
      try {
        await dynamo.send(new TransactWriteCommand({ TransactItems: items }))
        return new Set()
      } catch (error) {
        if (!(error instanceof TransactionCanceledException)) throw error
        const failed = (error.CancellationReasons ?? []).flatMap(({ Code }, index) =>
          Code === 'ConditionalCheckFailed' ? [index] : [],
        )
        if (failed.length === 0) throw error
        return new Set(failed)
      }
    })

  const countUnexpired = async (principal: string, now: Date): Promise<number> => {
    let count = 0
    let start: Record<string, unknown> | undefined
    do {
      const page = await dynamo.send(
        new QueryCommand({
          TableName: table,
          Select: 'COUNT',
          KeyConditionExpression: 'principal = :principal AND begins_with(lease, :prefix)',
          FilterExpression: 'expiresAt > :now',
          ExpressionAttributeValues: { ':principal': principal, ':prefix': 'lease_', ':now': now.toISOString() },
          ConsistentRead: true,
          ...(start === undefined ? {} : { ExclusiveStartKey: start }),
        }),
      )
      count += page.Count ?? 0
      start = page.LastEvaluatedKey
    } while (start !== undefined)
    return count
  }

  const tryCreate = async (
    lease: Lease,
    maximum: number,
    now: Date,
    checks: readonly SlotCheck[],
  ): Promise<'created' | 'exists' | 'capped' | 'stale'> => {
    const failed = await transact([
      {
        Put: {
          TableName: table,
          Item: leaseToItem(lease),
          ConditionExpression: isAbsentOrExpired,
          ExpressionAttributeValues: { ':now': now.toISOString() },
        },
      },
      {
        Update: {
          TableName: table,
          Key: { principal: lease.principal, lease: countKey },
          UpdateExpression: 'ADD held :one, changes :one',
          ConditionExpression: isBelowMaximum,
          ExpressionAttributeValues: { ':one': 1, ':maximum': maximum },
        },
      },
      ...conditionsOf(lease.principal, checks),
      ...holdItems(lease.principal, holdsFor(lease.id, lease)),
    ])
    if (failed.size === 0) return 'created'
    if (failed.has(0)) return 'exists'
    return failed.has(1) ? 'capped' : 'stale'
  }

  const readCount = async (principal: string): Promise<{ readonly held: number; readonly changes: number }> => {
    const { Items } = await dynamo.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: 'principal = :principal AND lease = :count',
        ExpressionAttributeValues: { ':principal': principal, ':count': countKey },
        ConsistentRead: true,
      }),
    )
    return { held: Items?.[0]?.held ?? 0, changes: Items?.[0]?.changes ?? 0 }
  }

  /**
   * Ended leases still count: sees how many a principal really holds and sets that. False when it is full all the same.
   * INVARIANT: the count is set only if nobody created, released or recounted since it was read, for else it could be
   * set below what is held.
   */
  const makeRoom = async (principal: string, maximum: number, now: Date): Promise<boolean> => {
    const { held, changes } = await readCount(principal)
    if (held < maximum) return true
    const unexpired = await countUnexpired(principal, now)
    if (unexpired >= maximum) return false
    await updates(
      new UpdateCommand({
        TableName: table,
        Key: { principal, lease: countKey },
        UpdateExpression: 'SET held = :held ADD changes :one',
        ConditionExpression: 'changes = :changes',
        ExpressionAttributeValues: { ':held': unexpired, ':changes': changes, ':one': 1 },
      }),
    )
    return true
  }

  const create: LeaseStore['create'] = async (lease, maximum, now, checks = []) => {
    for (let attempt = 1; attempt <= contentionAttempts; attempt++) {
      const outcome = await tryCreate(lease, maximum, now, checks)
      if (outcome !== 'capped' || !(await makeRoom(lease.principal, maximum, now))) return outcome
    }
    return 'capped'
  }

  const readMany = async (principal: string, ids: readonly string[]): Promise<readonly Lease[]> => {
    const found: Lease[] = []
    let Keys: Record<string, unknown>[] | undefined = ids.map((lease) => ({ principal, lease }))
    while (Keys !== undefined && Keys.length > 0) {
      const { Responses = {}, UnprocessedKeys = {} }: BatchGetCommandOutput = await dynamo.send(
        new BatchGetCommand({ RequestItems: { [table]: { Keys, ConsistentRead: true } } }),
      )
      found.push(...(Responses[table] ?? []).map(leaseFromItem))
      Keys = UnprocessedKeys[table]?.Keys
    }
    return found
  }

  return {
    create,

    keep: async (lease, maximum, now, checks = [], before = undefined) => {
      const Update = replaceWith(lease, now, table, 'etag <> :etag OR directory <> :directory')
      if (checks.length > 0) {
        const holds = holdItems(lease.principal, holdsFor(lease.id, lease), before && holdsFor(lease.id, before))
        const failed = await transact([{ Update }, ...conditionsOf(lease.principal, checks), ...holds])
        if (failed.size === 0) return 'kept'
        if (!failed.has(0)) return 'stale'
      } else
        try {
          await retryConflicts(() =>
            dynamo.send(new UpdateCommand({ ...Update, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' })),
          )
          return 'kept'
        } catch (error) {
          if (!(error instanceof ConditionalCheckFailedException)) throw error
          const heldUntil = error.Item?.expiresAt?.S
          if (heldUntil !== undefined && heldUntil > now.toISOString()) return 'kept'
        }
      const outcome = await create(lease, maximum, now, checks)
      return outcome === 'capped' || outcome === 'stale' ? outcome : 'kept'
    },

    renew: async (lease, now, checks = [], before = undefined) => {
      const Update = replaceWith(lease, now, table, undefined)
      const holds = holdItems(lease.principal, holdsFor(lease.id, lease), before && holdsFor(lease.id, before))
      if (checks.length + holds.length === 0) return (await updates(new UpdateCommand(Update))) ? 'renewed' : 'absent'
      const failed = await transact([{ Update }, ...conditionsOf(lease.principal, checks), ...holds])
      if (failed.size === 0) return 'renewed'
      return failed.has(0) ? 'absent' : 'stale'
    },

    renewUnchanged: async (unchanged, now, checks = [], before = undefined) => {
      const { principal, id, etag, expiresAt, credentialLivesUntil } = unchanged
      const Update = {
        TableName: table,
        Key: { principal, lease: id },
        UpdateExpression: 'SET expiresAt = :expiresAt, #ttl = :ttl',
        ConditionExpression: `${isUnexpired} AND etag = :etag AND credentialExpiresAt > :lives`,
        ExpressionAttributeNames: { '#ttl': 'ttl' },
        ExpressionAttributeValues: {
          ':now': now.toISOString(),
          ':etag': etag,
          ':lives': credentialLivesUntil.toISOString(),
          ':expiresAt': expiresAt.toISOString(),
          ':ttl': ttlOf(expiresAt),
        },
      }
      if (checks.length === 0) return updates(new UpdateCommand(Update))
      const after = holdsFor(id, { slots: namedIn(checks), expiresAt })
      const holds = holdItems(principal, after, before && holdsFor(id, before))
      return (await transact([{ Update }, ...conditionsOf(principal, checks), ...holds])).size === 0
    },

    read: async (principal, id, now) => {
      const { Item } = await dynamo.send(
        new GetCommand({ TableName: table, Key: { principal, lease: id }, ConsistentRead: true }),
      )
      const found = Item === undefined ? undefined : leaseFromItem(Item)
      return found !== undefined && isUnexpiredAt(found.expiresAt, now) ? found : undefined
    },

    slotHeldUntil: async ({ principal, cluster, slot, generation }, now) => {
      const holds = holdsOf(slot, cluster, generation)
      const { Items = [] } = await dynamo.send(
        new QueryCommand({
          TableName: table,
          KeyConditionExpression: 'principal = :principal AND lease BETWEEN :first AND :last',
          ExpressionAttributeValues: {
            ':principal': principal,
            ':first': `${holds}${afterEnd(now)}`,
            ':last': `${holds}${lastKey}`,
          },
          ScanIndexForward: false,
          Limit: 1,
          ConsistentRead: true,
        }),
      )
      const [last] = Items
      return last === undefined ? undefined : endFromText(String(last.expiresAt))
    },

    listHolders: async (principal, slot, cluster, now) => {
      const ids = new Set<string>()
      const pages = paginateQuery(
        { client: dynamo },
        {
          TableName: table,
          KeyConditionExpression: 'principal = :principal AND begins_with(lease, :prefix)',
          FilterExpression: 'expiresAt > :now',
          ExpressionAttributeValues: {
            ':principal': principal,
            ':prefix': `${holdPrefix}${slot}#${cluster === undefined ? '' : `${cluster}#`}`,
            ':now': now.toISOString(),
          },
          ConsistentRead: true,
        },
      )
      for await (const { Items = [] } of pages) for (const { of } of Items) ids.add(String(of))
      const found: Lease[] = []
      for (const some of chunked([...ids], batchGetSize)) found.push(...(await readMany(principal, some)))
      return found.filter(
        (lease) =>
          isUnexpiredAt(lease.expiresAt, now) &&
          Object.entries(lease.slots ?? {}).some(
            ([name, held]) => (cluster === undefined || name === cluster) && held.some((each) => each.slot === slot),
          ),
      )
    },

    release: async (principal, id, now) => {
      const { Item } = await dynamo.send(
        new GetCommand({ TableName: table, Key: { principal, lease: id }, ConsistentRead: true }),
      )
      const holds = Item === undefined ? [] : holdItems(principal, [], holdsFor(id, leaseFromItem(Item)))
      const failed = await transact([
        {
          Update: {
            TableName: table,
            Key: { principal, lease: id },
            UpdateExpression: 'SET expiresAt = :now, #ttl = :ttl',
            ConditionExpression: isUnexpired,
            ExpressionAttributeNames: { '#ttl': 'ttl' },
            ExpressionAttributeValues: { ':now': now.toISOString(), ':ttl': ttlOf(now) },
          },
        },
        {
          Update: {
            TableName: table,
            Key: { principal, lease: countKey },
            UpdateExpression: 'ADD held :less, changes :one',
            ExpressionAttributeValues: { ':less': -1, ':one': 1 },
          },
        },
        ...holds,
      ])
      return failed.size === 0
    },

    list: async (principal, now) => {
      const found: Lease[] = []
      const pages = paginateQuery(
        { client: dynamo },
        {
          TableName: table,
          KeyConditionExpression: 'principal = :principal AND begins_with(lease, :prefix)',
          FilterExpression: 'expiresAt > :now',
          ExpressionAttributeValues: { ':principal': principal, ':prefix': 'lease_', ':now': now.toISOString() },
          ConsistentRead: true,
        },
      )
      for await (const page of pages) found.push(...(page.Items ?? []).map(leaseFromItem))
      return found
    },

    listAll: async (now) => {
      const found: Lease[] = []
      const pages = paginateScan(
        { client: dynamo },
        {
          TableName: table,
          FilterExpression: 'begins_with(lease, :prefix) AND expiresAt > :now',
          ExpressionAttributeValues: { ':prefix': 'lease_', ':now': now.toISOString() },
        },
      )
      for await (const page of pages) found.push(...(page.Items ?? []).map(leaseFromItem))
      return found
    },

    readAll: async function* () {
      const pages = paginateScan(
        { client: dynamo },
        {
          TableName: table,
          FilterExpression: 'begins_with(lease, :prefix)',
          ExpressionAttributeValues: { ':prefix': 'lease_' },
        },
      )
      for await (const { Items = [] } of pages) yield* Items.map(leaseFromItem)
    },
  }
}
