import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { Provider } from '../domain/cluster.ts'
import { createConfluentSlotSecretReader } from './confluent-slot-secrets.ts'
import { createMskSlotSecretReader } from './msk-slot-secrets.ts'
import { createSlotSecrets, type SlotSecretStore } from './slot-secrets.ts'

export type SlotSecretReader = Pick<SlotSecretStore, 'read' | 'locate'>

/**
 * Where what a cluster's clients log in with is: who runs it decides the shape of its secrets.
 * @param stack whose secrets these are; several stacks may share an account
 */
export const createSlotSecretReaders = (
  secrets: SecretsManagerClient,
  stack: string,
): ((provider: Provider) => SlotSecretReader) => {
  const readers: Readonly<Record<Provider, SlotSecretReader>> = {
    kafka: createSlotSecrets(secrets, stack),
    msk: createMskSlotSecretReader(secrets, stack),
    confluent: createConfluentSlotSecretReader(secrets, stack),
  }
  return (provider) => readers[provider]
}
