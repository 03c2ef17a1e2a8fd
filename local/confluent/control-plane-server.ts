// The process of the simulated Confluent Cloud: one organisation with one cluster, which a real Kafka is behind, and its
// schema registry. Its options, which hold keys and a password, come in a file.
import { readFileSync } from 'node:fs'
import { observeKafka } from '../../shared/inventory/kafka.ts'
import { startSchemaRegistry } from '../schema-registry/registry.ts'
import { createApiKeys } from './api-keys.ts'
import { startConfluentControlPlane } from './control-plane.ts'
import { createIdentities } from './identity.ts'
import { admitKeys } from './key-admission.ts'
import { admitPools } from './pool-admission.ts'
import { type ConfluentProcessOptions, confluentIds, registrySubjects } from './process.ts'
import { createRealKafka } from './real-kafka.ts'
import { createRoleBindings } from './role-bindings.ts'

const { CONFLUENT_OPTIONS_FILE = '' } = process.env
const { port, registryPort, cluster, bootstrap, poolsFile, keysFile, keys }: ConfluentProcessOptions = JSON.parse(
  readFileSync(CONFLUENT_OPTIONS_FILE, 'utf8'),
)
const { name, inside, admin } = cluster
const kafka = createRealKafka(() =>
  observeKafka(`\`${name}\``, {
    clientId: 'simulated-confluent',
    bootstrapBrokers: [inside],
    sasl: { mechanism: admin.mechanism, username: admin.username, password: admin.password },
    retries: 0,
  }),
)

const identities = createIdentities(poolsFile)
const roleBindings = createRoleBindings()
const apiKeys = createApiKeys(keysFile, { propagation: { minMs: 500, maxMs: 2_000 } })
const admission = { identities, roleBindings, apiKeys, registry: confluentIds.registry }
const [byToken, byKey] = [admitPools(admission), admitKeys(admission)]
const registry = await startSchemaRegistry({
  key: keys.registry,
  admit: (headers, action) => (headers.authorization?.startsWith('Basic ') ? byKey : byToken)(headers, action),
  subjects: registrySubjects,
  port: registryPort,
})
await startConfluentControlPlane({
  organization: {
    id: '9bb441c4-0000-4000-8000-00000000000a',
    environments: [
      {
        id: confluentIds.environment,
        name: 'local',
        registry: { id: confluentIds.registry, url: registry.url },
        clusters: [
          {
            id: confluentIds.kafka,
            name,
            kind: 'Standard',
            cloud: 'AWS',
            region: 'eu-west-1',
            accessPoints: { PUBLIC: { bootstrap, type: 'PUBLIC' } },
            kafka,
          },
        ],
      },
    ],
  },
  cloudKey: keys.cloud,
  kafkaKeyOf: (id) => (id === confluentIds.kafka ? keys.kafka : undefined),
  identities,
  roleBindings,
  apiKeys,
  port,
})
