import { type Directory, grantsOf } from './directory.ts'
import { maximumLeaseSeconds } from './lease.ts'

/**
 * How long a lease of a principal can be, in seconds: by the grants that name it in any of the directories in force, and
 * as long as any when none does, for its labels are not known here. To be wrong about it costs one more look and nothing
 * else.
 */
export const longestLeaseSeconds = (directories: readonly Directory[], principal: string): number => {
  const named = directories.flatMap((directory) => grantsOf(directory, { name: principal, labels: {} }))
  if (named.length === 0) return maximumLeaseSeconds
  return Math.max(...named.map((grant) => Math.min(maximumLeaseSeconds, grant.maxLeaseSeconds ?? maximumLeaseSeconds)))
}
