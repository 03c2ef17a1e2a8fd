import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { canonicalJson } from '../../shared/domain/canonical-json.ts'

/** The same value with its members written in another order. */
const reordered = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(reordered)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reordered(member)]),
  )
}

it('is JSON that says the same', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

it('does not depend on the order of members', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(canonicalJson(reordered(value))).toBe(canonicalJson(value))
    }),
  )
})

it('is another text for another value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const same =
        JSON.stringify(reordered(JSON.parse(canonicalJson(a)))) ===
        JSON.stringify(reordered(JSON.parse(canonicalJson(b))))
      expect(canonicalJson(a) === canonicalJson(b)).toBe(same)
    }),
  )
})

it('leaves out what is undefined, as JSON does', () => {
  expect(canonicalJson({ b: undefined, a: [undefined, { c: undefined }] })).toBe('{"a":[null,{}]}')
})
