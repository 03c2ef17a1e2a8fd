import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { decide } from '../../shared/domain/decide.ts'
import { compileDirectory } from '../../shared/domain/directory.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { aDirectory, anIntent, aPolicy, aPrincipal, now, revoked } from '../fixtures/policies.ts'
import { anyChannel, anyPattern, everyChannel, hasChannel } from '../fixtures/small-universe.ts'

type GrantText = Policy['grants'][number]

const routes: Policy['routes'] = [
  { channel: 'kafka://acme/**', cluster: 'main', topic: 'acme.{**}' },
  { channel: 'kafka://beta.io/**', cluster: 'main', topic: 'beta.{**}' },
]
const principal = aPrincipal('p', { team: 'x' })

const anyUntil = fc
  .oneof(fc.integer({ min: -5_000, max: 7_200_000 }), fc.integer({ min: -100, max: 2_000 }))
  .map((after) => new Date(now.getTime() + after).toISOString())

const grantFor = (principals: fc.Arbitrary<GrantText['principals']>): fc.Arbitrary<GrantText> =>
  fc
    .record({
      principals,
      produce: fc.array(anyPattern(), { minLength: 1, maxLength: 2 }),
      consume: fc.array(anyPattern(), { minLength: 1, maxLength: 2 }),
      maxLease: fc.option(
        fc.integer({ min: 1, max: 9_000 }).map((seconds) => `${seconds}s`),
        { nil: undefined },
      ),
      until: fc.option(anyUntil, { nil: undefined }),
    })
    .map(({ maxLease, until, ...grant }) => ({
      ...grant,
      ...(maxLease === undefined ? {} : { maxLease }),
      ...(until === undefined ? {} : { until }),
    }))

const ours = fc.constantFrom<GrantText['principals']>(['p'], ['q', 'p'], { labels: { team: 'x' } })
const others = fc.constantFrom<GrantText['principals']>(['q'], ['pp'], { labels: { team: 'y' } })

const anyIntent = fc
  .record({
    produce: fc.uniqueArray(anyChannel, { maxLength: 3 }),
    consume: fc.uniqueArray(fc.oneof(anyChannel, anyPattern()), { maxLength: 3 }),
  })
  .filter(({ produce, consume }) => produce.length + consume.length > 0)

type AnyIntent = { readonly produce: readonly string[]; readonly consume: readonly string[] }

const deciding = (grants: readonly GrantText[], intent: AnyIntent, at = now, jitter = 0.5) =>
  decide(principal, anIntent({ ...intent }), {
    directory: aDirectory({ grants: [...grants], routes }),
    denied: [],
    now: at,
    jitter,
  })

it('without a grant of its own a principal gets nothing, whatever others have', () => {
  fc.assert(
    fc.property(fc.array(grantFor(others), { maxLength: 5 }), anyIntent, (grants, intent) => {
      expect(deciding(grants, intent)).toMatchObject({ outcome: 'deny', rule: 2, reason: 'no_grant' })
    }),
  )
})

it('what is allowed is allowed channel by channel by a grant that is held and has not ended', () => {
  fc.assert(
    fc.property(fc.array(grantFor(fc.oneof(ours, others)), { maxLength: 5 }), anyIntent, (grants, intent) => {
      const isAllowed = (action: 'produce' | 'consume', channel: string): boolean =>
        grants.some(
          ({ principals, until, ...grant }) =>
            (Array.isArray(principals) ? principals.includes('p') : principals.labels.team === 'x') &&
            (until === undefined || new Date(until) > now) &&
            grant[action]?.some((pattern) => hasChannel(pattern, channel)),
        )
      const asked = (['produce', 'consume'] as const).flatMap((action) =>
        intent[action].flatMap((name) =>
          everyChannel.filter((channel) => hasChannel(name, channel)).map((channel) => ({ action, channel })),
        ),
      )
      const missing = asked.filter(({ action, channel }) => !isAllowed(action, channel))
      if (missing.length > 0) expect(deciding(grants, intent).outcome).toBe('deny')
    }),
    { numRuns: 250 },
  )
})

it('grants that are added never take anything away', () => {
  fc.assert(
    fc.property(
      fc.array(grantFor(ours), { minLength: 1, maxLength: 3 }),
      fc.array(grantFor(fc.oneof(ours, others)), { maxLength: 3 }),
      fc.array(grantFor(fc.oneof(ours, others)), { maxLength: 3 }),
      anyIntent,
      (grants, before, after, intent) => {
        if (deciding(grants, intent).outcome !== 'allow') return
        expect(deciding([...before, ...grants, ...after], intent).outcome).toBe('allow')
      },
    ),
    { numRuns: 250 },
  )
})

it('grants of others change nothing at all', () => {
  fc.assert(
    fc.property(
      fc.array(grantFor(ours), { maxLength: 3 }),
      fc.array(grantFor(others), { maxLength: 3 }),
      anyIntent,
      (grants, unrelated, intent) => {
        expect(deciding([...grants, ...unrelated], intent)).toEqual(deciding(grants, intent))
      },
    ),
  )
})

it('the order of the channels does not matter for who gets what', () => {
  fc.assert(
    fc.property(fc.array(grantFor(ours), { maxLength: 4 }), anyIntent, (grants, intent) => {
      const outcome = ({ produce, consume }: AnyIntent) => {
        const decision = deciding(grants, { produce, consume })
        if (decision.outcome === 'deny') return 'deny'
        return {
          expiresAt: decision.times.expiresAt,
          given: decision.connections
            .flatMap(({ admissions }) => admissions.map(({ action, asked, grant }) => [action, asked, grant.index]))
            .sort(),
        }
      }
      const reversed = { produce: intent.produce.toReversed(), consume: intent.consume.toReversed() }
      expect(outcome(reversed)).toEqual(outcome(intent))
    }),
  )
})

it('a lease ends after now, within an hour, and outlives no grant that it rests on', () => {
  const atSomeMillisecond = fc.integer({ min: 0, max: 999 }).map((ms) => new Date(now.getTime() + ms))
  fc.assert(
    fc.property(
      fc.array(grantFor(ours), { minLength: 1, maxLength: 4 }),
      anyIntent,
      atSomeMillisecond,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (grants, intent, at, jitter) => {
        const decision = deciding(grants, intent, at, jitter)
        if (decision.outcome === 'deny') return
        const { expiresAt, refreshAfter } = decision.times
        expect(expiresAt.getTime()).toBeGreaterThan(at.getTime())
        expect(expiresAt.getTime()).toBeLessThanOrEqual(at.getTime() + 3_600_000)
        expect(expiresAt.getTime() % 1000).toBe(0)
        expect(refreshAfter.getTime()).toBeGreaterThanOrEqual(at.getTime())
        expect(refreshAfter.getTime()).toBeLessThanOrEqual(expiresAt.getTime())
        for (const { grant } of decision.connections.flatMap(({ admissions }) => admissions)) {
          const { maxLease, until } = grants[grant.index] ?? {}
          if (maxLease !== undefined)
            expect(expiresAt.getTime()).toBeLessThanOrEqual(at.getTime() + Number.parseInt(maxLease, 10) * 1000)
          if (until !== undefined) expect(expiresAt.getTime()).toBeLessThanOrEqual(new Date(until).getTime())
        }
      },
    ),
    { numRuns: 1000 },
  )
})

it('a denied principal gets nothing', () => {
  fc.assert(
    fc.property(fc.array(grantFor(ours), { maxLength: 4 }), anyIntent, (grants, intent) => {
      const { directory } = compileDirectory(aPolicy({ grants, routes }), '')
      const denied = [revoked('x'), revoked('p')]
      const decision = decide(principal, anIntent({ ...intent }), { directory, denied, now, jitter: 0 })
      expect(decision).toMatchObject({ outcome: 'deny', rule: 1 })
    }),
  )
})
