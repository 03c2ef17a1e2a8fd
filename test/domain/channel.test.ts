import { describe, expect, it } from 'vitest'
import {
  containsPattern,
  intersectPatterns,
  literalChannel,
  matchChannel,
  parseChannel,
  parseChannelPattern,
} from '../../shared/domain/channel.ts'
import { channelOf, patternOf } from '../fixtures/policies.ts'

const segment = 'x'.repeat(128)

describe('parseChannel', () => {
  it.each([
    ['kafka://acme/orders', 'acme', ['orders']],
    ['kafka://payments.acme.com/orders/created', 'payments.acme.com', ['orders', 'created']],
    ['kafka://a/Orders.v1_x-y', 'a', ['Orders.v1_x-y']],
    ['kafka://a/...', 'a', ['...']],
    [`kafka://a/${segment}`, 'a', [segment]],
  ])('takes %s', (text, domain, segments) => {
    expect(parseChannel(text)).toEqual({ ok: true, value: { name: text, domain, segments } })
  })

  it.each([
    ['nothing', ''],
    ['another scheme', 'http://acme/orders'],
    ['the scheme in capitals', 'KAFKA://acme/orders'],
    ['a space before the scheme', ' kafka://acme/orders'],
    ['no domain', 'kafka:///orders'],
    ['a user', 'kafka://user@acme/orders'],
    ['a user and a password', 'kafka://user:secret@acme/orders'],
    ['a port', 'kafka://acme:9092/orders'],
    ['a domain in capitals', 'kafka://ACME/orders'],
    ['a domain label that starts with a hyphen', 'kafka://-acme/orders'],
    ['a domain label that ends with a hyphen', 'kafka://acme-/orders'],
    ['a domain that ends with a dot', 'kafka://acme./orders'],
    ['an empty domain label', 'kafka://acme..com/orders'],
    ['a domain label of 64', `kafka://${'a'.repeat(64)}/orders`],
    ['an IPv6 address', 'kafka://[::1]/orders'],
    ['a domain of 254', `kafka://${`${'a'.repeat(49)}.`.repeat(5)}${'a'.repeat(4)}/orders`],
    ['no path', 'kafka://acme'],
    ['an empty path', 'kafka://acme/'],
    ['an empty segment', 'kafka://acme/orders//created'],
    ['an empty last segment', 'kafka://acme/orders/'],
    ['a dot segment', 'kafka://acme/./orders'],
    ['a dot-dot segment', 'kafka://acme/orders/../payouts'],
    ['an encoded slash', 'kafka://acme/orders%2Fcreated'],
    ['an encoded dot-dot', 'kafka://acme/%2e%2e/orders'],
    ['a backslash', 'kafka://acme/orders\\created'],
    ['a query', 'kafka://acme/orders?x=1'],
    ['a fragment', 'kafka://acme/orders#x'],
    ['a space', 'kafka://acme/orders created'],
    ['a line feed at the end', 'kafka://acme/orders\n'],
    ['a NUL', 'kafka://acme/orders\u0000'],
    ['a delete character', 'kafka://acme/orders\u007f'],
    ['a line separator', 'kafka://acme/orders\u2028'],
    ['a lone surrogate', 'kafka://acme/orders\ud800'],
    ['a Cyrillic letter that looks Latin', 'kafka://acme/\u043erders'],
    ['a Cyrillic letter in the domain', 'kafka://\u0430cme/orders'],
    ['a combining mark', 'kafka://acme/orde\u0301rs'],
    ['a zero-width space', 'kafka://acme/ord\u200bers'],
    ['a full-width slash', 'kafka://acme/orders\uff0fcreated'],
    ['a soft hyphen', 'kafka://acme/ord\u00aders'],
    ['a wildcard', 'kafka://acme/*'],
    ['a name in braces', 'kafka://acme/{event}'],
    ['a segment of 129', `kafka://acme/${segment}x`],
    ['17 segments', `kafka://acme/${Array(17).fill('a').join('/')}`],
    ['513 characters', `kafka://acme/${Array(4).fill(segment).join('/')}`],
  ])('refuses %s', (_, text) => {
    const parsed = parseChannel(text)
    expect(parsed.ok).toBe(false)
    // no control, bidirectional or look-alike character may reach a terminal by an error text
    if (!parsed.ok) expect(parsed.detail).toMatch(/^[ -~…]+$/)
  })

  it('takes 16 segments', () => {
    expect(parseChannel(`kafka://acme/${Array(16).fill('a').join('/')}`).ok).toBe(true)
  })
})

describe('parseChannelPattern', () => {
  it('takes literals, names, `*` and a last `**`', () => {
    expect(patternOf('kafka://acme/orders/{event}/*/**').segments).toEqual([
      { kind: 'literal', text: 'orders' },
      { kind: 'one', name: 'event' },
      { kind: 'one', name: undefined },
      { kind: 'rest' },
    ])
  })

  it.each([
    ['`**` before the end', 'kafka://acme/**/orders'],
    ['`*` inside a segment', 'kafka://acme/ord*'],
    ['`**` inside a segment', 'kafka://acme/ord**'],
    ['`***`', 'kafka://acme/***'],
    ['a name inside a segment', 'kafka://acme/x{event}'],
    ['an empty name', 'kafka://acme/{}'],
    ['a name that starts with a digit', 'kafka://acme/{1}'],
    ['a name in capitals', 'kafka://acme/{Event}'],
    ['`{**}`, which belongs to topics', 'kafka://acme/{**}'],
    ['the same name twice', 'kafka://acme/{event}/{event}'],
    ['a wildcard domain', 'kafka://*/orders'],
    ['a dot-dot segment', 'kafka://acme/../**'],
    ['an empty segment', 'kafka://acme//**'],
  ])('refuses %s', (_, text) => {
    expect(parseChannelPattern(text).ok).toBe(false)
  })
})

describe('matchChannel', () => {
  it('gives the named segments and what `**` took', () => {
    const found = matchChannel(patternOf('kafka://acme/{team}/**'), channelOf('kafka://acme/orders/created/v1'))
    expect(found).toEqual({ named: new Map([['team', 'orders']]), rest: ['created', 'v1'] })
  })

  it('wants at least one segment for `**`', () => {
    expect(matchChannel(patternOf('kafka://acme/orders/**'), channelOf('kafka://acme/orders'))).toBeUndefined()
  })

  it('folds no case', () => {
    expect(matchChannel(patternOf('kafka://acme/orders'), channelOf('kafka://acme/Orders'))).toBeUndefined()
  })

  it('does not read a domain as a suffix', () => {
    expect(matchChannel(patternOf('kafka://acme.com/**'), channelOf('kafka://evil.acme.com/x'))).toBeUndefined()
  })
})

describe('patterns against patterns', () => {
  it('keeps names of the first one in an intersection', () => {
    const both = intersectPatterns(patternOf('kafka://acme/{team}/**'), patternOf('kafka://acme/*/orders'))
    expect(both?.text).toBe('kafka://acme/{team}/orders')
  })

  it('does not contain the parent of a subtree', () => {
    expect(containsPattern(patternOf('kafka://acme/orders/**'), patternOf('kafka://acme/**'))).toBe(false)
  })

  it('names a channel only where nothing is a wildcard', () => {
    expect(literalChannel(patternOf('kafka://acme/orders'))?.name).toBe('kafka://acme/orders')
    expect(literalChannel(patternOf('kafka://acme/*'))).toBeUndefined()
  })
})
