import type { FailureReason } from './failure-reason.ts'

/** Why a step of a stored credential failed, without any word of the secret. */
export class CredentialError extends Error {
  readonly reason: FailureReason

  constructor(reason: FailureReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CredentialError'
    this.reason = reason
  }
}
