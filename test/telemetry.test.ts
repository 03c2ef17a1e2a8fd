import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTelemetry, metricNames, type Telemetry } from '../shared/telemetry.ts'

let lines: string[]
let telemetry: Telemetry

beforeEach(() => {
  lines = []
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(String(text))
    return true
  })
  telemetry = createTelemetry('rotate', () => undefined)
})

afterEach(() => {
  vi.restoreAllMocks()
})

type MetricLine = {
  readonly _aws: {
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string
      readonly Dimensions: readonly (readonly string[])[]
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[]
    }[]
  }
} & Readonly<Record<string, unknown>>

/** What CloudWatch makes of the lines: `<metric> <dimension>=<value> ...` and the sum of its values. */
const read = (): Record<string, number> => {
  telemetry.flush()
  const values: Record<string, number> = {}
  for (const line of lines.splice(0).map((text): MetricLine => JSON.parse(text)))
    for (const { Namespace, Dimensions, Metrics } of line._aws.CloudWatchMetrics) {
      expect(Namespace).toBe('Switchboard')
      for (const dimensions of Dimensions)
        for (const { Name, Unit } of Metrics) {
          const key = [`${Name} in ${Unit}`, ...dimensions.map((name) => `${name}=${line[name]}`)].join(' ')
          values[key] = (values[key] ?? 0) + Number(line[Name])
        }
    }
  return values
}

describe('what is counted', () => {
  it('is written once an invocation, and begins at nothing in the next', () => {
    telemetry.count(metricNames.accessApplied)
    telemetry.count(metricNames.accessApplied)
    expect(lines).toEqual([])
    expect(read()).toEqual({ 'AccessApplied in Count service=rotate': 2 })
    expect(read()).toEqual({})
  })

  it('by a reason counts in all and by that reason', () => {
    telemetry.count(metricNames.credentialStepFailed, { name: 'reason', value: 'cluster_denied' })
    telemetry.count(metricNames.credentialStepFailed, { name: 'reason', value: 'cluster_denied' })
    telemetry.count(metricNames.credentialStepFailed, { name: 'reason', value: 'secret_denied' })
    telemetry.count(metricNames.accessApplied)
    expect(read()).toEqual({
      'AccessApplied in Count service=rotate': 1,
      'CredentialStepFailed in Count service=rotate': 3,
      'CredentialStepFailed in Count service=rotate reason=cluster_denied': 2,
      'CredentialStepFailed in Count service=rotate reason=secret_denied': 1,
    })
  })
})

describe('what is measured', () => {
  it('is the last value, also when that is 0, in its unit', () => {
    telemetry.gauge(metricNames.credentialsStuck, 3, 'Count')
    telemetry.gauge(metricNames.credentialsStuck, 0, 'Count')
    telemetry.gauge(metricNames.oldestCredential, 86_400, 'Seconds')
    expect(read()).toEqual({
      'CredentialsStuck in Count service=rotate': 0,
      'OldestCredentialAge in Seconds service=rotate': 86_400,
    })
  })

  it('by a state is no part of a sum over states, which nobody could read', () => {
    telemetry.gauge(metricNames.credentialSlots, 4, 'Count', { name: 'state', value: 'active' })
    telemetry.gauge(metricNames.credentialSlots, 1, 'Count', { name: 'state', value: 'draining' })
    expect(read()).toEqual({
      'CredentialSlots in Count service=rotate state=active': 4,
      'CredentialSlots in Count service=rotate state=draining': 1,
    })
  })
})
