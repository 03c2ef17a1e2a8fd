import {
  describeGroupsV5,
  FindCoordinatorKeyTypes,
  findCoordinatorV4,
  Connection as KafkaConnection,
  metadataV12,
} from '@platformatic/kafka'
import { type Connection, type Intent, SwitchboardError } from '@switchboard-kafka/client'
import { type PlatformaticClient, platformatic } from '@switchboard-kafka/client/platformatic'
import {
  type Access,
  type Check,
  checkGroup,
  checkListener,
  checkTopic,
  failed,
  ok,
  type Reach,
  skipped,
} from './checks.ts'
import { type Address, parseAddresses, reachListener, textOf } from './reach.ts'

const timeoutMs = 5_000
const maximumAtOnce = 8
// a coordinator that is being made or found says so for a moment
const passingErrors: readonly number[] = [14, 15, 16]
const coordinatorAttempts = 20
const betweenAttemptsMs = 250

type Inner = { readonly code?: unknown; readonly apiId?: unknown }

/** An error, its causes and the errors that it holds. */
const all = (error: unknown, depth = 0): readonly (Error & Inner)[] =>
  error instanceof Error && depth < 8
    ? [
        error,
        ...all(error.cause, depth + 1),
        ...(error instanceof AggregateError ? error.errors.flatMap((inner: unknown) => all(inner, depth + 1)) : []),
      ]
    : []

const inWords: Readonly<Record<string, string>> = {
  PLT_KFK_NETWORK: 'the connection was closed',
  PLT_KFK_TIMEOUT: 'nothing came back in time',
}

/** What of an error is worth telling: a name or a code, never what was sent. */
const nameOf = (error: unknown): string => {
  const last = all(error).at(-1)
  const name = String(last?.apiId ?? last?.code ?? last?.name ?? 'failed')
  return inWords[name] ?? name
}

const missedLogin = (error: unknown, mechanism: string | undefined): Exclude<Reach, { readonly step: 'login' }> => {
  const errors = all(error)
  const ours = errors.find((each) => each instanceof SwitchboardError)
  if (ours !== undefined) return { step: 'sasl', code: 'refused', detail: ours.message }
  if (errors.some((each) => each.apiId === 'SASL_AUTHENTICATION_FAILED'))
    return {
      step: 'sasl',
      code: 'refused',
      detail: `the broker refused the ${mechanism === 'OAUTHBEARER' ? 'token' : 'user or its password'}`,
    }
  return { step: 'sasl', code: undefined, detail: nameOf(error) }
}

type Login = { readonly reach: Reach; readonly kafka: KafkaConnection | undefined }

/** Logs in at exactly this address: a client of Kafka's would go on to another broker. */
const login = async (address: Address, client: PlatformaticClient, ca: string | undefined): Promise<Login> => {
  const missed = await reachListener(address, ca, timeoutMs)
  if (missed !== undefined) return { reach: missed, kafka: undefined }
  const { clientId, sasl, tls, tlsServerName } = client
  const kafka = new KafkaConnection(clientId, {
    connectTimeout: timeoutMs,
    requestTimeout: timeoutMs,
    ...(sasl === undefined ? {} : { sasl }),
    ...(tls === undefined ? {} : { tls }),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
  })
  kafka.on('error', () => undefined)
  try {
    await kafka.connect(address.host, address.port)
    return { reach: { step: 'login' }, kafka }
  } catch (error) {
    return { reach: missedLogin(error, sasl?.mechanism), kafka: undefined }
  }
}

/** The answer of a request that went well in parts. */
const withParts = async <T>(asking: Promise<T>): Promise<T> => {
  try {
    return await asking
  } catch (error) {
    const { response } = error as { readonly response?: T }
    if (response !== undefined && response !== null) return response
    throw error
  }
}

const inTurns = async <T, R>(list: readonly T[], work: (each: T) => Promise<R>): Promise<readonly R[]> => {
  const results: R[] = []
  for (let at = 0; at < list.length; at += maximumAtOnce)
    results.push(...(await Promise.all(list.slice(at, at + maximumAtOnce).map(work))))
  return results
}

/** A question that the cluster did not answer is a line of its own; the others stay. */
const asking = async (name: string, work: () => Promise<readonly Check[]>): Promise<readonly Check[]> => {
  try {
    return await work()
  } catch (error) {
    return [failed(name, `no answer: ${nameOf(error)}`, 'see that the cluster is well, and try again')]
  }
}

type Action = 'read' | 'write'

const actionsOn = ({ produce = [], consume = [] }: Intent, channel: string): readonly Action[] => [
  ...(produce.includes(channel) ? (['write'] as const) : []),
  ...(consume.includes(channel) ? (['read'] as const) : []),
]

const checkTopics = async (
  prefix: string,
  kafka: KafkaConnection,
  { topics, patterns, topicsOf }: Connection,
  intent: Intent,
): Promise<readonly Check[]> => {
  const asked = [...new Set(Object.values(topics))]
  const named = asked.length === 0 ? [] : (await withParts(metadataV12.api.async(kafka, asked, false, true))).topics
  const everything =
    Object.keys(patterns).length === 0 ? [] : (await withParts(metadataV12.api.async(kafka, null, false, true))).topics
  const accessOf = (found: typeof named, topic: string): Access => {
    const entry = found.find(({ name }) => name === topic)
    return { errorCode: entry?.errorCode ?? 3, operations: entry?.topicAuthorizedOperations ?? 0 }
  }
  return [
    ...Object.entries(topics).map(([channel, topic]) =>
      checkTopic(`${prefix} topic ${topic}`, actionsOn(intent, channel), accessOf(named, topic)),
    ),
    ...Object.keys(patterns).flatMap((pattern) => {
      const existing = everything.flatMap(({ name }) => (name === null || name === undefined ? [] : [name]))
      const matching = topicsOf(pattern, existing)
      return matching.length === 0
        ? [ok(`${prefix} topics of ${pattern}`, 'no topic matches yet')]
        : matching.map((topic) =>
            checkTopic(`${prefix} topic ${topic}`, actionsOn(intent, pattern), accessOf(everything, topic)),
          )
    }),
  ]
}

const checkBrokers = async (
  prefix: string,
  kafka: KafkaConnection,
  logIn: (address: Address) => Promise<Login>,
  listener: Pick<Parameters<typeof checkListener>[2], 'security' | 'credential' | 'identityPool'>,
): Promise<readonly Check[]> => {
  const { brokers } = await withParts(metadataV12.api.async(kafka, [], false, false))
  const advertised = await inTurns(brokers, logIn)
  return advertised.map(({ reach }, at) => {
    const broker = brokers[at] as (typeof brokers)[number]
    const name = `${prefix} broker ${broker.nodeId} at ${textOf(broker)}`
    return checkListener(name, reach, { ...listener, isAdvertised: true })
  })
}

const checkConsumerGroup = async (
  name: string,
  group: string,
  kafka: KafkaConnection,
  logIn: (address: Address) => Promise<Login>,
): Promise<Check> => {
  for (let attempt = 1; ; attempt += 1) {
    const { coordinators } = await withParts(findCoordinatorV4.api.async(kafka, FindCoordinatorKeyTypes.GROUP, [group]))
    const [coordinator] = coordinators
    if (coordinator === undefined) return failed(name, 'nobody coordinates it', 'see that the cluster is well')
    let { errorCode } = coordinator
    let operations = 0
    if (errorCode === 0) {
      const { kafka: own } = await logIn(coordinator)
      if (own === undefined) return skipped(name, 'its coordinator cannot be reached')
      const { groups } = await withParts(describeGroupsV5.api.async(own, [group], true))
      errorCode = groups[0]?.errorCode ?? 0
      operations = groups[0]?.authorizedOperations ?? 0
    }
    if (!passingErrors.includes(errorCode) || attempt === coordinatorAttempts)
      return checkGroup(name, { errorCode, operations })
    await new Promise((done) => setTimeout(done, betweenAttemptsMs))
  }
}

const storedKinds = { 'SCRAM-SHA-512': 'scram', PLAIN: 'api-key' } as const

/**
 * What a client of this connection will meet: each bootstrap address, each listener that the brokers advertise (a client
 * talks to those alone once it has started), and what the cluster's own ACLs say. It writes and reads no record and joins
 * no group.
 */
export const checkConnection = async (connection: Connection, intent: Intent): Promise<readonly Check[]> => {
  const { cluster, credential, properties } = connection
  const prefix = cluster.name
  const { client } = platformatic(connection)
  const security = String(properties['security.protocol'])
  const listener = {
    security,
    credential: 'mechanism' in credential ? storedKinds[credential.mechanism] : credential.kind,
    identityPool: connection.extensions.identityPoolId,
  } as const
  const ca = security === 'SASL_SSL' ? String(properties['ssl.truststore.certificates'] ?? '') : undefined
  const logins = new Map<string, Promise<Login>>()
  const logIn = (address: Address): Promise<Login> => {
    const key = textOf(address)
    const known = logins.get(key) ?? login(address, client, ca)
    logins.set(key, known)
    return known
  }
  try {
    const bootstrap = parseAddresses(String(properties['bootstrap.servers'] ?? ''))
    const first = await inTurns(bootstrap, logIn)
    const user =
      'slot' in credential
        ? [
            ok(
              `${prefix} credential`,
              `${credential.mechanism === 'PLAIN' ? 'API key' : 'user'} \`${credential.username ?? ''}\`, slot ${credential.slot}`,
            ),
          ]
        : []
    const listeners = first.map(({ reach }, at) =>
      checkListener(`${prefix} bootstrap ${textOf(bootstrap[at] as Address)}`, reach, {
        ...listener,
        isAdvertised: false,
      }),
    )
    const checks = [...user, ...listeners]
    const kafka = first.find((each) => each.kafka !== undefined)?.kafka
    if (kafka === undefined)
      return [...checks, skipped(`${prefix} brokers and topics`, 'no bootstrap address lets us in')]
    const group = connection.consumer?.['group.id']
    return [
      ...checks,
      ...(await asking(`${prefix} brokers`, () => checkBrokers(prefix, kafka, logIn, listener))),
      ...(await asking(`${prefix} topics`, () => checkTopics(prefix, kafka, connection, intent))),
      ...(group === undefined
        ? []
        : await asking(`${prefix} group ${group}`, async () => [
            await checkConsumerGroup(`${prefix} group ${group}`, String(group), kafka, logIn),
          ])),
    ]
  } finally {
    for (const each of await Promise.all(logins.values())) await each.kafka?.close()
  }
}
