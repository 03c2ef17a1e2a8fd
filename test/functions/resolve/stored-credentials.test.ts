import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Policy } from '../../../shared/domain/policy.ts'
import type { Credential } from '../../../shared/domain/rotation.ts'
import { SlotSecretError } from '../../../shared/secrets/slot-secrets.ts'
import { aCluster, aPolicy } from '../../fixtures/policies.ts'
import { aCredential, secretsOf } from '../../fixtures/stored-credentials.ts'
import { type Answer, aSwitchboard, created, type SwitchboardOptions } from './a-switchboard.ts'

const orders = { principals: ['orders-api', 'legacy'], produce: ['kafka://acme/**'], consume: ['kafka://acme/**'] }
const policy = aPolicy({
  identities: [{ issuer: 'https://login.acme.com', audience: 'switchboard' }, { client: 'legacy' }],
  clusters: { main: aCluster({ auth: ['scram'] }), other: aCluster({ bootstrap: 'other:9093' }) },
  grants: [orders],
  routes: [
    { channel: 'kafka://acme/orders/**', cluster: 'main', topic: '{path}' },
    { channel: 'kafka://acme/reports/**', cluster: 'other', topic: '{path}' },
  ],
})
const onA = aCredential({ a: {} })
const fromAToB = aCredential({ a: { state: 'draining' }, b: { generation: 2 } })
const onB = aCredential({ b: { generation: 2 } })

/** A Switchboard in front of a cluster of stored credentials, with whatever is said to be there. */
const aStore = async (credential?: Credential, options: SwitchboardOptions = {}) => {
  const switchboard = await aSwitchboard({ policy, ...options })
  const put = async (next: Credential, secrets = secretsOf(next)): Promise<void> => {
    const { cluster, principal } = next
    const version = (await switchboard.credentials.read(cluster, principal))?.version ?? 0
    await switchboard.credentials.write(version, next, undefined)
    switchboard.slotSecrets.set(`${cluster}/${principal}`, secrets)
  }
  for (const principal of ['orders-api', 'legacy'])
    for (const cluster of ['main', 'other']) await switchboard.prepare(principal, cluster)
  switchboard.messages.length = 0
  if (credential !== undefined) await put(credential)
  const leases = async (after = 0) => {
    const listed = await switchboard.leases.list(
      'orders-api',
      new Date(Date.parse('2026-11-21T12:00:00Z') + after * 1000),
    )
    return listed.map(({ slots }) => slots)
  }
  return { ...switchboard, put, leasesOf: leases }
}

const credentialsOf = ({ body }: Answer) =>
  (body.connections as readonly { readonly credential: Record<string, unknown> }[]).map(({ credential }) => credential)
const leaseOf = ({ body }: Answer): string => (body.lease as { readonly id: string }).id
const intent = { produce: [created], client: { instance: 'pod-1' } }

describe('a stored credential that the policy hands out as a reference', () => {
  const byReference = aPolicy({
    ...policy,
    clusters: { ...policy.clusters, main: aCluster({ auth: ['scram'], credential: 'reference' }) },
  })

  it('is where its password is, and nobody reads it', async () => {
    const { resolve, leasesOf, secretReads, secretLooks } = await aStore(onA, { policy: byReference })
    const answer = await resolve(intent)
    expect(credentialsOf(answer)).toEqual([
      {
        kind: 'reference',
        mechanism: 'SCRAM-SHA-512',
        arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:main/orders-api-AbCdEf',
        versionId: 'v1',
        username: 'sb.orders-api@a',
        slot: 'a',
      },
    ])
    expect(answer.text).not.toContain('password')
    expect(await leasesOf()).toEqual([{ main: [{ slot: 'a', generation: 1 }] }])
    await resolve({ ...intent, client: { instance: 'pod-2' } })
    expect([secretReads, secretLooks]).toEqual([[], ['main/orders-api']])
  })

  it('is renewed with 304 until there is another slot', async () => {
    const { resolve, put, setTime } = await aStore(onA, { policy: byReference })
    const first = await resolve(intent)
    const renewal = { ...intent, lease: leaseOf(first) }
    const ifNoneMatch = { headers: { 'if-none-match': first.headers.etag ?? '' } }
    expect((await resolve(renewal, ifNoneMatch)).status).toBe(304)
    await put(fromAToB)
    setTime(6)
    expect(credentialsOf(await resolve(renewal, ifNoneMatch))).toMatchObject([{ kind: 'reference', slot: 'b' }])
  })

  it('is another answer than the password, so that a change of the policy reaches who renews', async () => {
    const { resolve, apply, setTime } = await aStore(onA)
    const first = await resolve(intent)
    await apply(byReference)
    setTime(6)
    const headers = { 'if-none-match': first.headers.etag ?? '' }
    const second = await resolve({ ...intent, lease: leaseOf(first) }, { headers })
    expect(credentialsOf(second)).toMatchObject([{ kind: 'reference', slot: 'a' }])
  })

  it('is in no file, and the refusal says what to do', async () => {
    const { resolve, leasesOf } = await aStore(onA, { policy: byReference })
    for (const accept of ['text/x-java-properties', 'application/vnd.librdkafka+json']) {
      const { status, body } = await resolve(intent, { headers: { accept } })
      expect([status, body.code]).toEqual([400, 'invalid_intent'])
      expect(body.detail).toContain('`main`')
      expect(body.detail).toContain('`switchboard resolve`')
    }
    expect(await leasesOf()).toEqual([])
  })

  it('is on its way when its secret is gone', async () => {
    const { resolve, slotSecrets } = await aStore(onA, { policy: byReference })
    slotSecrets.clear()
    const answer = await resolve(intent)
    expect([answer.status, answer.body.code]).toEqual([503, 'credential_not_ready'])
  })
})

describe('a stored credential', () => {
  it('is handed out by value, with the mechanism in the settings and the slot on the lease', async () => {
    const { resolve, leasesOf } = await aStore(onA)
    const answer = await resolve(intent)
    expect(answer.status).toBe(200)
    expect(answer.body.connections).toMatchObject([
      {
        properties: { 'sasl.mechanism': 'SCRAM-SHA-512' },
        credential: {
          kind: 'scram',
          mechanism: 'SCRAM-SHA-512',
          username: 'sb.orders-api@a',
          password: 'password a1',
          slot: 'a',
        },
      },
    ])
    expect(await leasesOf()).toEqual([{ main: [{ slot: 'a', generation: 1 }] }])
  })

  it('is made at first sight: asked for once, and the caller comes back', async () => {
    const { resolve, credentials, messages, put, leasesOf } = await aStore()
    for (const _ of [1, 2]) {
      const answer = await resolve(intent)
      expect([answer.status, answer.body.code, answer.headers['retry-after']]).toEqual([
        503,
        'credential_not_ready',
        '2',
      ])
    }
    expect(messages).toEqual([{ kind: 'credential', cluster: 'main', principal: 'orders-api' }])
    expect(await credentials.read('main', 'orders-api')).toMatchObject({
      version: 1,
      dueAt: new Date('2026-11-21T12:00:00Z'),
    })
    expect(await leasesOf()).toEqual([])
    await put(onA)
    expect((await resolve(intent)).status).toBe(200)
  })

  it('is asked for together with the access that is missing', async () => {
    const { resolve, messages } = await aSwitchboard({ policy })
    expect((await resolve(intent)).status).toBe(503)
    expect(messages.map(({ kind }) => kind).sort()).toEqual(['access', 'credential'])
  })

  it.each([
    ['that settles', aCredential({ a: { state: 'settling' } })],
    ['that somebody changed', aCredential({ a: { health: 'refused' } })],
    ['that nobody may have', aCredential({ a: {} }, { wanted: false })],
  ])('%s is not handed out, and the worker is asked to look', async (_, credential) => {
    const { resolve, messages, leasesOf, secretReads } = await aStore(credential)
    expect((await resolve(intent)).body.code).toBe('credential_not_ready')
    expect(messages).toEqual([{ kind: 'credential', cluster: 'main', principal: 'orders-api' }])
    expect([await leasesOf(), secretReads]).toEqual([[], []])
  })

  it('comes beside a token when channels lie on clusters of both kinds, and the lease ends with the token', async () => {
    const { resolve } = await aStore(onA)
    const answer = await resolve({ produce: [created, 'kafka://acme/reports/daily'] })
    expect(credentialsOf(answer).map(({ kind }) => kind)).toEqual(['scram', 'jwt'])
  })

  it('is not used where a token will do', async () => {
    const both = { ...policy, clusters: { ...policy.clusters, main: aCluster({ auth: ['scram', 'jwt'] }) } }
    const { resolve, prepare } = await aStore(onA, { policy: both })
    await prepare('orders-api')
    expect(credentialsOf(await resolve(intent))).toMatchObject([{ kind: 'jwt' }])
  })

  it('is read once from Secrets Manager for many leases, and anew when it was told again', async () => {
    const { resolve, secretReads, put, setTime } = await aStore(onA)
    for (const instance of ['pod-1', 'pod-2', 'pod-3']) await resolve({ ...intent, client: { instance } })
    expect(secretReads).toEqual(['main/orders-api'])
    await put(aCredential({ a: { toldAt: new Date('2026-11-21T12:00:05Z') } }), {
      a: { generation: 1, username: 'sb.orders-api@a', password: 'repaired' },
    })
    setTime(6)
    expect(credentialsOf(await resolve(intent))).toMatchObject([{ password: 'repaired' }])
  })

  it.each([
    ['has no secret', {}],
    ['has the secret of another generation', { a: { generation: 2, username: 'sb.orders-api@a', password: 'two' } }],
  ])('that %s is not handed out', async (_, secrets) => {
    const { resolve, put, leasesOf } = await aStore()
    await put(onA, secrets)
    expect((await resolve(intent)).body.code).toBe('credential_not_ready')
    expect(await leasesOf()).toEqual([])
  })

  it('is unavailable while Secrets Manager is, and no lease says otherwise', async () => {
    const readSecrets = async () => {
      throw new SlotSecretError(
        'secret_unavailable',
        'the secret `switchboard/prod/credentials/main/orders-api/slots`: ThrottlingException',
      )
    }
    const { resolve, leasesOf } = await aStore(onA, { readSecrets })
    expect((await resolve(intent)).body.code).toBe('unavailable')
    expect(await leasesOf()).toEqual([])
  })

  it('is in no log and no audit, which have the slot', async () => {
    const { resolve, telemetry } = await aStore(onA)
    await resolve(intent)
    expect(telemetry.text()).not.toContain('password a1')
    expect(telemetry.audits.at(-1)).toMatchObject({
      event: 'credential',
      outcome: 'allow',
      principal: 'orders-api',
      cluster: 'main',
      slot: 'a',
      generation: 1,
    })
  })
})

describe('a renewal', () => {
  const renew = async (
    store: Awaited<ReturnType<typeof aStore>>,
    first: Answer,
    more: Record<string, unknown> = {},
    etag = '',
  ) => store.resolve({ ...intent, lease: leaseOf(first), ...more }, { headers: { 'if-none-match': etag } })

  it('says 304 while the slot is the same, and costs no secret', async () => {
    const store = await aStore(onA)
    const first = await store.resolve(intent)
    store.setTime(600)
    const again = await renew(store, first, {}, first.headers.etag)
    expect([again.status, again.text]).toEqual([304, ''])
    expect(store.secretReads).toHaveLength(1)
  })

  it('hands out the next slot beside the one that clients still run with', async () => {
    const store = await aStore(onA)
    const first = await store.resolve(intent)
    await store.put(fromAToB)
    store.setTime(600)
    const second = await renew(store, first, {}, first.headers.etag)
    expect(second.status).toBe(200)
    expect(credentialsOf(second)).toMatchObject([{ slot: 'b', password: 'password b2' }])
    expect(await store.leasesOf(600)).toEqual([
      {
        main: [
          { slot: 'a', generation: 1 },
          { slot: 'b', generation: 2 },
        ],
      },
    ])
    store.setTime(1200)
    expect((await renew(store, first, {}, second.headers.etag)).status).toBe(304)
    expect(await store.leasesOf(1200)).toHaveLength(1)
  })

  it('lets go of a slot when the client says that it moved', async () => {
    const store = await aStore(onA)
    const first = await store.resolve(intent)
    await store.put(fromAToB)
    store.setTime(600)
    const second = await renew(store, first)
    const third = await renew(store, first, { moved: { main: 'b' } }, second.headers.etag)
    expect(third.status).toBe(200)
    expect(await store.leasesOf(600)).toEqual([{ main: [{ slot: 'b', generation: 2 }] }])
  })

  it('keeps a slot that was changed on the cluster: it is repaired for who has it', async () => {
    const store = await aStore(onA)
    const first = await store.resolve(intent)
    await store.put(aCredential({ a: { health: 'refused' } }))
    store.setTime(600)
    expect((await renew(store, first, {}, first.headers.etag)).status).toBe(304)
  })

  it('of a credential that nobody may have any more is refused', async () => {
    const store = await aStore(onA)
    const first = await store.resolve(intent)
    await store.put(aCredential({ a: {} }, { wanted: false }))
    store.setTime(600)
    expect((await renew(store, first, {}, first.headers.etag)).body.code).toBe('credential_not_ready')
  })

  it('of a lease that ended is a 404', async () => {
    const store = await aStore(onA)
    const first = await store.resolve(intent)
    store.setTime(3600)
    expect((await renew(store, first)).status).toBe(404)
  })

  it('without the lease is a restart: it has what is active and nothing else', async () => {
    const store = await aStore(onA)
    await store.resolve(intent)
    await store.put(fromAToB)
    store.setTime(600)
    expect(credentialsOf(await store.resolve(intent))).toMatchObject([{ slot: 'b' }])
    expect(await store.leasesOf(600)).toEqual([{ main: [{ slot: 'b', generation: 2 }] }])
  })

  it('cannot say that it moved without a lease, nor to what is no slot', async () => {
    const { resolve } = await aStore(onA)
    for (const [moved, lease] of [
      [{ main: 'b' }, undefined],
      [{ main: 'c' }, `lease_${'0'.repeat(32)}`],
      [{ 'Main!': 'a' }, `lease_${'0'.repeat(32)}`],
    ])
      expect((await resolve({ ...intent, moved, lease })).status).toBe(400)
  })
})

describe('a slot that changes hands between the look and the write', () => {
  it('is never handed out: resolve looks again', async () => {
    const store = await aStore(onA)
    await store.resolve(intent)
    // within the seconds that an instance remembers the credential
    await store.put(onB)
    store.setTime(1)
    const answer = await store.resolve({ ...intent, client: { instance: 'pod-2' } })
    expect(credentialsOf(answer)).toMatchObject([{ slot: 'b', password: 'password b2' }])
    expect((await store.leasesOf(1)).at(-1)).toBeDefined()
    for (const slots of await store.leasesOf(1)) expect(slots?.main).toHaveLength(1)
  })

  it('is not handed out either when it does so each time', async () => {
    const store = await aStore(onA, {
      leases: (real) => ({ ...real, create: async () => 'stale' }),
    })
    const answer = await store.resolve(intent)
    expect([answer.status, answer.body.code, answer.headers['retry-after']]).toEqual([503, 'credential_not_ready', '1'])
  })
})

describe('the file of a stock client', () => {
  const file = async (accept: string, query = '', body: Record<string, unknown> = intent) => {
    const { request } = await aStore(aCredential({ a: {} }, { principal: 'legacy' }))
    const authorization = `Basic ${Buffer.from('legacy:s3cret').toString('base64')}`
    return request({ headers: { accept, authorization, 'content-type': 'application/json' }, query, body })
  }

  it('of Java has a login module with the user, and needs no JVM option', async () => {
    const { status, text } = await file('text/x-java-properties')
    expect(status).toBe(200)
    expect(text.split('\n')[0]).toBe('bootstrap.servers=kafka-1.acme.com:9093')
    expect(text).toContain('\nsasl.mechanism=SCRAM-SHA-512\n')
    expect(text).toContain(
      '\nsasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="sb.legacy@a" password="password a1";\n',
    )
  })

  it('of librdkafka has the user and the password', async () => {
    const { body } = await file('application/vnd.librdkafka+json')
    expect(body).toMatchObject({
      'sasl.mechanism': 'SCRAM-SHA-512',
      'sasl.username': 'sb.legacy@a',
      'sasl.password': 'password a1',
    })
    expect(Object.keys(body).filter((name) => name.includes('oauthbearer'))).toEqual([])
  })

  it('takes `auth` and does nothing with it: a route may lead to a cluster of tokens and back', async () => {
    const { status, text } = await file('text/x-java-properties', 'auth=jwt-bearer&assertion_file=/run/token')
    expect([status, text.includes('oauthbearer')]).toEqual([200, false])
  })
})

describe('the token endpoint', () => {
  const ask = async (scope?: string) => {
    const { request } = await aStore()
    const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) })
    return request({
      path: '/v1/token',
      headers: {
        authorization: `Basic ${Buffer.from('legacy:s3cret').toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: form.toString(),
    })
  }

  it('has no token for a cluster that takes none', async () => {
    const { status, body } = await ask('kafka:main')
    expect([status, body.error]).toEqual([400, 'invalid_scope'])
    expect(body.error_description).toContain('takes no tokens')
  })

  it('answers for the only cluster that takes tokens', async () => {
    const { status, body } = await ask()
    expect([status, body.scope]).toEqual([200, 'kafka:other'])
  })
})

describe('the ancestor’s endpoint', () => {
  const poll = (store: Awaited<ReturnType<typeof aStore>>) =>
    store.request({
      method: 'GET',
      path: '/servicegw',
      query: new URLSearchParams({
        config_profile: 'balanced',
        'config_profile.type': 'consumer',
        channel: created,
      }).toString(),
      headers: { authorization: `Basic ${Buffer.from('legacy:s3cret').toString('base64')}` },
    })
  const legacy = { principal: 'legacy' }
  const held = async ({ leases }: Awaited<ReturnType<typeof aStore>>) =>
    (await leases.list('legacy', new Date('2026-11-22T00:00:00Z'))).map(({ slots }) => slots)

  it('answers with the user of the slot, the same bytes each time, and one write', async () => {
    let writes = 0
    const store = await aStore(aCredential({ a: {} }, legacy), {
      leases: (real) => ({
        ...real,
        keep: (...args) => {
          writes++
          return real.keep(...args)
        },
      }),
    })
    const texts = new Set<string>()
    for (const after of [0, 1, 2, 30]) {
      store.setTime(after)
      const { status, text } = await poll(store)
      expect(status, text).toBe(200)
      texts.add(text)
    }
    const [text = ''] = texts
    expect([texts.size, writes]).toEqual([1, 1])
    expect(JSON.parse(text).credentials).toEqual({
      'security.protocol': 'SASL_SSL',
      'sasl.mechanisms': 'SCRAM-SHA-512',
      'sasl.username': 'sb.legacy@a',
      'sasl.password': 'password a1',
    })
    expect(text).not.toContain('s3cret')
  })

  it('hands out the next slot at once, and lets go of the one before when every client has polled', async () => {
    const store = await aStore(aCredential({ a: {} }, legacy))
    await poll(store)
    const since = new Date('2026-11-21T12:10:00Z')
    await store.put(aCredential({ a: { state: 'draining' }, b: { generation: 2, since } }, legacy))
    store.setTime(610)
    expect(JSON.parse((await poll(store)).text).credentials['sasl.username']).toBe('sb.legacy@b')
    expect(await held(store)).toEqual([
      {
        main: [
          { slot: 'a', generation: 1 },
          { slot: 'b', generation: 2 },
        ],
      },
    ])
    store.setTime(901)
    await poll(store)
    expect(await held(store)).toEqual([{ main: [{ slot: 'b', generation: 2 }] }])
  })
})

it('a password of any characters is in no log, and goes through JSON as it is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', minLength: 8, maxLength: 40 }), async (password) => {
      const store = await aStore()
      await store.put(onA, { a: { generation: 1, username: 'sb.orders-api@a', password } })
      expect(credentialsOf(await store.resolve(intent))).toMatchObject([{ password }])
      expect(store.telemetry.text()).not.toContain(JSON.stringify(password).slice(1, -1))
    }),
    { numRuns: 30 },
  )
})

describe('an API key of Confluent Cloud', () => {
  const cloud = (changes: Partial<Policy['clusters'][string]> = {}) => ({
    ...policy,
    clusters: {
      ...policy.clusters,
      main: aCluster({
        provider: 'confluent',
        id: 'lkc-1',
        environment: 'env-1',
        cloudKey: { secret: 'cloud' },
        auth: ['api-key'],
        serviceAccounts: { 'orders-api': 'sa-1', legacy: 'sa-2' },
        ...changes,
      }),
    },
  })
  const keyOf = { a: { generation: 1, username: 'KEY', password: 'its secret' } }
  const withKey = async (changes: Partial<Policy['clusters'][string]> = {}, principal = 'orders-api') => {
    const store = await aStore(undefined, { policy: cloud(changes) })
    await store.put(aCredential({ a: {} }, { principal }), keyOf)
    return store
  }

  it('is handed out by value, for SASL/PLAIN', async () => {
    const { resolve, leasesOf } = await withKey()
    const answer = await resolve(intent)
    expect(answer.body.connections).toMatchObject([{ properties: { 'sasl.mechanism': 'PLAIN' } }])
    expect(answer.body.connections).not.toMatchObject([{ extensions: {} }])
    expect(credentialsOf(answer)).toEqual([
      { kind: 'api-key', mechanism: 'PLAIN', username: 'KEY', password: 'its secret', slot: 'a' },
    ])
    expect(await leasesOf()).toEqual([{ main: [{ slot: 'a', generation: 1 }] }])
  })

  it('is handed out as a reference without a name, which stands in the secret', async () => {
    const { resolve, secretReads } = await withKey({ credential: 'reference' })
    expect(credentialsOf(await resolve(intent))).toEqual([
      {
        kind: 'reference',
        mechanism: 'PLAIN',
        arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:main/orders-api-AbCdEf',
        versionId: 'v1',
        slot: 'a',
      },
    ])
    expect(secretReads).toEqual([])
  })

  it('is not used where a token will do, and is where the principal has no pool', async () => {
    const auth = ['api-key' as const, 'jwt' as const]
    const both = await withKey({ auth, identityPools: { 'orders-api': 'pool-1' } })
    await both.prepare('orders-api')
    expect(credentialsOf(await both.resolve(intent))).toMatchObject([{ kind: 'jwt' }])
    expect(credentialsOf(await (await withKey({ auth })).resolve(intent))).toMatchObject([{ kind: 'api-key' }])
  })

  it('is nobody’s without a service account: the platform team has to make one', async () => {
    const { resolve, telemetry, messages } = await withKey({ serviceAccounts: {} })
    const answer = await resolve(intent)
    expect([answer.status, answer.body.code, answer.headers['retry-after']]).toEqual([503, 'unavailable', '60'])
    expect(telemetry.audits.at(-1)).toMatchObject({ outcome: 'deny', rule: 5, reason: 'no_service_account' })
    expect(messages).toEqual([])
  })

  it.each([
    ['text/x-java-properties', 'org.apache.kafka.common.security.plain.PlainLoginModule required username="KEY"'],
    ['application/vnd.librdkafka+json', '"sasl.mechanism":"PLAIN"'],
  ])('is in the file of a stock client: %s', async (accept, expected) => {
    const { request } = await withKey({}, 'legacy')
    const authorization = `Basic ${Buffer.from('legacy:s3cret').toString('base64')}`
    const headers = { accept, authorization, 'content-type': 'application/json' }
    const { status, text } = await request({ headers, body: intent })
    expect([status, text]).toEqual([200, expect.stringContaining(expected)])
    expect(text).toContain('its secret')
  })

  it('is what the ancestor’s clients get, the same bytes each time', async () => {
    const { request } = await withKey({}, 'legacy')
    const ask = () =>
      request({
        method: 'GET',
        path: '/servicegw',
        query: new URLSearchParams({
          config_profile: 'balanced',
          'config_profile.type': 'producer',
          channel: created,
        }).toString(),
        headers: { authorization: `Basic ${Buffer.from('legacy:s3cret').toString('base64')}` },
      })
    const first = await ask()
    expect(first.body.credentials).toMatchObject({
      'sasl.mechanisms': 'PLAIN',
      'sasl.username': 'KEY',
      'sasl.password': 'its secret',
    })
    expect((await ask()).text).toBe(first.text)
  })
})
