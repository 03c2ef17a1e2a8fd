import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority } from '../../local/certificates.ts'
import { renderJavaProperties, renderLibrdkafka, type TokenSource } from '../../shared/http/client-file.ts'
import type { ConnectionSettings } from '../../shared/http/connection.ts'
import { type Client, startJavaClient, startLibrdkafkaClient } from './ask.ts'

let java: Client
let librdkafka: Client

beforeAll(async () => {
  java = await startJavaClient()
  librdkafka = await startLibrdkafkaClient()
})

afterAll(async () => {
  await java?.stop()
  await librdkafka?.stop()
})

const endpoint = { tokenEndpointUrl: 'http://127.0.0.1:1/v1/token?instance=pod-1', scope: 'kafka:main' }
const secret = { kind: 'client_credentials', ...endpoint, clientId: 'legacy', clientSecret: 's3cret' } as const
const assertion = { kind: 'jwt-bearer', ...endpoint, assertionFile: '/run/secrets/token' } as const

const settingsWith = (changes: Partial<ConnectionSettings> = {}): ConnectionSettings => ({
  cluster: { name: 'main', provider: 'kafka' },
  topics: {},
  properties: { 'bootstrap.servers': '127.0.0.1:1', 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'OAUTHBEARER' },
  ...changes,
})

/** As `Properties.load(InputStream)` reads a file: ISO-8859-1. */
const load = async (file: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await java.ask({ ask: 'load', file: Buffer.from(file, 'latin1').toString('base64') })) as [string, string][],
  )

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom(
      '"',
      '\\',
      '\n',
      '\r',
      '\t',
      '\f',
      '\0',
      ' ',
      '=',
      ':',
      '#',
      '!',
      ';',
      "'",
      'é',
      '☃',
      '\u{1f980}',
      'u0041',
      '0',
      '\u0085',
      '\u2028',
    ),
  }),
)

describe('the file of a Java client', () => {
  it('says to java.util.Properties what was meant, whatever the names and values', async () => {
    const alone = Object.keys(await load(renderJavaProperties(settingsWith({ properties: {} }), assertion)))
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          hostile.filter((name) => name !== ''),
          hostile,
        ),
        async (properties) => {
          const read = await load(renderJavaProperties(settingsWith({ properties }), assertion))
          for (const [name, value] of Object.entries(properties)) expect(read[name]).toBe(value)
          expect(Object.keys(read).sort()).toEqual([...new Set([...Object.keys(properties), ...alone])].sort())
        },
      ),
      { numRuns: 300 },
    )
  })

  it.each([secret, assertion, { kind: 'token-file', tokenFile: '/run/kafka.jwt' }] satisfies TokenSource[])(
    'names only settings that Kafka has: $kind',
    async (source) => {
      const names = (await java.ask({ ask: 'names', role: 'producer' })) as readonly string[]
      expect(names).toEqual(
        expect.arrayContaining(Object.keys(await load(renderJavaProperties(settingsWith(), source)))),
      )
    },
  )

  it('carries the certificates of a private authority as one value', async () => {
    const { certificate } = await createAuthority()
    const properties = { 'ssl.truststore.type': 'PEM', 'ssl.truststore.certificates': certificate }
    expect(await load(renderJavaProperties(settingsWith({ properties }), secret))).toMatchObject(properties)
  })
})

describe('the object of a librdkafka client', () => {
  it.each([secret, assertion])('makes a client, its private authority inside: $kind', async (source) => {
    const { certificate } = await createAuthority()
    const { properties } = settingsWith()
    const settings = settingsWith({
      properties: {
        ...properties,
        'client.id': 'pod-1',
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.certificates': certificate,
      },
      consumer: { 'group.id': 'orders', 'auto.offset.reset': 'none' },
    })
    const rendered = renderLibrdkafka(settings, source)
    expect(rendered['ssl.ca.pem']).toBe(certificate)
    expect(await librdkafka.ask({ ask: 'construct', role: 'consumer', settings: rendered })).toEqual({ warnings: [] })
  })
})

describe('a user and a password', () => {
  const settings = settingsWith({
    properties: {
      'bootstrap.servers': '127.0.0.1:1',
      'security.protocol': 'SASL_PLAINTEXT',
      'sasl.mechanism': 'SCRAM-SHA-512',
    },
  })
  const word = hostile.filter((text) => text !== '')
  const login = (username: string, password: string) => ({ kind: 'scram', username, password }) as const

  it("reach Kafka's own JAAS parser as they are, through the file", async () => {
    await fc.assert(
      fc.asyncProperty(word, word, async (username, password) => {
        const { 'sasl.jaas.config': value } = await load(renderJavaProperties(settings, login(username, password)))
        expect(await java.ask({ ask: 'jaas', value })).toEqual([
          {
            module: 'org.apache.kafka.common.security.scram.ScramLoginModule',
            flag: 'LoginModuleControlFlag: required',
            options: { username, password },
          },
        ])
      }),
      { numRuns: 300 },
    )
  })

  /** librdkafka takes texts of C, and takes the space off where one begins. No name and no password of ours has any. */
  const isOfLibrdkafka = (text: string): boolean =>
    text.isWellFormed() && !text.includes('\0') && !/^[ \t-\r]/.test(text)

  it("reach librdkafka's own settings as they are, where it can have them at all", async () => {
    await fc.assert(
      fc.asyncProperty(word, word, async (username, password) => {
        fc.pre(isOfLibrdkafka(username) && isOfLibrdkafka(password))
        const rendered = renderLibrdkafka(settings, login(username, password))
        expect(await librdkafka.ask({ ask: 'read_back', settings: rendered })).toMatchObject({
          'sasl.username': username,
          'sasl.password': password,
        })
      }),
      { numRuns: 300 },
    )
  })

  it('make a client of either kind without a warning', async () => {
    const stored = login('sb.orders-api@a', 'x"\\\'; =#!\u00e9')
    const rendered = renderLibrdkafka(settings, stored)
    expect(await librdkafka.ask({ ask: 'construct', role: 'producer', settings: rendered })).toEqual({ warnings: [] })
    const file = await load(renderJavaProperties(settings, stored))
    expect(await java.ask({ ask: 'construct', role: 'producer', settings: file })).toEqual({})
  })
})
