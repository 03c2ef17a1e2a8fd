import type { AssumeRoleCommandInput, AssumeRoleCommandOutput } from '@aws-sdk/client-sts'
import { SwitchboardError } from '../../domain/errors.ts'
import { sessionName } from '../../domain/msk-iam.ts'
import type { IamSession } from './iam-token.ts'

/** What a principal is on a cluster, and no more than what it asked for there. */
export type SessionRequest = {
  /** ARN. */
  readonly role: string
  readonly principal: string
  readonly cluster: string
  /** IAM policy: the session has what it and the role both allow. */
  readonly policy: string
}

export type AssumeRole = (request: SessionRequest) => Promise<IamSession>

/** Who is a role by the role of a function stays it for an hour at most. */
const sessionSeconds = 3_600
/** Beyond this it is no delay of the network: a clock is wrong. */
const toleratedMs = 30_000
/** Until somebody has set right what is wrong in IAM. */
const setRightSeconds = 60

const serverError = (error: unknown): { readonly name: string; readonly message: string } =>
  error instanceof Error ? error : { name: 'unknown', message: '' }

/**
 * What is throttled, late or down is left as it was thrown.
 * @see https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html#API_AssumeRole_Errors
 */
const asProblem = (error: unknown, { role, policy }: SessionRequest): unknown => {
  const { name, message } = serverError(error)
  const reason = `the role \`${role}\` cannot be assumed: ${name}: ${message.slice(0, 300)}`
  switch (name) {
    case 'AccessDenied':
    case 'AccessDeniedException':
    case 'ExpiredTokenException':
    case 'InvalidClientTokenId':
    case 'RegionDisabledException':
    case 'ValidationError':
      return new SwitchboardError('unavailable', { reason, retryAfterSeconds: setRightSeconds, cause: error })
    case 'MalformedPolicyDocument':
    case 'MalformedPolicyDocumentException':
    case 'PackedPolicyTooLarge':
    case 'PackedPolicyTooLargeException':
      return new SwitchboardError('invalid_intent', {
        detail: 'what was asked for does not fit into one session of AWS; ask for fewer channels, or by wider patterns',
        reason: `${reason} (a session policy of ${policy.length} characters)`,
        cause: error,
      })
    default:
      return error
  }
}

/** STS, which is loaded when the first session is asked for. */
export type CallSts = (input: AssumeRoleCommandInput) => Promise<Pick<AssumeRoleCommandOutput, 'Credentials'>>

/**
 * Sessions of roles, by STS.
 * @throws SwitchboardError `unavailable` when the role does not let us, `invalid_intent` when AWS takes no such policy
 */
export const createAssumeRole =
  (call: CallSts, clock: () => Date): AssumeRole =>
  async (request) => {
    const { role, principal, cluster, policy } = request
    const { Credentials } = await call({
      RoleArn: role,
      RoleSessionName: sessionName(principal),
      Policy: policy,
      DurationSeconds: sessionSeconds,
      Tags: [
        { Key: 'switchboard:principal', Value: principal },
        { Key: 'switchboard:cluster', Value: cluster },
      ],
    }).catch((error: unknown) => {
      throw asProblem(error, request)
    })
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials ?? {}
    if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration)
      throw new SwitchboardError('unavailable', {
        reason: `the role \`${role}\` was assumed without credentials`,
        retryAfterSeconds: 2,
      })
    const aheadMs = Expiration.getTime() - sessionSeconds * 1_000 - clock().getTime()
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken,
      expiresAt: Expiration,
      aheadMs: Math.abs(aheadMs) > toleratedMs ? aheadMs : 0,
    }
  }

const maximumSessions = 1_000

/** A session that covers a token until then, which STS is asked for only when no earlier one does. */
export type IamSessions = (request: SessionRequest, until: Date) => Promise<IamSession>

/** Sessions in memory, each for one principal, cluster, role and policy: with another policy it is another session. */
export const createIamSessions = (assumeRole: AssumeRole): IamSessions => {
  const held = new Map<string, IamSession>()
  const pending = new Map<string, Promise<IamSession>>()

  const assume = async (key: string, request: SessionRequest): Promise<IamSession> => {
    try {
      const session = await assumeRole(request)
      if (held.size >= maximumSessions) held.clear()
      held.set(key, session)
      return session
    } finally {
      pending.delete(key)
    }
  }

  return async (request, until) => {
    const key = JSON.stringify([request.role, request.principal, request.cluster, request.policy])
    const known = held.get(key)
    if (known !== undefined && known.expiresAt.getTime() >= until.getTime() + known.aheadMs) return known
    const asked = pending.get(key) ?? assume(key, request)
    pending.set(key, asked)
    return asked
  }
}
