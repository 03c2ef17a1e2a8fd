import { isIP } from 'node:net'
import type { BaseOptions, ConsumeOptions, ConsumerOptions, ProducerOptions, SASLOptions } from '@platformatic/kafka'
import type { Connection, Properties } from './lease.ts'
import { brokersOf, createReader, given, groupOf, refusalOf, roleOf, textOf } from './lib/settings.ts'

type AnyProducer = ProducerOptions<unknown, unknown, unknown, unknown>
type AnyConsumer = ConsumerOptions<unknown, unknown, unknown, unknown>
type AnyConsume = ConsumeOptions<unknown, unknown, unknown, unknown>

/** What every client of `@platformatic/kafka` takes; enough for `new Admin()`. */
export type PlatformaticClient = Pick<BaseOptions, 'clientId' | 'bootstrapBrokers'> &
  Partial<
    Pick<
      BaseOptions,
      | 'clientRack'
      | 'connectTimeout'
      | 'maxInflights'
      | 'metadataMaxAge'
      | 'requestTimeout'
      | 'retries'
      | 'retryDelay'
      | 'sasl'
      | 'tls'
      | 'tlsServerName'
    >
  >

/** What `new Producer()` takes, but for what is the program's: serializers and the like. */
export type PlatformaticProducer = PlatformaticClient &
  Partial<Pick<AnyProducer, 'acks' | 'compression' | 'idempotent' | 'transactionalId'>>

/** What `new Consumer()` takes, but for what is the program's: deserializers and the like. */
export type PlatformaticConsumer = PlatformaticClient & { readonly groupId: string } & Partial<
    Pick<
      AnyConsumer,
      | 'autocommit'
      | 'groupInstanceId'
      | 'isolationLevel'
      | 'maxBytes'
      | 'maxBytesPerPartition'
      | 'maxWaitTime'
      | 'minBytes'
      | 'rebalanceTimeout'
    >
  > & { groupProtocol?: 'classic'; sessionTimeout?: number; heartbeatInterval?: number }

/** What `consumer.consume()` takes besides the topics: where to start when the group has no offset yet. */
export type PlatformaticConsume = Required<Pick<AnyConsume, 'mode' | 'fallbackMode'>>

/** One connection of a lease as `@platformatic/kafka` wants it. */
export type Platformatic = {
  /** For `new Admin()`. */
  readonly client: PlatformaticClient
  /**
   * For `new Producer()`.
   * @throws {SwitchboardError} `unknown_channel` when the lease does not produce
   */
  readonly producer: PlatformaticProducer
  /**
   * For `new Consumer()`.
   * @throws {SwitchboardError} `unknown_channel` when the lease does not consume
   */
  readonly consumer: PlatformaticConsumer
  /** For `consumer.consume()`. */
  readonly consume: PlatformaticConsume
  readonly topic: Connection['topic']
  readonly topicsOf: Connection['topicsOf']
}

const { numberOf, flagOf, choiceOf, tlsOf } = createReader('@platformatic/kafka')

const hostOf = (broker: string): string => broker.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')

const encryptionOf = (properties: Properties): Pick<PlatformaticClient, 'tls' | 'tlsServerName'> => {
  const tls = tlsOf(properties)
  if (tls === undefined) return {}
  return {
    tls,
    // brokers behind one address tell themselves apart by this name; an address cannot be one (RFC 6066)
    ...(brokersOf(properties).some((broker) => isIP(hostOf(broker))) ? {} : { tlsServerName: true }),
  }
}

/** The client's own validator calls back twice for a refusal, the second time as if all were well. */
const refuseBadToken: NonNullable<SASLOptions['authBytesValidator']> = (authBytes, callback) =>
  callback(refusalOf(authBytes) ?? null, authBytes)

const saslOf = (connection: Connection): SASLOptions => {
  const { credential, properties } = connection
  if ('slot' in credential) {
    choiceOf(properties, 'sasl.mechanism', { [credential.mechanism]: true })
    return { mechanism: credential.mechanism, username: credential.username ?? '', password: connection.password }
  }
  choiceOf(properties, 'sasl.mechanism', { OAUTHBEARER: true })
  return {
    mechanism: 'OAUTHBEARER',
    token: connection.token,
    oauthBearerExtensions: { ...connection.extensions },
    authBytesValidator: refuseBadToken,
  }
}

const clientOf = (connection: Connection, role: Properties = {}): PlatformaticClient => {
  const properties = { ...connection.properties, ...role }
  return {
    clientId: textOf(properties, 'client.id')?.replaceAll(/\s/g, '-') || 'switchboard',
    bootstrapBrokers: brokersOf(properties),
    retries: retriesOf(properties, 'default.api.timeout.ms', 60_000),
    sasl: saslOf(connection),
    ...encryptionOf(properties),
    ...given({
      clientRack: textOf(properties, 'client.rack'),
      connectTimeout: numberOf(properties, 'socket.connection.setup.timeout.ms'),
      maxInflights: numberOf(properties, 'max.in.flight.requests.per.connection'),
      metadataMaxAge: numberOf(properties, 'metadata.max.age.ms'),
      requestTimeout: numberOf(properties, 'request.timeout.ms'),
      retryDelay: numberOf(properties, 'retry.backoff.ms'),
    }),
  }
}

const platformaticRetryDelayMs = 1_000

/**
 * Kafka bounds an operation by time, this client by a number of retries. Its own number is 3, which a broker's restart
 * outlasts; and without one an idempotent producer never gives up. Kafka's defaults stand where nothing was said.
 */
const retriesOf = (properties: Properties, timeoutName: string, kafkaTimeoutMs: number): number => {
  const delay = numberOf(properties, 'retry.backoff.ms') ?? platformaticRetryDelayMs
  const timeout = numberOf(properties, timeoutName) ?? kafkaTimeoutMs
  const wanted = numberOf(properties, 'retries') ?? Number.MAX_SAFE_INTEGER
  // an idempotent producer reads 0 and 1 as "for ever"
  return Math.max(2, Math.min(Math.ceil(timeout / Math.max(delay, 1)), wanted))
}

const producerOf = (connection: Connection, producer: Properties): PlatformaticProducer => ({
  ...clientOf(connection, producer),
  retries: retriesOf({ ...connection.properties, ...producer }, 'delivery.timeout.ms', 120_000),
  ...given({
    acks: choiceOf(producer, 'acks', { all: -1, '-1': -1, '0': 0, '1': 1 }),
    compression: choiceOf(producer, 'compression.type', {
      none: 'none' as const,
      gzip: 'gzip' as const,
      snappy: 'snappy' as const,
      lz4: 'lz4' as const,
      zstd: 'zstd' as const,
    }),
    idempotent: flagOf(producer, 'enable.idempotence'),
    transactionalId: textOf(producer, 'transactional.id'),
  }),
})

const autocommitOf = (consumer: Properties): boolean | number | undefined => {
  const interval = numberOf(consumer, 'auto.commit.interval.ms')
  const enabled = flagOf(consumer, 'enable.auto.commit')
  // the client commits after every fetch unless it has an interval, and takes none below 100 ms
  return enabled === false || interval === undefined ? enabled : Math.max(100, interval)
}

const consumerOf = (connection: Connection, consumer: Properties): PlatformaticConsumer => {
  const groupId = groupOf(consumer)
  const sessionTimeout = numberOf(consumer, 'session.timeout.ms')
  const rebalanceTimeout = numberOf(consumer, 'max.poll.interval.ms')
  choiceOf(consumer, 'group.protocol', { classic: true })
  return {
    ...clientOf(connection, consumer),
    groupId,
    ...given({
      autocommit: autocommitOf(consumer),
      groupInstanceId: textOf(consumer, 'group.instance.id'),
      heartbeatInterval: numberOf(consumer, 'heartbeat.interval.ms'),
      isolationLevel: choiceOf(consumer, 'isolation.level', { read_uncommitted: 0, read_committed: 1 }),
      maxBytes: numberOf(consumer, 'fetch.max.bytes'),
      maxBytesPerPartition: numberOf(consumer, 'max.partition.fetch.bytes'),
      maxWaitTime: numberOf(consumer, 'fetch.max.wait.ms'),
      minBytes: numberOf(consumer, 'fetch.min.bytes'),
      rebalanceTimeout,
      sessionTimeout,
    }),
  }
}

/**
 * Turns one connection of a lease into what the clients of `@platformatic/kafka` take. The clients stay yours; they ask
 * the lease for its newest token whenever they connect or authenticate again.
 *
 * Settings without an equivalent in `@platformatic/kafka` (`linger.ms`, `batch.size`, ...) are left out. Each property
 * is a new object every time it is read, so spread it and add what is the program's own.
 *
 * @example
 * ```ts
 * const kafka = platformatic(lease.connection())
 * const consumer = new Consumer({ ...kafka.consumer, deserializers: stringDeserializers })
 * const stream = await consumer.consume({ ...kafka.consume, topics: [kafka.topic(created)] })
 * for await (const message of stream) console.log(message.value)
 * ```
 *
 * @throws {SwitchboardError} `unsupported` when the cluster or the profile wants what this client cannot do
 */
export const platformatic = (connection: Connection): Platformatic => {
  // what cannot work is said now, not when the first client is made
  clientOf(connection)
  if (connection.producer) producerOf(connection, connection.producer)
  if (connection.consumer) consumerOf(connection, connection.consumer)
  return Object.freeze({
    get client() {
      return clientOf(connection)
    },
    get producer() {
      return producerOf(connection, roleOf(connection, 'producer'))
    },
    get consumer() {
      return consumerOf(connection, roleOf(connection, 'consumer'))
    },
    get consume() {
      const fallbackMode = choiceOf(roleOf(connection, 'consumer'), 'auto.offset.reset', {
        earliest: 'earliest' as const,
        latest: 'latest' as const,
        none: 'fail' as const,
      })
      // Kafka's own default
      return { mode: 'committed' as const, fallbackMode: fallbackMode ?? 'latest' }
    },
    topic: connection.topic,
    topicsOf: connection.topicsOf,
  })
}
