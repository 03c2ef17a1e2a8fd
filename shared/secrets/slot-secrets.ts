import { createHash, randomBytes } from 'node:crypto'
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  InvalidRequestException,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  RestoreSecretCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'
import { CredentialError } from '../domain/credential-error.ts'
import type { RegistryLogin } from '../domain/registry-login.ts'
import { type Credential, type SlotName, slotNames } from '../domain/rotation.ts'
import { parseSecretJson } from './secret-json.ts'

/** What a client logs in with. */
export type SlotSecret = {
  readonly generation: number
  readonly username: string
  readonly password: string
  /** At the schema registry of the cluster, where slots have a login there too; for who makes them. */
  readonly registry?: RegistryLogin | undefined
}

export type SlotSecrets = Readonly<Partial<Record<SlotName, SlotSecret>>>

/** A version of a secret; whoever may read it does so with rights of its own. */
export type SecretReference = { readonly arn: string; readonly versionId: string }

/** Where the passwords of stored credentials are; whoever writes has claimed the credential. */
export type SlotSecretStore = {
  /** Undefined where there is no secret, or where it is about to be deleted. Needs no more than `GetSecretValue`. */
  readonly read: (cluster: string, principal: string, slot: SlotName) => Promise<SlotSecret | undefined>
  /** Where the password of a slot that is handed out can be read; nothing where `read` has nothing. Reads no secret. */
  readonly locate: (cluster: string, principal: string, slot: SlotName) => Promise<SecretReference | undefined>
  /**
   * As `read`, for who may bring a secret back that somebody deleted; nothing where it is that of another user.
   * @param user of the slot, see `slotUser`
   */
  readonly recover: (
    cluster: string,
    principal: string,
    slot: SlotName,
    user: string,
  ) => Promise<SlotSecret | undefined>
  /** What the slot's generation logs in with: made and saved unless it is there. */
  readonly ensure: (credential: Credential, slot: SlotName, user: string) => Promise<SlotSecret>
  /**
   * To be called when the slot's user is gone: deletes its secret, with a window to bring it back in, unless the other
   * slot needs it. What is gone counts as deleted.
   */
  readonly removeSlot: (credential: Credential, slot: SlotName) => Promise<void>
}

export class SlotSecretError extends CredentialError {
  override name = 'SlotSecretError'
}

const slotSchema = z.strictObject({
  generation: z.int().min(1),
  username: z.string().min(1),
  password: z.string().min(1),
})
const secretSchema = z.strictObject({ a: slotSchema.optional(), b: slotSchema.optional() })

/** 256 bits, in characters that no file format and no shell has to escape. */
export const createPassword = (): string => randomBytes(32).toString('base64url')

/**
 * Under the stack's own folder, for several may share an account. The last word keeps the end of a principal's name from
 * being read as the hyphen and six characters that end a secret's ARN, and what one principal may read apart from
 * another whose name begins like it.
 */
export const slotSecretName = (stack: string, cluster: string, principal: string): string =>
  `switchboard/${stack}/credentials/${cluster}/${principal}/slots`

/**
 * Follows from what is replaced: of two writers that saw the same secret the second is refused, and one that repeats
 * itself after a lost answer is not.
 */
const tokenAfter = (name: string, version: string): string =>
  createHash('sha256').update(`${name}\n${version}`).digest('hex')

const denials = ['AccessDeniedException', 'DecryptionFailure', 'EncryptionFailure', 'UnrecognizedClientException']

export const toSlotSecretError = (cause: unknown, name: string): CredentialError => {
  if (cause instanceof CredentialError) return cause
  const errorName = cause instanceof Error ? cause.name : 'unknown'
  const reason = denials.includes(errorName) ? 'secret_denied' : 'secret_unavailable'
  return new SlotSecretError(reason, `the secret \`${name}\`: ${errorName}`, { cause })
}

const parse = (text: string, name: string): SlotSecrets => {
  const parsed = secretSchema.safeParse(parseSecretJson(text))
  if (!parsed.success)
    throw new SlotSecretError('secret_foreign', `the secret \`${name}\` has not the shape that rotate writes`)
  const { a, b } = parsed.data
  return { ...(a && { a }), ...(b && { b }) }
}

type Found =
  | { readonly kind: 'found'; readonly slots: SlotSecrets; readonly version: string }
  | { readonly kind: 'absent' | 'deleted' }

const otherSlot = (slot: SlotName): SlotName => (slot === 'a' ? 'b' : 'a')

export const recoveryWindowDays = 7
/** A writer that was overtaken looks again; more than twice is somebody who does not stop. */
export const writeAttempts = 3

/** The current version of a secret; undefined where there is none, or where it is about to be deleted. Reads no value. */
export const locateSecret = async (
  secrets: SecretsManagerClient,
  name: string,
): Promise<SecretReference | undefined> => {
  try {
    const found = await secrets.send(new DescribeSecretCommand({ SecretId: name }))
    const stages = Object.entries(found.VersionIdsToStages ?? {})
    const versionId = stages.find(([, labels]) => labels.includes('AWSCURRENT'))?.[0]
    if (found.ARN === undefined || versionId === undefined || found.DeletedDate !== undefined) return undefined
    return { arn: found.ARN, versionId }
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined
    throw error
  }
}

/**
 * One secret for both slots of a stored credential, so that a rotation is one write.
 *
 * @param stack whose secrets these are; several stacks may share an account
 * @param kmsKeyId what new secrets are encrypted with; undefined for who only reads
 */
export const createSlotSecrets = (secrets: SecretsManagerClient, stack: string, kmsKeyId?: string): SlotSecretStore => {
  const find = async (name: string): Promise<Found> => {
    try {
      const { SecretString, VersionId = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: name }))
      if (SecretString === undefined)
        throw new SlotSecretError('secret_foreign', `the secret \`${name}\` holds no text`)
      return { kind: 'found', slots: parse(SecretString, name), version: VersionId }
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

  /** What other than this slot is to stay: only what the credential has, whatever a restored secret held. */
  const othersOf = ({ slots }: Credential, slot: SlotName, held: SlotSecrets): SlotSecrets =>
    Object.fromEntries(
      slotNames.flatMap((each) => {
        const secret = held[each]
        const isKept = each !== slot && slots[each].state !== 'absent' && secret?.generation === slots[each].generation
        return isKept ? [[each, secret]] : []
      }),
    )

  /** False when somebody else was faster. */
  const write = async (name: string, found: Found, credential: Credential, slots: SlotSecrets): Promise<boolean> => {
    const SecretString = JSON.stringify(slots)
    try {
      if (found.kind === 'found')
        await secrets.send(
          new PutSecretValueCommand({
            SecretId: name,
            SecretString,
            ClientRequestToken: tokenAfter(name, found.version),
          }),
        )
      else
        await secrets.send(
          new CreateSecretCommand({
            Name: name,
            Description: 'Made by Switchboard: the passwords of a principal on a Kafka cluster',
            SecretString,
            ...(kmsKeyId !== undefined && { KmsKeyId: kmsKeyId }),
            Tags: [
              { Key: 'switchboard:cluster', Value: credential.cluster },
              { Key: 'switchboard:principal', Value: credential.principal },
            ],
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

  const ensureSlot = async (name: string, credential: Credential, slot: SlotName, username: string) => {
    const { generation } = credential.slots[slot]
    for (let attempt = 1; attempt <= writeAttempts; attempt++) {
      const first = await find(name)
      const found = first.kind === 'deleted' ? await restore(name) : first
      const held = found.kind === 'found' ? found.slots : {}
      const there = held[slot]
      if (there?.generation === generation) {
        if (there.username === username) return there
        throw new SlotSecretError('secret_foreign', `the secret \`${name}\` is of another user`)
      }
      const made: SlotSecret = { generation, username, password: createPassword() }
      if (await write(name, found, credential, { ...othersOf(credential, slot, held), [slot]: made })) return made
    }
    throw new SlotSecretError('secret_unavailable', `the secret \`${name}\` is changed by somebody else all the time`)
  }

  const deleteSecret = async (name: string): Promise<void> => {
    try {
      await secrets.send(new DeleteSecretCommand({ SecretId: name, RecoveryWindowInDays: recoveryWindowDays }))
    } catch (error) {
      if (error instanceof ResourceNotFoundException || error instanceof InvalidRequestException) return
      throw error
    }
  }

  const named = async <T>(cluster: string, principal: string, work: (name: string) => Promise<T>): Promise<T> => {
    const name = slotSecretName(stack, cluster, principal)
    try {
      return await work(name)
    } catch (error) {
      throw toSlotSecretError(error, name)
    }
  }

  const slotsOf = (found: Found): SlotSecrets => (found.kind === 'found' ? found.slots : {})

  return {
    read: (cluster, principal, slot) => named(cluster, principal, async (name) => slotsOf(await find(name))[slot]),

    // the current version has the password of every slot that is handed out
    locate: (cluster, principal) => named(cluster, principal, (name) => locateSecret(secrets, name)),

    recover: (cluster, principal, slot, user) =>
      named(cluster, principal, async (name) => {
        const found = await find(name)
        const secret = slotsOf(found.kind === 'deleted' ? await restore(name) : found)[slot]
        return secret?.username === user ? secret : undefined
      }),

    ensure: (credential, slot, username) =>
      named(credential.cluster, credential.principal, (name) => ensureSlot(name, credential, slot, username)),

    removeSlot: (credential, slot) =>
      named(credential.cluster, credential.principal, async (name) => {
        // a password of nobody's is replaced by the next one, so that a rotation is one write to a service that takes few
        if (credential.slots[otherSlot(slot)].state === 'absent') await deleteSecret(name)
      }),
  }
}
