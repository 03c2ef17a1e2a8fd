import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRotateSigningKeys } from '../../../functions/rotate/rotate-signing-keys.ts'
import { type Credential, slotNames } from '../../../shared/domain/rotation.ts'
import { checkedSigningKeyTimes, keyOf, signingKeyClock } from '../../../shared/domain/signing-key.ts'
import { createSigningKeyCache } from '../../../shared/secrets/signing-key-cache.ts'
import { createSigningKeyStore, type SigningKeys } from '../../../shared/secrets/signing-key-store.ts'
import { recordTelemetry } from '../../fixtures/recorded-telemetry.ts'
import { simulateSecret } from '../../fixtures/simulated-secret.ts'

const times = checkedSigningKeyTimes({
  everySeconds: 600,
  readEverySeconds: 5,
  jwksMaxAgeSeconds: 2,
  brokerRefreshSeconds: 60,
  tokenSeconds: 60,
  outageSeconds: 40,
  skewSeconds: 12,
})
const { propagationSeconds, claimSeconds } = signingKeyClock(times)
const strideMs = 2_000

class Died extends Error {}

type Options = {
  /** How far each copy of resolve is from true time, in seconds. */
  readonly copies: readonly number[]
  /** When each broker read the keys first, in seconds. */
  readonly brokers: readonly number[]
}

/** Our issuer with all that depends on it: a secret, an item, copies of resolve, what caches the JWKS, brokers, tokens. */
const createWorld = ({ copies, brokers: starts }: Options) => {
  let time = Date.UTC(2026, 0, 1)
  let workerSkew = 0
  let callsLeft = Number.POSITIVE_INFINITY
  let diesAfter = false
  let isDead = false
  let outageUntil = 0
  let stored: { credential: Credential; version: number } | undefined
  const telemetry = recordTelemetry()

  /** Each call of a worker may be its last, with and without having had its effect. */
  const call = async <T>(effect: () => T): Promise<T> => {
    if (isDead) throw new Died()
    if (callsLeft-- > 0) return effect()
    isDead = true
    if (diesAfter) effect()
    throw new Died()
  }
  const secret = simulateSecret(call)
  const keys = createSigningKeyStore(secret.client, 'keys')
  const look = createSigningKeyStore(
    { send: (command: never) => send(command) } as unknown as typeof secret.client,
    'keys',
  )
  /** Of whoever is no worker. */
  const send = async (command: never): Promise<unknown> => {
    const before = { callsLeft, isDead }
    callsLeft = Number.POSITIVE_INFINITY
    isDead = false
    try {
      return await secret.client.send(command)
    } finally {
      ;({ callsLeft, isDead } = before)
    }
  }

  const resolves = copies.map((skew) =>
    createSigningKeyCache(
      {
        read: async () => {
          if (time < outageUntil) throw new Error('throttled')
          const ring = await look.readRing()
          // nothing is signed in earnest here: the ids tell all
          const ids = ring && { active: ring.active, published: ring.keys }
          return ids as unknown as SigningKeys | undefined
        },
      },
      () => new Date(time + skew * 1000),
      () => {},
      times.readEverySeconds,
    ),
  )
  let asked = 0
  let cached: { at: number; kids: ReadonlySet<string> } | undefined
  const jwks = async (): Promise<ReadonlySet<string> | undefined> => {
    if (cached === undefined || time - cached.at >= times.jwksMaxAgeSeconds * 1000) {
      const keysHeld = await resolves[asked++ % resolves.length]?.().catch(() => undefined)
      if (keysHeld === undefined) return undefined
      cached = { at: time, kids: new Set(keysHeld.published.map(({ kid }) => kid)) }
    }
    return cached.kids
  }
  const rotate = createRotateSigningKeys({
    credentials: {
      read: () => call(() => stored && { ...stored, dueAt: undefined }),
      write: (expected, credential, dueAt) =>
        call(() => {
          if (dueAt !== undefined) dueAt.toISOString()
          if ((stored?.version ?? 0) !== expected) return false
          stored = { credential, version: expected + 1 }
          return true
        }),
    },
    keys,
    tellReaders: async () => [],
    published: async () => (await call(() => jwks))(),
    queue: { send: async () => void call(() => 0) },
    times,
    telemetry,
    clock: () => new Date(time + workerSkew * 1000),
    createId: () => String(time),
  })

  const brokers = starts.map((start) => ({ next: time + start * 1000, kids: new Set<string>() as ReadonlySet<string> }))
  const tokens = new Map<string, number>()
  let signing = new Set<string>()
  const signed = new Set<string>()

  return {
    telemetry,
    rotate,
    /** One worker; `dies` at its so manieth call, before or after the call's effect. */
    work: async (
      job: () => Promise<unknown>,
      { dies, after, skew }: { dies: number; after: boolean; skew: number },
    ) => {
      callsLeft = dies
      diesAfter = after
      workerSkew = skew
      isDead = false
      await job().catch((error: unknown) => {
        if (!(error instanceof Died)) throw error
      })
      isDead = false
      callsLeft = Number.POSITIVE_INFINITY
    },
    bootBrokers: async () => {
      for (const broker of brokers) broker.kids = (await jwks()) ?? broker.kids
    },
    outage: (seconds: number) => {
      outageUntil = time + seconds * 1000
    },
    /** Time goes on, tokens are made, brokers read the keys when it is time to. */
    pass: async (seconds: number) => {
      for (const end = time + seconds * 1000; time < end; ) {
        time += strideMs
        for (const broker of brokers)
          if (time >= broker.next) {
            broker.next = time + times.brokerRefreshSeconds * 1000
            broker.kids = (await jwks()) ?? broker.kids
          }
        signing = new Set()
        for (const [index, copy] of resolves.entries()) {
          const { active } = await copy()
          signing.add(active.kid)
          signed.add(active.kid)
          const ends = time + ((copies[index] ?? 0) + times.tokenSeconds) * 1000
          tokens.set(active.kid, Math.max(ends, tokens.get(active.kid) ?? 0))
        }
      }
    },
    /** A broker knows the key of every token that has not ended, without asking for it. */
    check: () => {
      for (const [kid, ends] of tokens) {
        if (ends <= time) tokens.delete(kid)
        else if (!brokers.every(({ kids }) => kids.has(kid))) expect.fail(`a broker does not know ${kid}`)
      }
    },
    brokers: () => brokers.map(({ kids }) => [...kids].sort()),
    signing: () => [...signing],
    ring: () => look.readRing(),
    item: () => stored?.credential,
    loseItem: () => {
      stored = undefined
    },
    secret,
    /** How many keys took over from another. */
    activated: () => signed.size - 1,
  }
}

type World = ReturnType<typeof createWorld>

const alive = { dies: Number.POSITIVE_INFINITY, after: false, skew: 0 }

const start = async (options: Options): Promise<World> => {
  const world = createWorld(options)
  await world.work(() => world.rotate.ensure(), alive)
  await world.bootBrokers()
  return world
}

const skew = fc.integer({ min: -6, max: 6 })
const options = fc.record({
  copies: fc.array(skew, { minLength: 1, maxLength: 3 }),
  brokers: fc.array(fc.integer({ min: 0, max: 59 }), { minLength: 1, maxLength: 3 }),
})
const worker = fc.record({
  seconds: fc.integer({ min: 2, max: 80 }),
  dies: fc.oneof({ weight: 2, arbitrary: fc.nat({ max: 25 }) }, { weight: 1, arbitrary: fc.constant(Infinity) }),
  after: fc.boolean(),
  skew,
})

/** Every key that is published is one that the state knows, and the other way round. */
const expectNothingLeft = async (world: World): Promise<void> => {
  const [ring, item] = [await world.ring(), world.item()]
  if (ring === undefined || item === undefined) return expect.fail('there is no key')
  const known = slotNames.filter((name) => item.slots[name].state !== 'absent')
  expect(ring.keys.map(({ slot }) => slot).sort()).toEqual(known)
  for (const name of known) expect(keyOf(ring, name, item.slots[name].generation)).toBeDefined()
  expect(item.slots[ring.active.slot].state).toBe('active')
}

const settle = async (world: World, seconds: number): Promise<void> => {
  for (let passed = 0; passed < seconds; passed += 10) {
    await world.pass(10)
    await world.work(() => world.rotate.run(), alive)
  }
}

describe('our signing keys, whatever dies between any two calls', () => {
  it('rotate 20 times, and no broker ever meets a token of a key that it has not read by itself', async () => {
    await fc.assert(
      fc.asyncProperty(options, fc.array(worker, { minLength: 20, maxLength: 60 }), async (world_, workers) => {
        const world = await start(world_)
        for (let turn = 0; world.activated() < 20; turn++) {
          const each = workers[turn % workers.length] ?? { ...alive, seconds: 10 }
          if (turn > 2_000) expect.fail(`only ${world.activated()} rotations`)
          await world.pass(each.seconds)
          world.check()
          // one that always died at the same call would never get on
          const who = turn % 3 === 2 ? alive : each
          const kids = (await world.ring())?.keys.map(({ kid }) => kid) ?? []
          // somebody is in a hurry now and then, and wins nothing by it
          await world.work(() => (turn % 11 === 8 ? world.rotate.replace(kids, false) : world.rotate.run()), who)
          expect((await world.ring())?.keys.length).toBeLessThanOrEqual(2)
          world.check()
          if (turn % 200 === 100) world.outage(times.outageSeconds)
        }
        await settle(world, 2 * propagationSeconds + claimSeconds)
        await expectNothingLeft(world)
      }),
      { numRuns: 12 },
    )
  })

  it('find back after the state was lost, or the secret was emptied or set back by hand', async () => {
    const accident = fc.constantFrom('lose the state', 'empty the secret', 'set the secret back')
    await fc.assert(
      fc.asyncProperty(options, fc.array(fc.tuple(accident, worker), { maxLength: 6 }), async (world_, accidents) => {
        const world = await start(world_)
        let earlier = world.secret.value()
        for (const [what, each] of accidents) {
          await settle(world, 10 * each.seconds)
          const held = world.secret.value()
          if (what === 'lose the state') world.loseItem()
          else world.secret.set(what === 'empty the secret' ? undefined : earlier)
          earlier = held
          await world.work(() => world.rotate.run(), each)
        }
        await settle(world, 5 * propagationSeconds + 2 * claimSeconds)
        const [kid = ''] = world.signing()
        expect(world.signing()).toHaveLength(1)
        for (const kids of world.brokers()) expect(kids).toContain(kid)
        const before = world.activated()
        await settle(world, 3 * times.everySeconds)
        expect(world.activated()).toBeGreaterThan(before)
        world.check()
      }),
      { numRuns: 15 },
    )
  })

  it('are replaced at once, wherever they are in a rotation and whatever dies: nothing made before is published', async () => {
    await fc.assert(
      fc.asyncProperty(options, fc.integer({ min: 0, max: 900 }), worker, async (world_, seconds, each) => {
        const world = await start(world_)
        await settle(world, seconds)
        const stolen = (await world.ring())?.keys.map(({ kid }) => kid) ?? []
        await world.work(() => world.rotate.replace(stolen, true), { ...each, skew: 6 })
        await world.work(() => world.rotate.replace(stolen, true), { ...alive, skew: 6 })
        const replaced = (await world.ring())?.keys.map(({ kid }) => kid) ?? []
        expect(replaced).toHaveLength(1)
        expect(stolen).not.toContain(replaced[0])
        await world.work(() => world.rotate.replace(stolen, true), { ...alive, skew: 6 })
        expect((await world.ring())?.keys.map(({ kid }) => kid)).toEqual(replaced)
        await settle(world, times.readEverySeconds + times.jwksMaxAgeSeconds + times.brokerRefreshSeconds + 10)
        expect(world.signing()).toEqual(replaced)
        for (const kids of world.brokers()) expect(kids).toEqual(replaced)
      }),
      { numRuns: 40 },
    )
  })
})
