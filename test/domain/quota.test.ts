import { describe, expect, it } from 'vitest'
import { computeQuota } from '../../shared/domain/granted-quota.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { policySchema } from '../../shared/domain/policy.ts'
import { mergeQuota } from '../../shared/domain/quota.ts'
import { aCluster, aDirectory, aPolicy, now } from '../fixtures/policies.ts'

type Grant = Policy['grants'][number]

const orders = 'kafka://acme/orders/**'
const quotaOf = (...grants: readonly Grant[]) =>
  computeQuota(aDirectory({ grants: [...grants] }), 'main', { name: 'billing', labels: { team: 'payments' } }, now)
const grant = (quota: Grant['quota'], more: Partial<Grant> = {}): Grant => ({
  principals: ['billing'],
  produce: [orders],
  consume: [orders],
  ...(quota && { quota }),
  ...more,
})

describe('the quota of a principal on a cluster', () => {
  it('is what its grant says, each rate by itself', () => {
    expect(quotaOf(grant({ produceBytesPerSecond: 10 }))).toEqual({ produceBytesPerSecond: 10 })
    expect(quotaOf(grant({ produceBytesPerSecond: 10, consumeBytesPerSecond: 20 }))).toEqual({
      produceBytesPerSecond: 10,
      consumeBytesPerSecond: 20,
    })
    expect(quotaOf(grant(undefined))).toEqual({})
  })

  it('is the smallest of several grants, by name or by labels, and one that says nothing lifts none', () => {
    const byLabels = { principals: { labels: { team: 'payments' } } }
    const grants = [
      grant({ produceBytesPerSecond: 10, consumeBytesPerSecond: 20 }),
      grant({ produceBytesPerSecond: 30, consumeBytesPerSecond: 5 }, byLabels),
      grant(undefined),
    ]
    const smallest = { produceBytesPerSecond: 10, consumeBytesPerSecond: 5 }
    expect(quotaOf(...grants)).toEqual(smallest)
    expect(quotaOf(...grants.toReversed())).toEqual(smallest)
  })

  it.each<[string, Partial<Grant>]>([
    ['has ended', { until: '2026-01-01' }],
    ['is of somebody else', { principals: ['orders-api'] }],
    ['is of other labels', { principals: { labels: { team: 'other' } } }],
    ['leads to no route', { produce: ['kafka://other/**'], consume: ['kafka://other/**'] }],
  ])('does not count a grant that %s', (_, more) => {
    expect(quotaOf(grant({ produceBytesPerSecond: 10 }, more))).toEqual({})
  })

  it('does not count a rate of what the grant does not allow', () => {
    const { consume: _, ...producing } = grant({ produceBytesPerSecond: 10, consumeBytesPerSecond: 20 })
    expect(quotaOf(producing)).toEqual({ produceBytesPerSecond: 10 })
  })

  it('is of the clusters that the grant leads to', () => {
    const directory = aDirectory({
      clusters: { main: aCluster(), other: aCluster() },
      grants: [grant({ produceBytesPerSecond: 10 })],
    })
    expect(computeQuota(directory, 'other', { name: 'billing', labels: {} }, now)).toEqual({})
  })

  it('of two policies is the wider, and none where one has none', () => {
    expect(mergeQuota([{ produceBytesPerSecond: 1 }, { produceBytesPerSecond: 2, consumeBytesPerSecond: 3 }])).toEqual({
      produceBytesPerSecond: 2,
    })
    expect(mergeQuota([{ consumeBytesPerSecond: 3 }])).toEqual({ consumeBytesPerSecond: 3 })
  })

  it.each([
    {},
    { produceBytesPerSecond: 0 },
    { produceBytesPerSecond: 1.5 },
    { produceBytesPerSecond: '1' },
    { bytes: 1 },
  ])('is refused as %j', (quota) => {
    const accepts = (each: unknown) =>
      policySchema.safeParse({ ...aPolicy(), grants: [{ ...grant(undefined), quota: each }] })
    expect(accepts({ consumeBytesPerSecond: 1 }).success).toBe(true)
    expect(accepts(quota).success).toBe(false)
  })
})
