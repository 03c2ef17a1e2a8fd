import { type AccessPath, selectAccessPath } from './access-path.ts'
import type { Admission } from './admission.ts'
import { type Cluster, type CredentialKind, identityPoolsOf, type SchemaRegistry } from './cluster.ts'
import {
  type Directory,
  selectGrant,
  selectPatternGrant,
  selectPatternRoutes,
  selectRoute,
  topicOf,
} from './directory.ts'
import { type Action, allowsGroup, type Grant } from './grant.ts'
import { type Intent, type Wish, wishes } from './intent.ts'
import { afterSeconds, type LeaseLimit, type LeaseTimes, leaseTimes } from './lease.ts'
import { maximumMskTokenSeconds } from './msk-iam.ts'
import { sessionPolicy } from './msk-session-policy.ts'
import type { Principal } from './principal.ts'
import { type ClientRole, defaultProfileName, type Profile } from './profile.ts'
import { isRevoked, isRevokedOn, type Revocation } from './revocation.ts'
import type { Route } from './route.ts'
import { topicExpression } from './topic.ts'

/** Everything one cluster contributes to the answer. */
export type ConnectionDecision = {
  readonly cluster: Cluster
  readonly path: AccessPath
  readonly admissions: readonly Admission[]
  readonly profiles: { readonly producer: Profile | undefined; readonly consumer: Profile | undefined }
  readonly group: string | undefined
  /** IAM policy of what is asked for; undefined: nobody logs in there by IAM. */
  readonly sessionPolicy: string | undefined
  /** The registry of the cluster's schemas and the grant that lets there; undefined: there is none, or no such grant. */
  readonly schemas: { readonly registry: SchemaRegistry; readonly grant: Grant } | undefined
}

export type DenyReason =
  | 'principal_denied'
  | 'no_grant'
  | 'group_not_granted'
  | 'no_route'
  | 'no_topic'
  | 'pattern_split'
  | 'pattern_too_wide'
  | 'cluster_quarantined'
  | 'denied_on_cluster'
  | 'no_listener_found'
  | 'no_access_path'
  | 'no_identity_pool'
  | 'no_service_account'
  | 'no_session_policy'
  | 'unknown_profile'

/** Denial is data: it is audited like an allowance, and the caller learns only what its code says. */
export type Decision =
  | {
      readonly outcome: 'allow'
      readonly connections: readonly ConnectionDecision[]
      readonly times: LeaseTimes
      /** What bounded the lease time besides the maximum. */
      readonly limits: readonly LeaseLimit[]
    }
  | {
      readonly outcome: 'deny'
      readonly rule: 1 | 2 | 3 | 4 | 5
      readonly reason: DenyReason
      /** What only the facts of this intent can say. */
      readonly detail?: string
      /** The field of the intent that was refused, an RFC 6901 pointer. */
      readonly pointer: string
    }

export type DecideContext = {
  readonly directory: Directory
  readonly denied: readonly Revocation[]
  readonly now: Date
  /** 0 to 1. */
  readonly jitter: number
  /** Kinds of credentials that the answer has a place for; undefined: all. */
  readonly kinds?: readonly CredentialKind[] | undefined
}

const roleOf: Record<Action, ClientRole> = { produce: 'producer', consume: 'consumer' }

/** The caller's wish, else what the first route says, else the default. */
const selectProfile = (
  directory: Directory,
  role: ClientRole,
  wish: string | undefined,
  routes: readonly Route[],
): Profile | undefined => {
  const name = wish ?? routes.find((route) => route.profiles[role] !== undefined)?.profiles[role] ?? defaultProfileName
  // a policy's profile of the same name stands behind the built-in ones and wins
  return directory.profiles.findLast((profile) => profile.name === name && profile.role === role)
}

type Denial = Extract<Decision, { outcome: 'deny' }>

type Asking = {
  readonly principal: Principal
  readonly wish: Wish
  readonly group: string | undefined
  readonly directory: Directory
  readonly now: Date
}

/** The first grant of a wish that `accepts` takes. */
const grantThat = (
  { principal, wish: { action, asked }, directory, now }: Asking,
  accepts: (grant: Grant) => boolean,
): Grant | undefined =>
  asked.kind === 'channel'
    ? selectGrant(directory, principal, action, asked.channel, now, accepts)
    : selectPatternGrant(directory, principal, action, asked.pattern, now, accepts)

const grantsGroup = ({ principal, wish, group }: Asking, grant: Grant): boolean =>
  wish.action === 'produce' || group === undefined || allowsGroup(grant, principal.name, group)

/** Rule 2 for the schemas of a wish that is admitted, by whichever of its grants says so. */
export const selectSchemasGrant = (asking: Asking, { grant }: Admission): Grant | undefined =>
  grant.schemas ? grant : grantThat(asking, (each) => each.schemas && grantsGroup(asking, each))

/** Rules 2 and 3 for one wish. */
export const admit = (
  principal: Principal,
  wish: Wish,
  group: string | undefined,
  directory: Directory,
  now: Date,
): { readonly outcome: 'admit'; readonly admissions: readonly Admission[] } | Denial => {
  const { action, asked, pointer } = wish
  const asking = { principal, wish, group, directory, now }
  const deny = (rule: 2 | 3, reason: DenyReason): Denial => ({ outcome: 'deny', rule, reason, pointer })
  const grant = grantThat(asking, (each) => grantsGroup(asking, each))
  if (grant === undefined)
    return deny(2, grantThat(asking, () => true) === undefined ? 'no_grant' : 'group_not_granted')

  const common = { action, asked: asked.name, grant }
  if (asked.kind === 'channel') {
    const route = selectRoute(directory, principal, asked.channel)
    if (route === undefined) return deny(3, 'no_route')
    const topic = topicOf(route, asked.channel)
    if (topic === undefined) return deny(3, 'no_topic')
    return { outcome: 'admit', admissions: [{ ...common, kind: 'channel', route, topic }] }
  }
  const routes = selectPatternRoutes(directory, principal, asked.pattern)
  if (routes.outcome === 'wide') return deny(3, 'pattern_too_wide')
  if (routes.outcome === 'split') return deny(3, 'pattern_split')
  if (routes.parts.length === 0) return deny(3, 'no_route')
  const admissions = routes.parts.map(({ route, both }): Admission => {
    const expression = topicExpression(route.topic, route.channel, both)
    return { ...common, kind: 'pattern', route, both, expression }
  })
  return { outcome: 'admit', admissions }
}

/** Why nobody but a principal of the cluster's own gets in: what would make it one is missing. */
const notKnownThere = ({ auth }: Cluster): DenyReason =>
  auth.includes('jwt') || auth.includes('workload') ? 'no_identity_pool' : 'no_service_account'

/** Rules 2 to 6, in their order; rule 1 named the principal. Pure: the same facts give the same decision. */
export const decide = (
  principal: Principal,
  intent: Intent,
  { directory, denied, now, jitter, kinds }: DecideContext,
): Decision => {
  if (isRevoked(denied, principal.name)) return { outcome: 'deny', rule: 1, reason: 'principal_denied', pointer: '' }

  const group = intent.consume.length > 0 ? (intent.group ?? principal.name) : undefined
  const byCluster = new Map<string, Admission[]>()
  const schemasGrants = new Map<string, Grant>()
  for (const wish of wishes(intent)) {
    const found = admit(principal, wish, group, directory, now)
    if (found.outcome === 'deny') return found
    for (const admission of found.admissions) {
      const { cluster } = admission.route
      const admissions = byCluster.get(cluster) ?? []
      byCluster.set(cluster, admissions)
      admissions.push(admission)
      if (directory.clusters.get(cluster)?.schemaRegistry === undefined || schemasGrants.has(cluster)) continue
      const grant = selectSchemasGrant({ principal, wish, group, directory, now }, admission)
      if (grant !== undefined) schemasGrants.set(cluster, grant)
    }
  }

  const connections: ConnectionDecision[] = []
  const limits: LeaseLimit[] = []
  for (const [name, admissions] of byCluster) {
    const cluster = directory.clusters.get(name)
    if (cluster === undefined || cluster.quarantined)
      return { outcome: 'deny', rule: 4, reason: 'cluster_quarantined', pointer: '' }
    if (isRevokedOn(denied, principal.name, name))
      return { outcome: 'deny', rule: 4, reason: 'denied_on_cluster', pointer: '' }
    if (cluster.listeners.length === 0) return { outcome: 'deny', rule: 5, reason: 'no_listener_found', pointer: '' }
    const caller = { network: intent.network, family: intent.client.family, kinds }
    const path = selectAccessPath(cluster, { ...caller, principal: principal.name })
    if (path === undefined)
      return selectAccessPath(cluster, caller) === undefined
        ? { outcome: 'deny', rule: 5, reason: 'no_access_path', pointer: '/network' }
        : { outcome: 'deny', rule: 5, reason: notKnownThere(cluster), pointer: '' }

    const profiles: { producer: Profile | undefined; consumer: Profile | undefined } = {
      producer: undefined,
      consumer: undefined,
    }
    for (const action of ['produce', 'consume'] as const) {
      const concerned = admissions.filter((admission) => admission.action === action)
      if (concerned.length === 0) continue
      const role = roleOf[action]
      const wish = intent.profile[role]
      const profile = selectProfile(
        directory,
        role,
        wish,
        concerned.map((admission) => admission.route),
      )
      if (profile === undefined)
        return { outcome: 'deny', rule: 5, reason: 'unknown_profile', pointer: `/profile/${role}` }
      profiles[role] = profile
    }
    const ofConsumer = profiles.consumer === undefined ? undefined : group
    const use = { admissions, group: ofConsumer }
    const session =
      path.kind === 'msk-iam' && cluster.provider === 'msk'
        ? sessionPolicy(directory, principal, cluster, use, now)
        : undefined
    if (session?.outcome === 'refused')
      return { outcome: 'deny', rule: 5, reason: 'no_session_policy', detail: session.problem, pointer: '' }
    const schemasGrant = schemasGrants.get(name)
    const schemas =
      cluster.schemaRegistry === undefined || schemasGrant === undefined
        ? undefined
        : { registry: cluster.schemaRegistry, grant: schemasGrant }
    if (schemas?.registry.kind === 'jwt' && identityPoolsOf(cluster, principal.name)?.length === 0)
      return { outcome: 'deny', rule: 5, reason: 'no_identity_pool', pointer: '' }
    connections.push({ cluster, path, admissions, profiles, group: ofConsumer, sessionPolicy: session?.text, schemas })
    if (session !== undefined)
      limits.push({ name: `clusters.${name}.msk-iam`, expiresAt: afterSeconds(now, maximumMskTokenSeconds) })

    const grants = admissions.map(({ grant }) => grant)
    for (const grant of schemas === undefined ? grants : [...grants, schemas.grant]) {
      if (grant.maxLeaseSeconds !== undefined)
        limits.push({ name: `grants[${grant.index}].maxLease`, expiresAt: afterSeconds(now, grant.maxLeaseSeconds) })
      if (grant.until !== undefined) limits.push({ name: `grants[${grant.index}].until`, expiresAt: grant.until })
    }
  }
  return { outcome: 'allow', connections, times: leaseTimes(limits, now, jitter), limits }
}
