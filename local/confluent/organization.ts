/** One organisation of Confluent Cloud, as the simulated control plane shows it. */
export type Organization = { readonly id: string; readonly environments: readonly Environment[] }

export type Environment = {
  readonly id: string
  readonly name: string
  readonly clusters: readonly ConfluentCluster[]
  /** @default - it has no Stream Governance package */
  readonly registry?: { readonly id: string; readonly url: string }
}

export type AccessPoint = {
  readonly bootstrap: string
  readonly type: 'PUBLIC' | 'PRIVATE_LINK' | 'PRIVATE_NETWORK_INTERFACE'
}

export type ConfluentCluster = {
  readonly id: string
  readonly name: string
  readonly kind: 'Basic' | 'Standard' | 'Enterprise' | 'Dedicated' | 'Freight'
  readonly cloud: 'AWS' | 'GCP' | 'AZURE'
  readonly region: string
  /** @default 'PROVISIONED' */
  readonly phase?: 'PROVISIONING' | 'PROVISIONED' | 'FAILED'
  /** By id; `PUBLIC` and `PRIVATE_LINK` are reserved. A cluster that is being made has none. */
  readonly accessPoints: Readonly<Record<string, AccessPoint>>
  readonly kafka: KafkaData
}

export type TopicSetting = {
  readonly name: string
  readonly value: string | null
  readonly source: 'DYNAMIC_TOPIC_CONFIG' | 'DYNAMIC_DEFAULT_BROKER_CONFIG' | 'STATIC_BROKER_CONFIG' | 'DEFAULT_CONFIG'
}

export type Topic = {
  readonly name: string
  readonly partitions: number
  readonly replication: number
  readonly isInternal: boolean
}

export type Acl = {
  readonly resourceType: string
  readonly resourceName: string
  readonly patternType: string
  readonly principal: string
  readonly host: string
  readonly operation: string
  readonly permission: string
}

/** What is in a cluster: made up, or a real one's. */
export type KafkaData = {
  readonly topics: () => Promise<readonly Topic[]>
  /** Undefined: there is no such topic. */
  readonly settings: (topic: string) => Promise<readonly TopicSetting[] | undefined>
  readonly groups: () => Promise<readonly string[]>
  readonly acls: () => Promise<readonly Acl[]>
}

const teams = ['payments', 'orders', 'search'] as const

const generatedData = (cluster: string, topicCount: number): KafkaData => {
  const topics = Array.from({ length: topicCount }, (_, at): Topic => {
    const name = `${teams[at % teams.length]}.events.${String(at).padStart(4, '0')}`
    return {
      name: at === 1 ? `${cluster}.`.padEnd(249, 'x') : name,
      partitions: at === 2 ? 10_000 : 6,
      replication: 3,
      isInternal: false,
    }
  })
  const settings: readonly TopicSetting[] = [
    { name: 'cleanup.policy', value: 'compact', source: 'DYNAMIC_TOPIC_CONFIG' },
    { name: 'min.insync.replicas', value: '2', source: 'STATIC_BROKER_CONFIG' },
    { name: 'retention.ms', value: '604800000', source: 'DEFAULT_CONFIG' },
    { name: 'confluent.placement.constraints', value: null, source: 'DYNAMIC_TOPIC_CONFIG' },
  ]
  const names = new Set(topics.map(({ name }) => name))
  return {
    topics: async () => [...topics, { name: '__consumer_offsets', partitions: 50, replication: 3, isInternal: true }],
    settings: async (topic) => (names.has(topic) ? settings : undefined),
    groups: async () => teams.map((team) => `${team}-worker`),
    acls: async () => [
      {
        resourceType: 'TOPIC',
        resourceName: 'payments.',
        patternType: 'PREFIXED',
        principal: 'User:sa-12345',
        host: '*',
        operation: 'READ',
        permission: 'ALLOW',
      },
    ],
  }
}

/** An organisation with so many environments and clusters in each, the same at every call. */
export const generateOrganization = ({
  environments,
  clustersEach,
  topicsEach,
  registryUrl,
}: {
  readonly environments: number
  readonly clustersEach: number
  readonly topicsEach: number
  readonly registryUrl: string
}): Organization => ({
  id: '9bb441c4-0000-4000-8000-000000000000',
  environments: Array.from({ length: environments }, (_, at): Environment => {
    const id = `env-${String(at).padStart(4, '0')}`
    return {
      id,
      name: `team-${at}`,
      registry: { id: `lsrc-${at}`, url: registryUrl },
      clusters: Array.from({ length: clustersEach }, (_, index): ConfluentCluster => {
        const number = `${String(at).padStart(3, '0')}${String(index).padStart(3, '0')}`
        const bootstrap = `lkc-${number}.eu-west-1.aws.example.com:9092`
        return {
          id: `lkc-${number}`,
          // one name in every environment
          name: `cluster-${index}`,
          kind: index === 0 ? 'Dedicated' : 'Standard',
          cloud: 'AWS',
          region: 'eu-west-1',
          ...(index === 3 && { phase: 'PROVISIONING' as const }),
          accessPoints:
            index === 3
              ? {}
              : {
                  PUBLIC: { bootstrap, type: 'PUBLIC' },
                  ...(index === 0 && {
                    ap1pni123: { bootstrap: `private-${bootstrap}`, type: 'PRIVATE_NETWORK_INTERFACE' as const },
                    PRIVATE_LINK: { bootstrap: `link-${bootstrap}`, type: 'PRIVATE_LINK' as const },
                  }),
                },
          kafka: generatedData(`lkc-${number}`, topicsEach),
        }
      }),
    }
  }),
})
