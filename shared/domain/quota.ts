import { type AccessSubject, grantedParts } from './access.ts'
import { type Directory, grantsOf } from './directory.ts'
import { isExpired } from './grant.ts'

/**
 * How fast a Kafka user may go, on each broker by itself; a rate that is left out is not limited.
 * @see https://kafka.apache.org/documentation/#design_quotas
 */
export type Quota = {
  readonly produceBytesPerSecond?: number | undefined
  readonly consumeBytesPerSecond?: number | undefined
}

export const quotaRates = ['produceBytesPerSecond', 'consumeBytesPerSecond'] as const

export const isUnlimited = (quota: Quota): boolean => quotaRates.every((rate) => quota[rate] === undefined)

export const isSameQuota = (one: Quota, other: Quota): boolean => quotaRates.every((rate) => one[rate] === other[rate])

const withRates = (rateOf: (rate: (typeof quotaRates)[number]) => number | undefined): Quota =>
  Object.fromEntries(
    quotaRates.flatMap((rate) => {
      const value = rateOf(rate)
      return value === undefined ? [] : [[rate, value]]
    }),
  )

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

/** What none of several policies, of which each may be in force, is stricter than. */
export const mergeQuota = (quotas: readonly Quota[]): Quota =>
  withRates((rate) => {
    const rates = quotas.flatMap((quota) => quota[rate] ?? [])
    return rates.length === 0 || rates.length < quotas.length ? undefined : Math.max(...rates)
  })
