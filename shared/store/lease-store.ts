import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import {
  ConditionalCheckFailedException,
  TransactionCanceledException,
  TransactionConflictException,
} from '@aws-sdk/client-dynamodb'
import {
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
import { type HeldSlot, type LeaseSlots, namesSlot } from '../domain/lease-slots.ts'
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
  ) => Promise<'kept' | 'capped' | 'stale'>
  /** Renews an unexpired lease with a new credential; `absent` when there is none. One request. */
  readonly renew: (lease: Lease, now: Date, checks?: readonly SlotCheck[]) => Promise<'renewed' | 'absent' | 'stale'>
  /**
   * Renews a lease whose answer is still right; false when there is none, its credential ends too soon or a slot is not
   * kept any more. One request.
   */
  readonly renewUnchanged: (unchanged: Unchanged, now: Date, checks?: readonly SlotCheck[]) => Promise<boolean>
  /** Ends an unexpired lease; false when there is none. */
  readonly release: (principal: string, id: string, now: Date) => Promise<boolean>
  /** An unexpired lease. */
  readonly read: (principal: string, id: string, now: Date) => Promise<Lease | undefined>
  /** Whether an unexpired lease names this slot. Consistent: whoever is not seen here does not have it. */
  readonly isSlotHeld: (
    slot: HeldSlot & { readonly cluster: string; readonly principal: string },
    now: Date,
  ) => Promise<boolean>
  /** The unexpired leases of a principal. */
  readonly list: (principal: string, now: Date) => Promise<readonly Lease[]>
  /** The unexpired leases of everybody: reads the whole table, for an operator's questions only. */
  readonly listAll: (now: Date) => Promise<readonly Lease[]>
}

/** DynamoDB deletes on its own time; a day keeps an ended lease readable for the platform team. */
const keepSeconds = 86_400
/** Sort key of the item that counts a principal's leases; an upper bound that is counted anew when it says "full". */
const countKey = 'count'
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

  const updates = (command: UpdateCommand): Promise<boolean> =>
    retryConflicts(async () => {
      try {
        await dynamo.send(command)
        return true
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return false
        throw error
      }
    })

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

  return {
    create,

    keep: async (lease, maximum, now, checks = []) => {
      const Update = replaceWith(lease, now, table, 'etag <> :etag OR directory <> :directory')
      if (checks.length > 0) {
        const failed = await transact([{ Update }, ...conditionsOf(lease.principal, checks)])
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

    renew: async (lease, now, checks = []) => {
      const Update = replaceWith(lease, now, table, undefined)
      if (checks.length === 0) return (await updates(new UpdateCommand(Update))) ? 'renewed' : 'absent'
      const failed = await transact([{ Update }, ...conditionsOf(lease.principal, checks)])
      if (failed.size === 0) return 'renewed'
      return failed.has(0) ? 'absent' : 'stale'
    },

    renewUnchanged: async ({ principal, id, etag, expiresAt, credentialLivesUntil }, now, checks = []) => {
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
      return (await transact([{ Update }, ...conditionsOf(principal, checks)])).size === 0
    },

    read: async (principal, id, now) => {
      const { Item } = await dynamo.send(
        new GetCommand({ TableName: table, Key: { principal, lease: id }, ConsistentRead: true }),
      )
      const found = Item === undefined ? undefined : leaseFromItem(Item)
      return found !== undefined && isUnexpiredAt(found.expiresAt, now) ? found : undefined
    },

    isSlotHeld: async ({ principal, cluster, ...slot }, now) => {
      const pages = paginateQuery(
        { client: dynamo },
        {
          TableName: table,
          KeyConditionExpression: 'principal = :principal AND begins_with(lease, :prefix)',
          FilterExpression: 'expiresAt > :now AND attribute_exists(#slots.#cluster)',
          ProjectionExpression: '#slots',
          ExpressionAttributeNames: { '#slots': 'slots', '#cluster': cluster },
          ExpressionAttributeValues: { ':principal': principal, ':prefix': 'lease_', ':now': now.toISOString() },
          ConsistentRead: true,
        },
      )
      for await (const { Items = [] } of pages)
        if (Items.some(({ slots }) => namesSlot(slots, cluster, slot))) return true
      return false
    },

    release: async (principal, id, now) => {
      const failed = await transact([
        {
          Delete: {
            TableName: table,
            Key: { principal, lease: id },
            ConditionExpression: isUnexpired,
            ExpressionAttributeValues: { ':now': now.toISOString() },
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
  }
}
