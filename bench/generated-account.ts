import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaClient } from '@aws-sdk/client-kafka'
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { type CrawlClusterDeps, createCrawlCluster } from '../functions/crawl/crawl-cluster.ts'
import { createListClusters } from '../functions/crawl/list-clusters.ts'
import type { GeneratedCluster } from '../local/msk/clusters.ts'
import { generateClusters } from '../local/msk/generated-clusters.ts'
import { createGeneratedReader } from '../local/msk/inventory.ts'
import { createOperations, type Operations } from '../local/msk/operations.ts'
import { createPager } from '../local/msk/paging.ts'
import { generatedScramSecrets } from '../local/msk/scram-secrets.ts'
import { createCalls } from '../shared/inventory/calls.ts'
import { createMskSource } from '../shared/inventory/msk.ts'
import type { CrawlMessage } from '../shared/store/crawl-queue.ts'
import { createInventoryStore } from '../shared/store/inventory-store.ts'
import { createTelemetry } from '../shared/telemetry.ts'

const place = { region: 'eu-west-1', accountId: '111122223333' }
const aLot = 60 * 60 * 1_000
/** What the inventory calls the account. */
export const sourceName = 'account'

/** Of the generated ones those whose topics MSK tells. */
const clustersWithTopics = (count: number, topicsPerCluster: number): readonly GeneratedCluster[] =>
  generateClusters({ count: 2 * count, topicsPerCluster, place })
    .filter((cluster): cluster is GeneratedCluster => cluster.type === 'generated')
    .filter(({ state, kafkaVersion }) => state === undefined && kafkaVersion !== '2.8.1')
    .slice(0, count)

type Input = { readonly MaxResults?: number; readonly NextToken?: string } & Readonly<Record<string, string>>

/** The SDK's client without the network: what the simulated control plane answers, in the SDK's own words. */
const createSender = (operations: Operations) => {
  let calls = 0
  const send = async (command: { readonly constructor: { name: string }; readonly input: Input }) => {
    calls += 1
    const { MaxResults, NextToken, ...labels } = command.input
    const query = new URLSearchParams()
    if (MaxResults !== undefined) query.set('maxResults', String(MaxResults))
    if (NextToken !== undefined) query.set('nextToken', NextToken)
    return operations[command.constructor.name.replace(/Command$/, '') as keyof Operations]({ labels, query, body: '' })
  }
  return { client: { send } as unknown as Pick<KafkaClient, 'send'>, calls: () => calls }
}

/** An account of generated clusters, crawled as a worker of `crawl` does: adapter, domain and store are the real ones. */
export const createAccountCrawl = (
  { clusters: count, topics }: { readonly clusters: number; readonly topics: number },
  dynamo: DynamoDBDocumentClient,
  table: string,
) => {
  const clusters = clustersWithTopics(count, topics)
  const sender = createSender(
    createOperations(clusters, {
      place,
      backed: clusters.map((cluster) => ({
        cluster,
        inventory: createGeneratedReader(cluster),
        scramSecrets: generatedScramSecrets(cluster),
      })),
      page: createPager(100, () => undefined),
      isGone: () => false,
    }),
  )
  const calls = createCalls({ now: () => performance.now(), wait: delay, random: Math.random })
  const source = createMskSource({
    places: [{ account: place.accountId, region: place.region }],
    clientOf: () => sender.client,
    callsOf: () => calls,
  })
  const waiting: CrawlMessage[] = []
  const inventory = createInventoryStore(dynamo, table)
  const deps: CrawlClusterDeps & Parameters<typeof createListClusters>[0] = {
    openSource: async () => source,
    openBrokers: async () => undefined,
    inventory,
    // no policy leaves these clusters to the crawl
    publish: async () => ({ outcome: 'unchanged' }),
    topicsAppeared: async () => {},
    warnOfNewMatches: async () => {},
    queue: { send: async (messages) => void waiting.push(...messages) },
    telemetry: createTelemetry('crawl', () => undefined),
    clock: () => new Date(),
  }
  const listClusters = createListClusters(deps)
  const crawlCluster = createCrawlCluster(deps)
  return {
    inventory,
    clusters: clusters.length,
    /** Of the control plane. */
    calls: sender.calls,
    list: () => listClusters(sourceName),
    /** One message; false: there is none any more. */
    crawlNext: async (): Promise<boolean> => {
      const message = waiting.shift()
      if (message?.kind === 'crawl-cluster') await crawlCluster(message, { name: message.name }, () => aLot)
      return message !== undefined
    },
  }
}
