import { type AccessSubject, grantedParts } from './access.ts'
import { type Directory, grantsOf } from './directory.ts'
import { isExpired } from './grant.ts'
import { isUnlimited, type Quota, withRates } from './quota.ts'

/**
 * The quota of a principal on a cluster: of several grants that lead there the smallest rate wins, as the shortest lease
 * does (rule 6), and a grant that says nothing of a rate does not change it. Otherwise a grant that only adds a channel
 * would lift the limit that another one set.
 */
export const computeQuota = (directory: Directory, cluster: string, principal: AccessSubject, now: Date): Quota => {
  const held = grantsOf(directory, principal).filter((grant) => !isExpired(grant, now) && !isUnlimited(grant.quota))
  if (held.length === 0) return {}
  const parts = grantedParts(directory, principal, held).filter(({ route }) => route.cluster === cluster)
  const actions = { produceBytesPerSecond: 'produce', consumeBytesPerSecond: 'consume' } as const
  return withRates((rate) => {
    const rates = parts.flatMap(({ action, grant }) => (action === actions[rate] ? (grant.quota[rate] ?? []) : []))
    return rates.length === 0 ? undefined : Math.min(...rates)
  })
}
