import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { aDirectoryThatTrusts, anAuthenticator, goodClaims } from './an-authenticator.ts'
import { type LoopbackIssuer, startIssuer } from './loopback-issuer.ts'
import { createKey, encode, mint } from './workload-key.ts'

const keys = [createKey('RS256', 'rsa'), createKey('ES256', 'p256'), createKey('EdDSA', 'ed25519')] as const
const runs = { numRuns: 400 }
const { authorize } = anAuthenticator()

let issuer: LoopbackIssuer
let tokens: readonly (readonly [string, string, string])[]

beforeAll(async () => {
  issuer = await startIssuer(keys.map(({ jwk }) => jwk))
  tokens = await Promise.all(
    keys.map(async (key) => (await mint(key, goodClaims(issuer.url))).split('.') as [string, string, string]),
  )
})

afterAll(() => issuer.close())

const answerTo = (authorization: string): Promise<unknown> =>
  authorize(authorization, aDirectoryThatTrusts(issuer.url)).catch((thrown: unknown) => thrown)

const expectRefused = async (authorization: string): Promise<void> => {
  const answer = await answerTo(authorization)
  expect(answer).toBeInstanceOf(SwitchboardError)
  expect(answer).toMatchObject({ code: 'unauthenticated', detail: 'the request carries no valid proof of identity' })
}

const anyToken = fc.nat({ max: keys.length - 1 }).map((index) => () => tokens[index] ?? ['', '', ''])
const anyPart = fc.constantFrom(0, 1, 2)

test('the tokens that are mutated below are good as they are', async () => {
  for (const parts of tokens) expect(await answerTo(`Bearer ${parts.join('.')}`)).toMatchObject({ name: 'orders-api' })
})

test('no token with a flipped bit is accepted, whichever it is', async () => {
  await fc.assert(
    fc.asyncProperty(anyToken, anyPart, fc.nat(), async (token, part, at) => {
      const parts = [...token()]
      const bytes = Buffer.from(parts[part] ?? '', 'base64url')
      const bit = at % (bytes.length * 8)
      bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      parts[part] = bytes.toString('base64url')

      await expectRefused(`Bearer ${parts.join('.')}`)
    }),
    runs,
  )
})

test('no token with another character in it is accepted', async () => {
  const anyCharacter = fc.oneof(
    fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.'),
    fc.string({ minLength: 1, maxLength: 1 }),
  )
  const anyEdit = fc.constantFrom('replace', 'insert', 'delete')
  await fc.assert(
    fc.asyncProperty(anyToken, fc.nat(), anyCharacter, anyEdit, async (token, position, character, edit) => {
      const text = token().join('.')
      const at = position % text.length
      const rest = text.slice(edit === 'insert' ? at : at + 1)
      const mutated = `${text.slice(0, at)}${edit === 'delete' ? '' : character}${rest}`
      // a space before the token is the separator of the scheme
      fc.pre(mutated.trimStart() !== text)

      await expectRefused(`Bearer ${mutated}`)
    }),
    { ...runs, numRuns: 2_000 },
  )
})

test('no token has a second spelling: the unused bits of its last character are part of it', async () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  for (const parts of tokens) {
    const text = parts.join('.')
    for (const character of alphabet)
      if (!text.endsWith(character)) await expectRefused(`Bearer ${text.slice(0, -1)}${character}`)
  }
})

test('no token is accepted that was put together from parts of good ones', async () => {
  const others = await Promise.all(
    keys.map(async (key) => (await mint(key, { ...goodClaims(issuer.url), sub: 'billing' })).split('.')),
  )
  const good = new Set([...tokens, ...others].map((parts) => parts.join('.')))
  for (const header of [...tokens, ...others])
    for (const payload of [...tokens, ...others])
      for (const signature of [...tokens, ...others]) {
        const text = [header[0], payload[1], signature[2]].join('.')
        if (!good.has(text)) await expectRefused(`Bearer ${text}`)
      }
})

test('whatever stands in the Authorization header is refused and never a failure', async () => {
  const json = fc.oneof(
    fc.json(),
    fc.string(),
    fc
      .record(
        {
          alg: fc.oneof(fc.constantFrom('RS256', 'ES256', 'EdDSA', 'none', 'HS256'), fc.jsonValue()),
          kid: fc.oneof(fc.constantFrom('rsa', 'p256', 'ed25519', '__proto__'), fc.jsonValue()),
          crit: fc.jsonValue(),
          b64: fc.jsonValue(),
          typ: fc.jsonValue(),
          zip: fc.jsonValue(),
        },
        { requiredKeys: ['alg'] },
      )
      .map((header) => JSON.stringify(header)),
  )
  const payload = fc.oneof(
    fc.json(),
    fc
      .tuple(fc.dictionary(fc.string(), fc.jsonValue()), fc.boolean())
      .map(([claims, isTrusted]) => JSON.stringify({ ...(isTrusted ? goodClaims(issuer.url) : {}), ...claims })),
  )
  const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each).toString('base64url'))
  const authorization = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string().map((text) => `Bearer ${text}`),
    fc.tuple(json.map(encode), payload.map(encode), bytes).map((parts) => `Bearer ${parts.join('.')}`),
    fc.tuple(bytes, bytes, bytes).map((parts) => `Bearer ${parts.join('.')}`),
    fc.string({ unit: 'binary' }).map((text) => `Basic ${text}`),
    fc.string({ unit: 'binary' }).map((text) => `Basic ${Buffer.from(text).toString('base64')}`),
  )

  await fc.assert(fc.asyncProperty(authorization, expectRefused), { ...runs, numRuns: 1_000 })
})
