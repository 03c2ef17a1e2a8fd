import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { maximumQueryLength, parseServicegwQuery } from '../../shared/http/servicegw-query.ts'

const refusalOf = (query: string): SwitchboardError => {
  try {
    parseServicegwQuery(query)
  } catch (error) {
    if (error instanceof SwitchboardError) return error
    throw error
  }
  throw new Error(`taken: ${query}`)
}

const created = 'kafka://acme/orders/created'
const shipped = 'kafka://acme/orders/shipped'

/** As Python's `urlencode(params, quote_via=quote_plus)` writes it. */
const encode = (text: string): string =>
  encodeURIComponent(text)
    .replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+')
const queryOf = (pairs: readonly (readonly [string, string])[]): string =>
  pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')

const segment = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/)
/** No two of them end alike. */
const channels = fc
  .uniqueArray(segment, { minLength: 1, maxLength: 8 })
  .chain((last) =>
    fc.tuple(
      ...last.map((text) =>
        fc.array(segment, { maxLength: 3 }).map((path) => `kafka://acme/${[...path, text].join('/')}`),
      ),
    ),
  )
const profile = fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/)
const role = fc.constantFrom('producer' as const, 'consumer' as const, undefined)
const meaningful = /^(channel(\[\d*\])?|config_profile(\.type)?)$/
const extras = fc.array(
  fc.tuple(
    fc.oneof(
      fc.constantFrom('kafka.env', 'config_profile.env', '__proto__', 'constructor', 'channels', 'channel[x]', ''),
      fc.string({ unit: 'grapheme', maxLength: 10 }),
    ),
    fc.oneof(fc.string({ unit: 'grapheme', maxLength: 10 }), fc.constant(created)),
  ),
  { maxLength: 6 },
)

describe('the query of the ancestor', () => {
  it('is read as its client wrote it, whatever else it sends and in whatever order', () => {
    fc.assert(
      fc.property(
        channels,
        profile,
        role,
        extras,
        fc.constantFrom('numbered', 'list'),
        fc.infiniteStream(fc.nat()),
        (asked, name, type, more, style, chance) => {
          const pairs: (readonly [string, string])[] = [
            ['config_profile', name],
            ...(type === undefined ? [] : [['config_profile.type', type] as const]),
            ...(asked.length === 1
              ? [['channel', asked[0] ?? ''] as const]
              : asked.map((one, at) => [style === 'list' ? 'channel[]' : `channel[${at}]`, one] as const)),
            ...more.filter(([extra]) => !meaningful.test(extra)),
          ]
          const shuffled = pairs
            .map((pair) => ({ pair, at: chance.next().value }))
            .sort((a, b) => a.at - b.at)
            .map(({ pair }) => pair)

          expect(parseServicegwQuery(queryOf(shuffled))).toEqual({
            profile: name,
            role: type,
            channels: [...asked].sort(),
          })
        },
      ),
    )
  })

  it('is taken or refused as an invalid intent, whatever it is', () => {
    const noise = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc
        .array(
          fc.constantFrom(
            'channel',
            '%5B0%5D',
            '[1]',
            '=',
            '&',
            '+',
            '%',
            '%zz',
            '%C3',
            '%00',
            created,
            'config_profile',
            '.type',
          ),
          { maxLength: 20 },
        )
        .map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(noise, (query) => {
        try {
          const { channels: read } = parseServicegwQuery(query)
          expect(read.length).toBeGreaterThan(0)
        } catch (error) {
          expect(error).toMatchObject({ name: 'SwitchboardError', code: 'invalid_intent' })
        }
      }),
    )
  })

  it('never lets two channels share the name under which the answer would have them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(segment, fc.constantFrom('a', 'b', 'c')), { minLength: 1, maxLength: 6 }),
        (list) => {
          const asked = list.map(([path, last]) => `kafka://acme/${path}/${last}`)
          const query = queryOf([['config_profile', 'x'], ...asked.map((one, at) => [`channel[${at}]`, one] as const)])
          const distinct = [...new Set(asked)]
          const collides = new Set(distinct.map((one) => one.split('/').at(-1))).size < distinct.length

          if (collides) expect(refusalOf(query).errors[0]?.detail).toContain('like another channel')
          else expect(parseServicegwQuery(query).channels).toEqual(distinct.sort())
        },
      ),
    )
  })

  it.each([
    ['encoded brackets', `config_profile=x&channel%5B0%5D=${created}&channel%5b1%5d=${shipped}`],
    ['plain brackets', `config_profile=x&channel[0]=${created}&channel[1]=${shipped}`],
    ['numbers that do not follow each other', `config_profile=x&channel[17]=${created}&channel[2]=${shipped}`],
    ['a list', `config_profile=x&channel[]=${created}&channel[]=${shipped}`],
    ['the same channel twice', `config_profile=x&channel=${created}&channel[0]=${created}&channel[1]=${shipped}`],
    ['empty parts', `&&config_profile=x&channel[0]=${created}&&channel[1]=${shipped}&`],
  ])('may have %s', (_, query) => {
    expect(parseServicegwQuery(query)).toEqual({ profile: 'x', role: undefined, channels: [created, shipped] })
  })

  it.each([
    ['nothing', '', ['/config_profile', '/channel']],
    ['no profile', `channel=${created}`, ['/config_profile']],
    ['no channel', 'config_profile=x', ['/channel']],
    [
      'a type that is no role',
      `config_profile=x&config_profile.type=both&channel=${created}`,
      ['/config_profile.type'],
    ],
    ['a channel that is none', 'config_profile=x&channel=orders', ['/channel']],
    ['an empty channel', 'config_profile=x&channel', ['/channel']],
    ['a pattern', 'config_profile=x&channel=kafka://acme/orders/*', ['/channel']],
    ['a channel with a query', 'config_profile=x&channel=kafka://acme/orders%3Fa%3Db', ['/channel']],
    [
      'two wrong channels',
      `config_profile=x&channel[0]=a&channel[1]=${created}&channel[2]=b`,
      ['/channel[0]', '/channel[2]'],
    ],
    ['a parameter twice', `config_profile=x&config_profile=y&channel=${created}`, ['/config_profile']],
    ['a number twice', `config_profile=x&channel[0]=${created}&channel%5B0%5D=${shipped}`, ['/channel[0]']],
    ['a value that is no UTF-8', 'config_profile=x&channel=%C3%28', ['/channel']],
    ['a value cut within an escape', 'config_profile=%4', ['/config_profile']],
    ['a name that cannot be decoded', `config_profile=x&channel%5=${created}`, ['']],
  ])('that has %s is refused and says where', (_, query, pointers) => {
    const refusal = refusalOf(query)

    expect(refusal.code).toBe('invalid_intent')
    expect(refusal.errors.map(({ pointer }) => pointer)).toEqual(pointers)
  })

  it('may have unknown values that are not encoded as they should be', () => {
    expect(parseServicegwQuery(`kafka.env=%zz&config_profile=x&channel=${created}`).channels).toEqual([created])
  })

  it('reads a plus as a space, as forms have it', () => {
    expect(refusalOf('config_profile=x&channel=a+b').errors[0]?.detail).toContain('`a b`')
  })

  it('takes 100 channels and not one more', () => {
    const many = (count: number): string =>
      `config_profile=x${Array.from({ length: count }, (__, at) => `&channel[${at}]=kafka://acme/c${at}`).join('')}`

    expect(parseServicegwQuery(many(100)).channels).toHaveLength(100)
    expect(refusalOf(many(101)).errors).toEqual([{ pointer: '/channel', detail: 'at most 100 channels, got 101' }])
  })

  it('is refused when it is longer than what a gateway lets through', () => {
    const query = `config_profile=x&channel=${created}&more=`
    expect(parseServicegwQuery(query.padEnd(maximumQueryLength, 'x')).channels).toEqual([created])
    expect(refusalOf(query.padEnd(maximumQueryLength + 1, 'x')).detail).toContain('allowed are 10240')
  })

  it('shows what a stranger wrote short and in ASCII', () => {
    const refusal = refusalOf(`config_profile=x&channel=${encodeURIComponent(`\u202e${'x'.repeat(200)}\n`)}`)

    expect(JSON.stringify(refusal.errors)).toMatch(/^[ -~…]*$/)
    expect(JSON.stringify(refusal.errors).length).toBeLessThan(250)
  })
})
