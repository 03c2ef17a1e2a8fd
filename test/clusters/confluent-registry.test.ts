import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { setUpConfluent } from '../../cli/confluent.ts'
import { type ApiKeys, createApiKeys } from '../../local/confluent/api-keys.ts'
import { type ConfluentControlPlane, startConfluentControlPlane } from '../../local/confluent/control-plane.ts'
import { createIdentities } from '../../local/confluent/identity.ts'
import { admitKeys } from '../../local/confluent/key-admission.ts'
import { admitPools } from '../../local/confluent/pool-admission.ts'
import { createRoleBindings } from '../../local/confluent/role-bindings.ts'
import { type SchemaRegistry, startSchemaRegistry } from '../../local/schema-registry/registry.ts'
import { compileDirectory } from '../../shared/domain/directory.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { createSigningKey } from '../fixtures/signing-keys.ts'

// `confluent setup` for a schema registry, and the simulated registry that asks for what it made.

const now = new Date('2026-12-01T00:00:00Z')
const key = { key: 'CLOUDKEY', secret: 'of the platform team' }
const signingKey = createSigningKey('first')
const schema = JSON.stringify({ schema: '"string"' })

let issuer: Server
let issuerUrl: string
let plane: ConfluentControlPlane
let registry: SchemaRegistry
let apiKeys: ApiKeys
let lines: string[]

beforeEach(async () => {
  issuer = createServer((_, response) => void response.end(JSON.stringify({ keys: [signingKey.publicJwk] })))
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve))
  issuerUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`
  const identities = createIdentities()
  const roleBindings = createRoleBindings()
  apiKeys = createApiKeys()
  const [byToken, byKey] = [
    admitPools({ identities, roleBindings, registry: 'lsrc-1' }),
    admitKeys({ apiKeys, roleBindings, registry: 'lsrc-1' }),
  ]
  registry = await startSchemaRegistry({
    admit: (headers, action) => (headers.authorization?.startsWith('Basic ') ? byKey : byToken)(headers, action),
  })
  plane = await startConfluentControlPlane({
    organization: {
      id: '9bb441c4-0000-4000-8000-00000000000a',
      environments: [
        { id: 'env-0', name: 'other', clusters: [] },
        { id: 'env-1', name: 'main', registry: { id: 'lsrc-1', url: registry.url }, clusters: [] },
      ],
    },
    ...{ cloudKey: key, kafkaKeyOf: () => undefined, identities, roleBindings, apiKeys },
  })
  lines = []
})

afterEach(async () => {
  await plane.stop()
  await registry.stop()
  issuer.closeAllConnections()
  await new Promise((resolve) => issuer.close(resolve))
})

type Grant = Policy['grants'][number]
const channels = ['kafka://acme/reports/**']
const writer: Grant = { principals: ['writer'], produce: channels, schemas: true }
const reader: Grant = { principals: ['reader'], consume: channels, schemas: true }
const stranger: Grant = { principals: ['stranger'], produce: channels, consume: channels }

const setUp = (
  grants: readonly Grant[],
  id = 'lsrc-1',
  environment?: string,
  auth: readonly ('jwt' | 'api-key')[] = ['jwt'],
) => {
  const policy: Policy = {
    identities: [{ issuer: 'https://login.example.com/', audience: 'switchboard' }],
    clusters: {
      analytics: {
        ...{ provider: 'confluent', id: 'lkc-local', auth: [...auth], admin: { secret: 'admin' } },
        schemaRegistry: { url: registry.url, id },
        ...(environment === undefined ? {} : { environment }),
      },
    },
    grants: [...grants],
    routes: [{ channel: 'kafka://acme/reports/**', cluster: 'analytics', topic: 'reports.{path}' }],
  }
  return setUpConfluent(compileDirectory(policy, 'sha256:x').directory, 'analytics', {
    ...{ issuerUrl, key, url: plane.url, fetch, now },
    report: (line) => void lines.push(line),
  })
}

const tokenOf = (principal: string, changes: Readonly<Record<string, unknown>> = {}, signer = signingKey) =>
  new SignJWT({ iss: issuerUrl, sub: `sb.${principal}`, aud: `${issuerUrl}/clusters/analytics`, ...changes })
    .setProtectedHeader({ alg: 'ES256', kid: signer.kid })
    .setExpirationTime('5m')
    .sign(signer.privateKey)

const ask = async (
  token: string,
  pool: string | undefined,
  { method = 'GET', path = '/subjects', target = 'lsrc-1' as string | null } = {},
): Promise<number> => {
  const response = await fetch(`${registry.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(target === null ? {} : { 'target-sr-cluster': target }),
      ...(pool === undefined ? {} : { 'confluent-identity-pool-id': pool }),
    },
    ...(method === 'POST' ? { body: schema } : {}),
  })
  await response.body?.cancel()
  return response.status
}

const write = { method: 'POST', path: '/subjects/reports.daily-value/versions' }

describe('the schema registry of Confluent Cloud', () => {
  it('lets pools do there what grants say, and those of no such grant nothing', async () => {
    const { identityPools } = await setUp([writer, reader, stranger])
    expect(await ask(await tokenOf('writer'), identityPools.writer, write)).toBe(200)
    expect(await ask(await tokenOf('writer'), identityPools.writer)).toBe(200)
    expect(await ask(await tokenOf('reader'), identityPools.reader)).toBe(200)
    expect(await ask(await tokenOf('reader'), identityPools.reader, write)).toBe(403)
    expect(await ask(await tokenOf('stranger'), identityPools.stranger)).toBe(403)
  })

  it('lets nobody in without the token, the pool and the registry that belong together', async () => {
    const { identityPools } = await setUp([writer, reader])
    const token = await tokenOf('writer')
    const pool = identityPools.writer
    expect(await ask(token, identityPools.reader)).toBe(401)
    expect(await ask(token, undefined)).toBe(401)
    expect(await ask(token, pool, { target: 'lsrc-2' })).toBe(401)
    expect(await ask(token, pool, { target: null })).toBe(401)
    expect(await ask(await tokenOf('writer', { aud: `${issuerUrl}/clusters/other` }), pool)).toBe(401)
    expect(await ask(await tokenOf('writer', {}, createSigningKey('first')), pool)).toBe(401)
    expect(await ask('no token', pool)).toBe(401)
    expect(await ask(token, pool, { path: '/subjects/absent/versions' })).toBe(404)
  })

  it('is set up a second time without a change, found in its environment or in any', async () => {
    const first = await setUp([writer, reader])
    const posts = () => plane.requests.filter((each) => each.startsWith('POST /iam/v2/role-bindings')).length
    expect(posts()).toBe(3)
    expect(await setUp([writer, reader], 'lsrc-1', 'env-1')).toEqual(first)
    expect(posts()).toBe(3)
    expect(lines.filter((line) => line.startsWith('role '))).toEqual([
      ...[`DeveloperRead of ${first.identityPools.reader}`, `DeveloperRead of ${first.identityPools.writer}`].map(
        (role) => `role ${role} at lsrc-1: made`,
      ),
      `role DeveloperWrite of ${first.identityPools.writer} at lsrc-1: made`,
      ...[`DeveloperRead of ${first.identityPools.reader}`, `DeveloperRead of ${first.identityPools.writer}`].map(
        (role) => `role ${role} at lsrc-1: there`,
      ),
      `role DeveloperWrite of ${first.identityPools.writer} at lsrc-1: there`,
    ])
  })

  it('names the roles that no grant gives any more, and leaves them', async () => {
    const { identityPools } = await setUp([writer])
    lines = []
    await setUp([{ ...writer, schemas: false }])
    expect(lines.filter((line) => line.startsWith('role '))).toEqual(
      ['DeveloperRead', 'DeveloperWrite'].map((role) =>
        expect.stringMatching(`^role ${role} of ${identityPools.writer} at lsrc-1: no grant gives it`),
      ),
    )
    expect(await ask(await tokenOf('writer'), identityPools.writer)).toBe(200)
  })

  it('that the key does not see is said to be so', async () => {
    await expect(setUp([writer], 'lsrc-9')).rejects.toThrow('there is no schema registry `lsrc-9`')
  })
})

describe('the same registry, for API keys', () => {
  const byKeys = (grants: readonly Grant[]) => setUp(grants, 'lsrc-1', 'env-1', ['api-key'])
  const makeKey = (owner = '', resource = 'lsrc-1') => {
    const made = apiKeys.addKey({
      ...{ displayName: 'sb.writer@a', description: 'of a test', owner },
      resource: { id: resource, environment: 'env-1' },
    })
    if (typeof made === 'string') throw new Error(made)
    return made
  }
  const askAs = async ({ id, secret }: { readonly id: string; readonly secret: string }, method = 'GET') => {
    const response = await fetch(`${registry.url}${method === 'GET' ? '/subjects' : write.path}`, {
      method,
      headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
      ...(method === 'POST' ? { body: schema } : {}),
    })
    await response.body?.cancel()
    return response.status
  }

  it('lets those of service accounts do what grants say, which are set up once', async () => {
    const first = await byKeys([writer, reader, stranger])
    const { serviceAccounts } = first
    expect(await askAs(makeKey(serviceAccounts.writer), 'POST')).toBe(200)
    expect(await askAs(makeKey(serviceAccounts.reader))).toBe(200)
    expect(await askAs(makeKey(serviceAccounts.reader), 'POST')).toBe(403)
    expect(await askAs(makeKey(serviceAccounts.stranger))).toBe(403)

    lines = []
    expect(await byKeys([writer, reader, stranger])).toEqual(first)
    expect(lines.filter((line) => line.startsWith('role '))).toEqual([
      `role DeveloperRead of ${serviceAccounts.reader} at lsrc-1: there`,
      `role DeveloperRead of ${serviceAccounts.writer} at lsrc-1: there`,
      `role DeveloperWrite of ${serviceAccounts.writer} at lsrc-1: there`,
    ])
  })

  it('lets in nobody with a key of something else, one that was deleted or another secret', async () => {
    const { serviceAccounts } = await byKeys([writer])
    const key = makeKey(serviceAccounts.writer)
    expect(await askAs(makeKey(serviceAccounts.writer, 'lkc-local'))).toBe(401)
    expect(await askAs({ ...key, secret: 'wrong' })).toBe(401)
    expect(await askAs(key)).toBe(200)
    apiKeys.removeKey(key.id)
    expect(await askAs(key)).toBe(401)
  })
})
