import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compareUses,
  latestUses,
  type RecordedUse,
  recordedDays,
  type UsedLease,
  useKey,
  useOfLease,
  usesOfRecorded,
} from '../../shared/domain/use.ts'
import { aDirectory, now } from '../fixtures/policies.ts'

const days = (count: number): Date => new Date(now.getTime() + count * 86_400_000)

const aLease = (given: Partial<UsedLease> = {}): UsedLease => ({
  principal: 'orders-api',
  intent: { produce: ['kafka://acme/b', 'kafka://acme/a', 'kafka://acme/a'], group: 'orders' },
  clusters: ['other', 'main'],
  directory: 'sha256:in-force',
  issuedAt: days(-3),
  expiresAt: days(1),
  ...given,
})

const aUse = (given: Partial<RecordedUse> = {}): RecordedUse => ({
  principal: 'orders-api',
  asked: { produce: ['kafka://acme/a'], consume: [] },
  clusters: ['main'],
  until: now,
  ...given,
})

const byKey = (uses: readonly RecordedUse[]) => new Map(uses.map((use) => [useKey(use), use]))

describe('what a lease was for', () => {
  test('is what was asked and where it led, in one order, until its end', () => {
    expect(useOfLease(aLease(), 'sha256:in-force', now)).toEqual({
      principal: 'orders-api',
      asked: { produce: ['kafka://acme/a', 'kafka://acme/b'], consume: [] },
      clusters: ['main', 'other'],
      until: days(1),
    })
  })

  test('of a token is the cluster of the token', () => {
    expect(useOfLease(aLease({ intent: { token: 'main' } }), undefined, now).asked).toEqual({ token: 'main' })
  })

  test('without end lasts as long as its caller is answered under the policy in force, and else was when it began', () => {
    const lease = aLease({ expiresAt: 'never' })

    expect(useOfLease(lease, 'sha256:in-force', now).until).toEqual(now)
    expect(useOfLease(lease, 'sha256:later', now).until).toEqual(days(-3))
  })

  test('is nothing, and no failure, for an intent that no version of ours wrote', () => {
    for (const intent of [undefined, null, 'text', { produce: 'kafka://acme/a' }])
      expect(useOfLease(aLease({ intent }), undefined, now).asked).toEqual({ produce: [], consume: [] })
  })
})

describe('what is on record', () => {
  test('is written for a use that is new, and once a day for one that goes on', () => {
    const recorded = [aUse({ until: now })]
    const writtenFor = (until: Date) => compareUses(recorded, byKey([aUse({ until })]), now).write

    expect(compareUses([], byKey([aUse()]), now).write).toEqual([aUse()])
    expect(writtenFor(new Date(days(1).getTime() - 1))).toEqual([])
    expect(writtenFor(days(1))).toEqual([aUse({ until: days(1) })])
  })

  test('never goes back to an earlier end', () => {
    expect(compareUses([aUse()], byKey([aUse({ until: days(-5) })]), now).write).toEqual([])
  })

  test('goes when nobody repeated it for longer than what is needed once a year', () => {
    const old = aUse({ until: days(-recordedDays - 1) })
    const kept = aUse({ principal: 'yearly', until: days(-recordedDays) })

    expect(compareUses([old, kept], new Map(), now).remove).toEqual([old])
    expect(compareUses([old], byKey([aUse()]), now).remove).toEqual([])
  })

  test('says, whatever leases come in whatever order, of each use an end that is at most a day too early', async () => {
    const lease = fc.record({
      principal: fc.constantFrom('a', 'b'),
      channel: fc.constantFrom('kafka://acme/x', 'kafka://acme/y'),
      end: fc.integer({ min: -40, max: 40 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(lease, { maxLength: 8 }), { maxLength: 5 }), async (runs) => {
        const store = new Map<string, RecordedUse>()
        const latest = new Map<string, number>()
        for (const run of runs) {
          const uses = run.map(({ principal, channel, end }) =>
            aUse({ principal, asked: { produce: [channel], consume: [] }, until: days(end / 4) }),
          )
          for (const use of uses)
            latest.set(useKey(use), Math.max(latest.get(useKey(use)) ?? Number.NEGATIVE_INFINITY, use.until.getTime()))
          const { write, remove } = compareUses(store.values(), await latestUses(uses), now)
          for (const use of write) store.set(useKey(use), use)
          for (const use of remove) store.delete(useKey(use))
        }
        expect([...store.keys()].sort()).toEqual([...latest.keys()].sort())
        for (const [key, end] of latest) {
          const until = store.get(key)?.until.getTime() ?? 0
          expect(until).toBeLessThanOrEqual(end)
          expect(end - until).toBeLessThan(86_400_000)
        }
      }),
    )
  })
})

describe('a recorded use in the catalog', () => {
  const directory = aDirectory({
    grants: [
      { principals: ['orders-api'], produce: ['kafka://acme/orders/**'] },
      { principals: { labels: { team: 'orders' } }, consume: ['kafka://acme/audit'] },
    ],
  })
  const shown = (use: RecordedUse, labels = {}) =>
    usesOfRecorded(use, directory, labels).map(({ action, channels }) => `${action} ${channels.text}`)

  test('is one for each channel that was asked for', () => {
    const asked = { produce: ['kafka://acme/orders/a'], consume: ['kafka://acme/orders/*'] }

    expect(shown(aUse({ asked }))).toEqual(['produce kafka://acme/orders/a', 'consume kafka://acme/orders/*'])
  })

  test('of a token is all that the grants of its holder give, also by the labels it was last seen with', () => {
    const use = aUse({ asked: { token: 'main' } })

    expect(shown(use)).toEqual(['produce kafka://acme/orders/**'])
    expect(shown(use, { team: 'orders' })).toEqual(['produce kafka://acme/orders/**', 'consume kafka://acme/audit'])
  })

  test('leaves out what is no channel', () => {
    expect(shown(aUse({ asked: { produce: ['http://acme', 'kafka://acme/x'], consume: [] } }))).toEqual([
      'produce kafka://acme/x',
    ])
  })
})
