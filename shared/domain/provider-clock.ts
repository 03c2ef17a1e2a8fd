import type { Cluster, Provider } from './cluster.ts'
import { maximumLeaseSeconds } from './lease.ts'
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

/**
 * MSK reads its secrets now and then: a change takes up to 10 minutes to be everywhere, and so does a removal.
 * @see https://docs.aws.amazon.com/msk/latest/developerguide/msk-password.html
 */
export const mskClock: ProviderClock = {
  ...kafkaClock,
  propagationSeconds: 10 * minute,
  lookEverySeconds: 30,
  // a new secret is not seen by MSK for some seconds
  firstRetrySeconds: 10,
}

/**
 * Confluent Cloud takes minutes until an API key works, and says no number.
 * @see https://docs.confluent.io/cloud/current/security/authenticate/workload-identities/service-accounts/api-keys/manage-api-keys.html
 */
export const confluentClock: ProviderClock = {
  ...kafkaClock,
  propagationSeconds: 10 * minute,
  lookEverySeconds: 10,
  // its windows of requests are of seconds
  firstRetrySeconds: 10,
}

const clocks: Readonly<Record<Provider, ProviderClock>> = {
  kafka: kafkaClock,
  msk: mskClock,
  confluent: confluentClock,
}

/** Secrets Manager takes 50 a second in a region, all its users together. */
export const secretWritesPerSecond = 40

export const defaultRotation: RotationPolicy = { everySeconds: 30 * day, stuckAfter: 5, maxDrainSeconds: 30 * day }

/** @param of the credential's cluster; undefined when no policy has it any more */
export const rotationContext = (
  { cluster, principal }: Pick<Credential, 'cluster' | 'principal'>,
  of: Pick<Cluster, 'provider' | 'rotation'> | undefined,
  now: Date,
  longestLeaseSeconds = maximumLeaseSeconds,
): RotationContext => {
  const { clock, ...policy } = of?.rotation ?? {}
  return {
    now,
    clock: { ...clocks[of?.provider ?? 'kafka'], ...clock },
    policy: { ...defaultRotation, ...policy },
    longestLeaseSeconds,
    jitter: spread('jitter', cluster, principal),
  }
}
