import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { renderConfluentSetup, setUpConfluent } from '../../cli/confluent.ts'
import { createTellConfluent } from '../../functions/rotate/tell-confluent.ts'
import { type ConfluentControlPlane, startConfluentControlPlane } from '../../local/confluent/control-plane.ts'
import { createIdentities, type Identities } from '../../local/confluent/identity.ts'
import { createManagementApi } from '../../shared/clusters/confluent/management-api.ts'
import { compileDirectory } from '../../shared/domain/directory.ts'
import { identityPoolFor } from '../../shared/domain/identity-pool.ts'
import type { Policy } from '../../shared/domain/policy.ts'

const now = new Date('2026-12-01T00:00:00Z')
const key = { key: 'CLOUDKEY', secret: 'of the platform team' }

const policy: Policy = {
  identities: [{ issuer: 'https://login.example.com/', audience: 'switchboard' }],
  clusters: {
    analytics: { provider: 'confluent', id: 'lkc-local', auth: ['jwt'], admin: { secret: 'admin' } },
    main: { provider: 'kafka', auth: ['jwt'], bootstrap: 'kafka-1:9092', admin: { secret: 'admin' } },
  },
  grants: [
    { principals: ['billing', 'orders-api'], produce: ['kafka://acme/reports/**'] },
    { principals: ['search'], produce: ['kafka://acme/orders/**'] },
    { principals: { labels: { team: 'finance' } }, consume: ['kafka://acme/reports/**'] },
    { principals: ['gone'], consume: ['kafka://acme/reports/**'], until: '2026-01-01' },
  ],
  routes: [
    { channel: 'kafka://acme/reports/**', cluster: 'analytics', topic: 'reports.{path}' },
    { channel: 'kafka://acme/orders/**', cluster: 'main', topic: 'orders.{path}' },
  ],
}

const directoryOf = (changes: Partial<Policy['clusters'][string]> = {}) => {
  const analytics = { ...policy.clusters.analytics, ...changes } as Policy['clusters'][string]
  return compileDirectory({ ...policy, clusters: { ...policy.clusters, analytics } }, 'sha256:x').directory
}

describe('Confluent Cloud', () => {
  let plane: ConfluentControlPlane
  let identities: Identities
  let issuerUrl: string
  let isIssuerUp: boolean
  let poolsFile: string
  let stop: () => Promise<void>
  let lines: string[]

  beforeEach(async () => {
    isIssuerUp = true
    const issuer = createServer((_, response) => {
      response.statusCode = isIssuerUp ? 200 : 503
      response.end(isIssuerUp ? JSON.stringify({ keys: [{ kid: 'first' }] }) : 'down')
    })
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve))
    issuerUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`
    const folder = mkdtempSync(join(tmpdir(), 'confluent-'))
    poolsFile = join(folder, 'pools.json')
    identities = createIdentities(poolsFile)
    const organization = { id: '9bb441c4-0000-4000-8000-00000000000a', environments: [] }
    plane = await startConfluentControlPlane({ organization, cloudKey: key, kafkaKeyOf: () => undefined, identities })
    lines = []
    stop = async () => {
      await plane.stop()
      issuer.closeAllConnections()
      await new Promise((resolve) => issuer.close(resolve))
      rmSync(folder, { recursive: true })
    }
  })
  afterEach(() => stop())

  const setUp = (changes: Partial<Policy['clusters'][string]> = {}, clusterName = 'analytics', with_ = key) =>
    setUpConfluent(directoryOf(changes), clusterName, {
      ...{ issuerUrl, key: with_, url: plane.url, fetch, now },
      report: (line) => void lines.push(line),
    })

  it('gets one provider, and a pool for each principal that a live grant names and leads there', async () => {
    const made = await setUp()
    expect(identities.providers()).toMatchObject([{ id: made.identityProvider, issuer: issuerUrl, kids: ['first'] }])
    expect(Object.keys(made.identityPools)).toEqual(['billing', 'orders-api'])
    expect(identities.pools(made.identityProvider ?? '')).toMatchObject([
      { displayName: 'analytics/sb.billing', filter: expect.stringContaining('claims.sub == "sb.billing"') },
      {
        displayName: 'analytics/sb.orders-api',
        identityClaim: 'claims.sub',
        filter: `claims.aud == "${issuerUrl}/clusters/analytics" && claims.sub == "sb.orders-api"`,
      },
    ])
    expect(renderConfluentSetup(made).join('\n')).toContain(`"orders-api": ${made.identityPools['orders-api']}`)
  })

  it('is set up a second time without a change, and its brokers are told by a file of their own', async () => {
    const first = await setUp()
    lines = []
    expect(await setUp()).toEqual(first)
    expect(lines).toEqual([
      expect.stringMatching(/: there$/),
      expect.stringMatching(/: there$/),
      expect.stringMatching(/: there$/),
      'Confluent has read our keys',
    ])
    expect(plane.requests.filter((each) => each.startsWith('POST'))).toHaveLength(3)
    expect(JSON.parse(readFileSync(poolsFile, 'utf8'))).toHaveLength(2)
    expect(statSync(poolsFile).mode & 0o777).toBe(0o600)
  })

  it('changes the filter of a pool that says something else, under the same id', async () => {
    const first = await setUp()
    const second = await setUp({ audience: 'another' })
    expect(second.identityPools).toEqual(first.identityPools)
    expect(identities.pools(first.identityProvider ?? '')[0]?.filter).toContain('claims.aud == "another"')
    expect(lines.filter((line) => line.endsWith(': changed'))).toHaveLength(2)
  })

  it('waits when it is told to, and does not do twice what it did', async () => {
    const waited: number[] = []
    plane.faults.inject({ kind: 'throttled', calls: 2 })
    const api = createManagementApi({ fetch, url: plane.url, key, wait: async (ms) => void waited.push(ms) })
    expect(await api.list('/iam/v2/identity-providers', {} as never)).toEqual([])
    expect(waited).toHaveLength(2)
  })

  it('finds what was made before it failed half-way', async () => {
    plane.faults.inject({ kind: 'quota', where: '/identity-pools', calls: 1 })
    await expect(setUp()).rejects.toThrow(/answered 402, quota_exceeded, a quota of the organisation is used up/)
    expect(identities.providers()).toHaveLength(1)
    await setUp()
    expect(identities.providers()).toHaveLength(1)
    expect(plane.requests.filter((each) => each === 'POST /iam/v2/identity-providers')).toHaveLength(1)
  })

  it('says what to do about a key that is not known or may not, and never the key', async () => {
    const wrong = { key: 'CLOUDKEY', secret: 'deleted by hand' }
    await expect(setUp({}, 'analytics', wrong)).rejects.toThrow(/answered 401, user_unauthenticated, the Cloud API key/)
    await expect(setUp({}, 'analytics', wrong)).rejects.not.toThrow(/deleted by hand/)
    plane.faults.inject({ kind: 'forbidden' })
    await expect(setUp()).rejects.toThrow(/needs OrganizationAdmin/)
  })

  it('is no cluster of another provider', async () => {
    await expect(setUp({}, 'main')).rejects.toThrow(
      /takes a Confluent cluster of the policy \(`analytics`\), got `main`/,
    )
  })

  const tellOf = (identityProvider: string) =>
    createTellConfluent({
      inForce: async () => ({
        directories: [
          directoryOf(),
          directoryOf({ identityProvider: { id: identityProvider }, cloudKey: { secret: 'the cloud key' } }),
        ],
      }),
      readKey: async (id) => (id === 'the cloud key' ? key : { key: '', secret: '' }),
      ...{ url: plane.url, fetch },
      wait: async () => {},
    })

  it('that cannot read our keys says so when it is told to, and keeps those that it has', async () => {
    const { identityProvider = '' } = await setUp()
    isIssuerUp = false
    await expect(tellOf(identityProvider)()).rejects.toMatchObject({
      name: 'ConfluentError',
      status: 400,
      message: expect.stringContaining(`${identityProvider}/jwks: answered 400, invalid_request`),
    })
    await expect(setUp()).rejects.toThrow(/\/jwks: answered 400.* what was made is found again/)
    expect(identities.providers()[0]?.kids).toEqual(['first'])
    isIssuerUp = true
    await tellOf(identityProvider)()
  })

  it('reads our keys again when it is told of a rotation, once for each provider', async () => {
    const { identityProvider = '' } = await setUp()
    const tell = tellOf(identityProvider)
    const before = plane.requests.length
    expect(await tell()).toEqual([new Set(['first'])])
    expect(plane.requests.slice(before)).toEqual([
      `PATCH /iam/v2/identity-providers/${identityProvider}/jwks`,
      `/iam/v2/identity-providers/${identityProvider}`,
    ])
    plane.faults.inject({ kind: 'internal-error' })
    await expect(tell()).rejects.toMatchObject({ name: 'ConfluentError', status: 500 })
  })

  it('takes no text of a policy for a part of a filter', () => {
    const cluster = directoryOf({ audience: 'a" || claims.sub != "' }).clusters.get('analytics')
    if (cluster?.provider !== 'confluent') throw new Error('expected a Confluent cluster')
    const { filter } = identityPoolFor(cluster, 'orders-api', { issuerUrl, kafkaUserPrefix: 'sb.' })
    expect(filter).toBe('claims.aud == "a\\" || claims.sub != \\"" && claims.sub == "sb.orders-api"')
  })
})
