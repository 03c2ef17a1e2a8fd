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

/** How many letters of a token are written at its start and at its end; all of them where nothing is free. */
type Written = { readonly start: number; readonly end: number }

const writtenOf = (piece: Piece): Written =>
  typeof piece === 'string'
    ? { start: Number.POSITIVE_INFINITY, end: Number.POSITIVE_INFINITY }
    : { start: piece.prefix.length, end: piece.suffix.length }

const lessWritten = (a: Written, b: Written): Written => ({
  start: Math.min(a.start, b.start),
  end: Math.min(a.end, b.end),
})

/** What two pieces must have in common where both are written. */
const writtenText = (piece: Piece, { start, end }: Written): string => {
  if (typeof piece !== 'string') return `${piece.prefix.slice(0, start)}/${end === 0 ? '' : piece.suffix.slice(-end)}`
  return start === Number.POSITIVE_INFINITY ? piece : `${piece.slice(0, start)}/${end === 0 ? '' : piece.slice(-end)}`
}

/** Routes of one cluster that have their free texts at the same places. */
type Shape = { readonly tokens: readonly TopicToken[]; readonly routes: Route[] }

const shapeKey = (tokens: readonly TopicToken[]): string =>
  tokens
    .map((token) => (token.kind === 'segment' ? `${token.prefix.length},${token.suffix.length}` : token.kind))
    .join('.')

const mappingKey = ({ channel, topic }: Route): string =>
  JSON.stringify([
    channel.domain,
    channel.segments.map((segment) => (segment.kind === 'literal' ? segment.text : segment.kind === 'one' ? 1 : 2)),
    topic.tokens,
  ])

/** Routes that differ only in `when` or profiles lead the same channels to the same topics: one stands for all. */
const shapesOf = (routes: readonly Route[]): readonly (readonly Shape[])[] => {
  const clusters = new Map<string, { shapes: Map<string, Shape>; seen: Set<string> }>()
  for (const route of routes) {
    const cluster = clusters.get(route.cluster) ?? { shapes: new Map(), seen: new Set() }
    clusters.set(route.cluster, cluster)
    const mapping = mappingKey(route)
    if (cluster.seen.has(mapping)) continue
    cluster.seen.add(mapping)
    const { tokens } = route.topic
    const key = shapeKey(tokens)
    const shape = cluster.shapes.get(key)
    if (shape === undefined) cluster.shapes.set(key, { tokens, routes: [route] })
    else shape.routes.push(route)
  }
  return [...clusters.values()].map(({ shapes }) => [...shapes.values()])
}

/** The pairs of two shapes that agree on everything both have written, found through a hash of just that. */
const collisionsBetween = (a: Shape, b: Shape, report: (collision: TopicCollision) => void): void => {
  for (const length of commonLengths(a.tokens, b.tokens)) {
    const left = piecesOf(a.tokens, length)
    const right = piecesOf(b.tokens, length)
    if (left === undefined || right === undefined) continue
    const written = left.map((piece, at) => lessWritten(writtenOf(piece), writtenOf(right[at] ?? anything)))
    const keyOf = ({ topic }: Route): string =>
      (piecesOf(topic.tokens, length) ?? [])
        .map((piece, at) => writtenText(piece, written[at] ?? anythingWritten))
        .join('.')
    const byKey = new Map<string, Route[]>()
    for (const route of a.routes) {
      const key = keyOf(route)
      const same = byKey.get(key)
      if (same === undefined) byKey.set(key, [route])
      else same.push(route)
    }
    for (const route of b.routes)
      for (const other of byKey.get(keyOf(route)) ?? []) {
        const collision = other === route ? undefined : collide(route, other)
        if (collision === undefined) continue
        report(collision)
        break
      }
  }
}

const anythingWritten: Written = { start: 0, end: 0 }

/**
 * Routes that would make two channels share a topic; each route that is named collides with an earlier one. Near linear
 * in the routes for as long as they have few shapes. Whether an earlier route hides the collision is not asked: labels
 * decide that at run time.
 */
export const findTopicCollisions = (routes: readonly Route[]): readonly TopicCollision[] => {
  const found = new Map<Route, TopicCollision>()
  const report = ({ route, other, topic, channels: [mine, theirs] }: TopicCollision): void => {
    const ordered: TopicCollision =
      route.index > other.index
        ? { route, other, topic, channels: [mine, theirs] }
        : { route: other, other: route, topic, channels: [theirs, mine] }
    if (!found.has(ordered.route)) found.set(ordered.route, ordered)
  }
  for (const shapes of shapesOf(routes))
    for (const [at, a] of shapes.entries()) for (const b of shapes.slice(at)) collisionsBetween(a, b, report)
  return [...found.values()].sort((a, b) => a.route.index - b.route.index)
}
