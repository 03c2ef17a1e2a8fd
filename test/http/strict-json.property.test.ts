import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maximumDepth, parseStrictJson } from '../../shared/http/strict-json.ts'

/** JSON as a text has it: members in order, the same name as often as one likes. */
type Node =
  | { readonly kind: 'leaf'; readonly text: string }
  | { readonly kind: 'array'; readonly items: readonly Node[] }
  | { readonly kind: 'object'; readonly members: readonly (readonly [name: string, node: Node])[] }

const names = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('a', 'b', '', 'a/b', '~', '__proto__', 'constructor', '0', '{', 'ü') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
)
const leaves = fc
  .oneof(
    fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '\\"', '{"a":1,"a":2}', '\\\\', '\u2028'),
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
  )
  .map((value): Node => ({ kind: 'leaf', text: JSON.stringify(value) }))

const { node } = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.oneof(
    { maxDepth: maximumDepth + 3, withCrossShrink: true },
    leaves,
    fc.array(tie('node'), { maxLength: 3 }).map((items): Node => ({ kind: 'array', items })),
    fc.array(fc.tuple(names, tie('node')), { maxLength: 3 }).map((members): Node => ({ kind: 'object', members })),
  ),
}))

/** A chain of arrays and objects around something. */
const nested = fc
  .tuple(fc.array(fc.boolean(), { maxLength: maximumDepth + 3 }), node)
  .map(([shells, inner]) =>
    shells.reduce<Node>(
      (within, isArray) =>
        isArray ? { kind: 'array', items: [within] } : { kind: 'object', members: [['x', within]] },
      inner,
    ),
  )

const inEscapes = (name: string): string =>
  `"${[...Array(name.length).keys()].map((at) => `\\u${name.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`

/** Spelled with `pick` where JSON leaves a choice: white space, and escapes in names. */
const spell = (node: Node, pick: (count: number) => number, isEscaped: (name: string) => boolean): string => {
  const space = (): string => ['', '', ' ', '\n\t', '\r\n'][pick(5)] ?? ''
  const spelled = (name: string): string => (isEscaped(name) ? inEscapes(name) : JSON.stringify(name))
  const write = (each: Node): string => {
    switch (each.kind) {
      case 'leaf':
        return `${space()}${each.text}${space()}`
      case 'array':
        return `[${space()}${each.items.map(write).join(',')}${space()}]`
      case 'object':
        return `{${space()}${each.members.map(([name, value]) => `${spelled(name)}${space()}:${write(value)}`).join(`,${space()}`)}}`
    }
  }
  return `${space()}${write(node)}${space()}`
}

const depthOf = (node: Node): number => {
  switch (node.kind) {
    case 'leaf':
      return 0
    case 'array':
      return 1 + Math.max(0, ...node.items.map(depthOf))
    case 'object':
      return 1 + Math.max(0, ...node.members.map(([, value]) => depthOf(value)))
  }
}

/** Pointers to every second, third, ... member of one name. */
const duplicates = (node: Node, at = ''): readonly string[] => {
  switch (node.kind) {
    case 'leaf':
      return []
    case 'array':
      return node.items.flatMap((item, index) => duplicates(item, `${at}/${index}`))
    case 'object':
      return node.members.flatMap(([name, value], index) => {
        const pointer = `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
        const isSecond = node.members.slice(0, index).some(([other]) => other === name)
        return [...(isSecond ? [pointer] : []), ...duplicates(value, pointer)]
      })
  }
}

/** What the text says, not what a parser makes of it. */
const valueSaidBy = (node: Node): unknown => {
  switch (node.kind) {
    case 'leaf':
      return JSON.parse(node.text)
    case 'array':
      return node.items.map(valueSaidBy)
    case 'object': {
      const object = {}
      for (const [name, value] of node.members)
        Object.defineProperty(object, name, {
          value: valueSaidBy(value),
          enumerable: true,
          configurable: true,
          writable: true,
        })
      return object
    }
  }
}

const hasNameToEscape = (node: Node): boolean => {
  switch (node.kind) {
    case 'leaf':
      return false
    case 'array':
      return node.items.some(hasNameToEscape)
    case 'object':
      return node.members.some(([name, value]) => JSON.stringify(name).includes('\\') || hasNameToEscape(value))
  }
}

/** With `escapes`, a third of all names are spelled with escapes that they do not need. */
const spelledNodes = fc
  .tuple(fc.oneof(node, nested), fc.infiniteStream(fc.nat(1_000)), fc.boolean())
  .map(([each, choices, escapes]) => {
    let escaped = hasNameToEscape(each)
    const pick = (count: number): number => (choices.next().value ?? 0) % count
    const isEscaped = (name: string): boolean => {
      const is = escapes && name !== '' && pick(3) === 0
      escaped ||= is
      return is
    }
    return { each, text: spell(each, pick, isEscaped), escaped }
  })

describe('strict JSON', () => {
  it('has the value that the text says, and is ambiguous when a member stands twice, is escaped, or it nests too deep', () => {
    const seen = { twice: 0, deep: 0, escaped: 0, fine: 0 }
    fc.assert(
      fc.property(spelledNodes, ({ each, text, escaped }) => {
        const { value, ambiguity } = parseStrictJson(text)
        const twice = duplicates(each)
        const isDeep = depthOf(each) > maximumDepth
        expect(ambiguity !== undefined, text).toBe(twice.length > 0 || isDeep || escaped)
        if (ambiguity === undefined) expect(value).toEqual(valueSaidBy(each))
        if (ambiguity?.detail === 'each member once') expect(twice).toContain(ambiguity.pointer)
        if (ambiguity?.detail === 'at most 8 deep') expect(isDeep).toBe(true)
        if (ambiguity?.detail === 'member names without escapes') expect(escaped).toBe(true)
        if (escaped) seen.escaped++
        else if (twice.length > 0) seen.twice++
        else if (isDeep) seen.deep++
        else seen.fine++
      }),
      { numRuns: 5_000 },
    )
    expect(Math.min(seen.twice, seen.deep, seen.escaped, seen.fine), JSON.stringify(seen)).toBeGreaterThan(40)
  })

  it('is refused when JSON.parse refuses it, and in the same words', () => {
    const outcome = (parse: () => unknown): unknown => {
      try {
        return { value: parse() }
      } catch (error) {
        return String(error)
      }
    }
    /** One character taken away or put in, which mostly makes no JSON. */
    const damaged = fc
      .tuple(spelledNodes, fc.nat(), fc.constantFrom('', '"', '\\', '{', '}', '[', ']', ',', ':', '\ufeff', '\0'))
      .map(([{ text }, at, put]) => {
        const cut = at % (text.length + 1)
        return `${text.slice(0, cut)}${put}${text.slice(cut + (put === '' ? 1 : 0))}`
      })
    fc.assert(
      fc.property(fc.oneof(damaged, fc.string()), (text) => {
        const outcomes = [outcome(() => parseStrictJson(text)), outcome(() => JSON.parse(text))]
        const [strict, plain] = outcomes.map((each) => (typeof each === 'string' ? each : 'taken'))
        expect(strict).toBe(plain)
      }),
      { numRuns: 3_000 },
    )
  })

  it.each([
    ['{"a":1,"a":1}', '/a'],
    ['{"__proto__":1,"__proto__":2}', '/__proto__'],
    ['{"a":[{},{"b":0,"c":{"/":1,"/":2}}]}', '/a/1/c/~1'],
    ['{"":1,"":2}', '/'],
    [`{"${'k'.repeat(300)}":1,"${'k'.repeat(300)}":2}`, ''],
  ])('points to the second member: %s', (text, pointer) => {
    expect(parseStrictJson(text).ambiguity).toEqual({ pointer, detail: 'each member once' })
  })

  it.each([
    ['{"\\u0061":1}', ''],
    ['{"a":1,"\\u0061":2}', ''],
    ['{"a":{"\\"":1}}', '/a'],
    ['{"a":[0,{"b\\\\":1}]}', '/a/1'],
  ])('points to the object that has an escaped name: %s', (text, pointer) => {
    expect(parseStrictJson(text).ambiguity).toEqual({ pointer, detail: 'member names without escapes' })
  })

  it('may nest 8 deep and not 9', () => {
    expect(parseStrictJson('{"a":'.repeat(8) + 1 + '}'.repeat(8)).ambiguity).toBeUndefined()
    expect(parseStrictJson('{"a":'.repeat(9) + 1 + '}'.repeat(9)).ambiguity).toEqual({
      pointer: '/a'.repeat(8),
      detail: 'at most 8 deep',
    })
  })

  it('makes nobody a member of every object', () => {
    const { value } = parseStrictJson('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}')
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })
})
