import type { Credential, ProviderClock, RotationContext, RotationPolicy } from './rotation.ts'
import { spread } from './spread.ts'

const minute = 60
const hour = 60 * minute
const day = 24 * hour

/** Kafka with its own users: a login works 33 to 104 ms after the request; seconds are for a controller that changes. */
export const kafkaClock: ProviderClock = {
  propagationSeconds: 10,
  lookEverySeconds: 1,
  checkEverySeconds: hour,
  skewSeconds: 2 * minute,
  firstRetrySeconds: 5,
  longestRetrySeconds: 15 * minute,
  // a run of the function takes a minute at most
  claimSeconds: 90,
}

/** Secrets Manager takes 50 a second in a region, all its users together. */
export const secretWritesPerSecond = 40

export const defaultRotation: RotationPolicy = { everySeconds: 30 * day, stuckAfter: 5 }

/** What a policy says about the stored credentials of a cluster; what it leaves out is the provider's own. */
export type RotationOverrides = Partial<RotationPolicy> & { readonly clock?: Partial<ProviderClock> | undefined }

export const rotationContext = (
  { cluster, principal }: Pick<Credential, 'cluster' | 'principal'>,
  { clock, ...policy }: RotationOverrides,
  now: Date,
): RotationContext => ({
  now,
  clock: { ...kafkaClock, ...clock },
  policy: { ...defaultRotation, ...policy },
  jitter: spread('jitter', cluster, principal),
})
