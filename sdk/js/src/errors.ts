/** What can go wrong on this side of the wire; a refusal by Switchboard is a {@link SwitchboardProblem}. */
export type SwitchboardErrorCode =
  /** Switchboard could not be reached, or the connection broke. */
  | 'request_failed'
  /** Switchboard did not answer in time. */
  | 'request_timeout'
  /** The answer is not what the contract says; nothing of it was used. */
  | 'malformed_answer'
  /** No lease within the start-up deadline; `cause` is the last reason. */
  | 'start_timeout'
  /** The workload's own token could not be had from the function given. */
  | 'token_unavailable'
  /** The secret with a stored credential could not be read, or is not what the answer says. */
  | 'secret_unavailable'
  /** The Kafka credential is over and no new one could be had yet; `cause` is the last reason. */
  | 'credential_ended'
  /** A Kafka client that was to be replaced took too long to close. */
  | 'close_timeout'
  /** The lease was closed, so nothing renews its credential. */
  | 'lease_closed'
  /** The lease has no such cluster, or several and none was named. */
  | 'unknown_cluster'
  /** The lease was not asked for this channel. */
  | 'unknown_channel'
  /** The cluster wants something that this version or this Kafka client cannot do. */
  | 'unsupported'
  /** The Kafka broker did not accept the token. */
  | 'kafka_refused'

/**
 * Base of everything that this package throws for reasons outside the program; misuse by the program is a `TypeError`.
 *
 * Neither the workload's token nor a Kafka credential is ever part of an error.
 */
export class SwitchboardError extends Error {
  readonly code: string
  /** Whether the same call can succeed later. */
  readonly retryable: boolean

  constructor(code: SwitchboardErrorCode, message: string, options: { retryable?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'SwitchboardError'
    this.code = code
    this.retryable = options.retryable ?? false
  }
}

/** One wrong field of the request: `pointer` is an RFC 6901 JSON Pointer into the intent. */
export type FieldError = { readonly pointer: string; readonly detail: string }

/**
 * Switchboard said no, in its own words.
 *
 * `code` is the contract's (`access_denied`, `unauthenticated`, `invalid_intent`, ...), or `unexpected_answer` when
 * something between the client and Switchboard answered instead. `requestId` leads the platform team to the true reason.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9457 RFC 9457}
 */
export class SwitchboardProblem extends Error {
  readonly code: string
  readonly status: number
  readonly detail: string | undefined
  readonly requestId: string | undefined
  readonly retryable: boolean
  /** How long Switchboard asks to wait. */
  readonly retryAfterMs: number | undefined
  readonly errors: readonly FieldError[]

  constructor(problem: {
    code: string
    status: number
    detail: string | undefined
    requestId: string | undefined
    retryable: boolean
    retryAfterMs: number | undefined
    errors: readonly FieldError[]
  }) {
    const fields = problem.errors.map(({ pointer, detail }) => `\`${pointer}\` ${detail}`).join(', ')
    super(
      [
        `switchboard answered ${problem.status} \`${problem.code}\``,
        problem.detail,
        fields,
        problem.requestId && `request \`${problem.requestId}\``,
      ]
        .filter((part) => part)
        .join(': '),
    )
    this.name = 'SwitchboardProblem'
    this.code = problem.code
    this.status = problem.status
    this.detail = problem.detail
    this.requestId = problem.requestId
    this.retryable = problem.retryable
    this.retryAfterMs = problem.retryAfterMs
    this.errors = problem.errors
  }
}
