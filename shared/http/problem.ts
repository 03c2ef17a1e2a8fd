import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { SwitchboardError, type SwitchboardErrorCode } from '../domain/errors.ts'

type ProblemKind = { readonly status: number; readonly title: string; readonly retryable: boolean }

/** Codes on the wire. `docs/problems.md` has a heading for each; a code without a row does not compile. */
export const problems = {
  invalid_intent: { status: 400, title: 'The intent is not valid', retryable: false },
  unauthenticated: { status: 401, title: 'The caller is not authenticated', retryable: false },
  access_denied: { status: 403, title: 'No grant allows this', retryable: false },
  not_found: { status: 404, title: 'There is nothing here', retryable: false },
  method_not_allowed: { status: 405, title: 'The method is not allowed here', retryable: false },
  not_acceptable: { status: 406, title: 'No representation that was asked for', retryable: false },
  channel_fenced: { status: 409, title: 'The channel is being moved', retryable: true },
  payload_too_large: { status: 413, title: 'The body is too large', retryable: false },
  unsupported_media_type: { status: 415, title: 'The body is not of a type this endpoint reads', retryable: false },
  rate_limited: { status: 429, title: 'Too many requests', retryable: true },
  internal: { status: 500, title: 'Something went wrong on our side', retryable: true },
  credential_not_ready: { status: 503, title: 'The access is being prepared', retryable: true },
  unavailable: { status: 503, title: 'Switchboard cannot decide right now', retryable: true },
} as const satisfies Record<SwitchboardErrorCode, ProblemKind>

const typeOf = (code: SwitchboardErrorCode): string =>
  `https://github.com/switchboard-kafka/switchboard/blob/main/docs/problems.md#${code}`

/** What is not ours becomes `internal` with nothing of its message on the wire. */
export const asSwitchboardError = (error: unknown): SwitchboardError =>
  error instanceof SwitchboardError
    ? error
    : new SwitchboardError('internal', {
        reason: error instanceof Error ? `${error.name}: ${error.message}` : 'something that is no error was thrown',
        cause: error,
      })

/** @see https://www.rfc-editor.org/rfc/rfc9457 */
export const renderProblem = (error: SwitchboardError, requestId: string): APIGatewayProxyStructuredResultV2 => {
  const { status, title, retryable } = problems[error.code]
  return {
    statusCode: status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-request-id': requestId,
      ...(error.retryAfterSeconds === undefined ? {} : { 'retry-after': String(error.retryAfterSeconds) }),
      ...error.headers,
    },
    body: JSON.stringify({
      type: typeOf(error.code),
      title,
      status,
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      instance: `urn:switchboard:request:${requestId}`,
      code: error.code,
      retryable,
      ...(error.errors.length === 0 ? {} : { errors: error.errors }),
    }),
  }
}
