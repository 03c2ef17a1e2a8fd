import { CreateTableCommand, type CreateTableCommandInput, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { BatchWriteCommand, DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { createSweep } from '../functions/rotate/sweep.ts'
import { newCredential } from '../shared/domain/rotation.ts'
import { createCredentialStore, dueIndex } from '../shared/store/credential-store.ts'
import { createLeaseStore, type Lease } from '../shared/store/lease-store.ts'
import { createTelemetry } from '../shared/telemetry.ts'
import type { Figure } from './figure.ts'
import { withDynamo } from './local-parts.ts'

const credentialCount = 10_000
const leaseCount = 100_000
const now = new Date('2026-11-21T12:00:00.000Z')
const inAnHour = new Date('2026-11-21T13:00:00.000Z')
const itemsPerRequest = 25

type Item = Record<string, unknown>

/** What the stores' own code writes, caught on its way to the database: written one by one it would take minutes. */
const createRecorder = () => {
  const items: Item[] = []
  const send = async ({ input }: { input: { Item?: Item; TransactItems?: readonly { Put?: { Item: Item } }[] } }) => {
    if (input.Item !== undefined) items.push(input.Item)
    for (const { Put } of input.TransactItems ?? []) if (Put !== undefined) items.push(Put.Item)
    return {}
  }
  return { items, client: { send } as unknown as DynamoDBDocumentClient }
}

const createTable = async (
  client: DynamoDBClient,
  TableName: string,
  keys: readonly [string, string],
  index?: { readonly name: string; readonly keys: readonly [string, string] },
): Promise<void> => {
  const schema = ([partition, sort]: readonly [string, string]): CreateTableCommandInput['KeySchema'] => [
    { AttributeName: partition, KeyType: 'HASH' },
    { AttributeName: sort, KeyType: 'RANGE' },
  ]
  const names = [...keys, ...(index?.keys ?? [])]
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: schema(keys),
      AttributeDefinitions: names.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      ...(index && {
        GlobalSecondaryIndexes: [
          { IndexName: index.name, KeySchema: schema(index.keys), Projection: { ProjectionType: 'KEYS_ONLY' } },
        ],
      }),
    }),
  )
}

const fill = async (dynamo: DynamoDBDocumentClient, table: string, items: readonly Item[]): Promise<void> => {
  const requests = Array.from({ length: Math.ceil(items.length / itemsPerRequest) }, (_, at) =>
    items.slice(at * itemsPerRequest, (at + 1) * itemsPerRequest),
  ).values()
  const work = async (): Promise<void> => {
    for (const some of requests) {
      const RequestItems = { [table]: some.map((Item) => ({ PutRequest: { Item } })) }
      const { UnprocessedItems = {} } = await dynamo.send(new BatchWriteCommand({ RequestItems }))
      if (Object.keys(UnprocessedItems).length > 0) throw new Error(`not every item was written to \`${table}\``)
    }
  }
  await Promise.all(Array.from({ length: 8 }, work))
}

type Counted = { readonly requests: number; readonly items: number }

/** Requests, pages included, and items that the database read for them, filtered or not. */
const createCounter = (dynamo: DynamoDBDocumentClient) => {
  let requests = 0
  let items = 0
  dynamo.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { Item, ScannedCount } = result.output as { Item?: unknown; ScannedCount?: number }
      requests += 1
      items += ScannedCount ?? (Item === undefined ? 0 : 1)
      return result
    },
    { step: 'initialize' },
  )
  return async <T>(work: () => Promise<T>): Promise<Counted & { readonly result: T }> => {
    const before = { requests, items }
    const result = await work()
    return { result, requests: requests - before.requests, items: items - before.items }
  }
}

const leaseOf = (index: number): Lease => ({
  principal: 'orders-api',
  id: `lease_${index.toString(16).padStart(32, '0')}`,
  instance: `pod-${index}`,
  intent: { produce: ['kafka://acme/orders/created'], instance: `pod-${index}` },
  clusters: ['main'],
  channels: ['kafka://acme/orders/created'],
  directory: 'sha256:bench',
  etag: 'W/"5c6ffbdd40d9556b73a21e63c3e0e904b7a1c0c2b8f0a2f0e9d1"',
  issuedAt: now,
  expiresAt: inAnHour,
  credentialExpiresAt: 'never',
  slots: { main: [{ slot: 'a', generation: 1 }] },
})

const sweepWithNothingDue = async (
  client: DynamoDBClient,
  dynamo: DynamoDBDocumentClient,
): Promise<readonly Figure[]> => {
  await createTable(client, 'credentials', ['cluster', 'principal'], { name: dueIndex, keys: ['shard', 'dueAt'] })
  const recorder = createRecorder()
  const recorded = createCredentialStore(recorder.client, 'credentials')
  for (let index = 0; index < credentialCount; index++)
    await recorded.write(0, newCredential(`service-${index}`, 'main'), inAnHour)
  await fill(dynamo, 'credentials', recorder.items)

  const counting = createCounter(dynamo)
  let sent = 0
  const sweep = (clock: () => Date) =>
    createSweep({
      credentials: createCredentialStore(dynamo, 'credentials'),
      queue: { send: async () => void sent++ },
      telemetry: createTelemetry('rotate', () => undefined),
      clock,
    })()
  const idle = await counting(() => sweep(() => now))
  if (sent > 0) throw new Error('a sweep with nothing due has sent a message')
  await sweep(() => inAnHour)
  if (sent === 0) throw new Error('a sweep found nothing of what is due')
  return [
    { name: `sweep of ${credentialCount} credentials, nothing due`, value: idle.requests, unit: 'requests' },
    { name: `sweep of ${credentialCount} credentials, nothing due`, value: idle.items, unit: 'items read', limit: 0 },
  ]
}

const whoHoldsASlot = async (client: DynamoDBClient, dynamo: DynamoDBDocumentClient): Promise<readonly Figure[]> => {
  await createTable(client, 'leases', ['principal', 'lease'])
  const recorder = createRecorder()
  const recorded = createLeaseStore(recorder.client, 'leases', 'credentials')
  const checks = [{ cluster: 'main', slot: 'a', generation: 1, isNew: true }] as const
  for (let index = 0; index < leaseCount; index++) await recorded.create(leaseOf(index), leaseCount, now, checks)
  await fill(dynamo, 'leases', recorder.items)

  const leases = createLeaseStore(dynamo, 'leases')
  const counting = createCounter(dynamo)
  const slot = { principal: 'orders-api', cluster: 'main', generation: 1 }
  const held = await counting(() => leases.slotHeldUntil({ ...slot, slot: 'a' }, now))
  const free = await counting(() => leases.slotHeldUntil({ ...slot, slot: 'b' }, now))
  if (held.result === undefined || free.result !== undefined)
    throw new Error(`the slots are held until \`${held.result}\` and \`${free.result}\`, expected the first alone`)
  return [
    { name: `who holds a slot, ${leaseCount} leases do`, value: held.requests, unit: 'pages', limit: 1 },
    { name: `who holds a slot, ${leaseCount} leases do not`, value: free.requests, unit: 'pages', limit: 1 },
  ]
}

/** What the questions of rotate cost the database. */
export const measureQueries = (): Promise<readonly Figure[]> =>
  withDynamo(async (client) => {
    const dynamo = (): DynamoDBDocumentClient =>
      DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } })
    return [...(await sweepWithNothingDue(client, dynamo())), ...(await whoHoldsASlot(client, dynamo()))]
  })
