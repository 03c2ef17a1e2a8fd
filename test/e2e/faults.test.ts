import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DeleteCommand, DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { Producer, stringSerializers } from '@platformatic/kafka'
import { decodeJwt } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { trustAuthority } from '../../local/emulator.ts'
import { saveFunctionLogs } from '../../local/function-logs.ts'
import { mintWorkloadToken, type TokenRequest } from '../../local/issuer.ts'
import { readStackRecord, readStackState } from '../../local/state.ts'
import { createLeaseStore } from '../../shared/store/lease-store.ts'
import { type DeployedResolve, openDeployedResolve } from '../fixtures/deployed-resolve.ts'
import { type FaultyDynamodb, startFaultyDynamodb } from '../fixtures/faulty-dynamodb.ts'
import { until } from '../fixtures/until.ts'

// What the deployed resolve does when what it stands on fails: DynamoDB, the directory in it, its own clock.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(state.caFile, 'utf8'))
const { aws, switchboard } = state
const { DirectoryTableName = '', LeasesTableName = '' } = switchboard.outputs
const dynamo = DynamoDBDocumentClient.from(
  new DynamoDBClient({
    region: aws.region,
    endpoint: aws.endpointUrl,
    credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
  }),
)
const leases = createLeaseStore(dynamo, LeasesTableName)
const created = 'kafka://payments.acme.com/orders/created'
const principal = 'orders-api'

type Body = {
  readonly code?: string
  readonly retryable?: boolean
  readonly lease?: { readonly id: string; readonly expiresAt: string }
  readonly connections?: readonly {
    readonly topics: Readonly<Record<string, string>>
    readonly properties: { readonly 'bootstrap.servers': string }
    readonly credential: { readonly token: string; readonly expiresAt: string }
  }[]
  readonly directory?: string
}

type Answer = {
  readonly status: number
  readonly retryAfter: number
  readonly type: string | null
  readonly text: string
  readonly body: Body
}

/** Every token of this file, theirs and ours, to look for in the logs. */
const tokens: string[] = []

const ask = async (instance: string, caller: Partial<TokenRequest> = {}): Promise<Answer> => {
  const token = await mintWorkloadToken(state, { principal, ...caller })
  tokens.push(token)
  const response = await fetch(`${switchboard.url}/v1/resolve`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ produce: [created], network: 'vpc-local', client: { instance } }),
  })
  const text = await response.text()
  const body: Body = JSON.parse(text)
  tokens.push(...(body.connections ?? []).map(({ credential }) => credential.token))
  return {
    status: response.status,
    retryAfter: Number(response.headers.get('retry-after')),
    type: response.headers.get('content-type'),
    text,
    body,
  }
}

const some = (name: string): string => `${name}-${randomUUID().slice(0, 8)}`

const leasesOf = async (instance: string): Promise<readonly string[]> =>
  (await leases.list(principal, new Date())).filter((lease) => lease.instance === instance).map(({ id }) => id)

let resolve: DeployedResolve
let proxy: FaultyDynamodb

beforeAll(async () => {
  resolve = await openDeployedResolve(state)
  proxy = await startFaultyDynamodb(aws.endpointUrl)
})

afterAll(async () => {
  await resolve.startAfresh()
  await proxy.close()
})

/** A caller learns that it should come back, and when, while the function still has time to say so. */
const expectUnavailable = (answer: Answer): void => {
  const { status, type, body } = answer
  // no more of it, so that a failure does not show a token
  expect({ status, type, code: body.code, retryable: body.retryable }).toEqual({
    status: 503,
    type: 'application/problem+json',
    code: 'unavailable',
    retryable: true,
  })
  expect(answer.retryAfter).toBeGreaterThan(0)
  expect(answer.text).not.toContain('eyJ')
}

describe('DynamoDB', () => {
  beforeAll(() => resolve.startAfresh({ AWS_ENDPOINT_URL_DYNAMODB: proxy.url }))

  test('being down is said to a function that has nothing in memory, and it works as soon as it is up', async () => {
    const instance = some('cold')
    await proxy.refuseConnections()
    try {
      expectUnavailable(await ask(instance))
    } finally {
      await proxy.acceptConnections()
    }
    expect((await ask(instance)).status).toBe(200)
  })

  test.each([
    { fault: 'throttled', begin: async () => proxy.set(() => 'throttled') },
    { fault: 'down', begin: () => proxy.refuseConnections() },
  ])('when it is $fault nothing is written or handed out, and a retry succeeds after it', async ({ fault, begin }) => {
    const instance = some(fault)
    expect((await ask(some('warm'))).status).toBe(200)

    await begin()
    try {
      expectUnavailable(await ask(instance))
    } finally {
      proxy.set(() => undefined)
      if (fault === 'down') await proxy.acceptConnections()
    }

    expect(await leasesOf(instance)).toEqual([])
    const { status, body } = await ask(instance)
    expect(status).toBe(200)
    expect(await leasesOf(instance)).toEqual([body.lease?.id])
  })

  test('when it is slow nobody waits for it, and a retry gets the one lease that was written meanwhile', async () => {
    const instance = some('slow')
    proxy.set(() => 'slow')
    try {
      expectUnavailable(await ask(instance))
    } finally {
      proxy.set(() => undefined)
    }

    const { status, body } = await ask(instance)
    expect(status).toBe(200)
    expect(await leasesOf(instance)).toEqual([body.lease?.id])
  })

  test('while only the pointer cannot be read, the directory in memory answers', async () => {
    const instance = some('pointer')
    expect((await ask(instance)).status).toBe(200)
    let refused = 0
    proxy.set(({ body }) => {
      if (!body.includes(DirectoryTableName)) return undefined
      refused += 1
      return 'throttled'
    })
    try {
      await until('a look at the pointer', async () => {
        expect((await ask(instance)).status).toBe(200)
        return refused > 0
      })
    } finally {
      proxy.set(() => undefined)
    }
  })
})

describe('a directory that is damaged', () => {
  type Item = Record<string, unknown>
  const key = { pk: 'pointer', sk: 'current' }
  const text = JSON.stringify({ simulated: 'damage' })
  const chunk = (bytes: Uint8Array): Item => ({ sk: 'chunk#00000', bytes })
  const head = (chunks: number): Item => ({ sk: 'head', chunks })
  const damages: readonly { readonly name: string; readonly items: readonly Item[] }[] = [
    { name: 'the pointer names a policy that is not there', items: [] },
    { name: 'a half-written policy has no head', items: [chunk(gzipSync(text))] },
    { name: 'a chunk is missing', items: [head(2), chunk(gzipSync(text))] },
    { name: 'the bytes are not those of the address', items: [head(1), chunk(gzipSync(text))] },
    { name: 'the bytes cannot be unpacked', items: [head(1), chunk(Buffer.from(text))] },
  ]

  let pointer: Item
  const addresses: string[] = []

  /** The pointer leads to a policy of its own, so that nothing of the real one is touched. */
  const damage = async (items: readonly Item[]): Promise<string> => {
    const address = `sha256:${randomBytes(32).toString('hex')}`
    addresses.push(address)
    for (const item of items)
      await dynamo.send(new PutCommand({ TableName: DirectoryTableName, Item: { pk: `policy#${address}`, ...item } }))
    await dynamo.send(new PutCommand({ TableName: DirectoryTableName, Item: { ...pointer, policy: address } }))
    return address
  }

  const repair = async (): Promise<void> => {
    await dynamo.send(new PutCommand({ TableName: DirectoryTableName, Item: pointer }))
    for (const address of addresses.splice(0))
      for (const { sk } of [head(1), chunk(Buffer.of())])
        await dynamo.send(new DeleteCommand({ TableName: DirectoryTableName, Key: { pk: `policy#${address}`, sk } }))
  }

  beforeAll(async () => {
    const { Item = {} } = await dynamo.send(new GetCommand({ TableName: DirectoryTableName, Key: key }))
    pointer = Item
    await resolve.startAfresh({ AWS_ENDPOINT_URL_DYNAMODB: proxy.url })
  })

  afterEach(repair)

  test('is met by the last good one as long as that is in memory', async () => {
    const instance = some('last-good')
    const good = await ask(instance)
    expect(good.status).toBe(200)
    const address = await damage([head(2), chunk(gzipSync(text))])

    await until('a look at the damaged policy', async () => {
      const { status, body } = await ask(instance)
      expect({ status, directory: body.directory }).toEqual({ status: 200, directory: good.body.directory })
      return proxy.calls.some(({ operation, body }) => operation === 'Query' && body.includes(address))
    })
  })

  test('is `unavailable` to a function that has nothing in memory, and served as soon as it is whole', async () => {
    await damage([])
    await resolve.startAfresh()
    for (const { name, items } of damages) {
      await damage(items)
      const answer = await ask(some('damaged'))
      expect(`${name}: ${answer.status}`).toBe(`${name}: 503`)
      expectUnavailable(answer)
    }

    await repair()

    expect((await ask(some('repaired'))).status).toBe(200)
  })
})

describe('a clock that is 2 minutes off', () => {
  const offMs = 120_000
  const hour = 3_600
  /** Stands in front of everything that asks for the time in the function. */
  const shift = (byMs: number): string => {
    const code = `const Real = Date
      globalThis.Date = class extends Real {
        constructor(...given) { given.length === 0 ? super(Real.now() + ${byMs}) : super(...given) }
        static now() { return Real.now() + ${byMs} }
      }`
    return `--import=data:text/javascript,${encodeURIComponent(code)}`
  }

  /** In seconds from now, by the right clock. */
  const fromNow = (time: string): number => (new Date(time).getTime() - Date.now()) / 1000

  /** What a client holds works on the real brokers, and is what the lease says. */
  const expectUsable = async ({ status, body }: Answer): Promise<number> => {
    expect(status).toBe(200)
    const { lease, connections = [] } = body
    const [connection] = connections
    if (lease === undefined || connection === undefined) throw new Error('there is no connection in the answer')
    const { token, expiresAt } = connection.credential
    const { iat = 0, exp = 0 } = decodeJwt(token)
    expect(exp - iat).toBeLessThanOrEqual(hour)
    expect(expiresAt).toBe(lease.expiresAt)
    expect(new Date(exp * 1000).toISOString()).toBe(lease.expiresAt)
    const producer = new Producer({
      clientId: 'clock',
      bootstrapBrokers: [connection.properties['bootstrap.servers']],
      sasl: { mechanism: 'OAUTHBEARER', token },
      serializers: stringSerializers,
      retries: 0,
    })
    try {
      await producer.send({ messages: [{ topic: connection.topics[created] ?? '', key: 'clock', value: '' }] })
    } finally {
      await producer.close()
    }
    return fromNow(lease.expiresAt)
  }

  test('fast: tokens from the future work, and are good for 2 minutes more than an hour', async () => {
    await resolve.startAfresh({ NODE_OPTIONS: shift(offMs) })

    const left = await expectUsable(await ask(some('fast')))

    expect(left).toBeGreaterThan(hour + 110)
    expect(left).toBeLessThanOrEqual(hour + 120)
    // 30 s of tolerance are not enough for the last 90 s of a caller's token
    expect((await ask(some('fast'), { expiresInSeconds: 110 })).status).toBe(200)
    expect((await ask(some('fast'), { expiresInSeconds: 80 })).body.code).toBe('unauthenticated')
  })

  test('slow: tokens are good for 2 minutes less than an hour, and a token that begins now is refused', async () => {
    await resolve.startAfresh({ NODE_OPTIONS: shift(-offMs) })

    const left = await expectUsable(await ask(some('slow')))

    expect(left).toBeGreaterThan(hour - 130)
    expect(left).toBeLessThanOrEqual(hour - 120)
    const nbf = Math.floor(Date.now() / 1000)
    expect((await ask(some('slow'), { claims: { nbf } })).body.code).toBe('unauthenticated')
    expect((await ask(some('slow'), { claims: { nbf: nbf - 100 } })).status).toBe(200)
    expect((await ask(some('slow'), { expiresInSeconds: -100 })).status).toBe(200)
    expect((await ask(some('slow'), { expiresInSeconds: -160 })).body.code).toBe('unauthenticated')
  })
})

test('the logs say what was wrong, and hold no token', async () => {
  const record = readStackRecord(state.stateFile)
  const file = join(state.runDirectory, 'faults-functions.log')
  if (record !== undefined) await saveFunctionLogs(record, file)
  const logs = readFileSync(file, 'utf8')
  rmSync(file)

  expect(logs).toMatch(/ECONNREFUSED/)
  expect(logs).toMatch(/ProvisionedThroughputExceededException|ThrottlingException/)
  expect(logs).toMatch(/requestTimeout/)
  expect(logs).toMatch(/is incomplete: 1 of 2 chunks/)
  expect(tokens.length).toBeGreaterThan(20)
  expect(tokens.filter((token) => logs.includes(token.split('.')[2] ?? token)).length).toBe(0)
})
