import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPager } from '../../local/msk/paging.ts'

const page = createPager(100, () => undefined)
const keyOf = (text: string) => text

const walk = (lists: readonly (readonly string[])[], size: number): readonly string[] => {
  const seen: string[] = []
  let token: string | undefined
  for (let at = 0; ; at++) {
    const query = new URLSearchParams({ maxResults: String(size), ...(token !== undefined && { nextToken: token }) })
    const { items, nextToken } = page(lists[Math.min(at, lists.length - 1)] ?? [], keyOf, { scope: 's', query })
    expect(items.length).toBeLessThanOrEqual(size)
    seen.push(...items)
    token = nextToken
    if (token === undefined) return seen
  }
}

const names = fc.uniqueArray(fc.string({ unit: 'grapheme' }), { maxLength: 40 })

test('pages of any size hold every item once, in the order of keys', () => {
  fc.assert(
    fc.property(names, fc.integer({ min: 1, max: 100 }), (list, size) => {
      expect(walk([list], size)).toEqual([...list].sort((a, b) => (a < b ? -1 : 1)))
    }),
  )
})

test('what comes or goes between two pages neither hides nor repeats what stays', () => {
  fc.assert(
    fc.property(names, names, fc.integer({ min: 1, max: 10 }), (before, after, size) => {
      const seen = walk([before, after], size)
      const stayed = before.filter((name) => after.includes(name))

      expect(new Set(seen).size).toBe(seen.length)
      expect(seen).toEqual(expect.arrayContaining(stayed))
    }),
  )
})

test('no token but one of this server for this call is taken', () => {
  fc.assert(
    fc.property(fc.string(), (nextToken) => {
      const query = new URLSearchParams({ nextToken })
      expect(() => page(['a'], keyOf, { scope: 's', query })).toThrow('The nextToken value is not valid.')
    }),
  )
  const { nextToken = '' } = page(['a', 'b'], keyOf, { scope: 's', query: new URLSearchParams({ maxResults: '1' }) })
  const again = { scope: 's', query: new URLSearchParams({ nextToken }) }
  expect(page(['a', 'b'], keyOf, again).items).toEqual(['b'])
  expect(() => page(['a', 'b'], keyOf, { ...again, scope: 'other' })).toThrow(/nextToken/)
  expect(() => createPager(100, () => undefined)(['a', 'b'], keyOf, again)).toThrow(/nextToken/)
})
