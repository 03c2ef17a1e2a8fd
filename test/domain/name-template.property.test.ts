import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { canMeet, fixedStart, nameShape, onlyName } from '../../shared/domain/name-template.ts'

const letters = ['a', 'b', '.'] as const

const textsOf = (length: number): readonly string[] =>
  length === 0 ? [''] : textsOf(length - 1).flatMap((head) => letters.map((letter) => `${head}${letter}`))
/** Every text of up to 8 letters: longer than two templates of the test need to meet. */
const everyText = [1, 2, 3, 4, 5, 6, 7, 8].flatMap(textsOf)

const part = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...letters) }, fc.constant('{x}'))
const template = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''))

/** The texts of a template, told with a regular expression and nothing of the code under test. */
const expressionOf = (text: string): RegExp => new RegExp(`^${text.replaceAll('.', '\\.').replaceAll('{x}', '.+')}$`)

test('two templates can meet exactly when some text is a name of both', () => {
  fc.assert(
    fc.property(template, template, (a, b) => {
      const [left, right] = [expressionOf(a), expressionOf(b)]
      const meets = everyText.some((text) => left.test(text) && right.test(text))
      expect(canMeet(nameShape(a), nameShape(b))).toBe(meets)
    }),
    { numRuns: 300 },
  )
})

test('every name of a template starts with its fixed start, and a template without references is its only name', () => {
  fc.assert(
    fc.property(template, fc.constantFrom(...letters), (text, letter) => {
      const shape = nameShape(text)
      expect(text.replaceAll('{x}', letter).startsWith(fixedStart(shape))).toBe(true)
      expect(onlyName(shape)).toBe(text.includes('{x}') ? undefined : text)
    }),
  )
})

test('what a reference is known to be stands in its place, and a `*` in it is open', () => {
  const role = nameShape('aws.{roleName}', { roleName: 'svc-*' })
  expect(fixedStart(role)).toBe('aws.svc-')
  expect(canMeet(role, nameShape('aws.svc-'))).toBe(true)
  expect(canMeet(role, nameShape('aws.job-{x}'))).toBe(false)
})
