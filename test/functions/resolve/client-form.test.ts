import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aCluster, aPolicy } from '../../fixtures/policies.ts'
import { type Answer, aSwitchboard, created, issuerUrl, tokenFor } from './a-switchboard.ts'

const javaType = 'text/x-java-properties'
const librdkafkaType = 'application/vnd.librdkafka+json'
const reports = 'kafka://acme/reports/daily'
const ca = '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n'

const policy = aPolicy({
  identities: [{ issuer: 'https://login.acme.com', audience: 'switchboard' }, { client: 'legacy' }],
  clusters: { main: aCluster({ ca }), other: aCluster({ bootstrap: 'other:9093', security: 'SASL_PLAINTEXT' }) },
  profiles: { odd: { role: 'producer', properties: { 'buffer.memory': 1_048_576, 'statistics.interval.ms': 1_000 } } },
  grants: [
    {
      principals: ['orders-api', 'legacy'],
      produce: ['kafka://acme/**'],
      consume: ['kafka://acme/**'],
      maxLease: '30m',
    },
  ],
  routes: [
    { channel: 'kafka://acme/orders/**', cluster: 'main', topic: '{path}' },
    { channel: 'kafka://acme/reports/**', cluster: 'other', topic: '{path}' },
  ],
})

const basic = `Basic ${Buffer.from('legacy:s3cret').toString('base64')}`
const bearer = async (as = 'orders-api') => `Bearer ${await tokenFor(as)}`

const aReady = async () => {
  const switchboard = await aSwitchboard({ policy })
  for (const principal of ['orders-api', 'legacy'])
    for (const cluster of ['main', 'other']) await switchboard.prepare(principal, cluster)
  const ask = async (
    body: Record<string, unknown>,
    {
      query = '',
      accept = javaType,
      authorization = basic,
      headers = {},
    }: Partial<Record<'query' | 'accept' | 'authorization', string>> & { headers?: Record<string, string> } = {},
  ): Promise<Answer> =>
    switchboard.request({
      query,
      headers: { accept, authorization, 'content-type': 'application/json', ...headers },
      body,
    })
  return { ...switchboard, ask }
}

const lines = ({ text }: Answer): readonly string[] => text.trimEnd().split('\n')
const detail = ({ status, body }: Answer) => [status, body.code, body.detail]

describe('the file of a Java client', () => {
  it('is all that a client with a secret needs, besides the JVM option in its first line', async () => {
    const { ask } = await aReady()
    const answer = await ask({ produce: [created], client: { instance: 'pod-1' } })
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({
      'content-type': 'text/x-java-properties; charset=iso-8859-1',
      'cache-control': 'no-store',
      'lease-id': expect.stringMatching(/^lease_[0-9a-f]{32}$/),
      'lease-refresh-after': '2026-11-21T12:15:00.000Z',
      'lease-expires-at': '2026-11-21T12:30:00.000Z',
    })
    const endpoint = `${issuerUrl}/v1/token?instance=pod-1`
    expect(lines(answer)).toEqual([
      `# -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${endpoint}`,
      'bootstrap.servers=kafka-1.acme.com:9093',
      'security.protocol=SASL_SSL',
      'sasl.mechanism=OAUTHBEARER',
      'client.id=pod-1',
      'ssl.truststore.type=PEM',
      'ssl.truststore.certificates=-----BEGIN CERTIFICATE-----\\nMII\\n-----END CERTIFICATE-----\\n',
      'acks=all',
      'enable.idempotence=true',
      'client.dns.lookup=use_all_dns_ips',
      'metadata.recovery.strategy=rebootstrap',
      'compression.type=none',
      'linger.ms=5',
      'sasl.login.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler',
      `sasl.oauthbearer.token.endpoint.url=${endpoint}`,
      'sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId="legacy" clientSecret="s3cret" scope="kafka:main";',
    ])
  })

  it("reads the workload's own token from a file, which needs an option too", async () => {
    const { ask } = await aReady()
    const answer = await ask(
      { consume: [created], group: 'orders-api' },
      { query: 'auth=jwt-bearer&assertion_file=/var/run/secrets/tokens/kafka', authorization: await bearer() },
    )
    expect(lines(answer)[0]).toBe(
      `# -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${issuerUrl}/v1/token -Dorg.apache.kafka.sasl.oauthbearer.allowed.files=/var/run/secrets/tokens/kafka`,
    )
    expect(lines(answer)).toEqual(
      expect.arrayContaining([
        'group.id=orders-api',
        'sasl.oauthbearer.jwt.retriever.class=org.apache.kafka.common.security.oauthbearer.JwtBearerJwtRetriever',
        'sasl.oauthbearer.assertion.file=/var/run/secrets/tokens/kafka',
        'sasl.oauthbearer.scope=kafka:main',
      ]),
    )
  })

  it('holds no token of ours', async () => {
    const { ask } = await aReady()
    expect((await ask({ produce: [created] })).text).not.toContain('eyJ')
  })
})

describe('the object of a librdkafka client', () => {
  it('is flat, in its own names and units, its authority inside', async () => {
    const { ask } = await aReady()
    const answer = await ask({ produce: [created], profile: { producer: 'odd' } }, { accept: librdkafkaType })
    expect(answer.headers['content-type']).toBe(librdkafkaType)
    expect(answer.body).toEqual({
      'bootstrap.servers': 'kafka-1.acme.com:9093',
      'security.protocol': 'SASL_SSL',
      'sasl.mechanism': 'OAUTHBEARER',
      'client.id': 'legacy',
      'ssl.ca.pem': ca,
      'queue.buffering.max.kbytes': 1_024,
      'statistics.interval.ms': 1_000,
      'sasl.oauthbearer.method': 'oidc',
      'sasl.oauthbearer.token.endpoint.url': `${issuerUrl}/v1/token`,
      'sasl.oauthbearer.scope': 'kafka:main',
      'sasl.oauthbearer.client.id': 'legacy',
      'sasl.oauthbearer.client.secret': 's3cret',
    })
  })

  it("reads the workload's own token from a file", async () => {
    const { ask } = await aReady()
    const { body } = await ask(
      { consume: [created] },
      { accept: librdkafkaType, query: 'auth=jwt-bearer&assertion_file=/run/token', authorization: await bearer() },
    )
    expect(body).toMatchObject({
      'group.id': 'orders-api',
      'sasl.oauthbearer.grant.type': 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      'sasl.oauthbearer.assertion.file': '/run/token',
    })
    expect(body).not.toHaveProperty('sasl.oauthbearer.client.secret')
  })
})

describe('JSON', () => {
  it('is in the dialect of the client family', async () => {
    const { ask } = await aReady()
    const settingsFor = async (family: string | undefined) => {
      const intent = {
        produce: [created],
        profile: { producer: 'odd' },
        client: family === undefined ? {} : { family },
      }
      const { body } = await ask(intent, { accept: 'application/json' })
      const [connection] = body.connections as { properties: Record<string, unknown>; producer: unknown }[]
      return connection
    }
    const librdkafka = await settingsFor('librdkafka')
    expect(librdkafka?.producer).toEqual({ 'queue.buffering.max.kbytes': 1_024, 'statistics.interval.ms': 1_000 })
    expect(librdkafka?.properties).toMatchObject({ 'ssl.ca.pem': ca })
    expect(librdkafka?.properties).not.toHaveProperty(['ssl.truststore.type'])
    for (const family of ['java', 'javascript', undefined]) {
      const java = await settingsFor(family)
      expect(java?.producer).toEqual({ 'buffer.memory': 1_048_576 })
      expect(java?.properties).toMatchObject({ 'ssl.truststore.certificates': ca })
    }
  })

  it('has another ETag in another dialect', async () => {
    const { ask } = await aReady()
    const etagOf = async (family: string) =>
      (await ask({ produce: [created], client: { family } }, { accept: 'application/json' })).headers.etag
    expect(await etagOf('java')).not.toBe(await etagOf('librdkafka'))
  })
})

describe('a file is for one cluster and one role', () => {
  it('of several clusters the query names one, else all of them are named and no lease is made', async () => {
    const { ask, leases } = await aReady()
    const produce = [created, reports]
    expect(detail(await ask({ produce }))).toEqual([
      400,
      'invalid_intent',
      'a file is for one cluster; say `?cluster=`, allowed: `main`, `other`',
    ])
    expect(detail(await ask({ produce }, { query: 'cluster=nowhere' }))).toEqual([
      400,
      'invalid_intent',
      '`cluster` is `nowhere`, allowed: `main`, `other`',
    ])
    expect(await leases.listAll(new Date(0))).toEqual([])
    const answer = await ask({ produce }, { query: 'cluster=other' })
    expect(lines(answer)).toEqual(expect.arrayContaining(['bootstrap.servers=other:9093']))
    expect(answer.text).toContain('scope="kafka:other"')
    expect(answer.text).not.toContain('ssl.')
  })

  it('of both roles the query names one', async () => {
    const { ask } = await aReady()
    const intent = { produce: [created], consume: [created] }
    expect(detail(await ask(intent))).toEqual([
      400,
      'invalid_intent',
      'a file is for one role; say `?role=`, allowed: `producer`, `consumer`',
    ])
    expect((await ask(intent, { query: 'role=producer' })).text).not.toContain('group.id')
    expect((await ask(intent, { query: 'role=consumer' })).text).not.toContain('acks')
    expect(detail(await ask({ produce: [created] }, { query: 'role=consumer' }))).toEqual([
      400,
      'invalid_intent',
      '`role` is `consumer`, allowed: `producer`',
    ])
  })
})

describe('how the client of a file gets its tokens', () => {
  it.each(['', 'auth=token'])(
    'is asked of a caller with a token, because no client reads one from its settings: `%s`',
    async (query) => {
      const { ask } = await aReady()
      const answer = await ask({ produce: [created] }, { query, authorization: await bearer() })
      expect(answer.status).toBe(400)
      expect(answer.body.detail).toContain('a file cannot hold a token')
      expect(answer.body.detail).toContain('auth=jwt-bearer&assertion_file=')
    },
  )

  it('is never a secret that the request did not carry', async () => {
    const { ask } = await aReady()
    const answer = await ask(
      { produce: [created] },
      { query: 'auth=client_credentials', authorization: await bearer() },
    )
    expect(detail(answer)).toEqual([
      400,
      'invalid_intent',
      '`auth=client_credentials` needs a request with Basic; its secret is used',
    ])
  })

  it.each([
    'auth=jwt-bearer',
    'auth=jwt-bearer&assertion_file=',
    'auth=jwt-bearer&assertion_file=relative/path',
    'auth=jwt-bearer&assertion_file=/a%0Asasl.jaas.config=x',
    'auth=jwt-bearer&assertion_file=/a%20-Devil=1',
    'auth=jwt-bearer&assertion_file=/a,/etc/passwd',
    'auth=jwt-bearer&assertion_file=/a%22b',
    'auth=jwt-bearer&assertion_file=/%C3%A9',
    `auth=jwt-bearer&assertion_file=/${'a'.repeat(1024)}`,
    'auth=client_credentials&assertion_file=/a',
    'assertion_file=/a',
    'auth=basic',
    'auth=jwt-bearer&auth=jwt-bearer&assertion_file=/a',
    'cluster=main&cluster=other',
    'clsuter=main',
    'cluster=main&__proto__=x',
    'role=',
    'cluster=',
  ])('is not taken from `?%s`', async (query) => {
    const { ask, leases } = await aReady()
    const answer = await ask({ produce: [created] }, { query })
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_intent'])
    expect(answer.text).not.toContain('s3cret')
    expect(await leases.listAll(new Date(0))).toEqual([])
  })

  it('may come in no query of a JSON answer', async () => {
    const { ask } = await aReady()
    expect(detail(await ask({ produce: [created] }, { accept: '*/*', query: 'cluster=main' }))).toEqual([
      400,
      'invalid_intent',
      '`cluster` is for files of clients: `accept: text/x-java-properties` or `application/vnd.librdkafka+json`',
    ])
  })

  it('leaves no line or quote of the query in a file, whatever it says', async () => {
    const { ask } = await aReady()
    const authorization = await bearer()
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (path) => {
        const query = new URLSearchParams({ auth: 'jwt-bearer', assertion_file: `/${path}` }).toString()
        const answer = await ask({ produce: [created], client: { instance: 'pod' } }, { query, authorization })
        expect([200, 400]).toContain(answer.status)
        if (answer.status === 200) expect(lines(answer).filter((line) => line.startsWith('sasl.'))).toHaveLength(7)
      }),
      { numRuns: 200 },
    )
  })
})

describe('what a caller takes', () => {
  it.each(['text/html', 'application/json;q=0', 'application/vnd.librdkafka', ''])(
    'is none of what there is: `%s`',
    async (accept) => {
      const { ask } = await aReady()
      expect(detail(await ask({ produce: [created] }, { accept }))).toEqual([
        406,
        'not_acceptable',
        'this endpoint answers `application/json`, `text/x-java-properties`, `application/vnd.librdkafka+json`',
      ])
    },
  )

  it('is a problem as JSON where there is one', async () => {
    const { ask } = await aReady()
    const answer = await ask({ produce: ['kafka://nobody/x'] })
    expect([answer.status, answer.headers['content-type']]).toEqual([403, 'application/problem+json'])
  })
})

describe('the renewal of a file', () => {
  const intent = { produce: [created], client: { instance: 'pod-1' } }

  it('is a 304 for as long as nothing changed, also when a token of that age would have ended', async () => {
    const { ask, setTime } = await aReady()
    const { headers } = await ask(intent)
    const held = { lease: headers['lease-id'], etag: headers.etag ?? '' }
    for (const after of [900, 1_800, 2_700, 3_600]) {
      setTime(after)
      const answer = await ask({ ...intent, lease: held.lease }, { headers: { 'if-none-match': held.etag } })
      expect([answer.status, answer.text, answer.headers['lease-id']]).toEqual([304, '', held.lease])
      expect(answer.headers['lease-expires-at']).toBe(
        new Date(Date.parse('2026-11-21T12:30:00Z') + after * 1000).toISOString(),
      )
    }
  })

  it('is a new file when the policy changed', async () => {
    const { ask, apply, setTime } = await aReady()
    const { headers } = await ask(intent)
    await apply({ ...policy, profiles: { balanced: { role: 'producer', properties: { 'linger.ms': 7 } } } })
    setTime(60)
    const answer = await ask(
      { ...intent, lease: headers['lease-id'] },
      { headers: { 'if-none-match': headers.etag ?? '' } },
    )
    expect(answer.status).toBe(200)
    expect(lines(answer)).toContain('linger.ms=7')
  })

  it('is never a 304 of another file', async () => {
    const { ask } = await aReady()
    const { headers } = await ask(intent)
    const others: Parameters<typeof ask>[1][] = [
      { accept: librdkafkaType },
      { accept: 'application/json' },
      { query: 'auth=jwt-bearer&assertion_file=/run/token' },
    ]
    for (const other of others) {
      const answer = await ask(
        { ...intent, lease: headers['lease-id'] },
        { ...other, headers: { 'if-none-match': headers.etag ?? '' } },
      )
      expect(answer.status).toBe(200)
    }
  })
})

describe('the secret of a file', () => {
  it('is in the file alone: in no header, no audit event and no log', async () => {
    const { ask, telemetry } = await aReady()
    const answer = await ask({ produce: [created] })
    expect(answer.text).toContain('s3cret')
    expect(JSON.stringify(answer.headers) + telemetry.text()).not.toContain('s3cret')
  })
})
