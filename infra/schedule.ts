import { Aws, Duration } from 'aws-cdk-lib'
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { allow } from './permissions.ts'

export type ScheduleProps = { readonly queue: Queue; readonly description: string }

/** Messages that come by themselves. One that is lost is made good by the next, so they have no dead letters. */
export abstract class Schedule extends Construct {
  readonly #queue: Queue
  readonly #role: Role

  constructor(scope: Construct, id: string, { queue, description }: ScheduleProps) {
    super(scope, id)
    this.#queue = queue
    this.#role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
      description,
    })
    allow(this.#role, queue.queueArn, ['sqs:SendMessage'])
  }

  protected send(name: string, kind: string, description: string, rate: Duration): void {
    const made = new CfnSchedule(this, name, {
      description,
      scheduleExpression: `rate(${rate.toMinutes()} minute${rate.toMinutes() === 1 ? '' : 's'})`,
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: this.#queue.queueArn,
        roleArn: this.#role.roleArn,
        // its time makes a message unlike the one before, which the queue would drop, and like its own repetition
        input: JSON.stringify({ kind, scheduledAt: '<aws.scheduler.scheduled-time>' }),
        sqsParameters: { messageGroupId: kind },
        retryPolicy: { maximumRetryAttempts: 2, maximumEventAgeInSeconds: Duration.minutes(1).toSeconds() },
      },
    })
    made.node.addDependency(this.#role)
  }
}
