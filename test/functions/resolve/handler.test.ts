import { createHash } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { aCluster, aPolicy, now, revoked } from '../../fixtures/policies.ts'
import { type Answer, aSwitchboard, created, issuerUrl, ordersPolicy, tokenFor } from './a-switchboard.ts'

type Connection = {
  readonly cluster: unknown
  readonly topics: unknown
  readonly credential: { readonly kind: string; readonly token: string; readonly expiresAt: string }
}
const connectionsOf = (answer: Answer) => answer.body.connections as readonly Connection[]
const leaseOf = (answer: Answer) => answer.body.lease as Record<'id' | 'refreshAfter' | 'expiresAt', string>
const code = ({ status, body }: Answer) => ({ status, code: body.code })

/** A problem without what names the request. */
const wire = ({ status, headers, text }: Answer) => ({ status, headers, text })

const aReadySwitchboard = async (options: Parameters<typeof aSwitchboard>[0] = {}) => {
  const switchboard = await aSwitchboard(options)
  await switchboard.prepare('orders-api')
  return switchboard
}

describe('an allowed intent', () => {
  it('is answered with a lease, the topics, the settings and a credential, and with nothing else', async () => {
    const { resolve } = await aReadySwitchboard()
    const answer = await resolve({ produce: [created], consume: ['kafka://acme/orders/**'], group: 'orders-1' })
    expect(answer.status).toBe(200)
    const { token } = connectionsOf(answer)[0]?.credential ?? { token: '' }
    expect(answer.body).toEqual({
      lease: {
        id: expect.stringMatching(/^lease_[0-9a-f]{32}$/),
        refreshAfter: '2026-11-21T12:15:00.000Z',
        expiresAt: '2026-11-21T12:30:00.000Z',
      },
      connections: [
        {
          cluster: { name: 'main', provider: 'kafka' },
          topics: { [created]: 'orders.created' },
          patterns: { 'kafka://acme/orders/**': '^orders\\..+$' },
          properties: {
            'bootstrap.servers': 'kafka-1.acme.com:9093',
            'security.protocol': 'SASL_SSL',
            'sasl.mechanism': 'OAUTHBEARER',
            'client.id': 'orders-api',
          },
          producer: {
            acks: 'all',
            'enable.idempotence': true,
            'compression.type': 'none',
            'linger.ms': 5,
            'client.dns.lookup': 'use_all_dns_ips',
            'metadata.recovery.strategy': 'rebootstrap',
          },
          consumer: {
            'auto.offset.reset': 'earliest',
            'enable.auto.commit': false,
            'isolation.level': 'read_committed',
            'client.dns.lookup': 'use_all_dns_ips',
            'metadata.recovery.strategy': 'rebootstrap',
            'group.id': 'orders-1',
          },
          credential: { kind: 'jwt', token, expiresAt: '2026-11-21T12:30:00.000Z' },
        },
      ],
      directory: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    })
  })

  it('is never cached', async () => {
    const { resolve } = await aReadySwitchboard()
    const { headers } = await resolve({ produce: [created] })
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'application/json',
      'x-request-id': 'request-1',
    })
    expect(headers.etag).toMatch(/^"[A-Za-z0-9_-]{22}"$/)
  })

  it('comes with a token that the published keys verify: ours, for that cluster, for that user, no longer than the lease', async () => {
    const { resolve, keys } = await aReadySwitchboard()
    const answer = await resolve({ produce: [created] })
    const token = connectionsOf(answer)[0]?.credential.token ?? ''
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet({ keys: [...keys.published] }), {
      currentDate: now,
    })
    expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'JWT', kid: keys.active.kid })
    expect(payload).toEqual({
      iss: issuerUrl,
      sub: 'sb.orders-api',
      aud: `${issuerUrl}/clusters/main`,
      iat: now.getTime() / 1000,
      exp: now.getTime() / 1000 + 1800,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      lease: leaseOf(answer).id,
    })
  })

  it('gives only the roles that were asked for', async () => {
    const { resolve } = await aReadySwitchboard()
    const answer = await resolve({ produce: [created] })
    expect(connectionsOf(answer)[0]).not.toHaveProperty('consumer')
    expect(connectionsOf(answer)[0]).not.toHaveProperty('patterns')
  })

  it('gives the certificate of a private authority with an encrypted listener', async () => {
    const ca = '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n'
    const { resolve } = await aReadySwitchboard({ policy: { ...ordersPolicy, clusters: { main: aCluster({ ca }) } } })
    expect(connectionsOf(await resolve({ produce: [created] }))[0]).toMatchObject({
      properties: { 'ssl.truststore.type': 'PEM', 'ssl.truststore.certificates': ca },
    })
  })

  it('gives one connection and one token a cluster, which are never merged', async () => {
    const policy = aPolicy({
      clusters: { main: aCluster(), other: aCluster({ bootstrap: 'other:9093' }) },
      grants: [{ principals: ['orders-api'], produce: ['kafka://acme/**'] }],
      routes: [
        { channel: 'kafka://acme/orders/**', cluster: 'main', topic: '{path}' },
        { channel: 'kafka://acme/reports/**', cluster: 'other', topic: '{path}' },
      ],
    })
    const { resolve, prepare } = await aReadySwitchboard({ policy })
    await prepare('orders-api', 'other')
    const answer = await resolve({ produce: [created, 'kafka://acme/reports/daily'] })
    expect(connectionsOf(answer).map(({ cluster, topics }) => [cluster, topics])).toEqual([
      [{ name: 'main', provider: 'kafka' }, { [created]: 'orders.created' }],
      [{ name: 'other', provider: 'kafka' }, { 'kafka://acme/reports/daily': 'reports.daily' }],
    ])
    const audiences = connectionsOf(answer).map(
      ({ credential }) => JSON.parse(Buffer.from(credential.token.split('.')[1] ?? '', 'base64url').toString()).aud,
    )
    expect(audiences).toEqual([`${issuerUrl}/clusters/main`, `${issuerUrl}/clusters/other`])
  })
})

describe('leases', () => {
  it('are stored before anything is handed out', async () => {
    const { resolve, leases } = await aReadySwitchboard()
    const answer = await resolve({ produce: [created], client: { instance: 'pod-1' } })
    expect(await leases.list('orders-api', now)).toEqual([
      expect.objectContaining({
        id: leaseOf(answer).id,
        principal: 'orders-api',
        instance: 'pod-1',
        clusters: ['main'],
        channels: [created],
        directory: answer.body.directory,
        expiresAt: new Date(leaseOf(answer).expiresAt),
      }),
    ])
  })

  it.each(['create', 'renew'] as const)('hand out nothing when the store fails to %s', async (call) => {
    const lost = 'the table leases-7 of 111122223333 is gone'
    const { resolve, telemetry } = await aReadySwitchboard({
      leases: (real) => ({
        ...real,
        [call]: async () => {
          throw new Error(lost)
        },
      }),
    })
    const lease = call === 'renew' ? { lease: `lease_${'0'.repeat(32)}` } : {}
    const answer = await resolve({ produce: [created], ...lease })
    expect(code(answer)).toEqual({ status: 500, code: 'internal' })
    expect(answer.text).not.toMatch(/leases-7|111122223333|eyJ/)
    expect(telemetry.text()).toContain(lost)
  })

  it('are the same for an instance that restarts with the same intent, and random without an instance', async () => {
    const { resolve } = await aReadySwitchboard()
    const body = { produce: [created], client: { instance: 'pod-1' } }
    expect(leaseOf(await resolve(body)).id).toBe(leaseOf(await resolve(body)).id)
    expect(leaseOf(await resolve({ produce: [created] })).id).not.toBe(
      leaseOf(await resolve({ produce: [created] })).id,
    )
  })

  it('renew with 304 and no body when nothing changed and the credential lives past the next refresh', async () => {
    const { resolve, setTime, leases } = await aReadySwitchboard()
    const first = await resolve({ produce: [created] })
    const lease = leaseOf(first).id
    setTime(300)
    const again = await resolve(
      { produce: [created], lease },
      { headers: { 'if-none-match': first.headers.etag ?? '' } },
    )
    expect(again).toMatchObject({ status: 304, text: '' })
    expect(again.headers).toMatchObject({
      'cache-control': 'no-store',
      etag: first.headers.etag,
      'lease-expires-at': '2026-11-21T12:35:00.000Z',
    })
    expect((await leases.list('orders-api', now))[0]?.expiresAt).toEqual(new Date('2026-11-21T12:35:00.000Z'))
  })

  it('renew with a new token when the old one would end before the next refresh', async () => {
    const { resolve, setTime } = await aReadySwitchboard()
    const first = await resolve({ produce: [created] })
    setTime(900)
    const again = await resolve(
      { produce: [created], lease: leaseOf(first).id },
      { headers: { 'if-none-match': first.headers.etag ?? '' } },
    )
    expect(again.status).toBe(200)
    expect(connectionsOf(again)[0]?.credential.token).not.toBe(connectionsOf(first)[0]?.credential.token)
  })

  it('do not renew with 304 once the grant is gone', async () => {
    const { resolve, apply, setTime } = await aReadySwitchboard()
    const first = await resolve({ produce: [created] })
    await apply(aPolicy())
    setTime(60)
    const again = await resolve(
      { produce: [created], lease: leaseOf(first).id },
      { headers: { 'if-none-match': first.headers.etag ?? '' } },
    )
    expect(code(again)).toEqual({ status: 403, code: 'access_denied' })
  })

  it('of somebody else, ended, released and absent are the same 404', async () => {
    const { resolve, request, setTime } = await aReadySwitchboard()
    const mine = leaseOf(await resolve({ produce: [created] })).id
    const released = leaseOf(await resolve({ produce: [created], client: { instance: 'a' } })).id
    const authorization = `Bearer ${await tokenFor('orders-api')}`
    const release = { method: 'DELETE', path: `/v1/leases/${released}`, headers: { authorization } }
    expect((await request(release)).status).toBe(204)
    const answers = [
      await request(release),
      await resolve({ produce: [created], lease: released }),
      await resolve({ produce: [created], lease: `lease_${'0'.repeat(32)}` }),
      await request({
        ...release,
        path: `/v1/leases/${mine}`,
        headers: { authorization: `Bearer ${await tokenFor('x')}` },
      }),
      await request({ ...release, path: '/v1/leases/anything' }),
    ]
    setTime(3600)
    answers.push(await resolve({ produce: [created], lease: mine }))
    expect(code(answers[0] as Answer)).toEqual({ status: 404, code: 'not_found' })
    expect(new Set(answers.map((answer) => JSON.stringify(wire(answer)))).size).toBe(1)
  })

  it('are capped for each principal, and a restart of a known instance is not one more', async () => {
    const { resolve } = await aReadySwitchboard({ policy: { ...ordersPolicy, limits: { leasesPerPrincipal: 2 } } })
    const body = (instance: string) => ({ produce: [created], client: { instance } })
    expect((await resolve(body('a'))).status).toBe(200)
    expect((await resolve(body('b'))).status).toBe(200)
    const capped = await resolve(body('c'))
    expect(code(capped)).toEqual({ status: 429, code: 'rate_limited' })
    expect(capped.headers['retry-after']).toBe('60')
    expect((await resolve(body('a'))).status).toBe(200)
  })
})

describe('a refusal', () => {
  it('is the same for an unknown channel, no grant, the wrong action, an unknown group and a denied principal', async () => {
    const { resolve, apply, setTime } = await aReadySwitchboard({
      policy: {
        ...ordersPolicy,
        grants: [
          { principals: ['orders-api'], consume: ['kafka://acme/orders/**', 'kafka://acme/a.b', 'kafka://beta/x'] },
        ],
      },
    })
    const answers = [
      await resolve({ produce: ['kafka://nowhere/x'] }),
      await resolve({ consume: ['kafka://acme/payouts/settled'] }),
      await resolve({ produce: [created] }),
      await resolve({ consume: [created], group: 'somebody-else' }),
      await resolve({ consume: ['kafka://beta/x'] }),
      await resolve({ consume: ['kafka://acme/a.b'] }),
      await resolve({ consume: [created] }, { as: 'intruder' }),
    ]
    await apply(ordersPolicy, [revoked('orders-api')])
    setTime(10)
    answers.push(await resolve({ consume: [created] }))
    await apply(ordersPolicy, [revoked('orders-api', 'main')])
    setTime(20)
    answers.push(await resolve({ consume: [created] }))
    expect(code(answers[0] as Answer)).toEqual({ status: 403, code: 'access_denied' })
    expect(new Set(answers.map((answer) => JSON.stringify(wire(answer)))).size).toBe(1)
  })

  it('comes while somebody is revoked, and access that was taken away meanwhile is waited for after a restore', async () => {
    const { resolve, apply, setTime, prepare } = await aReadySwitchboard()
    expect((await resolve({ produce: [created] })).status).toBe(200)
    await apply(ordersPolicy, [revoked('orders-api')])
    await prepare('orders-api')
    setTime(10)
    expect(code(await resolve({ produce: [created] }))).toEqual({ status: 403, code: 'access_denied' })

    await apply(ordersPolicy)
    setTime(20)

    expect(code(await resolve({ produce: [created] }))).toEqual({ status: 503, code: 'credential_not_ready' })
    await prepare('orders-api')
    expect((await resolve({ produce: [created] })).status).toBe(200)
  })

  it('names no route, cluster or grant', async () => {
    const { resolve } = await aReadySwitchboard()
    const { text, headers } = await resolve({ consume: ['kafka://acme/payouts/settled'] })
    expect(text.replace('blob/main', '')).not.toMatch(/main|kafka-1|payouts|rule|grants?\[/)
    expect(headers['cache-control']).toBe('no-store')
  })

  it('points to each wrong field of the intent', async () => {
    const { resolve } = await aReadySwitchboard()
    const answer = await resolve({ produce: ['orders'], colour: 1 })
    expect(answer.body).toMatchObject({ status: 400, code: 'invalid_intent', retryable: false })
    expect(answer.body.errors).toContainEqual({ pointer: '/produce/0', detail: expect.any(String) })
  })

  it('says when to come back while a cluster is quarantined', async () => {
    const { resolve } = await aReadySwitchboard({
      policy: { ...ordersPolicy, clusters: { main: aCluster({ quarantined: true }) } },
    })
    const answer = await resolve({ produce: [created] })
    expect(code(answer)).toEqual({ status: 503, code: 'unavailable' })
    expect(answer.headers['retry-after']).toBe('60')
  })

  it('is 503 before a policy was applied, and while there is no signing key', async () => {
    expect(code(await (await aSwitchboard({ policy: undefined })).resolve({ produce: [created] }))).toEqual({
      status: 503,
      code: 'unavailable',
    })
  })
})

describe('at first sight', () => {
  const finance = { as: 'billing', claims: { team: 'finance' } }

  it('a principal gets 503 with Retry-After and one message is queued, however often it asks', async () => {
    const { resolve, messages, setTime, leases } = await aSwitchboard()
    for (const after of [0, 2, 4, 6, 8]) {
      setTime(after)
      const answer = await resolve({ consume: [created] }, finance)
      expect(code(answer)).toEqual({ status: 503, code: 'credential_not_ready' })
      expect(answer.headers['retry-after']).toBe('2')
      expect(answer.body.retryable).toBe(true)
    }
    expect(messages).toEqual([{ kind: 'access', cluster: 'main', principal: 'billing' }])
    expect(await leases.list('billing', now)).toEqual([])
  })

  it('another message is queued when the first seems lost', async () => {
    const { resolve, messages, setTime } = await aSwitchboard()
    await resolve({ consume: [created] }, finance)
    setTime(10)
    await resolve({ consume: [created] }, finance)
    expect(messages).toHaveLength(2)
  })

  it('the same request works once rotate has prepared the access', async () => {
    const { resolve, prepare } = await aSwitchboard()
    await resolve({ consume: [created] }, finance)
    await prepare('billing')
    expect((await resolve({ consume: [created] }, finance)).status).toBe(200)
  })

  it('nothing is handed out when a part of the access is missing', async () => {
    const policy = aPolicy({
      clusters: { main: aCluster(), other: aCluster() },
      grants: [{ principals: ['orders-api'], produce: ['kafka://acme/**'] }],
      routes: [
        { channel: 'kafka://acme/orders/**', cluster: 'main', topic: '{path}' },
        { channel: 'kafka://acme/reports/**', cluster: 'other', topic: '{path}' },
      ],
    })
    const { resolve, messages } = await aReadySwitchboard({ policy })
    const answer = await resolve({ produce: [created, 'kafka://acme/reports/daily'] })
    expect(code(answer)).toEqual({ status: 503, code: 'credential_not_ready' })
    expect(messages).toEqual([{ kind: 'access', cluster: 'other', principal: 'orders-api' }])
  })

  it('a message that cannot be queued is an error that says nothing, and the next request tries again', async () => {
    let failing = true
    const sent: unknown[] = []
    const { resolve, setTime } = await aSwitchboard({
      send: async (message) => {
        if (failing) throw new Error('https://sqs.eu-west-1.amazonaws.com/111122223333/access.fifo')
        sent.push(message)
      },
    })
    const answer = await resolve({ consume: [created] }, finance)
    expect(code(answer)).toEqual({ status: 500, code: 'internal' })
    expect(answer.text).not.toContain('sqs')
    failing = false
    setTime(10)
    expect(code(await resolve({ consume: [created] }, finance)).code).toBe('credential_not_ready')
    expect(sent).toHaveLength(1)
  })
})

describe('audit', () => {
  const tokenHash = async (name: string) =>
    createHash('sha256')
      .update(`Bearer ${await tokenFor(name)}`)
      .digest('hex')

  it('has one event for an allowance, with a hash of the token and no token', async () => {
    const { resolve, telemetry } = await aReadySwitchboard()
    const answer = await resolve({ produce: [created] })
    expect(telemetry.audits).toEqual([
      {
        event: 'decision',
        requestId: 'request-1',
        tokenHash: expect.stringMatching(/^[0-9a-f]{64}$/),
        principal: 'orders-api',
        produce: [created],
        consume: [],
        directory: answer.body.directory,
        outcome: 'allow',
        lease: leaseOf(answer).id,
        expiresAt: '2026-11-21T12:30:00.000Z',
        limit: 'grants[0].maxLease',
      },
    ])
    expect(telemetry.text()).not.toContain('eyJ')
  })

  it('has one event for a denial, with the rule and the true reason', async () => {
    const { resolve, telemetry } = await aReadySwitchboard()
    await resolve({ produce: ['kafka://acme/payouts/settled'] })
    expect(telemetry.audits).toEqual([
      expect.objectContaining({
        event: 'decision',
        outcome: 'deny',
        rule: 2,
        reason: 'no_grant',
        principal: 'orders-api',
      }),
    ])
    expect(telemetry.text()).not.toContain('eyJ')
  })

  it('has one event for a caller that proves nothing, with the true reason', async () => {
    const { request, telemetry } = await aReadySwitchboard()
    const answer = await request({ headers: { authorization: 'Bearer a.b.c' } })
    expect(code(answer)).toEqual({ status: 401, code: 'unauthenticated' })
    expect(telemetry.audits).toEqual([
      expect.objectContaining({ event: 'authentication', outcome: 'deny', reason: expect.any(String) }),
    ])
  })

  it('tells tokens apart by their hash', async () => {
    expect(await tokenHash('a')).not.toBe(await tokenHash('b'))
  })
})

describe('who asks', () => {
  it('is unknown without a header, with a scheme of its own, and with a token of ours: the same 401', async () => {
    const { request, resolve } = await aReadySwitchboard()
    const ours = connectionsOf(await resolve({ produce: [created] }))[0]?.credential.token
    const headers = [
      undefined,
      'Digest x',
      'Bearer',
      'Bearer x',
      'Basic !!',
      'Basic bGVnYWN5Ondyb25n',
      `Bearer ${ours}`,
    ]
    const answers = await Promise.all(
      headers.map((authorization) =>
        request({ headers: authorization === undefined ? {} : { authorization }, body: { produce: [created] } }),
      ),
    )
    expect(code(answers[0] as Answer)).toEqual({ status: 401, code: 'unauthenticated' })
    expect(answers[0]?.headers['www-authenticate']).toMatch(/^Bearer /)
    expect(new Set(answers.map((answer) => JSON.stringify(wire(answer)))).size).toBe(1)
  })

  it('is asked before the intent is read, so that a stranger learns nothing about it', async () => {
    const { request } = await aReadySwitchboard()
    expect(code(await request({ body: 'no json' })).status).toBe(401)
  })

  it('is a client by its secret, where the policy has it', async () => {
    const policy = aPolicy({
      identities: [...ordersPolicy.identities, { client: 'legacy' }],
      grants: [{ principals: ['legacy'], produce: ['kafka://acme/orders/**'] }],
    })
    const { request, prepare, telemetry } = await aSwitchboard({ policy })
    await prepare('legacy')
    const authorization = `Basic ${Buffer.from('legacy:s3cret').toString('base64')}`
    const answer = await request({
      headers: { authorization, 'content-type': 'application/json' },
      body: { produce: [created] },
    })
    expect(answer.status).toBe(200)
    expect(telemetry.text() + answer.text).not.toContain('s3cret')
  })

  it('is a role of AWS only where the authorizer of the API says so', async () => {
    const policy = aPolicy({
      identities: [
        ...ordersPolicy.identities,
        { awsRole: 'arn:aws:iam::111122223333:role/svc-*', principal: 'aws.{roleName}' },
      ],
      grants: [{ principals: ['aws.svc-orders'], produce: ['kafka://acme/orders/**'] }],
    })
    const { request, prepare } = await aSwitchboard({ policy })
    await prepare('aws.svc-orders')
    const ask = {
      path: '/v1/aws/resolve',
      headers: { 'content-type': 'application/json', authorization: 'AWS4-HMAC-SHA256 Credential=x' },
      body: { produce: [created] },
    }
    const roleArn = 'arn:aws:sts::111122223333:assumed-role/svc-orders/i-0a1b'
    expect((await request({ ...ask, roleArn })).status).toBe(200)
    expect(code(await request(ask))).toEqual({ status: 401, code: 'unauthenticated' })
    expect(code(await request({ ...ask, roleArn, path: '/v1/resolve' }))).toEqual({
      status: 401,
      code: 'unauthenticated',
    })
    const other = 'arn:aws:sts::999988887777:assumed-role/svc-orders/i-0a1b'
    expect(code(await request({ ...ask, roleArn: other }))).toEqual({ status: 401, code: 'unauthenticated' })
  })
})

describe('the edge', () => {
  it.each(['/', '/v1', '/v1/resolve/', '/v1/resolve/x', '/V1/RESOLVE', '/constructor', '/__proto__', '/v1/leases', ''])(
    'has nothing at %j',
    async (path) => {
      const { request } = await aReadySwitchboard()
      expect(code(await request({ path }))).toEqual({ status: 404, code: 'not_found' })
    },
  )

  it.each([
    ['GET', '/v1/resolve', 'POST'],
    ['OPTIONS', '/v1/resolve', 'POST'],
    ['HEAD', '/v1/health', 'GET'],
    ['constructor', '/v1/health', 'GET'],
    ['POST', '/.well-known/jwks.json', 'GET'],
    ['GET', '/v1/leases/lease_0', 'DELETE'],
  ])('has no %s at %s', async (method, path, allow) => {
    const { request } = await aReadySwitchboard()
    const answer = await request({ method, path })
    expect(code(answer)).toEqual({ status: 405, code: 'method_not_allowed' })
    expect(answer.headers.allow).toBe(allow)
  })

  it('answers JSON to who takes it, and 406 to who does not', async () => {
    const { resolve } = await aReadySwitchboard()
    for (const accept of ['*/*', 'application/json', 'text/html, application/json;q=0.5', 'application/*'])
      expect((await resolve({ produce: [created] }, { headers: { accept } })).status).toBe(200)
    for (const accept of ['text/html', 'application/xml', ''])
      expect(code(await resolve({ produce: [created] }, { headers: { accept } }))).toEqual({
        status: 406,
        code: 'not_acceptable',
      })
  })

  it('reads JSON alone, of at most 64 KB, also in base64', async () => {
    const { resolve, request } = await aReadySwitchboard()
    expect(code(await resolve({ produce: [created] }, { headers: { 'content-type': 'text/plain' } }))).toEqual({
      status: 415,
      code: 'unsupported_media_type',
    })
    expect(code(await resolve(`"${'x'.repeat(65_536)}"`))).toEqual({ status: 413, code: 'payload_too_large' })
    expect(code(await resolve('{'))).toEqual({ status: 400, code: 'invalid_intent' })
    const headers = {
      authorization: `Bearer ${await tokenFor('orders-api')}`,
      'content-type': 'application/json; charset=utf-8',
    }
    const body = Buffer.from(JSON.stringify({ produce: [created] })).toString('base64')
    expect((await request({ headers, body, base64: true })).status).toBe(200)
  })

  it('publishes its keys without the private part, and caches may keep them for a minute', async () => {
    const { request, keys } = await aReadySwitchboard()
    const { status, headers, body, text } = await request({ method: 'GET', path: '/.well-known/jwks.json' })
    expect(status).toBe(200)
    expect(body).toEqual({ keys: keys.published })
    expect(text).not.toContain('"d"')
    expect(headers['cache-control']).toBe('public, max-age=60')
  })

  it.each(['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'])(
    'says at %s where the keys of its issuer are',
    async (path) => {
      const { request } = await aReadySwitchboard()
      const { body } = await request({ method: 'GET', path })
      expect(body).toMatchObject({ issuer: issuerUrl, jwks_uri: `${issuerUrl}/.well-known/jwks.json` })
    },
  )

  it('is healthy with a directory and a key, and says why not without', async () => {
    const healthy = await aReadySwitchboard()
    expect(await healthy.request({ method: 'GET', path: '/v1/health' })).toMatchObject({
      status: 200,
      body: { status: 'ok', revision: 1 },
    })
    const empty = await aSwitchboard({ policy: undefined })
    expect((await empty.request({ method: 'GET', path: '/v1/health' })).status).toBe(503)
  })

  it('publishes keys before the first policy, for clusters boot with them', async () => {
    const { request } = await aSwitchboard({ policy: undefined })
    expect((await request({ method: 'GET', path: '/.well-known/jwks.json' })).status).toBe(200)
  })

  it('tells nothing about an error that is not its own', async () => {
    const secret = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:keys password=hunter2'
    const { resolve, telemetry } = await aReadySwitchboard({
      signingKeys: async () => {
        throw new TypeError(secret)
      },
    })
    const answer = await resolve({ produce: [created] })
    expect(code(answer)).toEqual({ status: 500, code: 'internal' })
    expect(answer.body).not.toHaveProperty('detail')
    expect(answer.text + JSON.stringify(answer.headers)).not.toMatch(/hunter2|secretsmanager|TypeError/)
    expect(telemetry.counted).toContain('Failed')
  })
})
