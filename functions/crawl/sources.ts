import type { AdminOptions } from '@platformatic/kafka'
import type { Cluster, CredentialKind } from '../../shared/domain/cluster.ts'
import type { Directory } from '../../shared/domain/directory.ts'
import type { FoundCluster } from '../../shared/domain/inventory.ts'
import { isSameCluster } from '../../shared/domain/known-cluster.ts'
import { type CrawlSource, type Policy, policySource } from '../../shared/domain/policy.ts'
import { type ClusterSource, type Part, SourceError } from '../../shared/inventory/cluster-source.ts'
import type { JsonApi } from '../../shared/inventory/json-api.ts'
import { createKafkaSource, observeKafka } from '../../shared/inventory/kafka.ts'
import { observeRegistry } from '../../shared/inventory/schema-registry.ts'

/** What a crawl goes by: the policy in force. */
export type InForce = { readonly policy: Policy; readonly directory: Directory }

export type Sources = {
  readonly names: () => Promise<readonly string[]>
  /** undefined: the policy in force has none of this name */
  readonly open: (name: string) => Promise<ClusterSource | undefined>
  /** The Kafka protocol of a cluster that a control plane knows; undefined: the policy does not say how to log in there. */
  readonly openBrokers: (cluster: FoundCluster) => Promise<AsyncIterable<Part> | undefined>
}

type Of<Provider extends CrawlSource['provider']> = Extract<CrawlSource, { readonly provider: Provider }>

export type SourcesDeps = {
  /** undefined: nothing is in force yet */
  readonly inForce: () => Promise<InForce | undefined>
  readonly openMsk: (source: Of<'msk'>) => ClusterSource
  readonly openConfluent: (name: string, source: Of<'confluent'>) => ClusterSource
  /** @throws SourceError when the cluster's admin cannot be read */
  readonly connect: (cluster: Cluster) => Promise<AdminOptions>
  /** @throws SourceError when the secret cannot be read, or the URL is not one to send it to */
  readonly openRegistry: (url: string, secretId: string) => Promise<JsonApi>
}

const mechanisms: Readonly<Record<CredentialKind, string>> = {
  jwt: 'OAUTHBEARER',
  'msk-iam': 'AWS_MSK_IAM',
  workload: 'OAUTHBEARER',
  scram: 'SCRAM-SHA-512',
  'api-key': 'PLAIN',
}

const foundAs = ({ name, auth, listeners, labels }: Cluster): FoundCluster => ({
  name,
  provider: 'kafka',
  auth: auth.map((kind) => mechanisms[kind]),
  listeners: listeners.map((listener) => ({
    field: listener.name,
    ...(listener.network === undefined ? {} : { network: listener.network }),
    bootstrap: listener.bootstrap,
    security: listener.security,
    mechanisms: (listener.auth ?? auth).map((kind) => mechanisms[kind]),
  })),
  tags: labels,
})

export const createSources = ({ inForce, openMsk, openConfluent, connect, openRegistry }: SourcesDeps): Sources => {
  const openPolicyClusters = ({ clusters }: Directory): ClusterSource => {
    const brokers = createKafkaSource({
      list: async () => [...clusters.values()].flatMap(({ name, provider }) => (provider === 'kafka' ? [name] : [])),
      open: async (name) => {
        const cluster = clusters.get(name)
        if (cluster?.provider !== 'kafka')
          throw new SourceError('gone', `no cluster of the policy is named \`${name}\``)
        return { cluster: foundAs(cluster), connection: await connect(cluster) }
      },
    })
    return {
      list: brokers.list,
      observe: async function* (ref) {
        yield* brokers.observe(ref)
        const registry = clusters.get(ref.id)?.schemaRegistry
        if (registry === undefined) yield { part: 'registries', found: [] }
        else if (registry.crawlSecret !== undefined) {
          const { url, crawlSecret } = registry
          yield* observeRegistry(url, () => openRegistry(url, crawlSecret))
        }
      },
    }
  }

  return {
    names: async () => {
      const current = await inForce()
      return current === undefined ? [] : [policySource, ...Object.keys(current.policy.crawl ?? {})]
    },
    open: async (name) => {
      const current = await inForce()
      if (current === undefined) return undefined
      if (name === policySource) return openPolicyClusters(current.directory)
      const source = current.policy.crawl?.[name]
      if (source === undefined) return undefined
      return source.provider === 'msk' ? openMsk(source) : openConfluent(name, source)
    },
    openBrokers: async (found) => {
      if (found.provider === 'kafka') return undefined
      const clusters = [...((await inForce())?.directory.clusters.values() ?? [])]
      const cluster = clusters.find((each) => each.adminSecret !== undefined && isSameCluster(each, found))
      return cluster && observeKafka(`\`${cluster.name}\``, await connect(cluster))
    },
  }
}
