import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'
import { confluentIds } from '../../local/confluent/process.ts'
import { trustAuthority } from '../../local/emulator.ts'
import { readStackState } from '../../local/state.ts'
import { createConfluentBackend } from '../../shared/clusters/confluent/api-key-backend.ts'
import { createManagementApi } from '../../shared/clusters/confluent/management-api.ts'
import { createConfluentSlotKeys } from '../../shared/clusters/confluent/slot-keys.ts'
import { tryRegistryKey } from '../../shared/clusters/confluent/try-registry-key.ts'
import { tryLogins } from '../../shared/clusters/kafka/try-logins.ts'
import { slotOfUser, slotUser } from '../../shared/domain/principal.ts'
import type { SlotPlace } from '../../shared/domain/slot-place.ts'
import { aCluster, aDirectory } from '../fixtures/policies.ts'
import { describeCredentialBackend } from './credential-backend.contract.ts'

// The contract of `shared/clusters/credential-backend.ts` on the simulated Confluent Cloud and the real broker behind it.

const { aws, confluent, caFile } = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const ca = readFileSync(caFile, 'utf8')
trustAuthority(ca)
const secrets = new SecretsManagerClient({
  endpoint: aws.endpointUrl,
  region: aws.region,
  credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
})

describeCredentialBackend('API keys of Confluent Cloud', async () => {
  const principal = `backend-${randomUUID().slice(0, 8)}`
  const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: confluent.secrets.cloud }))
  const { apiKey, apiSecret } = JSON.parse(SecretString)
  const apiWith = (secret: string) =>
    createManagementApi({
      fetch,
      url: confluent.url,
      key: { key: apiKey, secret },
      wait: async () => {},
    })
  const { id: account } = await apiWith(apiSecret).send(
    'POST',
    '/iam/v2/service-accounts',
    { display_name: principal, description: 'of a test' },
    z.object({ id: z.string() }),
  )
  const open = (bootstrap: string, secret: string) => {
    const main = aCluster({
      provider: 'confluent',
      id: confluentIds.kafka,
      environment: confluentIds.environment,
      auth: ['api-key'],
      serviceAccounts: { [principal]: account },
      bootstrap,
      ca,
    })
    const cluster = aDirectory({ clusters: { main } }).clusters.get('main')
    if (cluster?.provider !== 'confluent') throw new Error('expected the cluster')
    const keys = createConfluentSlotKeys(cluster, 'cluster', 'contract', async () => apiWith(secret))
    const registryKeys = createConfluentSlotKeys(cluster, 'registry', 'contract', async () => apiWith(secret))
    const slotOf = (user: string): SlotPlace | undefined => {
      const found = slotOfUser('sb.', user)
      return found && { cluster: 'main', ...found }
    }
    const backend = createConfluentBackend({
      keys,
      registryKeys,
      slotOf,
      verify: (users) => tryLogins(cluster, users, 'PLAIN'),
      tryRegistry: (login) => tryRegistryKey(confluent.registryUrl, login, fetch),
    })
    return { backend, keys, slotOf }
  }
  const { backend, keys, slotOf } = open(confluent.bootstrap, apiSecret)
  return {
    backend,
    names: [slotUser('sb.', principal, 'a'), slotUser('sb.', principal, 'b')],
    save: async (name) => {
      const place = slotOf(name)
      if (place === undefined) throw new Error('expected a slot')
      const made = await keys.make(place, name)
      return { name, username: made.apiKey, password: made.apiSecret }
    },
    away: open('127.0.0.1:1', apiSecret).backend,
    stranger: open(confluent.bootstrap, 'wrong').backend,
    close: async () => secrets.destroy(),
  }
})
