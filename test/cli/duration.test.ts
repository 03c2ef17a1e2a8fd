import { expect, test } from 'vitest'
import { duration } from '../../cli/duration.ts'

test.each([
  [-5_000, '0s'],
  [59_999, '59s'],
  [60_000, '1m 00s'],
  [3_599_000, '59m 59s'],
  [3_600_000, '1h 00m'],
  [86_399_000, '23h 59m'],
  [30 * 86_400_000 + 3_600_000, '30d 1h'],
])('%i ms are %s', (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text)
})
