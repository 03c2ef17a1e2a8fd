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
import * as z from 'zod'
import { type MskSlot, mskSecretName } from '../domain/msk-secret-name.ts'
import {
  createPassword,
  locateSecret,
  parseSecretJson,
  recoveryWindowDays,
  type SlotSecret,
  SlotSecretError,
  type SlotSecretStore,
  toSlotSecretError,
  writeAttempts,
} from './slot-secrets.ts'

/** MSK's own shape: it takes a secret with these members, and says nothing of others. */
const secretSchema = z.strictObject({ username: z.string().min(1), password: z.string().min(1) })

type Found =
  | { readonly kind: 'found'; readonly username: string; readonly password: string; readonly version: string }
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

const parse = (text: string | undefined, name: string): z.infer<typeof secretSchema> => {
  const parsed = secretSchema.safeParse(parseSecretJson(text ?? ''))
  if (parsed.success) return parsed.data
  throw new SlotSecretError('secret_foreign', `the secret \`${name}\` has not the shape that MSK reads`)
}

/**
 * One secret for each slot, in the shape and under the name that MSK reads. It is deleted when its user is gone, and
 * brought back for the next one: MSK never sees two secrets of one name.
 *
 * @param stack whose secrets these are; several stacks may share an account, or a cluster
 * @param kmsKeyId ARN of the customer key that new secrets are encrypted with, for MSK takes no alias and no other key;
 *   undefined for who only reads
 * @see https://docs.aws.amazon.com/msk/latest/developerguide/msk-password-tutorial.html
 */
export const createMskSlotSecrets = (
  secrets: SecretsManagerClient,
  stack: string,
  kmsKeyId?: string,
): SlotSecretStore => {
  const find = async (name: string): Promise<Found> => {
    try {
      const { SecretString, VersionId = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: name }))
      // Secrets Manager itself writes no empty text
      if (SecretString === '') return { kind: 'absent' }
      return { kind: 'found', ...parse(SecretString, name), version: VersionId }
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return { kind: 'absent' }
      // the only request that a secret refuses for what it is in: one that waits for its deletion
      if (error instanceof InvalidRequestException) return { kind: 'deleted' }
      throw error
    }
  }

  const restore = async (name: string): Promise<Found> => {
    await secrets.send(new RestoreSecretCommand({ SecretId: name }))
    return find(name)
  }

  const secretOf = (found: Found): SlotSecret | undefined => {
    if (found.kind !== 'found') return undefined
    const generation = generationOf(found.version)
    return generation === undefined ? undefined : { generation, username: found.username, password: found.password }
  }

  /** A secret without a value, so that each value is written in one way: by a version id of ours. */
  const create = async (name: string, { cluster, principal }: MskSlot): Promise<void> => {
    try {
      await secrets.send(
        new CreateSecretCommand({
          Name: name,
          Description: 'Made by Switchboard: the password of a Kafka user on an MSK cluster',
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
  const write = async (
    name: string,
    found: Found,
    slot: MskSlot,
    { generation, username, password }: SlotSecret,
  ): Promise<boolean> => {
    try {
      if (found.kind !== 'found') await create(name, slot)
      await secrets.send(
        new PutSecretValueCommand({
          SecretId: name,
          SecretString: JSON.stringify({ username, password }),
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

  const ensure = async (name: string, slot: MskSlot, generation: number, username: string): Promise<SlotSecret> => {
    for (let attempt = 1; attempt <= writeAttempts; attempt++) {
      const first = await find(name)
      const found = first.kind === 'deleted' ? await restore(name) : first
      if (found.kind === 'found' && found.username !== username)
        throw new SlotSecretError('secret_foreign', `the secret \`${name}\` is of another user`)
      const there = secretOf(found)
      if (there?.generation === generation) return there
      const made: SlotSecret = { generation, username, password: createPassword() }
      if (await write(name, found, slot, made)) return made
    }
    throw new SlotSecretError('secret_unavailable', `the secret \`${name}\` is changed by somebody else all the time`)
  }

  const named = async <T>(slot: MskSlot, work: (name: string) => Promise<T>): Promise<T> => {
    const name = mskSecretName(stack, slot)
    try {
      return await work(name)
    } catch (error) {
      throw toSlotSecretError(error, name)
    }
  }

  return {
    read: (cluster, principal, slot) => named({ cluster, principal, slot }, async (name) => secretOf(await find(name))),

    locate: (cluster, principal, slot) => named({ cluster, principal, slot }, (name) => locateSecret(secrets, name)),

    recover: (cluster, principal, slot) =>
      named({ cluster, principal, slot }, async (name) => {
        const found = await find(name)
        return secretOf(found.kind === 'deleted' ? await restore(name) : found)
      }),

    ensure: ({ cluster, principal, slots }, slot, username) => {
      const of = { cluster, principal, slot }
      return named(of, (name) => ensure(name, of, slots[slot].generation, username))
    },

    removeSlot: ({ cluster, principal }, slot) =>
      named({ cluster, principal, slot }, async (name) => {
        try {
          await secrets.send(new DeleteSecretCommand({ SecretId: name, RecoveryWindowInDays: recoveryWindowDays }))
        } catch (error) {
          if (error instanceof ResourceNotFoundException || error instanceof InvalidRequestException) return
          throw error
        }
      }),
  }
}
