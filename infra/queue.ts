import { Duration } from 'aws-cdk-lib'
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

  constructor(scope: Construct, id: string, { consumerTimeout }: WorkQueueProps) {
    super(scope, id)
    const safe = { fifo: true, encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true }
    this.deadLetters = new Queue(this, 'DeadLetters', { ...safe, retentionPeriod: Duration.days(14) })
    this.queue = new Queue(this, 'Queue', {
      ...safe,
      // EventBridge Scheduler names no deduplication id; everything else has one of its own, which goes before the content
      contentBasedDeduplication: true,
      visibilityTimeout: Duration.seconds(6 * consumerTimeout.toSeconds()),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 10 },
    })
  }

  /** Feeds the function, at most `maxConcurrency` groups at once. */
  feed(consumer: IFunction, maxConcurrency: number): void {
    const mapping = new EventSourceMapping(this, 'Feed', {
      target: consumer,
      eventSourceArn: this.queue.queueArn,
      batchSize: 10,
      maxConcurrency,
      reportBatchItemFailures: true,
    })
    allow(consumer, this.queue.queueArn, ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'])
    // Lambda refuses the mapping while the role cannot read the queue yet
    if (consumer.role !== undefined) mapping.node.addDependency(consumer.role)
  }
}
