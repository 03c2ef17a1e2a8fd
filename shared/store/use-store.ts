import { createHash } from 'node:crypto'
import { DeleteCommand, type DynamoDBDocumentClient, PutCommand, paginateQuery } from '@aws-sdk/lib-dynamodb'
import { type RecordedUse, useKey } from '../domain/use.ts'

/** What leases were for, beside what was found. */
export type UseStore = {
  readonly list: () => AsyncIterable<RecordedUse>
  /** Over what is there of the same use. */
  readonly write: (use: RecordedUse) => Promise<void>
  readonly remove: (use: RecordedUse) => Promise<void>
}

const usesPk = 'uses'

/** Its channels do not fit into a key. */
export const useSk = (use: RecordedUse): string =>
  `${use.principal}#${createHash('sha256').update(useKey(use)).digest('hex').slice(0, 32)}`

type Item = Readonly<Record<string, unknown>>

export const useToItem = ({ principal, asked, clusters, until }: RecordedUse): Item => ({
  principal,
  asked,
  clusters,
  until: until.toISOString(),
})

export const useFromItem = (item: Item): RecordedUse => ({
  principal: String(item.principal),
  asked: item.asked as RecordedUse['asked'],
  clusters: item.clusters as readonly string[],
  until: new Date(String(item.until)),
})

/** @param table that of the inventory */
export const createUseStore = (dynamo: DynamoDBDocumentClient, table: string): UseStore => ({
  list: async function* () {
    const pages = paginateQuery(
      { client: dynamo },
      { TableName: table, KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': usesPk } },
    )
    for await (const { Items = [] } of pages) yield* Items.map(useFromItem)
  },

  write: async (use) => {
    await dynamo.send(new PutCommand({ TableName: table, Item: { pk: usesPk, sk: useSk(use), ...useToItem(use) } }))
  },

  remove: async (use) => {
    await dynamo.send(new DeleteCommand({ TableName: table, Key: { pk: usesPk, sk: useSk(use) } }))
  },
})
