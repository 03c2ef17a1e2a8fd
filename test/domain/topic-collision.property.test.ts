import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { topicOf } from '../../shared/domain/directory.ts'
import type { Route } from '../../shared/domain/route.ts'
import { findTopicCollisions } from '../../shared/domain/topic-collision.ts'
import { channelOf, routesOf } from '../fixtures/policies.ts'
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
