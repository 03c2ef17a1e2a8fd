import {
  type Credential,
  drainsTooLong,
  isStuck,
  type RotationContext,
  type SlotState,
  slotNames,
  slotStates,
} from './rotation.ts'

/** A stored credential and when somebody should have looked at it. */
export type Counted = { readonly credential: Credential; readonly dueAt: Date | undefined }

/** How stored credentials are, all together. */
export type CredentialCensus = {
  /** Slots in each state. */
  readonly states: Readonly<Record<SlotState, number>>
  /** Age of the oldest slot that is handed out, in seconds; 0 when there is none. */
  readonly oldestSeconds: number
  readonly stuck: number
  readonly overdue: number
}

/** How long a step that is due may wait for a sweep and a worker. */
const lateSeconds = 15 * 60

/** Somebody wants it replaced as soon as that can be, and made it look as old as can be. */
const isHurried = (since: Date): boolean => since.getTime() === 0

/**
 * Whether a credential lags behind its policy: nobody came when it was due, what is handed out is older than it may
 * be although there was time for every try, or somebody holds on to a slot that drains.
 */
export const isOverdue = ({ credential, dueAt }: Counted, context: RotationContext): boolean => {
  const { now, clock, policy } = context
  const isLate = (time: Date, seconds: number): boolean => now.getTime() - time.getTime() > seconds * 1000
  if (dueAt !== undefined && isLate(dueAt, lateSeconds)) return true
  const { propagationSeconds, longestRetrySeconds, skewSeconds } = clock
  const longest = policy.everySeconds + propagationSeconds + longestRetrySeconds + skewSeconds + lateSeconds
  return (
    credential.wanted &&
    slotNames.some((name) => {
      const { state, since } = credential.slots[name]
      if (drainsTooLong(credential.slots[name], context)) return true
      return state === 'active' && !isHurried(since) && isLate(since, longest)
    })
  )
}

/** @param contextOf the times of the credential's cluster */
export const countCredentials = (
  all: readonly Counted[],
  contextOf: (credential: Credential) => RotationContext,
): CredentialCensus => {
  const states = Object.fromEntries(slotStates.map((state) => [state, 0])) as Record<SlotState, number>
  let [oldestSeconds, stuck, overdue] = [0, 0, 0]
  for (const counted of all) {
    const { credential } = counted
    const context = contextOf(credential)
    for (const name of slotNames) {
      const { state, since } = credential.slots[name]
      states[state] += 1
      if (state === 'active' && !isHurried(since))
        oldestSeconds = Math.max(oldestSeconds, Math.floor((context.now.getTime() - since.getTime()) / 1000))
    }
    if (isStuck(credential, context.policy)) stuck += 1
    if (isOverdue(counted, context)) overdue += 1
  }
  return { states, oldestSeconds, stuck, overdue }
}
