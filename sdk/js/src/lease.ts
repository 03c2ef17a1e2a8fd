import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from './clock.ts'
import type { Properties } from './lib/answer.ts'
import { firstAnswer } from './lib/first-answer.ts'
import { keepFresh } from './lib/keep-fresh.ts'
import { createResolve } from './lib/resolve.ts'

export type { Properties } from './lib/answer.ts'

/** The workload's own OIDC token, or a function that returns the newest one (it is called before every request). */
export type WorkloadToken = string | (() => string | Promise<string>)

/** What a service wants to do; at least one channel in `produce` or `consume`. */
export type Intent = {
  /** Channels to write to, such as `kafka://payments.acme.com/orders/created`. */
  readonly produce?: readonly string[]
  /** Channels to read. */
  readonly consume?: readonly string[]
  /**
   * The consumer group.
   * @default - the principal's own name
   */
  readonly group?: string
  /**
   * Named settings for each role.
   * @default - the route's, else the policy's
   */
  readonly profile?: { readonly producer?: string; readonly consumer?: string }
  /**
   * The network this client is in; decides which listener of the cluster it gets.
   * @default - Switchboard chooses
   */
  readonly network?: string
}

/** What happened to a lease; for logs and metrics. No event holds a secret. */
export type LeaseEvent =
  /** Not there yet: `openLease` asks again in `retryInMs`. */
  | { readonly type: 'waiting'; readonly error: Error; readonly retryInMs: number }
  /** Renewed; `changed` says whether anything but tokens and times is different. */
  | { readonly type: 'renewed'; readonly changed: boolean; readonly expiresAt: Date }
  /**
   * Clients of this cluster have to be made anew with `lease.connection(cluster)`: it is another Kafka user now, or the
   * channels are elsewhere. Those that run go on for as long as the lease is renewed and they are held.
   */
  | { readonly type: 'replaced'; readonly cluster: string }
  /** Not renewed; clients go on with what they hold, and the lease tries again in `retryInMs`. */
  | { readonly type: 'renewal_failed'; readonly error: Error; readonly retryInMs: number }

export type LeaseOptions = {
  /** Switchboard's base URL; `https`, or `http` on a loopback address. */
  readonly url: string
  readonly token: WorkloadToken
  readonly intent: Intent
  /**
   * Names this client among others of the same workload, such as the pod's name.
   * @default - random, one per process
   */
  readonly instance?: string
  /**
   * Ends the wait for the first answer and closes the lease.
   * @default - nothing does
   */
  readonly signal?: AbortSignal
  /**
   * How long to wait for the first answer while Switchboard asks to wait or cannot be reached.
   * @default 60_000
   */
  readonly startTimeoutMs?: number
  /**
   * How long one request may take.
   * @default 3_000
   */
  readonly requestTimeoutMs?: number
  /**
   * Told what happens to the lease.
   * @default - nobody is
   */
  readonly onEvent?: (event: LeaseEvent) => void
  /**
   * Sends the requests.
   * @default - the global `fetch`
   */
  readonly fetch?: typeof globalThis.fetch
  /**
   * Where time comes from.
   * @default - the system
   */
  readonly clock?: Clock
  /**
   * Where jitter comes from: 0 to below 1.
   * @default Math.random
   */
  readonly random?: () => number
}

/** One cluster of a lease: its settings as Switchboard gave them, and its credential as it is now. */
export type Connection = {
  readonly cluster: { readonly name: string; readonly provider: string; readonly region?: string }
  /** Topic of each channel asked for. */
  readonly topics: Readonly<Record<string, string>>
  /** Anchored regular expression, or list of topics, of each channel pattern asked for. */
  readonly patterns: Readonly<Record<string, string | readonly string[]>>
  /** Kafka's own names: `bootstrap.servers`, `security.protocol`, ... */
  readonly properties: Properties
  /** Kafka's own names; only when the intent produces. */
  readonly producer: Properties | undefined
  /** Kafka's own names; only when the intent consumes. */
  readonly consumer: Properties | undefined
  readonly credential:
    | {
        readonly kind: 'jwt'
        /** End of the token held now. */
        readonly expiresAt: Date
      }
    /** A user that the cluster has on record; another `slot` is another user. */
    | {
        readonly kind: 'scram'
        readonly mechanism: 'SCRAM-SHA-512'
        readonly username: string
        readonly slot: string
        /** It does not end by itself. */
        readonly expiresAt?: undefined
      }
  /**
   * The newest token. A token that is over is never returned: the call waits for a renewal, for at most 4 seconds.
   *
   * It answers at once, without a promise, as long as the token held is good.
   *
   * @throws {SwitchboardError} `credential_ended` (try again), `lease_closed`, `unsupported` with a stored credential
   */
  readonly token: () => string | Promise<string>
  /**
   * The password of a stored credential; the same for the life of this object.
   * @throws {SwitchboardError} `unsupported` with tokens
   */
  readonly password: () => string
  /**
   * The topic of a channel.
   * @throws {SwitchboardError} `unknown_channel`
   */
  readonly topic: (channel: string) => string
  /**
   * The topics of a channel pattern among those that exist.
   * @throws {SwitchboardError} `unknown_channel`
   */
  readonly topicsOf: (pattern: string, existing: Iterable<string>) => readonly string[]
}

/** What Switchboard gave, kept fresh until it is closed. */
export type Lease = {
  readonly id: string
  readonly expiresAt: Date
  /** One per cluster, as the last answer said. */
  readonly connections: readonly Connection[]
  /**
   * The connection to a cluster; the name may be left out when there is one.
   * @throws {SwitchboardError} `unknown_cluster`
   */
  readonly connection: (cluster?: string) => Connection
  /**
   * Says that a client runs with the credential of this connection, until what is returned is called. A stored credential
   * is not taken away from a client that is held; when no client holds an earlier one any more, Switchboard is told.
   * `keepClient` does this by itself.
   */
  readonly hold: (connection: Connection) => () => void
  /** Calls `listener` when the clients of a cluster have to be made anew; ends with what is returned. */
  readonly onReplaced: (listener: (cluster: string) => void) => () => void
  /** Ends renewal. Clients made with this lease go on until their token ends. */
  readonly close: () => void
}

const defaultStartTimeoutMs = 60_000
const defaultRequestTimeoutMs = 3_000

const processInstance = `js-${randomUUID()}`

const parseUrl = (text: string): URL => {
  const base = URL.parse(text)
  if (!base) throw new TypeError(`\`url\` is \`${text}\`; expected an absolute URL`)
  if (base.username || base.password) throw new TypeError('`url` has a user or a password; expected neither')
  const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(base.hostname)
  if (base.protocol !== 'https:' && !(base.protocol === 'http:' && loopback))
    throw new TypeError(`\`url\` is \`${base.origin}\`; expected https, or http on a loopback address`)
  return new URL(`${base.pathname.replace(/\/+$/, '')}/v1/resolve`, base)
}

const checkIntent = ({ produce = [], consume = [] }: Intent): void => {
  if (produce.length + consume.length === 0)
    throw new TypeError('`intent` has no channel; expected at least one in `produce` or `consume`')
}

/**
 * Asks Switchboard for a lease and keeps it fresh.
 *
 * It resolves once, waiting while Switchboard says that the access is being made (503) or is busy (429), and while it
 * cannot be reached, until `startTimeoutMs`. After that it renews before `refreshAfter`, in the background: when
 * Switchboard is down, clients go on with what they hold until their credential ends.
 *
 * @example
 * ```ts
 * import { readFile } from 'node:fs/promises'
 * import { openLease } from '@switchboard-kafka/client'
 * import { platformatic } from '@switchboard-kafka/client/platformatic'
 * import { Producer, stringSerializers } from '@platformatic/kafka'
 *
 * const created = 'kafka://payments.acme.com/orders/created'
 * const lease = await openLease({
 *   url: 'https://switchboard.acme.com',
 *   token: () => readFile('/var/run/secrets/tokens/switchboard', 'utf8'),
 *   intent: { produce: [created] },
 * })
 * const kafka = platformatic(lease.connection())
 * const producer = new Producer({ ...kafka.producer, serializers: stringSerializers })
 * await producer.send({ messages: [{ topic: kafka.topic(created), key: 'o-1', value: 'paid' }] })
 * await producer.close()
 * lease.close()
 * ```
 *
 * @throws {SwitchboardProblem} when Switchboard refuses: `access_denied`, `unauthenticated`, `invalid_intent`, ...
 * @throws {SwitchboardError} `start_timeout`, `malformed_answer`, `token_unavailable`, `lease_closed` (the signal)
 * @throws {TypeError} when the options are wrong
 */
export const openLease = async (options: LeaseOptions): Promise<Lease> => {
  const url = parseUrl(options.url)
  checkIntent(options.intent)
  const {
    clock = systemClock,
    random = Math.random,
    requestTimeoutMs = defaultRequestTimeoutMs,
    startTimeoutMs = defaultStartTimeoutMs,
    token,
  } = options
  const { produce, consume, group, profile, network } = options.intent
  const resolve = createResolve({
    url,
    token: typeof token === 'function' ? token : () => token,
    intent: {
      produce,
      consume,
      group,
      profile,
      network,
      client: { instance: options.instance ?? processInstance, family: 'javascript' },
    },
    fetch: options.fetch ?? globalThis.fetch,
    clock,
    timeoutMs: requestTimeoutMs,
  })
  const closing = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, closing.signal]) : closing.signal
  const notify = (event: LeaseEvent): void => {
    try {
      options.onEvent?.(event)
    } catch (error) {
      // a listener's mistake must not end the renewal
      process.emitWarning(`an \`onEvent\` listener threw: ${error instanceof Error ? error.message : 'not an error'}`)
    }
  }
  const first = await firstAnswer({ resolve, signal, clock, random, notify, startTimeoutMs })
  return keepFresh({ first, resolve, signal, close: () => closing.abort(), clock, random, notify })
}
