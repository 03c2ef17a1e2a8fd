import { describe, expect, it } from 'vitest'
import { decide } from '../../shared/domain/decide.ts'
import { compileDirectory } from '../../shared/domain/directory.ts'
import type { Facts } from '../../shared/domain/facts.ts'
import { possibleUsers, principalUsers } from '../../shared/domain/kafka-users.ts'
import { type Policy, policySchema } from '../../shared/domain/policy.ts'
import { checkPolicy } from '../../shared/domain/policy-checks.ts'
import { warnAboutPolicy } from '../../shared/domain/policy-warnings.ts'
import { decideToken, reachOf } from '../../shared/domain/reach.ts'
import { inDialect, renderJavaProperties, renderLibrdkafka } from '../../shared/http/client-file.ts'
import { renderConnection } from '../../shared/http/connection.ts'
import { anIntent, aPolicy, aPrincipal, now } from '../fixtures/policies.ts'

type WrittenCluster = Policy['clusters'][string]

const confluent: WrittenCluster = {
  provider: 'confluent',
  id: 'lkc-abc123',
  auth: ['jwt'],
  bootstrap: 'pkc-1.eu-west-1.aws.confluent.cloud:9092',
  admin: { secret: 'admin' },
  cloudKey: { secret: 'cloud' },
  identityProvider: { id: 'op-1' },
  identityPools: { 'orders-api': 'pool-1' },
}
const reports = { channel: 'kafka://acme/reports/**', cluster: 'cloud', topic: 'reports.{path}' }
const daily = 'kafka://acme/reports/daily'
const named = { principals: ['orders-api', 'billing'], produce: ['kafka://acme/reports/**'] }

const policyWith = (changes: Partial<WrittenCluster> = {}, rest: Partial<Policy> = {}): Policy => {
  const { clusters, routes } = aPolicy()
  const cloud = { ...confluent, ...changes }
  return aPolicy({ clusters: { ...clusters, cloud }, routes: [reports, ...routes], grants: [named], ...rest })
}
const directoryWith = (changes: Partial<WrittenCluster> = {}, rest: Partial<Policy> = {}, facts?: Facts) =>
  compileDirectory(policyWith(changes, rest), 'sha256:test', facts === undefined ? {} : { facts }).directory

const context = { directory: directoryWith(), denied: [], now, jitter: 0.5 }
const told = (path: readonly PropertyKey[], detail: string): string => `${path.join('.')}: ${detail}`

describe('a principal on Confluent Cloud', () => {
  it('is told whose cluster it is and who it is there, in the words of every family', () => {
    const principal = aPrincipal('orders-api')
    const intent = anIntent({ produce: [daily] })
    const decision = decide(principal, intent, context)
    if (decision.outcome === 'deny' || decision.connections[0] === undefined) throw new Error('expected a connection')
    const settings = renderConnection(decision.connections[0], principal, intent)
    const extensions = { logicalCluster: 'lkc-abc123', identityPoolId: 'pool-1' }
    expect(inDialect(settings, 'javascript')).toMatchObject({ cluster: { provider: 'confluent' }, extensions })
    const endpoint = { tokenEndpointUrl: 'https://switchboard.acme.com/v1/token', scope: 'kafka:cloud' }
    const secret = { kind: 'client_credentials', ...endpoint, clientId: 'orders-api', clientSecret: 's3cret' } as const
    const assertion = { kind: 'jwt-bearer', ...endpoint, assertionFile: '/run/token' } as const
    for (const source of [secret, assertion]) {
      expect(renderJavaProperties(settings, source)).toMatch(
        /^sasl\.jaas\.config=\S+ required .*extension_logicalCluster="lkc-abc123" extension_identityPoolId="pool-1";$/m,
      )
      expect(renderLibrdkafka(settings, source)).toMatchObject({
        'sasl.oauthbearer.extensions': 'logicalCluster=lkc-abc123,identityPoolId=pool-1',
      })
    }
  })

  it('is sent no extensions elsewhere', () => {
    const principal = aPrincipal('orders-api')
    const intent = anIntent({ produce: ['kafka://acme/orders/created'] })
    const grants = [{ principals: ['orders-api'], produce: ['kafka://acme/**'] }]
    const decision = decide(principal, intent, { ...context, directory: directoryWith({}, { grants }) })
    if (decision.outcome === 'deny' || decision.connections[0] === undefined) throw new Error('expected a connection')
    expect(renderConnection(decision.connections[0], principal, intent)).not.toHaveProperty('extensions')
  })

  it('is its identity pool to the ACLs, and nobody of the prefix', () => {
    const cloud = context.directory.clusters.get('cloud')
    const main = context.directory.clusters.get('main')
    if (cloud === undefined || main === undefined) throw new Error('expected both clusters')
    expect([possibleUsers(cloud, 'sb.', 'orders-api'), possibleUsers(cloud, 'sb.', 'billing')]).toEqual([
      ['pool-1'],
      [],
    ])
    expect(possibleUsers(main, 'sb.', 'orders-api')).toContain('sb.orders-api')
    expect(principalUsers(cloud, 'sb.', 'orders-api', undefined)).toEqual([{ user: 'pool-1', hasAccess: true }])
  })

  it('gets no lease and no token without a pool, for a token would be nobody there', () => {
    const billing = aPrincipal('billing')
    const refused = { outcome: 'deny', rule: 5 }
    expect(decide(billing, anIntent({ produce: [daily] }), context)).toEqual({
      ...refused,
      reason: 'no_identity_pool',
      pointer: '',
    })
    const reach = reachOf(context.directory, billing, now)
    expect(decideToken(billing, 'cloud', reach, context)).toMatchObject({ ...refused, reason: 'no_token' })
    const orders = aPrincipal('orders-api')
    expect(decideToken(orders, 'cloud', reachOf(context.directory, orders, now), context).outcome).toBe('allow')
  })

  it('without a network that there is, is told that and not of pools', () => {
    const intent = anIntent({ produce: [daily], network: 'vpc-nowhere' })
    expect(decide(aPrincipal('billing'), intent, context)).toMatchObject({ reason: 'no_access_path' })
  })
})

describe('a Confluent cluster of a policy', () => {
  const check = (changes: Partial<WrittenCluster>, rest: Partial<Policy> = {}): readonly string[] => {
    const policy = policyWith(changes, rest)
    return checkPolicy(policy, compileDirectory(policy, '').directory).map(({ path, detail }) => told(path, detail))
  }

  it('passes', () => {
    expect(check({})).toEqual([])
    expect(policySchema.safeParse(policyWith()).error).toBeUndefined()
  })

  it.each([
    ['an id of something else', { id: 'pkc-1' }],
    ['a provider that is none', { identityProvider: { id: 'provider' } }],
    ['a pool that is none', { identityPools: { 'orders-api': 'sa-1' } }],
    ['several pools for one', { identityPools: { 'orders-api': 'pool-1,pool-2' } }],
    ['neither listeners nor a crawl', { provider: 'kafka' as const, bootstrap: undefined }],
  ])('is no policy with %s', (_, changes) => {
    expect(policySchema.safeParse(policyWith(changes)).success).toBe(false)
  })

  it('needs an id, and takes tokens and API keys alone', () => {
    expect(check({ id: undefined, auth: ['jwt', 'scram'] })).toEqual([
      'clusters.cloud: the Confluent cluster `cloud` has no `id`; allowed: such as `lkc-abc123`',
      'clusters.cloud.auth: `auth` of the Confluent cluster `cloud` is `jwt`, `scram`; allowed: `jwt`, `workload`, `api-key`',
    ])
  })

  it('needs to know where API keys are made, and by whose', () => {
    const keys = { auth: ['api-key' as const], serviceAccounts: { 'orders-api': 'sa-1' } }
    expect(check({ ...keys, environment: 'env-1' })).toEqual([])
    expect(check({ ...keys, cloudKey: undefined })).toEqual([
      'clusters.cloud: the Confluent cluster `cloud` takes `api-key` and has no `environment`; allowed: such as `env-abc1`',
      'clusters.cloud: the Confluent cluster `cloud` takes `api-key` and has no `cloudKey`; allowed: `cloudKey: { secret: <name or ARN> }`, without it nobody can make API keys',
    ])
  })

  it('gives no two principals one service account', () => {
    expect(check({ serviceAccounts: { 'orders-api': 'sa-1', billing: 'sa-1' } })).toEqual([
      'clusters.cloud.serviceAccounts.billing: the service account `sa-1` is that of `orders-api`; allowed: one of its own, as whoever shares a service account has all that the other has',
    ])
  })

  it('is the only one that takes API keys', () => {
    const { clusters } = aPolicy()
    const main = { ...clusters.main, provider: 'kafka' as const, auth: ['api-key' as const] }
    expect(check({}, { clusters: { main, cloud: confluent } })).toEqual([
      'clusters.main.auth: the provider of `main` is `kafka`; allowed: `api-key` beside `provider: confluent`',
    ])
  })

  it('gives no two principals one pool', () => {
    expect(check({ identityPools: { 'orders-api': 'pool-1', billing: 'pool-1' } })).toEqual([
      'clusters.cloud.identityPools.billing: the pool `pool-1` is that of `orders-api`; allowed: one of its own, as whoever shares a pool has all that the other has',
    ])
  })

  it('is the only one that has an id, a provider and pools', () => {
    expect(check({ provider: 'kafka' })).toEqual(
      ['id', 'cloudKey', 'identityProvider', 'identityPools'].map(
        (member) =>
          `clusters.cloud.${member}: the provider of \`cloud\` is \`kafka\`; allowed: \`${member}\` beside \`provider: confluent\``,
      ),
    )
  })

  it('takes no quota', () => {
    const quota = { produceBytesPerSecond: 1_000 }
    const elsewhere = { principals: ['orders-api'], produce: ['kafka://acme/orders/**'], quota }
    expect(check({}, { grants: [named, elsewhere] })).toEqual([])
    expect(check({}, { grants: [{ ...named, quota }] })).toEqual([
      'grants.0.quota: a route leads to the cluster `cloud`, where Confluent Cloud takes no quotas; allowed: a grant of its own for the channels that lead elsewhere',
    ])
  })

  it('warns of principals that grants lead there and that have no pool', () => {
    expect(warnAboutPolicy(context.directory, now).map(({ path, detail }) => told(path, detail))).toContain(
      'clusters.cloud.identityPools: `billing` cannot log in there: no identity pool; make them with `switchboard confluent setup`',
    )
  })

  it('has the listeners that a crawl found under its id, where the policy says none', () => {
    const listener = { name: 'PUBLIC', network: 'public', bootstrap: 'pkc-2:9092', security: 'SASL_SSL' } as const
    const facts: Facts = { clusters: { 'lkc-abc123': { listeners: [listener] } } }
    expect(directoryWith({ bootstrap: undefined }, {}, facts).clusters.get('cloud')?.listeners).toEqual([listener])
  })
})
