import { randomUUID } from 'node:crypto'
import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { type Connection, keepClient, type Lease } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { type Account, createLedger } from '../ledger.ts'
import { sendSteadily } from '../send-steadily.ts'
import { until } from '../until.ts'
import { clusters, principal, tokenSeconds } from './policy.ts'

const sendEveryMs = 50
/** Of each topic of the stack. */
const partitions = 3
/** Less than what is left of a token whose cluster the lease has no more. */
const drainMs = 350 * tokenSeconds

/** What happened on one cluster. */
type OnCluster = {
  /** Producers that are not closed. */
  writers: number
  readonly acknowledged: Set<number>
  readonly read: Set<number>
}

/** A producer and a consumer of one channel, which follow it. */
export type Traffic = {
  /** Cluster -> how many records its brokers acknowledged. */
  readonly writtenOn: (cluster: string) => number
  /** Cluster -> how many records were read there. */
  readonly readOn: (cluster: string) => number
  /** Ends the producer, and the consumer when it has read everything. */
  readonly stop: () => Promise<Account>
}

/** Cluster -> the tokens that clients have logged in with there. */
export type Logins = Map<string, Set<string>>

const counted = (connection: Connection, logins: Logins): Connection => {
  const { name } = connection.cluster
  const tokens = logins.get(name) ?? new Set()
  logins.set(name, tokens)
  return {
    ...connection,
    token: () => {
      const token = connection.token()
      void Promise.resolve(token).then(
        (text) => tokens.add(text),
        () => {},
      )
      return token
    },
  }
}

/**
 * The lease's own group, but on Confluent Cloud: here its brokers are those of MSK, where the members of one group would have
 * to know each other's topics.
 */
const groupOf = ({ cluster }: Connection, topic: string, ofLease: string): string =>
  cluster.name === clusters.confluent ? `${principal}-${topic}` : ofLease

export const startTraffic = async (
  lease: Lease,
  channel: string,
  { logins, signal }: { readonly logins: Logins; readonly signal: AbortSignal },
): Promise<Traffic> => {
  const run = randomUUID()
  const ledger = createLedger()
  const places = new Map<string, OnCluster>()
  const placeOf = (cluster: string): OnCluster => {
    const place = places.get(cluster) ?? { writers: 0, acknowledged: new Set(), read: new Set() }
    places.set(cluster, place)
    return place
  }

  const producer = await keepClient(lease, {
    channel,
    open: (connection) => {
      const place = placeOf(connection.cluster.name)
      place.writers += 1
      const { producer: settings } = platformatic(counted(connection, logins))
      return {
        place,
        topic: connection.topic(channel),
        client: new Producer({ ...settings, serializers: stringSerializers }),
      }
    },
    close: async ({ place, client }) => {
      await client.close()
      place.writers -= 1
    },
    onError: ledger.failToReplace,
  })

  const openConsumer = async (connection: Connection) => {
    const place = placeOf(connection.cluster.name)
    const kafka = platformatic(counted(connection, logins))
    const topic = connection.topic(channel)
    const groupId = groupOf(connection, topic, kafka.consumer.groupId)
    const client = new Consumer({ ...kafka.consumer, groupId, deserializers: stringDeserializers })
    const stream = await client.consume({ ...kafka.consume, topics: [topic] })
    stream.on('data', ({ key, value, partition, offset }) => {
      // the topics may have those of an earlier run
      if (key !== run) return
      ledger.read(Number(value), { partition, offset })
      place.read.add(Number(value))
    })
    stream.on('error', ledger.fail)
    return { place, client, stream }
  }

  const consumer = await keepClient(lease, {
    channel,
    open: openConsumer,
    /** Nobody writes there any more, and what was written is read: then nothing is left behind. */
    close: async ({ place, client, stream }) => {
      const isDrained = (): boolean =>
        place.writers === 0 && [...place.acknowledged].every((each) => place.read.has(each))
      await until('everything is read', isDrained, { timeoutMs: drainMs, signal }).catch(ledger.fail)
      stream.pause()
      await stream.close()
      await client.close()
    },
    onError: ledger.failToReplace,
  })

  const stopSending = sendSteadily(ledger, sendEveryMs, (number) =>
    producer.use(async ({ place, topic, client }) => {
      await client.send({ messages: [{ topic, key: run, partition: number % partitions, value: String(number) }] })
      place.acknowledged.add(number)
    }),
  )
  return {
    writtenOn: (cluster) => places.get(cluster)?.acknowledged.size ?? 0,
    readOn: (cluster) => places.get(cluster)?.read.size ?? 0,
    stop: async () => {
      await stopSending()
      await producer.close()
      await consumer.close()
      return ledger.account()
    },
  }
}
