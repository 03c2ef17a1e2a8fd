import { randomUUID } from 'node:crypto'
import { systemClock } from './clock.ts'
import type { Intent, Lease, LeaseEvent, LeaseOptions } from './lease.ts'
import { firstAnswer } from './lib/first-answer.ts'
import { takeInstance } from './lib/instances.ts'
import { keepFresh } from './lib/keep-fresh.ts'
import { createSecretReader } from './lib/read-secrets.ts'
import { createResolve } from './lib/resolve.ts'

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
    readSecret,
    token,
  } = options
  const { produce, consume, group, profile, network } = options.intent
  const asked = { produce, consume, group, profile, network }
  const instance = takeInstance(options.instance ?? processInstance, [url.href, asked])
  const resolve = createResolve({
    url,
    token: typeof token === 'function' ? token : () => token,
    intent: { ...asked, client: { instance: instance.name, family: 'javascript' } },
    fetch: options.fetch ?? globalThis.fetch,
    clock,
    timeoutMs: requestTimeoutMs,
    ...(readSecret === undefined ? {} : { readSecrets: createSecretReader(readSecret) }),
  })
  const closing = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, closing.signal]) : closing.signal
  signal.addEventListener('abort', instance.release, { once: true })
  const notify = (event: LeaseEvent): void => {
    try {
      options.onEvent?.(event)
    } catch (error) {
      // a listener's mistake must not end the renewal
      process.emitWarning(`an \`onEvent\` listener threw: ${error instanceof Error ? error.message : 'not an error'}`)
    }
  }
  const first = await firstAnswer({ resolve, signal, clock, random, notify, startTimeoutMs }).catch(
    (error: unknown) => {
      closing.abort()
      throw error
    },
  )
  return keepFresh({ first, resolve, signal, close: () => closing.abort(), clock, random, notify })
}
