import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'
import { confluentSecretName } from '../domain/confluent-secret-name.ts'
import type { SlotPlace } from '../domain/slot-place.ts'
import { apiKeySchema } from './secret-json.ts'
import { createSecretsOfSlots, createSlotSecretReader, type SecretOfSlot } from './secret-of-slot.ts'
import type { SlotSecretStore } from './slot-secrets.ts'

const secretSchema = z.strictObject({
  ...apiKeySchema.shape,
  serviceAccountId: z.string().min(1),
  resourceId: z.string().min(1),
  environmentId: z.string().min(1),
})

/** Who has the keys of a slot, and of what. */
export type KeyOwner = Omit<z.infer<typeof secretSchema>, 'apiKey' | 'apiSecret'>

/** The API keys of slots on one cluster. Every call of it may fail with a `CredentialError`. */
export type SlotKeys = {
  readonly ownerOf: (principal: string) => KeyOwner
  /** Ids of the keys that were made for the slot. */
  readonly made: (place: SlotPlace, user: string) => Promise<readonly string[]>
  /** Its secret is told this once. */
  readonly make: (place: SlotPlace, user: string) => Promise<{ readonly apiKey: string; readonly apiSecret: string }>
  /** What is not there counts as removed. */
  readonly remove: (apiKey: string) => Promise<void>
}

const confluentSecret = (stack: string): SecretOfSlot<z.infer<typeof secretSchema>> => ({
  nameOf: (place) => confluentSecretName(stack, place),
  schema: secretSchema,
  reader: 'the rotation of Confluent keys',
  loginOf: ({ apiKey, apiSecret }) => ({ username: apiKey, password: apiSecret }),
})

/** For who only reads. */
export const createConfluentSlotSecretReader = (secrets: SecretsManagerClient, stack: string) =>
  createSlotSecretReader(secrets, confluentSecret(stack))

/**
 * One secret for each slot, with its API key. Confluent chooses a key's secret and tells it once, so that a key is made
 * before it is saved: one that a worker made and could not save any more is found by the next and taken away.
 *
 * @param stack whose secrets these are; several stacks may share an account, or a cluster
 * @param kmsKeyId ARN of the key that new secrets are encrypted with
 */
export const createConfluentSlotSecrets = (
  secrets: SecretsManagerClient,
  stack: string,
  kmsKeyId: string,
  keys: SlotKeys,
): SlotSecretStore => {
  const isOwner = (value: KeyOwner, principal: string): boolean => {
    const { serviceAccountId, resourceId } = keys.ownerOf(principal)
    return value.serviceAccountId === serviceAccountId && value.resourceId === resourceId
  }
  return createSecretsOfSlots(secrets, confluentSecret(stack), {
    kmsKeyId,
    description: 'Made by Switchboard: an API key of Confluent Cloud',
    isOf: (value, { principal }) => isOwner(value, principal),
    // brought back from its deletion, it is what the principal was before it was taken away
    others: 'replaced',
    tidy: async (place, user, saved) => {
      for (const id of await keys.made(place, user)) if (id !== saved?.apiKey) await keys.remove(id)
    },
    make: async (place, user) => ({ ...(await keys.make(place, user)), ...keys.ownerOf(place.principal) }),
  })
}
