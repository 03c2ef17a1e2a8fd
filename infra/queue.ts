import { Duration, Validations } from 'aws-cdk-lib'
import { EventSourceMapping, type IFunction } from 'aws-cdk-lib/aws-lambda'
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { allow } from './permissions.ts'

export type WorkQueueProps = {
  /** Of the function that takes the work; a message must not come back while it is still worked on. */
  readonly consumerTimeout: Duration
}

const safe = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true }

const hiddenFor = ({ consumerTimeout }: WorkQueueProps): Duration => Duration.seconds(6 * consumerTimeout.toSeconds())

/** What must happen now, in order within a group (a cluster, the signing keys), one worker per group at a time. */
export class WorkQueue extends Construct {
  readonly queue: Queue
  readonly deadLetters: Queue

  constructor(scope: Construct, id: string, props: WorkQueueProps) {
    super(scope, id)
    this.deadLetters = new Queue(this, 'DeadLetters', { ...safe, fifo: true, retentionPeriod: Duration.days(14) })
    this.queue = new Queue(this, 'Queue', {
      ...safe,
      fifo: true,
      // EventBridge Scheduler names no deduplication id; everything else has one of its own, which goes before the content
      contentBasedDeduplication: true,
      visibilityTimeout: hiddenFor(props),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 10 },
    })
  }

  /** Feeds the function, at most `maxConcurrency` groups at once, with up to `batchSize` messages a time. */
  feed(consumer: IFunction, maxConcurrency: number, batchSize = 10): void {
    feedFrom(this, 'Feed', { queue: this.queue, consumer, maxConcurrency, batchSize })
  }
}

/**
 * Without order and with workers of its own: neither what a cluster has to do already, nor how much the others have,
 * nor the rest of a batch holds up a revocation.
 */
export class RotateQueues extends WorkQueue {
  readonly revocations: Queue

  constructor(scope: Construct, id: string, props: WorkQueueProps) {
    super(scope, id, props)
    this.revocations = new Queue(this, 'Revocations', {
      ...safe,
      visibilityTimeout: hiddenFor(props),
      retentionPeriod: Duration.hours(1),
    })
    Validations.of(this.revocations).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SQS3',
      reason: 'Each of its messages stands among the work of its cluster too, which has dead letters.',
    })
  }

  /** Beside the groups, a few batches of revocations at once. */
  override feed(consumer: IFunction, maxConcurrency: number): void {
    super.feed(consumer, maxConcurrency)
    feedFrom(this, 'RevocationsFeed', { queue: this.revocations, consumer, maxConcurrency: 5, batchSize: 10 })
  }
}

type Feed = {
  readonly queue: IQueue
  readonly consumer: IFunction
  readonly maxConcurrency: number
  readonly batchSize: number
}

const feedFrom = (scope: Construct, id: string, { queue: { queueArn }, consumer, ...limits }: Feed): void => {
  const mapping = new EventSourceMapping(scope, id, {
    target: consumer,
    eventSourceArn: queueArn,
    ...limits,
    reportBatchItemFailures: true,
  })
  allow(consumer, queueArn, ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'])
  // Lambda refuses the mapping while the role cannot read the queue yet
  if (consumer.role !== undefined) mapping.node.addDependency(consumer.role)
}
