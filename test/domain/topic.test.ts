import { describe, expect, it } from 'vitest'
import { topicOf } from '../../shared/domain/directory.ts'
import {
  anchoredExpression,
  channelOfTopic,
  isTopicName,
  parseTopicTemplate,
  topicExpression,
  unusedCaptures,
} from '../../shared/domain/topic.ts'
import { channelOf, patternOf, routeOf } from '../fixtures/policies.ts'

describe('a topic template', () => {
  it.each([
    ['kafka://acme/orders/**', '{path}', 'kafka://acme/orders/created/v1', 'orders.created.v1'],
    ['kafka://acme/orders/**', 'sales.{**}', 'kafka://acme/orders/created/v1', 'sales.created.v1'],
    ['kafka://acme/orders/{event}', 'orders.{event}.v3', 'kafka://acme/orders/created', 'orders.created.v3'],
    ['kafka://acme/{team}/{event}', '{event}.of-{team}_x', 'kafka://acme/a/b', 'b.of-a_x'],
    ['kafka://acme/*/orders', '{path}', 'kafka://acme/a/orders', 'a.orders'],
    ['kafka://acme/orders.v1/**', '{path}', 'kafka://acme/orders.v1/x', 'orders.v1.x'],
    ['kafka://acme/orders', 'legacy_ORDERS', 'kafka://acme/orders', 'legacy_ORDERS'],
  ])('%s with %s leads %s to %s', (pattern, template, channel, topic) => {
    const route = routeOf(pattern, template)
    expect(topicOf(route, channelOf(channel))).toBe(topic)
    expect(channelOfTopic(route.topic, route.channel, topic)?.name).toBe(channel)
  })

  it.each([
    ['a name that the channel lacks', 'kafka://acme/{team}', '{event}'],
    ['`{**}` without a last `**`', 'kafka://acme/{team}', '{**}'],
    ['`{**}` inside a token', 'kafka://acme/**', 'x-{**}'],
    ['`{path}` inside a token', 'kafka://acme/**', 'x-{path}'],
    ['two captures in one token', 'kafka://acme/{a}/{b}', '{a}{b}'],
    ['one capture twice', 'kafka://acme/{a}/{b}', '{a}.{b}.{a}'],
    ['what `**` took twice', 'kafka://acme/**', '{**}.{path}'],
    ['an empty token', 'kafka://acme/{a}', '{a}..x'],
    ['nothing', 'kafka://acme/x', ''],
    ['a space', 'kafka://acme/x', 'a b'],
    ['a slash', 'kafka://acme/x', 'a/b'],
    ['`.`', 'kafka://acme/x', '.'],
    ['`..`', 'kafka://acme/x', '..'],
    ['250 characters', 'kafka://acme/x', 'x'.repeat(250)],
    ['a letter that only looks like `o`', 'kafka://acme/x', '\u043erders'],
  ])('is refused with %s', (_, pattern, template) => {
    expect(parseTopicTemplate(template, patternOf(pattern)).ok).toBe(false)
  })

  it('has no topic for a captured segment with a dot, which would lead back to another channel', () => {
    expect(topicOf(routeOf('kafka://acme/**', '{path}'), channelOf('kafka://acme/a.b'))).toBeUndefined()
    expect(topicOf(routeOf('kafka://acme/{x}', '{x}'), channelOf('kafka://acme/a.b'))).toBeUndefined()
  })

  it('has no topic longer than Kafka takes', () => {
    const route = routeOf('kafka://acme/**', '{path}')
    const long = 'x'.repeat(124)
    expect(topicOf(route, channelOf(`kafka://acme/${long}/${long}`))).toHaveLength(249)
    expect(topicOf(route, channelOf(`kafka://acme/${long}/${long}x`))).toBeUndefined()
  })

  it('names the captures that it leaves out', () => {
    const pattern = patternOf('kafka://acme/{team}/*/**')
    const template = parseTopicTemplate('all-of-{team}', pattern)
    expect(template.ok && unusedCaptures(template.value, pattern)).toEqual(['*', '**'])
  })

  it('takes the legal topic names of Kafka and no others', () => {
    expect(['a', 'A.b_c-9', '...', 'x'.repeat(249)].filter(isTopicName)).toHaveLength(4)
    expect(['', '.', '..', 'a b', 'a/b', 'ä', 'x'.repeat(250), 'a\n'].filter(isTopicName)).toEqual([])
  })
})

describe('a topic expression', () => {
  it('escapes dots and cuts the route with what was asked', () => {
    const { topic, channel } = routeOf('kafka://acme/orders/{event}', 'orders.{event}.v3')
    expect(topicExpression(topic, channel, channel)).toBe('orders\\.[^.]+\\.v3')
    expect(topicExpression(topic, channel, patternOf('kafka://acme/orders/created'))).toBe('orders\\.created\\.v3')
  })

  it('is one anchored alternative when several routes carry a pattern', () => {
    expect(anchoredExpression(['a', 'b\\.c'])).toBe('^(a|b\\.c)$')
  })
})
