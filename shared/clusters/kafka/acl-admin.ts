import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from '@platformatic/kafka'
import { type Acl, aclKey } from '../../domain/access.ts'
import type { AdminCredential, Cluster } from '../../domain/cluster.ts'
import { adminConnection } from './admin-connection.ts'

/** What rotate does on a cluster that speaks the Kafka protocol. */
export type AclAdmin = {
  readonly listTopics: () => Promise<ReadonlySet<string>>
  /** The ALLOW rules with host `*` of exactly these Kafka users. */
  readonly describe: (users: readonly string[]) => Promise<ReadonlyMap<string, readonly Acl[]>>
  readonly create: (entries: readonly UserAcl[]) => Promise<void>
  readonly remove: (entries: readonly UserAcl[]) => Promise<void>
  /** Resolves when the brokers' authorizers show all of `present` and none of `absent`. */
  readonly settled: (present: readonly UserAcl[], absent: readonly UserAcl[]) => Promise<void>
  readonly close: () => Promise<void>
}

export type UserAcl = { readonly user: string; readonly acl: Acl }

const resourceTypes = {
  topic: ResourceTypes.TOPIC,
  group: ResourceTypes.GROUP,
  'transactional-id': ResourceTypes.TRANSACTIONAL_ID,
}
const patternTypes = { literal: ResourcePatternTypes.LITERAL, prefixed: ResourcePatternTypes.PREFIXED }
const operations = { read: AclOperations.READ, write: AclOperations.WRITE }
const anyHost = '*'
/** Kafka refuses about 12,000 in one request and takes 5,000 in 0.8 s. */
const chunkSize = 2_000
const settleDeadlineMs = 10_000
const settlePollMs = 20

const keyOf = <K extends string, V>(table: Readonly<Record<K, V>>, value: V): K | undefined =>
  (Object.keys(table) as K[]).find((key) => table[key] === value)

const toKafka = ({ user, acl }: UserAcl) => ({
  resourceType: resourceTypes[acl.resource],
  resourceName: acl.name,
  resourcePatternType: patternTypes[acl.pattern],
  principal: `User:${user}`,
  host: anyHost,
  operation: operations[acl.operation],
  permissionType: AclPermissionTypes.ALLOW,
})

const chunks = <T>(list: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / chunkSize) }, (_, at) =>
    list.slice(at * chunkSize, (at + 1) * chunkSize),
  )

/** Only rules that Switchboard could have written: ALLOW, any host, an operation it uses. Anything else is somebody's own. */
const fromKafka = (resource: {
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  readonly operation: number
}): Acl | undefined => {
  const type = keyOf<Acl['resource'], number>(resourceTypes, resource.resourceType)
  const pattern = keyOf<Acl['pattern'], number>(patternTypes, resource.patternType)
  const operation = keyOf<Acl['operation'], number>(operations, resource.operation)
  if (type === undefined || pattern === undefined || operation === undefined) return undefined
  return { resource: type, pattern, name: resource.resourceName, operation }
}

export const createAclAdmin = (cluster: Cluster, credential: AdminCredential): AclAdmin => {
  const admin = new Admin(adminConnection(cluster, credential))

  const describeUser = async (user: string): Promise<readonly Acl[]> => {
    const found = await admin.describeAcls({
      filter: {
        resourceType: ResourceTypes.ANY,
        resourceName: null,
        resourcePatternType: ResourcePatternTypes.ANY,
        principal: `User:${user}`,
        host: anyHost,
        operation: AclOperations.ANY,
        permissionType: AclPermissionTypes.ALLOW,
      },
    })
    return found.flatMap((resource) =>
      resource.acls.flatMap(
        (entry) =>
          fromKafka({
            resourceType: resource.resourceType,
            resourceName: resource.resourceName,
            patternType: resource.resourcePatternType,
            operation: entry.operation,
          }) ?? [],
      ),
    )
  }

  const describe: AclAdmin['describe'] = async (users) =>
    new Map(await Promise.all(users.map(async (user) => [user, await describeUser(user)] as const)))

  return {
    listTopics: async () => new Set(await admin.listTopics({ includeInternals: false })),
    describe,
    create: async (entries) => {
      for (const chunk of chunks(entries)) await admin.createAcls({ creations: chunk.map(toKafka) })
    },
    remove: async (entries) => {
      for (const chunk of chunks(entries)) await admin.deleteAcls({ filters: chunk.map(toKafka) })
    },
    settled: async (present, absent) => {
      const users = [...new Set([...present, ...absent].map((entry) => entry.user))]
      const deadline = Date.now() + settleDeadlineMs
      while (users.length > 0) {
        const seen = await describe(users)
        const has = ({ user, acl }: UserAcl): boolean =>
          seen.get(user)?.some((other) => aclKey(other) === aclKey(acl)) === true
        if (present.every(has) && !absent.some(has)) return
        if (Date.now() > deadline)
          throw new Error(`the ACLs of \`${cluster.name}\` are not in force after ${settleDeadlineMs} ms`)
        await new Promise((resolve) => setTimeout(resolve, settlePollMs))
      }
    },
    close: () => admin.close(),
  }
}
