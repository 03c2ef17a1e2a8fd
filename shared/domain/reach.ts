import { type ClusterAccess, clusterAccess, type GrantedPart, grantedParts } from './access.ts'
import { type Cluster, identityPoolsOf } from './cluster.ts'
import type { DecideContext } from './decide.ts'
import { type Directory, grantsOf } from './directory.ts'
import { isExpired } from './grant.ts'
import { afterSeconds, type LeaseLimit, type LeaseTimes, leaseTimes } from './lease.ts'
import type { Principal } from './principal.ts'
import { isRevoked, isRevokedOn } from './revocation.ts'

/** Where a principal's unexpired grants lead: what it may use without an intent that names channels. */
export type Reach = {
  readonly clusters: ReadonlyMap<string, ClusterAccess>
  /** When the next of its grants ends, and with it what is said here. */
  readonly validUntil: Date | undefined
}

export const reachOf = (directory: Directory, principal: Pick<Principal, 'name' | 'labels'>, now: Date): Reach => {
  const held = grantsOf(directory, principal).filter((grant) => !isExpired(grant, now))
  const byCluster = new Map<string, GrantedPart[]>()
  for (const part of grantedParts(directory, principal, held)) {
    const parts = byCluster.get(part.route.cluster)
    if (parts === undefined) byCluster.set(part.route.cluster, [part])
    else parts.push(part)
  }
  const clusters = new Map<string, ClusterAccess>()
  for (const [name, parts] of byCluster) {
    const access = clusterAccess(directory, principal, held, parts, undefined, now)
    if (access.grants.length > 0) clusters.set(name, access)
  }
  const ends = held.flatMap(({ until }) => (until === undefined ? [] : [until.getTime()]))
  return { clusters, validUntil: ends.length === 0 ? undefined : new Date(Math.min(...ends)) }
}

/** Whom grants name and lead to a cluster, sorted. */
export const principalsNamedOn = (directory: Directory, cluster: string, now: Date): readonly string[] => {
  const names = new Set(directory.grants.flatMap(({ principals = [] }) => principals))
  const reaches = (name: string): boolean => {
    const held = grantsOf(directory, { name, labels: {} }).filter((grant) => !isExpired(grant, now))
    return grantedParts(directory, { name, labels: {} }, held).some(({ route }) => route.cluster === cluster)
  }
  return [...names].filter(reaches).sort()
}

export type TokenDenyReason =
  | 'principal_denied'
  | 'no_cluster'
  | 'several_clusters'
  | 'cluster_quarantined'
  | 'denied_on_cluster'
  | 'no_token'

/** Denial is data, as it is for intents. */
export type TokenDecision =
  | {
      readonly outcome: 'allow'
      readonly cluster: Cluster
      readonly access: ClusterAccess
      readonly times: LeaseTimes
    }
  | {
      readonly outcome: 'deny'
      readonly rule: 1 | 2 | 4 | 5
      readonly reason: TokenDenyReason
      /** With `several_clusters`, those to choose from. */
      readonly clusters: readonly string[]
    }

/** What a lease for a token records as its intent. */
export type TokenIntent = { readonly token: string }

/** The cluster that a lease's recorded intent is a token for, or undefined where it is none. */
export const tokenIntentOf = (recorded: unknown): TokenIntent | undefined => {
  const { token } = (recorded ?? {}) as { readonly token?: unknown }
  return typeof token === 'string' ? { token } : undefined
}

/**
 * Whether a principal gets a token for all that it may do on a cluster. Rules 1, 2, 4 and 5, and rule 6 over every grant
 * that reaches the cluster: no part of the token's rights outlives the grant it comes from.
 * @param asked the cluster; undefined where the principal reaches only one that takes tokens
 */
export const decideToken = (
  principal: Principal,
  asked: string | undefined,
  reach: Reach,
  { directory, denied, now, jitter }: DecideContext,
): TokenDecision => {
  const deny = (rule: 1 | 2 | 4 | 5, reason: TokenDenyReason, clusters: readonly string[] = []): TokenDecision => ({
    outcome: 'deny',
    rule,
    reason,
    clusters,
  })
  if (isRevoked(denied, principal.name)) return deny(1, 'principal_denied')
  const takesTokens = (name: string): boolean => {
    const cluster = directory.clusters.get(name)
    if (cluster === undefined) return true
    return cluster.auth.includes('jwt') && identityPoolsOf(cluster, principal.name)?.length !== 0
  }
  const reached = [...reach.clusters.keys()].filter(takesTokens)
  if (asked === undefined && reached.length > 1) return deny(2, 'several_clusters', reached.sort())
  const name = asked ?? reached[0]
  const access = name === undefined ? undefined : reach.clusters.get(name)
  if (name === undefined || access === undefined) return deny(2, 'no_cluster')
  const cluster = directory.clusters.get(name)
  if (cluster === undefined || cluster.quarantined) return deny(4, 'cluster_quarantined')
  if (isRevokedOn(denied, principal.name, name)) return deny(4, 'denied_on_cluster')
  if (!takesTokens(name)) return deny(5, 'no_token')
  const limits = access.grants.flatMap(({ index, maxLeaseSeconds, until }): LeaseLimit[] => [
    ...(maxLeaseSeconds === undefined
      ? []
      : [{ name: `grants[${index}].maxLease`, expiresAt: afterSeconds(now, maxLeaseSeconds) }]),
    ...(until === undefined ? [] : [{ name: `grants[${index}].until`, expiresAt: until }]),
  ])
  return { outcome: 'allow', cluster, access, times: leaseTimes(limits, now, jitter) }
}
