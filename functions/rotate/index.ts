import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { KafkaClient } from '@aws-sdk/client-kafka'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { createConfluentBackend } from '../../shared/clusters/confluent/api-key-backend.ts'
import { createManagementApi } from '../../shared/clusters/confluent/management-api.ts'
import { type ConfluentSlotKeys, createConfluentSlotKeys } from '../../shared/clusters/confluent/slot-keys.ts'
import { tryRegistryKey } from '../../shared/clusters/confluent/try-registry-key.ts'
import type { CredentialBackend } from '../../shared/clusters/credential-backend.ts'
import { createAclAdmin } from '../../shared/clusters/kafka/acl-admin.ts'
import { createQuotaAdmin } from '../../shared/clusters/kafka/quota-admin.ts'
import { createKafkaScramBackend } from '../../shared/clusters/kafka/scram-backend.ts'
import { tryLogins } from '../../shared/clusters/kafka/try-logins.ts'
import { createMskScramBackend } from '../../shared/clusters/msk/scram-backend.ts'
import {
  type AdminCredential,
  type Cluster,
  type ConfluentCluster,
  registryOfKeys,
} from '../../shared/domain/cluster.ts'
import { slotOfUser } from '../../shared/domain/principal.ts'
import { secretWritesPerSecond } from '../../shared/domain/provider-clock.ts'
import { parseSigningKeyTimes } from '../../shared/domain/signing-key.ts'
import type { SlotPlace } from '../../shared/domain/slot-place.ts'
import { readAdminSecret } from '../../shared/secrets/admin-secret.ts'
import { readConfluentKey } from '../../shared/secrets/confluent-key.ts'
import { createConfluentSlotSecrets } from '../../shared/secrets/confluent-slot-secrets.ts'
import { createMskSlotSecrets } from '../../shared/secrets/msk-slot-secrets.ts'
import { createPublishedKeys } from '../../shared/secrets/published-keys.ts'
import { createSigningKeyStore } from '../../shared/secrets/signing-key-store.ts'
import { createSlotSecrets, type SlotSecretStore } from '../../shared/secrets/slot-secrets.ts'
import { createAccessStore } from '../../shared/store/access-store.ts'
import { createCredentialStore } from '../../shared/store/credential-store.ts'
import { createDirectoryStore } from '../../shared/store/directory-store.ts'
import { createLeaseStore } from '../../shared/store/lease-store.ts'
import { createQueue } from '../../shared/store/queue.ts'
import { createTelemetry } from '../../shared/telemetry.ts'
import { createApplyAccess } from './apply-access.ts'
import { createCensus } from './census.ts'
import { createEndGrants } from './end-grants.ts'
import { parseRotateEnv } from './env.ts'
import { createHandler } from './handler.ts'
import { createInForce } from './in-force.ts'
import { createPace } from './pace.ts'
import { createRevokeAccess } from './revoke-access.ts'
import { createRotateCredentials } from './rotate-credential.ts'
import { createRotateSigningKeys } from './rotate-signing-keys.ts'
import { createSweep } from './sweep.ts'
import { createTellConfluent } from './tell-confluent.ts'

const env = parseRotateEnv(process.env)
const clock = () => new Date()
const telemetry = createTelemetry('rotate', () => process.env._X_AMZN_TRACE_ID)
const client = {
  // without the last one the client only warns, and waits for as long as it takes
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
  maxAttempts: 4,
}
const secrets = new SecretsManagerClient(client)
// a cluster takes secrets of its own region only, which is where they are made
const msk = new KafkaClient(client)
const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient(client), {
  marshallOptions: { removeUndefinedValues: true },
})

const directories = createDirectoryStore(dynamo, env.DIRECTORY_TABLE)
const access = createAccessStore(dynamo, env.ACCESS_TABLE)
const credentials = createCredentialStore(dynamo, env.CREDENTIALS_TABLE)
const queue = createQueue(new SQSClient(client), env.QUEUE_URL, env.REVOCATIONS_URL)

const adminOf = async (cluster: Cluster): Promise<AdminCredential> => {
  if (cluster.adminSecret === undefined)
    throw new Error(`the cluster \`${cluster.name}\` has no \`admin.secret\`; its access cannot be managed`)
  return readAdminSecret(secrets, cluster.adminSecret)
}

const openAdmin = async (cluster: Cluster) => createAclAdmin(cluster, await adminOf(cluster))

const applyAccess = createApplyAccess({
  directories,
  access,
  credentials,
  openAdmin,
  openQuotas: async (cluster) => createQuotaAdmin(cluster, await adminOf(cluster)),
  telemetry,
  clock,
})

const kafkaSecrets = createSlotSecrets(secrets, env.STACK_NAME, env.SLOT_SECRETS_KEY_ARN)
const mskSecrets = createMskSlotSecrets(secrets, env.STACK_NAME, env.SLOT_SECRETS_KEY_ARN)

const openConfluent = async ({ name, cloudSecret }: ConfluentCluster) => {
  if (cloudSecret === undefined)
    throw new Error(`the cluster \`${name}\` has no \`cloudKey\`; nobody can make API keys`)
  const key = await readConfluentKey(secrets, cloudSecret)
  // who is told to come back later leaves it to the next sweep
  return createManagementApi({ fetch, url: env.CONFLUENT_URL, key, wait: delay, mostTries: 1 })
}

const slotKeysOf = (
  cluster: ConfluentCluster,
): { readonly ofCluster: ConfluentSlotKeys; readonly ofRegistry: ConfluentSlotKeys } => {
  let api: ReturnType<typeof openConfluent> | undefined
  const open = () => (api ??= openConfluent(cluster))
  return {
    ofCluster: createConfluentSlotKeys(cluster, 'cluster', env.STACK_NAME, open),
    ofRegistry: createConfluentSlotKeys(cluster, 'registry', env.STACK_NAME, open),
  }
}

const secretsOf = (cluster: Cluster): SlotSecretStore => {
  switch (cluster.provider) {
    case 'kafka':
      return kafkaSecrets
    case 'msk':
      return mskSecrets
    case 'confluent':
      return createConfluentSlotSecrets(secrets, env.STACK_NAME, env.SLOT_SECRETS_KEY_ARN, {
        ...slotKeysOf(cluster),
        hasRegistry: registryOfKeys(cluster) !== undefined,
      })
  }
}

const openBackend = async (cluster: Cluster, prefix: string): Promise<CredentialBackend> => {
  const slotOf = (user: string): SlotPlace | undefined => {
    const found = slotOfUser(prefix, user)
    return found && { cluster: cluster.name, ...found }
  }
  switch (cluster.provider) {
    case 'kafka':
      return createKafkaScramBackend(cluster, await adminOf(cluster))
    case 'msk':
      return createMskScramBackend({
        kafka: msk,
        clusterArn: cluster.arn,
        stack: env.STACK_NAME,
        slotOf,
        secretArnOf: async ({ principal, slot }) => (await mskSecrets.locate(cluster.name, principal, slot))?.arn,
        verify: (users) => tryLogins(cluster, users, 'SCRAM-SHA-512'),
      })
    case 'confluent': {
      const { ofCluster, ofRegistry } = slotKeysOf(cluster)
      return createConfluentBackend({
        keys: ofCluster,
        registryKeys: ofRegistry,
        slotOf,
        verify: (users) => tryLogins(cluster, users, 'PLAIN'),
        tryRegistry: (login) => tryRegistryKey(registryOfKeys(cluster)?.url ?? '', login, fetch),
      })
    }
  }
}

const inForce = createInForce(directories)
const times = parseSigningKeyTimes(env.SIGNING_KEY_TIMES)

const count = createCensus({ inForce, credentials, times, telemetry, clock })
const endGrants = createEndGrants({ inForce, access, queue, clock })

export const handler = createHandler({
  applyAccess,
  revokeAccess: createRevokeAccess({ inForce, access, openAdmin, telemetry, clock }),
  rotateCredentials: createRotateCredentials({
    inForce,
    access,
    credentials,
    leases: createLeaseStore(dynamo, env.LEASES_TABLE),
    secretsOf,
    openBackend,
    applyAccess,
    pace: createPace(secretWritesPerSecond, 25, () => performance.now(), delay),
    telemetry,
    clock,
    wait: delay,
    createId: randomUUID,
  }),
  sweep: createSweep({ credentials, queue, telemetry, clock }),
  census: async () => {
    await count()
    await endGrants()
  },
  signingKeys: createRotateSigningKeys({
    credentials,
    keys: createSigningKeyStore(secrets, env.SIGNING_KEY_SECRET_ARN),
    published: createPublishedKeys(env.ISSUER_URL, fetch),
    tellReaders: createTellConfluent({
      inForce,
      readKey: (id) => readConfluentKey(secrets, id),
      url: env.CONFLUENT_URL,
      fetch,
      wait: delay,
    }),
    queue,
    times,
    telemetry,
    clock,
    createId: randomUUID,
  }),
  queue,
  telemetry,
})
