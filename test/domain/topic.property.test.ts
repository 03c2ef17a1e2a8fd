import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { type ChannelPattern, intersectPatterns } from '../../shared/domain/channel.ts'
import { topicOf } from '../../shared/domain/directory.ts'
import type { Route } from '../../shared/domain/route.ts'
import { channelOfTopic, isTopicName, topicExpression } from '../../shared/domain/topic.ts'
import { channelOf, patternOf, routeOf } from '../fixtures/policies.ts'
import { anyPattern, anyTemplate, everyChannel, hasChannel } from '../fixtures/small-universe.ts'

/** A route that leaves nothing of its channel out. */
const anyRoute: fc.Arbitrary<Route> = anyPattern({ named: true }).chain((channel) =>
  anyTemplate(channel).map((template) => routeOf(channel, template)),
)

const channelsOf = (pattern: ChannelPattern) => everyChannel.filter((channel) => hasChannel(pattern.text, channel))

it('a topic leads back to the channel that it was rendered from', () => {
  fc.assert(
    fc.property(anyRoute, (route) => {
      for (const channel of channelsOf(route.channel)) {
        const topic = topicOf(route, channelOf(channel))
        expect(topic).toSatisfy(isTopicName)
        expect(channelOfTopic(route.topic, route.channel, topic ?? '')?.name).toBe(channel)
      }
    }),
    { numRuns: 250 },
  )
})

it('two channels of a route never share a topic', () => {
  fc.assert(
    fc.property(anyRoute, (route) => {
      const topics = channelsOf(route.channel).map((channel) => topicOf(route, channelOf(channel)))
      expect(new Set(topics).size).toBe(topics.length)
    }),
    { numRuns: 250 },
  )
})

it('whatever text is a topic of the route, the channel found for it renders that very text', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', 'x', '', '-', 'a-b', 'p-a'), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(anyRoute, text, (route, parts) => {
      const topic = parts.join('.')
      const channel = channelOfTopic(route.topic, route.channel, topic)
      if (channel !== undefined) expect(topicOf(route, channelOf(channel.name))).toBe(topic)
    }),
    { numRuns: 2000 },
  )
})

it('an expression matches the topics of the channels that were asked for, and no others of its route', () => {
  fc.assert(
    fc.property(anyRoute, anyPattern(), (route, asked) => {
      const both = intersectPatterns(route.channel, patternOf(asked))
      fc.pre(both !== undefined)
      const expression = new RegExp(`^${topicExpression(route.topic, route.channel, both)}$`)
      for (const channel of channelsOf(route.channel)) {
        const topic = topicOf(route, channelOf(channel)) ?? ''
        expect(expression.test(topic)).toBe(hasChannel(asked, channel))
      }
    }),
    { numRuns: 250 },
  )
})
