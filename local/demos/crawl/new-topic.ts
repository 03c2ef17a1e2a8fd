import { randomUUID } from 'node:crypto'
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { Producer, stringSerializers } from '@platformatic/kafka'
import { openLease } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { createAclAdmin } from '../../../shared/clusters/kafka/acl-admin.ts'
import { mintWorkloadToken } from '../../issuer.ts'
import { clusterOf, withAdmin } from '../admin.ts'
import { atLeast, type Measure, none, within } from '../outcome.ts'
import { until } from '../until.ts'
import { channelOf, principals, topicOf } from './policy.ts'
import type { Stage } from './stage.ts'

const part = 'new topic'
const records = 10

/** What an apply asked rotate for may be under way, and would give access to a topic that is made meanwhile. */
const rotateIsDone = ({ state, operator, signal }: Stage): Promise<void> => {
  const QueueUrl = state.switchboard.outputs.QueueUrl ?? ''
  const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const
  const isEmpty = async (): Promise<boolean> => {
    const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...AttributeNames] })
    const { Attributes = {} } = await operator.sqs.send(command)
    return AttributeNames.every((name) => Number(Attributes[name]) === 0)
  }
  return until('rotate has done what it was asked for', isEmpty, { signal })
}

/** Somebody makes a topic on the brokers, and tells nobody. */
export const findNewTopic = async (stage: Stage): Promise<readonly Measure[]> => {
  const { state, commands, report, signal } = stage
  const { payments } = state.clusters
  const name = `n${randomUUID().slice(0, 8)}`
  const [channel, topic] = [channelOf(name), topicOf(name)]
  const acls = createAclAdmin(clusterOf(payments), payments.admin)
  const user = `sb.${principals.writer}`
  const mayWrite = async (): Promise<boolean> =>
    ((await acls.describe([user])).get(user) ?? []).some((acl) => acl.operation === 'write' && acl.name === topic)
  try {
    await rotateIsDone(stage)
    await withAdmin(payments, (admin) => admin.createTopics({ topics: [topic], partitions: 3, replicas: 1 }))
    const before = await commands.catalog(name)
    const aclBefore = await mayWrite()
    const startedAt = Date.now()
    await commands.crawl('--cluster', 'payments')
    await until(`an ACL for \`${topic}\``, mayWrite, { signal })
    const aclAfterMs = Date.now() - startedAt
    const [row] = await commands.catalog(name)
    report(
      `\`${topic}\` is ${row?.channel ?? 'nowhere'}, and ${row?.mayProduce.join(', ') ?? 'nobody'} may write to it`,
    )

    let waits = 0
    const lease = await openLease({
      url: state.switchboard.url,
      token: () => mintWorkloadToken(state, { principal: principals.writer }),
      intent: { produce: [channel] },
      onEvent: ({ type }) => {
        if (type === 'waiting') waits++
      },
      signal,
    })
    const kafka = platformatic(lease.connection())
    const producer = new Producer({ ...kafka.producer, serializers: stringSerializers })
    try {
      const messages = Array.from({ length: records }, (_, at) => ({
        topic: kafka.topic(channel),
        key: String(at),
        value: name,
      }))
      const { offsets = [] } = await producer.send({ messages })
      report(`${principals.writer} wrote ${records} records to it`)
      return [
        none(part, 'channels in the catalog before the crawl', before.length),
        none(part, 'ACLs before the crawl', aclBefore ? [topic] : []),
        atLeast(part, 'channels in the catalog after it', row?.channel === channel ? 1 : 0, 1),
        within(part, 'from the crawl to the ACL on the brokers', aclAfterMs, 20_000),
        none(part, 'waits of a client that asks then', waits),
        atLeast(part, 'partitions that took records', offsets.length, 1),
      ]
    } finally {
      await producer.close()
      lease.close()
    }
  } finally {
    await acls.close()
    await withAdmin(payments, (admin) => admin.deleteTopics({ topics: [topic] }))
  }
}
