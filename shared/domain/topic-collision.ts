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

const hasRest = (route: Route): boolean => route.topic.tokens.some((token) => token.kind === 'rest')

/** The pieces of topics with `length` tokens, or undefined where the template has no topic of that length. */
const piecesOf = (tokens: readonly TopicToken[], length: number): readonly Piece[] | undefined => {
  const spare = length - tokens.length
  if (spare < 0 || (spare > 0 && !tokens.some((token) => token.kind === 'rest'))) return undefined
  return tokens.flatMap((token) =>
    token.kind === 'rest' ? Array.from({ length: spare + 1 }, () => anything) : [pieceOf(token)],
  )
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
  const shortest = Math.max(a.length, b.length)
  const longest = hasRest(route) && hasRest(other) ? a.length + b.length : shortest
  for (let length = shortest; length <= longest; length++) {
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

/** What every topic of the route starts and ends with. */
const edgesOf = ({ topic: { tokens } }: Route): Gap => {
  const pieces = tokens.map(pieceOf)
  const first = pieces.findIndex((piece) => typeof piece !== 'string')
  const last = pieces.findLastIndex((piece) => typeof piece !== 'string')
  const opening = pieces[first]
  const closing = pieces[last]
  if (typeof opening !== 'object' || typeof closing !== 'object') {
    const whole = pieces.join('.')
    return { prefix: whole, suffix: whole }
  }
  return {
    prefix: [...pieces.slice(0, first), opening.prefix].join('.'),
    suffix: [closing.suffix, ...pieces.slice(last + 1)].join('.'),
  }
}

/** Routes by what their topics start with; the lengths of those texts say which beginnings of a topic to look up. */
type Shelf = { readonly byPrefix: Map<string, Map<string, Route[]>>; readonly lengths: Set<number> }

const createShelf = (): Shelf => ({ byPrefix: new Map(), lengths: new Set() })

const mappingKey = ({ channel, topic }: Route): string =>
  JSON.stringify([
    channel.domain,
    channel.segments.map((segment) => (segment.kind === 'literal' ? segment.text : segment.kind === 'one' ? 1 : 2)),
    topic.tokens,
  ])

/**
 * The routes that would make two channels share a topic, at most one collision each. Look-ups by beginning and number of
 * tokens keep this near linear. Whether an earlier route hides the collision is not asked: labels decide that at run time.
 */
export const findTopicCollisions = (routes: readonly Route[]): readonly TopicCollision[] => {
  const clusters = new Map<string, { fixed: Map<string, Route>; shelves: Map<number, Shelf>; seen: Set<string> }>()
  const found = new Map<Route, TopicCollision>()
  const report = (collision: TopicCollision): void => {
    const { route, other, channels } = collision
    const ordered: TopicCollision =
      route.index > other.index
        ? collision
        : { ...collision, route: other, other: route, channels: [channels[1], channels[0]] }
    if (!found.has(ordered.route)) found.set(ordered.route, ordered)
  }

  // routes that differ only in `when` or profiles lead the same channels to the same topics: one of them stands for all
  const distinct = routes.flatMap((route) => {
    const cluster = clusters.get(route.cluster) ?? { fixed: new Map(), shelves: new Map(), seen: new Set() }
    clusters.set(route.cluster, cluster)
    const key = mappingKey(route)
    if (cluster.seen.has(key)) return []
    cluster.seen.add(key)
    return [{ route, cluster, edges: edgesOf(route) }]
  })
  /** `**` takes any number of tokens, so its routes stand on one shelf. */
  const anyCount = 0
  for (const { route, cluster, edges } of distinct) {
    const { tokens } = route.topic
    if (tokens.every((token) => token.kind === 'text')) {
      const other = cluster.fixed.get(edges.prefix)
      const collision = other === undefined ? undefined : collide(route, other)
      if (collision !== undefined) report(collision)
      if (other === undefined) cluster.fixed.set(edges.prefix, route)
      continue
    }
    const count = hasRest(route) ? anyCount : tokens.length
    const shelf = cluster.shelves.get(count) ?? createShelf()
    cluster.shelves.set(count, shelf)
    const bySuffix = shelf.byPrefix.get(edges.prefix) ?? new Map<string, Route[]>()
    shelf.byPrefix.set(edges.prefix, bySuffix)
    shelf.lengths.add(edges.prefix.length)
    const same = bySuffix.get(edges.suffix)
    if (same === undefined) bySuffix.set(edges.suffix, [route])
    else same.push(route)
  }

  const firstCollision = (route: Route, edges: Gap, shelf: Shelf): TopicCollision | undefined => {
    for (const length of shelf.lengths) {
      if (length > edges.prefix.length) continue
      for (const [suffix, others] of shelf.byPrefix.get(edges.prefix.slice(0, length)) ?? []) {
        if (!suffix.endsWith(edges.suffix) && !edges.suffix.endsWith(suffix)) continue
        for (const other of others) {
          const collision = other === route ? undefined : collide(route, other)
          if (collision !== undefined) return collision
        }
      }
    }
    return undefined
  }
  // of two that collide, the one whose beginning is the longer finds the other
  for (const { route, cluster, edges } of distinct)
    for (const [count, shelf] of cluster.shelves) {
      if (count !== anyCount && !hasRest(route) && count !== route.topic.tokens.length) continue
      const collision = firstCollision(route, edges, shelf)
      if (collision !== undefined) report(collision)
    }
  return [...found.values()].sort((a, b) => a.route.index - b.route.index)
}
