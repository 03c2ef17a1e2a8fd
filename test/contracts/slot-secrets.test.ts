import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { DeleteSecretCommand, paginateListSecrets, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { trustAuthority } from '../../local/emulator.ts'
import { readStackState } from '../../local/state.ts'
import { mskSecretName } from '../../shared/domain/msk-secret-name.ts'
import { createMskSlotSecrets } from '../../shared/secrets/msk-slot-secrets.ts'
import { createSlotSecrets, slotSecretName } from '../../shared/secrets/slot-secrets.ts'
import { describeSlotSecretStore } from './slot-secret-store.contract.ts'

// What the loopback in `test/secrets` takes for granted of Secrets Manager, on the emulator. One thing it does not do as
// AWS does: a used token with another text overwrites, so that two writers at once are told apart by the loopback alone.

const { aws, caFile } = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(caFile, 'utf8'))
const stack = `contract-${randomUUID().slice(0, 8)}`
const key = `arn:aws:kms:${aws.region}:${aws.accountId}:key/0d0c0b0a-1111-2222-3333-444455556666`

const open = () => {
  const client = new SecretsManagerClient({
    endpoint: aws.endpointUrl,
    region: aws.region,
    credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
  })
  const deleteSecret = async (SecretId: string): Promise<void> => {
    await client.send(new DeleteSecretCommand({ SecretId, RecoveryWindowInDays: 7 }))
  }
  const close = async (): Promise<void> => {
    for await (const { SecretList = [] } of paginateListSecrets({ client }, { IncludePlannedDeletion: true }))
      for (const { ARN, Name = '' } of SecretList)
        if (Name.includes(stack))
          await client.send(new DeleteSecretCommand({ SecretId: ARN, ForceDeleteWithoutRecovery: true }))
    client.destroy()
  }
  return { client, deleteSecret, close }
}

describeSlotSecretStore('one secret for both slots, on the emulator', async () => {
  const { client, deleteSecret, close } = open()
  return {
    store: createSlotSecrets(client, stack, key),
    deleteByHand: (principal) => deleteSecret(slotSecretName(stack, 'main', principal)),
    close,
  }
})

describeSlotSecretStore('one secret for each slot, as MSK reads it, on the emulator', async () => {
  const { client, deleteSecret, close } = open()
  return {
    store: createMskSlotSecrets(client, stack, key),
    deleteByHand: (principal, slot) => deleteSecret(mskSecretName(stack, { cluster: 'main', principal, slot })),
    close,
  }
})
