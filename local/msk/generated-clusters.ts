import type { GetBootstrapBrokersResponse, Provisioned } from '@aws-sdk/client-kafka'
import type { GeneratedCluster, Place, ServerlessCluster } from './clusters.ts'
import type { Inventory, Partition } from './inventory.ts'

export type GeneratedOptions = {
  readonly count: number
  readonly topicsPerCluster: number
  readonly place: Place
  /** In front of a number. @default 'generated' */
  readonly prefix?: string
}

const teams = ['payments', 'orders', 'search', 'ledger', 'fraud'] as const
const versions = ['3.9.x', '3.8.x', '3.6.0', '2.8.1'] as const
const longestTopicName = 249

const number = (at: number, digits = 4): string => String(at).padStart(digits, '0')

/** The third cluster of ten has every one of the 14 ways in, the others one to four. */
const bootstrapOf = (name: string, at: number, region: string): GetBootstrapBrokersResponse => {
  const brokers = (infix: string, port: number): string =>
    [1, 2, 3].map((id) => `b-${id}.${infix}${name}.kafka.${region}.example.com:${port}`).join(',')
  const inVpc = {
    BootstrapBrokerStringTls: brokers('', 9094),
    BootstrapBrokerStringSaslScram: brokers('', 9096),
    BootstrapBrokerStringSaslIam: brokers('', 9098),
  }
  if (at % 10 === 1) return { BootstrapBrokerStringSaslIam: inVpc.BootstrapBrokerStringSaslIam }
  if (at % 10 !== 2) return inVpc
  return {
    ...inVpc,
    BootstrapBrokerString: brokers('', 9092),
    BootstrapBrokerStringPublicTls: brokers('public-', 9194),
    BootstrapBrokerStringPublicSaslScram: brokers('public-', 9196),
    BootstrapBrokerStringPublicSaslIam: brokers('public-', 9198),
    BootstrapBrokerStringVpcConnectivityTls: brokers('vpce-', 14_001),
    BootstrapBrokerStringVpcConnectivitySaslScram: brokers('vpce-', 14_001),
    BootstrapBrokerStringVpcConnectivitySaslIam: brokers('vpce-', 14_001),
    BootstrapBrokerStringIpv6: brokers('v6-', 20_092),
    BootstrapBrokerStringTlsIpv6: brokers('v6-', 20_094),
    BootstrapBrokerStringSaslScramIpv6: brokers('v6-', 20_096),
    BootstrapBrokerStringSaslIamIpv6: brokers('v6-', 20_098),
  }
}

/** Names with dots and underscores, one of 249 characters. */
const topicName = (domain: string, at: number): string => {
  const team = teams[at % teams.length]
  if (at === 1) return `${domain}.${team}.`.padEnd(longestTopicName, 'x')
  return at % 7 === 3 ? `${domain}_${team}_events_${number(at)}` : `${domain}.${team}.events.${number(at)}.v1`
}

const partitionsOf = (count: number): readonly Partition[] =>
  Array.from({ length: count }, (_, partition) => {
    const leader = 1 + (partition % 3)
    return { partition, leader, replicas: [1, 2, 3], isr: [1, 2, 3] }
  })

const few = partitionsOf(6)
const many = partitionsOf(10_000)

const domains = 10

/** Topics of so many domains: a thousand clusters do not need a million names of their own in memory. */
const topicsOf = (domain: number, count: number): Inventory['topics'] =>
  new Map(Array.from({ length: count }, (_, at) => [topicName(`d${domain}`, at), at === 2 ? many : few] as const))

const authOf = (at: number): NonNullable<Provisioned['ClientAuthentication']> => ({
  Sasl: { Scram: { Enabled: at % 10 !== 1 }, Iam: { Enabled: true } },
  Tls: { Enabled: at % 10 === 2, CertificateAuthorityArnList: [] },
  Unauthenticated: { Enabled: at % 10 === 2 },
})

const configsOf = (topic: string): Readonly<Record<string, string>> =>
  topic.includes('_')
    ? { 'cleanup.policy': 'compact', 'min.insync.replicas': '2' }
    : { 'min.insync.replicas': '2', 'retention.ms': '604800000' }

/**
 * Clusters of all kinds, the same at every call: every tenth is serverless; some are of a version without topic APIs,
 * some are being made. Tags are as people write them, so not all of them can be labels.
 */
export const generateClusters = ({
  count,
  topicsPerCluster,
  place: { region, accountId },
  prefix = 'generated',
}: GeneratedOptions): readonly (GeneratedCluster | ServerlessCluster)[] => {
  const topics = Array.from({ length: domains }, (_, domain) => topicsOf(domain, topicsPerCluster))
  return Array.from({ length: count }, (_, at): GeneratedCluster | ServerlessCluster => {
    const name = `${prefix}-${number(at)}`
    const tags = {
      team: teams[at % teams.length] ?? '',
      'Cost Center': `${1_000 + (at % 9)} / Ops & Co.`,
      ...(at % 50 === 0 && { 'aws:cloudformation:stack-name': 'kafka', größe: 'très élevée ✓' }),
    }
    if (at % 10 === 9)
      return {
        type: 'serverless',
        name,
        tags,
        bootstrapBrokers: {
          BootstrapBrokerStringSaslIam: `boot-${number(at)}.c1.kafka-serverless.${region}.example.com:9098`,
        },
      }
    return {
      type: 'generated',
      name,
      tags,
      ...(at % 100 === 50 && { state: 'CREATING' as const }),
      kafkaVersion: versions[at % 8 === 7 ? 3 : at % 3] ?? '3.9.x',
      clientAuthentication: authOf(at),
      bootstrapBrokers: bootstrapOf(name, at, region),
      inventory: {
        brokers: [1, 2, 3].map((id) => ({ id, host: `b-${id}.${name}.kafka.${region}.example.com` })),
        topics: topics[at % domains] ?? new Map(),
      },
      configsOf,
      secretArns: Array.from(
        { length: at % 3 },
        (_, secret) => `arn:aws:secretsmanager:${region}:${accountId}:secret:AmazonMSK_${name}-${secret}-AbCdEf`,
      ),
    }
  })
}
