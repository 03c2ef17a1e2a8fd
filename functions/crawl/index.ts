import { setTimeout as delay } from 'node:timers/promises'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { KafkaClient } from '@aws-sdk/client-kafka'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { STSClient } from '@aws-sdk/client-sts'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { adminConnection } from '../../shared/clusters/kafka/admin-connection.ts'
import { assumeRole } from '../../shared/inventory/assumed-role.ts'
import { createCalls } from '../../shared/inventory/calls.ts'
import { SourceError } from '../../shared/inventory/cluster-source.ts'
import { createConfluentSource } from '../../shared/inventory/confluent.ts'
import { createJsonApi } from '../../shared/inventory/json-api.ts'
import { createMskSource } from '../../shared/inventory/msk.ts'
import { readAdminSecret } from '../../shared/secrets/admin-secret.ts'
import { readConfluentKey } from '../../shared/secrets/confluent-key.ts'
import { createAccessStore } from '../../shared/store/access-store.ts'
import { createCrawlQueue } from '../../shared/store/crawl-queue.ts'
import { createDirectoryStore } from '../../shared/store/directory-store.ts'
import { createInventoryStore } from '../../shared/store/inventory-store.ts'
import { createLeaseStore } from '../../shared/store/lease-store.ts'
import { createPublishFacts } from '../../shared/store/publish-facts.ts'
import { createQueue } from '../../shared/store/queue.ts'
import { createUseStore } from '../../shared/store/use-store.ts'
import { createTelemetry } from '../../shared/telemetry.ts'
import { createCrawl } from './crawl.ts'
import { createCrawlCluster } from './crawl-cluster.ts'
import { parseCrawlEnv } from './env.ts'
import { createHandler } from './handler.ts'
import { createInForce } from './in-force.ts'
import { createListClusters } from './list-clusters.ts'
import { createNoteUses } from './note-uses.ts'
import { createSources } from './sources.ts'
import { createTopicsAppeared } from './topics-appeared.ts'
import { createWarnOfNewMatches } from './warn-of-new-matches.ts'

const env = parseCrawlEnv(process.env)
const isDevelopment = env.DEVELOPMENT === 'true'
const clock = () => new Date()
const telemetry = createTelemetry('crawl', () => process.env._X_AMZN_TRACE_ID)
const requestHandler = { connectionTimeout: 1_000, requestTimeout: 5_000, throwOnRequestTimeout: true }
const client = { requestHandler, maxAttempts: 4 }
const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient(client), {
  marshallOptions: { removeUndefinedValues: true },
})
const secrets = new SecretsManagerClient(client)
const sts = new STSClient(client)
const directories = createDirectoryStore(dynamo, env.DIRECTORY_TABLE)
const inventory = createInventoryStore(dynamo, env.INVENTORY_TABLE)
const sqs = new SQSClient(client)
const queue = createCrawlQueue(sqs, env.QUEUE_URL)
const inForce = createInForce(directories)

const newCalls = () => createCalls({ now: () => performance.now(), wait: delay, random: Math.random })

/** Another account's limits are not ours, and whoever is told to wait there waits whatever asks. */
const remembered = <T>(make: (key: string) => T): ((key: string) => T) => {
  const made = new Map<string, T>()
  return (key) => {
    const value = made.get(key) ?? make(key)
    made.set(key, value)
    return value
  }
}
const callsOf = remembered(newCalls)
const credentialsOf = remembered((role) => assumeRole(sts, role))

/** @throws SourceError */
const secretOf = <T>(read: Promise<T>): Promise<T> =>
  read.catch((cause: unknown) => {
    throw new SourceError('not_configured', 'the secret with the credentials cannot be read', { cause })
  })

const sources = createSources({
  inForce,
  openMsk: ({ regions, role }) =>
    createMskSource({
      places: regions.map((region) => ({ account: role?.split(':')[4] ?? env.ACCOUNT_ID, region })),
      clientOf: ({ region }) =>
        new KafkaClient({
          requestHandler,
          region,
          maxAttempts: 1,
          ...(role === undefined ? {} : { credentials: credentialsOf(role) }),
        }),
      callsOf: ({ account, region }) => callsOf(`${account} ${region}`),
    }),
  openConfluent: (name, { secret, keys }) =>
    createConfluentSource({
      organization: name,
      url: env.CONFLUENT_URL,
      keyOf: async (resource) => {
        const id = resource.kind === 'cloud' ? secret : keys?.[resource.id]
        return id === undefined ? undefined : secretOf(readConfluentKey(secrets, id))
      },
      fetch,
      newCalls,
      development: isDevelopment,
    }),
  connect: async (cluster) => {
    if (cluster.adminSecret === undefined)
      throw new SourceError('not_configured', `the cluster \`${cluster.name}\` has no \`admin.secret\``)
    const admin = await secretOf(readAdminSecret(secrets, cluster.adminSecret))
    return { ...adminConnection(cluster, admin), clientId: 'switchboard-crawl' }
  },
  openRegistry: async (url, secretId) => {
    const { username, password } = await secretOf(readAdminSecret(secrets, secretId))
    const key = { key: username, secret: password }
    return createJsonApi({ fetch, calls: callsOf(url), url, key, development: isDevelopment })
  },
})

const common = { inventory, queue, telemetry, clock }

export const handler = createHandler({
  crawl: createCrawl({ ...common, sources: sources.names }),
  listClusters: createListClusters({ ...common, openSource: sources.open }),
  crawlCluster: createCrawlCluster({
    ...common,
    openSource: sources.open,
    openBrokers: sources.openBrokers,
    publish: createPublishFacts(directories),
    topicsAppeared: createTopicsAppeared({
      inForce,
      access: createAccessStore(dynamo, env.ACCESS_TABLE),
      queue: createQueue(sqs, env.ROTATE_QUEUE_URL),
      telemetry,
      clock,
    }),
    warnOfNewMatches: createWarnOfNewMatches({ inForce, telemetry }),
  }),
  noteUses: createNoteUses({
    ...common,
    directories,
    leases: createLeaseStore(dynamo, env.LEASES_TABLE),
    uses: createUseStore(dynamo, env.INVENTORY_TABLE),
  }),
  queue,
  telemetry,
})
