import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Credential,
  claimed,
  fail,
  mayKeep,
  newCredential,
  nextStep,
  type Outcome,
  type ProviderClock,
  type RotationContext,
  type RotationPolicy,
  restored,
  revoked,
  type SlotName,
  slotNames,
  slotToHandOut,
  succeed,
  type Work,
} from '../../shared/domain/rotation.ts'

const clock: ProviderClock = {
  propagationSeconds: 60,
  lookEverySeconds: 10,
  checkEverySeconds: 300,
  skewSeconds: 12,
  firstRetrySeconds: 2,
  longestRetrySeconds: 30,
  claimSeconds: 20,
}
const policy: RotationPolicy = { everySeconds: 600, stuckAfter: 3, maxDrainSeconds: 3_600 }
const leaseSeconds = 120
/** A worker is killed after this, as a function is at its timeout; a claim is longer. */
const runSeconds = 15

type Lease = { readonly slot: SlotName; readonly generation: number; expiresAt: number }
type Change = { readonly at: number; readonly generation: number | undefined }

/** What one worker is in the middle of. */
type Run = { readonly claimed: Credential; readonly work: Work; readonly startedAt: number; outcome?: Outcome }

type Faults = { readonly isTampered: boolean }

/** One credential with all that is outside of it: a provider that takes its time, Secrets Manager, leases, the item. */
const createWorld = (delays: readonly number[], isReachable: boolean) => {
  let time = 1_000_000
  let item = newCredential('orders-api', 'payments')
  let wasActive = false
  let isTampered = false
  let failsNext = 0
  let calls = 0
  const users: Record<SlotName, Change[]> = { a: [], b: [] }
  const acls = new Set<SlotName>()
  const secrets = new Set<string>()
  const leases: Lease[] = []
  const runs = new Map<number, Run>()
  /** Secret -> how often the lease store was asked about it, and the latest lease that it told of and that was noted. */
  const looks = new Map<string, number>()
  const leased = new Map<string, number>()
  let drainingSince = 0

  const secretOf = (slot: SlotName, generation: number): string => `${slot}:${generation}`
  /** Half of the allowed skew either way. */
  const skewOf = (actor: number): number => (actor % 2 === 0 ? clock.skewSeconds / 2 : -clock.skewSeconds / 2)
  const nowOf = (actor: number): Date => new Date((time + skewOf(actor)) * 1000)
  const contextOf = (actor: number): RotationContext => ({
    now: nowOf(actor),
    clock,
    policy,
    longestLeaseSeconds: leaseSeconds,
    jitter: 0.5,
  })

  const tell = (slot: SlotName, generation: number | undefined): void => {
    const delay = (delays[calls++ % delays.length] ?? 0) * clock.propagationSeconds
    const changes = users[slot]
    // a provider brings changes in the order in which it was told
    changes.push({ at: Math.max(changes.at(-1)?.at ?? 0, time + delay), generation })
  }
  const told = (slot: SlotName): number | undefined => users[slot].at(-1)?.generation
  const logsIn = (slot: SlotName, generation: number): boolean =>
    users[slot].findLast((change) => change.at <= time)?.generation === generation
  const works = (slot: SlotName, generation: number): boolean => logsIn(slot, generation) && acls.has(slot)

  /** Never before there is something to be learned: what was known then has to have ended. */
  const looked = (secret: string, at: number): void => {
    const earliest = Math.max(drainingSince + leaseSeconds, leased.get(secret) ?? 0) + clock.skewSeconds
    if (at < earliest) expect.fail(`looked ${earliest - at} s too early`)
    looks.set(secret, (looks.get(secret) ?? 0) + 1)
  }

  const perform = ({ kind, slot, unlessLeased }: Work, before: Credential, actor: number): Outcome => {
    const { generation } = before.slots[slot]
    switch (kind) {
      case 'begin':
      case 'activate':
        return 'done'
      case 'create':
        if (before.slots[slot].state === 'active' && !secrets.has(secretOf(slot, generation))) return 'lost'
        secrets.add(secretOf(slot, generation))
        tell(slot, generation)
        acls.add(slot)
        return 'done'
      case 'probe':
        if (!secrets.has(secretOf(slot, generation))) return 'lost'
        if (!isReachable) return 'unreachable'
        return works(slot, generation) ? 'works' : 'refused'
      case 'fence': {
        const since = nowOf(actor).getTime() / 1000 - clock.skewSeconds
        if (unlessLeased) drainingSince = before.slots[slot].since.getTime() / 1000
        const ends = leases
          .filter((lease) => lease.slot === slot && lease.expiresAt > since)
          .map((each) => each.expiresAt)
        const leasedUntil = ends.length === 0 ? undefined : Math.max(...ends)
        if (unlessLeased) looked(secretOf(slot, generation), nowOf(actor).getTime() / 1000)
        return !unlessLeased || leasedUntil === undefined ? 'done' : { leasedUntil: new Date(leasedUntil * 1000) }
      }
      case 'remove':
        acls.delete(slot)
        tell(slot, undefined)
        for (const secret of [...secrets]) if (secret.startsWith(`${slot}:`)) secrets.delete(secret)
        return 'done'
    }
  }

  const isTooOld = (run: Run): boolean => time - run.startedAt > runSeconds

  /** One micro-step of a worker: claim, act, write; between any two of them it may die or others may come. */
  const advance = (actor: number): void => {
    const run = runs.get(actor)
    if (run === undefined) {
      const step = nextStep(item, contextOf(actor))
      if (step.kind === 'wait') return
      item = claimed(item, String(actor), contextOf(actor))
      runs.set(actor, { claimed: item, work: step, startedAt: time })
      return
    }
    if (isTooOld(run)) return void runs.delete(actor)
    if (run.outcome === undefined && failsNext > 0) {
      failsNext--
      // a call that failed may have been done all the same
      if (failsNext % 2 === 0) perform(run.work, run.claimed, actor)
      if (item === run.claimed) item = fail(run.claimed, run.work, 'unavailable', contextOf(actor))
      return void runs.delete(actor)
    }
    if (run.outcome === undefined) {
      run.outcome = perform(run.work, run.claimed, actor)
      return
    }
    if (item === run.claimed) {
      item = succeed(run.claimed, run.work, run.outcome, contextOf(actor))
      const { slot } = run.work
      if (typeof run.outcome !== 'string' && run.outcome.leasedUntil !== 'never')
        leased.set(secretOf(slot, item.slots[slot].generation), run.outcome.leasedUntil.getTime() / 1000)
    }
    runs.delete(actor)
    if (slotToHandOut(item) !== undefined) wasActive = true
  }

  /** What resolve does: the lease and a look at the slot's state are one write. */
  const resolve = (actor: number): void => {
    const slot = slotToHandOut(item)
    if (slot === undefined) return
    const now = time + skewOf(actor)
    leases.push({ slot, generation: item.slots[slot].generation, expiresAt: now + leaseSeconds })
  }
  const renew = (actor: number, index: number): void => {
    const now = time + skewOf(actor)
    const live = leases.filter((lease) => lease.expiresAt > now)
    const lease = live[index % Math.max(1, live.length)]
    if (lease !== undefined && mayKeep(item, lease.slot)) lease.expiresAt = now + leaseSeconds
  }

  const check = (): void => {
    if (isTampered || !item.wanted) return
    // expect() for what is wrong only: this runs a million times
    const broken = leases.find((lease) => lease.expiresAt > time && !works(lease.slot, lease.generation))
    if (broken !== undefined) expect.fail(`slot ${broken.slot} does not work for a live lease`)
    if (wasActive && !slotNames.some((slot) => works(slot, item.slots[slot].generation))) expect.fail('no slot works')
    if (slotNames.every((slot) => item.slots[slot].state === 'active')) expect.fail('two slots are active')
  }

  return {
    check,
    pass: (seconds: number) => {
      // in small strides, so that what holds only for a moment is seen
      for (let left = seconds; left > 0; left -= 5) {
        time += Math.min(5, left)
        check()
      }
    },
    advance,
    /** Workers come by every now and then, each for some of its micro-steps; a client that follows its lease is there too. */
    live: (seconds: number, actors: readonly number[], microSteps: number, isHeld: boolean) => {
      for (let left = seconds; left > 0; left -= 7) {
        time += 7
        check()
        if (isHeld) {
          renew(1, 0)
          if (!leases.some((lease) => lease.expiresAt > time)) resolve(1)
        }
        for (let step = 0; step < microSteps; step++)
          for (const each of actors) {
            advance(each)
            check()
          }
      }
    },
    die: (actor: number) => void runs.delete(actor),
    resolve,
    renew,
    release: (index: number) => void leases.splice(index % Math.max(1, leases.length), 1),
    failNext: (count: number) => {
      failsNext = count
    },
    revoke: () => {
      item = revoked(item)
      leases.length = 0
      wasActive = false
    },
    restore: () => {
      item = restored(item)
    },
    /** Somebody on the cluster or in the console. */
    tamper: (what: number, slot: SlotName) => {
      isTampered = true
      if (what === 0) tell(slot, undefined)
      else if (what === 1) tell(slot, -1)
      else for (const secret of [...secrets]) if (secret.startsWith(`${slot}:`)) secrets.delete(secret)
    },
    faults: (): Faults => ({ isTampered }),
    endFaults: () => {
      failsNext = 0
      runs.clear()
      leases.length = 0
    },
    item: () => item,
    /** How often the lease store was asked about each secret that drained. */
    looks: () => [...looks.values()],
    left: () => ({
      users: slotNames.filter((slot) => told(slot) !== undefined),
      acls: [...acls],
      secrets: [...secrets],
    }),
    works,
    /** One worker, alone, for as long as it takes. */
    settle: (until: () => boolean): boolean => {
      for (let stride = 0; stride < 400; stride++) {
        for (let step = 0; step < 12; step++) advance(0)
        if (until()) return true
        time += 10
      }
      return false
    },
  }
}

type World = ReturnType<typeof createWorld>

const actor = fc.nat({ max: 1 })
const slot = fc.constantFrom<SlotName>('a', 'b')
const command: fc.Arbitrary<(world: World) => void> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(actor, fc.nat({ max: 9 })).map(([by, times]) => (world: World) => {
      for (let time = 0; time <= times; time++) {
        world.advance(by)
        world.check()
      }
    }),
  },
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 200 }).map((seconds) => (world: World) => world.pass(seconds)) },
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        fc.integer({ min: 50, max: 900 }),
        fc.constantFrom([0], [1], [0, 1], [1, 0]),
        fc.integer({ min: 1, max: 7 }),
        fc.boolean(),
      )
      .map(
        ([seconds, actors, microSteps, isHeld]) =>
          (world: World) =>
            world.live(seconds, actors, microSteps, isHeld),
      ),
  },
  { weight: 3, arbitrary: actor.map((by) => (world: World) => world.resolve(by)) },
  {
    weight: 3,
    arbitrary: fc.tuple(actor, fc.nat()).map(
      ([by, index]) =>
        (world: World) =>
          world.renew(by, index),
    ),
  },
  { weight: 1, arbitrary: fc.nat().map((index) => (world: World) => world.release(index)) },
  { weight: 2, arbitrary: actor.map((by) => (world: World) => world.die(by)) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 5 }).map((count) => (world: World) => world.failNext(count)) },
)
const steering: fc.Arbitrary<(world: World) => void> = fc.oneof(
  fc.constant((world: World) => world.revoke()),
  fc.constant((world: World) => world.restore()),
)
const tampering = fc.tuple(fc.nat({ max: 2 }), slot).map(
  ([what, name]) =>
    (world: World) =>
      world.tamper(what, name),
)

const story = (...others: readonly fc.Arbitrary<(world: World) => void>[]) =>
  fc.record({
    delays: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 8 }),
    isReachable: fc.boolean(),
    commands: fc.array(fc.oneof({ weight: 9, arbitrary: command }, ...others), { minLength: 10, maxLength: 60 }),
  })

const run = (world: World, commands: readonly ((world: World) => void)[]): void => {
  for (const each of commands) {
    each(world)
    world.check()
  }
}

const hasOneActiveSlot = (world: World): boolean => {
  const handedOut = slotToHandOut(world.item())
  if (handedOut === undefined) return false
  const { slots } = world.item()
  return slotNames.every((name) => name === handedOut || slots[name].state === 'absent')
}

describe('a stored credential, whatever crashes, repeats or comes late between any two calls', () => {
  it('works for who has it until the lease ends, and one slot works at every instant after the first', () => {
    fc.assert(
      fc.property(story(), ({ delays, isReachable, commands }) => {
        run(createWorld(delays, isReachable), commands)
      }),
      { numRuns: 200 },
    )
  })

  it('asks once who holds a slot when its clients renew and move in time, and is rotated all the same', () => {
    const delays = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(delays, fc.boolean(), fc.integer({ min: 1, max: 60 }), (given, isReachable, everySeconds) => {
        const world = createWorld(given, isReachable)
        for (let seconds = 0; seconds < 4_000; seconds += everySeconds) {
          world.pass(everySeconds)
          for (let step = 0; step < 12; step++) world.advance(0)
          world.check()
          // a client that always takes what is handed out and lets go of what it had
          world.release(0)
          world.resolve(0)
        }
        expect(world.looks().length).toBeGreaterThan(2)
        expect(new Set(world.looks())).toEqual(new Set([1]))
      }),
      { numRuns: 50 },
    )
  })

  it('leaves nothing behind once it is revoked, and comes back whole when it is restored', () => {
    fc.assert(
      fc.property(story(steering), ({ delays, isReachable, commands }) => {
        const world = createWorld(delays, isReachable)
        run(world, commands)
        world.endFaults()
        world.revoke()
        expect(world.settle(() => slotNames.every((name) => world.item().slots[name].state === 'absent'))).toBe(true)
        expect(world.left()).toEqual({ users: [], acls: [], secrets: [] })

        world.restore()
        expect(world.settle(() => slotToHandOut(world.item()) !== undefined)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('leaves nothing behind when it is revoked and restored again and again in the middle of every step', () => {
    const step = fc.tuple(actor, fc.boolean()).map(([by, isSlow]) => (world: World) => {
      world.advance(by)
      if (isSlow) world.pass(5)
    })
    const moment = fc.oneof({ weight: 6, arbitrary: step }, { weight: 1, arbitrary: steering })
    fc.assert(
      fc.property(fc.array(moment, { minLength: 20, maxLength: 200 }), (commands) => {
        const world = createWorld([0], true)
        run(world, commands)
        world.revoke()
        expect(world.settle(() => slotNames.every((name) => world.item().slots[name].state === 'absent'))).toBe(true)
        expect(world.left()).toEqual({ users: [], acls: [], secrets: [] })
      }),
      { numRuns: 300 },
    )
  })

  it('is repaired after somebody changed the user, its password or its secret by hand', () => {
    fc.assert(
      fc.property(story(tampering), ({ delays, commands }) => {
        const world = createWorld(delays, true)
        run(world, commands)
        world.endFaults()
        const isRepaired = (): boolean => {
          const name = slotToHandOut(world.item())
          return name !== undefined && world.works(name, world.item().slots[name].generation)
        }
        // one rotation at the most: a secret that is gone cannot be had back
        expect(world.settle(() => isRepaired() && hasOneActiveSlot(world))).toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})
