import { createHash, randomUUID } from 'node:crypto'
import { ChangeMessageVisibilityCommand, SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs'
import * as z from 'zod'

/** What crawl is asked to do. A message names what to look at; how to get there is in the policy. */
const messageSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('crawl'), scheduledAt: z.string().optional() }),
  z.strictObject({
    kind: z.literal('list-clusters'),
    source: z.string().min(1),
    /** Somebody said that clusters that are gone are meant to be. */
    accept: z.literal(true).optional(),
  }),
  z.strictObject({
    kind: z.literal('crawl-cluster'),
    source: z.string().min(1),
    id: z.string().min(1),
    /** As the listing calls it, for a cluster that cannot be looked at. */
    name: z.string().optional(),
    /** Somebody said that listeners that are gone are meant to be. */
    accept: z.literal(true).optional(),
  }),
  z.strictObject({ kind: z.literal('note-uses'), scheduledAt: z.string().optional() }),
])

export type CrawlMessage = z.infer<typeof messageSchema>

export type CrawlQueue = {
  /** In requests of ten. @throws Error when some of them were not taken */
  readonly send: (messages: readonly CrawlMessage[]) => Promise<void>
  /** Makes a received message visible again after `seconds`. */
  readonly postpone: (receiptHandle: string, seconds: number) => Promise<void>
}

/** undefined for a body that is not a message of ours */
export const parseCrawlMessage = (body: string): CrawlMessage | undefined => {
  try {
    return messageSchema.safeParse(JSON.parse(body)).data
  } catch {
    return undefined
  }
}

/** One worker at a time looks at a cluster. An ARN is longer than the name of a group may be. */
export const crawlGroupOf = (message: CrawlMessage): string => {
  if (message.kind === 'crawl' || message.kind === 'note-uses') return message.kind
  const what = message.kind === 'crawl-cluster' ? [message.source, message.id] : [message.source]
  return createHash('sha256').update(JSON.stringify(what)).digest('hex')
}

const batchSize = 10

export const createCrawlQueue = (sqs: SQSClient, queueUrl: string): CrawlQueue => ({
  send: async (messages) => {
    for (let at = 0; at < messages.length; at += batchSize) {
      const { Failed = [] } = await sqs.send(
        new SendMessageBatchCommand({
          QueueUrl: queueUrl,
          Entries: messages.slice(at, at + batchSize).map((message, index) => ({
            Id: String(index),
            MessageBody: JSON.stringify(message),
            MessageGroupId: crawlGroupOf(message),
            // SQS drops an equal body for 5 minutes; the second request is meant
            MessageDeduplicationId: randomUUID(),
          })),
        }),
      )
      if (Failed[0] !== undefined)
        throw new Error(`${Failed.length} messages were not taken, the first for \`${Failed[0].Code ?? 'nothing'}\``)
    }
  },
  postpone: async (receiptHandle, seconds) => {
    await sqs.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: queueUrl,
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: seconds,
      }),
    )
  },
})
