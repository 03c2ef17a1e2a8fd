import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { SourceError } from '../../shared/inventory/cluster-source.ts'
import { type Page, pagesOf } from '../../shared/inventory/pages.ts'

const all = async (pages: AsyncIterable<Page<string>>): Promise<readonly string[]> => {
  const items: string[] = []
  for await (const page of pages) items.push(...page.items)
  return items
}
const walk = (call: (token: string | undefined) => Page<string>, changes: object = {}) =>
  all(pagesOf({ what: 'the topics', call: async (token) => call(token), keyOf: (item: string) => item, ...changes }))

/** Pages by position; a token is the position that comes next. */
const paged =
  (list: readonly string[], size: number) =>
  (token: string | undefined): Page<string> => {
    const at = Number(token ?? 0)
    return { items: list.slice(at, at + size), next: at + size < list.length ? String(at + size) : undefined }
  }

const names = fc.uniqueArray(fc.string({ unit: 'grapheme' }), { maxLength: 60 })
const sizes = fc.integer({ min: 1, max: 20 })

test('pages of any size are walked to the end, and every item comes once', async () => {
  await fc.assert(
    fc.asyncProperty(names, sizes, async (list, size) => {
      expect(await walk(paged(list, size))).toEqual(list)
    }),
  )
})

test('a walk that was cut off after any page goes on after it', async () => {
  await fc.assert(
    fc.asyncProperty(names, sizes, fc.nat(60), async (list, size, cutAfter) => {
      const call = paged(list, size)
      const first: string[] = []
      let from: string | undefined
      let pages = 0
      for await (const page of pagesOf({
        what: 'x',
        call: async (token) => call(token),
        keyOf: (item: string) => item,
      })) {
        first.push(...page.items)
        from = page.next
        if (pages++ >= cutAfter) break
      }
      const rest = from === undefined ? [] : await walk(call, { from })

      expect([...first, ...rest]).toEqual(list)
    }),
  )
})

test('whatever tokens and pages the other side makes up, a walk ends, and gives nothing twice', async () => {
  const token = fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { nil: undefined })
  const page = fc.record({ items: fc.array(fc.constantFrom('p', 'q', 'r', 's')), next: token })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(page, fc.constant('refused' as const)), { minLength: 1 }), async (script) => {
      let calls = 0
      const seen: string[] = []
      const pages = pagesOf({
        what: 'x',
        keyOf: (item: string) => item,
        call: async () => {
          const answer = script[calls++ % script.length]
          if (answer === undefined || answer === 'refused')
            throw new SourceError('unexpected', 'the token is not taken', { isTokenRefused: true })
          return answer
        },
      })
      try {
        for await (const { items } of pages) seen.push(...items)
      } catch (error) {
        expect(error).toBeInstanceOf(SourceError)
      }

      expect(new Set(seen).size).toBe(seen.length)
      expect(calls).toBeLessThanOrEqual(3 * 6 + 3)
    }),
  )
})

test('a token that expired begins the listing again, as often as twice', async () => {
  const list = Array.from({ length: 3_000 }, (_, at) => `topic-${at}`)
  const answer = paged(list, 100)
  const refuseAt = (positions: readonly string[]) => {
    const left = [...positions]
    return (token: string | undefined) => {
      if (token !== undefined && left[0] === token) {
        left.shift()
        throw new SourceError('unexpected', 'expired', { isTokenRefused: true })
      }
      return answer(token)
    }
  }

  expect(await walk(refuseAt(['2500', '2900']))).toEqual(list)
  await expect(walk(refuseAt(['2500', '2900', '100']))).rejects.toMatchObject({ code: 'unexpected' })
})

test.each([
  { how: 'repeats', next: (token: string | undefined) => token ?? 'a', code: 'looped' },
  { how: 'loops', next: (token: string | undefined) => ({ a: 'b', b: 'c' })[token ?? ''] ?? 'a', code: 'looped' },
  { how: 'is as long as a page', next: () => 'a'.repeat(10_000), code: 'malformed' },
])('a token that $how ends the listing', async ({ next, code }) => {
  let at = 0
  const call = (token: string | undefined) => ({ items: [`topic-${at++}`], next: next(token) })

  await expect(walk(call)).rejects.toMatchObject({ code })
})

test('pages that bring nothing new end the listing, a few of them do not', async () => {
  const endless = (token: string | undefined) => ({ items: ['a'], next: String(Number(token ?? 0) + 1) })
  await expect(walk(endless)).rejects.toMatchObject({
    code: 'looped',
    message: 'the topics: 21 pages brought nothing new',
  })

  const sparse = (token: string | undefined): Page<string> => {
    const at = Number(token ?? 0)
    return { items: at % 15 === 0 ? [`topic-${at}`] : [], next: at < 45 ? String(at + 1) : undefined }
  }
  expect(await walk(sparse)).toEqual(['topic-0', 'topic-15', 'topic-30', 'topic-45'])
})

test('more than we take is not taken', async () => {
  const call = paged(
    Array.from({ length: 300 }, (_, at) => String(at)),
    100,
  )
  await expect(walk(call, { mostItems: 250 })).rejects.toMatchObject({ code: 'too_large' })
})
