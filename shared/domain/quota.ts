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

/** What is undefined is not limited. */
export const withRates = (rateOf: (rate: (typeof quotaRates)[number]) => number | undefined): Quota =>
  Object.fromEntries(
    quotaRates.flatMap((rate) => {
      const value = rateOf(rate)
      return value === undefined ? [] : [[rate, value]]
    }),
  )

/** What none of several policies, of which each may be in force, is stricter than. */
export const mergeQuota = (quotas: readonly Quota[]): Quota =>
  withRates((rate) => {
    const rates = quotas.flatMap((quota) => quota[rate] ?? [])
    return rates.length === 0 || rates.length < quotas.length ? undefined : Math.max(...rates)
  })
