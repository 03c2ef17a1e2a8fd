import { GetQueueAttributesCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { LocalError } from '../../errors.ts'
import type { StackState } from '../../state.ts'
import type { Operator } from '../operator.ts'

/**
 * SQS gives a message out again after this when its worker was killed, or could not be started. The stack's own six
 * minutes are six times what a worker may take; here it may be out twice, which has to be as good.
 */
const redeliverySeconds = '20'

/** Does the work while the queue of rotate gives messages out again as much faster as credentials live shorter. */
export const withFastRedelivery = async <T>(
  { switchboard }: Pick<StackState, 'switchboard'>,
  { sqs }: Pick<Operator, 'sqs'>,
  work: () => Promise<T>,
): Promise<T> => {
  const QueueUrl = switchboard.outputs.QueueUrl ?? ''
  const set = (seconds: string) =>
    sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: seconds } }))
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['VisibilityTimeout'] }),
  )
  const before = Attributes?.VisibilityTimeout
  if (before === undefined) throw new LocalError('the queue of rotate has no visibility timeout')
  await set(redeliverySeconds)
  try {
    return await work()
  } finally {
    await set(before)
  }
}
