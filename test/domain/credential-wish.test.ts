import { describe, expect, it } from 'vitest'
import { credentialWish } from '../../shared/domain/credential-wish.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { aCluster, aDirectory, aPrincipal, now } from '../fixtures/policies.ts'

const orders = 'kafka://acme/orders/**'
const team = { principals: { labels: { team: 'payments' } }, produce: [orders] }
const named = { principals: ['billing'], consume: [orders] }
const wish = (grants: Policy['grants'], labels = {}, changes: Partial<Policy> = {}) =>
  credentialWish(
    aDirectory({ clusters: { main: aCluster({ auth: ['scram'] }) }, grants, ...changes }),
    'main',
    aPrincipal('billing', labels),
    now,
  )

describe('whether a principal is to have a stored credential on a cluster', () => {
  it.each([
    { what: 'a grant names it', found: wish([named]), expected: 'named' },
    { what: 'a grant of its labels', found: wish([team], { team: 'payments' }), expected: 'when asked for' },
    {
      what: 'a grant of its labels and one that names it',
      found: wish([team, named], { team: 'payments' }),
      expected: 'named',
    },
    { what: 'a grant of other labels', found: wish([team], { team: 'finance' }), expected: 'none' },
    { what: 'no grant', found: wish([]), expected: 'none' },
    { what: 'a grant that has ended', found: wish([{ ...named, until: '2026-01-01' }]), expected: 'none' },
    {
      what: 'a grant that leads nowhere',
      found: wish([{ ...named, consume: ['kafka://other/orders/**'] }]),
      expected: 'none',
    },
    {
      what: 'a cluster that takes tokens only',
      found: wish([named], {}, { clusters: { main: aCluster({ auth: ['jwt'] }) } }),
      expected: 'none',
    },
  ])('$what: $expected', ({ found, expected }) => {
    expect(found).toBe(expected)
  })
})
