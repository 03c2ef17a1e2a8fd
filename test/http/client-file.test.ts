import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isAssertionFile, javaOptions, renderJavaProperties, renderLibrdkafka } from '../../shared/http/client-file.ts'
import type { ConnectionSettings } from '../../shared/http/connection.ts'

const settings: ConnectionSettings = {
  cluster: { name: 'main', provider: 'kafka' },
  topics: {},
  properties: { 'bootstrap.servers': 'kafka:9093' },
  producer: { acks: 'all' },
}
const endpoint = { tokenEndpointUrl: 'https://switchboard.acme.com/v1/token', scope: 'kafka:main' }
const secret = { kind: 'client_credentials', ...endpoint, clientId: 'legacy', clientSecret: 's3cret' } as const
const assertion = { kind: 'jwt-bearer', ...endpoint, assertionFile: '/run/token' } as const

const stored = (password: string) => ({ kind: 'scram', username: 'sb.orders-api@a', password }) as const

/** The value of a line, as `java.util.Properties` reads it. */
const readProperty = (line: string): string =>
  line
    .slice(line.indexOf('=') + 1)
    .replaceAll(/\\(?:u([0-9a-f]{4})|(.))/g, (_, code: string | undefined, character: string) =>
      code === undefined
        ? (({ n: '\n', r: '\r', t: '\t', f: '\f' } as Record<string, string>)[character] ?? character)
        : String.fromCharCode(Number.parseInt(code, 16)),
    )

/** The options of a login module, as Java's `StreamTokenizer` reads quoted words: octal escapes, and no line ends inside. */
const readJaas = (config: string): Record<string, string> => {
  const words = [...config.matchAll(/ ([a-z]+)="((?:[^"\\\n\r]|\\[^\n\r])*)"/gu)]
  expect(`${config.slice(0, config.indexOf(' '))} required${words.map(([word]) => word).join('')};`).toBe(config)
  return Object.fromEntries(
    words.map(([, name = '', value = '']) => [
      name,
      value.replaceAll(/\\(?:([0-3][0-7]{2}|[0-7]{1,2})|(.))/gu, (_, octal: string | undefined, character: string) =>
        octal === undefined ? character : String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    ]),
  )
}

const lastLine = (file: string): string | undefined => file.trimEnd().split('\n').at(-1)

// `test/clients` reads the same with Java's own parsers
describe('the file of a Java client', () => {
  it('is ASCII, a line for each setting, whatever the names and values', () => {
    const text = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(fc.dictionary(text, text), text, (properties, clientSecret) => {
        const file = renderJavaProperties({ ...settings, properties }, { ...secret, clientSecret })
        expect(file).toMatch(/^[\x20-\x7e\n]*$/)
        const names = new Set([...Object.keys(properties), 'acks', 'sasl.jaas.config'])
        for (const name of ['sasl.login.callback.handler.class', 'sasl.oauthbearer.token.endpoint.url']) names.add(name)
        expect(file.trimEnd().split('\n')).toHaveLength(1 + names.size)
      }),
    )
  })

  it.each([
    ['a quote', 'a"b', 'a\\\\"b'],
    ['a backslash', 'a\\b', 'a\\\\\\\\b'],
    ['a line', 'a\nb', 'a\\\\012b'],
    ['what looks like another option', '" evil="1', '\\\\" evil=\\\\"1'],
    ['a semicolon and a second module', '"; evil.Module required x="', '\\\\"; evil.Module required x=\\\\"'],
    ['no ASCII', 'é☃', '\\u00e9\\u2603'],
  ])('keeps %s inside the quotes of its secret', (_what, clientSecret, written) => {
    expect(lastLine(renderJavaProperties(settings, { ...secret, clientSecret }))).toBe(
      `sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId="legacy" clientSecret="${written}" scope="kafka:main";`,
    )
  })

  it('says the user and the password of a stored credential, and needs no JVM option', () => {
    expect(renderJavaProperties(settings, stored('a b')).split('\n')).toEqual([
      'bootstrap.servers=kafka:9093',
      'acks=all',
      'sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="sb.orders-api@a" password="a b";',
      '',
    ])
    expect(javaOptions(stored('a'))).toEqual({})
  })

  it('says an API key and its secret, in the words of SASL/PLAIN', () => {
    const key = { kind: 'api-key', username: 'KEY', password: 'its secret' } as const
    expect(lastLine(renderJavaProperties(settings, key))).toBe(
      'sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="KEY" password="its secret";',
    )
    expect(javaOptions(key)).toEqual({})
    expect(renderLibrdkafka(settings, key)).toMatchObject({ 'sasl.username': 'KEY', 'sasl.password': 'its secret' })
  })

  it('keeps a password of any characters in one quoted word of one line', () => {
    const password = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1 }),
      fc.string({
        unit: fc.constantFrom('"', '\\', '\n', '\r', '\0', "'", ';', '=', ' ', '#', '$', '{', 'é', '☃'),
        minLength: 1,
      }),
    )
    fc.assert(
      fc.property(password, (each) => {
        const file = renderJavaProperties(settings, stored(each))
        expect(file).toMatch(/^[\x20-\x7e\n]*$/)
        expect(file.trimEnd().split('\n')).toHaveLength(3)
        expect(readJaas(readProperty(lastLine(file) ?? ''))).toEqual({ username: 'sb.orders-api@a', password: each })
        expect(renderLibrdkafka(settings, stored(each))).toMatchObject({
          'sasl.username': 'sb.orders-api@a',
          'sasl.password': each,
        })
      }),
      { numRuns: 500 },
    )
  })

  it('escapes what would part a name from its value, begin a comment or be cut', () => {
    const properties = { 'a=b:c#d!e f': ' =:#! ' }
    expect(renderJavaProperties({ ...settings, properties }, secret)).toContain('\na\\=b\\:c\\#d\\!e\\ f=\\ =:#! \n')
  })

  it('names the JVM options in its first line, and the same to programs', () => {
    expect(renderJavaProperties(settings, assertion).split('\n')[0]).toBe(
      '# -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=https://switchboard.acme.com/v1/token -Dorg.apache.kafka.sasl.oauthbearer.allowed.files=/run/token',
    )
    expect(javaOptions({ kind: 'token-file', tokenFile: '/run/kafka.jwt' })).toEqual({
      'org.apache.kafka.sasl.oauthbearer.allowed.urls': 'file:///run/kafka.jwt',
    })
  })
})

describe('a file', () => {
  it('is for one role', () => {
    const both = { ...settings, consumer: { 'group.id': 'orders' } }
    expect(() => renderJavaProperties(both, secret)).toThrow('one role')
    expect(() => renderLibrdkafka(both, secret)).toThrow('one role')
  })

  it('of a librdkafka client names no file with a token, which it could not read', () => {
    expect(() => renderLibrdkafka(settings, { kind: 'token-file', tokenFile: '/run/kafka.jwt' })).toThrow(
      'an assertion',
    )
  })

  it('names no token file that Java would not find again', () => {
    expect(() => renderJavaProperties(settings, { kind: 'token-file', tokenFile: '/run/a b%20c' })).toThrow(
      '`/run/a b%20c`',
    )
  })
})

describe('the path of an assertion file', () => {
  it.each(['/run/token', '/var/run/secrets/tokens/kafka', 'C:\\tokens\\kafka', 'C:/tokens', '/a_b-c+d@e=f:g~h.jwt'])(
    'may be %s',
    (path) => {
      expect(isAssertionFile(path)).toBe(true)
    },
  )

  it.each([
    '',
    'token',
    './token',
    '~/token',
    '/a b',
    '/a,b',
    '/a\nb',
    '/a"b',
    "/a'b",
    '/a$b',
    '/a;b',
    '/a`b',
    '/a%20',
    '/é',
    `/${'a'.repeat(1_024)}`,
  ])('may not be %j', (path) => {
    expect(isAssertionFile(path)).toBe(false)
  })
})
