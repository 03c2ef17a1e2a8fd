import { Admin, ClientQuotaEntityTypes, ClientQuotaKeys } from '@platformatic/kafka'
import type { AdminCredential, Cluster } from '../../domain/cluster.ts'
import { type Quota, quotaRates } from '../../domain/quota.ts'
import { adminConnection } from './admin-connection.ts'

/** A Kafka user and the rates that it is to have; those that are left out are taken away. */
export type UserQuota = { readonly user: string; readonly quota: Quota }

/** Client quotas of users on a cluster that speaks the Kafka protocol (KIP-546). Every call can be repeated. */
export type QuotaAdmin = {
  /** The byte rates of exactly these users; other quotas that such a user has are somebody's own. */
  readonly alter: (quotas: readonly UserQuota[]) => Promise<void>
  readonly close: () => Promise<void>
}

const keys = {
  produceBytesPerSecond: ClientQuotaKeys.PRODUCER_BYTE_RATE,
  consumeBytesPerSecond: ClientQuotaKeys.CONSUMER_BYTE_RATE,
} as const
/** More in one request only makes a lost answer dearer. */
const chunkSize = 1_000

const toKafka = ({ user, quota }: UserQuota) => ({
  entities: [{ entityType: ClientQuotaEntityTypes.USER, entityName: user }],
  ops: quotaRates.map((rate) => {
    const value = quota[rate]
    return value === undefined
      ? { key: keys[rate], remove: true as const }
      : { key: keys[rate], value, remove: false as const }
  }),
})

export const createQuotaAdmin = (cluster: Cluster, credential: AdminCredential): QuotaAdmin => {
  const admin = new Admin(adminConnection(cluster, credential))
  return {
    alter: async (quotas) => {
      for (let at = 0; at < quotas.length; at += chunkSize)
        await admin.alterClientQuotas({ entries: quotas.slice(at, at + chunkSize).map(toKafka) })
    },
    close: () => admin.close(),
  }
}
