import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  PutCommand,
  paginateQuery,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { canonicalJson } from '../domain/canonical-json.ts'

/**
 * Documents of any size in a table of small items: canonical JSON, compressed, in chunks, under their content address.
 * A document never changes; what points to it does.
 */
export type Documents = {
  /** @throws DamagedDocumentError when a chunk is missing or the bytes are not those of the address */
  readonly read: (kind: string, address: string) => Promise<unknown>
  /** Writes the chunks, then the head that makes them visible. Writing the same document twice changes nothing. */
  readonly write: (kind: string, document: unknown) => Promise<string>
  /** For what nothing points to any more. Removing what is not there succeeds. */
  readonly remove: (kind: string, address: string) => Promise<void>
}

/** What is stored under an address is not, or not all of, what was written there. */
export class DamagedDocumentError extends Error {
  override readonly name = 'DamagedDocumentError'
}

/** An item of DynamoDB holds 400 KB with its keys. */
const chunkBytes = 350_000
const chunkSk = (index: number): string => `chunk#${String(index).padStart(5, '0')}`

/** `sha256:` and the hex digest of the canonical JSON, as text or in UTF-8. */
export const contentAddress = (text: string | Uint8Array): string =>
  `sha256:${createHash('sha256').update(text).digest('hex')}`

export const createDocuments = (dynamo: DynamoDBDocumentClient, table: string): Documents => ({
  read: async (kind, address) => {
    const chunks: Uint8Array[] = []
    let count: number | undefined
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName: table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': `${kind}#${address}` },
        ConsistentRead: true,
      },
    )
    for await (const page of pages)
      for (const item of page.Items ?? []) {
        if (item.sk === 'head') count = item.chunks
        else chunks.push(item.bytes)
      }
    if (count === undefined || chunks.length !== count)
      throw new DamagedDocumentError(
        `the stored ${kind} \`${address}\` is incomplete: ${chunks.length} of ${count ?? 'unknown'} chunks`,
      )
    const text = gunzipSync(Buffer.concat(chunks))
    if (contentAddress(text) !== address)
      throw new DamagedDocumentError(`the stored ${kind} \`${address}\` has other content than its address`)
    return JSON.parse(text.toString('utf8'))
  },

  write: async (kind, document) => {
    const text = canonicalJson(document)
    const address = contentAddress(text)
    const bytes = gzipSync(text)
    const chunks = Math.ceil(bytes.length / chunkBytes)
    for (let index = 0; index < chunks; index++)
      await dynamo.send(
        new PutCommand({
          TableName: table,
          Item: {
            pk: `${kind}#${address}`,
            sk: chunkSk(index),
            bytes: bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
          },
        }),
      )
    // the head comes last: a half-written document has none and is never read as whole
    await dynamo.send(
      new UpdateCommand({
        TableName: table,
        Key: { pk: `${kind}#${address}`, sk: 'head' },
        UpdateExpression: 'SET chunks = :chunks',
        ExpressionAttributeValues: { ':chunks': chunks },
      }),
    )
    return address
  },

  remove: async (kind, address) => {
    const pk = `${kind}#${address}`
    const { Attributes } = await dynamo.send(
      new DeleteCommand({ TableName: table, Key: { pk, sk: 'head' }, ReturnValues: 'ALL_OLD' }),
    )
    // without its head nobody reads it, and nobody knows how much of it there is
    const chunks: number = Attributes?.chunks ?? 0
    for (let index = 0; index < chunks; index++)
      await dynamo.send(new DeleteCommand({ TableName: table, Key: { pk, sk: chunkSk(index) } }))
  },
})
