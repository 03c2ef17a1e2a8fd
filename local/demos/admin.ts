import { Admin } from '@platformatic/kafka'
import type { Cluster } from '../../shared/domain/cluster.ts'
import { knownCluster } from '../kafka/known-cluster.ts'
import type { KafkaCluster } from '../state.ts'
import type { Login } from './rights.ts'

/** As the stack's own admin, who may see and do everything there. */
export const adminLogin = ({ inside, admin }: KafkaCluster): Login => ({
  bootstrapBrokers: [inside],
  sasl: { mechanism: admin.mechanism, username: admin.username, password: admin.password },
})

export const withAdmin = async <T>(cluster: KafkaCluster, work: (admin: Admin) => Promise<T>): Promise<T> => {
  const admin = new Admin({ clientId: 'demo', retries: 5, ...adminLogin(cluster) })
  try {
    return await work(admin)
  } finally {
    await admin.close()
  }
}

/** The same cluster as the product's own admins know one. */
export const clusterOf = ({ name, inside }: KafkaCluster): Cluster => knownCluster(name, inside)
