import { hash } from 'node:crypto'
import { hasNeeded, isAdmitted, type NeededAccess } from '../../shared/domain/access.ts'
import { canonicalJson } from '../../shared/domain/canonical-json.ts'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import type { Principal } from '../../shared/domain/principal.ts'
import type { AccessStore, AppliedAccess } from '../../shared/store/access-store.ts'
import type { Queue } from '../../shared/store/queue.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'

/** What a credential is about to be handed out for. */
export type AccessQuestion = {
  readonly cluster: string
  readonly principal: Principal
  /** Of the pointer: who was revoked meanwhile has lost access that an earlier yes was about. */
  readonly revision: number
  /** Content address of the policy that decided. */
  readonly policy: string
  readonly needed: NeededAccess
  /** What `needed` was computed from: equal keys have equal needs. */
  readonly key: string
}

/**
 * @throws SwitchboardError `credential_not_ready`, and then the access has been asked for; `access_denied` when it was
 * asked for, all that the policy gives was applied after that, and it is still not there
 */
export type RequireAccess = (question: AccessQuestion, now: Date) => Promise<void>

export type RequireAccessDeps = {
  readonly access: Pick<AccessStore, 'read' | 'request'>
  readonly queue: Pick<Queue, 'send'>
  readonly telemetry: Telemetry
}

/** What a new ACL takes on a self-managed cluster, and the queue before it. */
const retryAfterSeconds = 2
const maximumRemembered = 10_000
/** How long it counts that a topic was not there; then its cluster is looked at again. */
const absenceHoldsMs = 30_000

/** What the caller could not know anyway looks the same for every reason. */
export const accessDenied = (reason: string): SwitchboardError =>
  new SwitchboardError('access_denied', {
    reason,
    detail:
      'no grant allows this principal all that it asked for; the platform team finds the reason by the request id',
  })

/** The names that no ACL covers although all that the policy gives was applied since they were asked for. */
const namesOfNothing = (
  applied: AppliedAccess,
  { principal, policy, needed }: AccessQuestion,
  need: string,
  now: Date,
): readonly string[] => {
  const { asked, answered, labels, policies, acls } = applied
  const isAnswered =
    asked?.need === need &&
    answered === true &&
    policies.includes(policy) &&
    canonicalJson(labels) === canonicalJson(principal.labels) &&
    now.getTime() - asked.at.getTime() < absenceHoldsMs
  return isAnswered ? needed.acls.filter((acl) => !isAdmitted(acls, acl)).map(({ name }) => name) : []
}

/** Nothing is handed out that would not work at once. Only a yes is remembered, until anything changes what is in force. */
export const createRequireAccess = ({ access, queue, telemetry }: RequireAccessDeps): RequireAccess => {
  const ready = new Set<string>()

  return async (asking, now) => {
    const { cluster, principal, revision, policy, needed, key } = asking
    const question = JSON.stringify([policy, cluster, principal.name, key])
    const remembered = `${revision} ${question}`
    if (ready.has(remembered)) return
    const applied = await access.read(cluster, principal.name)
    if (applied !== undefined && hasNeeded(applied, needed, policy)) {
      if (ready.size >= maximumRemembered) ready.clear()
      ready.add(remembered)
      return
    }
    const need = hash('sha256', question, 'base64url').slice(0, 22)
    const absent = applied === undefined ? [] : namesOfNothing(applied, asking, need, now)
    if (absent.length > 0)
      throw accessDenied(
        `\`${cluster}\` has nothing named ${absent.map((name) => `\`${name}\``).join(', ')} that the grants of \`${principal.name}\` could reach: make the topic first`,
      )
    if (await access.request(cluster, principal.name, principal.labels, now, need))
      await queue.send({ kind: 'access', cluster, principal: principal.name })
    telemetry.count(metricNames.notReady)
    throw new SwitchboardError('credential_not_ready', {
      detail: 'the access on the cluster is being prepared; ask again',
      reason: `access of \`${principal.name}\` on \`${cluster}\` is not applied yet`,
      retryAfterSeconds,
    })
  }
}
