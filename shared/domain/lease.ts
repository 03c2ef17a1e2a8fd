/** Rule 6: the lease time is the minimum of every limit; `limit` names the one that won. */
export type LeaseLimit = { readonly name: string; readonly expiresAt: Date }

export type LeaseTimes = { readonly expiresAt: Date; readonly refreshAfter: Date; readonly limit: string }

/** No credential of ours lives longer than this. */
export const maximumLeaseSeconds = 3600

export const afterSeconds = (now: Date, seconds: number): Date => new Date(now.getTime() + seconds * 1000)

/**
 * A client renews after half of the lease, moved by up to a tenth either way so that a fleet does not return at once.
 * @param jitter 0 to 1
 */
export const leaseTimes = (limits: readonly LeaseLimit[], now: Date, jitter: number): LeaseTimes => {
  const shortest = limits.reduce((best, limit) => (limit.expiresAt < best.expiresAt ? limit : best), {
    name: 'maximum',
    expiresAt: afterSeconds(now, maximumLeaseSeconds),
  })
  // tokens count in whole seconds, and a lease never promises more than its token
  const expiresAt = new Date(Math.floor(shortest.expiresAt.getTime() / 1000) * 1000)
  const life = Math.max(0, expiresAt.getTime() - now.getTime())
  return {
    expiresAt,
    refreshAfter: new Date(now.getTime() + Math.round(life * (0.4 + 0.2 * jitter))),
    limit: shortest.name,
  }
}
