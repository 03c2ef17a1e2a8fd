import type { GetBootstrapBrokersResponse } from '@aws-sdk/client-kafka'
import * as z from 'zod'
import type { GeneratedCluster, ProvisionedCluster, SimulatedCluster } from './clusters.ts'
import { clusterArn, hasScram, type Place, toClusterInfo, toClusterV2, toNodes, topicArn } from './clusters.ts'
import { MskError } from './errors.ts'
import type { InventoryReader, Partition } from './inventory.ts'
import type { Pager } from './paging.ts'
import type { Answers, OperationName } from './routes.ts'
import type { ScramSecrets } from './scram-secrets.ts'

export type Call = {
  readonly labels: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly body: string
}

export type Operations = { readonly [K in OperationName]: (call: Call) => Answers[K] | Promise<Answers[K]> }

/** A provisioned cluster with what stands behind it. */
export type Backed = {
  readonly cluster: ProvisionedCluster | GeneratedCluster
  readonly inventory: InventoryReader
  readonly scramSecrets: ScramSecrets
}

const secretsPerCall = 10

const badRequest = (message: string, invalidParameter?: string) =>
  new MskError('BadRequestException', message, invalidParameter)

const secretArnList = z.object({ secretArnList: z.array(z.string()) })

const parseSecretArns = (body: string): readonly string[] => {
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    throw badRequest('The request body is not valid JSON.')
  }
  const parsed = secretArnList.safeParse(json)
  if (!parsed.success) throw badRequest('The request needs a list of secret ARNs.', 'secretArnList')
  const count = parsed.data.secretArnList.length
  if (count >= 1 && count <= secretsPerCall) return parsed.data.secretArnList
  throw badRequest(`The request must name from 1 to ${secretsPerCall} secrets, got ${count}.`, 'secretArnList')
}

/**
 * Properties in base64, as the developer guide shows them. It shows two, so a topic's own ones, we think.
 * @see https://docs.aws.amazon.com/msk/latest/developerguide/describe-topic-cli.html
 */
const renderConfigs = (configs: Readonly<Record<string, string>>): string =>
  Buffer.from(
    Object.entries(configs)
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
  ).toString('base64')

const clusterArnForm = /^arn:aws[\w-]*:kafka:[\w-]+:\d{12}:cluster\/[^/]+\/[0-9a-f-]+-(s?\d+)$/

/** The operations over these clusters. What AWS documents in no detail is refused in the words of its model. */
export const createOperations = (
  clusters: readonly SimulatedCluster[],
  {
    place,
    backed,
    page,
    isGone,
    movedTo = () => undefined,
  }: {
    readonly place: Place
    readonly backed: readonly Backed[]
    readonly page: Pager
    /** Whether a cluster of this name is as if it had been deleted. */
    readonly isGone: (name: string) => boolean
    /** Where the brokers of a cluster are by now. @default - where they were from the start */
    readonly movedTo?: (arn: string) => GetBootstrapBrokersResponse | undefined
  },
): Operations => {
  const backedByName = new Map(backed.map((each) => [each.cluster.name, each]))
  const byArn = new Map(clusters.map((cluster) => [clusterArn(cluster, place), cluster]))

  /** `unknown`: the error that the model has for this operation. */
  const clusterOf = (
    { labels: { ClusterArn = '' } }: Call,
    unknown: 'NotFoundException' | 'BadRequestException' = 'NotFoundException',
  ): SimulatedCluster => {
    const found = byArn.get(ClusterArn)
    if (found !== undefined && !isGone(found.name)) return found
    if (!clusterArnForm.test(ClusterArn)) throw badRequest('The ARN of the cluster is not valid.', 'clusterArn')
    throw new MskError(unknown, "The requested cluster doesn't exist.", 'clusterArn')
  }

  const backedOf = (call: Call, unknown?: 'BadRequestException'): Backed => {
    const found = backedByName.get(clusterOf(call, unknown).name)
    if (found === undefined)
      throw badRequest('This operation cannot be performed on serverless clusters.', 'clusterArn')
    return found
  }

  const activeOf = (call: Call, unknown?: 'BadRequestException'): Backed => {
    const found = backedOf(call, unknown)
    const { state = 'ACTIVE' } = found.cluster
    if (state === 'ACTIVE') return found
    throw badRequest(`This operation needs the cluster in state ACTIVE, it is in state ${state}.`, 'clusterArn')
  }

  const scramOf = (call: Call): ScramSecrets => {
    const { cluster, scramSecrets } = activeOf(call)
    if (hasScram(cluster)) return scramSecrets
    throw badRequest('SASL/SCRAM authentication is not enabled on the cluster.', 'clusterArn')
  }

  const scope = (operation: OperationName, { labels, query }: Call) => ({
    // a token goes with the call that it was given for, filters included
    scope: [operation, ...Object.values(labels), ...filters.map((name) => query.get(name) ?? '')].join(' '),
    query,
  })
  const filters = ['clusterNameFilter', 'clusterTypeFilter', 'topicNameFilter']

  const isNamed = ({ query }: Call) => {
    const prefix = query.get('clusterNameFilter') ?? ''
    return ({ name }: SimulatedCluster): boolean => name.startsWith(prefix) && !isGone(name)
  }

  const partitionsOf = async (
    call: Call,
  ): Promise<{ readonly backed: Backed; readonly partitions: readonly Partition[] }> => {
    const found = activeOf(call)
    const partitions = (await found.inventory.read()).topics.get(call.labels.TopicName ?? '')
    if (partitions === undefined)
      throw new MskError('NotFoundException', "The requested topic doesn't exist.", 'topicName')
    return { backed: found, partitions }
  }

  return {
    ListClusters: (call) => {
      const provisioned = backed.map(({ cluster }) => cluster).filter(isNamed(call))
      const { items, nextToken } = page(provisioned, ({ name }) => name, scope('ListClusters', call))
      return { ClusterInfoList: items.map((cluster) => toClusterInfo(cluster, place)), NextToken: nextToken }
    },
    ListClustersV2: (call) => {
      const type = call.query.get('clusterTypeFilter')
      if (type !== null && type !== 'PROVISIONED' && type !== 'SERVERLESS')
        throw badRequest(`The clusterTypeFilter is PROVISIONED or SERVERLESS, got ${type}.`, 'clusterTypeFilter')
      const wanted = clusters
        .filter(isNamed(call))
        .filter((cluster) => type === null || (cluster.type === 'serverless') === (type === 'SERVERLESS'))
      const { items, nextToken } = page(wanted, ({ name }) => name, scope('ListClustersV2', call))
      return { ClusterInfoList: items.map((cluster) => toClusterV2(cluster, place)), NextToken: nextToken }
    },
    DescribeCluster: (call) => ({ ClusterInfo: toClusterInfo(backedOf(call).cluster, place) }),
    DescribeClusterV2: (call) => ({ ClusterInfo: toClusterV2(clusterOf(call), place) }),
    GetBootstrapBrokers: (call) => {
      const { state = 'ACTIVE', bootstrapBrokers } = clusterOf(call, 'BadRequestException')
      if (state === 'CREATING' || state === 'DELETING')
        throw new MskError('ConflictException', `The cluster is in state ${state}.`, 'clusterArn')
      return { ...(movedTo(call.labels.ClusterArn ?? '') ?? bootstrapBrokers) }
    },
    ListNodes: async (call) => {
      const { cluster, inventory } = backedOf(call)
      const nodes = toNodes(cluster, await inventory.read(), place)
      const { items, nextToken } = page(nodes, ({ NodeARN = '' }) => NodeARN, scope('ListNodes', call))
      return { NodeInfoList: [...items], NextToken: nextToken }
    },
    ListTagsForResource: ({ labels: { ResourceArn = '' } }) => {
      const found = byArn.get(ResourceArn)
      if (found === undefined)
        throw new MskError('NotFoundException', "The requested resource doesn't exist.", 'resourceArn')
      return { Tags: { ...found.tags } }
    },
    ListScramSecrets: (call) => {
      const { items, nextToken } = page(scramOf(call).list(), (secretArn) => secretArn, scope('ListScramSecrets', call))
      return { SecretArnList: [...items], NextToken: nextToken }
    },
    BatchAssociateScramSecret: async (call) => ({
      UnprocessedScramSecrets: await scramOf(call).associate(parseSecretArns(call.body)),
      ClusterArn: call.labels.ClusterArn,
    }),
    BatchDisassociateScramSecret: (call) => ({
      UnprocessedScramSecrets: scramOf(call).disassociate(parseSecretArns(call.body)),
      ClusterArn: call.labels.ClusterArn,
    }),
    ListTopics: async (call) => {
      const { cluster, inventory } = activeOf(call, 'BadRequestException')
      const prefix = call.query.get('topicNameFilter') ?? ''
      const topics = [...(await inventory.read()).topics].filter(([name]) => name.startsWith(prefix))
      const { items, nextToken } = page(topics, ([name]) => name, scope('ListTopics', call))
      return {
        Topics: items.map(([name, partitions]) => ({
          TopicArn: topicArn(cluster, name, place),
          TopicName: name,
          ReplicationFactor: partitions[0]?.replicas.length ?? 0,
          PartitionCount: partitions.length,
          OutOfSyncReplicaCount: partitions.reduce((sum, { replicas, isr }) => sum + replicas.length - isr.length, 0),
        })),
        NextToken: nextToken,
      }
    },
    DescribeTopic: async (call) => {
      const { backed: found, partitions } = await partitionsOf(call)
      const { TopicName = '' } = call.labels
      const configs = await found.inventory.readConfigs(TopicName)
      return {
        TopicArn: topicArn(found.cluster, TopicName, place),
        TopicName,
        ReplicationFactor: partitions[0]?.replicas.length ?? 0,
        PartitionCount: partitions.length,
        Configs: renderConfigs(configs),
        Status: 'ACTIVE',
      }
    },
    DescribeTopicPartitions: async (call) => {
      const { partitions } = await partitionsOf(call)
      const keyOf = ({ partition }: Partition) => String(partition).padStart(10, '0')
      const { items, nextToken } = page(partitions, keyOf, scope('DescribeTopicPartitions', call))
      return {
        Partitions: items.map(({ partition, leader, replicas, isr }) => ({
          Partition: partition,
          Leader: leader,
          Replicas: [...replicas],
          Isr: [...isr],
        })),
        NextToken: nextToken,
      }
    },
  }
}
