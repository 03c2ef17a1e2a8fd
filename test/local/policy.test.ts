import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { clientsOf, renderPolicy } from '../../local/policy.ts'
import { policySchema } from '../../shared/domain/policy.ts'
import { aStack } from './a-stack.ts'

const example = readFileSync(new URL('../../examples/policy.yaml', import.meta.url), 'utf8')
const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
const places = { ...aStack(), certificate }

test('the example policy is a valid policy as it stands', () => {
  expect(policySchema.safeParse(parse(example)).error).toBeUndefined()
})

test('the rendered policy is valid and leads to the local stack', () => {
  const rendered = policySchema.parse(parse(renderPolicy(example, places)))
  expect(rendered.identities[0]).toMatchObject({ issuer: 'http://127.0.0.1:20002' })
  expect(rendered.clusters.payments).toMatchObject({
    ca: certificate,
    admin: { secret: places.clusters.payments.admin.secretArn },
    listeners: [
      { network: 'vpc-local', bootstrap: '127.0.0.1:20003', security: 'SASL_PLAINTEXT' },
      { network: 'public', bootstrap: '127.0.0.1:20004', security: 'SASL_SSL' },
    ],
  })
  expect(rendered.clusters.analytics?.listeners?.map(({ bootstrap }) => bootstrap)).toEqual([
    '127.0.0.1:20005',
    '127.0.0.1:20006',
  ])
})

test('a crawl of the rendered policy looks at the simulated control planes', () => {
  const { crawl } = policySchema.parse(parse(renderPolicy(example, places)))
  const { cloud, kafka, registry } = places.confluent.secrets
  expect(crawl).toEqual({
    aws: { provider: 'msk', regions: ['eu-west-1'] },
    confluent: { provider: 'confluent', secret: cloud, keys: { 'lkc-local': kafka, 'lsrc-local': registry } },
  })
})

test('a Confluent cluster of a policy is the simulated one, beside the others', () => {
  const confluent = `  confluent:
    provider: confluent
    id: lkc-abc123
    auth: [jwt]
    admin: { secret: "of the platform team" }
    identityProvider: { id: op-1 }
    identityPools: { orders-api: pool-1 }
`
  const policy = example.replace('clusters:\n', `clusters:\n${confluent}`)
  const { secrets, bootstrap } = places.confluent
  expect(policySchema.parse(parse(renderPolicy(policy, places))).clusters.confluent).toMatchObject({
    id: 'lkc-local',
    bootstrap,
    admin: { secret: secrets.kafka },
    environment: 'env-local',
    cloudKey: { secret: secrets.cloud },
    identityProvider: { id: 'op-1' },
    identityPools: { 'orders-api': 'pool-1' },
  })
  const other = policy.replace('  confluent:\n', '  lab:\n')
  expect(() => renderPolicy(other, places)).toThrow('calls its Confluent cluster analytics or confluent')
})

test('a listener that is for IAM is the one of the local cluster that MSK shows', () => {
  const policy = parse(example)
  policy.clusters.analytics = {
    provider: 'msk',
    arn: 'arn:aws:kafka:eu-west-1:111122223333:cluster/analytics/0d0c0b0a-1111-2222-3333-444455556666-7',
    auth: ['msk-iam', 'scram'],
    admin: { secret: 'of the platform team' },
    listeners: [
      { name: 'iam', network: 'public', bootstrap: 'b-1-public.analytics:9198', auth: ['msk-iam'] },
      { name: 'users', network: 'public', bootstrap: 'b-1-public.analytics:9196', auth: ['scram'] },
    ],
  }
  const { analytics } = policySchema.parse(parse(renderPolicy(stringify(policy), places))).clusters
  expect(analytics).toMatchObject({
    arn: places.msk.clusterArn,
    listeners: [{ bootstrap: places.clusters.analytics.iam }, { bootstrap: places.clusters.analytics.outside }],
  })
  expect(places.clusters.analytics.iam).toBeDefined()
})

test('rendering changes addresses, certificates and secrets and nothing else', () => {
  const written = parse(example)
  const rendered = parse(renderPolicy(example, places))
  for (const part of ['profiles', 'grants', 'routes']) expect(rendered[part]).toEqual(written[part])
  expect(rendered.identities[0].principal).toBe(written.identities[0].principal)
  expect(JSON.stringify(rendered)).not.toContain('acme.internal')
  expect(JSON.stringify(rendered.clusters)).not.toContain('acme.com')
})

test('the callers that need a secret are those that the policy names as clients', () => {
  expect(clientsOf(example)).toEqual(['legacy-billing'])
  expect(clientsOf('identities: []')).toEqual([])
})

test('the rendered policy keeps the comments of the example', () => {
  expect(renderPolicy(example, places)).toContain('# 4. Who may do what.')
})

test('a policy with a cluster that the local stack does not run is refused by name', () => {
  const policy = example.replace('  analytics:\n', '  lab:\n')
  expect(() => renderPolicy(policy, places)).toThrow('the policy names `lab`')
})

test('a policy with a network that the local stack does not have is refused by name', () => {
  const policy = example.replace('network: vpc-local', 'network: vpc-0a1b')
  expect(() => renderPolicy(policy, places)).toThrow('not `vpc-0a1b`')
})
