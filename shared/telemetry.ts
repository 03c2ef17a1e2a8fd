import { SwitchboardError } from './domain/errors.ts'

/** Every name that dashboards, alarms and queries may rely on. */
export const metricNames = {
  resolved: 'Resolved',
  refused: 'Refused',
  failed: 'Failed',
  notReady: 'AccessNotReady',
  accessApplied: 'AccessApplied',
  messageFailed: 'MessageFailed',
  keyCreated: 'SigningKeyCreated',
  stale: 'ServedStale',
  tokenIssued: 'TokenIssued',
} as const

export type MetricName = (typeof metricNames)[keyof typeof metricNames]

/** One per decision, allow and deny alike. It holds a hash of the token and never a secret. */
export type AuditEvent = {
  readonly event: 'decision' | 'token' | 'authentication'
  readonly requestId: string
  readonly outcome: 'allow' | 'deny'
  readonly principal?: string
  readonly rule?: number
  readonly reason?: string | undefined
  /** Of the token endpoint. */
  readonly grantType?: string
  readonly cluster?: string
  readonly produce?: readonly string[]
  readonly consume?: readonly string[]
  readonly lease?: string
  readonly expiresAt?: string
  readonly limit?: string
  readonly directory?: string
  readonly tokenHash?: string
}

export type Fields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

export type Telemetry = {
  readonly info: (message: string, fields?: Fields) => void
  readonly warn: (message: string, fields?: Fields) => void
  readonly error: (message: string, error: unknown, fields?: Fields) => void
  readonly count: (metric: MetricName) => void
  readonly audit: (event: AuditEvent) => void
  /** Writes what was counted; once per invocation. */
  readonly flush: () => void
}

/** Names and messages only: an error object of a client may carry a request with its headers. */
const errorFields = (error: unknown): Fields => {
  if (!(error instanceof Error)) return { errorName: 'unknown' }
  const { cause } = error
  return {
    errorName: error.name,
    errorMessage: error.message,
    ...(error instanceof SwitchboardError ? { errorCode: error.code } : { errorStack: error.stack }),
    ...(cause instanceof Error ? { causeName: cause.name, causeMessage: cause.message } : {}),
  }
}

/**
 * Counts as CloudWatch reads them out of a log line.
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
const embeddedMetrics = (
  service: string,
  counted: ReadonlyMap<MetricName, number>,
): Readonly<Record<string, unknown>> => ({
  _aws: {
    Timestamp: Date.now(),
    CloudWatchMetrics: [
      {
        Namespace: 'Switchboard',
        Dimensions: [['service']],
        Metrics: [...counted.keys()].map((name) => ({ Name: name, Unit: 'Count' })),
      },
    ],
  },
  service,
  ...Object.fromEntries(counted),
})

/**
 * Lines of JSON on standard output, one a fact.
 * @param traceHeader what Lambda says of the invocation's trace, such as `Root=1-5759e988-bd862e3fe1be46a994272793;...`
 */
export const createTelemetry = (service: 'resolve' | 'rotate', traceHeader: () => string | undefined): Telemetry => {
  const write = (line: Readonly<Record<string, unknown>>): void => {
    process.stdout.write(`${JSON.stringify(line)}\n`)
  }
  const log = (level: 'INFO' | 'WARN' | 'ERROR', message: string, fields: Readonly<Record<string, unknown>>): void =>
    write({
      level,
      message,
      timestamp: new Date().toISOString(),
      service,
      xray_trace_id: /Root=([^;]+)/.exec(traceHeader() ?? '')?.[1],
      ...fields,
    })
  const counted = new Map<MetricName, number>()
  return {
    info: (message, fields = {}) => log('INFO', message, fields),
    warn: (message, fields = {}) => log('WARN', message, fields),
    error: (message, error, fields = {}) => log('ERROR', message, { ...errorFields(error), ...fields }),
    count: (metric) => void counted.set(metric, (counted.get(metric) ?? 0) + 1),
    audit: (event) => log('INFO', 'audit', { audit: event }),
    flush: () => {
      if (counted.size > 0) write(embeddedMetrics(service, counted))
      counted.clear()
    },
  }
}
