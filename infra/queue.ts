import { Duration, Validations } from 'aws-cdk-lib'
import { EventSourceMapping, type IFunction } from 'aws-cdk-lib/aws-lambda'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { allow } from './permissions.ts'

export type WorkQueueProps = {
  /** Of the function that takes the work; a message must not come back while it is still worked on. */
  readonly consumerTimeout: Duration
}

/** What must happen now, in order within a group (a cluster, the signing keys), one worker per group at a time. */
export class WorkQueue extends Construct {
  readonly queue: Queue
  readonly deadLetters: Queue
  /**
   * Without order and with workers of its own: neither what a cluster has to do already, nor how much the others have,
   * nor the rest of a batch holds up a revocation.
   */
  readonly revocations: Queue

  constructor(scope: Construct, id: string, { consumerTimeout }: WorkQueueProps) {
    super(scope, id)
    const safe = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true }
    const visibilityTimeout = Duration.seconds(6 * consumerTimeout.toSeconds())
    this.deadLetters = new Queue(this, 'DeadLetters', { ...safe, fifo: true, retentionPeriod: Duration.days(14) })
    this.queue = new Queue(this, 'Queue', {
      ...safe,
      fifo: true,
      // EventBridge Scheduler names no deduplication id; everything else has one of its own, which goes before the content
      contentBasedDeduplication: true,
      visibilityTimeout,
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 10 },
    })
    this.revocations = new Queue(this, 'Revocations', {
      ...safe,
      visibilityTimeout,
      retentionPeriod: Duration.hours(1),
    })
    Validations.of(this.revocations).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SQS3',
      reason: 'Each of its messages stands among the work of its cluster too, which has dead letters.',
    })
  }

  /** Feeds the function, at most `maxConcurrency` groups at once, and beside these a few batches of revocations. */
  feed(consumer: IFunction, maxConcurrency: number): void {
    this.#map('Feed', this.queue, consumer, maxConcurrency)
    this.#map('RevocationsFeed', this.revocations, consumer, 5)
  }

  #map(id: string, { queueArn }: Queue, consumer: IFunction, maxConcurrency: number): void {
    const mapping = new EventSourceMapping(this, id, {
      target: consumer,
      eventSourceArn: queueArn,
      batchSize: 10,
      maxConcurrency,
      reportBatchItemFailures: true,
    })
    allow(consumer, queueArn, ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'])
    // Lambda refuses the mapping while the role cannot read the queue yet
    if (consumer.role !== undefined) mapping.node.addDependency(consumer.role)
  }
}
