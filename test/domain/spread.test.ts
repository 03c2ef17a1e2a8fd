import { expect, it } from 'vitest'
import { spread } from '../../shared/domain/spread.ts'

it('names that differ in their end only are spread evenly, and the same every time', () => {
  const buckets = Array.from({ length: 8 }, () => 0)
  for (let index = 0; index < 8_000; index++) {
    const place = spread('shard', 'main', `orders-${index}`)
    expect(place).toBe(spread('shard', 'main', `orders-${index}`))
    expect(place).toBeGreaterThanOrEqual(0)
    expect(place).toBeLessThan(1)
    const bucket = Math.floor(place * 8)
    buckets[bucket] = (buckets[bucket] ?? 0) + 1
  }
  for (const size of buckets) expect(size).toBeGreaterThan(800)
})

it('what the same names are spread for makes a difference', () => {
  const places = Array.from({ length: 200 }, (_, index) => [
    Math.floor(spread('shard', 'main', `p${index}`) * 8),
    Math.floor(spread('jitter', 'main', `p${index}`) * 8),
  ])
  const equal = places.filter(([shard, jitter]) => shard === jitter).length
  expect(equal).toBeLessThan(60)
})
