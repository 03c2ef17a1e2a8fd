import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Form, parseForm } from '../../shared/http/form.ts'

const asObject = (form: Form): Record<string, string> => Object.fromEntries(form)

const parsed = (text: string): Record<string, string> | string => {
  const found = parseForm(text)
  return found.ok ? asObject(found.value) : found.detail
}

const broken = 'parameters hold a percent-encoding that is broken or not UTF-8'
const bare = 'parameters hold characters that are not percent-encoded'
const twice = 'a parameter is sent more than once'

/** Text that has a UTF-8 form. */
const anyText = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => text.isWellFormed())

describe('a form', () => {
  test('comes back as it was encoded, without what is empty', () => {
    fc.assert(
      fc.property(fc.dictionary(anyText, anyText), (wanted) => {
        const found = parsed(new URLSearchParams(wanted).toString())
        expect(found).toEqual(Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== '')))
      }),
    )
  })

  test('means the same to the parser of browsers, whatever it takes', () => {
    const anyForm = fc.oneof(
      fc.string({ unit: fc.constantFrom('a', 'b', '=', '&', '+', '%', '4', '1', 'c', '3', 'é', '\n', ';') }),
      fc.string({ unit: 'binary-ascii' }),
    )
    let taken = 0
    fc.assert(
      fc.property(anyForm, (text) => {
        const found = parseForm(text)
        if (!found.ok) return
        taken++
        // it drops one `?` at the beginning
        const lenient = [...new URLSearchParams(`?${text}`)]
        expect(new Set(lenient.map(([name]) => name)).size).toBe(lenient.length)
        expect(asObject(found.value)).toEqual(Object.fromEntries(lenient.filter(([, value]) => value !== '')))
      }),
      { numRuns: 5_000 },
    )
    expect(taken).toBeGreaterThan(500)
  })

  test('never has a name twice, in whatever spelling', () => {
    const spelled = (name: string) =>
      fc
        .array(fc.boolean(), { minLength: name.length, maxLength: name.length })
        .map((encoded) =>
          [...name].map((char, at) => (encoded[at] ? `%${char.charCodeAt(0).toString(16)}` : char)).join(''),
        )
    fc.assert(
      fc.property(spelled('scope'), spelled('scope'), fc.constantFrom('', '=', '=x'), (one, other, value) => {
        expect(parsed(`${one}=kafka:main&x=1&${other}${value}`)).toBe(twice)
      }),
    )
  })

  test.each([
    ['', {}],
    ['&&', {}],
    ['a', {}],
    ['a=', {}],
    ['a=b=c', { a: 'b=c' }],
    ['a=1+2%2B3', { a: '1 2+3' }],
    ['a=%C3%A9', { a: 'é' }],
    [
      '__proto__=x&constructor=y',
      Object.fromEntries([
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ]),
    ],
    ['a=%', broken],
    ['a=%f', broken],
    ['a=%fg', broken],
    ['a=%ff', broken],
    ['%c3=a', broken],
    ['a=%ed%a0%80', broken],
    ['a=é', bare],
    ['a=b\n', bare],
    ['a=b c', bare],
    ['a=1&a=1', twice],
    ['a=&a=', twice],
  ])('`%s` is %j', (text, expected) => {
    expect(parsed(text)).toEqual(expected)
  })
})
