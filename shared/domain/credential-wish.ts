import { type AccessSubject, grantedParts } from './access.ts'
import { isStored, serviceAccountsOf } from './cluster.ts'
import { type Directory, grantsOf } from './directory.ts'
import { isExpired } from './grant.ts'

/**
 * Whether a principal is to have a stored credential on a cluster: some grant of it leads there. `named`: one that names
 * it, so that the credential is made before anybody asks.
 */
export type CredentialWish = 'named' | 'when asked for' | 'none'

export const credentialWish = (
  directory: Directory,
  cluster: string,
  principal: AccessSubject,
  now: Date,
): CredentialWish => {
  const of = directory.clusters.get(cluster)
  if (of === undefined || !of.auth.some(isStored) || serviceAccountsOf(of, principal.name)?.length === 0) return 'none'
  const held = grantsOf(directory, principal).filter((grant) => !isExpired(grant, now))
  const parts = grantedParts(directory, principal, held).filter(({ route }) => route.cluster === cluster)
  if (parts.some(({ grant }) => grant.principals?.includes(principal.name))) return 'named'
  return parts.length > 0 ? 'when asked for' : 'none'
}
