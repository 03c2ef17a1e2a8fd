import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { intersectPatterns } from '../../shared/domain/channel.ts'
import {
  addPattern,
  createChannelTrie,
  firstMatch,
  indicesMeeting,
  meetsSome,
} from '../../shared/domain/channel-trie.ts'
import { channelOf, patternOf } from '../fixtures/policies.ts'
import { anyChannel, anyPattern, hasChannel } from '../fixtures/small-universe.ts'

const trieOf = (patterns: readonly string[]) => {
  const trie = createChannelTrie()
  for (const [index, pattern] of patterns.entries()) addPattern(trie, patternOf(pattern), index)
  return trie
}

it('finds the first of ordered patterns, as a scan does', () => {
  fc.assert(
    fc.property(fc.array(anyPattern({ named: true }), { maxLength: 25 }), anyChannel, (patterns, channel) => {
      const { domain, segments } = channelOf(channel)
      const first = patterns.findIndex((pattern) => hasChannel(pattern, channel))
      expect(firstMatch(trieOf(patterns), domain, segments)).toBe(first < 0 ? undefined : first)
    }),
    { numRuns: 400 },
  )
})

it('finds the first of those that the caller accepts', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ pattern: anyPattern(), accepted: fc.boolean() }), { maxLength: 25 }),
      anyChannel,
      (rules, channel) => {
        const { domain, segments } = channelOf(channel)
        const first = rules.findIndex(({ pattern, accepted }) => accepted && hasChannel(pattern, channel))
        const trie = trieOf(rules.map(({ pattern }) => pattern))
        const found = firstMatch(trie, domain, segments, (index) => rules[index]?.accepted === true)
        expect(found).toBe(first < 0 ? undefined : first)
      },
    ),
    { numRuns: 400 },
  )
})

it('finds all patterns that have a channel in common with another, as a scan does', () => {
  fc.assert(
    fc.property(fc.array(anyPattern({ named: true }), { maxLength: 25 }), anyPattern(), (patterns, asked) => {
      const pattern = patternOf(asked)
      const meeting = patterns.flatMap((other, index) =>
        intersectPatterns(patternOf(other), pattern) === undefined ? [] : [index],
      )
      expect(indicesMeeting(trieOf(patterns), pattern)).toEqual(meeting)
      expect(indicesMeeting(trieOf(patterns), pattern, 2)).toHaveLength(Math.min(3, meeting.length))
    }),
    { numRuns: 1000 },
  )
})

it('knows whether one of the earlier rules meets a pattern and is accepted, as a scan does', () => {
  const anyRule = fc.record({ text: anyPattern({ named: true }), accepted: fc.boolean() })
  fc.assert(
    fc.property(fc.array(anyRule, { maxLength: 25 }), anyPattern(), fc.nat(25), (rules, asked, before) => {
      const pattern = patternOf(asked)
      const meets = rules
        .slice(0, before)
        .some(({ text, accepted }) => accepted && intersectPatterns(patternOf(text), pattern) !== undefined)
      const trie = trieOf(rules.map(({ text }) => text))
      expect(meetsSome(trie, pattern, before, (index) => rules[index]?.accepted === true)).toBe(meets)
    }),
    { numRuns: 1000 },
  )
})
