import type { FoundAcl, FoundGroup, FoundTopic } from '../../shared/domain/inventory.ts'
import type { Part } from '../../shared/inventory/cluster-source.ts'
import type { KafkaData, TopicSetting } from './organization.ts'

type Seen = {
  readonly topics: ReadonlyMap<string, FoundTopic>
  readonly groups: readonly FoundGroup[]
  readonly acls: readonly FoundAcl[]
}

const look = async (observe: () => AsyncIterable<Part>): Promise<Seen> => {
  const topics = new Map<string, FoundTopic>()
  const groups: FoundGroup[] = []
  const acls: FoundAcl[] = []
  for await (const piece of observe()) {
    if (piece.part === 'topics') for (const topic of piece.found) topics.set(topic.name, topic)
    else if (piece.part === 'groups') groups.push(...piece.found)
    else if (piece.part === 'acls') acls.push(...piece.found)
    // Confluent Cloud would answer 500, not an empty list
    else if (piece.part === 'unknown') throw new Error(piece.failure.detail)
  }
  return { topics, groups, acls }
}

const settingsOf = ({ configs = {}, minInsync }: FoundTopic): readonly TopicSetting[] => [
  ...Object.entries(configs).map(([name, value]): TopicSetting => ({ name, value, source: 'DYNAMIC_TOPIC_CONFIG' })),
  ...(minInsync === undefined || configs['min.insync.replicas'] !== undefined
    ? []
    : [{ name: 'min.insync.replicas', value: String(minInsync), source: 'DEFAULT_CONFIG' as const }]),
]

/** What a real cluster holds, for one of the simulated organisation; `observe` asks it by the Kafka protocol. */
export const createRealKafka = (
  observe: () => AsyncIterable<Part>,
  { maxAgeMs = 1_000, now = Date.now }: { readonly maxAgeMs?: number; readonly now?: () => number } = {},
): KafkaData => {
  let last: { readonly at: number; readonly seen: Promise<Seen> } | undefined
  const read = (): Promise<Seen> => {
    if (last === undefined || now() - last.at >= maxAgeMs) last = { at: now(), seen: look(observe) }
    return last.seen
  }
  return {
    topics: async () =>
      [...(await read()).topics.values()].map(({ name, partitions, replication }) => ({
        name,
        partitions,
        replication,
        isInternal: false,
      })),
    settings: async (topic) => {
      const found = (await read()).topics.get(topic)
      return found && settingsOf(found)
    },
    groups: async () => (await read()).groups.map(({ name }) => name),
    acls: async () =>
      (await read()).acls.map(({ resource, name, pattern, ...acl }) => ({
        ...acl,
        resourceType: resource,
        resourceName: name,
        patternType: pattern,
      })),
  }
}
