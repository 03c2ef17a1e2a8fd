import type { UnprocessedScramSecret } from '@aws-sdk/client-kafka'
import type { FailureReason } from '../../domain/failure-reason.ts'

/**
 * What MSK means by a secret that it did not process. AWS publishes no list of codes: one code, `InvalidSecretArn`, stands
 * for almost everything, its text tells what, and the text about a wrong name also comes for right ones right after they
 * were made. As our names are right, whatever says nothing more is a secret that MSK does not see yet.
 */
export const reasonOfUnprocessed = ({ ErrorCode = '', ErrorMessage = '' }: UnprocessedScramSecret): FailureReason => {
  const says = `${ErrorCode} ${ErrorMessage}`
  if (/limit/i.test(says)) return /rate|throttl|too many requests/i.test(says) ? 'cluster_unavailable' : 'cluster_full'
  if (/throttl|too ?many ?requests|internal|unavailable/i.test(says)) return 'cluster_unavailable'
  if (/not authorized|access ?denied|CreateGrant/i.test(says)) return 'secret_denied'
  if (/default .*key|reserved|must be JSON|same account|not the arn/i.test(says)) return 'secret_unusable'
  return ErrorCode === 'InvalidSecretArn' ? 'secret_unseen' : 'cluster_failed'
}

const denials = [
  'AccessDeniedException',
  'ForbiddenException',
  'UnauthorizedException',
  'UnrecognizedClientException',
  'InvalidSignatureException',
]
const refusals = ['BadRequestException', 'NotFoundException', 'ConflictException']

/** Of a call that failed as a whole. What MSK did not say itself is a connection that was lost or never made. */
export const reasonOfError = (error: unknown): FailureReason => {
  const name = error instanceof Error ? error.name : ''
  if (denials.includes(name)) return 'cluster_denied'
  return refusals.includes(name) ? 'cluster_failed' : 'cluster_unavailable'
}
