import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'
import { confluentSecretName, registryKeySecretName } from '../domain/confluent-secret-name.ts'
import type { SlotPlace } from '../domain/slot-place.ts'
import { apiKeySchema } from './secret-json.ts'
import { createSecretsOfSlots, createSlotSecretReader, type SecretOfSlot } from './secret-of-slot.ts'
import type { SlotSecret, SlotSecretStore } from './slot-secrets.ts'

const secretSchema = z.strictObject({
  ...apiKeySchema.shape,
  serviceAccountId: z.string().min(1),
  resourceId: z.string().min(1),
  environmentId: z.string().min(1),
})

/** Who has the keys of a slot, and of what. */
export type KeyOwner = Omit<z.infer<typeof secretSchema>, 'apiKey' | 'apiSecret'>

/** The API keys of slots, all of one cluster or of its schema registry. Every call of it may fail with a `CredentialError`. */
export type SlotKeys = {
  readonly ownerOf: (principal: string) => KeyOwner
  /** Ids of the keys that were made for the slot. */
  readonly made: (place: SlotPlace, user: string) => Promise<readonly string[]>
  /** Its secret is told this once. */
  readonly make: (place: SlotPlace, user: string) => Promise<{ readonly apiKey: string; readonly apiSecret: string }>
  /** What is not there counts as removed. */
  readonly remove: (apiKey: string) => Promise<void>
}

const secretOfKey = (nameOf: (place: SlotPlace) => string): SecretOfSlot<z.infer<typeof secretSchema>> => ({
  nameOf,
  schema: secretSchema,
  reader: 'the rotation of Confluent keys',
  loginOf: ({ apiKey, apiSecret }) => ({ username: apiKey, password: apiSecret }),
})

const keyOfCluster = (stack: string) => secretOfKey((place) => confluentSecretName(stack, place))
const keyOfRegistry = (stack: string) => secretOfKey((place) => registryKeySecretName(stack, place))

/** For who only reads: the keys of the cluster. */
export const createConfluentSlotSecretReader = (secrets: SecretsManagerClient, stack: string) =>
  createSlotSecretReader(secrets, keyOfCluster(stack))

/** For who only reads: the keys of its schema registry, under the generations of the slots. */
export const createRegistryKeyReader = (secrets: SecretsManagerClient, stack: string) =>
  createSlotSecretReader(secrets, keyOfRegistry(stack))

/**
 * One secret for an API key. Confluent chooses a key's secret and tells it once, so that a key is made before it is saved: one
 * that a worker made and could not save any more is found by the next and taken away.
 */
const createKeySecrets = (
  secrets: SecretsManagerClient,
  shape: SecretOfSlot<z.infer<typeof secretSchema>>,
  kmsKeyId: string,
  keys: SlotKeys,
): SlotSecretStore => {
  const isOwner = (value: KeyOwner, principal: string): boolean => {
    const { serviceAccountId, resourceId } = keys.ownerOf(principal)
    return value.serviceAccountId === serviceAccountId && value.resourceId === resourceId
  }
  return createSecretsOfSlots(secrets, shape, {
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

/** What the keys are of, and whose. */
export type KeysOfSlots = {
  readonly ofCluster: SlotKeys
  readonly ofRegistry: SlotKeys
  /** Whether a slot is to have one of the registry; without it those of before are only taken away. */
  readonly hasRegistry: boolean
}

/**
 * The API keys of the slots on a cluster: one of the cluster and, where its schema registry takes them, one of that, each in a
 * secret of its own. A slot has both or counts as lost.
 *
 * @param stack whose secrets these are; several stacks may share an account, or a cluster
 * @param kmsKeyId ARN of the key that new secrets are encrypted with
 */
export const createConfluentSlotSecrets = (
  secrets: SecretsManagerClient,
  stack: string,
  kmsKeyId: string,
  { ofCluster, ofRegistry, hasRegistry }: KeysOfSlots,
): SlotSecretStore => {
  const cluster = createKeySecrets(secrets, keyOfCluster(stack), kmsKeyId, ofCluster)
  const registry = createKeySecrets(secrets, keyOfRegistry(stack), kmsKeyId, ofRegistry)
  const withRegistry = (found: SlotSecret, { username, password }: SlotSecret): SlotSecret => ({
    ...found,
    registry: { username, password },
  })
  return {
    ...cluster,

    recover: async (name, principal, slot, user) => {
      const found = await cluster.recover(name, principal, slot, user)
      if (found === undefined || !hasRegistry) return found
      const other = await registry.recover(name, principal, slot, user)
      return other?.generation === found.generation ? withRegistry(found, other) : undefined
    },

    ensure: async (credential, slot, user) => {
      const made = await cluster.ensure(credential, slot, user)
      return hasRegistry ? withRegistry(made, await registry.ensure(credential, slot, user)) : made
    },

    removeSlot: async (credential, slot) => {
      await cluster.removeSlot(credential, slot)
      await registry.removeSlot(credential, slot)
    },
  }
}
