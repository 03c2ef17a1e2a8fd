import type { AclAdmin, UserAcl } from '../../shared/clusters/kafka/acl-admin.ts'
import { type Acl, compareAccess, computeAccess, mergeAccess } from '../../shared/domain/access.ts'
import type { Cluster } from '../../shared/domain/cluster.ts'
import { compileDirectory, type Directory } from '../../shared/domain/directory.ts'
import { type PrincipalUser, principalUsers } from '../../shared/domain/kafka-users.ts'
import { isRevokedOn, type Revocation } from '../../shared/domain/revocation.ts'
import type { AccessRequest, AccessStore } from '../../shared/store/access-store.ts'
import type { CredentialStore } from '../../shared/store/credential-store.ts'
import type { DirectoryStore } from '../../shared/store/directory-store.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'

/** Makes a cluster have exactly the access that these principals must have there. Repeating it changes nothing. */
export type ApplyAccess = (cluster: string, principals: readonly string[]) => Promise<void>

export type ApplyAccessDeps = {
  readonly directories: Pick<DirectoryStore, 'readPointer' | 'readPolicy'>
  readonly access: Pick<AccessStore, 'read' | 'recordApplied'>
  readonly credentials: Pick<CredentialStore, 'read'>
  readonly openAdmin: (cluster: Cluster) => Promise<AclAdmin>
  readonly telemetry: Telemetry
  readonly clock: () => Date
}

type Wanted = {
  readonly principal: string
  readonly users: readonly PrincipalUser[]
  readonly acls: readonly Acl[]
  /** What was asked for before anybody looked which topics there are. */
  readonly asked: AccessRequest | undefined
}

export const createApplyAccess = ({
  directories,
  access,
  credentials,
  openAdmin,
  telemetry,
  clock,
}: ApplyAccessDeps): ApplyAccess => {
  /** The policy in force, and during an apply the next one too: what either wants must be there. */
  const readDirectories = async (): Promise<{ directories: readonly Directory[]; denied: readonly Revocation[] }> => {
    const { policy, next, denied } = await directories.readPointer()
    const hashes = [...new Set([policy, next].filter((hash) => hash !== undefined))]
    const compiled = await Promise.all(
      hashes.map(
        async (hash) => compileDirectory(await directories.readPolicy(hash), hash, { published: true }).directory,
      ),
    )
    return { directories: compiled, denied }
  }

  return async (clusterName, principals) => {
    const now = clock()
    const { directories: all, denied } = await readDirectories()
    const cluster = all.findLast((directory) => directory.clusters.has(clusterName))?.clusters.get(clusterName)
    if (cluster === undefined) {
      telemetry.warn('a message names a cluster that no policy has', { cluster: clusterName })
      return
    }
    const admin = await openAdmin(cluster)
    try {
      const known = await Promise.all(
        [...new Set(principals)].map(
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
      const auth = all.flatMap((directory) => directory.clusters.get(clusterName)?.auth ?? [])
      const wanted = known.map(([principal, { labels = {}, asked } = {}, stored]): Wanted => {
        const acls = isRevokedOn(denied, principal, clusterName)
          ? []
          : mergeAccess(
              all.map((directory) => computeAccess(directory, clusterName, { name: principal, labels }, topics, now)),
            )
        return { principal, users: principalUsers({ auth }, prefix, principal, stored?.credential), acls, asked }
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
      // what is wanted comes before what is not, so that nothing that was promised stops working in between
      await admin.create(add)
      await admin.remove(remove)
      await admin.settled(add, remove)
      const policies = all.map((directory) => directory.hash)
      for (const { principal, acls, asked } of wanted)
        await access.recordApplied({ cluster: clusterName, principal, acls, policies, answers: asked }, now)
      telemetry.count(metricNames.accessApplied)
      telemetry.info('access applied', {
        cluster: clusterName,
        principals: wanted.map(({ principal }) => principal),
        added: add.length,
        removed: remove.length,
        milliseconds: clock().getTime() - now.getTime(),
      })
    } finally {
      await admin.close()
    }
  }
}
