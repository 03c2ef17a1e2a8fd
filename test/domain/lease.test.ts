import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { afterSeconds, leaseTimes } from '../../shared/domain/lease.ts'
import { now } from '../fixtures/policies.ts'

const limit = (name: string, seconds: number) => ({ name, expiresAt: afterSeconds(now, seconds) })

it('the shortest limit wins and is named; of equal ones the first', () => {
  expect(leaseTimes([limit('a', 600), limit('b', 300), limit('c', 300)], now, 0)).toMatchObject({
    expiresAt: afterSeconds(now, 300),
    limit: 'b',
  })
})

it('without limits a lease lasts an hour', () => {
  expect(leaseTimes([], now, 0)).toMatchObject({ expiresAt: afterSeconds(now, 3600), limit: 'maximum' })
})

it('a client is asked back around half of the lease, spread by a fifth of it', () => {
  expect(leaseTimes([], now, 0).refreshAfter).toEqual(afterSeconds(now, 1440))
  expect(leaseTimes([], now, 0.5).refreshAfter).toEqual(afterSeconds(now, 1800))
  expect(leaseTimes([], now, 1).refreshAfter).toEqual(afterSeconds(now, 2160))
})

it('a lease ends on a whole second, at or before every limit, and is refreshed before it ends', () => {
  const seconds = fc.double({ min: 0, max: 10_000, noNaN: true })
  fc.assert(
    fc.property(
      fc.array(seconds),
      fc.integer({ min: 0, max: 999 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (limits, ms, jitter) => {
        const at = new Date(now.getTime() + ms)
        const { expiresAt, refreshAfter } = leaseTimes(
          limits.map((after, index) => ({ name: `${index}`, expiresAt: afterSeconds(at, after) })),
          at,
          jitter,
        )
        expect(expiresAt.getTime() % 1000).toBe(0)
        for (const after of [...limits, 3600]) expect(expiresAt <= afterSeconds(at, after)).toBe(true)
        expect(refreshAfter >= at).toBe(true)
        if (expiresAt > at) expect(refreshAfter <= expiresAt).toBe(true)
      },
    ),
  )
})
