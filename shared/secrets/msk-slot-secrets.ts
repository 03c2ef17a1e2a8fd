import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'
import { mskSecretName } from '../domain/msk-secret-name.ts'
import { createSecretsOfSlots, createSlotSecretReader, type SecretOfSlot } from './secret-of-slot.ts'
import { createPassword, type SlotSecretStore } from './slot-secrets.ts'

/** MSK's own shape: it takes a secret with these members, and says nothing of others. */
const secretSchema = z.strictObject({ username: z.string().min(1), password: z.string().min(1) })

const mskSecret = (stack: string): SecretOfSlot<z.infer<typeof secretSchema>> => ({
  nameOf: (place) => mskSecretName(stack, place),
  schema: secretSchema,
  reader: 'MSK',
  loginOf: (value) => value,
})

/** For who only reads. */
export const createMskSlotSecretReader = (secrets: SecretsManagerClient, stack: string) =>
  createSlotSecretReader(secrets, mskSecret(stack))

/**
 * One secret for each slot, in the shape and under the name that MSK reads.
 *
 * @param stack whose secrets these are; several stacks may share an account, or a cluster
 * @param kmsKeyId ARN of the customer key that new secrets are encrypted with, for MSK takes no alias and no other key
 * @see https://docs.aws.amazon.com/msk/latest/developerguide/msk-password-tutorial.html
 */
export const createMskSlotSecrets = (
  secrets: SecretsManagerClient,
  stack: string,
  kmsKeyId?: string,
): SlotSecretStore =>
  createSecretsOfSlots(secrets, mskSecret(stack), {
    kmsKeyId,
    description: 'Made by Switchboard: the password of a Kafka user on an MSK cluster',
    isOf: ({ username }, _, user) => username === user,
    others: 'kept',
    tidy: async () => {},
    make: async (_, username) => ({ username, password: createPassword() }),
  })
