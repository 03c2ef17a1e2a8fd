import {
  type Captures,
  type Channel,
  type ChannelPattern,
  matchChannel,
  type Parsed,
  type PatternSegment,
  quoted,
} from './channel.ts'

/**
 * How a route names topics: tokens joined by `.`. A token holds at most one capture, and a captured segment never holds
 * a `.`, so a topic leads back to exactly one channel; that is what access rests on.
 */
export type TopicTemplate = { readonly text: string; readonly tokens: readonly TopicToken[] }

/** That of a route which takes channels and leads them nowhere. */
export const noTopic: TopicTemplate = { text: 'no topic', tokens: [] }

export type TopicToken =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'segment'; readonly index: number; readonly prefix: string; readonly suffix: string }
  /** The segments that `**` took, joined by `.`. */
  | { readonly kind: 'rest' }

const topicText = /^[A-Za-z0-9._-]*$/
const maximumTopicLength = 249

/** @see https://kafka.apache.org/documentation/#topicconfigs (legal characters, 249, not `.` or `..`) */
export const isTopicName = (text: string): boolean =>
  text.length > 0 && text.length <= maximumTopicLength && topicText.test(text) && text !== '.' && text !== '..'

/** `{path}` is every segment of the channel, `{**}` what `**` took, `{name}` one segment. */
export const parseTopicTemplate = (text: string, pattern: ChannelPattern): Parsed<TopicTemplate> => {
  const tokens: TopicToken[] = []
  for (const part of text.split('.')) {
    if (part === '{path}') {
      for (const [index, segment] of pattern.segments.entries()) {
        if (segment.kind === 'literal')
          tokens.push(...segment.text.split('.').map((piece) => ({ kind: 'text', text: piece }) as const))
        else if (segment.kind === 'rest') tokens.push({ kind: 'rest' })
        else tokens.push({ kind: 'segment', index, prefix: '', suffix: '' })
      }
      continue
    }
    if (part === '{**}') {
      if (pattern.segments.at(-1)?.kind !== 'rest')
        return { ok: false, detail: `\`{**}\` needs a channel that ends in \`**\`, got ${quoted(pattern.text)}` }
      tokens.push({ kind: 'rest' })
      continue
    }
    const capture = /^([^{}]*)\{([a-z][A-Za-z0-9]*)\}([^{}]*)$/.exec(part)
    if (capture) {
      const [, prefix = '', name = '', suffix = ''] = capture
      const index = pattern.segments.findIndex((segment) => segment.kind === 'one' && segment.name === name)
      if (index < 0) return { ok: false, detail: `the channel ${quoted(pattern.text)} has no \`{${name}}\`` }
      if (!topicText.test(prefix + suffix)) return { ok: false, detail: topicDetail(text) }
      tokens.push({ kind: 'segment', index, prefix, suffix })
      continue
    }
    // no segment is empty, so only a topic that is written out may have `..` or a `.` at an end
    if ((part === '' && /[{}]/.test(text)) || !topicText.test(part)) return { ok: false, detail: topicDetail(text) }
    tokens.push({ kind: 'text', text: part })
  }
  if (tokens.filter((token) => token.kind === 'rest').length > 1)
    return { ok: false, detail: `a topic may hold what \`**\` took once, got ${quoted(text)}` }
  const captured = tokens.flatMap((token) => (token.kind === 'segment' ? [token.index] : []))
  if (new Set(captured).size < captured.length)
    return { ok: false, detail: `a topic may hold each segment of the channel once, got ${quoted(text)}` }
  if (
    tokens.every((token) => token.kind === 'text') &&
    !isTopicName(tokens.map((token) => ('text' in token ? token.text : '')).join('.'))
  )
    return { ok: false, detail: topicDetail(text) }
  return { ok: true, value: { text, tokens } }
}

const topicDetail = (text: string): string =>
  `a topic is tokens of \`A-Z a-z 0-9 _ -\` joined by \`.\`, each with at most one of \`{name}\`, \`{path}\` or \`{**}\`, got ${quoted(text)}`

/** Wildcard segments of the channel that the topic does not show: two channels would share one topic. */
export const unusedCaptures = (template: TopicTemplate, pattern: ChannelPattern): readonly string[] =>
  pattern.segments.flatMap((segment, index) => {
    if (segment.kind === 'literal') return []
    const used =
      segment.kind === 'rest'
        ? template.tokens.some((token) => token.kind === 'rest')
        : template.tokens.some((token) => token.kind === 'segment' && token.index === index)
    if (used) return []
    return [segment.kind === 'rest' ? '**' : segment.name === undefined ? '*' : `{${segment.name}}`]
  })

/** The topic of a channel that the route's pattern matched, or undefined when it cannot be a topic of this route. */
export const renderTopic = (template: TopicTemplate, captures: Captures, channel: Channel): string | undefined => {
  const parts: string[] = []
  for (const token of template.tokens) {
    if (token.kind === 'text') parts.push(token.text)
    else if (token.kind === 'rest') {
      if (captures.rest.some((segment) => segment.includes('.'))) return undefined
      parts.push(...captures.rest)
    } else {
      const segment = channel.segments[token.index]
      if (segment === undefined || segment.includes('.')) return undefined
      parts.push(`${token.prefix}${segment}${token.suffix}`)
    }
  }
  const topic = parts.join('.')
  return isTopicName(topic) ? topic : undefined
}

/** No channel has it, so it is matched by wildcards alone. */
const anyText = '~'

/**
 * The one channel of the route that renders this topic, found backwards and proven forwards.
 * @param within for a route whose channels share topics: what the topic does not show is taken from this part of the
 * route's channels, with a text that stands for any other one where it is open
 */
export const channelOfTopic = (
  template: TopicTemplate,
  pattern: ChannelPattern,
  topic: string,
  within?: ChannelPattern,
): Channel | undefined => {
  const parts = topic.split('.')
  const segments = new Map<number, string>()
  let rest: readonly string[] = []
  const spare = parts.length - template.tokens.length
  let at = 0
  for (const token of template.tokens) {
    if (token.kind === 'rest') {
      rest = parts.slice(at, at + 1 + spare)
      at += 1 + spare
      continue
    }
    const part = parts[at++]
    if (part === undefined) return undefined
    if (token.kind === 'text') {
      if (token.text !== part) return undefined
      continue
    }
    if (!part.startsWith(token.prefix) || !part.endsWith(token.suffix)) return undefined
    const segment = part.slice(token.prefix.length, part.length - token.suffix.length)
    if (segment === '') return undefined
    segments.set(token.index, segment)
  }
  const hidden = within?.segments.map((segment) => (segment.kind === 'literal' ? segment.text : anyText)) ?? []
  const path: string[] = []
  for (const [index, segment] of pattern.segments.entries()) {
    if (segment.kind === 'literal') path.push(segment.text)
    else if (segment.kind === 'rest') path.push(...(rest.length > 0 ? rest : hidden.slice(index)))
    else {
      const text = segments.get(index) ?? hidden[index]
      if (text === undefined) return undefined
      path.push(text)
    }
  }
  if (path.length > 16 || path.some((segment) => segment === '' || segment === '.' || segment === '..'))
    return undefined
  const channel: Channel = {
    name: `kafka://${pattern.domain}/${path.join('/')}`,
    domain: pattern.domain,
    segments: path,
  }
  const captures = matchChannel(pattern, channel)
  return captures !== undefined && renderTopic(template, captures, channel) === topic ? channel : undefined
}

const escaped = (text: string): string => text.replaceAll('.', '\\.')
const anySegment = '[^.]+'

/**
 * The topics of `both` (channels of the route, cut with what was asked) as a regular expression without anchors. It
 * keeps to what Java, RE2, JavaScript and POSIX extended expressions read alike.
 */
export const topicExpression = (template: TopicTemplate, route: ChannelPattern, both: ChannelPattern): string => {
  const expressionOf = (segment: PatternSegment | undefined): string =>
    segment?.kind === 'literal' ? escaped(segment.text) : segment?.kind === 'rest' ? '.+' : anySegment
  return template.tokens
    .map((token) => {
      if (token.kind === 'text') return escaped(token.text)
      if (token.kind === 'segment')
        return `${escaped(token.prefix)}${expressionOf(both.segments[token.index])}${escaped(token.suffix)}`
      return both.segments
        .slice(route.segments.length - 1)
        .map(expressionOf)
        .join('\\.')
    })
    .join('\\.')
}

/** The expressions of one pattern on one cluster, anchored. */
export const anchoredExpression = (expressions: readonly string[]): string =>
  expressions.length === 1 ? `^${expressions[0]}$` : `^(${expressions.join('|')})$`
