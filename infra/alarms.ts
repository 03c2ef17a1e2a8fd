import { Duration } from 'aws-cdk-lib'
import { Alarm, ComparisonOperator, type IMetric, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'

export type AlarmsProps = {
  readonly resolve: IFunction
  readonly rotate: IFunction
  readonly queue: IQueue
  readonly deadLetters: IQueue
  readonly revocations: IQueue
  readonly crawlDeadLetters: IQueue
  /** How long from one crawl to the next. */
  readonly crawlEvery: Duration
  /** Told when an alarm goes off and when it is over. */
  readonly topic?: ITopic | undefined
}

/** It goes off when it holds in `of` of the last `outOf` periods. */
type Rule = {
  /** What is so, for whoever is woken by it. */
  readonly means: string
  readonly metric: IMetric
  readonly operator?: ComparisonOperator
  readonly threshold: number
  readonly outOf?: number
  readonly of?: number
  readonly missing?: TreatMissingData
}

const minute = Duration.minutes(1)
const quarter = Duration.minutes(15)

/** A metric of our own; shared/telemetry.ts has their names. */
const ours = (
  service: 'resolve' | 'rotate' | 'crawl',
  metricName: string,
  period: Duration,
  statistic = Stats.SUM,
): Metric => new Metric({ namespace: 'Switchboard', metricName, dimensionsMap: { service }, period, statistic })

/** What somebody has to know of. docs/operations.md has a runbook for each, under the name that it has here. */
export class Alarms extends Construct {
  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id)
    const { resolve, rotate, queue, deadLetters, revocations, crawlDeadLetters, crawlEvery, topic } = props
    const rules: Readonly<Record<string, Rule>> = {
      DeadLetters: {
        means: 'Rotate gave up messages: access or credentials of somebody are not as the policy says',
        metric: deadLetters.metricApproximateNumberOfMessagesVisible({ period: minute, statistic: Stats.MAXIMUM }),
        threshold: 1,
      },
      WorkWaits: {
        means: 'A message for rotate has waited for 5 minutes: new access, rotations and revocations are late',
        metric: queue.metricApproximateAgeOfOldestMessage({ period: minute, statistic: Stats.MAXIMUM }),
        threshold: 300,
      },
      RevocationWaits: {
        means: 'A revocation has waited for 2 minutes: somebody who must be out still has access',
        metric: revocations.metricApproximateAgeOfOldestMessage({ period: minute, statistic: Stats.MAXIMUM }),
        threshold: 120,
      },
      ResolveFailed: {
        means: 'Resolve answers with errors of its own: clients get no new leases',
        metric: ours('resolve', 'Failed', minute),
        threshold: 1,
        of: 2,
        outOf: 5,
      },
      ResolveCrashed: {
        means: 'Resolve was stopped or ended without an answer',
        metric: resolve.metricErrors({ period: minute, statistic: Stats.SUM }),
        threshold: 1,
      },
      ResolveThrottled: {
        means: 'Lambda refuses to run more of resolve: the account is at its limit',
        metric: resolve.metricThrottles({ period: minute, statistic: Stats.SUM }),
        threshold: 1,
        of: 2,
        outOf: 5,
      },
      ServedStale: {
        means: 'Resolve cannot read what is in force and answers from memory, for 60 seconds at most',
        metric: ours('resolve', 'ServedStale', minute),
        threshold: 1,
        of: 2,
        outOf: 5,
      },
      RotateCrashed: {
        means: 'Rotate was stopped or ended in the middle of its work',
        metric: rotate.metricErrors({ period: minute, statistic: Stats.SUM }),
        threshold: 1,
        of: 2,
        outOf: 5,
      },
      MessageFailed: {
        means: 'Rotate fails at its work again and again: a cluster or a store does not answer or does not let it in',
        metric: ours('rotate', 'MessageFailed', minute),
        threshold: 1,
        of: 3,
        outOf: 5,
      },
      CredentialsStuck: {
        means:
          'The rotation of stored credentials or signing keys fails again and again; what is active goes on working',
        metric: ours('rotate', 'CredentialsStuck', quarter, Stats.MAXIMUM),
        threshold: 1,
        missing: TreatMissingData.IGNORE,
      },
      ClusterFull: {
        means: 'A cluster has as many users as it takes: somebody gets no credential, or is not rotated',
        metric: new Metric({
          namespace: 'Switchboard',
          metricName: 'CredentialStepFailed',
          dimensionsMap: { service: 'rotate', reason: 'cluster_full' },
          period: quarter,
          statistic: Stats.SUM,
        }),
        threshold: 1,
      },
      CredentialsOverdue: {
        means: 'Stored credentials or signing keys are older than the policy allows, or nobody came when they were due',
        metric: ours('rotate', 'CredentialsOverdue', quarter, Stats.MAXIMUM),
        threshold: 1,
        missing: TreatMissingData.IGNORE,
      },
      ActiveSlotBroken: {
        means: 'What clients log in with did not work: somebody else changed its user, its password or its secret',
        metric: ours('rotate', 'ActiveSlotBroken', minute),
        threshold: 1,
      },
      SweepMissing: {
        means: 'Nobody has looked for 5 minutes what is due: nothing rotates',
        metric: ours('rotate', 'Swept', Duration.minutes(5)),
        operator: ComparisonOperator.LESS_THAN_THRESHOLD,
        threshold: 1,
        missing: TreatMissingData.BREACHING,
      },
      CensusMissing: {
        means: 'Nobody has counted stored credentials for an hour: CredentialsStuck and CredentialsOverdue are blind',
        metric: ours('rotate', 'CredentialsStuck', Duration.hours(1), Stats.SAMPLE_COUNT),
        operator: ComparisonOperator.LESS_THAN_THRESHOLD,
        threshold: 1,
        missing: TreatMissingData.BREACHING,
      },
      CrawlDeadLetters: {
        means: 'Crawl gave up messages: the inventory lacks what they were for until the next crawl',
        metric: crawlDeadLetters.metricApproximateNumberOfMessagesVisible({ period: minute, statistic: Stats.MAXIMUM }),
        threshold: 1,
      },
      ClustersFailing: {
        means: 'Clusters could not be looked at twice in a row; what is known of them grows old',
        metric: ours('crawl', 'ClustersFailing', crawlEvery, Stats.MAXIMUM),
        threshold: 1,
        of: 2,
        outOf: 2,
        missing: TreatMissingData.IGNORE,
      },
      SourcesFailing: {
        means: 'Accounts, regions or environments could not be listed twice in a row; new clusters there are not seen',
        metric: ours('crawl', 'SourcesFailing', crawlEvery, Stats.MAXIMUM),
        threshold: 1,
        of: 2,
        outOf: 2,
        missing: TreatMissingData.IGNORE,
      },
      FactsWithheld: {
        means:
          'So many listeners of a cluster are gone that clients are not told where it is now until somebody says so',
        metric: ours('crawl', 'FactsWithheld', crawlEvery),
        threshold: 1,
      },
      CrawlMissing: {
        means: 'Nobody has asked for a crawl for two of its intervals: the inventory grows old',
        metric: ours('crawl', 'Crawled', crawlEvery),
        operator: ComparisonOperator.LESS_THAN_THRESHOLD,
        threshold: 1,
        of: 2,
        outOf: 2,
        missing: TreatMissingData.BREACHING,
      },
    }
    for (const [name, rule] of Object.entries(rules)) this.#alarm(name, rule, topic)
  }

  #alarm(name: string, { means, metric, operator, threshold, of = 1, outOf = 1, missing }: Rule, topic?: ITopic): void {
    const alarm = new Alarm(this, name, {
      alarmDescription: `${means}. Runbook: docs/operations.md#${name.toLowerCase()}`,
      metric,
      comparisonOperator: operator ?? ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      threshold,
      datapointsToAlarm: of,
      evaluationPeriods: outOf,
      // a metric that counts what goes wrong has no data when nothing does
      treatMissingData: missing ?? TreatMissingData.NOT_BREACHING,
    })
    if (topic === undefined) return
    const action = new SnsAction(topic)
    alarm.addAlarmAction(action)
    alarm.addOkAction(action)
  }
}
