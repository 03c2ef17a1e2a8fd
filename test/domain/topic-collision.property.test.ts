import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { topicOf } from '../../shared/domain/directory.ts'
import type { Route } from '../../shared/domain/route.ts'
import { findTopicCollisions } from '../../shared/domain/topic-collision.ts'
import { channelOf, routeOf, routesOf } from '../fixtures/policies.ts'
import { anyPattern, anyTemplate, domains } from '../fixtures/small-universe.ts'

/** Paths of up to four over texts that templates have as tokens, prefixes and suffixes too: most collisions show here. */
const someTexts = ['a', 'b', 'c', 'aa', 'p-a', 'p-aa']
const paths = (length: number): string[] =>
  length === 0 ? [''] : paths(length - 1).flatMap((head) => someTexts.map((text) => `${head}/${text}`))
const wideUniverse = domains.flatMap((domain) =>
  [1, 2, 3].flatMap((length) => paths(length).map((path) => channelOf(`kafka://${domain}${path}`))),
)

const anyRouteText = anyPattern({ named: true }).chain((channel) =>
  anyTemplate(channel).map((topic) => ({ channel, topic })),
)

const anyRoutes = (count: number): fc.Arbitrary<readonly Route[]> =>
  fc.array(anyRouteText, { minLength: count, maxLength: count }).map((texts) => routesOf(...texts))

const channelsByTopic = (route: Route): Map<string, string> =>
  new Map(
    wideUniverse.flatMap((channel) => {
      const topic = topicOf(route, channel)
      return topic === undefined ? [] : [[topic, channel.name] as const]
    }),
  )

it('names every two routes that lead two channels of a small world to one topic', () => {
  fc.assert(
    fc.property(anyRoutes(2), (routes) => {
      const [theirs = new Map<string, string>(), mine = new Map<string, string>()] = routes.map(channelsByTopic)
      const shared = [...mine].find(([topic, channel]) => (theirs.get(topic) ?? channel) !== channel)
      if (shared !== undefined)
        expect(findTopicCollisions(routes).map(({ route, other }) => [route.index, other.index])).toEqual([[1, 0]])
    }),
    { numRuns: 400 },
  )
})

it('whatever it names, the example it gives is a true one', () => {
  fc.assert(
    fc.property(anyRoutes(4), (routes) => {
      for (const { route, other, topic, channels } of findTopicCollisions(routes)) {
        expect(other.index).toBeLessThan(route.index)
        expect(channels[0].name).not.toBe(channels[1].name)
        expect(topicOf(route, channelOf(channels[0].name))).toBe(topic)
        expect(topicOf(other, channelOf(channels[1].name))).toBe(topic)
      }
    }),
    { numRuns: 400 },
  )
})

it('among many routes it names some pair whenever it names one of two', () => {
  fc.assert(
    fc.property(anyRoutes(5), (routes) => {
      const pairs = routes.flatMap((a, at) => routes.slice(at + 1).map((b) => findTopicCollisions([a, b])))
      const named = new Set(findTopicCollisions(routes).map(({ route }) => route.index))
      expect(named.size > 0).toBe(pairs.some((found) => found.length > 0))
    }),
    { numRuns: 200 },
  )
})

it.each([
  ['the same segments in another order', 'kafka://acme/{a}/{b}', '{b}.{a}'],
  ['the same path of another domain', 'kafka://beta/{a}/{b}', '{a}.{b}'],
  ['a part of a segment that is fixed', 'kafka://acme/{a}/{b}', 'x{a}.{b}'],
  ['another literal than the token', 'kafka://acme/x/{b}', 'y.{b}'],
])('routes that put the path of a channel into a topic meet one that does not: %s', (_, channel, topic) => {
  const routes = routesOf({ channel: 'kafka://acme/{a}/{b}', topic: '{a}.{b}' }, { channel, topic })
  expect(findTopicCollisions(routes)).toMatchObject([{ route: { index: 1 }, other: { index: 0 } }])
})

describe('what would take for ever, were every route compared with every other, takes a moment', () => {
  const many = 20_000
  const manyRoutes = (make: (index: number) => { channel: string; topic: string }): readonly Route[] =>
    Array.from({ length: many }, (_, index) => ({ ...routeOf(make(index).channel, make(index).topic), index }))

  it.each([
    [
      'topics that are the path of their channel, and meet wherever channels do',
      (index: number) => ({
        channel: index % 2 === 0 ? `kafka://acme/{a}/r${index}` : `kafka://acme/a${index}/{b}`,
        topic: 'all.{path}.v1',
      }),
    ],
    [
      'prefixes of one token',
      (index: number) => ({ channel: `kafka://d${index}/{store}`, topic: `app${index}-{store}` }),
    ],
    [
      'suffixes after what `**` took',
      (index: number) => ({ channel: `kafka://d${index}/x/**`, topic: `r${index}.{**}.v${index}` }),
    ],
  ])('%s', (_, make) => {
    expect(findTopicCollisions(manyRoutes(make))).toEqual([])
  })

  it('two `**` with many tokens behind them, which could share them in millions of orders', () => {
    const tokens = (name: string) => Array.from({ length: 40 }, (_, at) => `${name}${at}`).join('.')
    const routes = routesOf(
      { channel: 'kafka://acme/**', topic: `{**}.${tokens('a')}` },
      { channel: 'kafka://acme/b/**', topic: `{**}.${tokens('b')}` },
    )
    expect(findTopicCollisions(routes)).toEqual([])
  })
})
