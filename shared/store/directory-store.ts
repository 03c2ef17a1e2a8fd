import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  paginateQuery,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { canonicalJson } from '../domain/canonical-json.ts'
import type { Policy } from '../domain/policy.ts'

/** What is in force. Everything that changes it compares and sets on `revision`. */
export type Pointer = {
  /** 0 before the first apply. */
  readonly revision: number
  /** Content address of the policy in force; undefined before the first apply. */
  readonly policy: string | undefined
  /** A policy whose access is being added; not yet in force. */
  readonly next: string | undefined
  /** Principals that resolve refuses whatever the grants say. */
  readonly denied: readonly string[]
}

export type DirectoryStore = {
  readonly readPointer: () => Promise<Pointer>
  /** Succeeds only if the pointer still has `expected`; answers whether it did. */
  readonly swapPointer: (expected: number, next: Omit<Pointer, 'revision'>) => Promise<boolean>
  /** @throws Error when a chunk is missing or the bytes are not those of the address */
  readonly readPolicy: (hash: string) => Promise<Policy>
  /** Writes the chunks, then the head that makes them visible. Writing the same policy twice changes nothing. */
  readonly writePolicy: (policy: Policy) => Promise<string>
}

const chunkBytes = 350_000
const pointerKey = { pk: 'pointer', sk: 'current' }
const chunkSk = (index: number): string => `chunk#${String(index).padStart(5, '0')}`

/** `sha256:` and the hex digest of the canonical JSON. */
export const contentAddress = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`

export const createDirectoryStore = (dynamo: DynamoDBDocumentClient, table: string): DirectoryStore => ({
  readPointer: async () => {
    const { Item } = await dynamo.send(new GetCommand({ TableName: table, Key: pointerKey, ConsistentRead: true }))
    return {
      revision: Item?.revision ?? 0,
      policy: Item?.policy,
      next: Item?.next,
      denied: Item?.denied ?? [],
    }
  },

  swapPointer: async (expected, { policy, next, denied }) => {
    const isFirst = 'attribute_not_exists(revision)'
    const isExpected = 'revision = :expected'
    try {
      await dynamo.send(
        new PutCommand({
          TableName: table,
          Item: { ...pointerKey, revision: expected + 1, policy, next, denied },
          ConditionExpression: expected === 0 ? isFirst : isExpected,
          ...(expected === 0 ? {} : { ExpressionAttributeValues: { ':expected': expected } }),
        }),
      )
      return true
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false
      throw error
    }
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
    const text = gunzipSync(Buffer.concat(chunks)).toString('utf8')
    if (contentAddress(text) !== hash)
      throw new Error(`the stored policy \`${hash}\` has other content than its address`)
    return JSON.parse(text)
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
