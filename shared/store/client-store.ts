import { createHash, randomBytes } from 'node:crypto'
import { DeleteCommand, type DynamoDBDocumentClient, PutCommand, paginateQuery } from '@aws-sdk/lib-dynamodb'
import { conditionHolds } from './conditional-write.ts'

/** What Switchboard keeps of a client: digests of its secrets, the newest first, two during a rotation. */
export type StoredClient = { readonly id: string; readonly digests: readonly string[]; readonly version: number }

export type ClientStore = {
  readonly list: () => Promise<readonly StoredClient[]>
  /** Writes only over `version` (0: only if there is none); answers whether it did. */
  readonly put: (client: Omit<StoredClient, 'version'>, version: number) => Promise<boolean>
  readonly remove: (id: string) => Promise<void>
}

const partition = 'client'

/** A new secret: 32 random bytes, base64url. Only its digest is ever stored. */
export const createClientSecret = (): { readonly secret: string; readonly digest: string } => {
  const secret = randomBytes(32).toString('base64url')
  return { secret, digest: digestOf(secret) }
}

export const digestOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')

export const createClientStore = (dynamo: DynamoDBDocumentClient, table: string): ClientStore => ({
  list: async () => {
    const found: StoredClient[] = []
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName: table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': partition },
        ConsistentRead: true,
      },
    )
    for await (const page of pages)
      for (const item of page.Items ?? []) found.push({ id: item.sk, digests: item.digests, version: item.version })
    return found
  },

  put: async ({ id, digests }, version) => {
    return conditionHolds(
      dynamo.send(
        new PutCommand({
          TableName: table,
          Item: { pk: partition, sk: id, digests, version: version + 1 },
          ConditionExpression: version === 0 ? 'attribute_not_exists(pk)' : 'version = :version',
          ...(version === 0 ? {} : { ExpressionAttributeValues: { ':version': version } }),
        }),
      ),
    )
  },

  remove: async (id) => {
    await dynamo.send(new DeleteCommand({ TableName: table, Key: { pk: partition, sk: id } }))
  },
})

export type ClientDigests = () => Promise<ReadonlyMap<string, readonly Uint8Array[]>>

const readEveryMs = 5_000
const serveStaleMs = 60_000

/**
 * All clients' digests in memory, read at most every 5 s. All of them in one read, so that a known and an unknown id
 * take the same time.
 * @throws the store's error once the last good read is over 60 s ago
 */
export const createClientDigests = (store: Pick<ClientStore, 'list'>, clock: () => Date): ClientDigests => {
  let held: ReadonlyMap<string, readonly Uint8Array[]> = new Map()
  let readAt = Number.NEGATIVE_INFINITY
  let pending: Promise<void> | undefined

  /** A clock that was set back must not make what is held look young. */
  const timeSinceRead = (): number => Math.abs(clock().getTime() - readAt)

  const read = async (): Promise<void> => {
    const at = clock().getTime()
    const clients = await store.list()
    held = new Map(clients.map(({ id, digests }) => [id, digests.map((digest) => Buffer.from(digest, 'hex'))]))
    readAt = at
  }

  return async () => {
    if (timeSinceRead() >= readEveryMs) {
      pending ??= read().finally(() => {
        pending = undefined
      })
      try {
        await pending
      } catch (error) {
        if (timeSinceRead() > serveStaleMs) throw error
      }
    }
    return held
  }
}
