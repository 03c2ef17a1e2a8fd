import type { KafkaCluster } from '../../shared/domain/cluster.ts'

/** A cluster as the product knows it from a policy that says nothing but where it is. */
export const knownCluster = (name: string, bootstrap: string): KafkaCluster => ({
  name,
  provider: 'kafka',
  auth: ['jwt', 'scram'],
  listeners: [{ name: 'inside', network: undefined, bootstrap, security: 'SASL_PLAINTEXT' }],
  ca: undefined,
  audience: undefined,
  labels: {},
  adminSecret: undefined,
  credential: 'value',
  rotation: {},
  quarantined: false,
})
