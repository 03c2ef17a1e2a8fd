import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DeleteTableCommand,
  DynamoDBClient,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'
import { DeleteCommand, DynamoDBDocumentClient, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll } from 'vitest'
import { trustAuthority } from '../../local/emulator.ts'
import { readStackState } from '../../local/state.ts'
import { createAccessStore } from '../../shared/store/access-store.ts'
import { createCredentialStore } from '../../shared/store/credential-store.ts'
import { createDirectoryStore } from '../../shared/store/directory-store.ts'
import { createDocuments } from '../../shared/store/documents.ts'
import { createInventoryStore, snapshotKind } from '../../shared/store/inventory-store.ts'
import { createLeaseStore } from '../../shared/store/lease-store.ts'
import { createUseStore } from '../../shared/store/use-store.ts'
import { testAccessStore } from './access-store.contract.ts'
import { testCredentialStore } from './credential-store.contract.ts'
import { testDirectoryStore } from './directory-store.contract.ts'
import { testInventoryStore } from './inventory-store.contract.ts'
import { testLeaseSlots } from './lease-slots.contract.ts'
import { testLeaseStore } from './lease-store.contract.ts'
import { testUseStore } from './use-store.contract.ts'

const { aws, caFile } = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(caFile, 'utf8'))

const client = new DynamoDBClient({
  endpoint: aws.endpointUrl,
  region: aws.region,
  credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
})
const dynamo = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } })
const tables: string[] = []

/** A table of this run alone, with the keys that `docs/storage.md` gives it. */
const createTable = async (
  kind: string,
  partition: string,
  sort: string,
  more: Pick<CreateTableCommandInput, 'GlobalSecondaryIndexes' | 'AttributeDefinitions'> = {},
): Promise<string> => {
  const TableName = `contract-${kind}-${randomUUID()}`
  tables.push(TableName)
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [
        { AttributeName: partition, KeyType: 'HASH' },
        { AttributeName: sort, KeyType: 'RANGE' },
      ],
      AttributeDefinitions: [
        { AttributeName: partition, AttributeType: 'S' },
        { AttributeName: sort, AttributeType: 'S' },
        ...(more.AttributeDefinitions ?? []),
      ],
      ...(more.GlobalSecondaryIndexes && { GlobalSecondaryIndexes: more.GlobalSecondaryIndexes }),
    }),
  )
  await waitUntilTableExists({ client, maxWaitTime: 30, minDelay: 1 }, { TableName })
  return TableName
}

let leasesTable: string
let accessTable: string
let credentialsTable: string

beforeAll(async () => {
  leasesTable = await createTable('leases', 'principal', 'lease')
  accessTable = await createTable('access', 'cluster', 'principal')
  credentialsTable = await createTable('credentials', 'cluster', 'principal', {
    AttributeDefinitions: [
      { AttributeName: 'shard', AttributeType: 'S' },
      { AttributeName: 'dueAt', AttributeType: 'S' },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'due',
        KeySchema: [
          { AttributeName: 'shard', KeyType: 'HASH' },
          { AttributeName: 'dueAt', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
  })
})

afterAll(async () => {
  for (const TableName of tables) await client.send(new DeleteTableCommand({ TableName }))
  client.destroy()
})

testDirectoryStore('DynamoDB', async () => {
  const TableName = await createTable('directory', 'pk', 'sk')
  const pkOf = (hash: string): string => `policy#${hash}`
  const remove = (hash: string, sk: string) =>
    dynamo.send(new DeleteCommand({ TableName, Key: { pk: pkOf(hash), sk } }))
  const chunksOf = async (hash: string): Promise<string[]> => {
    const { Items = [] } = await dynamo.send(
      new QueryCommand({
        TableName,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :chunk)',
        ProjectionExpression: 'sk',
        ExpressionAttributeValues: { ':pk': pkOf(hash), ':chunk': 'chunk#' },
      }),
    )
    return Items.map(({ sk }) => sk)
  }
  return {
    store: createDirectoryStore(dynamo, TableName),
    damage: {
      removeHead: async (hash) => void (await remove(hash, 'head')),
      removeLastChunk: async (hash) => void (await remove(hash, (await chunksOf(hash)).at(-1) ?? '')),
      replaceContent: async (hash, text) => {
        const Item = { pk: pkOf(hash), sk: 'chunk#00000', bytes: gzipSync(text) }
        await dynamo.send(new PutCommand({ TableName, Item }))
      },
    },
  }
})

testLeaseStore('DynamoDB', async () => createLeaseStore(dynamo, leasesTable))

testLeaseSlots('DynamoDB', async () => ({
  leases: createLeaseStore(dynamo, leasesTable, credentialsTable),
  credentials: createCredentialStore(dynamo, credentialsTable),
}))

testAccessStore('DynamoDB', async () => createAccessStore(dynamo, accessTable))

testCredentialStore('DynamoDB', async () => createCredentialStore(dynamo, credentialsTable))

testInventoryStore('DynamoDB', async () => {
  const TableName = await createTable('inventory', 'pk', 'sk')
  return {
    store: createInventoryStore(dynamo, TableName),
    writeSnapshotAlone: async (snapshot) =>
      void (await createDocuments(dynamo, TableName).write(snapshotKind, snapshot)),
    damage: async (address) => {
      const Key = { pk: `${snapshotKind}#${address}`, sk: 'chunk#00000' }
      await dynamo.send(new DeleteCommand({ TableName, Key }))
    },
  }
})

testUseStore('DynamoDB', async () => createUseStore(dynamo, await createTable('uses', 'pk', 'sk')))
