import library, {
  type ConsumerConfig,
  type ConsumerRunConfig,
  type ConsumerSubscribeTopics,
  type KafkaConfig,
  type Mechanism,
  type ProducerConfig,
  type ProducerRecord,
  type RetryOptions,
  type SASLOptions,
} from 'kafkajs'
import type { Connection, Properties } from './lease.ts'
import { brokersOf, createReader, given, groupOf, refusalOf, roleOf, textOf } from './lib/settings.ts'

/** What `new Kafka()` takes. */
export type KafkajsClient = Pick<KafkaConfig, 'connectionTimeout' | 'requestTimeout' | 'ssl'> & {
  clientId: string
  brokers: string[]
  sasl: Mechanism | SASLOptions
  reauthenticationThreshold: number
  retry: RetryOptions
}

/** What `kafka.producer()` takes. */
export type KafkajsProducer = Pick<
  ProducerConfig,
  'allowAutoTopicCreation' | 'idempotent' | 'metadataMaxAge' | 'retry' | 'transactionalId' | 'transactionTimeout'
>

/** What `producer.send()` takes besides topic and messages. */
export type KafkajsSend = Pick<ProducerRecord, 'acks' | 'compression' | 'timeout'>

/** What `kafka.consumer()` takes. */
export type KafkajsConsumer = Pick<
  ConsumerConfig,
  | 'allowAutoTopicCreation'
  | 'groupId'
  | 'heartbeatInterval'
  | 'maxBytes'
  | 'maxBytesPerPartition'
  | 'maxWaitTimeInMs'
  | 'metadataMaxAge'
  | 'minBytes'
  | 'rackId'
  | 'readUncommitted'
  | 'rebalanceTimeout'
  | 'retry'
  | 'sessionTimeout'
>

/** What `consumer.subscribe()` takes besides the topics: where to start when the group has no offset yet. */
export type KafkajsSubscribe = Required<Pick<ConsumerSubscribeTopics, 'fromBeginning'>>

/** What `consumer.run()` takes besides what is done with a record. */
export type KafkajsRun = Pick<ConsumerRunConfig, 'autoCommit' | 'autoCommitInterval'>

/** One connection of a lease as `kafkajs` wants it. */
export type Kafkajs = {
  /** For `new Kafka()`. */
  readonly client: KafkajsClient
  /**
   * For `kafka.producer()`.
   * @throws {SwitchboardError} `unknown_channel` when the lease does not produce
   */
  readonly producer: KafkajsProducer
  /** For `producer.send()`. */
  readonly send: KafkajsSend
  /**
   * For `kafka.consumer()`.
   * @throws {SwitchboardError} `unknown_channel` when the lease does not consume
   */
  readonly consumer: KafkajsConsumer
  /** For `consumer.subscribe()`. */
  readonly subscribe: KafkajsSubscribe
  /** For `consumer.run()`. */
  readonly run: KafkajsRun
  readonly topic: Connection['topic']
  readonly topicsOf: Connection['topicsOf']
}

const { numberOf, flagOf, choiceOf, tlsOf } = createReader('kafkajs')

/**
 * How long before the end of its session the client authenticates again, when it has something to send. The client's own is
 * 10 s, and a broker lets nobody do so twice within a second (ILLEGAL_SASL_STATE, which the client does not try again). The
 * shortest session is what is left of a token that the lease still hands out: 2 s.
 */
const reauthenticationThreshold = 750

const separator = '\u0001'

/** Kafka's BYTES: a length, then the bytes; the client puts them on the wire as they are. */
const bytesOf = (text: string): Buffer => {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(4)
  length.writeInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/**
 * The client's own OAUTHBEARER takes a refusal for a success and fails at the next request, for a reason that has nothing
 * to do with the token.
 * @see {@link https://www.rfc-editor.org/rfc/rfc7628#section-3 RFC 7628 3}
 */
const saslOf = (connection: Connection): Mechanism | SASLOptions => {
  const { credential } = connection
  if ('slot' in credential) {
    choiceOf(connection.properties, 'sasl.mechanism', { [credential.mechanism]: true })
    const mechanism = credential.mechanism === 'PLAIN' ? 'plain' : 'scram-sha-512'
    const sasl: SASLOptions = { mechanism, username: credential.username ?? '', password: '' }
    // the client takes no function here, and a password that prints itself ends in somebody's log
    Object.defineProperty(sasl, 'password', { enumerable: false, get: connection.password })
    return sasl
  }
  choiceOf(connection.properties, 'sasl.mechanism', { OAUTHBEARER: true })
  return {
    mechanism: 'OAUTHBEARER',
    authenticationProvider: ({ saslAuthenticate }) => ({
      authenticate: async () => {
        const pairs = [
          `auth=Bearer ${await connection.token()}`,
          ...Object.entries(connection.extensions).map(([name, value]) => `${name}=${value}`),
        ]
        await saslAuthenticate({
          request: { encode: () => bytesOf(`n,,${separator}${pairs.join(separator)}${separator}${separator}`) },
          response: {
            decode: (answer) => answer.subarray(4),
            parse: (answer) => {
              const refusal = refusalOf(answer)
              if (refusal) throw refusal
            },
          },
        })
      },
    }),
  }
}

const factor = 0.2
const multiplier = 2
const kafkajsBackoffMs = 300
const kafkajsMaximumBackoffMs = 30_000

/** Kafka bounds an operation by time, this client by a number of retries, each of which waits longer than the one before. */
const retryOf = (properties: Properties, timeoutMs: number): RetryOptions => {
  const initialRetryTime = Math.max(1, numberOf(properties, 'retry.backoff.ms') ?? kafkajsBackoffMs)
  const maxRetryTime = Math.max(
    initialRetryTime,
    numberOf(properties, 'retry.backoff.max.ms') ?? kafkajsMaximumBackoffMs,
  )
  let [growing, waited, wait] = [0, 0, initialRetryTime]
  for (; wait < maxRetryTime && waited < timeoutMs; growing += 1) {
    waited += wait
    wait = Math.min(wait * multiplier, maxRetryTime)
  }
  const retries = growing + Math.ceil(Math.max(0, timeoutMs - waited) / wait)
  return { initialRetryTime, maxRetryTime, factor, multiplier, retries }
}

const clientOf = (connection: Connection): KafkajsClient => {
  const { properties } = connection
  return {
    clientId: textOf(properties, 'client.id') || 'switchboard',
    brokers: brokersOf(properties),
    sasl: saslOf(connection),
    reauthenticationThreshold,
    retry: retryOf(properties, numberOf(properties, 'default.api.timeout.ms') ?? 60_000),
    ...given({
      ssl: tlsOf(properties),
      connectionTimeout: numberOf(properties, 'socket.connection.setup.timeout.ms'),
      requestTimeout: numberOf(properties, 'request.timeout.ms'),
    }),
  }
}

const producerOf = (connection: Connection, producer: Properties): KafkajsProducer => {
  const properties = { ...connection.properties, ...producer }
  const idempotent = flagOf(producer, 'enable.idempotence')
  return {
    // topics are what Switchboard says; a client makes none by asking
    allowAutoTopicCreation: false,
    // After giving up, this client's next record would take the place of one that the broker may have. The client's own
    // endless retrying has to be said here, or it takes the number of the others.
    retry: idempotent
      ? { retries: Number.MAX_SAFE_INTEGER }
      : retryOf(properties, numberOf(properties, 'delivery.timeout.ms') ?? 120_000),
    ...given({
      idempotent,
      metadataMaxAge: numberOf(properties, 'metadata.max.age.ms'),
      transactionalId: textOf(producer, 'transactional.id'),
      transactionTimeout: numberOf(producer, 'transaction.timeout.ms'),
    }),
  }
}

const isInstalled = (compression: number): boolean => {
  try {
    library.CompressionCodecs[compression as keyof typeof library.CompressionCodecs]()
    return true
  } catch {
    return false
  }
}

/** The client brings gzip; another is used when the program has added its codec, and else nothing is compressed. */
const compressionOf = (producer: Properties): number | undefined => {
  const { GZIP, LZ4, Snappy, ZSTD } = library.CompressionTypes
  const choices = { none: undefined, gzip: GZIP, snappy: Snappy, lz4: LZ4, zstd: ZSTD }
  const wanted = choiceOf(producer, 'compression.type', choices)
  return wanted === undefined || isInstalled(wanted) ? wanted : undefined
}

const sendOf = (producer: Properties): KafkajsSend =>
  given({
    acks: choiceOf(producer, 'acks', { all: -1, '-1': -1, '0': 0, '1': 1 }),
    compression: compressionOf(producer),
    timeout: numberOf(producer, 'request.timeout.ms'),
  })

const consumerOf = (connection: Connection, consumer: Properties): KafkajsConsumer => {
  const properties = { ...connection.properties, ...consumer }
  choiceOf(consumer, 'group.protocol', { classic: true })
  return {
    groupId: groupOf(consumer),
    allowAutoTopicCreation: false,
    retry: retryOf(properties, numberOf(properties, 'default.api.timeout.ms') ?? 60_000),
    ...given({
      heartbeatInterval: numberOf(consumer, 'heartbeat.interval.ms'),
      maxBytes: numberOf(consumer, 'fetch.max.bytes'),
      maxBytesPerPartition: numberOf(consumer, 'max.partition.fetch.bytes'),
      maxWaitTimeInMs: numberOf(consumer, 'fetch.max.wait.ms'),
      metadataMaxAge: numberOf(properties, 'metadata.max.age.ms'),
      minBytes: numberOf(consumer, 'fetch.min.bytes'),
      rackId: textOf(properties, 'client.rack'),
      readUncommitted: choiceOf(consumer, 'isolation.level', { read_uncommitted: true, read_committed: false }),
      rebalanceTimeout: numberOf(consumer, 'max.poll.interval.ms'),
      sessionTimeout: numberOf(consumer, 'session.timeout.ms'),
    }),
  }
}

const subscribeOf = (consumer: Properties): KafkajsSubscribe => ({
  // Kafka's own default is `latest`
  fromBeginning: choiceOf(consumer, 'auto.offset.reset', { earliest: true, latest: false }) ?? false,
})

const runOf = (consumer: Properties): KafkajsRun =>
  given({
    autoCommit: flagOf(consumer, 'enable.auto.commit'),
    autoCommitInterval: numberOf(consumer, 'auto.commit.interval.ms'),
  })

/**
 * Turns one connection of a lease into what `kafkajs` takes. The clients stay yours; they ask the lease for its newest
 * token whenever they connect or authenticate again.
 *
 * Settings without an equivalent in `kafkajs` (`linger.ms`, `batch.size`, `group.instance.id`, ...) are left out. Each
 * property is a new object every time it is read, so spread it and add what is the program's own.
 *
 * @example
 * ```ts
 * const settings = kafkajs(lease.connection())
 * const kafka = new Kafka(settings.client)
 * const producer = kafka.producer(settings.producer)
 * await producer.connect()
 * await producer.send({ ...settings.send, topic: settings.topic(created), messages: [{ key: 'o-1', value: 'paid' }] })
 * ```
 *
 * @throws {SwitchboardError} `unsupported` when the cluster or the profile wants what this client cannot do
 */
export const kafkajs = (connection: Connection): Kafkajs => {
  // what cannot work is said now, not when the first client is made
  clientOf(connection)
  if (connection.producer) {
    producerOf(connection, connection.producer)
    sendOf(connection.producer)
  }
  if (connection.consumer) {
    consumerOf(connection, connection.consumer)
    subscribeOf(connection.consumer)
    runOf(connection.consumer)
  }
  return Object.freeze({
    get client() {
      return clientOf(connection)
    },
    get producer() {
      return producerOf(connection, roleOf(connection, 'producer'))
    },
    get send() {
      return sendOf(roleOf(connection, 'producer'))
    },
    get consumer() {
      return consumerOf(connection, roleOf(connection, 'consumer'))
    },
    get subscribe() {
      return subscribeOf(roleOf(connection, 'consumer'))
    },
    get run() {
      return runOf(roleOf(connection, 'consumer'))
    },
    topic: connection.topic,
    topicsOf: connection.topicsOf,
  })
}
