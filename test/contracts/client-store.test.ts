import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { CreateTableCommand, DeleteTableCommand, DynamoDBClient, waitUntilTableExists } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { trustAuthority } from '../../local/emulator.ts'
import { readStackState } from '../../local/state.ts'
import { createClientStore, digestOf } from '../../shared/store/client-store.ts'

const { aws, caFile } = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(caFile, 'utf8'))

const dynamo = new DynamoDBClient({
  endpoint: aws.endpointUrl,
  region: aws.region,
  credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
})
const TableName = `contract-clients-${randomUUID()}`
const store = createClientStore(DynamoDBDocumentClient.from(dynamo), TableName)

const some = (name: string): string => `${name}-${randomUUID()}`
const stored = async (id: string) => (await store.list()).find((client) => client.id === id)

beforeAll(async () => {
  await dynamo.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
    }),
  )
  await waitUntilTableExists({ client: dynamo, maxWaitTime: 30, minDelay: 1 }, { TableName })
})

afterAll(async () => {
  await dynamo.send(new DeleteTableCommand({ TableName }))
  dynamo.destroy()
})

test('a client comes back with its digests, the newest first, and is gone once it is removed', async () => {
  const id = some('client')
  const digests = [digestOf('new'), digestOf('old')]

  expect(await store.put({ id, digests }, 0)).toBe(true)
  expect(await stored(id)).toEqual({ id, digests, version: 1 })

  await store.remove(id)
  expect(await stored(id)).toBeUndefined()
})

test('of two people who make the same client at once one is told, and the secret of the other stands', async () => {
  const id = some('client')

  expect(await store.put({ id, digests: [digestOf('first')] }, 0)).toBe(true)
  expect(await store.put({ id, digests: [digestOf('second')] }, 0)).toBe(false)

  expect(await stored(id)).toMatchObject({ digests: [digestOf('first')] })
})

test('of two rotations at once one is told, and no secret that was printed is lost', async () => {
  const id = some('client')
  await store.put({ id, digests: [digestOf('old')] }, 0)

  const rotations = ['a', 'b'].map((secret) => store.put({ id, digests: [digestOf(secret), digestOf('old')] }, 1))
  const done = await Promise.all(rotations)

  expect(done.filter(Boolean)).toHaveLength(1)
  const winner = done[0] === true ? 'a' : 'b'
  expect(await stored(id)).toEqual({ id, digests: [digestOf(winner), digestOf('old')], version: 2 })
})
