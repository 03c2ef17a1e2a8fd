import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { waitBeforeRetry } from '../../shared/inventory/backoff.ts'
import { SourceError } from '../../shared/inventory/cluster-source.ts'
import { callsIn, virtualTime } from './virtual-time.ts'

const unavailable = new SourceError('unavailable', 'answered 500')
const fraction = fc.double({ min: 0, max: 1, noNaN: true })

describe('a wait', () => {
  test('is never longer than the budget has left, and never shorter than the other side asks for', () => {
    const options = fc.record({
      tries: fc.integer({ min: 1, max: 50 }),
      elapsedMs: fc.nat(200_000),
      budgetMs: fc.nat(200_000),
      random: fraction,
      retryAfterMs: fc.option(fc.nat(120_000), { nil: undefined }),
    })
    fc.assert(
      fc.property(options, ({ retryAfterMs, ...tried }) => {
        const error = new SourceError('throttled', 'too many', { retryAfterMs })
        const ms = waitBeforeRetry({ ...tried, error })
        if (ms === undefined) return
        expect(ms).toBeGreaterThanOrEqual(retryAfterMs ?? 0)
        expect(tried.elapsedMs + ms).toBeLessThanOrEqual(tried.budgetMs + 1)
        if (retryAfterMs === undefined) expect(ms).toBeLessThanOrEqual(20_000)
      }),
    )
  })

  test.each(['denied', 'gone', 'looped', 'too_large', 'unexpected'] as const)('never follows `%s`', (code) => {
    const error = new SourceError(code, 'no')
    expect(waitBeforeRetry({ tries: 1, elapsedMs: 0, budgetMs: 90_000, error, random: 0.5 })).toBeUndefined()
  })

  test('follows what is malformed twice', () => {
    const error = new SourceError('malformed', 'half of it')
    const waitAfter = (tries: number) => waitBeforeRetry({ tries, elapsedMs: 0, budgetMs: 90_000, error, random: 1 })

    expect([1, 2, 3].map(waitAfter)).toEqual([500, 1_000, undefined])
  })
})

describe('calls', () => {
  test('outlast a control plane that answers 500 for a minute', async () => {
    const time = virtualTime()
    const upAt = time.now() + 60_000
    const { call } = callsIn(time)
    const answer = () =>
      call('the clusters', async () => {
        if (time.now() < upAt) throw unavailable
        return 'clusters'
      })

    for (let at = 0; at < 50; at++) expect(await answer()).toBe('clusters')
    expect(time.waits.length).toBeLessThan(100)
  })

  test('give up when it is longer', async () => {
    const time = virtualTime()
    const startedAt = time.now()
    await expect(callsIn(time).call('the clusters', () => Promise.reject(unavailable))).rejects.toBe(unavailable)
    expect(time.now() - startedAt).toBeLessThanOrEqual(90_000)
    expect(time.now() - startedAt).toBeGreaterThan(60_000)
  })

  test('wait as long as they are told, all of them', async () => {
    const time = virtualTime()
    const { call } = callsIn(time)
    const startedAt = time.now()
    let asked = 0
    await call('a', async () => {
      if (asked++ === 0) throw new SourceError('throttled', '429', { retryAfterMs: 30_000 })
    })
    expect(time.now() - startedAt).toBeGreaterThanOrEqual(30_000)
  })

  test('ask nothing while there is a pause, and nothing at all when it is longer than their budget', async () => {
    const time = virtualTime()
    const { call, pause } = callsIn(time)
    pause(20_000)
    const startedAt = time.now()
    await call('a', async () => {})
    expect(time.now() - startedAt).toBeGreaterThanOrEqual(20_000)

    pause(3_600_000)
    let asked = 0
    await expect(call('a', async () => void asked++)).rejects.toMatchObject({ code: 'throttled' })
    expect(asked).toBe(0)
  })

  test('give up a connection that says nothing', async () => {
    const { call } = callsIn(virtualTime(), { timeoutMs: 20, budgetMs: 5 })
    const silent = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

    await expect(call('the clusters', silent)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the clusters: no answer in 20 ms',
    })
  })

  test('do not hide a mistake of ours', async () => {
    const mistake = new TypeError('undefined is not a function')
    await expect(callsIn(virtualTime()).call('a', () => Promise.reject(mistake))).rejects.toBe(mistake)
  })
})
