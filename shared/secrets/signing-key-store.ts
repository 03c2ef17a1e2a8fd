import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'
import type { SlotName } from '../domain/rotation.ts'
import type { HeldKey, KeyRing } from '../domain/signing-key.ts'
import { parseSecretJson } from './secret-json.ts'

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

/** `lost`: the secret does not hold that key. */
export type Kept = 'done' | 'lost'

/** Every change is made on what the secret holds then; whoever makes one must be the only one who does. */
export type SigningKeyStore = {
  /** undefined before rotate has made the first key */
  readonly read: () => Promise<SigningKeys | undefined>
  /** The same without a private part. */
  readonly readRing: () => Promise<KeyRing | undefined>
  /** Makes a first key, which signs at once, unless there is a key; answers whether it made it. */
  readonly ensure: (generation: number, now: Date) => Promise<boolean>
  /** Publishes a key that does not sign yet, unless there is one of this generation. */
  readonly add: (slot: SlotName, generation: number, now: Date) => Promise<Kept>
  /** Signs with it from now on. */
  readonly activate: (slot: SlotName, generation: number) => Promise<Kept>
  /** Publishes only the key that signs and these. */
  readonly retain: (kept: readonly Pick<HeldKey, 'slot' | 'generation'>[]) => Promise<void>
  /** Puts one new key in the place of all, unless none of these is held; answers whether it did. */
  readonly replace: (kids: readonly string[], now: Date) => Promise<boolean>
}

const secretSchema = z.object({
  active: z.string(),
  keys: z
    .array(
      z.object({
        kid: z.string(),
        createdAt: z.string(),
        privateKey: z.string(),
        // not there in a secret that was written before keys rotated; the only key that such a one has is the first
        slot: z.enum(['a', 'b']).default('a'),
        generation: z.number().int().positive().default(1),
      }),
    )
    .min(1),
})

type Secret = z.output<typeof secretSchema>
type StoredKey = Secret['keys'][number]

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

const parseSecret = (text: string): Secret => {
  const parsed = secretSchema.safeParse(parseSecretJson(text))
  if (!parsed.success) throw new Error('the signing-key secret has not the shape that rotate writes')
  if (!parsed.data.keys.some(({ kid }) => kid === parsed.data.active))
    throw new Error('the signing-key secret names an active key that it does not hold')
  return parsed.data
}

const keysOf = ({ active: activeKid, keys }: Secret): SigningKeys | undefined => {
  const all = keys.map(({ kid, privateKey }): SigningKey => {
    const key = createPrivateKey(privateKey)
    return { kid, privateKey: key, publicJwk: publicJwk(key, kid) }
  })
  const active = all.find(({ kid }) => kid === activeKid)
  return active && { active, published: all.map((key) => key.publicJwk) }
}

const ringOf = ({ active: activeKid, keys }: Secret): KeyRing | undefined => {
  const all = keys.map(({ kid, slot, generation, createdAt }): HeldKey => {
    const created = new Date(createdAt)
    // who wrote another time than we do has an old key
    return { kid, slot, generation, createdAt: Number.isNaN(created.getTime()) ? new Date(0) : created }
  })
  const active = all.find(({ kid }) => kid === activeKid)
  return active && { active, keys: all }
}

const newKey = (slot: SlotName, generation: number, now: Date): StoredKey => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  return { kid: publicJwk(privateKey).kid, createdAt: now.toISOString(), privateKey: pem, slot, generation }
}

const otherSlot = (slot: SlotName): SlotName => (slot === 'a' ? 'b' : 'a')

export const createSigningKeyStore = (secrets: SecretsManagerClient, secretId: string): SigningKeyStore => {
  const readSecret = async (): Promise<Secret | undefined> => {
    try {
      const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: secretId }))
      return SecretString === undefined ? undefined : parseSecret(SecretString)
    } catch (error) {
      // the deploy makes the secret without a value
      if (error instanceof ResourceNotFoundException) return undefined
      throw error
    }
  }

  /** `once` names what is written: the same name a second time is refused by Secrets Manager, late as it may come. */
  const write = async (secret: Secret, once?: string): Promise<void> => {
    const token = once === undefined ? {} : { ClientRequestToken: createHash('sha256').update(once).digest('hex') }
    await secrets.send(
      new PutSecretValueCommand({ SecretId: secretId, SecretString: JSON.stringify(secret), ...token }),
    )
  }

  const find = ({ keys }: Secret, slot: SlotName, generation: number): StoredKey | undefined =>
    keys.find((key) => key.slot === slot && key.generation === generation)

  return {
    read: async () => {
      const secret = await readSecret()
      return secret && keysOf(secret)
    },

    readRing: async () => {
      const secret = await readSecret()
      return secret && ringOf(secret)
    },

    ensure: async (generation, now) => {
      if ((await readSecret()) !== undefined) return false
      const key = newKey('a', generation, now)
      const first = { active: key.kid, keys: [key] }
      try {
        await write(first, `${secretId} first ${generation}`)
      } catch (error) {
        if (!(error instanceof ResourceExistsException)) throw error
        if ((await readSecret()) !== undefined) return false
        // it was there, and somebody emptied the secret
        await write(first)
      }
      return true
    },

    add: async (slot, generation, now) => {
      const secret = await readSecret()
      if (secret === undefined) return 'lost'
      if (find(secret, slot, generation) !== undefined) return 'done'
      const others = secret.keys.filter((key) => key.slot !== slot || key.kid === secret.active)
      const keys = [...others, newKey(slot, generation, now)]
      try {
        await write({ ...secret, keys }, `${secretId} ${secret.active} ${slot} ${generation}`)
        return 'done'
      } catch (error) {
        // it was there, and somebody took it away: this generation is over
        if (error instanceof ResourceExistsException) return 'lost'
        throw error
      }
    },

    activate: async (slot, generation) => {
      const secret = await readSecret()
      const key = secret && find(secret, slot, generation)
      if (secret === undefined || key === undefined) return 'lost'
      if (secret.active !== key.kid) await write({ ...secret, active: key.kid })
      return 'done'
    },

    retain: async (kept) => {
      const secret = await readSecret()
      if (secret === undefined) return
      const keys = secret.keys.filter(
        ({ kid, slot, generation }) =>
          kid === secret.active || kept.some((key) => key.slot === slot && key.generation === generation),
      )
      if (keys.length < secret.keys.length) await write({ ...secret, keys })
    },

    replace: async (kids, now) => {
      const secret = await readSecret()
      const ring = secret && ringOf(secret)
      if (!ring?.keys.some(({ kid }) => kids.includes(kid))) return false
      const generation = 1 + Math.max(...ring.keys.map((key) => key.generation))
      const key = newKey(otherSlot(ring.active.slot), generation, now)
      await write({ active: key.kid, keys: [key] })
      return true
    },
  }
}
