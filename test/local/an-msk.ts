import { knownCluster } from '../../local/kafka/known-cluster.ts'
import type { ProvisionedCluster, ServerlessCluster } from '../../local/msk/clusters.ts'

/** A provisioned cluster in front of a Kafka that nobody answers for. */
export const aMskCluster = (changes: Partial<ProvisionedCluster> = {}): ProvisionedCluster => ({
  type: 'provisioned',
  name: 'payments',
  bootstrapBrokers: { BootstrapBrokerStringSaslScram: 'b-1.payments:9096' },
  kafka: {
    admin: { username: 'admin', password: 'admins-password', mechanism: 'SCRAM-SHA-512' },
    cluster: { ...knownCluster('payments', '127.0.0.1:1'), auth: [] },
  },
  ...changes,
})

export const aServerlessMskCluster = (name = 'events'): ServerlessCluster => ({
  type: 'serverless',
  name,
  bootstrapBrokers: { BootstrapBrokerStringSaslIam: `boot-1.${name}:9098` },
})
