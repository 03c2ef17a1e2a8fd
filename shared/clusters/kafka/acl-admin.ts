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
  /** Removes what `describe` would show of these users, without asking first what that is: the cluster knows best. */
  readonly removeAll: (users: readonly string[]) => Promise<readonly UserAcl[]>
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
/** Kafka goes through all of its rules to answer for one user, so that many are asked for together with everybody. */
const fewUsers = 10
const principalType = 'User:'
const principalOf = (user: string): string => `${principalType}${user}`
/** Kafka refuses about 12,000 in one request and takes 5,000 in 0.8 s. */
const chunkSize = 2_000
/** Kafka goes through all of its rules for each that is to be removed: with 60,000 rules these take it about 2 s. */
const removalChunkSize = 200
const settleDeadlineMs = 10_000
const settlePollMs = 20

const keyOf = <K extends string, V>(table: Readonly<Record<K, V>>, value: V): K | undefined =>
  (Object.keys(table) as K[]).find((key) => table[key] === value)

const toKafka = ({ user, acl }: UserAcl) => ({
  resourceType: resourceTypes[acl.resource],
  resourceName: acl.name,
  resourcePatternType: patternTypes[acl.pattern],
  principal: principalOf(user),
  host: anyHost,
  operation: operations[acl.operation],
  permissionType: AclPermissionTypes.ALLOW,
})

/** Of every kind that Switchboard writes, and of no other: the rest of what such a user has is somebody's own. */
const everyAclOf = (user: string) =>
  Object.values(resourceTypes).flatMap((resourceType) =>
    Object.values(operations).map((operation) => ({
      resourceType,
      resourceName: null,
      resourcePatternType: ResourcePatternTypes.ANY,
      principal: principalOf(user),
      host: anyHost,
      operation,
      permissionType: AclPermissionTypes.ALLOW,
    })),
  )

const chunks = <T>(list: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, at) => list.slice(at * size, (at + 1) * size))

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

  /** Those of one Kafka principal, or of all. */
  const describeRules = async (of: string | null) => {
    const found = await admin.describeAcls({
      filter: {
        resourceType: ResourceTypes.ANY,
        resourceName: null,
        resourcePatternType: ResourcePatternTypes.ANY,
        principal: of,
        host: anyHost,
        operation: AclOperations.ANY,
        permissionType: AclPermissionTypes.ALLOW,
      },
    })
    return found.flatMap(({ resourceType, resourceName, resourcePatternType: patternType, acls }) =>
      acls.flatMap(({ principal, operation }) => {
        const acl = fromKafka({ resourceType, resourceName, patternType, operation })
        return acl === undefined ? [] : [{ principal, acl }]
      }),
    )
  }

  const describe: AclAdmin['describe'] = async (users) => {
    const acls = new Map(users.map((user) => [user, [] as Acl[]]))
    const byPrincipal = new Map([...acls].map(([user, list]) => [principalOf(user), list]))
    const found = await (acls.size > fewUsers
      ? describeRules(null)
      : Promise.all([...byPrincipal.keys()].map(describeRules)).then((lists) => lists.flat()))
    for (const { principal, acl } of found) byPrincipal.get(principal)?.push(acl)
    return acls
  }

  return {
    listTopics: async () => new Set(await admin.listTopics({ includeInternals: false })),
    describe,
    create: async (entries) => {
      for (const chunk of chunks(entries, chunkSize)) await admin.createAcls({ creations: chunk.map(toKafka) })
    },
    remove: async (entries) => {
      for (const chunk of chunks(entries, removalChunkSize)) await admin.deleteAcls({ filters: chunk.map(toKafka) })
    },
    removeAll: async (users) => {
      const removed: UserAcl[] = []
      for (const chunk of chunks(users.flatMap(everyAclOf), removalChunkSize)) {
        const found = await admin.deleteAcls({ filters: [...chunk] })
        removed.push(
          ...found.flatMap((entry) => {
            const acl = fromKafka({ ...entry, patternType: entry.resourcePatternType })
            return acl === undefined ? [] : [{ user: entry.principal.slice(principalType.length), acl }]
          }),
        )
      }
      return removed
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
