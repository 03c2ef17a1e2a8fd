import type { BackendOutcome, BackendUser, CredentialBackend, Name } from '../../shared/clusters/credential-backend.ts'
import type { Cluster } from '../../shared/domain/cluster.ts'
import { CredentialError } from '../../shared/domain/credential-error.ts'
import { credentialWish } from '../../shared/domain/credential-wish.ts'
import type { FailureReason } from '../../shared/domain/failure-reason.ts'
import { longestLeaseSeconds } from '../../shared/domain/longest-lease.ts'
import { slotUser } from '../../shared/domain/principal.ts'
import { rotationContext } from '../../shared/domain/provider-clock.ts'
import { isRevokedOn } from '../../shared/domain/revocation.ts'
import {
  type Credential,
  claimed,
  fail,
  isStuck,
  newCredential,
  nextStep,
  type Outcome,
  type RotationContext,
  restored,
  revoked,
  type SlotName,
  slotToHandOut,
  succeed,
  type Work,
} from '../../shared/domain/rotation.ts'
import type { SlotSecretStore } from '../../shared/secrets/slot-secrets.ts'
import type { AccessStore } from '../../shared/store/access-store.ts'
import type { CredentialStore } from '../../shared/store/credential-store.ts'
import type { LeaseStore } from '../../shared/store/lease-store.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'
import type { ApplyAccess } from './apply-access.ts'
import type { InForce } from './in-force.ts'
import type { Pace } from './pace.ts'

/**
 * Takes the stored credentials of these principals on a cluster as far as they go now, each to what the policy wants of
 * it. Many are worked on together, for a cluster takes a thousand users in the time of one; each has an outcome of its
 * own. Repeating it changes nothing.
 *
 * @throws Error when the state of some could not be read or written; what was done of the others stays
 */
export type RotateCredentials = (cluster: string, principals: readonly string[]) => Promise<void>

export type RotateCredentialsDeps = {
  readonly inForce: () => Promise<InForce>
  readonly access: Pick<AccessStore, 'read'>
  readonly credentials: Pick<CredentialStore, 'read' | 'write'>
  readonly leases: Pick<LeaseStore, 'slotHeldUntil'>
  readonly secretsOf: (cluster: Cluster) => Pick<SlotSecretStore, 'recover' | 'ensure' | 'removeSlot'>
  /** `prefix`: what our Kafka users start with. */
  readonly openBackend: (cluster: Cluster, prefix: string) => Promise<CredentialBackend>
  readonly applyAccess: ApplyAccess
  /** Of writes of secrets. */
  readonly pace: Pace
  readonly telemetry: Telemetry
  readonly clock: () => Date
  readonly wait: (milliseconds: number) => Promise<void>
  /** Whoever works on a credential is told from others by it. */
  readonly createId: () => string
}

/** The rest is left for the next sweep: a run must end before its function is stopped. */
const runMs = 40_000
/**
 * A run waits so long at most, all waits together, for the first slot of somebody who has none: behind it a revocation
 * may wait. Who has one does not wait for the next, which a sweep will find.
 */
const patienceMs = 2_000
const parallelRequests = 25
/** A request to a cluster costs 35 ms, however many users are in it, and a hundred secrets take seconds to write. */
const toldTogether = 100

/** A credential as it is stored, or is about to be: `isChanged` until it is written. */
type Held = {
  readonly principal: string
  readonly credential: Credential
  readonly version: number
  readonly dueAt: Date | undefined
  readonly isChanged: boolean
}

/** One that was claimed for a step outside. */
type Claimed = Held & { readonly work: Work; readonly user: string }

type Result = Outcome | { readonly reason: FailureReason; readonly error: unknown }

const outcomeText = (outcome: Outcome): string => (typeof outcome === 'string' ? outcome : 'leased')

const isReason = (result: Result): result is Exclude<Result, Outcome> =>
  typeof result !== 'string' && 'reason' in result

const failureOf = (error: unknown): Exclude<Result, Outcome> => ({
  reason: error instanceof CredentialError ? error.reason : 'unexpected',
  error,
})

const resultOf = (found: BackendOutcome<'done' | 'lost' | 'works' | 'refused' | 'unreachable'> | undefined): Result => {
  if (found === undefined)
    return { reason: 'unexpected', error: new Error('the cluster did not say what became of it') }
  return found.outcome === 'failed' ? { reason: found.reason, error: found.error } : found.outcome
}

const nameResult = (user: string, found: BackendOutcome<Name> | undefined): Result => {
  if (found === undefined || found.outcome === 'failed') return resultOf(found)
  if (found.outcome === 'free') return 'done'
  return { reason: 'user_exists', error: new Error(`the cluster has a user \`${user}\` that rotate did not make`) }
}

const inParallel = async <T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> => {
  const results: R[] = []
  const rest = items.entries()
  await Promise.all(
    Array.from({ length: parallelRequests }, async () => {
      for (const [at, item] of rest) results[at] = await work(item)
    }),
  )
  return results
}

export const createRotateCredentials = (deps: RotateCredentialsDeps): RotateCredentials => {
  const { inForce, access, credentials, leases, secretsOf, openBackend, applyAccess, pace } = deps
  const { telemetry, clock, wait, createId } = deps

  return async (clusterName, principals) => {
    const { directories, denied } = await inForce()
    const cluster = directories.findLast((each) => each.clusters.has(clusterName))?.clusters.get(clusterName)
    if (cluster === undefined) {
      telemetry.warn('a message names a cluster that no policy has', { cluster: clusterName })
      return
    }
    const prefix = directories.at(-1)?.kafkaUserPrefix ?? ''
    const secrets = secretsOf(cluster)
    const me = createId()
    const endsAt = clock().getTime() + runMs
    const errors: unknown[] = []
    /** Of this run: what was just saved need not be read to log in with it. */
    const passwords = new Map<string, BackendUser>()
    let backend: Promise<CredentialBackend> | undefined

    const longestLeases = new Map<string, number>()
    const longestLeaseOf = (principal: string): number => {
      const known = longestLeases.get(principal)
      const seconds = known ?? longestLeaseSeconds(directories, principal)
      if (known === undefined) longestLeases.set(principal, seconds)
      return seconds
    }

    const contextOf = (principal: string): RotationContext =>
      rotationContext({ cluster: clusterName, principal }, cluster, clock(), longestLeaseOf(principal))

    const wish = async (principal: string): Promise<'named' | 'when asked for' | 'none'> => {
      if (isRevokedOn(denied, principal, clusterName)) return 'none'
      const ask = (labels: Readonly<Record<string, string>>) => {
        const wishes = directories.map((each) =>
          credentialWish(each, clusterName, { name: principal, labels }, clock()),
        )
        return wishes.find((each) => each === 'named') ?? wishes.find((each) => each !== 'none') ?? 'none'
      }
      const withoutLabels = ask({})
      if (withoutLabels !== 'none') return withoutLabels
      return ask((await access.read(clusterName, principal))?.labels ?? {})
    }

    const look = async (principal: string): Promise<Held | undefined> => {
      const [wished, stored] = await Promise.all([wish(principal), credentials.read(clusterName, principal)])
      const isWanted = wished !== 'none'
      if (stored === undefined) {
        if (wished !== 'named') return undefined
        const credential = newCredential(principal, clusterName)
        return { principal, credential, version: 0, dueAt: undefined, isChanged: true }
      }
      const { credential, version, dueAt } = stored
      if (credential.wanted === isWanted) return { principal, credential, version, dueAt, isChanged: false }
      const changed = isWanted ? restored(credential) : revoked(credential)
      return { principal, credential: changed, version, dueAt, isChanged: true }
    }

    const failed = (
      credential: Credential,
      work: Work,
      { reason, error }: Exclude<Result, Outcome>,
      context: RotationContext,
    ): Credential => {
      const after = fail(credential, work, reason, context)
      telemetry.count(metricNames.credentialStepFailed, { name: 'reason', value: reason })
      telemetry.error('credential step failed', error, {
        cluster: clusterName,
        principal: credential.principal,
        slot: work.slot,
        step: work.kind,
        reason,
        failures: after.failures?.count,
        stuck: isStuck(after, context.policy),
      })
      return after
    }

    /** Every step that touches nothing outside, up to one that does or to a time to wait for. */
    const advance = async (held: Held): Promise<{ held: Held; step: ReturnType<typeof nextStep> }> => {
      let { credential, isChanged } = held
      for (;;) {
        const context = contextOf(held.principal)
        const step = nextStep(credential, context)
        if (step.kind !== 'begin' && step.kind !== 'activate' && step.kind !== 'fence')
          return { held: { ...held, credential, isChanged }, step }
        isChanged = true
        const result =
          step.kind === 'begin'
            ? await nameOf(slotUser(prefix, held.principal, step.slot))
            : step.kind === 'fence' && step.unlessLeased
              ? await unlessHeld(credential, step.slot, context)
              : 'done'
        if (isReason(result)) credential = failed(credential, step, result, context)
        else {
          credential = succeed(credential, step, result, context)
          if (result === 'done') tell(held.principal, step, result)
        }
      }
    }

    /** What the cluster said of the names of those who are about to begin. */
    const names = new Map<string, Result>()

    /** INVARIANT: a user that is there before rotate has owned up to one of its name is somebody else's for ever. */
    const lookAtNames = async (users: readonly string[]): Promise<void> => {
      if (users.length === 0) return
      try {
        const found = await (await open()).look(users)
        for (const user of users) names.set(user, nameResult(user, found.get(user)))
      } catch (error) {
        for (const user of users) names.set(user, { reason: 'cluster_unavailable', error })
      }
    }

    const nameOf = async (user: string): Promise<Result> => {
      if (!names.has(user)) await lookAtNames([user])
      return names.get(user) ?? failureOf(new Error(`nothing is known of the user \`${user}\``))
    }

    /** One question for all who begin. */
    const lookAtAllNames = async (all: readonly Held[]): Promise<void> => {
      names.clear()
      await lookAtNames(
        all.flatMap(({ principal, credential }) => {
          const step = nextStep(credential, contextOf(principal))
          return step.kind === 'begin' ? [slotUser(prefix, principal, step.slot)] : []
        }),
      )
    }

    const unlessHeld = async (credential: Credential, slot: SlotName, context: RotationContext): Promise<Result> => {
      try {
        const leasedUntil = await heldUntil(credential, slot, context)
        return leasedUntil === undefined ? 'done' : { leasedUntil }
      } catch (error) {
        // nothing is drained on a guess
        return { reason: 'leases_unavailable', error }
      }
    }

    /** Whoever writes a lease may have a clock that is behind. */
    const heldUntil = (credential: Credential, slot: SlotName, { now, clock: times }: RotationContext) =>
      leases.slotHeldUntil(
        { principal: credential.principal, cluster: clusterName, slot, generation: credential.slots[slot].generation },
        new Date(now.getTime() - times.skewSeconds * 1000),
      )

    const write = async (held: Held, credential: Credential): Promise<Held | undefined> => {
      const step = nextStep(credential, contextOf(held.principal))
      const dueAt = step.kind === 'wait' ? step.until : clock()
      if (!(await credentials.write(held.version, credential, dueAt))) return undefined
      return { ...held, credential, version: held.version + 1, dueAt, isChanged: false }
    }

    const tell = (principal: string, { kind, slot }: Work, outcome: Outcome): void => {
      telemetry.count(metricNames.credentialStep)
      telemetry.info('credential step', {
        cluster: clusterName,
        principal,
        slot,
        step: kind,
        outcome: outcomeText(outcome),
      })
    }

    /** Claims the step that is due outside; undefined: nothing is, or somebody else was faster. */
    const prepare = async (before: Held): Promise<{ next?: Claimed; until?: number }> => {
      const { held, step } = await advance(before)
      if (step.kind === 'wait') {
        const isStored = !held.isChanged && held.dueAt?.getTime() === step.until?.getTime()
        const after = isStored ? held : await write(held, held.credential)
        const isAwaited = after?.credential.wanted === true && slotToHandOut(after.credential) === undefined
        return isAwaited && step.until !== undefined ? { until: step.until.getTime() } : {}
      }
      const after = await write(held, claimed(held.credential, me, contextOf(held.principal)))
      if (after === undefined) return {}
      return { next: { ...after, work: step, user: slotUser(prefix, held.principal, step.slot) } }
    }

    const passwordOf = async ({ principal, credential, user, work }: Claimed): Promise<BackendUser | undefined> => {
      const known = passwords.get(user)
      if (known !== undefined) return known
      const found = await secrets.recover(clusterName, principal, work.slot, user)
      if (found?.generation !== credential.slots[work.slot].generation) return undefined
      const { username, password, registry } = found
      return { name: user, username, password, registry }
    }

    /** The passwords to tell the cluster; what has none has a result already. */
    const usersOf = async (
      items: readonly Claimed[],
      results: Map<Claimed, Result>,
      find: (items: readonly Claimed[], find: (item: Claimed) => Promise<void>) => Promise<unknown>,
      passwordFor: (item: Claimed) => Promise<BackendUser | undefined>,
    ): Promise<readonly { readonly item: Claimed; readonly user: BackendUser }[]> => {
      const users: { item: Claimed; user: BackendUser }[] = []
      await find(items, async (item) => {
        try {
          const user = await passwordFor(item)
          if (user === undefined) results.set(item, 'lost')
          else users.push({ item, user })
        } catch (error) {
          results.set(item, failureOf(error))
        }
      })
      return users
    }

    const open = (): Promise<CredentialBackend> => {
      backend ??= openBackend(cluster, prefix)
      return backend
    }

    const usersToTell = async (items: readonly Claimed[], results: Map<Claimed, Result>) => {
      const isActive = ({ credential, work }: Claimed): boolean => credential.slots[work.slot].state === 'active'
      // who has an active slot has its password: a new one would lock them out
      const repaired = await usersOf(items.filter(isActive), results, inParallel, passwordOf)
      const made = await usersOf(
        items.filter((item) => !isActive(item)),
        results,
        pace,
        async ({ credential, user, work }) => {
          const { username, password, registry } = await secrets.ensure(credential, work.slot, user)
          const made = { name: user, username, password, registry }
          passwords.set(user, made)
          return made
        },
      )
      return [...repaired, ...made]
    }

    const create = async (items: readonly Claimed[], results: Map<Claimed, Result>): Promise<void> => {
      let told = Promise.resolve()
      for (let at = 0; at < items.length; at += toldTogether) {
        const users = await usersToTell(items.slice(at, at + toldTogether), results)
        const tellCluster = async (): Promise<void> => {
          if (users.length === 0) return
          const outcomes = await (await open()).create(users.map(({ user }) => user))
          for (const { item, user } of users) results.set(item, resultOf(outcomes.get(user.name)))
        }
        const of = users.map(({ item }) => item)
        // secrets are what takes its time: the next are written while the cluster hears of these
        told = told.then(() => failAll(of, results, tellCluster, 'cluster_unavailable'))
      }
      await told
    }

    const probe = async (items: readonly Claimed[], results: Map<Claimed, Result>): Promise<void> => {
      const users = await usersOf(items, results, inParallel, passwordOf)
      if (users.length === 0) return
      const outcomes = await (await open()).verify(users.map(({ user }) => user))
      for (const { item, user } of users) results.set(item, resultOf(outcomes.get(user.name)))
    }

    const remove = async (items: readonly Claimed[], results: Map<Claimed, Result>): Promise<void> => {
      if (items.length === 0) return
      const outcomes = await (await open()).revoke(items.map(({ user }) => user))
      await inParallel(items, async (item) => {
        const result = resultOf(outcomes.get(item.user))
        try {
          if (!isReason(result)) await secrets.removeSlot(item.credential, item.work.slot)
          results.set(item, result)
        } catch (error) {
          results.set(item, failureOf(error))
        }
      })
    }

    const failAll = async (
      items: readonly Claimed[],
      results: Map<Claimed, Result>,
      work: () => Promise<void>,
      reason: FailureReason,
    ): Promise<void> => {
      try {
        await work()
      } catch (error) {
        for (const item of items) results.set(item, { ...failureOf(error), reason })
      }
    }

    const perform = async (items: readonly Claimed[]): Promise<ReadonlyMap<Claimed, Result>> => {
      const results = new Map<Claimed, Result>()
      const of = (kind: Work['kind']) => items.filter(({ work }) => work.kind === kind)
      const [creates, probes, removes] = [of('create'), of('probe'), of('remove')]
      const created = async (): Promise<void> => {
        // nobody's access needs a password, so that neither waits for the other
        const allowed = applyAccess(clusterName, principalsOf(creates)).then(
          () => undefined,
          (error: unknown) => error,
        )
        await create(creates, results)
        const error = await allowed
        if (error === undefined) return
        for (const item of creates)
          if (results.get(item) === 'done') results.set(item, { ...failureOf(error), reason: 'access_failed' })
      }
      const removed = async (): Promise<void> => {
        // Kafka asks for rights at each request and for a password at the connection only: rights go first
        await applyAccess(clusterName, principalsOf(removes))
        await failAll(removes, results, () => remove(removes, results), 'cluster_unavailable')
      }
      if (removes.length > 0) await failAll(removes, results, removed, 'access_failed')
      if (creates.length > 0) await created()
      if (probes.length > 0) await failAll(probes, results, () => probe(probes, results), 'cluster_unavailable')
      return results
    }

    const finish = (item: Claimed, result: Result): Held => {
      const { credential, work, principal } = item
      const context = contextOf(principal)
      if (!isReason(result)) {
        tell(principal, work, result)
        const isWrong = result === 'refused' || result === 'lost'
        if (isWrong && credential.slots[work.slot].state === 'active') {
          telemetry.count(metricNames.activeSlotBroken)
          telemetry.error('an active slot does not work', new Error(result), {
            cluster: clusterName,
            principal,
            slot: work.slot,
          })
        }
        return { ...item, credential: succeed(credential, work, result, context), isChanged: true }
      }
      return { ...item, credential: failed(credential, work, result, context), isChanged: true }
    }

    /** What cannot be read or written is left as it is, and does not stop the others. */
    const each = async <T, R>(
      items: readonly T[],
      work: (item: T) => Promise<R | undefined>,
    ): Promise<readonly R[]> => {
      const results = await inParallel(items, (item) =>
        work(item).catch((error: unknown) => {
          errors.push(error)
          return undefined
        }),
      )
      return results.filter((result) => result !== undefined)
    }

    /** Those who have no slot yet, and when they may. */
    const waiting = new Map<string, number>()

    let patienceLeftMs = patienceMs

    const whatIsSoonDue = async (): Promise<readonly Held[]> => {
      const first = Math.min(...waiting.values())
      const waitMs = Math.max(0, first - clock().getTime())
      if (waitMs > patienceLeftMs || clock().getTime() + waitMs > endsAt) return []
      patienceLeftMs -= waitMs
      await wait(waitMs)
      // a timer may be early by a millisecond
      const reached = Math.max(first, clock().getTime())
      const due = [...waiting].filter(([, until]) => until <= reached).map(([principal]) => principal)
      for (const principal of due) waiting.delete(principal)
      return each(due, look)
    }

    try {
      let held = await each([...new Set(principals)], look)
      while (held.length > 0) {
        await lookAtAllNames(held)
        const prepared = await each(held, async (item) => ({ principal: item.principal, ...(await prepare(item)) }))
        for (const { principal, until } of prepared) if (until !== undefined) waiting.set(principal, until)
        const works = prepared.flatMap(({ next }) => (next === undefined ? [] : [next]))
        if (works.length === 0) {
          held = await whatIsSoonDue()
          continue
        }
        const results = await perform(works)
        const done = works.map((item) => finish(item, results.get(item) ?? failureOf(new Error('nothing came of it'))))
        if (clock().getTime() < endsAt) held = done
        else {
          await each(done, (item) => write(item, item.credential))
          break
        }
      }
    } finally {
      await backend?.then((opened) => opened.close()).catch(() => {})
    }
    if (errors.length > 0)
      throw new Error(`${errors.length} credentials of \`${clusterName}\` were left alone`, { cause: errors[0] })
  }
}

const principalsOf = (items: readonly Claimed[]): readonly string[] => [
  ...new Set(items.map(({ principal }) => principal)),
]
