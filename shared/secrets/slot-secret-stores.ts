import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { Provider } from '../domain/cluster.ts'
import { createMskSlotSecrets } from './msk-slot-secrets.ts'
import { createSlotSecrets, type SlotSecretStore } from './slot-secrets.ts'

/**
 * Where the passwords of a cluster are: who runs it decides the shape of their secrets.
 *
 * @param stack whose secrets these are; several stacks may share an account
 * @param kmsKeyId ARN of the key that new secrets are encrypted with; undefined for who only reads
 */
export const createSlotSecretStores = (
  secrets: SecretsManagerClient,
  stack: string,
  kmsKeyId?: string,
): ((provider: Provider) => SlotSecretStore) => {
  const stores: Readonly<Record<Provider, SlotSecretStore>> = {
    kafka: createSlotSecrets(secrets, stack, kmsKeyId),
    msk: createMskSlotSecrets(secrets, stack, kmsKeyId),
  }
  return (provider) => stores[provider]
}
