import { randomUUID } from 'node:crypto'
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import * as z from 'zod'
import { signingKeys } from '../domain/signing-key.ts'

/** What rotate is asked to do. A message names what to look at and never what to do: the worker reads what is current. */
const messageSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ensure-keys') }),
  z.strictObject({ kind: z.literal('access'), cluster: z.string().min(1), principal: z.string().min(1) }),
  // beside the message of its kind `access`, so that it waits behind nobody
  z.strictObject({ kind: z.literal('revocation'), cluster: z.string().min(1), principal: z.string().min(1) }),
  z.strictObject({ kind: z.literal('credential'), cluster: z.string().min(1), principal: z.string().min(1) }),
  // what a sweep found, so that a thousand that are due at once are told to their cluster in one request
  z.strictObject({
    kind: z.literal('credentials'),
    cluster: z.string().min(1),
    principals: z.array(z.string().min(1)).min(1),
  }),
  z.strictObject({ kind: z.literal('sweep'), scheduledAt: z.string().optional() }),
  z.strictObject({ kind: z.literal('census'), scheduledAt: z.string().optional() }),
  // the keys by their ids, so that the same message a second time finds nothing to do
  z.strictObject({ kind: z.literal('rotate-keys'), kids: z.array(z.string().min(1)).min(1), atOnce: z.boolean() }),
])

export type Message = z.infer<typeof messageSchema>

export type Queue = {
  /** @param afterSeconds nobody gets it before; only a revocation can wait, for 900 s at most */
  readonly send: (message: Message, afterSeconds?: number) => Promise<void>
  /** Makes a received message visible again after `seconds`. */
  readonly postpone: (received: Received, seconds: number) => Promise<void>
}

/** A message as SQS handed it out, whatever it says. */
export type Received = { readonly receiptHandle: string; readonly body: string }

/** undefined for a body that is not a message of ours */
export const parseMessage = (body: string): Message | undefined => {
  try {
    return messageSchema.safeParse(JSON.parse(body)).data
  } catch {
    return undefined
  }
}

/** One worker at a time owns a cluster: its messages are one FIFO group. */
const groupOf = (message: Message): string =>
  'cluster' in message
    ? message.cluster
    : message.kind === 'sweep' || message.kind === 'census'
      ? message.kind
      : signingKeys.cluster

/** @param revocationsUrl the queue of revocations, which is not FIFO; not needed by who neither sends nor takes any */
export const createQueue = (sqs: SQSClient, queueUrl: string, revocationsUrl?: string): Queue => {
  const urlOf = (message: Message | undefined): string => {
    if (message?.kind !== 'revocation') return queueUrl
    if (revocationsUrl === undefined) throw new Error('revocations have a queue of their own, which is not known here')
    return revocationsUrl
  }

  return {
    send: async (message, afterSeconds = 0) => {
      await sqs.send(
        new SendMessageCommand({
          QueueUrl: urlOf(message),
          MessageBody: JSON.stringify(message),
          ...(message.kind === 'revocation'
            ? { DelaySeconds: afterSeconds }
            : {
                MessageGroupId: groupOf(message),
                // SQS drops an equal body for 5 minutes; the second request is meant
                MessageDeduplicationId: randomUUID(),
              }),
        }),
      )
    },
    postpone: async ({ receiptHandle, body }, seconds) => {
      await sqs.send(
        new ChangeMessageVisibilityCommand({
          QueueUrl: urlOf(parseMessage(body)),
          ReceiptHandle: receiptHandle,
          VisibilityTimeout: seconds,
        }),
      )
    },
  }
}

/** `message` is undefined for what is not one of ours. */
export type DeadLetter<M = Message> = {
  readonly id: string
  readonly receiptHandle: string
  readonly message: M | undefined
}

/** What a function gave up. */
export type DeadLetters<M = Message> = {
  /** Up to ten, which nobody else gets for half a minute; none when there is nothing more. */
  readonly receive: () => Promise<readonly DeadLetter<M>[]>
  readonly remove: (receiptHandle: string) => Promise<void>
}

export const createDeadLetters = <M>(
  sqs: SQSClient,
  queueUrl: string,
  parse: (body: string) => M | undefined,
): DeadLetters<M> => ({
  receive: async () => {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: 30,
        // a short poll asks some of the servers only
        WaitTimeSeconds: 1,
      }),
    )
    return Messages.map(({ MessageId = '', ReceiptHandle = '', Body = '' }) => ({
      id: MessageId,
      receiptHandle: ReceiptHandle,
      message: parse(Body),
    }))
  },
  remove: async (receiptHandle) => {
    await sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: receiptHandle }))
  },
})
