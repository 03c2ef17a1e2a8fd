import type { IamSessions } from '../../shared/clusters/msk/iam-session.ts'
import { signMskToken } from '../../shared/clusters/msk/iam-token.ts'
import type { ConnectionDecision } from '../../shared/domain/decide.ts'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { mskPlaceOf, principalRole } from '../../shared/domain/msk-iam.ts'
import type { Telemetry } from '../../shared/telemetry.ts'
import { type CredentialRequest, credentialEvent } from './audit.ts'

export type MskLoginRequest = CredentialRequest & {
  readonly now: Date
  /** End of the tokens. */
  readonly until: Date
}

/**
 * Cluster -> token, of those connections that log in by IAM. Nothing is made in AWS that would stay: a session that is not
 * used ends by itself.
 * @throws SwitchboardError `unavailable` or `invalid_intent` when there is no session to be had, and then that is audited
 */
export type MskLogins = (
  connections: readonly ConnectionDecision[],
  request: MskLoginRequest,
) => Promise<ReadonlyMap<string, string>>

export type MskLoginsDeps = {
  readonly sessions: IamSessions
  /** ARN of the role that principals are on clusters whose policy names none; undefined: the stack has none. */
  readonly role: string | undefined
  readonly telemetry: Pick<Telemetry, 'audit'>
}

const setRightSeconds = 60

export const createMskLogins =
  ({ sessions, role: roleOfStack, telemetry }: MskLoginsDeps): MskLogins =>
  async (connections, request) => {
    const { principal, now, until } = request
    const login = async ({
      cluster,
      sessionPolicy,
    }: ConnectionDecision): Promise<readonly (readonly [string, string])[]> => {
      if (cluster.provider !== 'msk' || sessionPolicy === undefined) return []
      const { name, arn, iamRole: template = roleOfStack } = cluster
      const role = template === undefined ? undefined : principalRole(template, principal)
      const audit = (outcome: { readonly outcome: 'allow' } | { readonly outcome: 'deny'; readonly reason: string }) =>
        telemetry.audit({
          ...credentialEvent(request),
          cluster: name,
          ...(role === undefined ? {} : { role }),
          ...outcome,
        })
      try {
        if (role === undefined)
          throw new SwitchboardError('unavailable', {
            reason: `the stack has no role for \`${name}\`: deploy it with this cluster in \`mskIamClusters\`, or say \`iam.role\``,
            retryAfterSeconds: setRightSeconds,
          })
        const session = await sessions({ role, principal, cluster: name, policy: sessionPolicy }, until)
        const token = signMskToken(session, mskPlaceOf(arn), now, until)
        audit({ outcome: 'allow' })
        return [[name, token]]
      } catch (error) {
        audit({ outcome: 'deny', reason: error instanceof Error ? `${error.name}: ${error.message}` : 'unknown' })
        throw error
      }
    }
    return new Map((await Promise.all(connections.map(login))).flat())
  }
