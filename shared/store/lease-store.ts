import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { ConditionalCheckFailedException, TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import {
  type DynamoDBDocumentClient,
  paginateQuery,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { canonicalJson } from '../domain/canonical-json.ts'

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
  readonly expiresAt: Date
  /** When the last credential that was handed out ends. */
  readonly credentialExpiresAt: Date
}

/** What a renewal that changes nothing asks for: the same answer, and a credential that lives long enough. */
export type Unchanged = {
  readonly principal: string
  readonly id: string
  readonly etag: string
  readonly expiresAt: Date
  readonly credentialLivesUntil: Date
}

export type LeaseStore = {
  /**
   * Stores a new lease; nothing may be handed out before. One request. `exists` when the id has an unexpired lease (a
   * restart of the same instance), `capped` when the principal holds `maximum` unexpired leases.
   */
  readonly create: (lease: Lease, maximum: number, now: Date) => Promise<'created' | 'exists' | 'capped'>
  /** Renews an unexpired lease with a new credential; false when there is none. One request. */
  readonly renew: (lease: Lease, now: Date) => Promise<boolean>
  /** Renews a lease whose answer is still right; false when there is none or its credential ends too soon. One request. */
  readonly renewUnchanged: (unchanged: Unchanged, now: Date) => Promise<boolean>
  /** Ends an unexpired lease; false when there is none. */
  readonly release: (principal: string, id: string, now: Date) => Promise<boolean>
  /** The unexpired leases of a principal. */
  readonly list: (principal: string, now: Date) => Promise<readonly Lease[]>
}

/** DynamoDB deletes on its own time; a day keeps an ended lease readable for the platform team. */
const keepSeconds = 86_400
/** Sort key of the item that counts a principal's leases; an upper bound that is counted anew when it says "full". */
const countKey = 'count'
const conflictAttempts = 8
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
  expiresAt: lease.expiresAt.toISOString(),
  credentialExpiresAt: lease.credentialExpiresAt.toISOString(),
  ttl: ttlOf(lease.expiresAt),
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
  expiresAt: new Date(String(item.expiresAt)),
  credentialExpiresAt: new Date(String(item.credentialExpiresAt)),
})

const ttlOf = (expiresAt: Date): number => Math.ceil(expiresAt.getTime() / 1000) + keepSeconds

const isUnexpired = 'attribute_exists(principal) AND expiresAt > :now'
const isAbsentOrExpired = 'attribute_not_exists(principal) OR expiresAt <= :now'
const isBelowMaximum = 'attribute_not_exists(held) OR held < :maximum'

export const createLeaseStore = (dynamo: DynamoDBDocumentClient, table: string): LeaseStore => {
  const updates = async (command: UpdateCommand): Promise<boolean> => {
    try {
      await dynamo.send(command)
      return true
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false
      throw error
    }
  }

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
    attempt = 1,
  ): Promise<'created' | 'exists' | 'capped'> => {
    try {
      await dynamo.send(
        new TransactWriteCommand({
          TransactItems: [
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
                UpdateExpression: 'ADD held :one',
                ConditionExpression: isBelowMaximum,
                ExpressionAttributeValues: { ':one': 1, ':maximum': maximum },
              },
            },
          ],
        }),
      )
      return 'created'
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error
      const [put, count] = error.CancellationReasons ?? []
      if (put?.Code === 'ConditionalCheckFailed') return 'exists'
      if (count?.Code === 'ConditionalCheckFailed') return 'capped'
      // a fleet of one principal that starts at once meets on the count; DynamoDB leaves this retry to us
      if (attempt >= conflictAttempts || count?.Code !== 'TransactionConflict') throw error
      await wait(Math.random() * conflictDelayMs * attempt)
      return tryCreate(lease, maximum, now, attempt + 1)
    }
  }

  return {
    create: async (lease, maximum, now) => {
      const outcome = await tryCreate(lease, maximum, now)
      if (outcome !== 'capped') return outcome
      // expired leases still count; see whether the principal really holds that many
      const held = await countUnexpired(lease.principal, now)
      if (held >= maximum) return 'capped'
      await updates(
        new UpdateCommand({
          TableName: table,
          Key: { principal: lease.principal, lease: countKey },
          UpdateExpression: 'SET held = :held',
          ConditionExpression: 'held >= :maximum',
          ExpressionAttributeValues: { ':held': held, ':maximum': maximum },
        }),
      )
      return tryCreate(lease, maximum, now)
    },

    renew: (lease, now) => {
      const { principal, id, issuedAt: _, ...changed } = lease
      return updates(
        new UpdateCommand({
          TableName: table,
          Key: { principal, lease: id },
          UpdateExpression:
            'SET intent = :intent, clusters = :clusters, channels = :channels, directory = :directory, etag = :etag, expiresAt = :expiresAt, credentialExpiresAt = :credentialExpiresAt, #ttl = :ttl',
          ConditionExpression: isUnexpired,
          ExpressionAttributeNames: { '#ttl': 'ttl' },
          ExpressionAttributeValues: {
            ':now': now.toISOString(),
            ':intent': changed.intent,
            ':clusters': changed.clusters,
            ':channels': changed.channels,
            ':directory': changed.directory,
            ':etag': changed.etag,
            ':expiresAt': changed.expiresAt.toISOString(),
            ':credentialExpiresAt': changed.credentialExpiresAt.toISOString(),
            ':ttl': ttlOf(changed.expiresAt),
          },
        }),
      )
    },

    renewUnchanged: ({ principal, id, etag, expiresAt, credentialLivesUntil }, now) =>
      updates(
        new UpdateCommand({
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
        }),
      ),

    release: async (principal, id, now) => {
      try {
        await dynamo.send(
          new TransactWriteCommand({
            TransactItems: [
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
                  UpdateExpression: 'ADD held :one',
                  ExpressionAttributeValues: { ':one': -1 },
                },
              },
            ],
          }),
        )
        return true
      } catch (error) {
        if (
          error instanceof TransactionCanceledException &&
          error.CancellationReasons?.[0]?.Code === 'ConditionalCheckFailed'
        )
          return false
        throw error
      }
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
  }
}
