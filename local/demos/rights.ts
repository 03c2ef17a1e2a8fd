import { type Admin, type BaseOptions, Consumer, GenericError, Producer, stringSerializers } from '@platformatic/kafka'
import { findInCauses } from '../../shared/causes.ts'

/** How somebody logs in on a cluster. */
export type Login = Pick<BaseOptions, 'bootstrapBrokers' | 'sasl' | 'tls'>

/** What is tried: to write to and to read from each topic, and to join each group. */
export type Questions = { readonly topics: readonly string[]; readonly groups: readonly string[] }

/** `produce orders.created` -> whether the brokers let it happen. */
export type Rights = ReadonlyMap<string, boolean>

const options = { clientId: 'rights', connectTimeout: 5_000, timeout: 10_000, retries: 1, retryDelay: 200 } as const

const isRefused = (error: unknown): boolean =>
  findInCauses(error, (each) =>
    each instanceof GenericError && String(each.apiId).endsWith('_AUTHORIZATION_FAILED') ? true : undefined,
  ) === true

const isAllowed = async (attempt: () => Promise<unknown>): Promise<boolean> => {
  try {
    await attempt()
    return true
  } catch (error) {
    if (isRefused(error)) return false
    throw error
  }
}

type Place = { readonly topicId: string; readonly leader: number }

/** Where the first partition of each topic is; an admin's to know, for brokers show others only what they may see. */
export const placesOf = async (admin: Admin, topics: readonly string[]): Promise<ReadonlyMap<string, Place>> => {
  const metadata = await admin.metadata({ topics: [...topics], forceUpdate: true })
  return new Map(
    [...metadata.topics].map(([name, { id, partitions }]) => [
      name,
      { topicId: id, leader: partitions[0]?.leader ?? 0 },
    ]),
  )
}

const fetchFirst = ({ topicId, leader }: Place) => ({
  node: leader,
  minBytes: 0,
  maxBytes: 1_024,
  maxWaitTime: 100,
  topics: [
    {
      topicId,
      partitions: [
        { partition: 0, currentLeaderEpoch: -1, fetchOffset: 0n, lastFetchedEpoch: -1, partitionMaxBytes: 1_024 },
      ],
    },
  ],
})

/** Tries everything for real; what it writes is one record for each topic that it may write to. */
export const tryRights = async (
  login: Login,
  { topics, groups }: Questions,
  places: ReadonlyMap<string, Place>,
): Promise<Rights> => {
  const rights = new Map<string, boolean>()
  const producer = new Producer({ ...options, ...login, serializers: stringSerializers })
  const reader = new Consumer({ ...options, ...login, groupId: 'unused' })
  try {
    for (const topic of topics) {
      const place = places.get(topic)
      if (place === undefined) throw new Error(`the topic \`${topic}\` is not there`)
      rights.set(
        `produce ${topic}`,
        await isAllowed(() => producer.send({ messages: [{ topic, key: 'rights', value: 'tried', partition: 0 }] })),
      )
      rights.set(`consume ${topic}`, await isAllowed(() => reader.fetch(fetchFirst(place))))
    }
    for (const group of groups) {
      const member = new Consumer({ ...options, ...login, groupId: group })
      try {
        rights.set(`group ${group}`, await isAllowed(() => member.joinGroup()))
      } finally {
        await member.close(true)
      }
    }
  } finally {
    await producer.close()
    await reader.close(true)
  }
  return rights
}

/** What one may and the other may not. */
export const differences = (a: Rights, b: Rights): readonly string[] =>
  [...new Set([...a.keys(), ...b.keys()])].filter((question) => a.get(question) !== b.get(question))
