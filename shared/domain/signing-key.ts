import * as z from 'zod'
import {
  type Credential,
  type ProviderClock,
  type RotationContext,
  type Slot,
  type SlotName,
  slotNames,
} from './rotation.ts'
import { spread } from './spread.ts'

/**
 * Where the state of our issuer's signing keys is among the stored credentials: no cluster and no principal can have
 * these names, because neither can have an `@`.
 */
export const signingKeys = { cluster: '@signing-keys', principal: '@issuer' } as const

/** A key that the secret holds, without its private part. A slot has a key for each of its generations. */
export type HeldKey = {
  readonly kid: string
  readonly slot: SlotName
  readonly generation: number
  readonly createdAt: Date
}

/** All of them are published, `active` signs. */
export type KeyRing = { readonly active: HeldKey; readonly keys: readonly HeldKey[] }

/**
 * Who holds our keys for how long, in whole seconds: a test scales these and never the code. What is derived from them,
 * and why, is said at `signingKeyClock` and `retireSeconds`.
 */
const times = {
  /** Age at which the next key takes over; 0: never. */
  everySeconds: z.number().int().nonnegative().default(7_776_000),
  /** How often each copy of resolve reads the secret. */
  readEverySeconds: z.number().int().nonnegative().default(300),
  /** `max-age` of the JWKS, for what may stand between the API and its readers. */
  jwksMaxAgeSeconds: z.number().int().nonnegative().default(60),
  /** How often brokers read the JWKS: `sasl.oauthbearer.jwks.endpoint.refresh.ms`. */
  brokerRefreshSeconds: z.number().int().nonnegative().default(3_600),
  /** The longest life of a token. */
  tokenSeconds: z.number().int().nonnegative().default(3_600),
  /** For so long resolve may be without Secrets Manager, or brokers without the JWKS, and still nobody is refused. */
  outageSeconds: z.number().int().nonnegative().default(86_400),
  skewSeconds: z.number().int().nonnegative().default(120),
}
const timesSchema = z.strictObject(times)

export type SigningKeyTimes = Readonly<z.output<typeof timesSchema>>

/** @throws Error that says which time is wrong */
export const checkedSigningKeyTimes = (given: unknown): SigningKeyTimes => {
  const parsed = timesSchema.safeParse(given)
  if (parsed.success) return parsed.data
  const wrong = parsed.error.issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': '))
  throw new Error(`the times of the signing keys are not whole seconds: ${wrong.join('; ')}`)
}

/** As a function is told them by its deployment. @throws Error */
export const parseSigningKeyTimes = (text: string): SigningKeyTimes => checkedSigningKeyTimes(JSON.parse(text))

/**
 * A key propagates like this: every copy of resolve has read the secret (`readEverySeconds`), what stands before it has
 * let go of the old JWKS (`jwksMaxAgeSeconds`), every broker has read the new one (`brokerRefreshSeconds`), and all that
 * even after an outage (`outageSeconds`). Only then it signs, so no broker ever meets a `kid` that it does not know.
 */
export const signingKeyClock = (given: SigningKeyTimes): ProviderClock => {
  const propagationSeconds =
    given.readEverySeconds + given.jwksMaxAgeSeconds + given.brokerRefreshSeconds + given.outageSeconds
  const lookEverySeconds = Math.max(1, Math.ceil(propagationSeconds / 24))
  return {
    propagationSeconds,
    lookEverySeconds,
    checkEverySeconds: lookEverySeconds,
    skewSeconds: given.skewSeconds,
    firstRetrySeconds: 5,
    longestRetrySeconds: Math.min(600, propagationSeconds),
    // longer than the rotate function may run
    claimSeconds: 90,
  }
}

/**
 * How long a key stays published after another has begun to sign: copies of resolve go on signing with it until they
 * read the secret again, after an outage too, and then their last token has to end. Brokers forgive 30 s, which the skew
 * covers twice, and the clock that wrote the token may be ahead.
 */
export const retireSeconds = (given: SigningKeyTimes): number =>
  given.outageSeconds + given.readEverySeconds + given.tokenSeconds + 2 * given.skewSeconds

const centurySeconds = 3_155_760_000

export const signingKeyContext = (given: SigningKeyTimes, now: Date): RotationContext => ({
  now,
  clock: signingKeyClock(given),
  policy: {
    everySeconds: given.everySeconds === 0 ? centurySeconds : given.everySeconds,
    stuckAfter: 5,
    maxDrainSeconds: 2 * retireSeconds(given),
  },
  // what holds a key is tokens, and the machine adds the skew
  longestLeaseSeconds: retireSeconds(given) - given.skewSeconds,
  jitter: spread('jitter', signingKeys.cluster, signingKeys.principal),
})

/** When every token of the key in a draining slot has ended. */
export const retiredAt = ({ since }: Slot, given: SigningKeyTimes): Date =>
  new Date(since.getTime() + retireSeconds(given) * 1000)

export const keyOf = ({ keys }: KeyRing, slot: SlotName, generation: number): HeldKey | undefined =>
  keys.find((key) => key.slot === slot && key.generation === generation)

/**
 * Whether the machine's steps lead from the one to the other: the secret is written first, so the key of a slot that is
 * still `ready` may sign already. A key that is to sign has to be there.
 */
export const isExplained = ({ slots }: Credential, ring: KeyRing): boolean => {
  const signs = (name: SlotName): boolean => slots[name].state === 'active' || slots[name].state === 'ready'
  return (
    signs(ring.active.slot) &&
    slots[ring.active.slot].generation === ring.active.generation &&
    slotNames.every((name) => !signs(name) || keyOf(ring, name, slots[name].generation) !== undefined)
  )
}

/**
 * The state that a secret tells of: what signs is active, whatever else is published may have signed. For the first key,
 * which no broker can have missed, and for a state that is lost, or that somebody changed the secret under.
 */
export const adopted = ({ active, keys }: KeyRing, before: Credential | undefined, now: Date): Credential => {
  const used = [before?.slots.a.generation ?? 0, before?.slots.b.generation ?? 0, ...keys.map((key) => key.generation)]
  const slot = (state: Slot['state'], generation: number, since: Date): Slot => ({
    state,
    since,
    generation,
    health: 'unprobed',
    checkedAt: since,
    toldAt: since,
  })
  const other = keys.filter((key) => key.slot !== active.slot).sort((a, b) => b.generation - a.generation)[0]
  const otherSlot: Slot =
    other === undefined
      ? // a generation that none of its keys had, so that nothing is taken for what it is not
        slot('absent', Math.max(...used), new Date(0))
      : slot('draining', other.generation, now)
  const activeSlot = slot('active', active.generation, active.createdAt)
  return {
    ...signingKeys,
    slots: active.slot === 'a' ? { a: activeSlot, b: otherSlot } : { a: otherSlot, b: activeSlot },
    wanted: true,
    failures: undefined,
    claim: undefined,
  }
}

/** The active key is to be replaced as soon as the next one can be. */
export const hurried = (credential: Credential, { now, policy }: RotationContext): Credential => {
  const { slots } = credential
  const since = new Date(now.getTime() - policy.everySeconds * 1000)
  const hurry = (slot: Slot): Slot => (slot.state === 'active' && slot.since > since ? { ...slot, since } : slot)
  return { ...credential, slots: { a: hurry(slots.a), b: hurry(slots.b) } }
}
