import {
  type Cluster,
  DescribeClusterV2Command,
  DescribeTopicCommand,
  GetBootstrapBrokersCommand,
  type GetBootstrapBrokersResponse,
  type KafkaClient,
  ListClustersV2Command,
  ListNodesCommand,
  ListScramSecretsCommand,
  ListTopicsCommand,
  type NodeInfo,
  type TopicInfo,
} from '@aws-sdk/client-kafka'
import type { FoundBroker, FoundListener, FoundTopic, FoundUser, PartName, Parts } from '../domain/inventory.ts'
import { partitionOf } from '../domain/msk-iam.ts'
import type { Calls } from './calls.ts'
import { type ClusterSource, type Listed, type Part, SourceError, toFailure } from './cluster-source.ts'
import { type Page, pagesOf } from './pages.ts'
import { sideBySide } from './side-by-side.ts'

/** An account and a region; MSK lists the clusters of one such place at a time. */
export type MskPlace = { readonly account: string; readonly region: string }

export type MskOptions = {
  readonly places: readonly MskPlace[]
  /** Who we are there, such as a role of that account; with `maxAttempts: 1`, for `calls` tries again. */
  readonly clientOf: (place: MskPlace) => Pick<KafkaClient, 'send'>
  /** AWS counts what an account asks in a region. */
  readonly callsOf: (place: MskPlace) => Calls
  /** Topics described at a time. AWS publishes no rate for it: what is too much is told by 429. @default 8 */
  readonly atATime?: number
}

type Way = Pick<FoundListener, 'network' | 'security' | 'mechanisms'>

const plain = { security: 'PLAINTEXT', mechanisms: [] } as const
const tls = { security: 'SSL', mechanisms: [] } as const
const scram = { security: 'SASL_SSL', mechanisms: ['SCRAM-SHA-512'] } as const
const iam = { security: 'SASL_SSL', mechanisms: ['AWS_MSK_IAM'] } as const

/**
 * What each field means. The port says nothing that can be relied on: those of multi-VPC connectivity are one a broker.
 * A field that AWS adds does not compile until it stands here.
 *
 * @see https://docs.aws.amazon.com/msk/1.0/apireference/clusters-clusterarn-bootstrap-brokers.html
 */
const waysIn: Readonly<Record<keyof GetBootstrapBrokersResponse, Way>> = {
  BootstrapBrokerString: { network: 'vpc', ...plain },
  BootstrapBrokerStringTls: { network: 'vpc', ...tls },
  BootstrapBrokerStringSaslScram: { network: 'vpc', ...scram },
  BootstrapBrokerStringSaslIam: { network: 'vpc', ...iam },
  BootstrapBrokerStringPublicTls: { network: 'public', ...tls },
  BootstrapBrokerStringPublicSaslScram: { network: 'public', ...scram },
  BootstrapBrokerStringPublicSaslIam: { network: 'public', ...iam },
  BootstrapBrokerStringVpcConnectivityTls: { network: 'private-link', ...tls },
  BootstrapBrokerStringVpcConnectivitySaslScram: { network: 'private-link', ...scram },
  BootstrapBrokerStringVpcConnectivitySaslIam: { network: 'private-link', ...iam },
  BootstrapBrokerStringIpv6: { network: 'vpc-ipv6', ...plain },
  BootstrapBrokerStringTlsIpv6: { network: 'vpc-ipv6', ...tls },
  BootstrapBrokerStringSaslScramIpv6: { network: 'vpc-ipv6', ...scram },
  BootstrapBrokerStringSaslIamIpv6: { network: 'vpc-ipv6', ...iam },
}

/** The ways in that the answer names, by field. */
export const listenersOf = (brokers: GetBootstrapBrokersResponse): readonly FoundListener[] =>
  (Object.keys(waysIn) as (keyof GetBootstrapBrokersResponse)[]).flatMap((field) => {
    const bootstrap = brokers[field]
    return bootstrap === undefined || bootstrap === '' ? [] : [{ field, bootstrap, ...waysIn[field] }]
  })

const prefixOf = ({ account, region }: MskPlace): string =>
  `arn:${partitionOf(region)}:kafka:${region}:${account}:cluster/`

const samePlace = (a: MskPlace, b: MskPlace): boolean => a.account === b.account && a.region === b.region

const placeOf = (arn: string): MskPlace => {
  const [, region, account] = /^arn:aws[\w-]*:kafka:([\w-]+):(\d{12}):cluster\//.exec(arn) ?? []
  if (region === undefined || account === undefined) throw new TypeError(`\`${arn}\` is not the ARN of an MSK cluster`)
  return { account, region }
}

/** AWS's own words may hold the caller's ARN and no credential. */
const inShort = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text)

/** What the SDK throws, and some of it is what the network, the credentials or JSON threw. */
type SdkError = Error & {
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> }
}

const retryAfterMs = ({ $response }: SdkError): number | undefined => {
  const seconds = $response?.headers?.['retry-after']
  return seconds !== undefined && /^\d{1,5}$/.test(seconds) ? Number(seconds) * 1_000 : undefined
}

const toSourceError = (error: unknown, what: string, token: string | undefined): unknown => {
  if (!(error instanceof Error) || error instanceof SourceError) return error
  const { name, message, $metadata }: SdkError = error
  const status = $metadata?.httpStatusCode
  const text = `${what}: ${name}: ${inShort(message)}`
  const options = { cause: error, retryAfterMs: retryAfterMs(error) }
  if (name === 'SyntaxError') return new SourceError('malformed', `${what}: the answer is not JSON`, options)
  if (status === 429 || /Throttl|TooManyRequests/.test(name)) return new SourceError('throttled', text, options)
  if (status === 401 || status === 403 || name === 'CredentialsProviderError' || name === 'AccessDenied')
    return new SourceError('denied', text, options)
  if (status === 404) return new SourceError('gone', text, options)
  if (status === 400 && token !== undefined)
    return new SourceError('unexpected', text, { ...options, isTokenRefused: true })
  if (status === undefined || status >= 500) return new SourceError('unavailable', text, options)
  return new SourceError('unexpected', text, options)
}

/** @throws SourceError when the answer lacks what its API promises */
const required = <T>(value: T | undefined, what: string): T => {
  if (value === undefined || value === null) throw new SourceError('malformed', `${what} is missing in the answer`)
  return value
}

const requiredList = <T>(value: readonly T[] | undefined, what: string): readonly T[] => {
  if (!Array.isArray(value)) throw new SourceError('malformed', `${what} is no list in the answer`)
  return value
}

const brokersOf = (nodes: readonly NodeInfo[]): readonly FoundBroker[] =>
  nodes.flatMap(({ BrokerNodeInfo }) =>
    BrokerNodeInfo?.BrokerId === undefined
      ? []
      : [{ id: BrokerNodeInfo.BrokerId, endpoints: BrokerNodeInfo.Endpoints ?? [] }],
  )

/**
 * Properties in base64, a setting a line.
 * @see https://docs.aws.amazon.com/msk/latest/developerguide/describe-topic-cli.html
 */
export const parseConfigs = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Buffer.from(text, 'base64')
      .toString('utf8')
      .split('\n')
      .flatMap((line) => {
        const at = line.indexOf('=')
        return at < 1 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()] as const]
      }),
  )

const authOf = ({ Provisioned, Serverless }: Cluster): readonly string[] => {
  const { Sasl, Tls, Unauthenticated } = Provisioned?.ClientAuthentication ?? {}
  const serverless = Serverless?.ClientAuthentication?.Sasl?.Iam?.Enabled
  return [
    ...(Sasl?.Scram?.Enabled === true ? ['SCRAM-SHA-512'] : []),
    ...(Sasl?.Iam?.Enabled === true || serverless === true ? ['AWS_MSK_IAM'] : []),
    ...(Tls?.Enabled === true ? ['TLS'] : []),
    ...(Unauthenticated?.Enabled === true ? ['NONE'] : []),
  ]
}

const versionOf = ({ Provisioned }: Cluster): string | undefined => Provisioned?.CurrentBrokerSoftwareInfo?.KafkaVersion

/**
 * Why the topic APIs do not know this cluster's topics; the brokers themselves do.
 * @see https://docs.aws.amazon.com/msk/latest/developerguide/msk-topic-operations-information.html
 */
const whyNoTopics = (cluster: Cluster): string | undefined => {
  if (cluster.ClusterType === 'SERVERLESS') return 'MSK tells no topics of serverless clusters'
  if (cluster.State !== 'ACTIVE') return `MSK tells topics of active clusters only, it is ${cluster.State}`
  const [, major = 0, minor = 0] = (/^(\d+)\.(\d+)/.exec(versionOf(cluster) ?? '') ?? []).map(Number)
  return major > 3 || (major === 3 && minor >= 6)
    ? undefined
    : `MSK tells topics from Kafka 3.6 on, it has ${versionOf(cluster)}`
}

/** States in which a cluster has no addresses yet, or no more. */
const isUnreachable = (state: string): boolean => state === 'CREATING' || state === 'DELETING' || state === 'FAILED'

/**
 * Amazon MSK, provisioned and serverless, through its control plane alone: no network path to any broker is needed. It
 * knows nothing of consumer groups and ACLs. What it says of topics is about a minute old.
 */
export const createMskSource = ({ places, clientOf, callsOf, atATime = 8 }: MskOptions): ClusterSource => {
  const reach = places.map((place) => ({ place, client: clientOf(place), calls: callsOf(place) }))
  type Reach = (typeof reach)[number]

  const ask = <Out>(
    { client, calls }: Reach,
    what: string,
    // the SDK's own type of `send` knows which answer belongs to which command, but not through a parameter
    send: (client: Pick<KafkaClient, 'send'>, options: { readonly abortSignal: AbortSignal }) => Promise<Out>,
    token?: string,
  ): Promise<Out> =>
    calls.call(what, async (abortSignal) => {
      try {
        return await send(client, { abortSignal })
      } catch (error) {
        throw toSourceError(error, what, token)
      }
    })

  async function* listPlace(from: Reach): AsyncGenerator<Listed, void, undefined> {
    const { place } = from
    const what = `the MSK clusters of ${place.account} in ${place.region}`
    const pages = pagesOf<Cluster>({
      what,
      keyOf: ({ ClusterArn }) => required(ClusterArn, 'clusterArn'),
      call: async (token) => {
        const answer = await ask(
          from,
          what,
          (client, options) => client.send(new ListClustersV2Command({ MaxResults: 100, NextToken: token }), options),
          token,
        )
        return { items: requiredList(answer.ClusterInfoList, 'clusterInfoList'), next: answer.NextToken }
      },
    })
    for await (const { items } of pages) {
      for (const { ClusterArn = '', ClusterName } of items) {
        // a role that was not assumed would show another account's clusters as this one's
        if (!samePlace(placeOf(ClusterArn), place))
          throw new SourceError('denied', `${what}: the credentials are those of another place, got \`${ClusterArn}\``)
        yield { kind: 'cluster', ref: { id: ClusterArn, name: required(ClusterName, 'clusterName') } }
      }
    }
  }

  /** `may.describe` becomes false when we may not: nobody asks a thousand times to be told the same. */
  const topicOf = async (
    from: Reach,
    arn: string,
    listed: TopicInfo,
    may: { describe: boolean },
  ): Promise<FoundTopic | undefined> => {
    const name = required(listed.TopicName, 'topicName')
    const facts = {
      name,
      partitions: required(listed.PartitionCount, 'partitionCount'),
      replication: required(listed.ReplicationFactor, 'replicationFactor'),
    }
    if (!may.describe) return facts
    try {
      const { Configs = '' } = await ask(from, `the topic \`${name}\` of \`${arn}\``, (client, options) =>
        client.send(new DescribeTopicCommand({ ClusterArn: arn, TopicName: name }), options),
      )
      const configs = parseConfigs(Configs)
      const minInsync = Number(configs['min.insync.replicas'])
      return { ...facts, configs, ...(Number.isSafeInteger(minInsync) && { minInsync }) }
    } catch (error) {
      if (!(error instanceof SourceError)) throw error
      // it was deleted since it was listed
      if (error.code === 'gone') return undefined
      // who may list topics and not describe them still learns which there are
      if (error.code !== 'denied') throw error
      may.describe = false
      return facts
    }
  }

  /** The pieces of one part, page by page. */
  async function* piecesOf<Name extends PartName, T>(
    part: Name,
    what: string,
    keyOf: (item: T) => string,
    call: (token: string | undefined) => Promise<Page<T>>,
    found: (items: readonly T[]) => Promise<Parts[Name]> | Parts[Name],
  ): AsyncGenerator<{ readonly part: Name; readonly found: Parts[Name] }, void, undefined> {
    for await (const { items } of pagesOf({ what, keyOf, call })) yield { part, found: await found(items) }
  }

  const brokerPieces = (from: Reach, arn: string) => {
    const what = `the brokers of \`${arn}\``
    return piecesOf<'brokers', NodeInfo>(
      'brokers',
      what,
      ({ NodeARN, BrokerNodeInfo }) => NodeARN ?? `broker ${BrokerNodeInfo?.BrokerId}`,
      async (token) => {
        const { NodeInfoList, NextToken } = await ask(
          from,
          what,
          (client, options) =>
            client.send(new ListNodesCommand({ ClusterArn: arn, MaxResults: 100, NextToken: token }), options),
          token,
        )
        return { items: requiredList(NodeInfoList, 'nodeInfoList'), next: NextToken }
      },
      brokersOf,
    )
  }

  const userPieces = (from: Reach, arn: string) => {
    const what = `the SCRAM secrets of \`${arn}\``
    return piecesOf<'users', string>(
      'users',
      what,
      (secret) => secret,
      async (token) => {
        const { SecretArnList, NextToken } = await ask(
          from,
          what,
          (client, options) =>
            client.send(new ListScramSecretsCommand({ ClusterArn: arn, MaxResults: 100, NextToken: token }), options),
          token,
        )
        return { items: requiredList(SecretArnList, 'secretArnList'), next: NextToken }
      },
      (secrets) => secrets.map((secret): FoundUser => ({ mechanism: 'SCRAM-SHA-512', secret })),
    )
  }

  const topicPieces = (from: Reach, arn: string) => {
    const what = `the topics of \`${arn}\``
    const may = { describe: true }
    return piecesOf<'topics', TopicInfo>(
      'topics',
      what,
      ({ TopicName }) => required(TopicName, 'topicName'),
      async (token) => {
        const { Topics, NextToken } = await ask(
          from,
          what,
          (client, options) =>
            client.send(new ListTopicsCommand({ ClusterArn: arn, MaxResults: 100, NextToken: token }), options),
          token,
        )
        return { items: requiredList(Topics, 'topics'), next: NextToken }
      },
      async (topics) =>
        (await sideBySide(topics, atATime, (each) => topicOf(from, arn, each, may))).filter(
          (each) => each !== undefined,
        ),
    )
  }

  const describe = async (from: Reach, arn: string): Promise<Cluster> => {
    const { ClusterInfo } = await ask(from, `the cluster \`${arn}\``, (client, options) =>
      client.send(new DescribeClusterV2Command({ ClusterArn: arn }), options),
    )
    return required(ClusterInfo, 'clusterInfo')
  }

  /** What failed because the cluster was deleted meanwhile: some operations answer 400 then, as AWS's model has it. */
  const explain = async (from: Reach, arn: string, error: unknown): Promise<SourceError> => {
    if (!(error instanceof SourceError)) throw error
    if (error.code !== 'gone' && error.code !== 'unexpected') return error
    await describe(from, arn)
    return error
  }

  async function* partOrFailure(
    from: Reach,
    arn: string,
    of: PartName,
    pieces: AsyncIterable<Part>,
  ): AsyncGenerator<Part, void, undefined> {
    try {
      yield* pieces
    } catch (error) {
      yield { part: 'unknown', of, failure: toFailure(await explain(from, arn, error)) }
    }
  }

  return {
    list: async function* () {
      for (const from of reach) {
        try {
          yield* listPlace(from)
        } catch (error) {
          // one account that cannot be reached hides no other
          yield { kind: 'unlisted', prefix: prefixOf(from.place), failure: toFailure(error) }
        }
      }
    },
    observe: async function* ({ id: arn }) {
      const place = placeOf(arn)
      const from = reach.find((each) => samePlace(each.place, place))
      if (from === undefined)
        throw new SourceError('not_configured', `no account ${place.account} in ${place.region} is configured`)
      const cluster = await describe(from, arn)
      const state = required(cluster.State, 'state')
      const isServerless = cluster.ClusterType === 'SERVERLESS'
      const brokers = isUnreachable(state)
        ? {}
        : await ask(from, `the addresses of \`${arn}\``, (client, options) =>
            client.send(new GetBootstrapBrokersCommand({ ClusterArn: arn }), options),
          ).catch(async (error) => {
            throw await explain(from, arn, error)
          })
      yield {
        part: 'cluster',
        cluster: {
          name: required(cluster.ClusterName, 'clusterName'),
          provider: 'msk',
          account: place.account,
          region: place.region,
          state,
          kind: cluster.ClusterType,
          version: versionOf(cluster),
          auth: authOf(cluster),
          listeners: listenersOf(brokers),
          tags: cluster.Tags ?? {},
        },
      }
      if (!isServerless && !isUnreachable(state)) {
        yield* partOrFailure(from, arn, 'brokers', brokerPieces(from, arn))
        if (authOf(cluster).includes('SCRAM-SHA-512') && state === 'ACTIVE')
          yield* partOrFailure(from, arn, 'users', userPieces(from, arn))
        else if (!authOf(cluster).includes('SCRAM-SHA-512')) yield { part: 'users', found: [] }
      }
      const why = whyNoTopics(cluster)
      if (why !== undefined) yield { part: 'unknown', of: 'topics', failure: { code: 'unsupported', detail: why } }
      else yield* partOrFailure(from, arn, 'topics', topicPieces(from, arn))
    },
  }
}
