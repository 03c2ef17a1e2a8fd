import { SwitchboardError, SwitchboardProblem } from '@switchboard-kafka/client'
import { CommandError } from '../command-error.ts'

/** What went wrong, and what whoever reads it does next. */
export type Failure = { readonly found: string; readonly next: string }

const askWhy = (requestId: string | undefined): string =>
  requestId === undefined
    ? 'ask the platform team'
    : `the platform team finds the true reason with \`switchboard why ${requestId}\``

const nextAfterProblem = ({ code, status, requestId, retryable }: SwitchboardProblem): string => {
  switch (code) {
    case 'unauthenticated':
      return `see that the token is alive and made for Switchboard, or that the client's secret is the newest; ${askWhy(requestId)}`
    case 'access_denied':
      return `ask for a grant of these channels; ${askWhy(requestId)}`
    case 'invalid_intent':
      return 'mend the options that it names'
    case 'credential_not_ready':
      return `try again, or wait longer with --wait; ${askWhy(requestId)}`
    case 'rate_limited':
      return 'end clients that are not needed, or ask the platform team for more leases'
    case 'unexpected_answer':
      return status === 404
        ? 'see that --url is the base URL of Switchboard'
        : 'see what stands between this machine and Switchboard, and that --url is its base URL'
    default:
      return retryable ? `try again; ${askWhy(requestId)}` : askWhy(requestId)
  }
}

/** The error of the network below an error of `fetch`. */
export const networkCode = (error: unknown): string | undefined => {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    if (at instanceof SwitchboardError || at instanceof SwitchboardProblem) continue
    const { code } = at as { readonly code?: unknown }
    if (typeof code === 'string') return code
    if (at instanceof AggregateError) {
      const first: unknown = at.errors[0]
      if (first instanceof Error && 'code' in first && typeof first.code === 'string') return first.code
    }
  }
  return undefined
}

/** What to do about a connection that did not come about. */
export const nextAfterNetwork = (code: string | undefined): string => {
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'see that the name is right and that the DNS of this machine knows it'
    case 'ECONNREFUSED':
      return 'nothing listens there: see that host and port are right and that it is up'
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return 'open the way from this machine: security groups, firewalls, routes'
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return 'its certificate is not of an authority that is trusted here'
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'its certificate is for another name: see that the host is written as the certificate has it'
    case 'CERT_HAS_EXPIRED':
      return 'its certificate has ended: whoever runs it has to renew it'
    default:
      return 'see that it is up and that nothing in between breaks the connection'
  }
}

export const nextAfterSecret =
  'see that the AWS credentials of this environment may read it: `secretsmanager:GetSecretValue`, and `kms:Decrypt` with its key'

/** Nothing of this is a secret: errors of the SDK hold none, others are not repeated. */
export const failureOf = (error: unknown): Failure => {
  if (error instanceof CommandError) return { found: error.message, next: 'mend that and try again' }
  if (error instanceof SwitchboardProblem) return { found: error.message, next: nextAfterProblem(error) }
  if (error instanceof SwitchboardError) {
    if (error.code === 'start_timeout' && error.cause !== undefined) {
      const cause = failureOf(error.cause)
      return { found: error.message, next: cause.next }
    }
    if (error.code === 'token_unavailable' && error.cause instanceof Error)
      return { found: error.cause.message, next: 'mend that and try again' }
    if (error.code === 'request_failed') {
      const code = networkCode(error)
      return {
        found: code === undefined ? error.message : `${error.message} (${code})`,
        next: nextAfterNetwork(code),
      }
    }
    if (error.code === 'secret_unavailable') return { found: error.message, next: nextAfterSecret }
    if (error.code === 'request_timeout') return { found: error.message, next: nextAfterNetwork('ETIMEDOUT') }
    return {
      found: error.message,
      next: error.code === 'unsupported' ? 'use a newer version of this command' : 'try again',
    }
  }
  return { found: error instanceof Error ? error.message : 'failed', next: 'try again' }
}

/** One line, and nothing that a terminal would obey: some of it comes from whoever answered. */
export const asLine = (text: string): string => text.replaceAll(/\p{C}/gu, '?')

/** The one line that a command ends with. */
export const toCommandError = (error: unknown): CommandError => {
  if (error instanceof CommandError) return error
  const { found, next } = failureOf(error)
  return new CommandError(asLine(`${found}; ${next}`))
}
