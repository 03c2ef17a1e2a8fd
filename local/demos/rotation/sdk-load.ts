import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { keepClient } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import type { Ledger } from '../ledger.ts'
import { sendSteadily } from '../send-steadily.ts'
import { type Load, type LoadOptions, openDemoLease } from './load.ts'

const sendEveryMs = 20
const commitEveryMs = 100

/** A producer of the SDK that sends a numbered record every 20 ms, whatever became of those before. */
export const startProducer = async (options: LoadOptions): Promise<Load> => {
  const { channel, ledger } = options
  const held = await openDemoLease(options, { produce: [channel] })
  const topic = platformatic(held.connection()).topic(channel)
  let made = 0
  const kept = await keepClient(held, {
    open: (connection) => {
      made += 1
      return new Producer({ ...platformatic(connection).producer, serializers: stringSerializers })
    },
    close: (producer) => producer.close(),
    onError: ledger.failToReplace,
  })
  const stop = sendSteadily(ledger, sendEveryMs, (number) =>
    kept.use((producer) => producer.send({ messages: [{ topic, key: String(number), value: String(number) }] })),
  )
  return {
    rebuilds: () => made - 1,
    stop: async () => {
      await stop()
      await kept.close()
      held.close()
    },
  }
}

const openConsumer = async (
  connection: Parameters<typeof platformatic>[0],
  channel: string,
  { ledger }: { readonly ledger: Ledger },
) => {
  const kafka = platformatic(connection)
  const consumer = new Consumer({ ...kafka.consumer, deserializers: stringDeserializers })
  const stream = await consumer.consume({ ...kafka.consume, topics: [kafka.topic(channel)], autocommit: false })
  const done = new Map<number, () => void | Promise<void>>()
  let uncommitted = 0
  stream.on('data', ({ value, partition, offset, commit }) => {
    ledger.read(Number(value), { partition, offset })
    ledger.hold(++uncommitted)
    done.set(partition, commit)
  })
  stream.on('error', ledger.fail)
  const commit = async (): Promise<void> => {
    const commits = [...done.values()]
    const count = uncommitted
    done.clear()
    await Promise.all(commits.map((each) => each()))
    uncommitted -= count
  }
  // a commit may be refused because the group has changed: who has the partition now reads these records again
  const timer = setInterval(() => void commit().catch(() => {}), commitEveryMs)
  return {
    close: async (): Promise<void> => {
      clearInterval(timer)
      stream.pause()
      await commit()
      await stream.close()
      await consumer.close()
    },
  }
}

/** One member of a consumer group, which commits what it has read and not what it was given. */
export const startConsumer = async (options: LoadOptions): Promise<Load> => {
  const { channel, ledger, principal, group = principal } = options
  const held = await openDemoLease(options, { consume: [channel], group, profile: { consumer: 'steady' } })
  let made = 0
  const kept = await keepClient(held, {
    open: (connection) => {
      made += 1
      return openConsumer(connection, channel, { ledger })
    },
    close: (consumer) => consumer.close(),
    onError: ledger.failToReplace,
  })
  return {
    rebuilds: () => made - 1,
    stop: async () => {
      await kept.close()
      held.close()
    },
  }
}
