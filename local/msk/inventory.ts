import { Admin, ConfigResourceTypes, ConfigSources } from '@platformatic/kafka'
import { adminConnection } from '../../shared/clusters/kafka/admin-connection.ts'
import type { GeneratedCluster, ProvisionedCluster } from './clusters.ts'

export type Partition = {
  readonly partition: number
  readonly leader: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

/** What the control plane last saw of a real cluster. */
export type Inventory = {
  readonly brokers: readonly { readonly id: number; readonly host: string }[]
  readonly topics: ReadonlyMap<string, readonly Partition[]>
}

export type InventoryReader = {
  /** At most `maxAgeMs` old; older only when the brokers do not answer. */
  readonly read: () => Promise<Inventory>
  /** Those that were set on the topic itself. */
  readonly readConfigs: (topic: string) => Promise<Readonly<Record<string, string>>>
  readonly close: () => Promise<void>
}

export const createInventoryReader = ({ kafka }: ProvisionedCluster, maxAgeMs: number): InventoryReader => {
  const admin = new Admin({ ...adminConnection(kafka.cluster, kafka.admin), clientId: 'simulated-msk' })
  let last: { readonly at: number; readonly inventory: Inventory } | undefined

  const observe = async (): Promise<Inventory> => {
    // the client shows no partitions of Kafka's own topics
    const names = await admin.listTopics({ includeInternals: false })
    const { brokers, topics } = await admin.metadata({ topics: names, forceUpdate: true })
    return {
      brokers: [...brokers].map(([id, { host }]) => ({ id, host })),
      topics: new Map(
        [...topics].map(([name, { partitions }]) => [
          name,
          partitions.map(({ leader, replicas, isr }, partition) => ({ partition, leader, replicas, isr })),
        ]),
      ),
    }
  }

  return {
    read: async () => {
      if (last !== undefined && Date.now() - last.at < maxAgeMs) return last.inventory
      try {
        last = { at: Date.now(), inventory: await observe() }
      } catch (error) {
        if (last === undefined) throw error
      }
      return last.inventory
    },
    readConfigs: async (topic) => {
      const [found] = await admin.describeConfigs({
        resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic }],
      })
      return Object.fromEntries(
        (found?.configs ?? []).flatMap(({ name, value, configSource }) =>
          typeof value === 'string' && configSource === ConfigSources.DYNAMIC_TOPIC_CONFIG
            ? [[name, value] as const]
            : [],
        ),
      )
    },
    close: () => admin.close(),
  }
}

export const createGeneratedReader = ({ inventory, configsOf }: GeneratedCluster): InventoryReader => ({
  read: async () => inventory,
  readConfigs: async (topic) => configsOf(topic),
  close: async () => {},
})
