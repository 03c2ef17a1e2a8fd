import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Consumer, Producer, saslOAuthBearer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { awsEnvironment } from '../../local/emulator.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { until } from '../fixtures/until.ts'

// The token endpoint of the deployed function, and what its tokens are worth to the brokers.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const { switchboard, clusters } = state
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const client = state.clients['legacy-billing'] ?? ''
const basic = { authorization: `Basic ${Buffer.from(client).toString('base64')}` }
const [, secret = ''] = client.split(':')

type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, string>>
}

const ask = async (
  parameters: Readonly<Record<string, string>>,
  { headers = {}, query = '' }: { readonly headers?: Readonly<Record<string, string>>; readonly query?: string } = {},
): Promise<Answer> => {
  const response = await fetch(`${switchboard.url}/v1/token${query}`, {
    method: 'POST',
    headers,
    body: new URLSearchParams(parameters),
  })
  return {
    status: response.status,
    headers: response.headers,
    body: Object(JSON.parse((await response.text()) || '{}')),
  }
}

const askAsWorkload = async (principal: string, team: string, more: Readonly<Record<string, string>> = {}) =>
  ask({
    grant_type: jwtBearer,
    assertion: await mintWorkloadToken(state, { principal, claims: { team } }),
    ...more,
  })

const asKafka = (token: string, bootstrap: string) => ({
  clientId: 'token-test',
  bootstrapBrokers: [bootstrap],
  retries: 2,
  tls: { ca: readFileSync(state.caFile, 'utf8') },
  sasl: {
    mechanism: 'OAUTHBEARER' as const,
    token,
    authBytesValidator: saslOAuthBearer.jwtValidateAuthenticationBytes,
  },
})

const writes = async (token: string, topic: string, key: string, bootstrap = clusters.payments.outside) => {
  const producer = new Producer({ ...asKafka(token, bootstrap), serializers: stringSerializers })
  try {
    await producer.send({ messages: [{ topic, key, value: key }] })
  } finally {
    await producer.close()
  }
}

const reads = async (token: string, group: string, topic: string, wanted: string): Promise<boolean> => {
  const kafka = { ...asKafka(token, clusters.payments.outside), retries: 10, groupId: group }
  const consumer = new Consumer({ ...kafka, deserializers: stringDeserializers })
  const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false })
  const deadline = setTimeout(() => void stream.close(), 20_000)
  try {
    for await (const { key } of stream) if (key === wanted) return true
    return false
  } finally {
    clearTimeout(deadline)
    await stream.close()
    await consumer.close()
  }
}

/** What a client says went wrong, down to what began it. */
const reasonsOf = (error: Error & { readonly errors?: readonly Error[] }): readonly string[] => [
  error.message,
  ...[...(error.errors ?? []), error.cause].flatMap((each) => (each instanceof Error ? reasonsOf(each) : [])),
]

const command = async (...args: string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)(
    nodeFile,
    [join(root, 'cli/switchboard.ts'), ...args, '--stack', switchboard.stackName],
    { cwd: root, env: cleanEnvironment(awsEnvironment(state.aws, state.caFile)) },
  )
  return stdout
}

describe('a client with a secret', () => {
  test('gets a token by a Basic header, with which it writes and reads', async () => {
    const { status, headers, body } = await ask(
      { grant_type: 'client_credentials', scope: 'kafka:payments' },
      { headers: basic },
    )
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('pragma')).toBe('no-cache')
    expect(headers.get('x-request-id')).toBeTruthy()
    expect(body).toMatchObject({ token_type: 'Bearer', scope: 'kafka:payments' })
    const key = randomUUID()
    const token = String(body.access_token)
    await writes(token, 'orders.created', key)
    expect(await reads(token, 'legacy-billing', 'orders.created', key)).toBe(true)
  })

  test('holds one lease however often it asks, and one more for an instance', async () => {
    const leaseOf = ({ body }: Answer) => decodeJwt(String(body.access_token)).lease
    const parameters = { grant_type: 'client_credentials' }
    const first = leaseOf(await ask(parameters, { headers: basic }))
    expect(leaseOf(await ask(parameters, { headers: basic }))).toBe(first)
    const other = leaseOf(await ask(parameters, { headers: basic, query: '?instance=pod-1' }))
    const found: readonly Record<string, unknown>[] = JSON.parse(
      await command('leases', '--principal', 'legacy-billing', '--json'),
    )
    expect(found.filter(({ id }) => id === first || id === other)).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({
          id: first,
          clusters: ['payments'],
          channels: ['kafka://payments.acme.com/orders/**'],
        }),
        expect.objectContaining({ id: other, instance: 'pod-1' }),
      ]),
    )
  })

  test('with a wrong secret is refused, and the audit trail says why', async () => {
    const { status, headers, body } = await ask({
      grant_type: 'client_credentials',
      client_id: 'legacy-billing',
      client_secret: `${secret}x`,
    })
    expect({ status, error: body.error }).toEqual({ status: 401, error: 'invalid_client' })
    expect(headers.get('www-authenticate')).toBe('Basic realm="switchboard"')
    const requestId = headers.get('x-request-id') ?? ''
    expect(body.error_description).toContain(requestId)
    const found = await command('why', requestId)
    expect(found).toContain('the client id or its secret is wrong')
    expect(found).not.toContain(secret)
  })
})

describe('a workload with a token', () => {
  test('gets one for Kafka; that is no assertion, and no other cluster takes it', async () => {
    const { status, body } = await askAsWorkload('orders-api', 'payments')
    expect(status).toBe(200)
    const token = String(body.access_token)
    await writes(token, 'orders.created', randomUUID())
    expect((await ask({ grant_type: jwtBearer, assertion: token })).body.error).toBe('invalid_grant')
    const elsewhere = await writes(token, 'reports.daily', randomUUID(), clusters.analytics.outside).catch(reasonsOf)
    expect(elsewhere).toContain('SASL authentication failed.')
  })

  test('that was never seen waits until its access is there, and then has all of it', async () => {
    const principal = `token-${randomUUID().slice(0, 8)}`
    const first = await askAsWorkload(principal, 'finance')
    expect(first).toMatchObject({ status: 503, body: {} })
    expect(first.body).toEqual({})
    expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0)
    const last = await until(
      'access',
      () => askAsWorkload(principal, 'finance'),
      ({ status }) => status !== 503,
    )
    expect(last.status).toBe(200)
    const key = randomUUID()
    await writes(String((await askAsWorkload('orders-api', 'payments')).body.access_token), 'orders.created', key)
    expect(await reads(String(last.body.access_token), principal, 'orders.created', key)).toBe(true)
  })

  test('does not learn whether there is a cluster that is not its own', async () => {
    const answers = await Promise.all(
      ['kafka:analytics', 'kafka:scitylana'].map((scope) => askAsWorkload('orders-api', 'payments', { scope })),
    )
    expect(answers.map(({ status, body }) => [status, body.error])).toEqual([
      [400, 'invalid_scope'],
      [400, 'invalid_scope'],
    ])
  })
})

test('the metadata leads to the endpoint', async () => {
  for (const name of ['oauth-authorization-server', 'openid-configuration']) {
    const metadata = Object(await (await fetch(`${switchboard.url}/.well-known/${name}`)).json())
    expect(metadata.token_endpoint).toBe(`${switchboard.url}/v1/token`)
    expect(metadata.grant_types_supported).toEqual(['client_credentials', jwtBearer])
  }
})
