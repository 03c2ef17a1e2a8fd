import type { Channel } from './channel.ts'
import type { Route } from './route.ts'
import { channelOfTopic, type TopicToken } from './topic.ts'

/** Two channels that two routes of one cluster would lead to the same topic, with such a topic as the example. */
export type TopicCollision = {
  readonly route: Route
  /** The earlier one of the two. */
  readonly other: Route
  readonly topic: string
  readonly channels: readonly [Channel, Channel]
}

/** A token that stands for text of any length, between what is written around it. */
type Gap = { readonly prefix: string; readonly suffix: string }
type Piece = string | Gap

const anything: Gap = { prefix: '', suffix: '' }

const pieceOf = (token: TopicToken): Piece =>
  token.kind === 'text' ? token.text : token.kind === 'rest' ? anything : token

const hasRest = (tokens: readonly TopicToken[]): boolean => tokens.some((token) => token.kind === 'rest')

/** The pieces of topics with `length` tokens, or undefined where the template has no topic of that length. */
const piecesOf = (tokens: readonly TopicToken[], length: number): readonly Piece[] | undefined => {
  const spare = length - tokens.length
  if (spare < 0 || (spare > 0 && !hasRest(tokens))) return undefined
  return tokens.flatMap((token) =>
    token.kind === 'rest' ? Array.from({ length: spare + 1 }, () => anything) : [pieceOf(token)],
  )
}

/** How many tokens a topic of both may have; with two `**`, beyond the last of these nothing new can meet. */
const commonLengths = (a: readonly TopicToken[], b: readonly TopicToken[]): readonly number[] => {
  const shortest = Math.max(a.length, b.length)
  const longest = hasRest(a) && hasRest(b) ? a.length + b.length : shortest
  return Array.from({ length: longest - shortest + 1 }, (_, more) => shortest + more)
}

/** One token that both pieces allow, with `filling` wherever the text is free. */
const commonToken = (a: Piece, b: Piece, filling: string): string | undefined => {
  if (typeof a === 'string' && typeof b === 'string') return a === b ? a : undefined
  if (typeof a === 'string') return commonToken(b, a, filling)
  if (typeof b === 'string') {
    const fits = b.length > a.prefix.length + a.suffix.length && b.startsWith(a.prefix) && b.endsWith(a.suffix)
    return fits ? b : undefined
  }
  const [prefix, shorter] = a.prefix.length > b.prefix.length ? [a.prefix, b.prefix] : [b.prefix, a.prefix]
  const [suffix, end] = a.suffix.length > b.suffix.length ? [a.suffix, b.suffix] : [b.suffix, a.suffix]
  return prefix.startsWith(shorter) && suffix.endsWith(end) ? `${prefix}${filling}${suffix}` : undefined
}

/**
 * Tries the shortest topics that both routes could render, one for every way their fixed tokens can lie. Free tokens get
 * texts of their own, twice: a template only moves tokens, so what leads to one channel for both of those always does.
 */
const collide = (route: Route, other: Route): TopicCollision | undefined => {
  const a = route.topic.tokens
  const b = other.topic.tokens
  for (const length of commonLengths(a, b)) {
    const left = piecesOf(a, length)
    const right = piecesOf(b, length)
    if (left === undefined || right === undefined) continue
    for (const filling of ['x', 'y']) {
      const tokens = left.flatMap((piece, at) => commonToken(piece, right[at] ?? '', `${filling}${at}`) ?? [])
      if (tokens.length < length) break
      const topic = tokens.join('.')
      const mine = channelOfTopic(route.topic, route.channel, topic)
      const theirs = channelOfTopic(other.topic, other.channel, topic)
      if (mine !== undefined && theirs !== undefined && mine.name !== theirs.name)
        return { route, other, topic, channels: [mine, theirs] }
    }
  }
  return undefined
}

const mappingKey = ({ channel, topic }: Route): string =>
  JSON.stringify([
    channel.domain,
    channel.segments.map((segment) => (segment.kind === 'literal' ? segment.text : segment.kind === 'one' ? 1 : 2)),
    topic.tokens,
  ])

const isSegment = (route: Route, index: number, token: TopicToken | undefined): boolean => {
  const segment = route.channel.segments[index]
  if (token === undefined || segment === undefined) return false
  if (segment.kind === 'literal') return token.kind === 'text' && token.text === segment.text
  if (segment.kind === 'rest') return token.kind === 'rest'
  return token.kind === 'segment' && token.index === index && token.prefix === '' && token.suffix === ''
}

/**
 * Of a route whose topics are the channel's path between fixed tokens: the domain and these. Routes of one family read a
 * topic back alike, so they never collide, however many of their topics they share. Others have no family.
 */
const familyOf = (route: Route): string | undefined => {
  const { tokens } = route.topic
  const { domain, segments } = route.channel
  for (let before = 0; before <= tokens.length - segments.length; before++) {
    const around = [tokens.slice(0, before), tokens.slice(before + segments.length)]
    if (
      segments.every((_, index) => isSegment(route, index, tokens[before + index])) &&
      around.flat().every(({ kind }) => kind === 'text')
    )
      return JSON.stringify([domain, ...around])
  }
  return undefined
}

/** The topics of some routes of one cluster, token by token. */
type TopicNode = {
  /** The smallest index of a route here and below. */
  smallest: number
  /** The one family of all routes here and below; undefined where they have none or several. */
  family: string | undefined
  readonly texts: Map<string, TopicNode>
  /** By prefix, those of each suffix. */
  readonly gaps: Map<string, Map<string, TopicNode>>
  rest: TopicNode | undefined
  readonly routes: Route[]
  /** The keys of `texts` and of `gaps` in order, made when they are first asked for. */
  sortedTexts: readonly string[] | undefined
  sortedPrefixes: readonly string[] | undefined
}

const createTopicNode = ({ index }: Route, family: string | undefined): TopicNode => ({
  smallest: index,
  family,
  texts: new Map(),
  gaps: new Map(),
  rest: undefined,
  routes: [],
  sortedTexts: undefined,
  sortedPrefixes: undefined,
})

const childFor = (node: TopicNode, token: TopicToken, create: () => TopicNode): TopicNode => {
  if (token.kind === 'rest') {
    node.rest ??= create()
    return node.rest
  }
  const gaps = token.kind === 'segment' ? (node.gaps.get(token.prefix) ?? new Map<string, TopicNode>()) : undefined
  if (token.kind === 'segment' && gaps !== undefined) node.gaps.set(token.prefix, gaps)
  const [among, key] = token.kind === 'text' ? [node.texts, token.text] : ([gaps ?? node.texts, token.suffix] as const)
  const child = among.get(key) ?? create()
  among.set(key, child)
  return child
}

/** @param routes in their order */
const indexTopics = (routes: readonly Route[], families: ReadonlyMap<Route, string>): TopicNode | undefined => {
  const [first] = routes
  if (first === undefined) return undefined
  const root = createTopicNode(first, families.get(first))
  for (const route of routes) {
    const family = families.get(route)
    let node = root
    const enter = (entered: TopicNode): void => {
      if (entered.family !== family) entered.family = undefined
    }
    enter(node)
    for (const token of route.topic.tokens) {
      node = childFor(node, token, () => createTopicNode(route, family))
      enter(node)
    }
    node.routes.push(route)
  }
  return root
}

/** The part of a sorted list that starts with a text. */
function* startingWith(sorted: readonly string[], start: string): Generator<string> {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] ?? '') < start) low = middle + 1
    else high = middle
  }
  for (let text = sorted[low]; text?.startsWith(start); text = sorted[++low]) yield text
}

/** What comes after one more token that a piece and the index both allow, but for a `**` of the index. */
function* stepsFrom(node: TopicNode, piece: Piece): Generator<TopicNode> {
  if (typeof piece === 'string') {
    const literal = node.texts.get(piece)
    if (literal !== undefined) yield literal
  } else {
    node.sortedTexts ??= [...node.texts.keys()].sort()
    for (const text of startingWith(node.sortedTexts, piece.prefix)) {
      const next = commonToken(piece, text, '') === undefined ? undefined : node.texts.get(text)
      if (next !== undefined) yield next
    }
  }
  if (node.gaps.size === 0) return
  const start = typeof piece === 'string' ? piece : piece.prefix
  const prefixes: string[] = []
  for (let length = 0; length < start.length; length++) {
    const prefix = start.slice(0, length)
    if (node.gaps.has(prefix)) prefixes.push(prefix)
  }
  node.sortedPrefixes ??= [...node.gaps.keys()].sort()
  prefixes.push(...startingWith(node.sortedPrefixes, start))
  for (const prefix of prefixes)
    for (const [suffix, next] of node.gaps.get(prefix) ?? [])
      if (commonToken(piece, { prefix, suffix }, '') !== undefined) yield next
}

/** The first earlier route of the index that this one collides with. */
const collisionWithEarlier = (
  route: Route,
  family: string | undefined,
  root: TopicNode,
): TopicCollision | undefined => {
  const { tokens } = route.topic
  const isOfNoUse = (node: TopicNode): boolean =>
    node.smallest >= route.index || (family !== undefined && node.family === family)

  /** Two `**` can take each other's tokens in very many orders that all lead to the same places. */
  const seen = new Map<TopicNode, Set<number>>()
  const wasSeen = (node: TopicNode, place: number): boolean => {
    const places = seen.get(node) ?? new Set()
    seen.set(node, places)
    return places.size === places.add(place).size
  }

  /** `mine` and `theirs`: whether the last token was of a `**`, which may take one more. */
  const visit = (at: number, mine: boolean, node: TopicNode, theirs: boolean): TopicCollision | undefined => {
    if (isOfNoUse(node)) return undefined
    if ((mine || theirs) && wasSeen(node, at * 4 + Number(mine) * 2 + Number(theirs))) return undefined
    if (at === tokens.length)
      for (const other of node.routes) {
        if (other.index >= route.index) break
        const found = collide(route, other)
        if (found !== undefined) return found
      }
    const token = tokens[at]
    if (token !== undefined) {
      const piece = pieceOf(token)
      const isRest = token.kind === 'rest'
      if (theirs) {
        const found = visit(at + 1, isRest, node, true)
        if (found !== undefined) return found
      }
      const found = descend(at + 1, isRest, node, piece)
      if (found !== undefined) return found
    }
    return mine ? descend(at, true, node, anything) : undefined
  }
  const descend = (at: number, mine: boolean, node: TopicNode, piece: Piece): TopicCollision | undefined => {
    if (node.rest !== undefined) {
      const found = visit(at, mine, node.rest, true)
      if (found !== undefined) return found
    }
    for (const next of stepsFrom(node, piece)) {
      const found = visit(at, mine, next, false)
      if (found !== undefined) return found
    }
    return undefined
  }
  return visit(0, false, root, false)
}

/** Routes that differ only in `when` or profiles lead the same channels to the same topics: one stands for all. */
const distinctByCluster = (routes: readonly Route[]): readonly (readonly Route[])[] => {
  const clusters = new Map<string, Map<string, Route>>()
  for (const route of routes) {
    const distinct = clusters.get(route.cluster) ?? new Map<string, Route>()
    clusters.set(route.cluster, distinct)
    const mapping = mappingKey(route)
    if (!distinct.has(mapping)) distinct.set(mapping, route)
  }
  return [...clusters.values()].map((distinct) => [...distinct.values()])
}

/**
 * Routes that would make two channels share a topic; each route that is named collides with an earlier one. Topics that
 * differ in what is written in them are told apart by it, and never compared. Whether an earlier route hides the
 * collision is not asked: labels decide that at run time.
 * @param routes in their order
 */
export const findTopicCollisions = (routes: readonly Route[]): readonly TopicCollision[] =>
  distinctByCluster(routes)
    .flatMap((ofCluster) => {
      const families = new Map<Route, string>()
      for (const route of ofCluster) {
        const family = familyOf(route)
        if (family !== undefined) families.set(route, family)
      }
      const root = indexTopics(ofCluster, families)
      return root === undefined
        ? []
        : ofCluster.flatMap((route) => collisionWithEarlier(route, families.get(route), root) ?? [])
    })
    .sort((a, b) => a.route.index - b.route.index)
