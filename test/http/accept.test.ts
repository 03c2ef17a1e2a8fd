import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { negotiate } from '../../shared/http/accept.ts'

const json = 'application/json'
const java = 'text/x-java-properties'
const librdkafka = 'application/vnd.librdkafka+json'
const offered = [json, java, librdkafka] as const

const chosen = (accept: string | undefined): string => {
  try {
    return negotiate(accept, offered)
  } catch (error) {
    if (error instanceof SwitchboardError) return error.code
    throw error
  }
}

describe('the representation of an answer', () => {
  it.each([
    [undefined, json],
    ['*/*', json],
    ['application/*', json],
    ['text/*', java],
    ['TEXT/X-Java-Properties', java],
    [`${java}; charset=iso-8859-1`, java],
    [librdkafka, librdkafka],
    // what is named closely beats what is taken too
    [`${java}, */*`, java],
    [`*/*, ${librdkafka}`, librdkafka],
    // weights decide first, whatever the order
    [`${json};q=0.2, ${java};q=0.7, ${librdkafka};q=0.5`, java],
    [`${java};q=0.5, ${json}`, json],
    [`text/*;q=0.9, ${json}; q=0.8`, java],
    [`*/*;q=0.1, ${json};q=0`, java],
    [`application/*;q=0, ${librdkafka}`, librdkafka],
    [`${json};q=0.000, text/html, */*;q=0.001`, java],
  ])('of `%s` is `%s`', (accept, type) => {
    expect(chosen(accept)).toBe(type)
  })

  it.each(['', 'text/html', 'application', '*', 'application/xml, image/*', `${json};q=0`, '*/*;q=0.0', ';q=1', ',,,'])(
    'of `%s` is none',
    (accept) => {
      expect(chosen(accept)).toBe('not_acceptable')
    },
  )

  it('is one that was offered, or none, whatever the header says', () => {
    const range = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom(...offered, '*/*', 'text/*', 'a/b'), fc.string())
        .map(([type, more]) => `${type};${more}`),
    )
    fc.assert(
      fc.property(fc.array(range), (ranges) => {
        expect([...offered, 'not_acceptable']).toContain(chosen(ranges.join(',')))
      }),
    )
  })

  it('says what there is to who takes none of it', () => {
    expect(() => negotiate('text/html', offered)).toThrow(
      `this endpoint answers \`${json}\`, \`${java}\`, \`${librdkafka}\``,
    )
  })
})
