import type { FieldError } from '../domain/errors.ts'

/** No request of ours is deeper than two. */
export const maximumDepth = 8
/** A pointer that a caller made longer than this would only be its own text given back. */
const maximumPointerLength = 256

/** An object with the names it had so far, or an array with the index it is at. */
type Open =
  | { readonly kind: 'object'; readonly names: Set<string>; name: string }
  | { readonly kind: 'array'; index: number }

const pointerTo = (path: readonly Open[]): string => {
  const pointer = path
    .map((open) => (open.kind === 'array' ? open.index : open.name.replaceAll('~', '~0').replaceAll('/', '~1')))
    .map((part) => `/${part}`)
    .join('')
  return pointer.length <= maximumPointerLength ? pointer : ''
}

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const comma = 0x2c

/** Where the string that begins at `start` has its closing quote: the first one with an even number of `\\` before it. */
const closingQuote = (text: string, start: number): number => {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let before = end
    while (text.charCodeAt(before - 1) === backslash) before--
    if ((end - before) % 2 === 0) return end
  }
}

const findAmbiguity = (text: string): FieldError | undefined => {
  const path: Open[] = []
  let current: Open | undefined
  let isNameNext = false
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quote: {
        const end = closingQuote(text, at)
        if (isNameNext && current?.kind === 'object') {
          const name = text.slice(at + 1, end)
          if (name.includes('\\'))
            return { pointer: pointerTo(path.slice(0, -1)), detail: 'member names without escapes' }
          current.name = name
          if (current.names.has(name)) return { pointer: pointerTo(path), detail: 'each member once' }
          current.names.add(name)
          isNameNext = false
        }
        at = end
        break
      }
      case openBrace:
      case openBracket:
        if (path.length === maximumDepth) return { pointer: pointerTo(path), detail: `at most ${maximumDepth} deep` }
        isNameNext = text.charCodeAt(at) === openBrace
        current = isNameNext ? { kind: 'object', names: new Set(), name: '' } : { kind: 'array', index: 0 }
        path.push(current)
        break
      case closeBrace:
      case closeBracket:
        path.pop()
        current = path.at(-1)
        isNameNext = false
        break
      case comma:
        if (current?.kind === 'array') current.index++
        else isNameNext = true
        break
    }
  }
  return undefined
}

/**
 * `JSON.parse`, and what it does not say about a text that it takes:
 * - a member stands twice in one object, so that two readers see two intents (RFC 8259 4);
 * - a member's name is spelled with an escape: no name of ours needs one, and V8 (seen with Node 24.21) now and then loses
 *   such a member, or keeps another of two, so that one text read twice is two intents;
 * - it nests too deep.
 * @throws SyntaxError as `JSON.parse` does
 */
export const parseStrictJson = (
  text: string,
): { readonly value: unknown; readonly ambiguity: FieldError | undefined } => {
  // first: the scan trusts that quotes and brackets close
  const value: unknown = JSON.parse(text)
  return { value, ambiguity: findAmbiguity(text) }
}
