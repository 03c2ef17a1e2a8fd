import { Aws, Duration } from 'aws-cdk-lib'
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { allow } from './permissions.ts'

export type SweepProps = { readonly queue: Queue }

/**
 * Once a minute somebody has to look what is due, and four times an hour how everything is. One that is lost is made good
 * by the next, so they have no dead letters.
 */
export class Sweep extends Construct {
  constructor(scope: Construct, id: string, { queue }: SweepProps) {
    super(scope, id)
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
      description: 'EventBridge Scheduler asks rotate to look what is due',
    })
    allow(role, queue.queueArn, ['sqs:SendMessage'])
    const schedule = (name: string, kind: string, description: string, rate: Duration): void => {
      const made = new CfnSchedule(this, name, {
        description,
        scheduleExpression: `rate(${rate.toMinutes()} minute${rate.toMinutes() === 1 ? '' : 's'})`,
        flexibleTimeWindow: { mode: 'OFF' },
        target: {
          arn: queue.queueArn,
          roleArn: role.roleArn,
          // its time makes a message unlike the one before, which the queue would drop, and like its own repetition
          input: JSON.stringify({ kind, scheduledAt: '<aws.scheduler.scheduled-time>' }),
          sqsParameters: { messageGroupId: kind },
          retryPolicy: { maximumRetryAttempts: 2, maximumEventAgeInSeconds: Duration.minutes(1).toSeconds() },
        },
      })
      made.node.addDependency(role)
    }
    schedule('Schedule', 'sweep', 'Switchboard: what is due is looked for', Duration.minutes(1))
    schedule('Census', 'census', 'Switchboard: stored credentials are counted', Duration.minutes(15))
  }
}
