import { keepClient } from '@switchboard-kafka/client'
import { kafkajs } from '@switchboard-kafka/client/kafkajs'
import library from 'kafkajs'
import { sendSteadily } from '../send-steadily.ts'
import { type Load, type LoadOptions, openDemoLease } from './load.ts'

const sendEveryMs = 50

const clientOf = (connection: Parameters<typeof kafkajs>[0]) => {
  const settings = kafkajs(connection)
  // what goes wrong is seen by its effect; the client's own log would only be in the way of the demo's
  return { settings, kafka: new library.Kafka({ ...settings.client, logLevel: library.logLevel.NOTHING }) }
}

/** The only member of a group, of `kafkajs`. */
export const startKafkajsConsumer = async (options: LoadOptions): Promise<Load> => {
  const { channel, ledger, principal } = options
  const lease = await openDemoLease(options, { consume: [channel], group: principal, profile: { consumer: 'steady' } })
  let made = 0
  const kept = await keepClient(lease, {
    open: async (connection) => {
      made += 1
      const { kafka, settings } = clientOf(connection)
      const consumer = kafka.consumer(settings.consumer)
      await consumer.connect()
      await consumer.subscribe({ ...settings.subscribe, topics: [settings.topic(channel)] })
      let uncommitted = 0
      consumer.on(consumer.events.COMMIT_OFFSETS, () => {
        uncommitted = 0
      })
      await consumer.run({
        ...settings.run,
        eachMessage: async ({ partition, message }) => {
          ledger.read(Number(message.value), { partition, offset: BigInt(message.offset) })
          ledger.hold(++uncommitted)
        },
      })
      return consumer
    },
    close: (consumer) => consumer.disconnect(),
    onError: ledger.failToReplace,
  })
  return {
    rebuilds: () => made - 1,
    stop: async () => {
      await kept.close()
      lease.close()
    },
  }
}

/** A producer of `kafkajs` that sends a numbered record every 50 ms. */
export const startKafkajsProducer = async (options: LoadOptions): Promise<Load> => {
  const { channel, ledger } = options
  const lease = await openDemoLease(options, { produce: [channel] })
  let made = 0
  const kept = await keepClient(lease, {
    open: async (connection) => {
      made += 1
      const { kafka, settings } = clientOf(connection)
      const producer = kafka.producer(settings.producer)
      await producer.connect()
      return { producer, send: { ...settings.send, topic: settings.topic(channel) } }
    },
    close: ({ producer }) => producer.disconnect(),
    onError: ledger.failToReplace,
  })
  const stop = sendSteadily(ledger, sendEveryMs, (number) =>
    kept.use(({ producer, send }) =>
      producer.send({ ...send, messages: [{ key: String(number), value: String(number) }] }),
    ),
  )
  return {
    rebuilds: () => made - 1,
    stop: async () => {
      await stop()
      await kept.close()
      lease.close()
    },
  }
}
