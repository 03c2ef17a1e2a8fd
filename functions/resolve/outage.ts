import { SwitchboardError } from '../../shared/domain/errors.ts'
import { SlotSecretError } from '../../shared/secrets/slot-secrets.ts'

const retryAfterSeconds = 2

/** What the AWS clients throw when they give up: throttled for all their attempts, or not answered in time. */
const throttledOrLate = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestTimeout',
  'Throttling',
  'ThrottlingException',
  'TimeoutError',
  'TooManyRequestsException',
  'TransactionInProgressException',
])
const unreachable = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])
/** Why DynamoDB cancels a transaction that nothing is wrong with. */
const cancelledForNow = new Set(['ProvisionedThroughputExceeded', 'ThrottlingError', 'TransactionConflict'])

type ClientError = {
  readonly name?: string
  readonly code?: string
  readonly $retryable?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly CancellationReasons?: readonly { readonly Code?: string }[]
}

const isOutage = (error: Error): boolean => {
  const { name = '', code = '', $retryable, $metadata, CancellationReasons = [] }: ClientError = error
  return (
    $retryable !== undefined ||
    throttledOrLate.has(name) ||
    unreachable.has(code) ||
    ($metadata?.httpStatusCode ?? 0) >= 500 ||
    CancellationReasons.some((reason) => cancelledForNow.has(reason.Code ?? ''))
  )
}

/**
 * A service of AWS that is throttled, slow or down becomes `unavailable`, and a caller comes back; whatever else was
 * thrown stays what it is.
 */
export const outageAsProblem = (error: unknown): unknown =>
  error instanceof Error && (error instanceof SlotSecretError || isOutage(error))
    ? new SwitchboardError('unavailable', {
        reason: `${error.name}: ${error.message}`,
        retryAfterSeconds,
        cause: error,
      })
    : error

/**
 * Answers while half of the function's time is left, so that a caller hears of an outage from us and not from the
 * gateway. Each call of a store is bounded on its own, but a cold request makes six of them one after another.
 */
export const inTime = {
  timeoutEarlyInMillis: 5_000,
  timeoutEarlyResponse: (): never => {
    throw new SwitchboardError('unavailable', { reason: 'no answer was found in time', retryAfterSeconds })
  },
}
