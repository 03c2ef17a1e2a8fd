import * as fc from 'fast-check'
import { compactVerify, createLocalJWKSet, jwtVerify } from 'jose'
import { expect, it } from 'vitest'
import { signKafkaToken } from '../../shared/secrets/kafka-token.ts'
import { createSigningKey } from '../fixtures/signing-keys.ts'

const anyClaims = fc.record({
  iss: fc.webUrl(),
  sub: fc.string({ unit: 'grapheme', minLength: 1 }),
  aud: fc.string({ unit: 'grapheme', minLength: 1 }),
  iat: fc.integer({ min: 0, max: 4_000_000_000 }),
  exp: fc.integer({ min: 0, max: 4_000_000_000 }),
  jti: fc.uuid(),
  lease: fc.string(),
})

it('a token is verified with the published key and says what it was made of', async () => {
  await fc.assert(
    fc.asyncProperty(anyClaims, async (claims) => {
      const key = createSigningKey()
      const token = signKafkaToken(key, claims)
      const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet({ keys: [key.publicJwk] }), {
        currentDate: new Date((claims.exp - 1) * 1000),
        algorithms: ['ES256'],
      })
      expect(payload).toEqual(claims)
      expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'JWT', kid: key.kid })
    }),
    { numRuns: 50 },
  )
})

// one number in 128 signatures is shorter than 32 bytes, and one in two has a leading zero in DER
it('a signature is right whatever the length of its two numbers', async () => {
  const key = createSigningKey()
  const claims = { iss: 'https://sb', sub: 'sb.a', aud: 'x', iat: 1, exp: 2, lease: 'lease_0' }
  let short = 0
  for (let index = 0; index < 1500; index++) {
    const token = signKafkaToken(key, { ...claims, jti: String(index) })
    const signature = Buffer.from(token.split('.')[2] ?? '', 'base64url')
    expect(signature).toHaveLength(64)
    if (signature[0] === 0 || signature[32] === 0) short++
    if (index % 10 === 0 || signature[0] === 0 || signature[32] === 0) await compactVerify(token, key.publicJwk)
  }
  expect(short).toBeGreaterThan(0)
})

it('a token of one key is not verified with another', async () => {
  const key = createSigningKey()
  const token = signKafkaToken(key, { iss: 'i', sub: 's', aud: 'a', iat: 1, exp: 2, jti: 'j', lease: 'l' })
  await expect(jwtVerify(token, createLocalJWKSet({ keys: [createSigningKey(key.kid).publicJwk] }))).rejects.toThrow()
})
