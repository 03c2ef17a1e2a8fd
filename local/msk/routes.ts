import type {
  BatchAssociateScramSecretResponse,
  BatchDisassociateScramSecretResponse,
  DescribeClusterResponse,
  DescribeClusterV2Response,
  DescribeTopicPartitionsResponse,
  DescribeTopicResponse,
  GetBootstrapBrokersResponse,
  ListClustersResponse,
  ListClustersV2Response,
  ListNodesResponse,
  ListScramSecretsResponse,
  ListTagsForResourceResponse,
  ListTopicsResponse,
} from '@aws-sdk/client-kafka'

/** What the operations that there are answer, in the SDK's own words. */
export type Answers = {
  readonly ListClusters: ListClustersResponse
  readonly ListClustersV2: ListClustersV2Response
  readonly DescribeCluster: DescribeClusterResponse
  readonly DescribeClusterV2: DescribeClusterV2Response
  readonly GetBootstrapBrokers: GetBootstrapBrokersResponse
  readonly ListNodes: ListNodesResponse
  readonly ListTagsForResource: ListTagsForResourceResponse
  readonly ListScramSecrets: ListScramSecretsResponse
  readonly BatchAssociateScramSecret: BatchAssociateScramSecretResponse
  readonly BatchDisassociateScramSecret: BatchDisassociateScramSecretResponse
  readonly ListTopics: ListTopicsResponse
  readonly DescribeTopic: DescribeTopicResponse
  readonly DescribeTopicPartitions: DescribeTopicPartitionsResponse
}

export type OperationName = keyof Answers

/** Method and path of each operation, as the service model has them. */
export const routes: Readonly<Record<OperationName, readonly [method: string, path: string]>> = {
  ListClusters: ['GET', '/v1/clusters'],
  ListClustersV2: ['GET', '/api/v2/clusters'],
  DescribeCluster: ['GET', '/v1/clusters/{ClusterArn}'],
  DescribeClusterV2: ['GET', '/api/v2/clusters/{ClusterArn}'],
  GetBootstrapBrokers: ['GET', '/v1/clusters/{ClusterArn}/bootstrap-brokers'],
  ListNodes: ['GET', '/v1/clusters/{ClusterArn}/nodes'],
  ListTagsForResource: ['GET', '/v1/tags/{ResourceArn}'],
  ListScramSecrets: ['GET', '/v1/clusters/{ClusterArn}/scram-secrets'],
  BatchAssociateScramSecret: ['POST', '/v1/clusters/{ClusterArn}/scram-secrets'],
  BatchDisassociateScramSecret: ['PATCH', '/v1/clusters/{ClusterArn}/scram-secrets'],
  ListTopics: ['GET', '/v1/clusters/{ClusterArn}/topics'],
  DescribeTopic: ['GET', '/v1/clusters/{ClusterArn}/topics/{TopicName}'],
  DescribeTopicPartitions: ['GET', '/v1/clusters/{ClusterArn}/topics/{TopicName}/partitions'],
}

export const operationNames = Object.keys(routes) as OperationName[]

export type Matched = { readonly operation: OperationName; readonly labels: Readonly<Record<string, string>> }

const decode = (segment: string): string | undefined => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

const labelsOf = (template: string, path: string): Readonly<Record<string, string>> | undefined => {
  const wanted = template.split('/')
  const got = path.split('/')
  if (wanted.length !== got.length) return undefined
  const labels: Record<string, string> = {}
  for (const [at, segment] of wanted.entries()) {
    const value = decode(got[at] ?? '')
    const label = /^\{(\w+)\}$/.exec(segment)?.[1]
    if (value === undefined || (label === undefined ? value !== segment : value === '')) return undefined
    if (label !== undefined) labels[label] = value
  }
  return labels
}

/** ARNs hold slashes, so the path is taken apart before it is decoded. */
export const matchRoute = (method: string, path: string): Matched | undefined => {
  for (const operation of operationNames) {
    const [wanted, template] = routes[operation]
    const labels = wanted === method ? labelsOf(template, path) : undefined
    if (labels !== undefined) return { operation, labels }
  }
  return undefined
}
