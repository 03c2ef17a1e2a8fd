import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maximumSessionPolicy } from '../../shared/domain/msk-session-policy.ts'
import type { IamPolicy } from '../fixtures/iam-simulation.ts'
import { checkSession } from '../fixtures/msk-session-checks.ts'
import { anyWorld, decisionIn, sessionIn, withEveryChannel } from '../fixtures/msk-sessions.ts'

const anything: IamPolicy = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'kafka-cluster:*', Resource: '*' }],
}

const isRefusedPolicy = (world: Parameters<typeof decisionIn>[0]): boolean => {
  const decision = decisionIn(world)
  return decision.outcome === 'deny' && decision.reason === 'no_session_policy'
}

describe('a session policy', () => {
  it('allows exactly what was asked for and is granted, whatever the grants and routes', () => {
    const seen = { sessions: 0, allowed: 0, denied: 0, withDenials: 0, refused: 0 }
    fc.assert(
      fc.property(anyWorld, (world) => {
        if (isRefusedPolicy(world)) seen.refused += 1
        const checked = checkSession(world, anything)
        if (checked === undefined) return
        const text = sessionIn(world)?.text ?? ''
        seen.sessions += 1
        seen.allowed += checked.allowed
        seen.denied += checked.denied
        seen.withDenials += Number(text.includes('"Deny"'))
        expect({ wrong: checked.wrong.slice(0, 5), text }).toMatchObject({ wrong: [] })
        expect(text.length).toBeLessThanOrEqual(maximumSessionPolicy)
      }),
      { numRuns: 2_500, seed: 8 },
    )
    expect(seen.sessions).toBeGreaterThan(500)
    expect(seen.allowed).toBeGreaterThan(5_000)
    expect(seen.denied).toBeGreaterThan(50_000)
    expect(seen.withDenials).toBeGreaterThan(50)
    // what IAM cannot say is refused, and is seldom asked for
    expect(seen.refused).toBeLessThan(seen.sessions / 5)
  })

  it('that would be too long says more than was asked for, and never more than is granted', () => {
    const seen = { sessions: 0, wider: 0, refused: 0 }
    fc.assert(
      fc.property(anyWorld, (narrow) => {
        const world = withEveryChannel(narrow)
        fc.pre(world !== undefined)
        if (isRefusedPolicy(world)) seen.refused += 1
        const checked = checkSession(world, anything, false)
        if (checked === undefined) return
        const text = sessionIn(world)?.text ?? ''
        seen.sessions += 1
        seen.wider += Number((checkSession(world, anything)?.wrong.length ?? 0) > 0)
        expect({ wrong: checked.wrong.slice(0, 5), text }).toMatchObject({ wrong: [] })
        expect(text.length).toBeLessThanOrEqual(maximumSessionPolicy)
      }),
      { numRuns: 250, seed: 9 },
    )
    expect(seen.sessions).toBeGreaterThan(60)
    expect(seen.wider).toBeGreaterThan(10)
  })
})
