import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { type JWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose'
import type { SignatureAlgorithm } from '../../shared/domain/identity.ts'

/** A key pair of an issuer. */
export type WorkloadKey = {
  readonly kid: string
  readonly algorithm: SignatureAlgorithm
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** As the issuer publishes it. */
  readonly jwk: JWK
}

const pairOf = (algorithm: SignatureAlgorithm): { privateKey: KeyObject; publicKey: KeyObject } => {
  switch (algorithm) {
    case 'RS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' })
    case 'EdDSA':
      return generateKeyPairSync('ed25519')
  }
}

export const createKey = (algorithm: SignatureAlgorithm, kid: string = randomUUID()): WorkloadKey => {
  const { privateKey, publicKey } = pairOf(algorithm)
  const jwk = { ...(publicKey.export({ format: 'jwk' }) as JWK), kid, alg: algorithm, use: 'sig' }
  return { kid, algorithm, privateKey, publicKey, jwk }
}

/** A token as an honest issuer signs it, with these claims and header members. */
export const mint = (
  key: WorkloadKey,
  claims: JWTPayload,
  header: Partial<JWTHeaderParameters> & Readonly<Record<string, unknown>> = {},
): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: key.algorithm, kid: key.kid, ...header }).sign(key.privateKey)

export const encode = (text: string): string => Buffer.from(text).toString('base64url')

/** A good signature under any header and any payload, also those that no library would sign. */
export const signText = (key: WorkloadKey, header: unknown, payload: string): string => {
  const input = `${encode(JSON.stringify(header))}.${encode(payload)}`
  const hash = { RS256: 'sha256', ES256: 'sha256', ES384: 'sha384', EdDSA: null }[key.algorithm]
  const signature = sign(hash, Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}
