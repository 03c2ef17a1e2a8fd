import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'

/** Our issuer's keys. `privateKey` never leaves this process but as a signature. */
export type SigningKey = { readonly kid: string; readonly privateKey: KeyObject; readonly publicJwk: PublicJwk }
export type SigningKeys = { readonly active: SigningKey; readonly published: readonly PublicJwk[] }
export type PublicJwk = {
  readonly kty: 'EC'
  readonly crv: 'P-256'
  readonly x: string
  readonly y: string
  readonly kid: string
  readonly alg: 'ES256'
  readonly use: 'sig'
}

export type SigningKeyStore = {
  /** undefined before rotate has made the first key */
  readonly read: () => Promise<SigningKeys | undefined>
  /** Makes the first key unless there is one; answers whether it made it. */
  readonly ensure: (now: Date) => Promise<boolean>
}

const secretSchema = z.object({
  active: z.string(),
  keys: z.array(z.object({ kid: z.string(), createdAt: z.string(), privateKey: z.string() })).min(1),
})

const publicJwk = (privateKey: KeyObject, kid?: string): PublicJwk => {
  const { x, y } = createPublicKey(privateKey).export({ format: 'jwk' })
  if (x === undefined || y === undefined) throw new Error('the signing key is not an EC key')
  return { kty: 'EC', crv: 'P-256', x, y, kid: kid ?? thumbprint(x, y), alg: 'ES256', use: 'sig' }
}

/** RFC 7638. */
const thumbprint = (x: string, y: string): string =>
  createHash('sha256')
    .update(JSON.stringify({ crv: 'P-256', kty: 'EC', x, y }))
    .digest('base64url')

/** Without the parser's own message, which quotes the text. */
const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const parseSecret = (text: string): SigningKeys => {
  const parsed = secretSchema.safeParse(parseJson(text))
  if (!parsed.success) throw new Error('the signing-key secret has not the shape that rotate writes')
  const keys = parsed.data.keys.map(({ kid, privateKey }): SigningKey => {
    const key = createPrivateKey(privateKey)
    return { kid, privateKey: key, publicJwk: publicJwk(key, kid) }
  })
  const active = keys.find((key) => key.kid === parsed.data.active)
  if (active === undefined) throw new Error('the signing-key secret names an active key that it does not hold')
  return { active, published: keys.map((key) => key.publicJwk) }
}

export const createSigningKeyStore = (secrets: SecretsManagerClient, secretId: string): SigningKeyStore => {
  const read = async (): Promise<SigningKeys | undefined> => {
    try {
      const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: secretId }))
      return SecretString === undefined ? undefined : parseSecret(SecretString)
    } catch (error) {
      // the deploy makes the secret without a value
      if (error instanceof ResourceNotFoundException) return undefined
      throw error
    }
  }
  return {
    read,
    ensure: async (now) => {
      if ((await read()) !== undefined) return false
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const { kid } = publicJwk(privateKey)
      const pem = privateKey.export({ format: 'pem', type: 'pkcs8' })
      await secrets.send(
        new PutSecretValueCommand({
          SecretId: secretId,
          SecretString: JSON.stringify({ active: kid, keys: [{ kid, createdAt: now.toISOString(), privateKey: pem }] }),
        }),
      )
      return true
    },
  }
}
