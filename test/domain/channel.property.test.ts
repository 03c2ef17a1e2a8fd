import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  containsPattern,
  intersectPatterns,
  matchChannel,
  parseChannel,
  parseChannelPattern,
  quoted,
} from '../../shared/domain/channel.ts'
import { channelOf, patternOf } from '../fixtures/policies.ts'
import { anyChannel, anyDomain, anyPattern, channelsOf, everyChannel, hasChannel } from '../fixtures/small-universe.ts'

const sameDomain = anyDomain.chain((domain) => {
  const pattern = anyPattern({ domain: fc.constant(domain) })
  return fc.tuple(pattern, pattern)
})

it('matches exactly what the naive model matches', () => {
  fc.assert(
    fc.property(anyPattern({ named: true }), anyChannel, (pattern, channel) => {
      expect(matchChannel(patternOf(pattern), channelOf(channel)) !== undefined).toBe(hasChannel(pattern, channel))
    }),
  )
})

it('a matched pattern filled with its captures is the channel again', () => {
  fc.assert(
    fc.property(anyPattern({ named: true }), anyChannel, (pattern, channel) => {
      const captures = matchChannel(patternOf(pattern), channelOf(channel))
      fc.pre(captures !== undefined)
      const filled = pattern
        .replace(/\{(\w+)\}/g, (_, name: string) => captures.named.get(name) ?? '')
        .replace('**', captures.rest.join('/'))
      expect(filled).toBe(channel)
    }),
  )
})

it('an intersection has exactly the channels that both patterns have', () => {
  fc.assert(
    fc.property(sameDomain, ([a, b]) => {
      const both = intersectPatterns(patternOf(a), patternOf(b))
      const wanted = everyChannel.filter((channel) => hasChannel(a, channel) && hasChannel(b, channel))
      expect(both === undefined ? [] : channelsOf(both.text)).toEqual(wanted)
      // the text must be what the segments say, for errors and logs show it
      if (both !== undefined) expect(patternOf(both.text).segments).toEqual(both.segments)
    }),
    { numRuns: 500 },
  )
})

it('patterns of two domains never intersect', () => {
  fc.assert(
    fc.property(anyPattern({ domain: fc.constant('acme') }), anyPattern({ domain: fc.constant('beta.io') }), (a, b) => {
      expect(intersectPatterns(patternOf(a), patternOf(b))).toBeUndefined()
      expect(containsPattern(patternOf(a), patternOf(b))).toBe(false)
    }),
  )
})

it('a pattern that contains another has all of its channels', () => {
  fc.assert(
    fc.property(sameDomain, ([outer, inner]) => {
      fc.pre(containsPattern(patternOf(outer), patternOf(inner)))
      expect(channelsOf(inner).every((channel) => hasChannel(outer, channel))).toBe(true)
    }),
  )
})

it('a pattern whose channels are a part of another one is contained in it', () => {
  fc.assert(
    fc.property(sameDomain, ([outer, inner]) => {
      // `x` and `y` are texts of no literal and a path of five is longer than any pattern: they tell a wildcard from
      // the sum of the three literals, and `**` from paths of up to three
      const probes = ['x', 'y', 'a/x', 'x/b', 'x/y', 'x/y/x', 'a/x/y', 'a/b/x', 'x/y/x/y/x', 'a/x/y/x/y', 'a/b/x/y/x']
      const domain = new URL(inner.replace('kafka:', 'http:')).hostname
      const channels = [...everyChannel, ...probes.map((path) => `kafka://${domain}/${path}`)]
      fc.pre(channels.every((channel) => !hasChannel(inner, channel) || hasChannel(outer, channel)))
      const reachesProbes = channels.slice(everyChannel.length).some((channel) => hasChannel(inner, channel))
      fc.pre(reachesProbes || !/\*/.test(inner))
      expect(containsPattern(patternOf(outer), patternOf(inner))).toBe(true)
    }),
  )
})

it('any text is a channel that says itself, or refused with a printable reason', () => {
  const nasty = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'binary' }).map((text) => `kafka://acme/${text}`),
    fc.string({ unit: 'binary' }).map((text) => `kafka://${text}/orders`),
    fc
      .string({ unit: fc.constantFrom('a', '.', '/', '%', '2', 'f', '\\', '@', ':', '*', '{', '}') })
      .map((text) => `kafka://${text}`),
  )
  fc.assert(
    fc.property(nasty, (text) => {
      for (const parsed of [parseChannel(text), parseChannelPattern(text)]) {
        if (parsed.ok) expect(`kafka://${parsed.value.domain}/`).toBe(text.slice(0, 9 + parsed.value.domain.length))
        else expect(parsed.detail).toMatch(/^[ -~…]+$/)
      }
      const channel = parseChannel(text)
      if (channel.ok) {
        expect(`kafka://${channel.value.domain}/${channel.value.segments.join('/')}`).toBe(text)
        expect(text).toMatch(/^kafka:\/\/[a-z0-9.-]+(\/[A-Za-z0-9._-]+)+$/)
      }
    }),
    { numRuns: 400 },
  )
})

it('a quoted name is one printable line of bounded length, whatever it quotes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const shown = quoted(text)
      expect(shown).toMatch(/^`[ -~]*…?`$/)
      expect(shown.length).toBeLessThan(600)
    }),
  )
})
