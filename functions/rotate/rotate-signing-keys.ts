import { ConfluentError } from '../../shared/clusters/confluent/management-api.ts'
import { CredentialError } from '../../shared/domain/credential-error.ts'
import type { FailureReason } from '../../shared/domain/failure-reason.ts'
import {
  type Credential,
  claimed,
  fail,
  nextStep,
  type Outcome,
  type RotationContext,
  type Slot,
  type SlotName,
  slotNames,
  succeed,
  type Work,
} from '../../shared/domain/rotation.ts'
import {
  adopted,
  type HeldKey,
  hurried,
  isExplained,
  keyOf,
  retiredAt,
  type SigningKeyTimes,
  signingKeyClock,
  signingKeyContext,
  signingKeys,
} from '../../shared/domain/signing-key.ts'
import type { ReadPublishedKeys } from '../../shared/secrets/published-keys.ts'
import type { SigningKeyStore } from '../../shared/secrets/signing-key-store.ts'
import type { CredentialStore } from '../../shared/store/credential-store.ts'
import type { Queue } from '../../shared/store/queue.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'

export type RotateSigningKeysDeps = {
  readonly credentials: Pick<CredentialStore, 'read' | 'write'>
  readonly keys: Omit<SigningKeyStore, 'read'>
  readonly published: ReadPublishedKeys
  /**
   * Has those read the published keys again who would not do it by themselves in time.
   * @returns ids of the keys that each of them has now: a copy of resolve that shows older ones may have answered it
   */
  readonly tellReaders: () => Promise<readonly ReadonlySet<string>[]>
  readonly queue: Pick<Queue, 'send'>
  readonly times: SigningKeyTimes
  readonly telemetry: Telemetry
  readonly clock: () => Date
  /** Names who works; never the same twice. */
  readonly createId: () => string
}

/** Each of them repeated changes nothing. One worker at a time: their messages are one FIFO group. */
export type RotateSigningKeys = {
  /** Makes the first key unless there is one, and sees to it that its state is on record; answers whether it made it. */
  readonly ensure: () => Promise<boolean>
  /** Asks for `ensure` when no state is on record, so that a stack which has none yet needs nobody to do it. */
  readonly remind: () => Promise<void>
  /** Takes the rotation as far as it goes now. */
  readonly run: () => Promise<void>
  /**
   * Replaces these keys: with its whole clock, so that nobody notices, or at once, for a key that somebody
   * else may have. Then brokers refuse the new key once, and copies of resolve sign with the old one until they read. Asked
   * for the same again when the issuer shows none of them, it has those told who keep a copy of the keys.
   */
  readonly replace: (kids: readonly string[], atOnce: boolean) => Promise<void>
}

const { cluster, principal } = signingKeys
/** More than a rotation has, so that only a fault reaches it; the next sweep goes on. */
const maximumSteps = 12

/** All that a step calls and that can fail is a secret or Confluent Cloud: a JWKS that cannot be read fails none. */
const reasonOf = (error: unknown): FailureReason => {
  if (error instanceof CredentialError) return error.reason
  if (error instanceof ConfluentError) {
    if (error.status === undefined || error.status === 429 || error.status >= 500) return 'cluster_unavailable'
    return error.status === 401 || error.status === 403 ? 'cluster_denied' : 'cluster_failed'
  }
  if (!(error instanceof Error) || !('$metadata' in error)) return 'unexpected'
  return /AccessDenied|Decryption/.test(error.name) ? 'secret_denied' : 'secret_unavailable'
}

export const createRotateSigningKeys = (deps: RotateSigningKeysDeps): RotateSigningKeys => {
  const { credentials, keys, published, tellReaders, queue, times, telemetry, clock, createId } = deps

  const dueAt = (credential: Credential, context: RotationContext): Date | undefined => {
    const step = nextStep(credential, context)
    return step.kind === 'wait' ? step.until : context.now
  }
  const write = (version: number, credential: Credential): Promise<boolean> =>
    credentials.write(version, credential, dueAt(credential, signingKeyContext(times, clock())))

  let isOnRecord = false
  const remind = async (): Promise<void> => {
    isOnRecord ||= (await credentials.read(cluster, principal)) !== undefined
    if (!isOnRecord) await queue.send({ kind: 'ensure-keys' })
  }

  const ensure = async (): Promise<boolean> => {
    const stored = await credentials.read(cluster, principal)
    const before = stored?.credential
    const isNew = await keys.ensure(1 + Math.max(0, ...slotNames.map((n) => before?.slots[n].generation ?? 0)), clock())
    if (isNew) {
      telemetry.count(metricNames.keyCreated)
      telemetry.info('signing key created')
    }
    const ring = await keys.readRing()
    if (ring === undefined) throw new Error('the signing-key secret is empty although a key was written')
    if (before !== undefined && isExplained(before, ring)) return isNew
    if (!(await write(stored?.version ?? 0, adopted(ring, before, clock()))))
      throw new Error('somebody else writes the state of the signing keys')
    telemetry.info('state of the signing keys taken from their secret', { kid: ring.active.kid })
    return isNew
  }

  const held = async (slot: SlotName, generation: number): Promise<HeldKey | undefined> => {
    const ring = await keys.readRing()
    return ring && keyOf(ring, slot, generation)
  }

  const probe = async ({ slot }: Work, { generation, state, toldAt }: Slot): Promise<Outcome> => {
    const key = await held(slot, generation)
    if (key === undefined) return 'lost'
    const kids = await published()
    const { propagationSeconds, skewSeconds } = signingKeyClock(times)
    // that one reader sees it says nothing of the others before the whole time is over
    const isSettled = clock().getTime() >= toldAt.getTime() + (propagationSeconds + skewSeconds) * 1000
    if (!isSettled) return 'unreachable'
    if (kids?.has(key.kid) === false) return 'refused'
    // it does not sign before they know it
    if (state === 'settling' && (await tellReaders()).some((read) => !read.has(key.kid)))
      throw new CredentialError('cluster_unavailable', 'a reader of our keys has not read the next one')
    return kids === undefined ? 'unreachable' : 'works'
  }

  const perform = async (credential: Credential, work: Work): Promise<Outcome> => {
    const { slot } = work
    const { generation, state } = credential.slots[slot]
    switch (work.kind) {
      case 'begin':
        return 'done'
      case 'create': {
        // no broker knows a new key of the active slot: the other slot's has to take over
        if (state === 'active') return (await held(slot, generation)) === undefined ? 'lost' : 'done'
        return keys.add(slot, generation, clock())
      }
      case 'probe':
        return probe(work, credential.slots[slot])
      case 'activate': {
        // the secret first: what the item calls draining must have stopped signing
        if ((await keys.activate(slot, generation)) === 'lost') throw new Error('the key to activate is not there')
        return 'done'
      }
      case 'fence':
        return work.unlessLeased && clock() < retiredAt(credential.slots[slot], times)
          ? { leasedUntil: retiredAt(credential.slots[slot], times) }
          : 'done'
      case 'remove': {
        const others = slotNames.filter((name) => name !== slot)
        await keys.retain(others.map((name) => ({ slot: name, generation: credential.slots[name].generation })))
        return 'done'
      }
    }
  }

  const tell = (work: Work, outcome: Outcome, credential: Credential): void => {
    if (work.kind === 'create' && credential.slots[work.slot].state === 'created')
      telemetry.count(metricNames.keyCreated)
    if (work.kind === 'activate') telemetry.count(metricNames.keyActivated)
    if (work.kind === 'remove') telemetry.count(metricNames.keyRemoved)
    if (outcome === 'refused' || outcome === 'lost')
      telemetry.error('a signing key is not where it should be', new Error(outcome), { slot: work.slot })
    else if (work.kind !== 'probe' && typeof outcome === 'string')
      telemetry.info('signing keys took a step', { step: work.kind, slot: work.slot })
  }

  /** A step on a secret that tells another story would be taken from a guess. */
  const performIfExplained = async (credential: Credential, work: Work): Promise<Outcome | 'unexplained'> => {
    const ring = await keys.readRing()
    return ring !== undefined && isExplained(credential, ring) ? perform(credential, work) : 'unexplained'
  }

  const run = async (): Promise<void> => {
    if ((await credentials.read(cluster, principal)) === undefined) await ensure()
    const by = createId()
    for (let steps = 0; steps < maximumSteps; steps++) {
      const stored = await credentials.read(cluster, principal)
      if (stored === undefined) return
      const context = signingKeyContext(times, clock())
      const step = nextStep(stored.credential, context)
      if (step.kind === 'wait') return
      const mine = claimed(stored.credential, by, context)
      if (!(await write(stored.version, mine))) return
      const done = await performIfExplained(mine, step).then(
        (outcome) => {
          // the time after the step: what it wrote was there by then
          const after = signingKeyContext(times, clock())
          return { outcome, credential: outcome === 'unexplained' ? mine : succeed(mine, step, outcome, after) }
        },
        (error: unknown) => {
          telemetry.count(metricNames.credentialStepFailed, { name: 'reason', value: reasonOf(error) })
          telemetry.error('a step of the signing keys failed', error, { step: step.kind, slot: step.slot })
          const credential = fail(mine, step, reasonOf(error), signingKeyContext(times, clock()))
          return { outcome: undefined, credential }
        },
      )
      if (done.outcome === 'unexplained') {
        await ensure()
        continue
      }
      if (!(await write(stored.version + 1, done.credential))) return
      if (done.outcome === undefined) return
      tell(step, done.outcome, mine)
    }
  }

  const replace = async (kids: readonly string[], atOnce: boolean): Promise<void> => {
    await ensure()
    if (atOnce && (await keys.replace(kids, clock()))) {
      telemetry.count(metricNames.keyCreated)
      telemetry.info('signing keys replaced at once')
    }
    const ring = await keys.readRing()
    if (atOnce && ring?.keys.some(({ kid }) => kids.includes(kid)))
      throw new Error('a signing key that was to be replaced is still there')
    if (!atOnce && ring !== undefined && kids.includes(ring.active.kid)) {
      const stored = await credentials.read(cluster, principal)
      if (
        stored === undefined ||
        !(await write(stored.version, hurried(stored.credential, signingKeyContext(times, clock()))))
      )
        throw new Error('somebody else writes the state of the signing keys')
    }
    await ensure()
    await run()
    // as long as copies of resolve show an old key they may read that once more, and the message comes back
    if (atOnce && (await tellReaders()).some((read) => kids.some((kid) => read.has(kid))))
      throw new Error('a reader of our keys still has one that was replaced')
  }

  return { remind, ensure, run, replace }
}
