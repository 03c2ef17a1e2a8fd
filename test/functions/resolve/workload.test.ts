import { describe, expect, it } from 'vitest'
import { compileDirectory } from '../../../shared/domain/directory.ts'
import { principalUsers } from '../../../shared/domain/kafka-users.ts'
import { type Policy, policySchema } from '../../../shared/domain/policy.ts'
import { checkPolicy } from '../../../shared/domain/policy-checks.ts'
import { warnAboutPolicy } from '../../../shared/domain/policy-warnings.ts'
import { decideToken, reachOf } from '../../../shared/domain/reach.ts'
import { aPolicy, aPrincipal, now } from '../../fixtures/policies.ts'
import { aSwitchboard } from './a-switchboard.ts'

type WrittenCluster = Policy['clusters'][string]

const cloud: WrittenCluster = {
  provider: 'confluent',
  id: 'lkc-abc123',
  auth: ['workload'],
  workload: { audience: 'https://confluent.cloud/oidc', region: 'eu-west-1' },
  bootstrap: 'pkc-xyz.eu-west-1.aws.confluent.cloud:9092',
  admin: { secret: 'admin' },
  identityPools: { 'orders-api': 'pool-3c4d' },
}
const grants = [{ principals: ['orders-api', 'newcomer'], produce: ['kafka://acme/orders/**'] }]
const policyWith = (changes: Partial<WrittenCluster> = {}) =>
  aPolicy({ clusters: { main: { ...cloud, ...changes } }, grants })
const ofAws = {
  'sasl.mechanism': 'OAUTHBEARER',
  'sasl.oauthbearer.method': 'oidc',
  'sasl.oauthbearer.metadata.authentication.type': 'aws_iam',
  'sasl.oauthbearer.config': 'region=eu-west-1,audience=https://confluent.cloud/oidc',
  'sasl.oauthbearer.extensions': 'logicalCluster=lkc-abc123,identityPoolId=pool-3c4d',
}
const created = (family?: string) => ({
  produce: ['kafka://acme/orders/created'],
  client: { instance: 'pod-1', ...(family === undefined ? {} : { family }) },
})
const aStack = async (changes: Partial<WrittenCluster> = {}) => {
  const stack = await aSwitchboard({ policy: policyWith(changes) })
  await stack.prepare('orders-api')
  return stack
}

describe('a cluster that trusts the issuer of an AWS account', () => {
  it('has librdkafka told how it gets tokens by itself, and nothing is made', async () => {
    const { resolve, leases } = await aStack()
    const { status, body, text } = await resolve(created('librdkafka'))
    expect(status).toBe(200)
    expect(body.connections).toMatchObject([{ properties: ofAws, credential: { kind: 'workload' } }])
    expect(text).not.toContain('eyJ')
    // who comes back would get the same
    expect(await leases.list('orders-api', now)).toMatchObject([{ credentialExpiresAt: 'never' }])
  })

  it('has a file for librdkafka without a secret, whoever asks for it', async () => {
    const { resolve } = await aStack()
    const { status, body } = await resolve(created(), {
      headers: { accept: 'application/vnd.librdkafka+json' },
    })
    expect(status).toBe(200)
    expect(body).toMatchObject({ ...ofAws, 'bootstrap.servers': cloud.bootstrap })
    expect(Object.keys(body).filter((name) => /token|secret|password|username/.test(name))).toEqual([])
  })

  it.each([undefined, 'java', 'javascript'])('lets nobody in by it who could not get one: %s', async (family) => {
    const { resolve } = await aStack()
    const { status, body } = await resolve(created(family))
    expect([status, body.code]).toEqual([400, 'invalid_intent'])
    const { resolve: another } = await aStack({
      auth: ['workload', 'api-key'],
      environment: 'env-1',
      cloudKey: { secret: 'cloud' },
      serviceAccounts: { 'orders-api': 'sa-1' },
    })
    expect((await another(created(family))).body.code).toBe('credential_not_ready')
  })

  it('is given no token of ours, by the token endpoint either', () => {
    const { directory } = compileDirectory(policyWith(), '')
    const principal = aPrincipal('orders-api')
    const context = { directory, denied: [], now, jitter: 0 }
    expect(decideToken(principal, 'main', reachOf(directory, principal, now), context)).toMatchObject({
      outcome: 'deny',
      rule: 5,
      reason: 'no_token',
    })
  })

  it('knows nobody who has no pool, and says so', async () => {
    const { resolve, telemetry } = await aStack()
    const { status, headers } = await resolve(created('librdkafka'), { as: 'newcomer' })
    expect([status, headers['retry-after']]).toEqual([503, '60'])
    expect(telemetry.audits.at(-1)).toMatchObject({ outcome: 'deny', rule: 5, reason: 'no_identity_pool' })
    const { directory } = compileDirectory(policyWith(), '')
    expect(warnAboutPolicy(directory, now).map(({ path, detail }) => `${path.join('.')}: ${detail}`)).toContainEqual(
      'clusters.main.identityPools: `newcomer` cannot log in there: no identity pool; make one for its role, of the issuer of its AWS account',
    )
  })

  it('keeps the ACLs of a pool for as long as it takes such tokens', () => {
    const usersWith = (auth: WrittenCluster['auth']) => {
      const cluster = compileDirectory(policyWith({ auth }), '').directory.clusters.get('main')
      return cluster && principalUsers(cluster, 'sb.', 'orders-api', undefined)
    }
    expect(usersWith(['workload'])).toEqual([{ user: 'pool-3c4d', hasAccess: true }])
    expect(usersWith(['api-key'])).toEqual([{ user: 'pool-3c4d', hasAccess: false }])
  })
})

describe('a policy with tokens of AWS', () => {
  const check = (changes: Partial<WrittenCluster>): readonly string[] => {
    const policy = policyWith(changes)
    const { directory } = compileDirectory(policy, '')
    return checkPolicy(policy, directory).map(({ path, detail }) => `${path.join('.')}: ${detail}`)
  }
  const withoutWorkload = { workload: undefined }

  it('passes', () => {
    expect(policySchema.safeParse(policyWith()).error).toBeUndefined()
    expect(check({})).toEqual([])
  })

  it('says what they are for, and is for nothing else', () => {
    const said = 'allowed: `workload` there and `workload: { audience, region }`, or neither'
    expect(check(withoutWorkload)).toEqual([
      `clusters.main.workload: \`auth\` of the Confluent cluster \`main\` is \`workload\`; ${said}`,
    ])
    expect(check({ auth: ['jwt'] })).toEqual([
      `clusters.main.workload: \`auth\` of the Confluent cluster \`main\` is \`jwt\`; ${said}`,
    ])
  })

  it('has no pool of two issuers', () => {
    expect(check({ auth: ['jwt', 'workload'] })).toEqual([
      'clusters.main.auth: `auth` of the Confluent cluster `main` is `jwt`, `workload`; allowed: `jwt` or `workload`, as an identity pool is of one issuer',
    ])
  })

  it('is for no other provider', () => {
    expect(check({ provider: 'kafka', id: undefined, identityPools: undefined })).toEqual([
      'clusters.main.workload: the provider of `main` is `kafka`; allowed: `workload` beside `provider: confluent`',
      'clusters.main.auth: the provider of `main` is `kafka`; allowed: `workload` beside `provider: confluent`',
    ])
  })

  it.each(['a,b', 'a b', ''])('has an audience that a setting can hold, and not `%s`', (audience) => {
    expect(policySchema.safeParse(policyWith({ workload: { audience, region: 'eu-west-1' } })).success).toBe(false)
  })
})
