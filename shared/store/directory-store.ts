import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { ConditionalCheckFailedException, TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  paginateQuery,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { canonicalJson } from '../domain/canonical-json.ts'
import type { Policy } from '../domain/policy.ts'
import type { Revocation } from '../domain/revocation.ts'

/** What is in force. Everything that changes it compares and sets on `revision`. */
export type Pointer = {
  /** 0 before the first apply. */
  readonly revision: number
  /** Content address of the policy in force; undefined before the first apply. */
  readonly policy: string | undefined
  /** A policy whose access is being added; not yet in force. */
  readonly next: string | undefined
  /** Who is refused whatever the grants say. */
  readonly denied: readonly Revocation[]
}

/** A policy that was put in force, when, and as which revision. */
export type Revision = { readonly revision: number; readonly policy: string; readonly appliedAt: Date }

export type DirectoryStore = {
  readonly readPointer: () => Promise<Pointer>
  /**
   * Succeeds only if the pointer still has `expected`; answers whether it did. With `appliedAt` the revision goes down in
   * history with it, or neither is written.
   */
  readonly swapPointer: (expected: number, next: Omit<Pointer, 'revision'>, appliedAt?: Date) => Promise<boolean>
  /** Every policy that was put in force, the latest first. */
  readonly listRevisions: () => Promise<readonly Revision[]>
  /** @throws Error when a chunk is missing or the bytes are not those of the address */
  readonly readPolicy: (hash: string) => Promise<Policy>
  /** Writes the chunks, then the head that makes them visible. Writing the same policy twice changes nothing. */
  readonly writePolicy: (policy: Policy) => Promise<string>
}

const chunkBytes = 350_000
const pointerKey = { pk: 'pointer', sk: 'current' }
const historyPk = 'revision'
/** Zeros in front, so that the order of the keys is that of the numbers. */
const historySk = (revision: number): string => String(revision).padStart(10, '0')
const chunkSk = (index: number): string => `chunk#${String(index).padStart(5, '0')}`

/** `sha256:` and the hex digest of the canonical JSON, as text or in UTF-8. */
export const contentAddress = (text: string | Uint8Array): string =>
  `sha256:${createHash('sha256').update(text).digest('hex')}`

/** A principal's name: everywhere. A name and a cluster: there. */
type StoredRevocation = string | { readonly principal: string; readonly cluster: string }

const revocationToItem = ({ principal, cluster }: Revocation): StoredRevocation =>
  cluster === undefined ? principal : { principal, cluster }

const revocationFromItem = (stored: StoredRevocation): Revocation =>
  typeof stored === 'string' ? { principal: stored, cluster: undefined } : stored

/** Somebody else's swap came first, or is being made at this instant. */
const isLost = (error: unknown): boolean =>
  error instanceof TransactionCanceledException &&
  (error.CancellationReasons ?? []).some(
    ({ Code }) => Code === 'ConditionalCheckFailed' || Code === 'TransactionConflict',
  )

export const createDirectoryStore = (dynamo: DynamoDBDocumentClient, table: string): DirectoryStore => ({
  readPointer: async () => {
    const { Item } = await dynamo.send(new GetCommand({ TableName: table, Key: pointerKey, ConsistentRead: true }))
    return {
      revision: Item?.revision ?? 0,
      policy: Item?.policy,
      next: Item?.next,
      denied: (Item?.denied ?? []).map(revocationFromItem),
    }
  },

  swapPointer: async (expected, { policy, next, denied }, appliedAt) => {
    const isFirst = 'attribute_not_exists(revision)'
    const isExpected = 'revision = :expected'
    const revision = expected + 1
    const pointer = {
      TableName: table,
      Item: { ...pointerKey, revision, policy, next, denied: denied.map(revocationToItem) },
      ConditionExpression: expected === 0 ? isFirst : isExpected,
      ...(expected === 0 ? {} : { ExpressionAttributeValues: { ':expected': expected } }),
    }
    try {
      if (appliedAt === undefined) await dynamo.send(new PutCommand(pointer))
      else {
        const Item = { pk: historyPk, sk: historySk(revision), revision, policy, appliedAt: appliedAt.toISOString() }
        await dynamo.send(
          new TransactWriteCommand({ TransactItems: [{ Put: pointer }, { Put: { TableName: table, Item } }] }),
        )
      }
      return true
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException || isLost(error)) return false
      throw error
    }
  },

  listRevisions: async () => {
    const found: Revision[] = []
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName: table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': historyPk },
        ScanIndexForward: false,
        ConsistentRead: true,
      },
    )
    for await (const page of pages)
      for (const { revision, policy, appliedAt } of page.Items ?? [])
        found.push({ revision, policy, appliedAt: new Date(appliedAt) })
    return found
  },

  readPolicy: async (hash) => {
    const chunks: Uint8Array[] = []
    let count: number | undefined
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName: table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': `policy#${hash}` },
        ConsistentRead: true,
      },
    )
    for await (const page of pages)
      for (const item of page.Items ?? []) {
        if (item.sk === 'head') count = item.chunks
        else chunks.push(item.bytes)
      }
    if (count === undefined || chunks.length !== count)
      throw new Error(`the stored policy \`${hash}\` is incomplete: ${chunks.length} of ${count ?? 'unknown'} chunks`)
    const text = gunzipSync(Buffer.concat(chunks))
    if (contentAddress(text) !== hash)
      throw new Error(`the stored policy \`${hash}\` has other content than its address`)
    return JSON.parse(text.toString('utf8'))
  },

  writePolicy: async (policy) => {
    const text = canonicalJson(policy)
    const hash = contentAddress(text)
    const bytes = gzipSync(text)
    const chunks = Math.ceil(bytes.length / chunkBytes)
    for (let index = 0; index < chunks; index++)
      await dynamo.send(
        new PutCommand({
          TableName: table,
          Item: {
            pk: `policy#${hash}`,
            sk: chunkSk(index),
            bytes: bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
          },
        }),
      )
    // the head comes last: a half-written policy has none and is never read as whole
    await dynamo.send(
      new UpdateCommand({
        TableName: table,
        Key: { pk: `policy#${hash}`, sk: 'head' },
        UpdateExpression: 'SET chunks = :chunks',
        ExpressionAttributeValues: { ':chunks': chunks },
      }),
    )
    return hash
  },
})
