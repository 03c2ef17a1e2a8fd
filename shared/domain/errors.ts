/** Every way Switchboard says no; the wire names of `docs/problems.md`. */
export type SwitchboardErrorCode =
  | 'invalid_intent'
  | 'unauthenticated'
  | 'access_denied'
  | 'channel_fenced'
  | 'rate_limited'
  | 'credential_not_ready'
  | 'unavailable'
  | 'not_found'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'internal'

/** One wrong field of a request: `pointer` is an RFC 6901 JSON Pointer into the body. */
export type FieldError = { readonly pointer: string; readonly detail: string }

export type SwitchboardErrorOptions = {
  /** What strangers may read. */
  readonly detail?: string
  /** The true reason, for logs and the audit trail only. */
  readonly reason?: string
  readonly errors?: readonly FieldError[]
  readonly retryAfterSeconds?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** The one error that crosses layers; `shared/http/problem.ts` turns its code into a status. */
export class SwitchboardError extends Error {
  readonly code: SwitchboardErrorCode
  readonly detail: string | undefined
  readonly reason: string | undefined
  readonly errors: readonly FieldError[]
  readonly retryAfterSeconds: number | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(code: SwitchboardErrorCode, options: SwitchboardErrorOptions = {}) {
    super(options.reason ?? options.detail ?? code, { cause: options.cause })
    this.name = 'SwitchboardError'
    this.code = code
    this.detail = options.detail
    this.reason = options.reason
    this.errors = options.errors ?? []
    this.retryAfterSeconds = options.retryAfterSeconds
    this.headers = options.headers ?? {}
  }
}
