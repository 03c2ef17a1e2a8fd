import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type { SwitchboardError, SwitchboardErrorCode } from '../domain/errors.ts'
import { problems } from './problem.ts'

/** What the token endpoint says no with, and its status. All of RFC 6749 5.2, but for what it has no use for. */
const statuses = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unsupported_grant_type: 400,
  invalid_scope: 400,
} as const

export type OAuthErrorCode = keyof typeof statuses

export const oauthErrorCodes = Object.keys(statuses) as [OAuthErrorCode, ...OAuthErrorCode[]]

export type OAuthErrorOptions = {
  /** What strangers may read. */
  readonly detail: string
  /** The true reason, for logs and the audit trail only. */
  readonly reason?: string | undefined
  readonly cause?: unknown
}

/** @see https://www.rfc-editor.org/rfc/rfc6749#section-5.2 */
export class OAuthError extends Error {
  readonly code: OAuthErrorCode
  readonly detail: string
  readonly reason: string | undefined

  constructor(code: OAuthErrorCode, { detail, reason, cause }: OAuthErrorOptions) {
    super(reason ?? detail, { cause })
    this.name = 'OAuthError'
    this.code = code
    this.detail = detail
    this.reason = reason
  }
}

const headersOf = (requestId: string): Readonly<Record<string, string>> => ({
  'cache-control': 'no-store',
  pragma: 'no-cache',
  'x-request-id': requestId,
})

/** RFC 6749 5.2: printable ASCII without `"` and `\`. */
const describable = (text: string): string => text.replace(/[^ !#-[\]-~]/g, '?')

/** Stock clients print the description and hide the headers, so the request's id is in both. */
export const renderOAuthError = (
  { code, detail }: Pick<OAuthError, 'code' | 'detail'>,
  requestId: string,
): APIGatewayProxyStructuredResultV2 => ({
  statusCode: statuses[code],
  headers: {
    'content-type': 'application/json',
    ...headersOf(requestId),
    ...(statuses[code] === 401 ? { 'www-authenticate': 'Basic realm="switchboard"' } : {}),
  },
  body: JSON.stringify({ error: code, error_description: describable(`${detail} (request ${requestId})`) }),
})

/** The same refusal in the words of OAuth; what is not here may succeed later. */
const oauthCodes: Readonly<Partial<Record<SwitchboardErrorCode, OAuthErrorCode>>> = {
  invalid_intent: 'invalid_request',
  payload_too_large: 'invalid_request',
  unsupported_media_type: 'invalid_request',
  access_denied: 'invalid_scope',
}

/**
 * What the token endpoint answers where others answer with a problem. What Kafka clients ask again after (429, 5xx) has no
 * body: librdkafka 2.16 keeps the body of an answer that it retries and puts the next one behind it, so that it could not
 * read the token that it gets at last.
 */
export const renderProblemAsOAuth = (error: SwitchboardError, requestId: string): APIGatewayProxyStructuredResultV2 => {
  const code = oauthCodes[error.code]
  if (code !== undefined)
    return renderOAuthError({ code, detail: error.detail ?? problems[error.code].title }, requestId)
  return {
    statusCode: problems[error.code].status,
    headers: {
      ...headersOf(requestId),
      ...(error.retryAfterSeconds === undefined ? {} : { 'retry-after': String(error.retryAfterSeconds) }),
    },
  }
}
