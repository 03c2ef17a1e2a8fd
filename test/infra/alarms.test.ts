import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Stack } from 'aws-cdk-lib'
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns'
import { describe, expect, it } from 'vitest'
import type { SwitchboardProps } from '../../infra/switchboard.ts'
import { root } from '../../local/paths.ts'
import { failureReasons } from '../../shared/domain/failure-reason.ts'
import { metricNames } from '../../shared/telemetry.ts'
import { rendered, type Synthesized, synthesize } from './stack.ts'

const production = synthesize()
const told = synthesize((stack: Stack): SwitchboardProps => ({ alarmTopic: new Topic(stack, 'Pager') as ITopic }))

const alarmsOf = ({ ofType }: Synthesized) =>
  Object.entries(ofType('AWS::CloudWatch::Alarm')).map(([name, { Properties }]) => ({
    name: name.replace(/^Alarms/, ''),
    ...Properties,
  }))

const alarms = alarmsOf(production)

/** `<namespace> <metric> <dimensions>: <statistic> of <seconds> s <operator> <threshold>, <of>/<outOf>, <missing>` */
const rules = Object.fromEntries(
  alarms.map((alarm) => {
    const dimensions = alarm.Dimensions.map(({ Value }: { Value: unknown }) => rendered(Value)).join(' ')
    const operator = alarm.ComparisonOperator === 'LessThanThreshold' ? '<' : '>='
    const when = `${alarm.Statistic} of ${alarm.Period} s ${operator} ${alarm.Threshold}`
    const often = `${alarm.DatapointsToAlarm}/${alarm.EvaluationPeriods}`
    return [
      alarm.name,
      `${alarm.Namespace} ${alarm.MetricName} ${dimensions}: ${when}, ${often}, ${alarm.TreatMissingData}`,
    ]
  }),
)

describe('alarms', () => {
  it('go off when these hold, and when nobody sweeps or counts any more', () => {
    expect(rules).toEqual({
      DeadLetters:
        'AWS/SQS ApproximateNumberOfMessagesVisible <WorkDeadLetters.QueueName>: Maximum of 60 s >= 1, 1/1, notBreaching',
      WorkWaits:
        'AWS/SQS ApproximateAgeOfOldestMessage <WorkQueue.QueueName>: Maximum of 60 s >= 300, 1/1, notBreaching',
      RevocationWaits:
        'AWS/SQS ApproximateAgeOfOldestMessage <WorkRevocations.QueueName>: Maximum of 60 s >= 120, 1/1, notBreaching',
      ResolveFailed: 'Switchboard Failed resolve: Sum of 60 s >= 1, 2/5, notBreaching',
      ResolveCrashed: 'AWS/Lambda Errors <ResolveFunction>: Sum of 60 s >= 1, 1/1, notBreaching',
      ResolveThrottled: 'AWS/Lambda Throttles <ResolveFunction>: Sum of 60 s >= 1, 2/5, notBreaching',
      ServedStale: 'Switchboard ServedStale resolve: Sum of 60 s >= 1, 2/5, notBreaching',
      RotateCrashed: 'AWS/Lambda Errors <RotateFunction>: Sum of 60 s >= 1, 2/5, notBreaching',
      MessageFailed: 'Switchboard MessageFailed rotate: Sum of 60 s >= 1, 3/5, notBreaching',
      CredentialsStuck: 'Switchboard CredentialsStuck rotate: Maximum of 900 s >= 1, 1/1, ignore',
      ClusterFull: 'Switchboard CredentialStepFailed cluster_full rotate: Sum of 900 s >= 1, 1/1, notBreaching',
      CredentialsOverdue: 'Switchboard CredentialsOverdue rotate: Maximum of 900 s >= 1, 1/1, ignore',
      ActiveSlotBroken: 'Switchboard ActiveSlotBroken rotate: Sum of 60 s >= 1, 1/1, notBreaching',
      SweepMissing: 'Switchboard Swept rotate: Sum of 300 s < 1, 1/1, breaching',
      CensusMissing: 'Switchboard CredentialsStuck rotate: SampleCount of 3600 s < 1, 1/1, breaching',
      CrawlDeadLetters:
        'AWS/SQS ApproximateNumberOfMessagesVisible <CrawlWorkDeadLetters.QueueName>: Maximum of 60 s >= 1, 1/1, notBreaching',
      ClustersFailing: 'Switchboard ClustersFailing crawl: Maximum of 3600 s >= 1, 2/2, ignore',
      SourcesFailing: 'Switchboard SourcesFailing crawl: Maximum of 3600 s >= 1, 2/2, ignore',
      FactsWithheld: 'Switchboard FactsWithheld crawl: Sum of 3600 s >= 1, 1/1, notBreaching',
      CrawlMissing: 'Switchboard Crawled crawl: Sum of 3600 s < 1, 2/2, breaching',
    })
  })

  it('watch metrics that the functions have', () => {
    const watched = alarms.filter(({ Namespace }) => Namespace === 'Switchboard').map(({ MetricName }) => MetricName)
    const known: readonly string[] = Object.values(metricNames)
    expect(watched.filter((name) => !known.includes(name))).toEqual([])
  })

  it('tell the topic when they go off and when they are over, and nobody where there is none', () => {
    for (const alarm of alarmsOf(told)) {
      expect(alarm.AlarmActions.map(rendered)).toEqual([expect.stringMatching(/^<Pager/)])
      expect(alarm.OKActions).toEqual(alarm.AlarmActions)
    }
    for (const alarm of alarms) {
      expect(alarm).not.toHaveProperty('AlarmActions')
      expect(alarm).not.toHaveProperty('OKActions')
    }
  })
})

describe('the runbooks', () => {
  const text = readFileSync(join(root, 'docs/operations.md'), 'utf8')
  const [, part = ''] = /^## Alarms$([\s\S]*?)(?:^## |$(?![\s\S]))/m.exec(text) ?? []
  const headings = [...part.matchAll(/^### (.+)$/gm)].map(([, name]) => name)

  it('are one for each alarm, in their order, and for nothing else', () => {
    expect(headings).toEqual(alarms.map(({ name }) => name))
  })

  it('are what each alarm points to', () => {
    for (const { name, AlarmDescription } of alarms)
      expect(AlarmDescription).toMatch(new RegExp(`\\. Runbook: docs/operations\\.md#${String(name).toLowerCase()}$`))
  })

  it('say of every reason that a credential can be stuck for what to do', () => {
    const [, table = ''] = /^### CredentialsStuck$([\s\S]*?)^### /m.exec(text) ?? []
    expect([...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, reason]) => reason)).toEqual([...failureReasons])
  })

  it('have every metric', () => {
    expect(Object.values(metricNames).filter((name) => !text.includes(`\`${name}\``))).toEqual([])
  })
})
