import { type Cluster, identityPoolsOf, isStored, serviceAccountsOf } from './cluster.ts'
import { kafkaUser, slotUser } from './principal.ts'
import { type Credential, type SlotState, slotNames } from './rotation.ts'

/** A Kafka user of a principal, and whether the principal's access belongs to it now. */
export type PrincipalUser = { readonly user: string; readonly hasAccess: boolean }

/** A fenced slot is nobody's any more, and what is absent may be the name of a user that is still on its way out. */
const withoutAccess: readonly SlotState[] = ['absent', 'fenced']

/** Who a principal is on a cluster when it shows a token. */
const tokenUsers = (cluster: Cluster, prefix: string, principal: string): readonly string[] =>
  identityPoolsOf(cluster, principal) ?? [kafkaUser(prefix, principal)]

/** The names of all Kafka users that a principal can ever have on a cluster. */
export const possibleUsers = (cluster: Cluster, prefix: string, principal: string): readonly string[] => [
  ...tokenUsers(cluster, prefix, principal),
  ...(serviceAccountsOf(cluster, principal) ?? slotNames.map((slot) => slotUser(prefix, principal, slot))),
]

/** An API key of either slot is the one service account: its access is that of the principal, and goes with its last grant. */
const slotUsers = (
  cluster: Cluster,
  prefix: string,
  principal: string,
  credential: Credential | undefined,
): readonly PrincipalUser[] => {
  const isHandedOut = cluster.auth.some(isStored)
  const accounts = serviceAccountsOf(cluster, principal)
  if (accounts !== undefined) return accounts.map((user) => ({ user, hasAccess: isHandedOut }))
  if (credential === undefined) return []
  return (
    slotNames
      // a name that was never ours may be somebody else's
      .filter((slot) => credential.slots[slot].generation > 0)
      .map((slot) => ({
        user: slotUser(prefix, principal, slot),
        hasAccess: isHandedOut && !withoutAccess.includes(credential.slots[slot].state),
      }))
  )
}

/**
 * The Kafka users that a principal can have on a cluster: that of its tokens, and those of its stored credential. All of
 * them are named, so that access that is left over from another policy or state is seen and taken away.
 */
export const principalUsers = (
  cluster: Cluster,
  prefix: string,
  principal: string,
  credential: Credential | undefined,
): readonly PrincipalUser[] => [
  ...tokenUsers(cluster, prefix, principal).map((user) => ({
    user,
    hasAccess: cluster.auth.includes('jwt') || cluster.auth.includes('workload'),
  })),
  ...slotUsers(cluster, prefix, principal, credential),
]

/** Of several settings of one cluster; whoever has access by one of them has it. */
export const mergeUsers = (lists: readonly (readonly PrincipalUser[])[]): readonly PrincipalUser[] => {
  const merged = new Map<string, boolean>()
  for (const { user, hasAccess } of lists.flat()) merged.set(user, hasAccess || merged.get(user) === true)
  return [...merged].map(([user, hasAccess]) => ({ user, hasAccess }))
}
