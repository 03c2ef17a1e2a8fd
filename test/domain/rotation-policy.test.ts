import { describe, expect, it } from 'vitest'
import { type Policy, policySchema } from '../../shared/domain/policy.ts'
import { defaultRotation, kafkaClock, mskClock, rotationContext } from '../../shared/domain/provider-clock.ts'
import { aCluster, aDirectory, aPolicy, now } from '../fixtures/policies.ts'

type Rotation = Policy['clusters'][string]['rotation']

const contextOf = (rotation: Rotation) => {
  const directory = aDirectory({ clusters: { main: aCluster({ auth: ['scram'], rotation }) } })
  const overrides = directory.clusters.get('main')?.rotation ?? expect.unreachable()
  return rotationContext({ cluster: 'main', principal: 'orders-api' }, { provider: 'kafka', rotation: overrides }, now)
}

const isTaken = (rotation: unknown): boolean =>
  policySchema.safeParse(aPolicy({ clusters: { main: aCluster({ auth: ['scram'], rotation: rotation as Rotation }) } }))
    .success

describe('the rotation of a cluster', () => {
  it('is that of the provider where the policy says nothing', () => {
    for (const rotation of [undefined, {}, { clock: {} }])
      expect(contextOf(rotation)).toMatchObject({ clock: kafkaClock, policy: defaultRotation })
  })

  it('waits on MSK for its 10 minutes', () => {
    const { clock } = rotationContext({ cluster: 'main', principal: 'a' }, { provider: 'msk', rotation: {} }, now)
    expect(clock).toEqual(mskClock)
    expect(clock.propagationSeconds).toBe(600)
  })

  it('is what the policy says, and the provider’s for the rest', () => {
    const context = contextOf({
      every: '90d',
      stuckAfter: 3,
      maxDrain: '60d',
      clock: { propagation: '10m', skew: '0s', lookEvery: '500ms' },
    })
    expect(context.policy).toEqual({ everySeconds: 7_776_000, stuckAfter: 3, maxDrainSeconds: 5_184_000 })
    expect(context.clock).toEqual({ ...kafkaClock, propagationSeconds: 600, skewSeconds: 0, lookEverySeconds: 0.5 })
  })

  it('has a name in the policy for each of the clock’s times', () => {
    const clock = {
      propagation: '1s',
      lookEvery: '1s',
      checkEvery: '1s',
      skew: '1s',
      firstRetry: '1s',
      longestRetry: '1s',
      claim: '1s',
    }
    expect(new Set(Object.values(contextOf({ clock }).clock))).toEqual(new Set([1]))
  })

  it.each([
    ['no unit', { every: '30' }],
    ['a time that is none', { every: '0d' }],
    ['a fraction', { every: '1.5h' }],
    ['a unit that nobody has', { every: '4w' }],
    ['a look without a pause', { clock: { lookEvery: '0s' } }],
    ['a claim of no time', { clock: { claim: '0s' } }],
    ['no time to drain in', { maxDrain: '0s' }],
    ['no failure to be stuck after', { stuckAfter: 0 }],
    ['a time of no meaning', { clock: { patience: '1s' } }],
  ])('is refused with %s', (_, rotation) => {
    expect(isTaken({})).toBe(true)
    expect(isTaken(rotation)).toBe(false)
  })

  it('is of kinds that are named once', () => {
    const withAuth = (auth: unknown) =>
      policySchema.safeParse(aPolicy({ clusters: { main: aCluster({ auth: auth as ['jwt'] }) } })).success
    expect([['jwt'], ['scram'], ['scram', 'jwt']].map(withAuth)).toEqual([true, true, true])
    expect([[], ['scram', 'scram'], ['plain']].map(withAuth)).toEqual([false, false, false])
  })
})
