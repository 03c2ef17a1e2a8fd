import { SwitchboardError, SwitchboardProblem } from '../errors.ts'
import type { Connection, Lease } from '../lease.ts'
import type { Answer, AnswerConnection, AnswerCredential, AnswerRegistry } from './answer.ts'
import { backoffMs } from './backoff.ts'
import { createConnection } from './connection.ts'
import { retryAfterOf, type Surroundings } from './first-answer.ts'
import { createHolds } from './holds.ts'
import type { Renewal, Resolved } from './resolve.ts'

// Below the 5 seconds that Kafka clients give a connection to be ready: our error says more than their time-out.
const tokenWaitMs = 4_000
// A token must still be good when the broker reads it.
const endMarginMs = 2_000
const shortestRefreshMs = 1_000
// Obeying a longer wish could cost the credential.
const longestRetryAfterMs = 300_000

type Held = {
  readonly answer: Answer
  readonly connections: readonly Connection[]
  readonly etag: string | undefined
  readonly skewMs: number
  /** Between the answer and its `refreshAfter`. */
  readonly refreshMs: number
}

const endOf = (credential: AnswerCredential): number =>
  'token' in credential ? credential.expiresAt.getTime() : Number.POSITIVE_INFINITY

const registryEndOf = ({ schemaRegistry }: AnswerConnection): number =>
  schemaRegistry?.credential.kind === 'jwt' ? schemaRegistry.credential.expiresAt.getTime() : Number.POSITIVE_INFINITY

const firstEndOf = (connection: AnswerConnection): number =>
  Math.min(endOf(connection.credential), registryEndOf(connection))

const expiryOf = ({ connections }: Answer): number => Math.min(...connections.map(firstEndOf))

const slotOf = ({ credential }: Pick<Connection, 'credential'> | AnswerConnection): string | undefined =>
  'slot' in credential ? credential.slot : undefined

/** What a token is for: a cluster's brokers, or the registry of its schemas. */
type Place = { readonly cluster: string; readonly isRegistry: boolean }

const keyOf = ({ cluster, isRegistry }: Place): string => (isRegistry ? `${cluster} registry` : cluster)

const textOf = ({ cluster, isRegistry }: Place): string =>
  isRegistry ? `the schema registry of \`${cluster}\`` : `\`${cluster}\``

/** Everything of an answer that clients were built from: no secret, no time. */
const settingsOf = ({ connections }: Answer): string =>
  JSON.stringify(
    connections.map(({ credential, schemaRegistry, ...settings }) => {
      const { credential: login, ...registry } = schemaRegistry ?? {}
      return [settings, credential.kind, slotOf({ ...settings, credential }), registry, login?.kind]
    }),
  )

/** A slot that was out of use for as long as nobody renewed has another password by then. */
const isSameLogin = (old: AnswerCredential, now: AnswerCredential): boolean =>
  'password' in old && 'password' in now
    ? old.slot === now.slot && old.username === now.username && old.password === now.password
    : old.kind === 'reference' && now.kind === 'reference'
      ? old.slot === now.slot &&
        old.username === now.username &&
        // the secret of an API key is that of one slot, so that another version is another key
        (old.mechanism !== 'PLAIN' || old.versionId === now.versionId)
      : old.kind === now.kind

/** What is new beside it moves nothing that a client is at work on. */
const hasStayed = (old: AnswerConnection, now: AnswerConnection): boolean =>
  Object.entries(old.topics).every(([channel, topic]) => now.topics[channel] === topic) &&
  Object.entries(old.patterns).every(([pattern, entry]) => String(now.patterns[pattern]) === String(entry))

/** The clusters whose clients log in as somebody else from now on, or where a channel of theirs is no more. */
const replacedIn = (before: Answer, after: Answer): readonly string[] =>
  before.connections.flatMap((old) => {
    const now = after.connections.find(({ cluster }) => cluster.name === old.cluster.name)
    const isReplaced = now === undefined || !isSameLogin(old.credential, now.credential) || !hasStayed(old, now)
    return isReplaced ? [old.cluster.name] : []
  })

/** Renews in the background and hands out what is good. */
export const keepFresh = (around: Surroundings & { readonly first: Resolved; readonly close: () => void }): Lease => {
  const { first, resolve, signal, close, clock, random, notify } = around
  const tokens = new Map<string, { readonly token: string; readonly expiresAt: Date }>()
  const waiting = new Set<() => void>()
  const listeners = new Set<(cluster: string) => void>()
  const holds = createHolds()
  let failures = 0
  let lastError: Error | undefined
  let underWay = false
  let refreshAt = 0
  let cancelTimer = (): void => undefined

  const serverNow = (): number => clock.now().getTime() + held.skewMs
  const isGood = (expiresAt: number): boolean => expiresAt - serverNow() > endMarginMs

  const untilRenewalMs = (): number => refreshAt - clock.now().getTime()

  const tokenOf = (place: Place): string | Promise<string> => {
    const good = goodToken(place)
    if (good === undefined) return renewedToken(place)
    // the timer was late: the process, or the machine, was asleep
    if (untilRenewalMs() < 0) void renew()
    return good
  }

  const goodToken = (place: Place): string | undefined => {
    const credential = tokens.get(keyOf(place))
    return credential && isGood(credential.expiresAt.getTime()) ? credential.token : undefined
  }

  const renewedToken = async (place: Place): Promise<string> => {
    const { cluster, isRegistry } = place
    // a renewal cannot bring back what moved away, so asking for one on every call would only be load
    const there = held.answer.connections.find((connection) => connection.cluster.name === cluster)
    if (there === undefined)
      throw new SwitchboardError(
        'unknown_cluster',
        `the lease no longer has cluster \`${cluster}\`; its channels moved`,
      )
    if (isRegistry && there.schemaRegistry?.credential.kind !== 'jwt')
      throw new SwitchboardError('unknown_cluster', `the lease no longer has a token for ${textOf(place)}`)
    if (!signal.aborted) {
      // a renewal that is not due yet keeps its time: the backoff sets the pace, however often clients ask
      if (untilRenewalMs() < 0) void renew()
      if (underWay || untilRenewalMs() <= tokenWaitMs) await nextOutcome()
    }
    const good = goodToken(place)
    if (good !== undefined) return good
    const end = tokens.get(keyOf(place))?.expiresAt.toISOString()
    if (signal.aborted)
      throw new SwitchboardError(
        'lease_closed',
        `the lease was closed and its credential for ${textOf(place)} ended at \`${end}\``,
      )
    throw new SwitchboardError(
      'credential_ended',
      `the credential for ${textOf(place)} ended at \`${end}\` and there is no new one: ${lastError?.message ?? 'switchboard did not answer yet'}`,
      { retryable: true, cause: lastError },
    )
  }

  const registryOf = (name: string): AnswerRegistry | undefined =>
    held.answer.connections.find(({ cluster }) => cluster.name === name)?.schemaRegistry

  const nextOutcome = (): Promise<void> =>
    new Promise((done) => {
      const end = (): void => {
        cancel()
        waiting.delete(end)
        done()
      }
      const cancel = clock.schedule(tokenWaitMs, end)
      waiting.add(end)
    })

  /** @throws SwitchboardError when the answer cannot be what Switchboard means to give */
  const hold = ({ etag, skewMs }: Resolved, answer: Answer): Held => {
    const now = clock.now().getTime() + skewMs
    const over = answer.connections.find((connection) => firstEndOf(connection) - now <= endMarginMs)
    if (over)
      throw new SwitchboardError(
        'malformed_answer',
        `malformed answer: the credential for \`${over.cluster.name}\` ends at \`${new Date(firstEndOf(over)).toISOString()}\`, now is \`${new Date(now).toISOString()}\``,
      )
    for (const { cluster, credential, schemaRegistry } of answer.connections) {
      const ofRegistry = schemaRegistry?.credential
      if ('token' in credential) tokens.set(keyOf({ cluster: cluster.name, isRegistry: false }), credential)
      if (ofRegistry?.kind === 'jwt') tokens.set(keyOf({ cluster: cluster.name, isRegistry: true }), ofRegistry)
    }
    const tokenAt = (place: Place) => ({
      token: () => tokenOf(place),
      expiresAt: () => tokens.get(keyOf(place))?.expiresAt,
    })
    return {
      answer,
      connections: Object.freeze(
        answer.connections.map((connection) => {
          const cluster = connection.cluster.name
          return createConnection(connection, {
            ...tokenAt({ cluster, isRegistry: false }),
            registry: { ...tokenAt({ cluster, isRegistry: true }), registry: () => registryOf(cluster) },
          })
        }),
      ),
      etag,
      skewMs,
      refreshMs: answer.lease.refreshAfter.getTime() - now,
    }
  }

  const scheduleRenewal = (delayMs: number): void => {
    cancelTimer()
    if (signal.aborted) return
    refreshAt = clock.now().getTime() + delayMs
    cancelTimer = clock.schedule(delayMs, () => void renew(), { background: true })
  }

  /** What is left of the shortest credential, less a fifth to renew it in. */
  const leftMs = (): number => (expiryOf(held.answer) - serverNow()) * 0.8

  // an answer may say `refreshAfter` later than its credential allows; a 304 says nothing about it
  const refreshInMs = (): number =>
    Math.max(shortestRefreshMs, Math.round(Math.min(held.refreshMs, leftMs()) * (0.9 + random() / 10)))

  const renewal = (): Renewal => ({
    lease: held.answer.lease.id,
    // "nothing changed" is no help to a credential that would be over before the renewal after this one
    etag: leftMs() >= held.refreshMs ? held.etag : undefined,
    moved: holds.moved(),
  })

  const resolveAgain = async (): Promise<Resolved> => {
    const asked = renewal()
    try {
      const resolved = await resolve(asked, signal)
      if (asked.moved) holds.confirm(asked.moved)
      return resolved
    } catch (error) {
      // the lease is gone (released, or its record lost): ask for a new one
      if (error instanceof SwitchboardProblem && error.status === 404 && error.code === 'not_found') {
        const resolved = await resolve(undefined, signal)
        holds.forget()
        return resolved
      }
      throw error
    }
  }

  const tellReplaced = (before: Answer): void => {
    for (const cluster of replacedIn(before, held.answer)) {
      const slot = before.connections.flatMap((each) => (each.cluster.name === cluster ? slotOf(each) : undefined))[0]
      const next = held.connections.find((each) => each.cluster.name === cluster)
      holds.replace(cluster, slot, next && slotOf(next))
      notify({ type: 'replaced', cluster })
      for (const listener of [...listeners]) listener(cluster)
    }
  }

  /** Nobody waits for the next renewal: the sooner Switchboard knows, the sooner the old credential is gone. */
  const sayMoved = (): void => {
    if (holds.moved() !== undefined) void renew()
  }

  // Never rejects: an escaped error here would end renewal for ever.
  const renew = async (): Promise<void> => {
    if (underWay || signal.aborted) return
    underWay = true
    cancelTimer()
    try {
      const resolved = await resolveAgain()
      const before = held.answer
      held = resolved.answer
        ? hold(resolved, resolved.answer)
        : { ...held, etag: resolved.etag ?? held.etag, skewMs: resolved.skewMs }
      failures = 0
      lastError = undefined
      scheduleRenewal(refreshInMs())
      const changed = settingsOf(held.answer) !== settingsOf(before)
      notify({ type: 'renewed', changed, expiresAt: held.answer.lease.expiresAt })
      tellReplaced(before)
    } catch (error) {
      if (signal.aborted) return
      lastError = error instanceof Error ? error : new Error('not an error', { cause: error })
      const asked = Math.min(retryAfterOf(error) ?? 0, longestRetryAfterMs)
      const retryInMs = Math.max(Math.ceil(asked * (1 + random() / 10)), backoffMs(failures, random))
      failures += 1
      scheduleRenewal(retryInMs)
      notify({ type: 'renewal_failed', error: lastError, retryInMs })
    } finally {
      underWay = false
      for (const end of [...waiting]) end()
    }
    // somebody let go while the renewal was under way; after a failure the next try says it
    if (failures === 0) sayMoved()
  }

  if (!first.answer) throw new SwitchboardError('malformed_answer', 'malformed answer: nothing to hold')
  let held: Held = hold(first, first.answer)
  scheduleRenewal(refreshInMs())
  signal.addEventListener(
    'abort',
    () => {
      cancelTimer()
      for (const end of [...waiting]) end()
    },
    { once: true },
  )

  return Object.freeze({
    get id() {
      return held.answer.lease.id
    },
    get expiresAt() {
      return held.answer.lease.expiresAt
    },
    get connections() {
      return held.connections
    },
    connection: (cluster?: string) => {
      const names = held.connections.map((connection) => connection.cluster.name)
      const found = held.connections.filter(
        (connection) => cluster === undefined || connection.cluster.name === cluster,
      )
      const [only] = found
      if (only && found.length === 1) return only
      throw new SwitchboardError(
        'unknown_cluster',
        `${cluster === undefined ? 'no cluster was named' : `no cluster \`${cluster}\``}; the lease has ${names.map((name) => `\`${name}\``).join(', ')}`,
      )
    },
    connectionOf: (channel: string) => {
      const found = held.connections.find(({ topics }) => Object.hasOwn(topics, channel))
      if (found) return found
      const known = held.connections.flatMap(({ topics }) => Object.keys(topics))
      throw new SwitchboardError(
        'unknown_channel',
        `no channel \`${channel}\`; the lease has ${known.map((name) => `\`${name}\``).join(', ') || 'none'}`,
      )
    },
    hold: (connection: Connection) => {
      const release = holds.add(connection.cluster.name, slotOf(connection))
      return () => {
        release()
        sayMoved()
      }
    },
    onReplaced: (listener: (cluster: string) => void) => {
      const own = (cluster: string): void => listener(cluster)
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    close,
  })
}
