/** A stored credential has two slots, each a Kafka user of its own; a client instance keeps its slot for its life. */
export type SlotName = 'a' | 'b'

export const slotNames: readonly SlotName[] = ['a', 'b']

/**
 * `absent`: nothing of it is anywhere. `created`: its secret and its user may be there. `settling`: the provider was told, and takes
 * its time. `ready`: logins work. `active`: handed out. `draining`: kept for who has it. `fenced`: nobody may use it; its access, user and secret are taken away.
 */
export const slotStates = ['absent', 'created', 'settling', 'ready', 'active', 'draining', 'fenced'] as const

export type SlotState = (typeof slotStates)[number]

/**
 * What the last login with it showed. `unprobed`: none was possible, the provider's whole time was waited for instead.
 * `refused`: somebody changed it there. `repaired`: the provider was told again, and no login was seen since. `lost`: its
 * secret is gone, so that it works for who has it and can be handed to nobody else.
 */
export type SlotHealth = 'unprobed' | 'works' | 'refused' | 'repaired' | 'lost'

export type Slot = {
  readonly state: SlotState
  /** When it came into this state. */
  readonly since: Date
  /** How many secrets the slot has had: it makes a repeated save the same save. */
  readonly generation: number
  readonly health: SlotHealth
  /** When somebody last looked. */
  readonly checkedAt: Date
  /** When the provider was last told its secret. */
  readonly toldAt: Date
  /** Of one that drains: when the leases that may name it have ended or moved, so that it is worth a look. */
  readonly lookAt?: Date | undefined
}

/** Steps in a row that failed. */
export type Failures = {
  readonly count: number
  readonly step: StepKind
  /** Of a closed set, never a provider's own text. */
  readonly reason: string
  readonly retryAt: Date
}

export type Credential = {
  readonly principal: string
  readonly cluster: string
  readonly slots: Readonly<Record<SlotName, Slot>>
  /** False: revoked, or no grant gives it any more. Both slots go at once, whoever holds a lease. */
  readonly wanted: boolean
  readonly failures: Failures | undefined
  /** Who works on it; nobody else may begin a step before the end. */
  readonly claim: { readonly by: string; readonly until: Date } | undefined
}

/** The provider's times in seconds, as data: a test scales these and never the code. */
export type ProviderClock = {
  /** From the provider's yes until a login works everywhere, and from its removal until the name is free: at worst. */
  readonly propagationSeconds: number
  /** Between two looks at a slot that settles. */
  readonly lookEverySeconds: number
  /** Between two logins that prove an active slot. */
  readonly checkEverySeconds: number
  /** How far apart the clocks of those who write leases and of those who read them may be. */
  readonly skewSeconds: number
  /** After the first failure; doubled by each that follows, up to `longestRetrySeconds`. */
  readonly firstRetrySeconds: number
  readonly longestRetrySeconds: number
  /** Longer than who claimed a credential can still be at work. */
  readonly claimSeconds: number
}

export type RotationPolicy = {
  /** Age at which an active slot is replaced. */
  readonly everySeconds: number
  /** After so many failures in a row somebody should look. */
  readonly stuckAfter: number
  /** A slot that drains for longer is one for somebody to look at; leases keep it all the same. */
  readonly maxDrainSeconds: number
}

export type RotationContext = {
  readonly now: Date
  readonly clock: ProviderClock
  readonly policy: RotationPolicy
  /** How long a lease can be that names a slot: earlier there is no sense in a look at who still does. */
  readonly longestLeaseSeconds: number
  /** 0 to 1, the same for a credential at all times: a fleet that was made at once is not rotated at once. */
  readonly jitter: number
}

export type StepKind = 'begin' | 'create' | 'probe' | 'activate' | 'fence' | 'remove'

/**
 * Something to do, safe to repeat. `begin`: nothing outside; what `create` may leave is owned up to before it is made.
 * `create`: make and save the secret of this generation unless there is one, tell the provider the user and its access. `probe`: log in. `activate`: nothing outside. `fence`: nothing outside, and `unlessLeased` only when no
 * lease names the slot. `remove`: take access, user and secret away, in this order.
 */
export type Work = { readonly kind: StepKind; readonly slot: SlotName; readonly unlessLeased: boolean }

/** `wait` has no `until` when only a change of mind helps. */
export type Step = Work | { readonly kind: 'wait'; readonly until: Date | undefined; readonly why: string }

/** What came of it. `unreachable`: no login can be tried from here. `lost`: no secret. */
export type Outcome = 'done' | 'works' | 'refused' | 'lost' | 'unreachable' | Leased

/** Leases name the slot, the last of them until then. */
export type Leased = { readonly leasedUntil: Date | 'never' }

/** The provider's longest time, however far apart the clocks of who told it and of who waits are. */
const settledAt = ({ toldAt }: Slot, { propagationSeconds, skewSeconds }: ProviderClock): Date =>
  after(toldAt, propagationSeconds + skewSeconds)

const after = (time: Date, seconds: number): Date => new Date(time.getTime() + seconds * 1000)
const later = (a: Date, b: Date): Date => (a > b ? a : b)
const otherSlot = (slot: SlotName): SlotName => (slot === 'a' ? 'b' : 'a')

const absentSince = (since: Date): Slot => ({
  state: 'absent',
  since,
  generation: 0,
  health: 'unprobed',
  checkedAt: since,
  toldAt: since,
})

/** A credential that nobody ever had: its first secret may be saved at once. */
export const newCredential = (principal: string, cluster: string): Credential => ({
  principal,
  cluster,
  slots: { a: absentSince(new Date(0)), b: absentSince(new Date(0)) },
  wanted: true,
  failures: undefined,
  claim: undefined,
})

/** The slot in a state; each of the states that are asked for is held by one slot at most. */
const slotIn = ({ slots }: Credential, ...states: readonly SlotState[]): SlotName | undefined =>
  slotNames.find((name) => states.includes(slots[name].state))

/** When the other slot takes over from one that is active since `since`: up to a tenth early. */
export const activateAt = (since: Date, { policy, jitter }: RotationContext): Date =>
  after(since, policy.everySeconds * (1 - 0.1 * jitter))

/** When to begin with the next slot, so that it is ready by then even if the provider takes its longest. */
export const prepareAt = (since: Date, context: RotationContext): Date => {
  const { propagationSeconds, longestRetrySeconds } = context.clock
  return after(activateAt(since, context), -(propagationSeconds + longestRetrySeconds))
}

/** A slot that can be handed out and proven. */
const isSound = ({ health }: Slot): boolean => health === 'works' || health === 'unprobed'

export const isStuck = ({ failures }: Credential, { stuckAfter }: RotationPolicy): boolean =>
  (failures?.count ?? 0) >= stuckAfter

/** The slot a new lease gets; undefined while there is none. */
export const slotToHandOut = (credential: Credential): SlotName | undefined => {
  const active = slotIn(credential, 'active')
  return credential.wanted && active !== undefined && isSound(credential.slots[active]) ? active : undefined
}

/** Whether a lease that names the slot may be renewed with it. */
export const mayKeep = ({ wanted, slots }: Credential, slot: SlotName): boolean =>
  wanted && (slots[slot].state === 'active' || slots[slot].state === 'draining')

const work = (kind: StepKind, slot: SlotName, unlessLeased = false): Work => ({ kind, slot, unlessLeased })

/** What must happen now, however long ago it became due; of several things the one that takes rights away. */
const dueStep = (credential: Credential, context: RotationContext): Work | undefined => {
  const { now, clock } = context
  const { slots, wanted } = credential
  if (!wanted) {
    const slot = slotIn(credential, 'active', 'draining', 'ready', 'settling', 'created')
    if (slot !== undefined) return work('fence', slot)
  }
  const fenced = slotIn(credential, 'fenced')
  if (fenced !== undefined) return work('remove', fenced)
  if (!wanted) return undefined

  const active = slotIn(credential, 'active')
  const ready = slotIn(credential, 'ready')
  if (ready !== undefined && (active === undefined || isReplaced(slots[active], context)))
    return work('activate', ready)
  if (active !== undefined && slots[active].health === 'refused') return work('create', active)
  if (active !== undefined && now >= checkAt(slots[active], clock)) return work('probe', active)

  const draining = slotIn(credential, 'draining')
  if (draining !== undefined && now >= drainLookAt(slots[draining], context)) return work('fence', draining, true)
  const created = slotIn(credential, 'created')
  if (created !== undefined) return work('create', created)
  const settling = slotIn(credential, 'settling')
  if (settling !== undefined && now >= lookAt(slots[settling], clock)) return work('probe', settling)

  const next = slotToPrepare(credential)
  if (next !== undefined && now >= prepareSlotAt(credential, next, context)) return work('begin', next)
  return undefined
}

/** The slot the next secret goes to; undefined while one is on its way, or none is free. */
const slotToPrepare = (credential: Credential): SlotName | undefined => {
  if (!credential.wanted || slotIn(credential, 'created', 'settling', 'ready') !== undefined) return undefined
  const active = slotIn(credential, 'active')
  const next = active === undefined ? slotIn(credential, 'absent') : otherSlot(active)
  return next !== undefined && credential.slots[next].state === 'absent' ? next : undefined
}

const isReplaced = (active: Slot, context: RotationContext): boolean =>
  !isSound(active) || context.now >= activateAt(active.since, context)

/** A name whose removal is still on its way through the provider is not used again. */
const prepareSlotAt = (credential: Credential, next: SlotName, context: RotationContext): Date => {
  const { since, generation } = credential.slots[next]
  const { propagationSeconds, skewSeconds } = context.clock
  const isFree = generation === 0 ? since : after(since, propagationSeconds + skewSeconds)
  const active = slotIn(credential, 'active')
  if (active === undefined || !isSound(credential.slots[active])) return isFree
  return later(isFree, prepareAt(credential.slots[active].since, context))
}

/** When to look at a slot that settles: now and then, and when its time is over. */
const lookAt = (slot: Slot, clock: ProviderClock): Date => {
  const look = after(slot.checkedAt, clock.lookEverySeconds)
  const last = settledAt(slot, clock)
  return look > last && slot.checkedAt < last ? last : look
}

/** What nobody holds any more was let go of by then, if its clients renew in time. */
const leasesEndAt = (since: Date, { clock, longestLeaseSeconds }: RotationContext): Date =>
  after(since, longestLeaseSeconds + clock.skewSeconds)

const drainLookAt = ({ since, lookAt }: Slot, context: RotationContext): Date => lookAt ?? leasesEndAt(since, context)

/** A lease without end may be moved or ended at any time. */
const lookAgainAt = ({ leasedUntil }: Leased, context: RotationContext): Date => {
  const { now, clock } = context
  if (leasedUntil === 'never') return leasesEndAt(now, context)
  return later(after(leasedUntil, clock.skewSeconds), after(now, clock.lookEverySeconds))
}

/** Somebody who has not moved holds a slot for longer than the policy allows. Nothing ends that but an operator. */
export const drainsTooLong = ({ state, since }: Slot, { now, policy }: RotationContext): boolean =>
  state === 'draining' && now > after(since, policy.maxDrainSeconds)

const checkAt = ({ health, checkedAt }: Slot, { lookEverySeconds, checkEverySeconds }: ProviderClock): Date =>
  after(checkedAt, health === 'repaired' ? lookEverySeconds : checkEverySeconds)

const waitingFor = (credential: Credential, context: RotationContext): Step => {
  const { clock } = context
  const { slots } = credential
  const active = slotIn(credential, 'active')
  const draining = slotIn(credential, 'draining')
  const settling = slotIn(credential, 'settling')
  const next = slotToPrepare(credential)
  const times: { readonly until: Date; readonly why: string }[] = []
  if (active !== undefined) {
    times.push({ until: checkAt(slots[active], clock), why: `slot ${active} is checked then` })
    if (slotIn(credential, 'ready') !== undefined)
      times.push({ until: activateAt(slots[active].since, context), why: `slot ${active} is replaced then` })
  }
  if (draining !== undefined)
    times.push({ until: drainLookAt(slots[draining], context), why: `leases hold slot ${draining}` })
  if (settling !== undefined) times.push({ until: lookAt(slots[settling], clock), why: `slot ${settling} is settling` })
  if (next !== undefined)
    times.push({ until: prepareSlotAt(credential, next, context), why: `slot ${next} is prepared then` })
  const first = times.reduce<(typeof times)[number] | undefined>(
    (best, time) => (best === undefined || time.until < best.until ? time : best),
    undefined,
  )
  return { kind: 'wait', until: first?.until, why: first?.why ?? 'nothing is wanted' }
}

/** The one thing to do now. Pure: the same credential at the same time gives the same step, however often it is asked. */
export const nextStep = (credential: Credential, context: RotationContext): Step => {
  const { failures, claim } = credential
  const claimEnds = claim === undefined ? undefined : after(claim.until, context.clock.skewSeconds)
  if (claimEnds !== undefined && context.now < claimEnds)
    return { kind: 'wait', until: claimEnds, why: 'somebody works on it' }
  if (failures !== undefined && context.now < failures.retryAt)
    return { kind: 'wait', until: failures.retryAt, why: `${failures.step} failed: ${failures.reason}` }
  return dueStep(credential, context) ?? waitingFor(credential, context)
}

/** To be written before the step is begun; the write that fails was somebody else's claim. */
export const claimed = (credential: Credential, by: string, { now, clock }: RotationContext): Credential => ({
  ...credential,
  claim: { by, until: after(now, clock.claimSeconds) },
})

const withSlots = (credential: Credential, changed: Partial<Record<SlotName, Slot>>): Credential => ({
  ...credential,
  slots: { ...credential.slots, ...changed },
  failures: undefined,
  claim: undefined,
})

const move = (slot: Slot, state: SlotState, now: Date, health: SlotHealth = slot.health): Slot => ({
  ...slot,
  state,
  since: now,
  health,
  checkedAt: now,
  lookAt: undefined,
})

/** The slot after a login was tried with it, or could not be. */
const probed = (slot: Slot, outcome: Outcome, { now, clock }: RotationContext): Slot => {
  const isSettling = slot.state === 'settling'
  const hadItsTime = now >= settledAt(slot, clock)
  switch (outcome) {
    case 'works':
      return isSettling ? move(slot, 'ready', now, 'works') : { ...slot, health: 'works', checkedAt: now }
    case 'refused':
      if (!isSettling) return { ...slot, health: 'refused', checkedAt: now }
      // what should work by now and does not is told to the provider once more
      return hadItsTime ? move(slot, 'created', now) : { ...slot, checkedAt: now }
    case 'lost':
      return isSettling ? move(slot, 'fenced', now) : { ...slot, health: 'lost', checkedAt: now }
    default:
      if (isSettling) return hadItsTime ? move(slot, 'ready', now, 'unprobed') : { ...slot, checkedAt: now }
      return { ...slot, health: slot.health === 'repaired' && hadItsTime ? 'unprobed' : slot.health, checkedAt: now }
  }
}

const createdSlot = (slot: Slot, outcome: Outcome, now: Date): Slot => {
  const isActive = slot.state === 'active'
  if (outcome === 'lost') return isActive ? { ...slot, health: 'lost', checkedAt: now } : move(slot, 'fenced', now)
  const told = { ...slot, toldAt: now }
  return isActive ? { ...told, health: 'repaired', checkedAt: now } : move(told, 'settling', now)
}

/** The credential after a step; to be written only over the one that was claimed for it. */
export const succeed = (
  credential: Credential,
  { kind, slot: name }: Work,
  outcome: Outcome,
  context: RotationContext,
): Credential => {
  const { now } = context
  const slot = credential.slots[name]
  const to = (changed: Slot): Credential => withSlots(credential, { [name]: changed })
  switch (kind) {
    case 'begin':
      return to({ ...move(slot, 'created', now, 'unprobed'), generation: slot.generation + 1 })
    case 'create':
      return to(createdSlot(slot, outcome, now))
    case 'probe':
      return to(probed(slot, outcome, context))
    case 'activate': {
      const other = otherSlot(name)
      const before = credential.slots[other]
      const drained: Slot = { ...move(before, 'draining', now), lookAt: leasesEndAt(now, context) }
      const replaced = before.state === 'active' ? { [other]: drained } : {}
      return withSlots(credential, { [name]: move(slot, 'active', now), ...replaced })
    }
    case 'fence':
      return to(
        typeof outcome === 'string'
          ? move(slot, 'fenced', now)
          : { ...slot, checkedAt: now, lookAt: lookAgainAt(outcome, context) },
      )
    case 'remove':
      return to(move(slot, 'absent', now, 'unprobed'))
  }
}

/** The credential after a step failed: tried again later each time, and never given up. */
export const fail = (
  credential: Credential,
  step: Work,
  reason: string,
  { now, clock }: RotationContext,
): Credential => {
  const count = (credential.failures?.count ?? 0) + 1
  const seconds = Math.min(clock.longestRetrySeconds, clock.firstRetrySeconds * 2 ** (count - 1))
  return { ...credential, failures: { count, step: step.kind, reason, retryAt: after(now, seconds) }, claim: undefined }
}

/** Nobody may have it any more, from the next step on. */
export const revoked = (credential: Credential): Credential => ({ ...credential, wanted: false, failures: undefined })

/**
 * Who was handed a slot found something of it missing: it is proven at the next step.
 * @returns undefined where that is so anyway, or is nothing that a proof would change
 */
export const doubted = (credential: Credential, name: SlotName): Credential | undefined => {
  const slot = credential.slots[name]
  const never = new Date(0)
  const isProven = slotToHandOut(credential) === name && slot.checkedAt > never && credential.claim === undefined
  return isProven ? { ...credential, slots: { ...credential.slots, [name]: { ...slot, checkedAt: never } } } : undefined
}

/** It is wanted again; what was taken away meanwhile is made anew. */
export const restored = (credential: Credential): Credential => ({ ...credential, wanted: true, failures: undefined })
