import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import { compileDirectory } from '../../../shared/domain/directory.ts'
import { identityPoolFor } from '../../../shared/domain/identity-pool.ts'
import type { Policy } from '../../../shared/domain/policy.ts'
import { aPolicy, now } from '../../fixtures/policies.ts'
import { aSwitchboard, issuerUrl } from './a-switchboard.ts'

const cloud: Policy['clusters'][string] = {
  provider: 'confluent',
  id: 'lkc-abc123',
  auth: ['jwt'],
  bootstrap: 'pkc-xyz.eu-west-1.aws.confluent.cloud:9092',
  admin: { secret: 'admin' },
  identityProvider: { id: 'op-1a2b' },
  identityPools: { 'orders-api': 'pool-3c4d' },
}
const policy = aPolicy({
  clusters: { main: cloud },
  grants: [{ principals: ['orders-api', 'newcomer'], produce: ['kafka://acme/orders/**'] }],
})
const created = { produce: ['kafka://acme/orders/created'], client: { instance: 'pod-1' } }

describe('resolve for a cluster of Confluent Cloud', () => {
  it('hands out a token that the filter of the principal’s own pool takes, and whose it is there', async () => {
    const { resolve, prepare } = await aSwitchboard({ policy })
    await prepare('orders-api')
    const { status, body } = await resolve(created)
    expect(status).toBe(200)
    const { connections } = body as unknown as {
      readonly connections: readonly { readonly extensions: unknown; readonly credential: { readonly token: string } }[]
    }
    expect(connections[0]?.extensions).toEqual({ logicalCluster: 'lkc-abc123', identityPoolId: 'pool-3c4d' })
    const claims = decodeJwt(connections[0]?.credential.token ?? '')
    const cluster = compileDirectory(policy, '').directory.clusters.get('main')
    if (cluster?.provider !== 'confluent') throw new Error('expected a Confluent cluster')
    const filterOf = (principal: string) =>
      identityPoolFor(cluster, principal, { issuerUrl, kafkaUserPrefix: 'sb.' })
        .filter.split(' && ')
        .map((term) => /^claims\.(\w+) == (".*")$/.exec(term))
        .map((term) => [term?.[1] ?? '', JSON.parse(term?.[2] ?? '""')])
    expect(claims).toMatchObject(Object.fromEntries(filterOf('orders-api')))
    expect(claims).not.toMatchObject(Object.fromEntries(filterOf('newcomer')))
  })

  it('has nobody without a pool wait for a token that would be nobody there, and audits why', async () => {
    const { resolve, leases, telemetry } = await aSwitchboard({ policy })
    const { status, body, headers, text } = await resolve(created, { as: 'newcomer' })
    expect([status, body.code, body.retryable, headers['retry-after']]).toEqual([503, 'unavailable', true, '60'])
    expect(text).not.toMatch(/pool|Confluent/)
    expect(telemetry.audits.at(-1)).toMatchObject({
      event: 'decision',
      outcome: 'deny',
      principal: 'newcomer',
      rule: 5,
      reason: 'no_identity_pool',
    })
    expect(await leases.list('newcomer', now)).toEqual([])
  })
})
