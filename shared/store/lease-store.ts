import { createHash, randomBytes } from 'node:crypto'
import { type DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb'
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
  readonly issuedAt: Date
  /** The security expiry; checked on every read, whatever DynamoDB's TTL does. */
  readonly expiresAt: Date
}

export type LeaseStore = {
  /** Resolves only when the lease is stored; nothing may be handed out before. */
  readonly put: (lease: Lease) => Promise<void>
}

/** DynamoDB deletes on its own time; a day keeps an ended lease readable for the platform team. */
const keepSeconds = 86_400

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
  issuedAt: lease.issuedAt.toISOString(),
  expiresAt: lease.expiresAt.toISOString(),
  ttl: Math.ceil(lease.expiresAt.getTime() / 1000) + keepSeconds,
})

export const createLeaseStore = (dynamo: DynamoDBDocumentClient, table: string): LeaseStore => ({
  put: async (lease) => {
    await dynamo.send(new PutCommand({ TableName: table, Item: leaseToItem(lease) }))
  },
})
