import { describe, expect, it } from 'vitest'
import { type Policy, policySchema } from '../../../shared/domain/policy.ts'
import type { LeaseStore } from '../../../shared/store/lease-store.ts'
import { aCluster, aPolicy, now, revoked } from '../../fixtures/policies.ts'
import { type Answer, aSwitchboard, issuerUrl, type SwitchboardOptions, tokenFor } from './a-switchboard.ts'

const created = 'kafka://acme/orders/created'
const shipped = 'kafka://acme/orders/shipped'
const report = 'kafka://globex/reports/daily'

/** `legacy` consumes and produces on two clusters; the profiles are named as the ancestor's were. */
const ancestorPolicy = (changes: Partial<Policy> = {}): Policy =>
  aPolicy({
    identities: [
      { issuer: 'https://login.acme.com', audience: 'switchboard', principal: 'svc.{sub}' },
      { client: 'legacy' },
    ],
    clusters: { main: aCluster(), other: aCluster({ bootstrap: 'kafka-2.acme.com:9093' }) },
    profiles: {
      durableWrite: { role: 'producer', properties: { acks: 'all', retries: 3 } },
      highThroughputConsumer: { role: 'consumer', properties: { 'fetch.min.bytes': 50_000, 'fetch.max.wait.ms': 100 } },
    },
    grants: [
      {
        principals: ['legacy', 'svc.orders-api'],
        produce: ['kafka://acme/**'],
        consume: ['kafka://acme/**', 'kafka://events/*', 'kafka://globex/**'],
      },
    ],
    routes: [
      { channel: 'kafka://events/{event}', cluster: 'main', topics: { paid: 'c0t3' } },
      { channel: 'kafka://acme/**', cluster: 'main', topic: 'acme.{**}' },
      { channel: 'kafka://globex/**', cluster: 'other', topic: 'globex.{**}' },
    ],
    ...changes,
  })

const basic = `Basic ${Buffer.from('legacy:s3cret').toString('base64')}`

/** As Python's `urlencode` writes it. */
const queryOf = (parameters: Readonly<Record<string, string>>): string => new URLSearchParams(parameters).toString()

const consuming = { config_profile: 'highThroughputConsumer' }
const producing = { config_profile: 'durableWrite' }

const countWrites =
  (counts: string[]) =>
  (real: LeaseStore): LeaseStore => ({
    ...real,
    keep: (...asked) => {
      counts.push('keep')
      return real.keep(...asked)
    },
    create: () => Promise.reject(new Error('a lease that would end')),
    renew: () => Promise.reject(new Error('a lease that would end')),
  })

const aGateway = async (options: SwitchboardOptions = {}, prepared = true) => {
  const writes: string[] = []
  const switchboard = await aSwitchboard({ policy: ancestorPolicy(), leases: countWrites(writes), ...options })
  switchboard.kafka.topics.add('c0t3')
  if (prepared)
    for (const principal of ['legacy', 'svc.orders-api'])
      for (const cluster of ['main', 'other']) await switchboard.prepare(principal, cluster)
  const ask = (
    query: Readonly<Record<string, string>> | string,
    headers: Readonly<Record<string, string>> = { authorization: basic },
  ): Promise<Answer> =>
    switchboard.request({
      method: 'GET',
      path: '/servicegw',
      query: typeof query === 'string' ? query : queryOf(query),
      headers,
    })
  return { ...switchboard, ask, writes }
}

/** What the ancestor's client makes of an answer, in its order. */
const merged = ({ body }: Answer): Record<string, unknown> => ({
  ...(body.connection as object),
  ...(body.credentials as object),
  ...(body.configuration as object),
})

const problemOf = ({ status, body }: Answer) => ({ status, code: body.code, errors: body.errors })
const denied = { status: 403, code: 'access_denied', errors: undefined }
const wrong = (pointer: string) => ({
  status: 400,
  code: 'invalid_intent',
  errors: [{ pointer, detail: expect.any(String) }],
})

describe('a client of the ancestor', () => {
  it('gets what it reads, in names that librdkafka has', async () => {
    const { ask } = await aGateway()

    const answer = await ask({ ...consuming, channel: created })
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' })
    expect(answer.body).toEqual({
      channel_mapping: { created: 'acme.orders.created' },
      connection: { 'bootstrap.servers': 'kafka-1.acme.com:9093' },
      configuration: {
        'client.id': 'legacy',
        'fetch.min.bytes': 50_000,
        'fetch.wait.max.ms': 100,
        'group.id': 'legacy',
      },
      credentials: {
        'security.protocol': 'SASL_SSL',
        'sasl.mechanisms': 'OAUTHBEARER',
        'sasl.oauthbearer.method': 'oidc',
        'sasl.oauthbearer.token.endpoint.url': `${issuerUrl}/v1/token`,
        'sasl.oauthbearer.scope': 'kafka:main',
        'sasl.oauthbearer.client.id': 'legacy',
        'sasl.oauthbearer.client.secret': 's3cret',
      },
    })
  })

  it('produces when the profile is one of producers, and gets no group', async () => {
    const { ask, telemetry } = await aGateway()

    const answer = await ask({ ...producing, channel: created })

    expect(answer.body.configuration).toEqual({ 'client.id': 'legacy', acks: 'all', retries: 3 })
    expect(telemetry.audits.at(-1)).toMatchObject({ outcome: 'allow', produce: [created], consume: [] })
  })

  it('gets the certificate authority of the cluster with what it logs in with', async () => {
    const ca = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
    const { ask } = await aGateway({
      policy: ancestorPolicy({ clusters: { main: aCluster({ ca }), other: aCluster() } }),
    })

    const { body } = await ask({ ...consuming, channel: created })

    expect(body.credentials).toMatchObject({ 'ssl.ca.pem': ca })
    expect(body.configuration).not.toHaveProperty('ssl.ca.pem')
  })

  it('may send whatever else it likes', async () => {
    const { ask } = await aGateway()
    const plain = await ask({ ...consuming, channel: created })

    const more = await ask({
      ...consuming,
      channel: created,
      'a.b': 'c',
      __proto__: 'x',
      'config_profile.env': 'prod',
      d: '',
    })

    expect(more.text).toBe(plain.text)
    expect(more.headers['lease-id']).toBe(plain.headers['lease-id'])
  })

  it.each([
    ['no profile', { channel: created }, '/config_profile'],
    ['no channel', consuming, '/channel'],
    ['a channel that is none', { ...consuming, channel: 'orders' }, '/channel'],
    ['a pattern', { ...consuming, channel: 'kafka://acme/orders/*' }, '/channel'],
    ['a profile that nobody made', { config_profile: 'fastRead', channel: created }, '/config_profile'],
    [
      'a name that no profile can have',
      { config_profile: 'a b', 'config_profile.type': 'consumer', channel: created },
      '/config_profile',
    ],
  ])('hears with %s which parameter is wrong', async (_, query, pointer) => {
    const { ask } = await aGateway()
    expect(problemOf(await ask(query))).toEqual(wrong(pointer))
  })

  it('hears with a token that this takes a client id, and with nothing or a wrong secret no more than anybody', async () => {
    const { ask } = await aGateway()
    const query = { ...consuming, channel: created }

    const bearer = await ask(query, { authorization: `Bearer ${await tokenFor('orders-api')}` })
    const strangers = await Promise.all([
      ask(query, {}),
      ask(query, { authorization: `Basic ${Buffer.from('legacy:wrong').toString('base64')}` }),
      ask('config_profile', { authorization: 'Basic !' }),
    ])

    expect(bearer).toMatchObject({ status: 400, body: { code: 'invalid_intent' } })
    expect(bearer.body.detail).toContain('client id')
    for (const answer of strangers)
      expect(problemOf(answer)).toEqual({ status: 401, code: 'unauthenticated', errors: undefined })
  })

  it('waits until its access is on the cluster', async () => {
    const { ask, prepare, messages } = await aGateway({}, false)

    const early = await ask({ ...consuming, channel: created })
    expect(problemOf(early)).toMatchObject({ status: 503, code: 'credential_not_ready' })
    expect(early.headers['retry-after']).toBe('2')
    expect(messages).toEqual([{ kind: 'access', cluster: 'main', principal: 'legacy' }])

    await prepare('legacy')
    expect((await ask({ ...consuming, channel: created })).status).toBe(200)
  })

  it('is told what there is by method and representation', async () => {
    const { ask, request } = await aGateway()
    const posted = await request({ path: '/servicegw', headers: { authorization: basic } })
    expect([posted.status, posted.headers.allow]).toEqual([405, 'GET'])
    const text = await ask({ ...consuming, channel: created }, { authorization: basic, accept: 'text/plain' })
    expect(text.status).toBe(406)
  })
})

describe('a defect of the ancestor that is none here:', () => {
  it('1. who is authenticated gets nothing that no grant allows, by action and by channel', async () => {
    const { ask } = await aGateway({
      policy: ancestorPolicy({ grants: [{ principals: ['legacy'], consume: ['kafka://acme/orders/**'] }] }),
    })

    expect((await ask({ ...consuming, channel: created })).status).toBe(200)
    expect(problemOf(await ask({ ...producing, channel: created }))).toEqual(denied)
    expect(problemOf(await ask({ ...consuming, channel: 'kafka://acme/payouts/settled' }))).toEqual(denied)
    expect(problemOf(await ask({ ...consuming, 'channel[0]': created, 'channel[1]': report }))).toEqual(denied)
  })

  it('2. channels of two clusters get no answer, and their order changes nothing', async () => {
    const { ask } = await aGateway()
    expect(problemOf(await ask({ ...consuming, 'channel[0]': created, 'channel[1]': report }))).toEqual(
      wrong('/channel'),
    )

    const one = await ask({ ...consuming, 'channel[0]': created, 'channel[1]': shipped })
    const two = await ask({ 'channel[1]': created, ...consuming, 'channel[0]': shipped })

    expect(one.body.channel_mapping).toEqual({ created: 'acme.orders.created', shipped: 'acme.orders.shipped' })
    expect(two.text).toBe(one.text)
    expect(two.headers['lease-id']).toBe(one.headers['lease-id'])
  })

  it('3. channels that would share a name in the answer get none', async () => {
    const { ask } = await aGateway()
    const query = { ...consuming, 'channel[0]': 'kafka://acme/a/orders', 'channel[1]': 'kafka://acme/b/orders' }
    expect(problemOf(await ask(query))).toEqual(wrong('/channel[1]'))
  })

  it('4. the type of a profile is read, and what a caller says of its environment moves nothing', async () => {
    const { ask } = await aGateway()
    const both = { config_profile: 'balanced', channel: created }

    expect(problemOf(await ask(both))).toEqual(wrong('/config_profile.type'))
    expect((await ask({ ...both, 'config_profile.type': 'consumer' })).body.configuration).toHaveProperty('group.id')
    expect((await ask({ ...both, 'config_profile.type': 'producer' })).body.configuration).toHaveProperty('acks')
    expect(problemOf(await ask({ ...both, 'config_profile.type': 'admin' }))).toEqual(wrong('/config_profile.type'))
    const crossed = { ...consuming, channel: created, 'config_profile.type': 'producer' }
    expect(problemOf(await ask(crossed))).toEqual(wrong('/config_profile'))

    const answers = await Promise.all(
      ['prod', 'dev'].map((env) => ask({ ...consuming, channel: created, 'kafka.env': env })),
    )
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
  })

  it('5. a channel that leads to no topic is a refusal, and never an answer with a hole', async () => {
    const { ask } = await aGateway()

    expect((await ask({ ...consuming, channel: 'kafka://events/paid' })).body.channel_mapping).toEqual({
      paid: 'c0t3',
    })
    const miss = await ask({ ...consuming, channel: 'kafka://events/lost' })
    expect(problemOf(miss)).toEqual(denied)
    const partly = { ...consuming, 'channel[0]': 'kafka://events/paid', 'channel[1]': 'kafka://events/lost' }
    expect(problemOf(await ask(partly))).toEqual(denied)
  })

  it('6. a profile that principals share gives each its own group', async () => {
    const { ask, apply, prepare, setTime } = await aGateway()
    const profiles = { highThroughputConsumer: { role: 'consumer' as const, properties: { 'group.id': 'everybody' } } }

    expect((await ask({ ...consuming, channel: created })).body.configuration).toMatchObject({ 'group.id': 'legacy' })

    const { error } = policySchema.safeParse(ancestorPolicy({ profiles }))
    expect(error?.issues.map(({ path }) => path.join('/'))).toEqual([
      'profiles/highThroughputConsumer/properties/group.id',
    ])
    // and were it in force all the same
    await apply(ancestorPolicy({ profiles }))
    await prepare('legacy')
    setTime(6)
    expect((await ask({ ...consuming, channel: created })).body.configuration).toMatchObject({ 'group.id': 'legacy' })
  })

  it('7. every value is what a client runs with, and none stands for something else', async () => {
    const { ask } = await aGateway()
    const settings = merged(await ask({ ...consuming, channel: created }))

    expect(Object.entries(settings).filter(([, value]) => String(value).includes('://'))).toEqual([
      ['sasl.oauthbearer.token.endpoint.url', `${issuerUrl}/v1/token`],
    ])
    expect(Object.values(settings).every((value) => ['string', 'number', 'boolean'].includes(typeof value))).toBe(true)
    expect(JSON.stringify(settings)).not.toMatch(/Secrets? Manager|\{vault|awssm|arn:/i)
  })

  it('8. no secret is logged, audited or stored, in any spelling', async () => {
    const { ask, telemetry, leases } = await aGateway()
    await ask({ ...consuming, channel: created })
    await ask({ ...consuming, channel: report, 'config_profile.type': 'nothing' })
    await ask({ ...producing, channel: report })

    const kept = telemetry.text() + JSON.stringify(await leases.list('legacy', now))

    expect(telemetry.audits.length).toBeGreaterThan(1)
    for (const spelling of ['s3cret', basic.slice('Basic '.length), Buffer.from('s3cret').toString('base64url')])
      expect(kept).not.toContain(spelling)
  })

  it('9. an answer has a tag, 304 says that it is still good, and a look-up that fails does not stop it', async () => {
    const { ask, directories, setTime } = await aGateway()
    const query = { ...consuming, channel: created }
    const first = await ask(query)
    const again = await ask(query, { authorization: basic, 'if-none-match': first.headers.etag ?? '' })
    expect(again).toMatchObject({ status: 304, text: '' })
    expect(again.headers).toMatchObject({ etag: first.headers.etag, 'lease-id': first.headers['lease-id'] })
    expect((await ask(query, { authorization: basic, 'if-none-match': '"other"' })).text).toBe(first.text)

    Object.assign(directories, { readPointer: () => Promise.reject(new Error('down')) })
    setTime(59)
    expect((await ask(query)).text).toBe(first.text)
    setTime(61)
    expect(problemOf(await ask(query))).toMatchObject({ status: 503, code: 'unavailable' })
  })

  it('10. a principal that is denied is refused at once, each answer has a lease, and every decision is audited', async () => {
    const { ask, apply, telemetry, leases, setTime } = await aGateway()
    const query = { ...consuming, channel: created }
    const first = await ask(query)
    const [lease] = await leases.list('legacy', now)
    expect(first.headers['lease-id']).toBe(lease?.id)
    expect(lease).toMatchObject({ instance: '/servicegw', clusters: ['main'], channels: [created], expiresAt: 'never' })

    await apply(ancestorPolicy(), [revoked('legacy')])
    setTime(6)
    expect(problemOf(await ask(query))).toEqual(denied)
    expect(telemetry.audits.map(({ outcome, reason, lease: id }) => [outcome, reason, id])).toEqual([
      ['allow', undefined, lease?.id],
      ['deny', 'principal_denied', undefined],
    ])
  })
})

describe('a client that polls', () => {
  const query = { ...consuming, channel: created }

  it('gets the same bytes and causes one write, for an hour', async () => {
    const { ask, writes, leases, setTime } = await aGateway()
    const answers = new Set<string>()
    const tags = new Set<string | undefined>()
    for (let second = 0; second <= 3600; second += 40) {
      setTime(second)
      const answer = await ask(query)
      answers.add(`${answer.status} ${answer.text}`)
      tags.add(answer.headers.etag)
    }

    expect([answers.size, tags.size]).toEqual([1, 1])
    // looked at again every 5 minutes, which changes nothing
    expect(writes.length).toBeLessThanOrEqual(13)
    expect((await leases.list('legacy', now)).map(({ issuedAt }) => issuedAt)).toEqual([now])
  })

  it('makes one request to the lease store in a minute', async () => {
    const { ask, writes, setTime } = await aGateway()
    for (let second = 0; second < 60; second++) {
      setTime(second)
      await ask(query)
    }
    expect(writes).toEqual(['keep'])
  })

  it('is looked at again when the clock was set back, instead of being believed for longer', async () => {
    const { ask, writes, setTime } = await aGateway()
    setTime(4000)
    await ask(query)
    setTime(3000)
    await ask(query)
    expect(writes).toEqual(['keep', 'keep'])
  })

  it('shares its lease with every instance of the function, and of the service', async () => {
    const first = await aGateway()
    await first.ask(query)
    const [held] = await first.leases.list('legacy', now)
    const second = await aGateway({ leases: () => first.leases })

    second.setTime(100)
    await second.ask(query)

    expect(await first.leases.list('legacy', now)).toEqual([held])
  })

  it('goes on with its next secret, and what is on record knows neither', async () => {
    const { ask, leases, writes } = await aGateway()
    const first = await ask(query)
    const [before] = await leases.list('legacy', now)

    const next = await ask(query, { authorization: `Basic ${Buffer.from('legacy:n3xt').toString('base64')}` })

    expect(next.body.credentials).toEqual({
      ...(first.body.credentials as object),
      'sasl.oauthbearer.client.secret': 'n3xt',
    })
    expect(next.headers.etag).not.toBe(first.headers.etag)
    expect(next.headers['lease-id']).toBe(first.headers['lease-id'])
    expect(writes).toEqual(['keep'])
    expect(await leases.list('legacy', now)).toEqual([before])
  })

  it('has a lease for each action, profile and set of channels', async () => {
    const { ask, leases } = await aGateway()
    const balanced = { config_profile: 'balanced', 'config_profile.type': 'consumer' }
    const queries = [
      query,
      { ...producing, channel: created },
      { ...balanced, channel: created },
      { ...consuming, channel: shipped },
      { ...consuming, 'channel[0]': shipped, 'channel[1]': created },
    ]
    const ids = (await Promise.all(queries.map((each) => ask(each)))).map(({ headers }) => headers['lease-id'])

    expect(new Set(ids).size).toBe(5)
    expect((await leases.list('legacy', now)).map(({ id }) => id).sort()).toEqual([...ids].sort())
  })

  it('is on record where it was moved to, since when it was first', async () => {
    const { ask, apply, prepare, leases, writes, setTime } = await aGateway()
    const before = await ask(query)
    await apply(ancestorPolicy({ routes: [{ channel: 'kafka://acme/**', cluster: 'other', topic: 'v2.{**}' }] }))
    setTime(6)
    expect(problemOf(await ask(query))).toMatchObject({ status: 503, code: 'credential_not_ready' })
    await prepare('legacy', 'other')

    const after = await ask(query)
    await ask(query)

    expect(after.body.channel_mapping).toEqual({ created: 'v2.orders.created' })
    expect(after.headers.etag).not.toBe(before.headers.etag)
    expect(after.headers['lease-id']).toBe(before.headers['lease-id'])
    expect(writes).toEqual(['keep', 'keep'])
    expect(await leases.list('legacy', now)).toMatchObject([{ clusters: ['other'], issuedAt: now, expiresAt: 'never' }])
  })

  it('is on record under the policy it last asked under', async () => {
    const { ask, apply, leases, setTime, prepare } = await aGateway()
    await ask(query)
    const [before] = await leases.list('legacy', now)
    const policy = ancestorPolicy()
    await apply({ ...policy, grants: [...policy.grants, { principals: ['billing'], consume: ['kafka://acme/**'] }] })
    await prepare('legacy')
    setTime(6)
    await ask(query)

    const [after] = await leases.list('legacy', now)
    expect(after?.directory).not.toBe(before?.directory)
    expect({ ...after, directory: '' }).toEqual({ ...before, directory: '' })
  })

  it('is refused at once when its grant is taken away or ends', async () => {
    const { ask, apply, setTime } = await aGateway()
    expect((await ask(query)).status).toBe(200)
    await apply(ancestorPolicy({ grants: [] }))
    setTime(6)
    expect(problemOf(await ask(query))).toEqual(denied)
  })

  it('has a lease that ends with the grant, where the grant ends', async () => {
    const grant = { principals: ['legacy'], consume: ['kafka://acme/orders/created'] }
    const { ask, leases, setTime } = await aGateway({
      policy: ancestorPolicy({
        grants: [
          { ...grant, until: '2026-11-21T12:30:00Z' },
          { ...grant, consume: [shipped], until: '2026-11-21T12:10:00Z' },
        ],
      }),
    })
    await ask(query)
    expect(await leases.list('legacy', now)).toMatchObject([{ expiresAt: new Date('2026-11-21T12:30:00Z') }])

    await ask({ ...consuming, 'channel[0]': created, 'channel[1]': shipped })
    expect((await leases.list('legacy', now)).map(({ expiresAt }) => expiresAt)).toContainEqual(
      new Date('2026-11-21T12:10:00Z'),
    )
    setTime(1800)
    expect(problemOf(await ask(query))).toEqual(denied)
    expect(await leases.list('legacy', new Date('2026-11-21T12:30:00Z'))).toEqual([])
  })

  it('is counted among the leases that its principal may hold', async () => {
    const { ask } = await aGateway({ policy: ancestorPolicy({ limits: { leasesPerPrincipal: 2 } }) })
    for (const name of ['a', 'b'])
      expect((await ask({ ...consuming, channel: `kafka://acme/${name}` })).status).toBe(200)

    const third = await ask({ ...consuming, channel: 'kafka://acme/c' })
    expect(problemOf(third)).toMatchObject({ status: 429, code: 'rate_limited' })
    expect((await ask({ ...consuming, channel: 'kafka://acme/a' })).status).toBe(200)
  })

  it('ends its lease by itself, and has it again when it asks on', async () => {
    const { ask, request, leases, setTime } = await aGateway()
    const { headers } = await ask(query)
    const release = () =>
      request({ method: 'DELETE', path: `/v1/leases/${headers['lease-id']}`, headers: { authorization: basic } })

    expect((await release()).status).toBe(204)
    expect(await leases.list('legacy', now)).toEqual([])
    expect((await release()).status).toBe(404)

    setTime(300)
    await ask(query)
    expect(await leases.list('legacy', now)).toMatchObject([{ id: headers['lease-id'] }])
  })

  it('gets nothing while its lease cannot be stored', async () => {
    const { ask } = await aGateway({ leases: (real) => ({ ...real, keep: () => Promise.reject(new Error('down')) }) })
    const answer = await ask(query)
    expect(answer.status).toBe(500)
    expect(answer.text).not.toContain('s3cret')
  })
})
