import { createHash } from 'node:crypto'
import type {
  Cluster,
  ClusterInfo,
  ClusterState,
  ConnectivityInfo,
  GetBootstrapBrokersResponse,
  NodeInfo,
  Provisioned,
} from '@aws-sdk/client-kafka'
import type { AdminCredential, Cluster as KafkaCluster } from '../../shared/domain/cluster.ts'
import type { Inventory } from './inventory.ts'

type Common = {
  readonly name: string
  /** @default 'ACTIVE' */
  readonly state?: ClusterState
  readonly tags?: Readonly<Record<string, string>>
  /** Any of the 14 fields; a field that is missing is a way in that the cluster does not have. */
  readonly bootstrapBrokers: GetBootstrapBrokersResponse
}

type Provisioning = {
  /** @default SCRAM, without IAM or TLS client authentication */
  readonly clientAuthentication?: Provisioned['ClientAuthentication']
  /** @default - reachable in its own VPC only */
  readonly connectivity?: ConnectivityInfo
  /** @default '3.8.x' */
  readonly kafkaVersion?: string
}

/** A cluster that the control plane shows as MSK Provisioned, in front of a real Kafka cluster. */
export type ProvisionedCluster = Common &
  Provisioning & {
    readonly type: 'provisioned'
    readonly kafka: { readonly cluster: KafkaCluster; readonly admin: AdminCredential }
  }

/** Shown as MSK Provisioned too, with nothing behind it: for a crawl of more clusters than a machine can run. */
export type GeneratedCluster = Common &
  Provisioning & {
    readonly type: 'generated'
    readonly inventory: Inventory
    readonly configsOf: (topic: string) => Readonly<Record<string, string>>
    readonly secretArns: readonly string[]
  }

/** A cluster that is there to be listed; MSK Serverless knows IAM only, which nothing simulates. */
export type ServerlessCluster = Common & { readonly type: 'serverless' }

export type SimulatedCluster = ProvisionedCluster | GeneratedCluster | ServerlessCluster

export type Place = { readonly region: string; readonly accountId: string }

const createdAt = new Date('2026-01-01T00:00:00.000Z')
const currentVersion = 'K3P5ROKL5A1OLE'
const subnets = ['subnet-0000000000000001', 'subnet-0000000000000002', 'subnet-0000000000000003']
const instanceType = 'kafka.m7g.large'

/** The same at every start, so that an ARN can stand in a policy. */
const uuidOf = (name: string): string =>
  createHash('sha256')
    .update(name)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5')

type Identity = Pick<SimulatedCluster, 'name' | 'type'>

const idOf = ({ name, type }: Identity): string => `${name}/${uuidOf(name)}-${type === 'serverless' ? 's1' : '1'}`

const arn = ({ region, accountId }: Place, resource: string): string =>
  `arn:aws:kafka:${region}:${accountId}:${resource}`

export const clusterArn = (cluster: Identity, place: Place): string => arn(place, `cluster/${idOf(cluster)}`)

export const topicArn = (cluster: SimulatedCluster, topic: string, place: Place): string =>
  arn(place, `topic/${idOf(cluster)}/${topic}`)

const provisionedOf = (cluster: Provisioning) =>
  ({
    BrokerNodeGroupInfo: {
      BrokerAZDistribution: 'DEFAULT',
      ClientSubnets: subnets,
      ConnectivityInfo: cluster.connectivity ?? {
        PublicAccess: { Type: 'DISABLED' },
        VpcConnectivity: {
          ClientAuthentication: {
            Sasl: { Scram: { Enabled: false }, Iam: { Enabled: false } },
            Tls: { Enabled: false },
          },
        },
        NetworkType: 'IPV4',
      },
      InstanceType: instanceType,
      SecurityGroups: ['sg-0000000000000001'],
      StorageInfo: { EbsStorageInfo: { VolumeSize: 100 } },
    },
    ClientAuthentication: cluster.clientAuthentication ?? {
      Sasl: { Scram: { Enabled: true }, Iam: { Enabled: false } },
      Tls: { Enabled: false, CertificateAuthorityArnList: [] },
      Unauthenticated: { Enabled: false },
    },
    CurrentBrokerSoftwareInfo: { KafkaVersion: cluster.kafkaVersion ?? '3.8.x' },
    CustomerActionStatus: 'NONE',
    EncryptionInfo: { EncryptionInTransit: { ClientBroker: 'TLS', InCluster: true } },
    EnhancedMonitoring: 'DEFAULT',
    NumberOfBrokerNodes: 1,
    StorageMode: 'LOCAL',
  }) satisfies Provisioned

const commonOf = (cluster: SimulatedCluster, place: Place) => ({
  ClusterArn: clusterArn(cluster, place),
  ClusterName: cluster.name,
  CreationTime: createdAt,
  CurrentVersion: currentVersion,
  State: cluster.state ?? 'ACTIVE',
  Tags: { ...cluster.tags },
})

/** As ListClusters and DescribeCluster show it; they know no serverless clusters. */
export const toClusterInfo = (cluster: ProvisionedCluster | GeneratedCluster, place: Place): ClusterInfo => ({
  ...commonOf(cluster, place),
  ...provisionedOf(cluster),
})

/** As ListClustersV2 and DescribeClusterV2 show it. */
export const toClusterV2 = (cluster: SimulatedCluster, place: Place): Cluster => ({
  ...commonOf(cluster, place),
  ...(cluster.type === 'serverless'
    ? {
        ClusterType: 'SERVERLESS',
        Serverless: {
          VpcConfigs: [{ SubnetIds: subnets, SecurityGroupIds: ['sg-0000000000000001'] }],
          ClientAuthentication: { Sasl: { Iam: { Enabled: true } } },
          ConnectivityInfo: { NetworkType: 'IPV4' },
        },
      }
    : { ClusterType: 'PROVISIONED', Provisioned: provisionedOf(cluster) }),
})

export const hasScram = (cluster: Provisioning): boolean =>
  provisionedOf(cluster).ClientAuthentication.Sasl?.Scram?.Enabled === true

/** The brokers that the real cluster has now. */
export const toNodes = (
  cluster: ProvisionedCluster | GeneratedCluster,
  { brokers }: Inventory,
  place: Place,
): NodeInfo[] =>
  brokers.map(({ id, host }) => ({
    AddedToClusterTime: createdAt.toISOString(),
    BrokerNodeInfo: {
      BrokerId: id,
      ClientSubnet: subnets[0],
      ClientVpcIpAddress: host,
      CurrentBrokerSoftwareInfo: { KafkaVersion: cluster.kafkaVersion ?? '3.8.x' },
      Endpoints: [host],
    },
    InstanceType: instanceType,
    NodeARN: arn(place, `broker/${idOf(cluster)}/${uuidOf(`${cluster.name}/${id}`)}`),
    NodeType: 'BROKER',
  }))
