import { randomUUID } from 'node:crypto'
import { ChangeMessageVisibilityCommand, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs'
import * as z from 'zod'

/** What rotate is asked to do. A message names what to look at and never what to do: the worker reads what is current. */
const messageSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ensure-keys') }),
  z.strictObject({ kind: z.literal('access'), cluster: z.string().min(1), principal: z.string().min(1) }),
])

export type Message = z.infer<typeof messageSchema>

export type Queue = {
  readonly send: (message: Message) => Promise<void>
  /** Makes a received message visible again after `seconds`. */
  readonly postpone: (receiptHandle: string, seconds: number) => Promise<void>
}

/** undefined for a body that is not a message of ours */
export const parseMessage = (body: string): Message | undefined => {
  try {
    return messageSchema.safeParse(JSON.parse(body)).data
  } catch {
    return undefined
  }
}

/** One worker at a time owns a cluster: its messages are one FIFO group. */
const groupOf = (message: Message): string => (message.kind === 'access' ? message.cluster : 'signing-keys')

export const createQueue = (sqs: SQSClient, queueUrl: string): Queue => ({
  send: async (message) => {
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: queueUrl,
        MessageBody: JSON.stringify(message),
        MessageGroupId: groupOf(message),
        // SQS drops an equal body for 5 minutes; the second request is meant
        MessageDeduplicationId: randomUUID(),
      }),
    )
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
