// The process of the simulated Confluent Cloud: one organisation with one cluster, which a real Kafka is behind, and its
// schema registry. Its options, which hold keys and a password, come in a file.
import { readFileSync } from 'node:fs'
import { observeKafka } from '../../shared/inventory/kafka.ts'
import { startSchemaRegistry } from '../schema-registry/registry.ts'
import { startConfluentControlPlane } from './control-plane.ts'
import { type ConfluentProcessOptions, confluentIds, registrySubjects } from './process.ts'
import { createRealKafka } from './real-kafka.ts'

const { CONFLUENT_OPTIONS_FILE = '' } = process.env
const { port, registryPort, cluster, keys }: ConfluentProcessOptions = JSON.parse(
  readFileSync(CONFLUENT_OPTIONS_FILE, 'utf8'),
)
const { name, inside, outside, admin } = cluster
const kafka = createRealKafka(() =>
  observeKafka(`\`${name}\``, {
    clientId: 'simulated-confluent',
    bootstrapBrokers: [inside],
    sasl: { mechanism: admin.mechanism, username: admin.username, password: admin.password },
    retries: 0,
  }),
)

const registry = await startSchemaRegistry({ key: keys.registry, subjects: registrySubjects, port: registryPort })
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
            accessPoints: { PUBLIC: { bootstrap: outside, type: 'PUBLIC' } },
            kafka,
          },
        ],
      },
    ],
  },
  cloudKey: keys.cloud,
  kafkaKeyOf: (id) => (id === confluentIds.kafka ? keys.kafka : undefined),
  port,
})
