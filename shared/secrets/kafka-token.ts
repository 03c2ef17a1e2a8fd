import { sign } from 'node:crypto'
import type { SigningKey } from './signing-key-store.ts'

/** The claims of a token of ours for one cluster; times in whole seconds (RFC 7519 NumericDate). */
export type KafkaTokenClaims = {
  readonly iss: string
  /** The Kafka user. */
  readonly sub: string
  readonly aud: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
  readonly lease: string
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const integerLength = 32

/**
 * DER `SEQUENCE { r, s }` -> the 64 bytes that JWS wants (RFC 7518 3.4). OpenSSL makes DER at once; asking Node for the
 * IEEE P1363 form, or naming DER in options, takes Node half as long again as the signature.
 */
const joseSignature = (der: Buffer): Buffer => {
  const raw = Buffer.alloc(2 * integerLength)
  let at = 2
  for (const end of [integerLength, 2 * integerLength]) {
    const length = der[at + 1] ?? 0
    const integer = der.subarray(at + 2, at + 2 + length)
    // a leading zero keeps a large integer positive in DER and is no part of the number
    const digits = integer.subarray(Math.max(0, integer.length - integerLength))
    digits.copy(raw, end - digits.length)
    at += 2 + length
  }
  return raw
}

/** Signs a Kafka token, ES256. `kid` lets a cluster follow a rotation of our keys. */
export const signKafkaToken = (key: SigningKey, claims: KafkaTokenClaims): string => {
  const input = `${base64url({ alg: 'ES256', typ: 'JWT', kid: key.kid })}.${base64url(claims)}`
  const der = sign('sha256', Buffer.from(input), key.privateKey)
  return `${input}.${joseSignature(der).toString('base64url')}`
}
