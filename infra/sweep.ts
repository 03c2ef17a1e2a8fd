import { Duration } from 'aws-cdk-lib'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import { Schedule } from './schedule.ts'

export type SweepProps = { readonly queue: Queue }

/** Once a minute somebody has to look what is due, and four times an hour how everything is. */
export class Sweep extends Schedule {
  constructor(scope: Construct, id: string, { queue }: SweepProps) {
    super(scope, id, { queue, description: 'EventBridge Scheduler asks rotate to look what is due' })
    this.send('Schedule', 'sweep', 'Switchboard: what is due is looked for', Duration.minutes(1))
    this.send('Census', 'census', 'Switchboard: stored credentials are counted', Duration.minutes(15))
  }
}
