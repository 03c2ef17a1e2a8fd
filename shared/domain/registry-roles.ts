import { grantedParts } from './access.ts'
import { type Directory, grantsOf } from './directory.ts'
import type { Action } from './grant.ts'
import { isExpired } from './grant.ts'

/** What Confluent Cloud calls what may be done with the subjects of a schema registry. */
export type RegistryRole = 'DeveloperRead' | 'DeveloperWrite'

const rolesOf: Readonly<Record<Action, readonly RegistryRole[]>> = {
  consume: ['DeveloperRead'],
  produce: ['DeveloperRead', 'DeveloperWrite'],
}

/** What a principal may do at the schema registry of a cluster by the grants that name it. */
export const registryRoles = (
  directory: Directory,
  cluster: string,
  principal: string,
  now: Date,
): readonly RegistryRole[] => {
  const subject = { name: principal, labels: {} }
  const held = grantsOf(directory, subject).filter((grant) => grant.schemas && !isExpired(grant, now))
  const parts = grantedParts(directory, subject, held).filter(({ route }) => route.cluster === cluster)
  return [...new Set(parts.flatMap(({ action }) => rolesOf[action]))].sort()
}
