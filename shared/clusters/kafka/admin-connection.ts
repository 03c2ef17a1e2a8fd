import type { AdminOptions } from '@platformatic/kafka'
import type { AdminCredential, Cluster } from '../../domain/cluster.ts'

/** The listener rotate uses, of those that take passwords: encrypted before plain, then by name. */
const adminListener = (cluster: Cluster) =>
  cluster.listeners
    // Confluent Cloud takes API keys wherever it takes tokens
    .filter(({ auth }) => cluster.provider === 'confluent' || auth === undefined || auth.includes('scram'))
    .sort(
      (a, b) => Number(b.security === 'SASL_SSL') - Number(a.security === 'SASL_SSL') || (a.name < b.name ? -1 : 1),
    )[0]

/** How rotate reaches a cluster as its admin. */
export const adminConnection = (cluster: Cluster, admin: AdminCredential): AdminOptions => {
  const listener = adminListener(cluster)
  if (listener === undefined) throw new Error(`the cluster \`${cluster.name}\` has no listener`)
  return {
    clientId: 'switchboard-rotate',
    bootstrapBrokers: listener.bootstrap.split(','),
    sasl: { mechanism: admin.mechanism, username: admin.username, password: admin.password },
    ...(listener.security === 'SASL_SSL' ? { tls: cluster.ca === undefined ? {} : { ca: cluster.ca } } : {}),
    connectTimeout: 5_000,
    timeout: 10_000,
    retries: 2,
    retryDelay: 200,
  }
}
