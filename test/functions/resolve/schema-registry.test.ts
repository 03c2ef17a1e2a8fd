import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import type { Policy } from '../../../shared/domain/policy.ts'
import { rotationContext } from '../../../shared/domain/provider-clock.ts'
import { nextStep } from '../../../shared/domain/rotation.ts'
import {
  type RegistrySecret,
  RegistrySecretError,
  type RegistrySecrets,
} from '../../../shared/secrets/registry-secrets.ts'
import { aCluster, aPolicy, now } from '../../fixtures/policies.ts'
import { aCredential } from '../../fixtures/stored-credentials.ts'
import { aSwitchboard, issuerUrl, tokenFor } from './a-switchboard.ts'

type Grant = Policy['grants'][number]

const orders = 'kafka://acme/orders/created'
const reports = 'kafka://acme/reports/daily'
const password = 'the password of the registry'
const selfRun = { url: 'https://registry.acme.com/', secret: 'switchboard/prod/registries/main/{principal}' }
const cloud: Policy['clusters'][string] = {
  provider: 'confluent',
  id: 'lkc-abc123',
  auth: ['jwt'],
  admin: { secret: 'switchboard/prod/clusters/analytics' },
  bootstrap: 'pkc-1.eu-west-1.aws.confluent.cloud:9092',
  identityPools: { 'orders-api': 'pool-3c4d' },
  schemaRegistry: { url: 'https://psrc-1.eu-west-1.aws.confluent.cloud', id: 'lsrc-abc123' },
}

const grant = (changes: Partial<Grant> = {}): Grant => ({
  principals: ['orders-api', 'legacy'],
  produce: ['kafka://acme/orders/**', 'kafka://acme/reports/**'],
  ...changes,
})

const policyWith = (grants: readonly Grant[], cluster: Partial<Policy['clusters'][string]> = {}): Policy =>
  aPolicy({
    identities: [{ issuer: 'https://login.acme.com', audience: 'switchboard' }, { client: 'legacy' }],
    clusters: { main: aCluster({ schemaRegistry: selfRun, ...cluster }), analytics: cloud },
    grants: [...grants],
    routes: [
      { channel: 'kafka://acme/reports/**', cluster: 'analytics', topic: '{path}' },
      { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}' },
    ],
  })

const aReady = async (policy: Policy, read?: RegistrySecrets) => {
  const asked: string[] = []
  let secret: RegistrySecret = { username: 'orders-api', password, versionId: 'v1' }
  const switchboard = await aSwitchboard({
    policy,
    registrySecrets:
      read ??
      (async (id) => {
        asked.push(id)
        return secret
      }),
  })
  for (const principal of ['orders-api', 'legacy'])
    for (const cluster of ['main', 'analytics']) await switchboard.prepare(principal, cluster)
  const file = (accept: string, query: string, authorization: string) =>
    switchboard.request({
      query,
      headers: { accept, authorization, 'content-type': 'application/json' },
      body: { produce: [query.includes('analytics') ? reports : orders] },
    })
  return {
    ...switchboard,
    asked,
    file,
    change: (next: RegistrySecret) => {
      secret = next
    },
  }
}

type Connection = Readonly<Record<string, unknown>> & {
  readonly credential: { readonly token: string }
  readonly schemaRegistry?: { readonly credential: { readonly token: string } }
}
const connectionIn = ({ body }: { readonly body: unknown }): Connection =>
  (body as { connections: Connection[] }).connections[0] as Connection
const limitIn = (audits: readonly { readonly limit?: string }[]) => audits.findLast(({ limit }) => limit)?.limit

const created = { produce: [orders], client: { instance: 'pod-1' } }

describe('a grant that says `schemas`', () => {
  it('gives user and password of the registry, from the secret of the principal', async () => {
    const { resolve, asked } = await aReady(policyWith([grant({ schemas: true })]))
    const answer = await resolve(created)
    expect(answer.status).toBe(200)
    expect(connectionIn(answer).schemaRegistry).toEqual({
      url: 'https://registry.acme.com',
      credential: { kind: 'basic', username: 'orders-api', password },
    })
    expect(asked).toEqual(['switchboard/prod/registries/main/orders-api'])
  })

  it('gives nothing of it where another grant lets the channel in, and no secret is read then', async () => {
    const { resolve, asked } = await aReady(
      policyWith([grant(), grant({ produce: ['kafka://acme/elsewhere/**'], schemas: true })]),
    )
    const answer = await resolve(created)
    expect(answer.status).toBe(200)
    expect(connectionIn(answer)).not.toHaveProperty('schemaRegistry')
    expect(asked).toEqual([])
  })

  it('counts wherever it stands among the grants of a channel', async () => {
    const { resolve } = await aReady(policyWith([grant(), grant({ schemas: true })]))
    expect(connectionIn(await resolve(created))).toHaveProperty('schemaRegistry')
  })

  it('bounds the lease, whichever grant let the channel in', async () => {
    const { resolve, telemetry } = await aReady(policyWith([grant(), grant({ schemas: true, maxLease: '10m' })]))
    expect((await resolve(created)).status).toBe(200)
    expect(limitIn(telemetry.audits)).toBe('grants[1].maxLease')
  })

  it('gives nothing any more when it has ended', async () => {
    const { resolve } = await aReady(policyWith([grant(), grant({ schemas: true, until: '2026-11-20' })]))
    expect(connectionIn(await resolve(created))).not.toHaveProperty('schemaRegistry')
  })

  it('gives nothing where the cluster has no registry', async () => {
    const { resolve } = await aReady(policyWith([grant({ schemas: true })], { schemaRegistry: undefined }))
    expect(connectionIn(await resolve(created))).not.toHaveProperty('schemaRegistry')
  })
})

describe('the registry of a cluster on Confluent Cloud', () => {
  it('takes the token of the cluster, and is told which it is and which pool', async () => {
    const { resolve, asked } = await aReady(policyWith([grant({ schemas: true })]))
    const answer = await resolve({ produce: [reports] })
    const { credential, schemaRegistry } = connectionIn(answer)
    expect(schemaRegistry).toEqual({
      url: 'https://psrc-1.eu-west-1.aws.confluent.cloud',
      logicalCluster: 'lsrc-abc123',
      identityPoolId: 'pool-3c4d',
      credential,
    })
    expect(decodeJwt(credential.token)).toMatchObject({ aud: `${issuerUrl}/clusters/analytics`, sub: 'sb.orders-api' })
    expect(asked).toEqual([])
  })
})

describe('the registry of a cluster on Confluent Cloud that takes API keys', () => {
  const { identityPools: _, ...withoutPools } = cloud
  const byKeys: Policy['clusters'][string] = {
    ...withoutPools,
    ...{ auth: ['api-key'], environment: 'env-1', cloudKey: { secret: 'cloud' } },
    serviceAccounts: { 'orders-api': 'sa-1', legacy: 'sa-2' },
  }
  const policyOf = (schemas: boolean): Policy => {
    const policy = policyWith([grant({ schemas })])
    return { ...policy, clusters: { ...policy.clusters, analytics: byKeys } }
  }
  const keyOf = (what: string, generation: number) => ({
    a: { generation, username: `${what}-KEY-${generation}`, password: `${what} secret ${generation}` },
  })
  /** As rotate leaves it. */
  const withKeys = async (schemas = true, generations = { ofCluster: 1, ofRegistry: 1 }) => {
    const stack = await aReady(policyOf(schemas))
    const rotate = async (generation: number, ofRegistry = generation) => {
      for (const principal of ['orders-api', 'legacy']) {
        const name = `analytics/${principal}`
        const version = (await stack.credentials.read('analytics', principal))?.version ?? 0
        const next = aCredential({ a: { generation } }, { principal, cluster: 'analytics' })
        await stack.credentials.write(version, next, undefined)
        stack.slotSecrets.set(name, keyOf('kafka', generation))
        stack.registryKeys.set(name, keyOf('registry', ofRegistry))
      }
    }
    await rotate(generations.ofCluster, generations.ofRegistry)
    return { ...stack, rotate }
  }

  it('lets in with the key of the very slot that lets in to the cluster', async () => {
    const { resolve, secretReads, asked, telemetry } = await withKeys()
    const answer = await resolve({ produce: [reports] })
    expect(connectionIn(answer)).toMatchObject({
      credential: { kind: 'api-key', username: 'kafka-KEY-1', password: 'kafka secret 1', slot: 'a' },
    })
    expect(connectionIn(answer).schemaRegistry).toEqual({
      url: 'https://psrc-1.eu-west-1.aws.confluent.cloud',
      credential: { kind: 'basic', username: 'registry-KEY-1', password: 'registry secret 1' },
    })
    await resolve({ produce: [reports], client: { instance: 'pod-2' } })
    expect(secretReads).toEqual(['analytics/orders-api', 'analytics/orders-api registry'])
    expect(asked).toEqual([])
    expect(telemetry.text()).not.toMatch(/(kafka|registry) secret/)
  })

  it('is nothing for a grant that does not say `schemas`, and its key is not read then', async () => {
    const { resolve, secretReads } = await withKeys(false)
    expect(connectionIn(await resolve({ produce: [reports] }))).not.toHaveProperty('schemaRegistry')
    expect(secretReads).toEqual(['analytics/orders-api'])
  })

  it.each([
    ['is of another generation', 2, 'is that of generation 1'],
    ['is not there', undefined, 'is gone'],
  ])('hands out nothing while its key %s', async (_name, generation, reason) => {
    const { resolve, telemetry, leases, registryKeys } = await withKeys(true, { ofCluster: 2, ofRegistry: 1 })
    if (generation === undefined) registryKeys.clear()
    const { status, body } = await resolve({ produce: [reports] })
    expect([status, body.code, body.retryable]).toEqual([503, 'credential_not_ready', true])
    expect(JSON.stringify(body)).not.toContain('secret')
    expect(telemetry.text()).toContain(
      `the secret of slot \`a\`, generation 2, of \`orders-api\` at the schema registry of \`analytics\` ${reason}`,
    )
    expect(await leases.list('orders-api', now)).toEqual([])
  })

  it('has rotate look at a slot without its key, which was made before the policy named the registry', async () => {
    const { resolve, registryKeys, credentials, messages } = await withKeys()
    registryKeys.clear()
    messages.length = 0
    const look = async () => {
      await resolve({ produce: [reports] })
      const stored = await credentials.read('analytics', 'orders-api')
      return stored && [stored.version, nextStep(stored.credential, rotationContext(stored.credential, undefined, now))]
    }
    const found = [2, { kind: 'probe', slot: 'a', unlessLeased: false }]
    expect(await look()).toEqual(found)
    expect(messages).toEqual([{ kind: 'credential', cluster: 'analytics', principal: 'orders-api' }])
    // once is enough
    expect(await look()).toEqual(found)
  })

  it('has the next key together with the next one of the cluster', async () => {
    const { resolve, rotate, setTime } = await withKeys()
    const asking = { produce: [reports], client: { instance: 'pod-1' } }
    const first = await resolve(asking)
    const { lease } = first.body as { lease: { id: string } }
    const renew = () =>
      resolve({ ...asking, lease: lease.id }, { headers: { 'if-none-match': first.headers.etag ?? '' } })
    setTime(60)
    expect((await renew()).status).toBe(304)
    await rotate(2)
    setTime(120)
    expect(connectionIn(await renew())).toMatchObject({
      credential: { username: 'kafka-KEY-2' },
      schemaRegistry: { credential: { username: 'registry-KEY-2', password: 'registry secret 2' } },
    })
  })

  it('is in the files of clients as any that takes a password', async () => {
    const { file, secretReads } = await withKeys()
    const basic = `Basic ${Buffer.from('legacy:s3cret').toString('base64')}`
    const { text } = await file('text/x-java-properties', 'cluster=analytics', basic)
    expect(text).toContain('\nbasic.auth.credentials.source=USER_INFO\n')
    expect(text).toContain('\nbasic.auth.user.info=registry-KEY-1:registry secret 1\n')
    const librdkafka = 'application/vnd.librdkafka+json'
    const ofRegistry = await file(librdkafka, 'role=schema-registry&cluster=analytics', basic)
    expect(JSON.parse(ofRegistry.text)).toEqual({
      url: 'https://psrc-1.eu-west-1.aws.confluent.cloud',
      'basic.auth.user.info': 'registry-KEY-1:registry secret 1',
    })
    secretReads.length = 0
    const { text: ofKafka } = await (await withKeys()).file(librdkafka, 'cluster=analytics', basic)
    expect(ofKafka).not.toContain('registry')
    expect(secretReads).toEqual([])
  })
})

describe('a secret that is not as the policy says', () => {
  const absent: RegistrySecrets = async (id) => Promise.reject(new RegistrySecretError(`there is no secret \`${id}\``))

  it('is a 503 that says of what, and why to the platform team alone', async () => {
    const { resolve, telemetry, leases } = await aReady(policyWith([grant({ schemas: true })]), absent)
    const { status, headers, body } = await resolve(created)
    expect([status, body.code, body.retryable, headers['retry-after']]).toEqual([503, 'unavailable', true, '60'])
    expect(body.detail).toContain('schema registry')
    expect(JSON.stringify(body)).not.toContain('registries/main')
    expect(telemetry.audits.at(-1)).toMatchObject({
      event: 'credential',
      outcome: 'deny',
      principal: 'orders-api',
      cluster: 'main',
      registry: 'https://registry.acme.com',
      reason: 'the schema registry of `main`: there is no secret `switchboard/prod/registries/main/orders-api`',
    })
    expect(await leases.list('orders-api', now)).toEqual([])
  })

  it('is nobody else’s business', async () => {
    const { resolve } = await aReady(policyWith([grant()]), absent)
    expect((await resolve(created)).status).toBe(200)
  })
})

describe('a renewal', () => {
  const renew = async (stack: Awaited<ReturnType<typeof aReady>>) => {
    const first = await stack.resolve(created)
    const { lease } = first.body as { lease: { id: string } }
    stack.setTime(60)
    return (etag = first.headers.etag ?? '') =>
      stack.resolve({ ...created, lease: lease.id }, { headers: { 'if-none-match': etag } })
  }

  it('with the password of before says that nothing changed', async () => {
    const stack = await aReady(policyWith([grant({ schemas: true })]))
    const again = await renew(stack)
    expect((await again()).status).toBe(304)
  })

  it('has the next password, though nothing else is different', async () => {
    const stack = await aReady(policyWith([grant({ schemas: true })]))
    const again = await renew(stack)
    stack.change({ username: 'orders-api', password: 'next', versionId: 'v2' })
    const answer = await again()
    expect(answer.status).toBe(200)
    expect(connectionIn(answer).schemaRegistry?.credential).toMatchObject({ password: 'next' })
  })
})

describe('a file', () => {
  const basic = `Basic ${Buffer.from('legacy:s3cret').toString('base64')}`
  const java = 'text/x-java-properties'

  it('of a Java client has what the serializers of Confluent read', async () => {
    const { file } = await aReady(policyWith([grant({ schemas: true })]))
    const { text } = await file(java, 'cluster=main', basic)
    expect(text).toContain('\nschema.registry.url=https://registry.acme.com\n')
    expect(text).toContain('\nbasic.auth.credentials.source=USER_INFO\n')
    expect(text).toContain(`\nbasic.auth.user.info=orders-api:${password}\n`)
  })

  it('of a Java client with a secret gets tokens for Confluent Cloud as the client itself does', async () => {
    const policy = policyWith([grant({ schemas: true })])
    const { file } = await aReady({
      ...policy,
      clusters: { ...policy.clusters, analytics: { ...cloud, identityPools: { legacy: 'pool-9' } } },
    })
    const { text } = await file(java, 'cluster=analytics', basic)
    const wanted = {
      'schema.registry.url': 'https://psrc-1.eu-west-1.aws.confluent.cloud',
      'bearer.auth.credentials.source': 'OAUTHBEARER',
      'bearer.auth.issuer.endpoint.url': `${issuerUrl}/v1/token`,
      'bearer.auth.client.id': 'legacy',
      'bearer.auth.client.secret': 's3cret',
      'bearer.auth.scope': 'kafka:analytics',
      'bearer.auth.logical.cluster': 'lsrc-abc123',
      'bearer.auth.identity.pool.id': 'pool-9',
    }
    for (const [name, value] of Object.entries(wanted)) expect(text).toContain(`\n${name}=${value}\n`)
  })

  it('of a Java client with an assertion says that the registry is left out, for its client takes none', async () => {
    const { file } = await aReady(policyWith([grant({ schemas: true })]))
    const query = 'cluster=analytics&auth=jwt-bearer&assertion_file=/var/run/token'
    const { status, text } = await file(java, query, `Bearer ${await tokenFor('orders-api')}`)
    expect(status).toBe(200)
    expect(text).toMatch(/^# -D/)
    expect(text).toMatch(/\n# no schema\.registry\.url: .*client_credentials.*\n$/)
    expect(text).not.toMatch(/^(schema\.registry|bearer\.auth)/m)
  })

  it('of librdkafka has nothing that librdkafka would refuse, and needs no secret', async () => {
    const { file, asked } = await aReady(policyWith([grant({ schemas: true })]))
    const { status, text } = await file('application/vnd.librdkafka+json', 'cluster=main', basic)
    expect(status).toBe(200)
    expect(Object.keys(JSON.parse(text)).filter((name) => /registry|auth\./.test(name))).toEqual([])
    expect(asked).toEqual([])
  })

  it('of the client of a registry has what that takes, in Python’s names', async () => {
    const policy = policyWith([grant({ schemas: true })])
    const { file } = await aReady({
      ...policy,
      clusters: { ...policy.clusters, analytics: { ...cloud, identityPools: { legacy: 'pool-9' } } },
    })
    const ask = async (query: string, authorization = basic) => {
      const { status, text } = await file(
        'application/vnd.librdkafka+json',
        `role=schema-registry&${query}`,
        authorization,
      )
      return [status, JSON.parse(text)]
    }
    expect(await ask('cluster=main')).toEqual([
      200,
      { url: 'https://registry.acme.com', 'basic.auth.user.info': `orders-api:${password}` },
    ])
    // whoever has a token needs no secret for a registry with users
    expect((await ask('cluster=main', `Bearer ${await tokenFor('orders-api')}`))[0]).toBe(200)
    expect(await ask('cluster=analytics')).toEqual([
      200,
      {
        url: 'https://psrc-1.eu-west-1.aws.confluent.cloud',
        'bearer.auth.credentials.source': 'OAUTHBEARER',
        'bearer.auth.issuer.endpoint.url': `${issuerUrl}/v1/token`,
        'bearer.auth.client.id': 'legacy',
        'bearer.auth.client.secret': 's3cret',
        'bearer.auth.scope': 'kafka:analytics',
        'bearer.auth.logical.cluster': 'lsrc-abc123',
        'bearer.auth.identity.pool.id': 'pool-9',
      },
    ])
  })

  it.each([
    [
      'application/vnd.librdkafka+json',
      'cluster=analytics&auth=jwt-bearer&assertion_file=/t',
      true,
      'client_credentials',
    ],
    ['application/vnd.librdkafka+json', 'cluster=main', false, 'nothing was granted of a schema registry on `main`'],
    ['text/x-java-properties', 'cluster=main', true, 'is for `accept: application/vnd.librdkafka+json`'],
  ])('of the client of a registry is refused with a reason (%s, %s)', async (accept, query, schemas, detail) => {
    const { file, leases } = await aReady(policyWith([grant({ schemas })]))
    const { status, body } = await file(
      accept,
      `role=schema-registry&${query}`,
      `Bearer ${await tokenFor('orders-api')}`,
    )
    expect([status, body.code]).toEqual([400, 'invalid_intent'])
    expect(JSON.stringify(body)).toContain(detail)
    expect(await leases.list('orders-api', now)).toEqual([])
  })
})

it('no password of a registry is in a log or an audit event', async () => {
  const { resolve, telemetry } = await aReady(policyWith([grant({ schemas: true })]))
  await resolve(created)
  expect(telemetry.audits.at(-1)).toMatchObject({ event: 'credential', outcome: 'allow', cluster: 'main' })
  expect(telemetry.text()).not.toContain(password)
})
