import { SwitchboardError } from './domain/errors.ts'

/** Every name that dashboards, alarms and queries may rely on. */
export const metricNames = {
  resolved: 'Resolved',
  refused: 'Refused',
  failed: 'Failed',
  notReady: 'AccessNotReady',
  accessApplied: 'AccessApplied',
  accessRevoked: 'AccessRevoked',
  messageFailed: 'MessageFailed',
  keyCreated: 'SigningKeyCreated',
  keyActivated: 'SigningKeyActivated',
  keyRemoved: 'SigningKeyRemoved',
  stale: 'ServedStale',
  tokenIssued: 'TokenIssued',
  swept: 'Swept',
  credentialStep: 'CredentialStep',
  credentialStepFailed: 'CredentialStepFailed',
  credentialSlots: 'CredentialSlots',
  credentialsStuck: 'CredentialsStuck',
  credentialsOverdue: 'CredentialsOverdue',
  activeSlotBroken: 'ActiveSlotBroken',
  oldestCredential: 'OldestCredentialAge',
  crawled: 'Crawled',
  clusterCrawled: 'ClusterCrawled',
  clusterChanged: 'ClusterChanged',
  clusterCrawlFailed: 'ClusterCrawlFailed',
  clustersFailing: 'ClustersFailing',
  sourcesFailing: 'SourcesFailing',
  factsPublished: 'FactsPublished',
  factsWithheld: 'FactsWithheld',
} as const

export type MetricName = (typeof metricNames)[keyof typeof metricNames]

/** Of a closed set of values: each is a metric of its own, and has its price. */
export type MetricDimension = { readonly name: 'reason' | 'state'; readonly value: string }

export type MetricUnit = 'Count' | 'Seconds'

/** One per decision, allow and deny alike. It holds a hash of the token and never a secret. */
export type AuditEvent = {
  /** `credential`: a stored one was handed out, or one of AWS was or could not be. */
  readonly event: 'decision' | 'token' | 'authentication' | 'credential'
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
  readonly slot?: string
  /** ARN of the role that a principal is on a cluster. */
  readonly role?: string
  /** URL of the schema registry that the credential is for. */
  readonly registry?: string
  readonly generation?: number
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
  /** One more; with a dimension it counts in all and by it. */
  readonly count: (metric: MetricName, dimension?: MetricDimension) => void
  /** What there is at this moment; the last one of an invocation counts. */
  readonly gauge: (metric: MetricName, value: number, unit: MetricUnit, dimension?: MetricDimension) => void
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

type Measured = {
  readonly metric: MetricName
  readonly unit: MetricUnit
  readonly dimension: MetricDimension | undefined
  /** Whether it is also one of the metrics without a dimension. */
  readonly isSum: boolean
  value: number
}

/**
 * Metrics as CloudWatch reads them out of log lines; a line has one value of each dimension.
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
const embeddedMetrics = (
  service: string,
  measured: readonly Measured[],
): readonly Readonly<Record<string, unknown>>[] => {
  const lines = Map.groupBy(measured, ({ dimension, isSum }) => JSON.stringify([dimension, isSum]))
  return [...lines.values()].map((metrics) => {
    const { dimension, isSum = false } = metrics[0] ?? {}
    const dimensions = dimension === undefined ? [['service']] : [['service', dimension.name]]
    return {
      _aws: {
        Timestamp: Date.now(),
        CloudWatchMetrics: [
          {
            Namespace: 'Switchboard',
            Dimensions: dimension !== undefined && isSum ? [['service'], ...dimensions] : dimensions,
            Metrics: metrics.map(({ metric, unit }) => ({ Name: metric, Unit: unit })),
          },
        ],
      },
      service,
      ...(dimension === undefined ? {} : { [dimension.name]: dimension.value }),
      ...Object.fromEntries(metrics.map(({ metric, value }) => [metric, value])),
    }
  })
}

/**
 * Lines of JSON on standard output, one a fact.
 * @param traceHeader what Lambda says of the invocation's trace, such as `Root=1-5759e988-bd862e3fe1be46a994272793;...`
 */
export const createTelemetry = (
  service: 'resolve' | 'rotate' | 'crawl',
  traceHeader: () => string | undefined,
): Telemetry => {
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
  const measured = new Map<string, Measured>()
  const measure = (start: Omit<Measured, 'value'>): Measured => {
    const key = JSON.stringify([start.metric, start.dimension])
    const found = measured.get(key) ?? { ...start, value: 0 }
    measured.set(key, found)
    return found
  }
  return {
    info: (message, fields = {}) => log('INFO', message, fields),
    warn: (message, fields = {}) => log('WARN', message, fields),
    error: (message, error, fields = {}) => log('ERROR', message, { ...errorFields(error), ...fields }),
    count: (metric, dimension) => {
      measure({ metric, unit: 'Count', dimension, isSum: true }).value += 1
    },
    gauge: (metric, value, unit, dimension) => {
      measure({ metric, unit, dimension, isSum: false }).value = value
    },
    audit: (event) => log('INFO', 'audit', { audit: event }),
    flush: () => {
      embeddedMetrics(service, [...measured.values()]).forEach(write)
      measured.clear()
    },
  }
}
