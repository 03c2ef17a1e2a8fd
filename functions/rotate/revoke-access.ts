import type { AclAdmin } from '../../shared/clusters/kafka/acl-admin.ts'
import type { Cluster } from '../../shared/domain/cluster.ts'
import { possibleUsers } from '../../shared/domain/kafka-users.ts'
import { isRevokedOn } from '../../shared/domain/revocation.ts'
import type { AccessStore } from '../../shared/store/access-store.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'
import type { InForce } from './in-force.ts'

/**
 * Takes all access of those of these principals who are revoked on a cluster, beside whatever else is done there. Users
 * and secrets are left to the worker that owns the cluster.
 *
 * INVARIANT: it ends with none, also beside an `ApplyAccess` that read the pointer before the revocation was on it.
 * Either that one reads the pointer again after its last ACL was in place, and takes them away; or it had read it by then,
 * and what it put there is older than the revocation, so that it is seen here. One that is stopped between the two is
 * found by the same message a second time, which comes when every function of that age has ended.
 */
export type RevokeAccess = (cluster: string, principals: readonly string[]) => Promise<void>

export type RevokeAccessDeps = {
  readonly inForce: () => Promise<InForce>
  readonly access: Pick<AccessStore, 'recordApplied'>
  readonly openAdmin: (cluster: Cluster) => Promise<AclAdmin>
  readonly telemetry: Telemetry
  readonly clock: () => Date
}

export const createRevokeAccess =
  ({ inForce, access, openAdmin, telemetry, clock }: RevokeAccessDeps): RevokeAccess =>
  async (clusterName, principals) => {
    const now = clock()
    const { directories, denied } = await inForce()
    const cluster = directories.findLast((each) => each.clusters.has(clusterName))?.clusters.get(clusterName)
    const revoked = principals.filter((principal) => isRevokedOn(denied, principal, clusterName))
    if (cluster === undefined || revoked.length === 0) return
    const prefix = directories.at(-1)?.kafkaUserPrefix ?? ''
    const admin = await openAdmin(cluster)
    try {
      const removed = await admin.removeAll(revoked.flatMap((principal) => possibleUsers(cluster, prefix, principal)))
      await admin.settled([], removed)
      const policies = directories.map(({ hash }) => hash)
      for (const principal of revoked)
        await access.recordApplied({ cluster: clusterName, principal, acls: [], policies }, now)
      telemetry.count(metricNames.accessRevoked)
      telemetry.info('access revoked', {
        cluster: clusterName,
        principals: revoked,
        removed: removed.length,
        milliseconds: clock().getTime() - now.getTime(),
      })
    } finally {
      await admin.close()
    }
  }
