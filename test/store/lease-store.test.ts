import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { afterEach, expect, test } from 'vitest'
import { createLeaseStore, type Lease, type LeaseStore } from '../../shared/store/lease-store.ts'
import { now } from '../fixtures/policies.ts'

/** One answer of the database: done, or why not. */
type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> }

const done: Answer = { status: 200, body: {} }
const refused = (type: string, reasons?: readonly string[]): Answer => ({
  status: 400,
  body: {
    __type: `com.amazonaws.dynamodb.v20120810#${type}`,
    message: 'simulated',
    ...(reasons === undefined ? {} : { CancellationReasons: reasons.map((Code) => ({ Code })) }),
  },
})
const canceled = (...reasons: readonly string[]): Answer => refused('TransactionCanceledException', reasons)
const busy = refused('TransactionConflictException')
/** With the item as it is, which the request asked for. */
const refusedOver = (item: Readonly<Record<string, unknown>>): Answer => {
  const { status, body } = refused('ConditionalCheckFailedException')
  return { status, body: { ...body, Item: item } }
}

const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

/** A database that answers by a script, for what the emulator never does: two writes that meet on an item. */
const scripted = async (script: readonly Answer[]): Promise<{ store: LeaseStore; requests: () => number }> => {
  let requests = 0
  const server = createServer((request, response) => {
    const answer = script[Math.min(requests++, script.length - 1)] ?? done
    request.resume().on('end', () => {
      response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' })
      response.end(JSON.stringify(answer.body))
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  })
  return { store: createLeaseStore(DynamoDBDocumentClient.from(client), 'leases'), requests: () => requests }
}

const expiresAt = new Date(now.getTime() + 600_000)
const lease: Lease = {
  principal: 'orders-api',
  id: `lease_${'0'.repeat(32)}`,
  instance: 'pod-1',
  intent: { produce: ['kafka://acme/orders/created'], consume: [] },
  clusters: ['main'],
  channels: ['kafka://acme/orders/created'],
  directory: 'sha256:one',
  etag: '"one"',
  issuedAt: now,
  expiresAt,
  credentialExpiresAt: expiresAt,
}
const unchanged = { principal: 'orders-api', id: lease.id, etag: '"one"', expiresAt, credentialLivesUntil: now }

test.each([
  { on: 'the count', reasons: ['None', 'TransactionConflict'] },
  { on: 'the lease', reasons: ['TransactionConflict', 'None'] },
  { on: 'both', reasons: ['TransactionConflict', 'TransactionConflict'] },
])('creating tries again when it meets another write on $on', async ({ reasons }) => {
  const { store, requests } = await scripted([canceled(...reasons), canceled(...reasons), done])

  expect(await store.create(lease, 10, now)).toBe('created')
  expect(requests()).toBe(3)
})

test('releasing tries again when it meets another write', async () => {
  const { store, requests } = await scripted([done, canceled('None', 'TransactionConflict'), done])

  expect(await store.release('orders-api', lease.id, now)).toBe(true)
  expect(requests()).toBe(3)
})

test('renewing tries again when it meets another write', async () => {
  const { store, requests } = await scripted([busy, done, busy, done])

  expect(await store.renew(lease, now)).toBe('renewed')
  expect(await store.renewUnchanged(unchanged, now)).toBe(true)
  expect(requests()).toBe(4)
})

test.each([
  { held: 'nothing', script: [refused('ConditionalCheckFailedException'), done], requests: 2 },
  {
    held: 'a lease that ended',
    script: [refusedOver({ expiresAt: { S: '2026-11-21T12:00:00.000Z' } }), done],
    requests: 2,
  },
  { held: 'the same', script: [refusedOver({ expiresAt: { S: '9999-12-31T23:59:59.999Z' } })], requests: 1 },
  { held: 'another answer', script: [done], requests: 1 },
  { held: 'another answer, and another write on it', script: [busy, done], requests: 2 },
])('keeping a lease where there is $held takes $requests requests', async ({ script, requests: expected }) => {
  const { store, requests } = await scripted(script)

  expect(await store.keep({ ...lease, expiresAt: 'never' }, 10, now)).toBe('kept')
  expect(requests()).toBe(expected)
})

test('keeping a lease fails when the database does', async () => {
  const { store } = await scripted([refused('ValidationException')])

  await expect(store.keep(lease, 10, now)).rejects.toThrow(expect.objectContaining({ name: 'ValidationException' }))
})

test('a condition that does not hold is an answer and not tried again', async () => {
  const refusal = canceled('ConditionalCheckFailed', 'TransactionConflict')
  const { store, requests } = await scripted([refusal, done, refusal])

  expect(await store.create(lease, 10, now)).toBe('exists')
  expect(await store.release('orders-api', lease.id, now)).toBe(false)
  expect(requests()).toBe(3)
})

test('gives up on a conflict that does not end, with the reason of the database', async () => {
  const { store, requests } = await scripted([canceled('None', 'TransactionConflict')])

  await expect(store.create(lease, 10, now)).rejects.toThrow(
    expect.objectContaining({ name: 'TransactionCanceledException' }),
  )
  expect(requests()).toBe(8)
})

test('a transaction that was canceled for any other reason is a failure and not tried again', async () => {
  const { store, requests } = await scripted([canceled('None', 'ThrottlingError')])

  await expect(store.create(lease, 10, now)).rejects.toThrow(
    expect.objectContaining({ name: 'TransactionCanceledException' }),
  )
  expect(requests()).toBe(1)
})
