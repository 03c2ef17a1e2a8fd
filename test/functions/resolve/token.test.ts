import { createHash } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { SwitchboardError } from '../../../shared/domain/errors.ts'
import type { Policy } from '../../../shared/domain/policy.ts'
import { aCluster, aPolicy, now, revoked } from '../../fixtures/policies.ts'
import { type Answer, aSwitchboard, issuerUrl, type SwitchboardOptions, tokenFor } from './a-switchboard.ts'

const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const oidc: Policy['identities'][number] = {
  issuer: 'https://login.acme.com',
  audience: 'switchboard',
  principal: 'svc.{sub}',
  labels: { team: '{team}' },
}

/** Two clusters; `legacy` and `svc.orders-api` reach `main` alone, `svc.everywhere` both. */
const tokenPolicy = (changes: Partial<Policy> = {}): Policy =>
  aPolicy({
    identities: [oidc, { client: 'legacy' }],
    clusters: { main: aCluster(), other: aCluster() },
    grants: [
      {
        principals: ['svc.orders-api', 'legacy'],
        produce: ['kafka://acme/orders/**'],
        consume: ['kafka://acme/orders/**'],
      },
      { principals: ['svc.everywhere'], consume: ['kafka://acme/**', 'kafka://globex/**'] },
    ],
    routes: [
      { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}' },
      { channel: 'kafka://globex/**', cluster: 'other', topic: '{path}' },
    ],
    ...changes,
  })

const basicOf = (id: string, secret: string): string => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
const basic = basicOf('legacy', 's3cret')
const assertion = await tokenFor('orders-api')

type Ask = {
  readonly parameters?: Readonly<Record<string, string>>
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: string
  readonly base64?: boolean
}

const aTokenEndpoint = async (options: SwitchboardOptions = {}, prepared = true) => {
  const switchboard = await aSwitchboard({ policy: tokenPolicy(), ...options })
  if (prepared) {
    for (const principal of ['svc.orders-api', 'legacy']) await switchboard.prepare(principal, 'main')
    for (const cluster of ['main', 'other']) await switchboard.prepare('svc.everywhere', cluster)
  }
  const ask = ({ parameters, body, headers = {}, query = '', base64 }: Ask): Promise<Answer> =>
    switchboard.request({
      path: '/v1/token',
      query,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: body ?? new URLSearchParams(parameters).toString(),
      ...(base64 === undefined ? {} : { base64 }),
    })
  return {
    ...switchboard,
    ask,
    asClient: (parameters: Readonly<Record<string, string>> = {}, more: Ask = {}) =>
      ask({
        parameters: { grant_type: 'client_credentials', ...parameters },
        headers: { authorization: basic },
        ...more,
      }),
    asWorkload: async (sub: string, parameters: Readonly<Record<string, string>> = {}, more: Ask = {}) =>
      ask({ parameters: { grant_type: jwtBearer, assertion: await tokenFor(sub), ...parameters }, ...more }),
  }
}

type TokenEndpoint = Awaited<ReturnType<typeof aTokenEndpoint>>

const refused = (answer: Answer) => ({ status: answer.status, error: answer.body.error })

/** What a broker checks. */
const claimsOf = async ({ keys }: TokenEndpoint, { body }: Answer, cluster = 'main') => {
  const { payload } = await jwtVerify(
    String(body.access_token),
    createLocalJWKSet({ keys: keys.published.map((key) => ({ ...key })) }),
    { issuer: issuerUrl, audience: `${issuerUrl}/clusters/${cluster}`, currentDate: new Date('2026-11-21T12:00:01Z') },
  )
  return payload
}

describe('a token', () => {
  it('is given for a client id and secret in the authorization header', async () => {
    const endpoint = await aTokenEndpoint()
    const answer = await endpoint.asClient({ scope: 'kafka:main' })
    expect(answer).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        pragma: 'no-cache',
        'x-request-id': 'request-1',
      },
      body: { access_token: expect.any(String), token_type: 'Bearer', expires_in: 3600, scope: 'kafka:main' },
    })
    const [lease] = await endpoint.leases.listAll(now)
    expect(await claimsOf(endpoint, answer)).toEqual({
      iss: issuerUrl,
      sub: 'sb.legacy',
      aud: `${issuerUrl}/clusters/main`,
      iat: 1_795_262_400,
      exp: 1_795_266_000,
      jti: expect.any(String),
      lease: lease?.id,
    })
  })
  it('is given for a client id and secret in the body, for the same credential by its hash', async () => {
    const endpoint = await aTokenEndpoint()
    await endpoint.asClient()
    const answer = await endpoint.ask({
      parameters: { grant_type: 'client_credentials', client_id: 'legacy', client_secret: 's3cret' },
    })
    expect(answer).toMatchObject({ status: 200, body: { scope: 'kafka:main' } })
    const hashes = endpoint.telemetry.audits.map(({ tokenHash }) => tokenHash)
    expect(hashes).toEqual([hashes[0], hashes[0]])
    expect(hashes[0]).toBe(createHash('sha256').update(basic).digest('hex'))
  })

  it("is given for the workload's own token as assertion", async () => {
    const endpoint = await aTokenEndpoint()
    const answer = await endpoint.asWorkload('orders-api', { scope: 'kafka:main' })
    expect(await claimsOf(endpoint, answer)).toMatchObject({ sub: 'sb.svc.orders-api' })
  })

  it('is given for an assertion out of a file that ends in a newline', async () => {
    const { ask } = await aTokenEndpoint()
    const answer = await ask({ parameters: { grant_type: jwtBearer, assertion: `${assertion}\r\n` } })
    expect(answer.status).toBe(200)
  })

  it('is for the cluster that the scope names, each with a lease of its own', async () => {
    const endpoint = await aTokenEndpoint()
    const [main, other] = [
      await claimsOf(endpoint, await endpoint.asWorkload('everywhere', { scope: 'kafka:main' })),
      await claimsOf(endpoint, await endpoint.asWorkload('everywhere', { scope: 'kafka:other' }), 'other'),
    ]
    expect(main.lease).not.toBe(other.lease)
  })

  it('is as stock clients ask for it: the colon bare or encoded, the body in base64, a charset, an unknown parameter', async () => {
    const { ask } = await aTokenEndpoint()
    const bodies = [
      'grant_type=client_credentials&scope=kafka:main',
      'grant_type=client_credentials&scope=kafka%3Amain',
      'scope=kafka:main&resource=https%3A%2F%2Fkafka&grant_type=client_credentials',
      'grant_type=client_credentials&scope=&client_secret=',
    ]
    for (const body of bodies) {
      expect((await ask({ body, headers: { authorization: basic } })).status, body).toBe(200)
      const base64 = Buffer.from(body).toString('base64')
      expect((await ask({ body: base64, base64: true, headers: { authorization: basic } })).status).toBe(200)
    }
    const headers = { authorization: basic, 'content-type': 'Application/X-WWW-Form-URLEncoded; charset=UTF-8' }
    expect((await ask({ body: bodies[0] ?? '', headers })).status).toBe(200)
  })

  it('does not outlive any grant that reaches its cluster, and is not shortened by one that does not', async () => {
    const grants: Policy['grants'] = [
      { principals: ['legacy'], produce: ['kafka://acme/orders/**'], maxLease: '30m' },
      { principals: ['legacy'], consume: ['kafka://acme/returns/**'], maxLease: '10m' },
      { principals: ['legacy'], consume: ['kafka://globex/**'], maxLease: '1m' },
      { principals: ['svc.orders-api'], consume: ['kafka://acme/**'], maxLease: '1m' },
    ]
    const endpoint = await aTokenEndpoint({ policy: tokenPolicy({ grants }) })
    await endpoint.prepare('legacy', 'other')
    const answer = await endpoint.asClient({ scope: 'kafka:main' })
    expect(answer.body.expires_in).toBe(600)
    expect(Number((await claimsOf(endpoint, answer)).exp)).toBe(now.getTime() / 1000 + 600)
    expect((await endpoint.asClient({ scope: 'kafka:other' })).body.expires_in).toBe(60)
  })

  it('ends with a grant, and then is for what is left', async () => {
    const grants: Policy['grants'] = [
      { principals: ['legacy'], produce: ['kafka://acme/orders/**'] },
      { principals: ['legacy'], consume: ['kafka://acme/returns/**'], until: '2026-11-21T12:05:00Z' },
    ]
    const { asClient, setTime } = await aTokenEndpoint({ policy: tokenPolicy({ grants }) })
    expect((await asClient()).body.expires_in).toBe(300)
    setTime(299)
    expect((await asClient()).body.expires_in).toBe(1)
    setTime(300)
    expect((await asClient()).body.expires_in).toBe(3600)
  })
})

describe('the lease of a token', () => {
  const leasesOf = ({ leases }: TokenEndpoint) => leases.list('legacy', now)

  it('is one for a client, renewed by one write', async () => {
    const calls: string[] = []
    const endpoint = await aTokenEndpoint({
      leases: (real) => ({
        ...real,
        create: (...args) => {
          calls.push('create')
          return real.create(...args)
        },
        renew: (...args) => {
          calls.push('renew')
          return real.renew(...args)
        },
      }),
    })
    await endpoint.asClient()
    calls.length = 0
    endpoint.setTime(60)
    await endpoint.asClient()
    expect(calls).toEqual(['renew'])
    expect(await leasesOf(endpoint)).toMatchObject([
      {
        principal: 'legacy',
        instance: undefined,
        intent: { token: 'main' },
        clusters: ['main'],
        channels: ['kafka://acme/orders/**'],
        issuedAt: now,
        expiresAt: new Date(now.getTime() + 3_660_000),
        credentialExpiresAt: new Date(now.getTime() + 3_660_000),
      },
    ])
  })

  it('is one for each instance that the URL names', async () => {
    const endpoint = await aTokenEndpoint()
    for (const query of ['instance=pod-1', 'instance=pod-1', 'instance=pod-2', '', 'instance='])
      expect((await endpoint.asClient({}, { query })).status).toBe(200)
    expect((await leasesOf(endpoint)).map(({ instance }) => instance).sort()).toEqual(['pod-1', 'pod-2', undefined])
  })

  it('is made again when it was released', async () => {
    const endpoint = await aTokenEndpoint()
    await endpoint.asClient()
    const [lease] = await leasesOf(endpoint)
    await endpoint.leases.release('legacy', lease?.id ?? '', now)
    expect((await endpoint.asClient()).status).toBe(200)
    expect((await leasesOf(endpoint)).map(({ id }) => id)).toEqual([lease?.id])
  })

  it('is not given beyond the cap, which stock clients wait for', async () => {
    const endpoint = await aTokenEndpoint({ policy: tokenPolicy({ limits: { leasesPerPrincipal: 1 } }) })
    await endpoint.asClient({}, { query: 'instance=pod-1' })
    const answer = await endpoint.asClient({}, { query: 'instance=pod-2' })
    expect(answer).toMatchObject({
      status: 429,
      headers: { 'retry-after': '60', 'cache-control': 'no-store' },
      text: '',
    })
    expect((await endpoint.asClient({}, { query: 'instance=pod-1' })).status).toBe(200)
  })

  it('is stored before a token is handed out', async () => {
    const down = async (): Promise<never> => {
      throw new Error('the table cannot be reached')
    }
    const endpoint = await aTokenEndpoint({ leases: (real) => ({ ...real, create: down, renew: down }) })
    const answer = await endpoint.asClient()
    expect(answer).toMatchObject({ status: 500, text: '', headers: { 'x-request-id': 'request-1' } })
    expect(JSON.stringify(answer)).not.toContain('table')
  })
})

describe('a refusal', () => {
  it('has the shape, the headers and the characters of RFC 6749', async () => {
    const { asClient } = await aTokenEndpoint()
    const answer = await asClient({ scope: 'kafka:nowhere' })
    expect(answer.status).toBe(400)
    expect(answer.headers).toEqual({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      pragma: 'no-cache',
      'x-request-id': 'request-1',
    })
    expect(Object.keys(answer.body)).toEqual(['error', 'error_description'])
    expect(answer.body.error_description).toMatch(/^[ !#-[\]-~]+\(request request-1\)$/)
  })

  const secret = basicOf('legacy', 's3cret').slice('Basic '.length)
  it.each([
    ['a wrong secret', basicOf('legacy', 'wrong')],
    ['an unknown id', basicOf('nobody', 's3cret')],
    ['an id with a colon', basicOf('leg:acy', 's3cret')],
    ['no colon', `Basic ${Buffer.from('legacy').toString('base64')}`],
    ['an empty id', basicOf('', 's3cret')],
    ['nothing', 'Basic'],
    ['no base64', 'Basic legacy:s3cret'],
    ['base64url', `Basic ${Buffer.from('legacy:\u{1f511}??>').toString('base64url')}`],
    ['what comes after the padding', `Basic ${secret}=AAAA`],
    ['two headers in one', `Basic ${secret}, Basic ${secret}`],
    ['another scheme', `Digest ${secret}`],
    ['an identity token as a bearer', `Bearer ${assertion}`],
  ])('is invalid_client for %s in the authorization header', async (_, authorization) => {
    const { ask, telemetry } = await aTokenEndpoint()
    const answer = await ask({ parameters: { grant_type: 'client_credentials' }, headers: { authorization } })
    expect(refused(answer)).toEqual({ status: 401, error: 'invalid_client' })
    expect(answer.headers['www-authenticate']).toBe('Basic realm="switchboard"')
    expect(telemetry.audits).toMatchObject([
      {
        event: 'authentication',
        outcome: 'deny',
        grantType: 'client_credentials',
        reason: expect.any(String),
        tokenHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ])
  })

  it.each([
    ['nothing', {}],
    ['an id alone', { client_id: 'legacy' }],
    ['a secret alone', { client_secret: 's3cret' }],
    ['a wrong secret', { client_id: 'legacy', client_secret: 'wrong' }],
    ['an id with a colon', { client_id: 'legacy:s3cret', client_secret: 'x' }],
    ['an id that ends in a colon', { client_id: 'legacy:', client_secret: 's3cret' }],
    ['a secret in another alphabet', { client_id: 'legacy', client_secret: '\u{1f511}'.repeat(200) }],
  ])('is invalid_client for %s in the body', async (_, parameters) => {
    const { ask } = await aTokenEndpoint()
    const answer = await ask({ parameters: { grant_type: 'client_credentials', ...parameters } })
    expect(refused(answer)).toEqual({ status: 401, error: 'invalid_client' })
  })

  it('is the same for an unknown client and a wrong secret', async () => {
    const { ask } = await aTokenEndpoint()
    const [known, unknown] = [basicOf('legacy', 'wrong'), basicOf('nobody', 'wrong')].map((authorization) =>
      ask({ parameters: { grant_type: 'client_credentials' }, headers: { authorization } }),
    )
    expect(await known).toEqual(await unknown)
  })

  it.each([
    ['of another audience', { aud: 'payroll' }],
    ['of another issuer', { iss: 'https://evil.example' }],
    ['that has expired', { exp: now.getTime() / 1000 - 60 }],
    ['that names no principal', { sub: 'not a name' }],
    ['of the name of a client', { iss: issuerUrl, sub: 'legacy' }],
  ])('is invalid_grant for an assertion %s', async (_, claims) => {
    const { ask, telemetry } = await aTokenEndpoint()
    const assertion = await tokenFor('orders-api', claims)
    const answer = await ask({ parameters: { grant_type: jwtBearer, assertion } })
    expect(refused(answer)).toEqual({ status: 400, error: 'invalid_grant' })
    expect(telemetry.audits).toMatchObject([{ event: 'authentication', outcome: 'deny', grantType: jwtBearer }])
    expect(answer.headers).not.toHaveProperty('www-authenticate')
  })

  it.each(['legacy', ' a.b.c', 'a.b', 'a b.c.d', 'a.b.c\n.d', 'Basic x', 'é.b.c', 'a'.repeat(30_000)])(
    'is invalid_grant for an assertion that is no JWT: %.20s',
    async (assertion) => {
      const { ask } = await aTokenEndpoint()
      expect(refused(await ask({ parameters: { grant_type: jwtBearer, assertion } }))).toEqual({
        status: 400,
        error: 'invalid_grant',
      })
    },
  )

  it('is invalid_grant for our own Kafka token as assertion', async () => {
    const { asClient, ask, telemetry } = await aTokenEndpoint()
    const assertion = String((await asClient()).body.access_token)
    const answer = await ask({ parameters: { grant_type: jwtBearer, assertion } })
    expect(refused(answer)).toEqual({ status: 400, error: 'invalid_grant' })
    expect(telemetry.audits.at(-1)?.reason).toBe('the token is one of ours, made for Kafka')
  })

  it.each<[string, Ask]>([
    ['no grant type', { parameters: { scope: 'kafka:main' } }],
    ['an empty grant type', { body: 'grant_type=' }],
    ['a grant type twice', { body: 'grant_type=client_credentials&grant_type=client_credentials' }],
    ['a scope twice', { body: 'grant_type=client_credentials&scope=kafka:main&scope=kafka:other' }],
    ['a parameter that nobody knows twice', { body: 'grant_type=client_credentials&x=1&x=2' }],
    ['one spelled in two ways', { body: 'grant_type=client_credentials&scope=&%73cope=kafka:main' }],
    ['broken percent-encoding', { body: 'grant_type=client_credentials&scope=%zz' }],
    ['percent-encoding that is cut', { body: 'grant_type=client_credentials&scope=%4' }],
    ['bytes that are not UTF-8', { body: 'grant_type=client_credentials&scope=%ff%fe' }],
    ['what should have been encoded', { body: 'grant_type=client_credentials&scope=kafka:m\u00fcnchen' }],
    ['a raw line break', { body: 'grant_type=client_credentials\r\n' }],
    ['raw bytes', { body: Buffer.from([0xff, 0xfe]).toString('base64'), base64: true }],
    ['too large a body', { body: `grant_type=client_credentials&x=${'a'.repeat(65_536)}` }],
    ['JSON', { body: '{}', headers: { authorization: basic, 'content-type': 'application/json' } }],
    ['no content type', { headers: { authorization: basic, 'content-type': '' } }],
    [
      'a compressed body',
      { headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-encoding': 'gzip' } },
    ],
    ['another charset', { headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-16' } }],
    [
      'a secret in header and body',
      { parameters: { grant_type: 'client_credentials', client_id: 'legacy', client_secret: 's3cret' } },
    ],
    ['an assertion and a header', { parameters: { grant_type: jwtBearer, assertion } }],
    ['no assertion', { parameters: { grant_type: jwtBearer }, headers: {} }],
    [
      'an assertion and a secret',
      { parameters: { grant_type: jwtBearer, assertion, client_secret: 's3cret' }, headers: {} },
    ],
    ['a secret in the URL', { parameters: { grant_type: 'client_credentials' }, query: 'client_secret=s3cret' }],
    ['an instance twice', { parameters: { grant_type: 'client_credentials' }, query: 'instance=a&instance=b' }],
    ['no name of an instance', { parameters: { grant_type: 'client_credentials' }, query: 'instance=%2e%2e' }],
  ])('is invalid_request for %s', async (_, question) => {
    const { ask } = await aTokenEndpoint()
    const answer = await ask({ headers: { authorization: basic }, ...question })
    expect(refused(answer)).toEqual({ status: 400, error: 'invalid_request' })
    expect(answer.text).not.toMatch(/s3cret|eyJ/)
  })

  it.each(['password', 'authorization_code', 'refresh_token', 'Client_Credentials', '__proto__', 's3cret\u0000'])(
    'is unsupported_grant_type for %s, which is not repeated',
    async (grant_type) => {
      const { asClient } = await aTokenEndpoint()
      const answer = await asClient({ grant_type })
      expect(refused(answer)).toEqual({ status: 400, error: 'unsupported_grant_type' })
      expect(answer.text).not.toContain('s3cret')
    },
  )

  it.each([
    'kafka:',
    'main',
    'kafka:main kafka:other',
    'kafka:main kafka:main',
    ' kafka:main',
    'kafka:Main',
    'kafka:*',
    'openid',
  ])('is invalid_scope for `%s`', async (scope) => {
    const { asClient } = await aTokenEndpoint()
    expect(refused(await asClient({ scope }))).toEqual({ status: 400, error: 'invalid_scope' })
  })

  it('is the same for a cluster that does not exist and one that is not the caller\u2019s', async () => {
    const { asClient } = await aTokenEndpoint()
    const [foreign, unknown] = [await asClient({ scope: 'kafka:other' }), await asClient({ scope: 'kafka:rehto' })]
    expect(refused(foreign)).toEqual({ status: 400, error: 'invalid_scope' })
    expect(foreign).toEqual({
      ...unknown,
      text: unknown.text.replace('rehto', 'other'),
      body: { ...unknown.body, error_description: String(unknown.body.error_description).replace('rehto', 'other') },
    })
  })

  it('names the scopes to choose from when several clusters are reached and none is asked for', async () => {
    const { asWorkload } = await aTokenEndpoint()
    const answer = await asWorkload('everywhere')
    expect(refused(answer)).toEqual({ status: 400, error: 'invalid_scope' })
    expect(answer.body.error_description).toContain('`kafka:main`, `kafka:other`')
  })

  it('is invalid_scope for a principal without grants, with ended grants, and denied: all look the same', async () => {
    const ended = tokenPolicy({
      grants: [{ principals: ['legacy'], produce: ['kafka://acme/**'], until: '2026-11-21T12:00:00Z' }],
    })
    const endpoint = await aTokenEndpoint()
    const answers: Answer[] = []
    await endpoint.apply(tokenPolicy({ grants: [] }))
    endpoint.setTime(10)
    answers.push(await endpoint.asClient(), await endpoint.asClient({ scope: 'kafka:main' }))
    await endpoint.apply(ended)
    endpoint.setTime(20)
    answers.push(await endpoint.asClient(), await endpoint.asClient({ scope: 'kafka:main' }))
    await endpoint.apply(tokenPolicy(), [revoked('legacy')])
    endpoint.setTime(30)
    answers.push(await endpoint.asClient(), await endpoint.asClient({ scope: 'kafka:main' }))
    expect(refused(answers[0] as Answer)).toEqual({ status: 400, error: 'invalid_scope' })
    expect(endpoint.telemetry.audits.at(-1)).toMatchObject({ rule: 1, reason: 'principal_denied', cluster: 'main' })
    await endpoint.apply(tokenPolicy(), [revoked('legacy', 'main')])
    endpoint.setTime(40)
    answers.push(await endpoint.asClient(), await endpoint.asClient({ scope: 'kafka:main' }))
    expect(endpoint.telemetry.audits.at(-1)).toMatchObject({ rule: 4, reason: 'denied_on_cluster', cluster: 'main' })
    expect(answers.slice(2)).toEqual([1, 2, 3].flatMap(() => answers.slice(0, 2)))
  })

  it('does not reach a cluster by a route that an earlier one hides', async () => {
    const { asClient, prepare } = await aTokenEndpoint({
      policy: tokenPolicy({
        routes: [
          { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}' },
          { channel: 'kafka://acme/orders/{event}', cluster: 'other', topic: 'orders.{event}' },
        ],
      }),
    })
    await prepare('legacy', 'main')
    expect((await asClient()).body.scope).toBe('kafka:main')
    expect(refused(await asClient({ scope: 'kafka:other' })).error).toBe('invalid_scope')
  })
})

describe('503, which stock clients retry', () => {
  /** librdkafka reads the body of what it retries together with that of the next answer. */
  const unavailable = { status: 503, text: '' }

  it('is the answer until the access is there, which it asks for once', async () => {
    const { asClient, prepare, messages } = await aTokenEndpoint({}, false)
    const answer = await asClient()
    expect(answer).toMatchObject({ ...unavailable, headers: { 'retry-after': '2' } })
    await asClient()
    expect(messages).toEqual([{ kind: 'access', cluster: 'main', principal: 'legacy' }])
    await prepare('legacy')
    expect((await asClient()).status).toBe(200)
  })

  it('is the answer until all of the access is there', async () => {
    const { asClient, apply, prepare, setTime } = await aTokenEndpoint()
    expect((await asClient()).status).toBe(200)
    await apply(
      tokenPolicy({
        grants: [
          { principals: ['legacy'], produce: ['kafka://acme/orders/**'], consume: ['kafka://acme/orders/**'] },
          { principals: ['legacy'], consume: ['kafka://acme/returns/**'] },
        ],
      }),
    )
    setTime(10)
    expect(await asClient()).toMatchObject(unavailable)
    await prepare('legacy')
    expect((await asClient()).status).toBe(200)
  })

  it('is not the answer when a policy changes nothing for the principal', async () => {
    const { asClient, apply, setTime } = await aTokenEndpoint()
    await apply(tokenPolicy({ limits: { leasesPerPrincipal: 7 } }))
    setTime(10)
    expect((await asClient()).status).toBe(200)
  })

  it('is the answer until topics that no prefix covers were looked up with the labels of the caller', async () => {
    const endpoint = await aTokenEndpoint({
      policy: tokenPolicy({
        grants: [
          { principals: ['svc.orders-api'], produce: ['kafka://acme/orders/created'] },
          { principals: { labels: { team: 'finance' } }, consume: ['kafka://acme/**'] },
        ],
        routes: [{ channel: 'kafka://acme/**', cluster: 'main', topic: '{path}.v1' }],
      }),
    })
    const ask = async () =>
      endpoint.ask({
        parameters: { grant_type: jwtBearer, assertion: await tokenFor('orders-api', { team: 'finance' }) },
      })
    expect(await ask()).toMatchObject(unavailable)
    await endpoint.prepare('svc.orders-api')
    expect((await ask()).status).toBe(200)
  })

  it('is the answer for a quarantined cluster', async () => {
    const { asClient } = await aTokenEndpoint({
      policy: tokenPolicy({ clusters: { main: aCluster({ quarantined: true }), other: aCluster() } }),
    })
    expect(await asClient()).toMatchObject({ ...unavailable, headers: { 'retry-after': '60' } })
  })

  it('is the answer before the first policy and without a signing key', async () => {
    const empty = await aTokenEndpoint({ policy: undefined }, false)
    expect(await empty.asClient()).toMatchObject({ ...unavailable, headers: { 'retry-after': '30' } })
    const keyless = await aTokenEndpoint({
      signingKeys: async () => {
        throw new SwitchboardError('unavailable', { reason: 'no signing key yet', retryAfterSeconds: 5 })
      },
    })
    expect(await keyless.asClient()).toMatchObject({ ...unavailable, headers: { 'retry-after': '5' } })
    expect(keyless.telemetry.lines).toMatchObject([
      { fields: { requestId: 'request-1', reason: 'no signing key yet' } },
    ])
  })

  it('is the answer while the store is throttled', async () => {
    const { asClient } = await aTokenEndpoint({
      leases: (real) => ({
        ...real,
        renew: async () => {
          throw Object.assign(new Error('slow down'), { name: 'ThrottlingException' })
        },
      }),
    })
    expect(await asClient()).toMatchObject({ ...unavailable, headers: { 'retry-after': '2' } })
  })
})

describe('around the endpoint', () => {
  it('every decision is audited with its grant type and cluster, and no secret is anywhere', async () => {
    const endpoint = await aTokenEndpoint()
    const allowed = await endpoint.ask({ parameters: { grant_type: jwtBearer, assertion } })
    await endpoint.asClient({ scope: 'kafka:other' })
    await endpoint.asClient({ client_secret: 's3cret' })
    expect(endpoint.telemetry.audits).toEqual([
      {
        event: 'token',
        requestId: 'request-1',
        outcome: 'allow',
        tokenHash: createHash('sha256').update(`Bearer ${assertion}`).digest('hex'),
        grantType: jwtBearer,
        principal: 'svc.orders-api',
        cluster: 'main',
        directory: expect.stringMatching(/^sha256:/),
        lease: expect.stringMatching(/^lease_/),
        expiresAt: '2026-11-21T13:00:00.000Z',
        limit: 'maximum',
      },
      expect.objectContaining({
        event: 'token',
        outcome: 'deny',
        rule: 2,
        reason: 'no_cluster',
        principal: 'legacy',
        cluster: 'other',
      }),
    ])
    expect(endpoint.telemetry.counted).toEqual(['TokenIssued', 'Resolved', 'Refused', 'Refused'])
    expect(endpoint.telemetry.lines).toMatchObject([
      { fields: { requestId: 'request-1', code: 'invalid_scope', reason: 'rule 2: no_cluster' } },
      { fields: { requestId: 'request-1', code: 'invalid_request' } },
    ])
    for (const secret of ['s3cret', basic, basic.slice(6), assertion, String(allowed.body.access_token)])
      expect(endpoint.telemetry.text()).not.toContain(secret)
  })

  it('another method is a problem that lists POST', async () => {
    const { request } = await aTokenEndpoint()
    expect(await request({ method: 'GET', path: '/v1/token' })).toMatchObject({
      status: 405,
      headers: { allow: 'POST', 'content-type': 'application/problem+json' },
    })
  })

  it.each(['oauth-authorization-server', 'openid-configuration'])('%s says what it takes', async (name) => {
    const { request } = await aTokenEndpoint()
    expect((await request({ method: 'GET', path: `/.well-known/${name}` })).body).toMatchObject({
      token_endpoint: `${issuerUrl}/v1/token`,
      grant_types_supported: ['client_credentials', jwtBearer],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    })
  })
})
