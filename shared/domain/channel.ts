/**
 * A channel is the environment-neutral name of a stream, `kafka://<domain>/<path>`: `kafka://payments.acme.com/orders/created`.
 * It is compared byte by byte: nothing is decoded, folded or normalised, and what could be read in two ways is refused.
 */
export type Channel = { readonly name: string; readonly domain: string; readonly segments: readonly string[] }

/** `one` is `{name}` or `*`: exactly one segment; `rest` is `**`: one or more, last only. */
export type PatternSegment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'one'; readonly name: string | undefined }
  | { readonly kind: 'rest' }

export type ChannelPattern = {
  readonly text: string
  readonly domain: string
  readonly segments: readonly PatternSegment[]
}

/** What a pattern took from a channel: named segments, and `**` with its segments joined by the caller. */
export type Captures = { readonly named: ReadonlyMap<string, string>; readonly rest: readonly string[] }

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly detail: string }

export const maximumSegments = 16
export const maximumChannelLength = 512
export const scheme = 'kafka://'
const domainLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const literalSegment = /^[A-Za-z0-9._-]{1,128}$/
const namedSegment = /^\{([a-z][A-Za-z0-9]{0,31})\}$/

/**
 * A name as an error text may show it: JSON-quoted and in ASCII, so that no control or bidirectional character reaches a
 * terminal or a log line, and a look-alike letter shows that it is one.
 */
export const quoted = (text: string): string => {
  const shown = JSON.stringify(text.slice(0, 80))
    .slice(1, -1)
    .replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return `\`${shown}${text.length > 80 ? '…' : ''}\``
}

const split = (text: string): Parsed<{ domain: string; parts: readonly string[] }> => {
  if (text.length > maximumChannelLength)
    return { ok: false, detail: `a channel has at most ${maximumChannelLength} characters, got ${text.length}` }
  if (!text.startsWith(scheme))
    return { ok: false, detail: `a channel starts with \`${scheme}<domain>/\`, got ${quoted(text)}` }
  const [domain = '', ...parts] = text.slice(scheme.length).split('/')
  if (domain.length > 253 || !domain.split('.').every((label) => domainLabel.test(label)))
    return {
      ok: false,
      detail: `the domain of a channel is lower-case DNS labels (no port, no user), got ${quoted(domain)}`,
    }
  if (parts.length === 0) return { ok: false, detail: `a channel needs a path after its domain, got ${quoted(text)}` }
  if (parts.length > maximumSegments)
    return { ok: false, detail: `a channel has at most ${maximumSegments} path segments, got ${parts.length}` }
  return { ok: true, value: { domain, parts } }
}

const isLiteral = (part: string): boolean => literalSegment.test(part) && part !== '.' && part !== '..'

const segmentDetail = (part: string): string =>
  `a path segment is 1 to 128 of \`A-Z a-z 0-9 . _ -\`, neither \`.\` nor \`..\`, got ${quoted(part)}`

export const parseChannel = (text: string): Parsed<Channel> => {
  const found = split(text)
  if (!found.ok) return found
  const wrong = found.value.parts.find((part) => !isLiteral(part))
  if (wrong !== undefined) return { ok: false, detail: segmentDetail(wrong) }
  return { ok: true, value: { name: text, domain: found.value.domain, segments: found.value.parts } }
}

export const parseChannelPattern = (text: string): Parsed<ChannelPattern> => {
  const found = split(text)
  if (!found.ok) return found
  const { domain, parts } = found.value
  const segments: PatternSegment[] = []
  const names = new Set<string>()
  for (const [index, part] of parts.entries()) {
    const name = namedSegment.exec(part)?.[1]
    if (part === '**') {
      if (index !== parts.length - 1)
        return { ok: false, detail: `\`**\` may only be the last segment, got ${quoted(text)}` }
      segments.push({ kind: 'rest' })
    } else if (part === '*') segments.push({ kind: 'one', name: undefined })
    else if (name !== undefined) {
      if (names.has(name)) return { ok: false, detail: `the name \`{${name}}\` is used twice in ${quoted(text)}` }
      names.add(name)
      segments.push({ kind: 'one', name })
    } else if (isLiteral(part)) segments.push({ kind: 'literal', text: part })
    else
      return {
        ok: false,
        detail: `${segmentDetail(part)}; a pattern may also have \`{name}\`, \`*\` and a last \`**\``,
      }
  }
  return { ok: true, value: { text, domain, segments } }
}

export const isPatternText = (text: string): boolean => /[*{}]/.test(text)

/** The channel that a pattern without wildcards names. */
export const literalChannel = (pattern: ChannelPattern): Channel | undefined => {
  const segments: string[] = []
  for (const segment of pattern.segments) {
    if (segment.kind !== 'literal') return undefined
    segments.push(segment.text)
  }
  return { name: pattern.text, domain: pattern.domain, segments }
}

export const matchChannel = (pattern: ChannelPattern, channel: Channel): Captures | undefined => {
  if (pattern.domain !== channel.domain) return undefined
  const named = new Map<string, string>()
  for (const [index, segment] of pattern.segments.entries()) {
    const text = channel.segments[index]
    if (text === undefined) return undefined
    if (segment.kind === 'rest') return { named, rest: channel.segments.slice(index) }
    if (segment.kind === 'literal' ? segment.text !== text : false) return undefined
    if (segment.kind === 'one' && segment.name !== undefined) named.set(segment.name, text)
  }
  return pattern.segments.length === channel.segments.length ? { named, rest: [] } : undefined
}

const endsInRest = (pattern: ChannelPattern): boolean => pattern.segments.at(-1)?.kind === 'rest'

/** Whether every channel of `inner` is a channel of `outer`. */
export const containsPattern = (outer: ChannelPattern, inner: ChannelPattern): boolean => {
  if (outer.domain !== inner.domain) return false
  for (const [index, segment] of outer.segments.entries()) {
    const against = inner.segments[index]
    if (against === undefined) return false
    if (segment.kind === 'rest') return true
    if (against.kind === 'rest') return false
    if (segment.kind === 'literal' && (against.kind !== 'literal' || against.text !== segment.text)) return false
  }
  return outer.segments.length === inner.segments.length
}

const intersectSegments = (a: PatternSegment, b: PatternSegment): PatternSegment | undefined => {
  if (a.kind === 'literal') return b.kind === 'literal' && b.text !== a.text ? undefined : a
  if (b.kind === 'literal') return b
  return a.kind === 'one' ? a : b
}

/** The pattern of exactly the channels that both have; one pattern suffices because `**` only stands last. Names are `a`'s. */
export const intersectPatterns = (a: ChannelPattern, b: ChannelPattern): ChannelPattern | undefined => {
  if (a.domain !== b.domain) return undefined
  const length = Math.max(a.segments.length, b.segments.length)
  const segments: PatternSegment[] = []
  for (let index = 0; index < length; index++) {
    const left = a.segments[index] ?? (endsInRest(a) ? ({ kind: 'rest' } as const) : undefined)
    const right = b.segments[index] ?? (endsInRest(b) ? ({ kind: 'rest' } as const) : undefined)
    if (left === undefined || right === undefined) return undefined
    const both = intersectSegments(left, right)
    if (both === undefined) return undefined
    // a `**` before the end of the longer pattern stands for single segments there
    segments.push(both.kind === 'rest' && index < length - 1 ? { kind: 'one', name: undefined } : both)
  }
  return { text: patternText(a.domain, segments), domain: a.domain, segments }
}

export const patternText = (domain: string, segments: readonly PatternSegment[]): string =>
  `${scheme}${domain}/${segments
    .map((segment) =>
      segment.kind === 'literal'
        ? segment.text
        : segment.kind === 'rest'
          ? '**'
          : segment.name === undefined
            ? '*'
            : `{${segment.name}}`,
    )
    .join('/')}`
