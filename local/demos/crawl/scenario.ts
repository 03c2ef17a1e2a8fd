import { KafkaClient, paginateListClustersV2 } from '@aws-sdk/client-kafka'
import { renderTable } from '../../../cli/table.ts'
import type { KafkaCluster, StackState } from '../../state.ts'
import { withAdmin } from '../admin.ts'
import { createOperator, type Operator } from '../operator.ts'
import { atLeast, type Measure, none, type Outcome } from '../outcome.ts'
import { type CrawlAnswer, createCommands } from './commands.ts'
import { moveCluster } from './move.ts'
import { findNewTopic } from './new-topic.ts'
import { loseCluster } from './outage.ts'
import { applyCrawlPolicy, leaveCrawlPolicy } from './policy.ts'
import { openSecondAddress } from './second-address.ts'
import type { ScenarioOptions, Stage } from './stage.ts'
import { takeOver } from './take-over.ts'

/** How many clusters the simulated MSK has, asked of itself. */
const countMskClusters = async ({ aws, msk }: StackState, { settings }: Operator): Promise<number> => {
  const client = new KafkaClient({ ...settings, region: aws.region, endpoint: msk.url })
  let count = 0
  for await (const { ClusterInfoList = [] } of paginateListClustersV2({ client }, {})) count += ClusterInfoList.length
  return count
}

const topicsOf = async (cluster: KafkaCluster): Promise<number> =>
  (await withAdmin(cluster, (admin) => admin.listTopics())).length

const reportCrawl = (report: (line: string) => void, { sources, seconds }: CrawlAnswer): void => {
  const rows = sources.map(({ source, clusters, topics, outcomes, seconds: took }) => [
    source,
    String(clusters),
    String(topics),
    String(outcomes.new + outcomes.changed),
    String(outcomes.unchanged),
    String(outcomes.failed),
    `${took ?? '-'} s`,
  ])
  for (const line of renderTable(['source', 'clusters', 'topics', 'changed', 'unchanged', 'failed', 'took'], rows))
    report(line)
  report(`all of it took ${seconds} s`)
}

/** Two real clusters and both control planes, everything there is; and once more, when nothing has changed. */
const crawlEverything = async ({ state, operator, commands, report }: Stage) => {
  const { payments, analytics } = state.clusters
  const first = await commands.crawl()
  reportCrawl(report, first)
  const again = await commands.crawl()
  reportCrawl(report, again)
  const [msk, ofPayments, ofAnalytics] = await Promise.all([
    countMskClusters(state, operator),
    topicsOf(payments),
    topicsOf(analytics),
  ])
  const of = (source: string) => first.sources.find((each) => each.source === source)
  const exactly = (name: string, found: number | undefined, wanted: number): Measure =>
    none('crawl', name, found === wanted ? [] : [`${found} instead of ${wanted}`])
  const sum = (counts: readonly number[]): number => counts.reduce((total, each) => total + each, 0)
  const measures = [
    exactly('wrong count of clusters of the policy', of('kafka')?.clusters, 2),
    exactly('wrong count of their topics', of('kafka')?.topics, ofPayments + ofAnalytics),
    exactly('wrong count of clusters of MSK', of('aws')?.clusters, msk),
    exactly('wrong count of clusters of Confluent Cloud', of('confluent')?.clusters, 1),
    exactly('wrong count of its topics', of('confluent')?.topics, ofAnalytics),
    none('crawl', 'clusters that failed', first.failed.length + again.failed.length),
    none('crawl', 'clusters that another look changed', sum(again.sources.map(({ outcomes }) => outcomes.changed))),
  ]
  return { measures, totals: { clusters: msk + 3, topics: sum(first.sources.map(({ topics }) => topics)) } }
}

const searchCatalog = async ({ commands, report }: Stage): Promise<readonly Measure[]> => {
  const startedAt = Date.now()
  const rows = await commands.catalog('orders/', '--cluster', 'payments')
  const took = Date.now() - startedAt
  const names = (list: readonly string[]): string => list.join(', ') || '-'
  for (const line of renderTable(
    ['channel', 'topic', 'cluster', 'may write', 'may read'],
    rows.map(({ channel, topic, cluster, mayProduce, mayConsume }) => [
      channel ?? '-',
      topic,
      cluster,
      names(mayProduce),
      names(mayConsume),
    ]),
  ))
    report(line)
  report(`the search took ${took} ms, with the command’s own start`)
  const created = rows.find(({ topic }) => topic === 'orders.created')
  return [
    atLeast('catalog', 'channels found', rows.length, 2),
    atLeast('catalog', 'principals that may write to orders.created', created?.mayProduce.length ?? 0, 1),
  ]
}

/**
 * What a crawl is for, on the deployed stack with real clusters. It changes the policy of the stack, the clusters and what
 * the simulated MSK shows, and leaves everything as it was.
 */
export const crawlScenario = async (options: ScenarioOptions): Promise<Outcome> => {
  const { state, report } = options
  const operator = createOperator(state)
  const stage: Stage = { ...options, operator, commands: createCommands(operator) }
  const under = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    options.signal.throwIfAborted()
    report(`${name}:`)
    return work()
  }
  const proxy = await openSecondAddress(state.clusters.payments.inside)
  try {
    const everything = await under('everything is looked at, twice', () => crawlEverything(stage))
    const measures = [...everything.measures]
    measures.push(...(await under('a search', () => searchCatalog(stage))))
    const { address } = proxy
    try {
      await under('a policy with a grant of a pattern, and clusters that move and go away', () =>
        applyCrawlPolicy(state, operator, { address, granted: true }),
      )
      measures.push(...(await under('a topic is made on the brokers', () => findNewTopic(stage))))
      measures.push(...(await under('a cluster goes away', () => loseCluster(stage, proxy))))
      measures.push(...(await under('a listener changes', () => moveCluster(stage))))
    } finally {
      await under('its grants are taken back', () => leaveCrawlPolicy(state, operator, { ...options, address }))
    }
    measures.push(...(await under('a cluster with hand-made users and ACLs', () => takeOver(stage))))
    return { measures, totals: everything.totals }
  } finally {
    await proxy.down().catch(() => {})
  }
}
