import {
  AclOperations,
  AclPermissionTypes,
  Admin,
  type AdminOptions,
  ConfigResourceTypes,
  ConfigSources,
  type Connection,
  describeUserScramCredentialsV0,
  GenericError,
  ResourcePatternTypes,
  ResourceTypes,
  ResponseError,
} from '@platformatic/kafka'
import { findInCauses } from '../causes.ts'
import type {
  FailureCode,
  FoundAcl,
  FoundCluster,
  FoundGroup,
  FoundTopic,
  FoundUser,
  PartName,
} from '../domain/inventory.ts'
import { type ClusterSource, type Part, SourceError } from './cluster-source.ts'

/** How one cluster is reached, and what is known of it without asking. */
export type KafkaCluster = { readonly cluster: FoundCluster; readonly connection: AdminOptions }

export type KafkaSourceDeps = {
  readonly list: () => Promise<readonly string[]>
  /** @throws SourceError `gone` when no cluster has this name, `not_configured` when nothing says how to log in */
  readonly open: (name: string) => Promise<KafkaCluster>
}

/** Topics asked for at once: some hundred KB of answer, in which each brings all its configs. */
const topicsAtOnce = 200

const codes: Readonly<Record<string, FailureCode>> = {
  SASL_AUTHENTICATION_FAILED: 'denied',
  UNSUPPORTED_SASL_MECHANISM: 'denied',
  CLUSTER_AUTHORIZATION_FAILED: 'denied',
  TOPIC_AUTHORIZATION_FAILED: 'denied',
  GROUP_AUTHORIZATION_FAILED: 'denied',
  UNSUPPORTED_VERSION: 'unsupported',
  // without an authorizer there are no ACLs
  SECURITY_DISABLED: 'unsupported',
  THROTTLING_QUOTA_EXCEEDED: 'throttled',
}

/** What the broker said, without the rest of what the client knows: that has the connection's options. */
const sourceError = (what: string, cause: unknown): SourceError => {
  if (cause instanceof SourceError) return cause
  const kafkaCode = findInCauses(cause, (error) =>
    error instanceof GenericError && typeof error.apiId === 'string' ? error.apiId : undefined,
  )
  if (kafkaCode !== undefined)
    return new SourceError(codes[kafkaCode] ?? 'unavailable', `${what}: ${kafkaCode}`, { cause })
  const isUnsupported = findInCauses(cause, ({ code }: Error & { code?: unknown }) =>
    code === 'PLT_KFK_UNSUPPORTED_API' ? true : undefined,
  )
  if (isUnsupported === true)
    return new SourceError('unsupported', `${what}: the brokers have no such request`, { cause })
  const isAnswered = findInCauses(cause, ({ code }: Error & { code?: unknown }) =>
    code === 'PLT_KFK_AUTHENTICATION' ? true : undefined,
  )
  if (isAnswered === true) return new SourceError('denied', `${what}: the login was refused`, { cause })
  return new SourceError('unavailable', `${what}: no answer`, { cause })
}

type RawTopic = {
  readonly errorCode: number
  readonly name: string | null
  readonly partitions: readonly { readonly replicaNodes: readonly number[] }[]
}

/**
 * The client takes one topic with an error for a failure of all; but a partition without a leader is a fact as others are,
 * and a topic that was deleted since it was listed is none any more.
 */
const topicsOfErrors = (error: unknown): readonly RawTopic[] | undefined =>
  findInCauses(error, (each) => {
    const topics: unknown = each instanceof ResponseError ? each.response?.topics : undefined
    return Array.isArray(topics) ? (topics as readonly RawTopic[]) : undefined
  })

type Size = Pick<FoundTopic, 'name' | 'partitions' | 'replication'>

const sizesOf = async (admin: Admin, names: readonly string[]): Promise<readonly Size[]> => {
  try {
    const { topics } = await admin.metadata({ topics: [...names], autocreateTopics: false, forceUpdate: true })
    return names.flatMap((name) => {
      const topic = topics.get(name)
      if (topic === undefined) return []
      return [{ name, partitions: topic.partitionsCount, replication: topic.partitions[0]?.replicas.length ?? 0 }]
    })
  } catch (error) {
    const topics = topicsOfErrors(error)
    if (topics === undefined) throw error
    return topics.flatMap(({ name, partitions }) =>
      name === null || partitions.length === 0
        ? []
        : [{ name, partitions: partitions.length, replication: partitions[0]?.replicaNodes.length ?? 0 }],
    )
  }
}

type Configs = Required<Pick<FoundTopic, 'configs' | 'minInsync'>>

/** undefined: the admin may not see them. */
const configsOf = async (admin: Admin, names: readonly string[]): Promise<ReadonlyMap<string, Configs> | undefined> => {
  try {
    const described = await admin.describeConfigs({
      resources: names.map((resourceName) => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName })),
    })
    return new Map(
      described.map(({ resourceName, configs }) => {
        const own = configs.filter(
          ({ configSource, isSensitive }) => configSource === ConfigSources.TOPIC_CONFIG && !isSensitive,
        )
        const minInsync = configs.find(({ name }) => name === 'min.insync.replicas')?.value
        return [
          resourceName,
          {
            configs: Object.fromEntries(own.map(({ name, value }) => [name, value ?? ''])),
            minInsync: minInsync == null ? undefined : Number(minInsync),
          },
        ]
      }),
    )
  } catch (error) {
    const { code } = sourceError('configs', error)
    if (code === 'unavailable' || code === 'throttled') throw error
    return undefined
  }
}

const keyOf = <K extends string>(table: Readonly<Record<K, number>>, value: number): K | undefined =>
  (Object.keys(table) as K[]).find((key) => table[key] === value)

const aclsOf = async (admin: Admin): Promise<readonly FoundAcl[]> => {
  const resources = await admin.describeAcls({
    filter: {
      resourceType: ResourceTypes.ANY,
      resourceName: null,
      resourcePatternType: ResourcePatternTypes.ANY,
      principal: null,
      host: null,
      operation: AclOperations.ANY,
      permissionType: AclPermissionTypes.ANY,
    },
  })
  return resources.flatMap(({ resourceType, resourceName, resourcePatternType: patternType, acls }) =>
    acls.flatMap(({ principal, host, operation, permissionType }): readonly FoundAcl[] => {
      const resource = keyOf(ResourceTypes, resourceType)
      const pattern = keyOf(ResourcePatternTypes, patternType)
      const operationName = keyOf(AclOperations, operation)
      const permission = keyOf(AclPermissionTypes, permissionType)
      if (resource === undefined || operationName === undefined) return []
      if (pattern !== 'LITERAL' && pattern !== 'PREFIXED') return []
      if (permission !== 'ALLOW' && permission !== 'DENY') return []
      return [{ principal, host, permission, operation: operationName, resource, pattern, name: resourceName }]
    }),
  )
}

const groupsOf = async (admin: Admin): Promise<readonly FoundGroup[]> => {
  const groups = await admin.listGroups()
  // no state: it changes by itself, and every look would find another cluster
  return [...groups.values()].map(({ id, groupType }) => ({
    name: id,
    ...(groupType ? { type: groupType.toLowerCase() } : {}),
  }))
}

const mechanisms = { 1: 'SCRAM-SHA-256', 2: 'SCRAM-SHA-512' } as const

/** KIP-554. Before KRaft only the controller takes the request; with it some broker is named, which passes it on. */
const usersOf = async (admin: Admin): Promise<readonly FoundUser[]> => {
  const { controllerId } = await admin.metadata({ topics: [], forceUpdate: true })
  const connection: Connection | undefined = (await admin.connectToBrokers([controllerId])).get(controllerId)
  if (connection === undefined) throw new SourceError('unavailable', 'the controller cannot be reached')
  // with null instead of an empty list Kafka 4.3 fails over its own refusal and never answers
  const { results } = await describeUserScramCredentialsV0.api.async(connection, [])
  return results.flatMap(({ user, credentialInfos }) =>
    credentialInfos.flatMap(({ mechanism }) => {
      const name = mechanisms[mechanism as keyof typeof mechanisms]
      return name === undefined ? [] : [{ name: user, mechanism: name }]
    }),
  )
}

const chunksOf = <T>(list: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, at) => list.slice(at * size, (at + 1) * size))

async function* topicParts(admin: Admin, isAdmin: boolean): AsyncGenerator<Part> {
  const names = await admin.listTopics({ includeInternals: false })
  // brokers leave out what one may not see and say nothing: a login that lost its rights must not look like a cluster
  // that lost its topics
  if (names.length === 0 && !isAdmin) throw new SourceError('denied', 'the login may not see any topic')
  if (names.length === 0) yield { part: 'topics', found: [] }
  for (const chunk of chunksOf(names, topicsAtOnce)) {
    const sizes = await sizesOf(admin, chunk)
    const configs = await configsOf(
      admin,
      sizes.map(({ name }) => name),
    )
    yield { part: 'topics', found: sizes.map((size) => ({ ...size, ...configs?.get(size.name) })) }
  }
}

/**
 * What the Kafka protocol says of a cluster, everything that an admin may see; a part that is refused is `unknown` and the
 * others are there. Reads only.
 * @throws SourceError when no broker lets it in
 */
export async function* observeKafka(what: string, connection: AdminOptions): AsyncGenerator<Part> {
  const admin = new Admin(connection)

  const refused = new Set<PartName>()

  async function* partOf(name: PartName, parts: () => AsyncIterable<Part>): AsyncGenerator<Part> {
    try {
      yield* parts()
    } catch (cause) {
      const { code, message } = sourceError(`the ${name} of ${what}`, cause)
      if (code === 'denied') refused.add(name)
      yield { part: 'unknown', of: name, failure: { code, detail: message } }
    }
  }

  try {
    const { brokers } = await admin.metadata({ topics: [], forceUpdate: true })
    yield {
      part: 'brokers',
      found: [...brokers].map(([id, { host, port, rack }]) => ({
        id,
        endpoints: [`${host}:${port}`],
        ...(rack === null ? {} : { rack }),
      })),
    }
    yield* partOf('groups', async function* () {
      yield { part: 'groups', found: await groupsOf(admin) }
    })
    yield* partOf('acls', async function* () {
      yield { part: 'acls', found: await aclsOf(admin) }
    })
    yield* partOf('topics', () => topicParts(admin, !refused.has('acls')))
    yield* partOf('users', async function* () {
      yield { part: 'users', found: await usersOf(admin) }
    })
  } catch (cause) {
    throw sourceError(what, cause)
  } finally {
    await admin.close().catch(() => {})
  }
}

/** The clusters that a policy itself describes, under the names that it gives them. */
export const createKafkaSource = ({ list, open }: KafkaSourceDeps): ClusterSource => ({
  list: async function* () {
    for (const name of await list()) yield { kind: 'cluster', ref: { id: name, name } }
  },
  observe: async function* ({ id }) {
    const { cluster, connection } = await open(id)
    yield { part: 'cluster', cluster }
    yield* observeKafka(`\`${id}\``, connection)
  },
})
