import { describe, expect, it } from 'vitest'
import {
  type Credential,
  claimed,
  doubted,
  drainsTooLong,
  fail,
  isStuck,
  mayKeep,
  newCredential,
  nextStep,
  type Outcome,
  type RotationContext,
  revoked,
  type Slot,
  type SlotName,
  slotToHandOut,
  succeed,
} from '../../shared/domain/rotation.ts'

const start = Date.UTC(2026, 10, 21, 12)
const at = (seconds: number, jitter = 0): RotationContext => ({
  now: new Date(start + seconds * 1000),
  clock: {
    propagationSeconds: 600,
    lookEverySeconds: 30,
    checkEverySeconds: 3600,
    skewSeconds: 120,
    firstRetrySeconds: 5,
    longestRetrySeconds: 300,
    claimSeconds: 60,
  },
  policy: { everySeconds: 86_400, stuckAfter: 3, maxDrainSeconds: 172_800 },
  longestLeaseSeconds: 900,
  jitter,
})

/** Does what is due at a time and says what came of it; a step that waits is not taken. */
const take = (credential: Credential, context: RotationContext, outcome: Outcome): Credential => {
  const step = nextStep(credential, context)
  if (step.kind === 'wait') throw new Error(`waits until ${step.until?.toISOString()}: ${step.why}`)
  return succeed(credential, step, outcome, context)
}

const stepAt = (credential: Credential, seconds: number): string => {
  const step = nextStep(credential, at(seconds))
  return step.kind === 'wait'
    ? `wait ${((step.until?.getTime() ?? start) - start) / 1000}`
    : `${step.kind} ${step.slot}`
}

/** Slot a handed out since second 30. */
const active = (): Credential => {
  let credential = newCredential('orders-api', 'payments')
  for (const outcome of ['done', 'done'] as const) credential = take(credential, at(0), outcome)
  for (const outcome of ['works', 'done'] as const) credential = take(credential, at(30), outcome)
  return credential
}

const states = ({ slots }: Credential): string => `${slots.a.state} ${slots.b.state}`

describe('the way of a first slot', () => {
  it('goes from nothing to handed out, a step at a time', () => {
    const seen: string[] = []
    let credential = newCredential('orders-api', 'payments')
    for (const [seconds, outcome] of [
      [0, 'done'],
      [0, 'done'],
      [30, 'works'],
      [30, 'done'],
    ] as const) {
      seen.push(stepAt(credential, seconds))
      credential = take(credential, at(seconds), outcome)
    }
    expect(seen).toEqual(['begin a', 'create a', 'probe a', 'activate a'])
    expect(slotToHandOut(credential)).toBe('a')
    expect(credential.slots).toMatchObject({ a: { generation: 1, health: 'works' }, b: { generation: 0 } })
  })

  it('waits for the whole time of the provider, and the skew of two clocks, where no login can be tried', () => {
    let credential = newCredential('orders-api', 'payments')
    for (const outcome of ['done', 'done'] as const) credential = take(credential, at(0), outcome)
    for (let seconds = 30; seconds < 720; seconds += 30) credential = take(credential, at(seconds), 'unreachable')
    expect(credential.slots.a.state).toBe('settling')

    credential = take(credential, at(720), 'unreachable')

    expect(credential.slots.a).toMatchObject({ state: 'ready', health: 'unprobed' })
  })

  it('tells the provider again what should work by now and does not', () => {
    let credential = newCredential('orders-api', 'payments')
    for (const outcome of ['done', 'done'] as const) credential = take(credential, at(0), outcome)
    credential = take(credential, at(719), 'refused')
    expect(credential.slots.a.state).toBe('settling')

    credential = take(credential, at(749), 'refused')

    expect(stepAt(credential, 749)).toBe('create a')
  })
})

describe('a rotation', () => {
  it('begins early enough for the slowest provider, and hands over at its time', () => {
    expect(stepAt(active(), 30 + 3600)).toBe('probe a')
    let credential = take(active(), at(84_000), 'works')
    expect(stepAt(credential, 84_000)).toBe('wait 85530')
    for (const outcome of ['done', 'done'] as const) credential = take(credential, at(85_530), outcome)
    credential = take(credential, at(85_560), 'works')
    expect(stepAt(credential, 85_560)).toBe('wait 86430')

    credential = take(credential, at(86_430), 'done')

    expect(states(credential)).toBe('draining active')
    expect(slotToHandOut(credential)).toBe('b')
    expect(mayKeep(credential, 'a')).toBe(true)
  })

  it('comes up to a tenth earlier, each credential at its own time', () => {
    const { now } = at(30 + 86_400 - 8640)
    const credential = {
      ...active(),
      slots: { ...active().slots, b: { ...active().slots.b, state: 'ready' as const } },
    }
    const checkedAt = now
    credential.slots.a = { ...credential.slots.a, checkedAt }
    expect(nextStep(credential, { ...at(0), now, jitter: 1 })).toMatchObject({ kind: 'activate', slot: 'b' })
    expect(nextStep(credential, { ...at(0), now, jitter: 0 }).kind).toBe('wait')
  })

  it('leaves the old slot alone while a lease names it', () => {
    const { slots } = active()
    const b: Slot = { ...slots.a, state: 'ready', health: 'works' }
    const since = new Date(start - 86_400_000)
    const checkedAt = at(0).now
    const replaced = { ...active(), slots: { a: { ...slots.a, since, checkedAt }, b: { ...b, checkedAt } } }
    const draining = take(replaced, at(0), 'done')
    expect(states(draining)).toBe('draining active')
    // the longest lease and the skew: whoever renews in time has moved by then
    expect(stepAt(draining, 1)).toBe('wait 1020')
    expect(nextStep(draining, at(1_020))).toEqual({ kind: 'fence', slot: 'a', unlessLeased: true })
    const leased = take(draining, at(1_020), { leasedUntil: at(1_500).now })
    expect(states(leased)).toBe('draining active')
    expect(stepAt(leased, 1_021)).toBe('wait 1620')
    const standing = take(leased, at(1_620), { leasedUntil: 'never' })
    expect(stepAt(standing, 1_621)).toBe('wait 2640')

    const fenced = take(standing, at(2_640), 'done')

    expect(fenced.slots.a.lookAt).toBeUndefined()
    expect(mayKeep(fenced, 'a')).toBe(false)
    expect(stepAt(fenced, 2_640)).toBe('remove a')
    expect(states(take(fenced, at(2_640), 'done'))).toBe('absent active')
  })

  it('says of a slot that somebody does not let go of that it drains for too long, and leaves it', () => {
    const { slots } = active()
    const slot: Slot = { ...slots.a, state: 'draining', since: at(0).now }
    const tooLongAt = (seconds: number): boolean => drainsTooLong(slot, at(seconds))
    expect([tooLongAt(172_800), tooLongAt(172_801)]).toEqual([false, true])
    expect(drainsTooLong({ ...slot, state: 'active' }, at(999_999))).toBe(false)
    expect(mayKeep({ ...active(), slots: { ...slots, a: slot } }, 'a')).toBe(true)
  })

  it('does not use the name of a removed slot before the provider has forgotten it', () => {
    const { slots } = active()
    const since = at(100).now
    const lost: Credential = {
      ...active(),
      slots: { a: { ...slots.a, health: 'lost', checkedAt: since }, b: { ...slots.b, since, generation: 1 } },
    }
    expect(stepAt(lost, 819)).toBe('wait 820')
    expect(stepAt(lost, 820)).toBe('begin b')
  })
})

describe('what somebody did by hand', () => {
  it('a user that is gone is told to the provider again, and not handed out until a login works', () => {
    let credential = take(active(), at(3630), 'refused')
    expect(slotToHandOut(credential)).toBeUndefined()
    expect(stepAt(credential, 3630)).toBe('create a')
    credential = take(credential, at(3630), 'done')
    expect(slotToHandOut(credential)).toBeUndefined()
    expect(mayKeep(credential, 'a')).toBe(true)

    credential = take(credential, at(3660), 'works')

    expect(slotToHandOut(credential)).toBe('a')
  })

  it('a secret that is gone is handed to nobody else, and the other slot is made at once', () => {
    const credential = take(active(), at(3630), 'lost')
    expect(slotToHandOut(credential)).toBeUndefined()
    expect(mayKeep(credential, 'a')).toBe(true)
    expect(stepAt(credential, 3630)).toBe('begin b')
  })
})

describe('a slot that somebody doubts', () => {
  it('is proven at once, and then in its time again', () => {
    const before = active()
    expect(stepAt(before, 60)).toBe('wait 3630')
    const changed = doubted(before, 'a') ?? before
    expect(stepAt(changed, 60)).toBe('probe a')
    expect(stepAt(take(changed, at(60), 'works'), 61)).toBe('wait 3660')
  })

  it('is not doubted twice, nor while somebody works on it, nor when it is not handed out', () => {
    const before = active()
    const changed = doubted(before, 'a') ?? before
    expect(doubted(changed, 'a')).toBeUndefined()
    expect(doubted(claimed(before, 'worker-1', at(60)), 'a')).toBeUndefined()
    expect(doubted(before, 'b')).toBeUndefined()
    expect(doubted(take(changed, at(60), 'lost'), 'a')).toBeUndefined()
    expect(doubted(revoked(before), 'a')).toBeUndefined()
  })
})

describe('who works on it', () => {
  it('is alone: a claim keeps others away until it ends for the slowest clock', () => {
    const credential = claimed(newCredential('orders-api', 'payments'), 'worker-1', at(0))
    expect(stepAt(credential, 179)).toBe('wait 180')
    expect(stepAt(credential, 180)).toBe('begin a')
  })

  it('waits longer after each failure, and somebody hears of the third', () => {
    let credential = newCredential('orders-api', 'payments')
    const waits: string[] = []
    let seconds = 0
    for (let count = 0; count < 8; count++) {
      const step = nextStep(credential, at(seconds))
      if (step.kind === 'wait') throw new Error(step.why)
      credential = fail(credential, step, 'throttled', at(seconds))
      const wait = (credential.failures?.retryAt.getTime() ?? 0) / 1000 - start / 1000 - seconds
      waits.push(`${wait}`)
      expect(nextStep(credential, at(seconds + wait - 1)).kind).toBe('wait')
      expect(isStuck(credential, at(0).policy)).toBe(count >= 2)
      seconds += 300
    }
    expect(waits).toEqual(['5', '10', '20', '40', '80', '160', '300', '300'])
  })
})

describe('a revocation', () => {
  it('waits for nobody: not for leases, not for the end of a back-off', () => {
    const failing = fail(active(), { kind: 'probe', slot: 'a' as SlotName, unlessLeased: false }, 'down', at(60))
    const credential = revoked(failing)
    expect(slotToHandOut(credential)).toBeUndefined()
    expect(mayKeep(credential, 'a')).toBe(false)
    expect(nextStep(credential, at(60))).toEqual({ kind: 'fence', slot: 'a', unlessLeased: false })
    const fenced = take(credential, at(60), 'done')
    expect(stepAt(take(fenced, at(60), 'done'), 60)).toBe('wait 0')
  })
})
