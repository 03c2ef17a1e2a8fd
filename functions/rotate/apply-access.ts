import type { AclAdmin, UserAcl } from '../../shared/clusters/kafka/acl-admin.ts'
import type { QuotaAdmin } from '../../shared/clusters/kafka/quota-admin.ts'
import { type Acl, compareAccess, computeAccess, mergeAccess } from '../../shared/domain/access.ts'
import type { Cluster } from '../../shared/domain/cluster.ts'
import { computeQuota } from '../../shared/domain/granted-quota.ts'
import { mergeUsers, type PrincipalUser, principalUsers } from '../../shared/domain/kafka-users.ts'
import { isUnlimited, mergeQuota, type Quota } from '../../shared/domain/quota.ts'
import { isRevokedOn } from '../../shared/domain/revocation.ts'
import type { AccessRequest, AccessStore } from '../../shared/store/access-store.ts'
import type { CredentialStore } from '../../shared/store/credential-store.ts'
import type { DirectoryStore } from '../../shared/store/directory-store.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'
import { createInForce } from './in-force.ts'

/** Makes a cluster have exactly the access that these principals must have there. Repeating it changes nothing. */
export type ApplyAccess = (cluster: string, principals: readonly string[]) => Promise<void>

export type ApplyAccessDeps = {
  readonly directories: Pick<DirectoryStore, 'readPointer' | 'readPolicy' | 'readFacts'>
  readonly access: Pick<AccessStore, 'read' | 'recordApplied'>
  readonly credentials: Pick<CredentialStore, 'read'>
  readonly openAdmin: (cluster: Cluster) => Promise<AclAdmin>
  readonly openQuotas: (cluster: Cluster) => Promise<QuotaAdmin>
  readonly telemetry: Telemetry
  readonly clock: () => Date
}

type Wanted = {
  readonly principal: string
  readonly users: readonly PrincipalUser[]
  readonly acls: readonly Acl[]
  readonly quota: Quota
  /** As far as rotate knows, its users are limited until now. */
  readonly wasLimited: boolean
  /** What was asked for before anybody looked which topics there are. */
  readonly asked: AccessRequest | undefined
}

/** Somebody is revoked while a pass is under way, or another pass is faster; more often is an error to look at. */
const passes = 5

export const createApplyAccess = ({
  directories,
  access,
  credentials,
  openAdmin,
  openQuotas,
  telemetry,
  clock,
}: ApplyAccessDeps): ApplyAccess => {
  const inForce = createInForce(directories)

  /** A cluster whose grants have no quota needs no right to set one. */
  const limit = async (cluster: Cluster, wanted: readonly Wanted[]): Promise<void> => {
    const limited = wanted.filter(({ quota, wasLimited }) => wasLimited || !isUnlimited(quota))
    if (limited.length === 0) return
    const admin = await openQuotas(cluster)
    try {
      await admin.alter(
        limited.flatMap(({ users, quota }) =>
          users.map(({ user, hasAccess }) => ({ user, quota: hasAccess ? quota : {} })),
        ),
      )
    } finally {
      await admin.close()
    }
  }

  /** @returns those who have to be looked at again, because it was found that they are revoked since */
  const pass = async (clusterName: string, principals: readonly string[]): Promise<readonly string[]> => {
    const now = clock()
    const { directories: all, denied } = await inForce()
    const cluster = all.findLast((directory) => directory.clusters.has(clusterName))?.clusters.get(clusterName)
    if (cluster === undefined) {
      telemetry.warn('a message names a cluster that no policy has', { cluster: clusterName })
      return []
    }
    const admin = await openAdmin(cluster)
    try {
      const known = await Promise.all(
        principals.map(
          async (principal) =>
            [
              principal,
              ...(await Promise.all([access.read(clusterName, principal), credentials.read(clusterName, principal)])),
            ] as const,
        ),
      )
      const topics = await admin.listTopics()
      const prefix = all.findLast(() => true)?.kafkaUserPrefix ?? ''
      // how the policy in force and the next one let a client log in: both must work
      const settings = all.flatMap((directory) => directory.clusters.get(clusterName) ?? [])
      const wanted = known.map(([principal, applied, stored]): Wanted => {
        const { labels = {}, asked } = applied ?? {}
        const subject = { name: principal, labels }
        const users = mergeUsers(settings.map((each) => principalUsers(each, prefix, principal, stored?.credential)))
        // what nobody has is not there, and is made when there is somebody
        const isNobody = users.length === 0
        const acls =
          isNobody || isRevokedOn(denied, principal, clusterName)
            ? []
            : mergeAccess(all.map((directory) => computeAccess(directory, clusterName, subject, topics, now)))
        const quota =
          acls.length === 0
            ? {}
            : mergeQuota(all.map((directory) => computeQuota(directory, clusterName, subject, now)))
        return {
          principal,
          users,
          acls,
          quota,
          wasLimited: applied?.quota !== undefined,
          asked,
        }
      })
      const present = await admin.describe(wanted.flatMap(({ users }) => users.map(({ user }) => user)))
      const add: UserAcl[] = []
      const remove: UserAcl[] = []
      for (const { users, acls } of wanted)
        for (const { user, hasAccess } of users) {
          const change = compareAccess(present.get(user) ?? [], hasAccess ? acls : [])
          add.push(...change.add.map((acl) => ({ user, acl })))
          remove.push(...change.remove.map((acl) => ({ user, acl })))
        }
      await limit(cluster, wanted)
      // what is wanted comes before what is not, so that nothing that was promised stops working in between
      await admin.create(add)
      await admin.remove(remove)
      await admin.settled(add, remove)
      // INVARIANT: after the last of what was added is there, or a revocation beside this would be undone by it
      const { denied: deniedNow } = await directories.readPointer()
      const policies = all.map((directory) => directory.hash)
      const again: string[] = []
      for (const { principal, acls, quota, asked } of wanted) {
        const isUndone = acls.length > 0 && isRevokedOn(deniedNow, principal, clusterName)
        const applied = { cluster: clusterName, principal, acls, quota, policies, answers: asked }
        if (isUndone || !(await access.recordApplied(applied, now))) again.push(principal)
      }
      telemetry.count(metricNames.accessApplied)
      telemetry.info('access applied', {
        cluster: clusterName,
        principals: wanted.map(({ principal }) => principal),
        added: add.length,
        removed: remove.length,
        milliseconds: clock().getTime() - now.getTime(),
      })
      return again
    } finally {
      await admin.close()
    }
  }

  return async (cluster, principals) => {
    let left: readonly string[] = [...new Set(principals)]
    for (let at = 0; left.length > 0; at++) {
      if (at === passes)
        throw new Error(`the access of ${left.length} principals of \`${cluster}\` changes all the time`)
      left = await pass(cluster, left)
    }
  }
}
