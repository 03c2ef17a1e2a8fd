import { createHash } from 'node:crypto'
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  InvalidRequestException,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  RestoreSecretCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import type * as z from 'zod'
import type { SlotPlace } from '../domain/slot-place.ts'
import { parseSecretJson } from './secret-json.ts'
import {
  locateSecret,
  recoveryWindowDays,
  type SlotSecret,
  SlotSecretError,
  type SlotSecretStore,
  toSlotSecretError,
  writeAttempts,
} from './slot-secrets.ts'

/** A secret for each slot, in a shape that somebody else reads too. */
export type SecretOfSlot<T> = {
  readonly nameOf: (place: SlotPlace) => string
  readonly schema: z.ZodType<T>
  /** Whose shape it is. */
  readonly reader: string
  readonly loginOf: (value: T) => { readonly username: string; readonly password: string }
}

/** What writes such secrets needs besides. */
export type SlotSecretMaker<T> = {
  /** ARN of the key that new secrets are encrypted with. */
  readonly kmsKeyId: string | undefined
  readonly description: string
  /** Whether a secret is that of the slot's user as it is now. */
  readonly isOf: (value: T, place: SlotPlace, user: string) => boolean
  /** What becomes of one that is not. */
  readonly others: 'kept' | 'replaced'
  /** Before anything is made or handed on: `saved` is all that may be left of what was made for the slot. */
  readonly tidy: (place: SlotPlace, user: string, saved: T | undefined) => Promise<void>
  /** Makes what is to be saved. */
  readonly make: (place: SlotPlace, user: string) => Promise<T>
}

type Found<T> =
  | { readonly kind: 'found'; readonly value: T; readonly version: string }
  | { readonly kind: 'absent' | 'deleted' }

/**
 * The generation has no place in the text, so the version id carries it. The rest follows from what is replaced: of two
 * writers that saw the same secret the second is refused, and one that repeats itself after a lost answer is not.
 */
const versionAfter = (name: string, previous: string, generation: number): string => {
  const digest = createHash('sha256').update(`${name}\n${previous}`).digest('hex')
  return `generation-${String(generation).padStart(10, '0')}-${digest.slice(0, 32)}`
}

/** Undefined for a version that somebody else wrote. */
const generationOf = (version: string): number | undefined => {
  const digits = /^generation-(\d{10})-[0-9a-f]{32}$/.exec(version)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

const findSecret = async <T>(
  secrets: SecretsManagerClient,
  { schema, reader }: SecretOfSlot<T>,
  name: string,
): Promise<Found<T>> => {
  try {
    const { SecretString = '', VersionId = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: name }))
    // Secrets Manager itself writes no empty text
    if (SecretString === '') return { kind: 'absent' }
    const parsed = schema.safeParse(parseSecretJson(SecretString))
    if (parsed.success) return { kind: 'found', value: parsed.data, version: VersionId }
    throw new SlotSecretError('secret_foreign', `the secret \`${name}\` has not the shape that ${reader} reads`)
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return { kind: 'absent' }
    // the only request that a secret refuses for what it is in: one that waits for its deletion
    if (error instanceof InvalidRequestException) return { kind: 'deleted' }
    throw error
  }
}

const secretOf = <T>({ loginOf }: SecretOfSlot<T>, found: Found<T>): SlotSecret | undefined => {
  if (found.kind !== 'found') return undefined
  const generation = generationOf(found.version)
  return generation === undefined ? undefined : { generation, ...loginOf(found.value) }
}

const named = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    throw toSlotSecretError(error, name)
  }
}

/** For who only reads. */
export const createSlotSecretReader = <T>(
  secrets: SecretsManagerClient,
  shape: SecretOfSlot<T>,
): Pick<SlotSecretStore, 'read' | 'locate'> => ({
  read: (cluster, principal, slot) => {
    const name = shape.nameOf({ cluster, principal, slot })
    return named(name, async () => secretOf(shape, await findSecret(secrets, shape, name)))
  },

  locate: (cluster, principal, slot) => {
    const name = shape.nameOf({ cluster, principal, slot })
    return named(name, () => locateSecret(secrets, name))
  },
})

/** The secret is deleted when the slot's user is gone, and brought back for the next one: there are never two of one name. */
export const createSecretsOfSlots = <T extends object>(
  secrets: SecretsManagerClient,
  shape: SecretOfSlot<T>,
  { kmsKeyId, description, isOf, others, tidy, make }: SlotSecretMaker<T>,
): SlotSecretStore => {
  const find = (name: string) => findSecret(secrets, shape, name)

  const restore = async (name: string): Promise<Found<T>> => {
    await secrets.send(new RestoreSecretCommand({ SecretId: name }))
    return find(name)
  }

  /** A secret without a value, so that each value is written in one way: by a version id of ours. */
  const create = async (name: string, { cluster, principal }: SlotPlace): Promise<void> => {
    try {
      await secrets.send(
        new CreateSecretCommand({
          Name: name,
          Description: description,
          ...(kmsKeyId !== undefined && { KmsKeyId: kmsKeyId }),
          Tags: [
            { Key: 'switchboard:cluster', Value: cluster },
            { Key: 'switchboard:principal', Value: principal },
          ],
        }),
      )
    } catch (error) {
      if (!(error instanceof ResourceExistsException)) throw error
    }
  }

  /** False when somebody else was faster. */
  const write = async (name: string, found: Found<T>, generation: number, value: T): Promise<boolean> => {
    try {
      await secrets.send(
        new PutSecretValueCommand({
          SecretId: name,
          SecretString: JSON.stringify(value),
          ClientRequestToken: versionAfter(name, found.kind === 'found' ? found.version : '', generation),
        }),
      )
      return true
    } catch (error) {
      if (error instanceof ResourceExistsException) return false
      // it was deleted since it was looked for
      if (error instanceof InvalidRequestException || error instanceof ResourceNotFoundException) return false
      throw error
    }
  }

  const ensure = async (name: string, place: SlotPlace, generation: number, user: string): Promise<SlotSecret> => {
    for (let attempt = 1; attempt <= writeAttempts; attempt++) {
      const first = await find(name)
      const found = first.kind === 'deleted' ? await restore(name) : first
      const saved = found.kind === 'found' && isOf(found.value, place, user) ? found.value : undefined
      if (found.kind === 'found' && saved === undefined && others === 'kept')
        throw new SlotSecretError('secret_foreign', `the secret \`${name}\` is of another user`)
      const there = saved === undefined ? undefined : secretOf(shape, found)
      const isThere = there?.generation === generation
      await tidy(place, user, isThere ? saved : undefined)
      if (isThere) return there
      if (found.kind !== 'found') await create(name, place)
      const made = await make(place, user)
      if (await write(name, found, generation, made)) return { generation, ...shape.loginOf(made) }
    }
    throw new SlotSecretError('secret_unavailable', `the secret \`${name}\` is changed by somebody else all the time`)
  }

  return {
    ...createSlotSecretReader(secrets, shape),

    recover: (cluster, principal, slot, user) => {
      const place = { cluster, principal, slot }
      const name = shape.nameOf(place)
      return named(name, async () => {
        const first = await find(name)
        const found = first.kind === 'deleted' ? await restore(name) : first
        return found.kind === 'found' && isOf(found.value, place, user) ? secretOf(shape, found) : undefined
      })
    },

    ensure: ({ cluster, principal, slots }, slot, user) => {
      const place = { cluster, principal, slot }
      const name = shape.nameOf(place)
      return named(name, () => ensure(name, place, slots[slot].generation, user))
    },

    removeSlot: ({ cluster, principal }, slot) => {
      const name = shape.nameOf({ cluster, principal, slot })
      return named(name, async () => {
        try {
          await secrets.send(new DeleteSecretCommand({ SecretId: name, RecoveryWindowInDays: recoveryWindowDays }))
        } catch (error) {
          if (error instanceof ResourceNotFoundException || error instanceof InvalidRequestException) return
          throw error
        }
      })
    },
  }
}
