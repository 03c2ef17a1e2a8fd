import { type Clock, systemClock } from './clock.ts'
import { SwitchboardError } from './errors.ts'
import type { Connection, Lease } from './lease.ts'
import { backoffMs } from './lib/backoff.ts'

const defaultCloseTimeoutMs = 30_000

export type KeepClientOptions<Client> = {
  /**
   * Which cluster of the lease.
   * @default - the only one
   */
  readonly cluster?: string
  /**
   * Which channel the client is for, in place of `cluster`: when the channel moves, the next client is where it is then.
   * @default - none, and the client stays on its cluster
   */
  readonly channel?: string
  /** Makes a client that is ready to be used. */
  readonly open: (connection: Connection) => Client | Promise<Client>
  /** Ends a client that is not used any more: a producer sends what it has, a consumer commits. */
  readonly close: (client: Client) => void | Promise<void>
  /**
   * How long a client may take to close. One that takes longer counts as closed, so that its credential can be taken back:
   * `onError` is told a {@link SwitchboardError} `close_timeout`.
   * @default 30 seconds
   */
  readonly closeTimeoutMs?: number
  /**
   * Told when a client could not be made or closed; making one is tried again.
   * @default - a warning of the process
   */
  readonly onError?: (error: unknown) => void
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

export type KeptClient<Client> = {
  /** The client to use now; ask for it each time. It may be closed while something of it is still under way: see `use`. */
  readonly current: () => Client
  /**
   * Calls `work` with the client to use now, which is not closed before what `work` returns has ended. Most clients drop
   * what they have sent and not heard of when they are closed.
   */
  readonly use: <T>(work: (client: Client) => T | Promise<T>) => Promise<T>
  /** Closes the client and keeps no other. */
  readonly close: () => Promise<void>
}

const warn = (error: unknown): void =>
  process.emitWarning(
    `a Kafka client could not be replaced: ${error instanceof Error ? error.message : 'not an error'}`,
  )

/**
 * Keeps a Kafka client that logs in with what the lease gives now. Kafka ends a connection whose user changes, so a client
 * keeps its credential for its life: when the lease has another, the next client is made first, `use` and `current` have
 * that one from then on, the one before it is closed when nothing uses it any more, and Switchboard is told that nobody
 * needs its credential.
 *
 * @example
 * ```ts
 * const kept = await keepClient(lease, {
 *   open: (connection) => new Producer({ ...platformatic(connection).producer, serializers: stringSerializers }),
 *   close: (producer) => producer.close(),
 * })
 * await kept.use((producer) => producer.send({ messages }))
 * ```
 *
 * @throws whatever `open` throws for the first client; {SwitchboardError} `unknown_cluster`, `unknown_channel`
 */
export const keepClient = async <Client>(
  lease: Pick<Lease, 'connection' | 'connectionOf' | 'hold' | 'onReplaced'>,
  {
    cluster,
    channel,
    open,
    close,
    closeTimeoutMs = defaultCloseTimeoutMs,
    onError = warn,
    clock = systemClock,
    random = Math.random,
  }: KeepClientOptions<Client>,
): Promise<KeptClient<Client>> => {
  type Held = {
    readonly client: Client
    readonly connection: Connection
    readonly release: () => void
    readonly uses: Set<Promise<unknown>>
  }
  let isClosed = false
  let cancelRetry = (): void => undefined
  let underWay: Promise<void> | undefined
  let isAskedAgain = false

  const make = async (): Promise<Held> => {
    const connection = channel === undefined ? lease.connection(cluster) : lease.connectionOf(channel)
    const release = lease.hold(connection)
    try {
      return { client: await open(connection), connection, release, uses: new Set() }
    } catch (error) {
      release()
      throw error
    }
  }

  const closeInTime = (client: Client): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const cancel = clock.schedule(closeTimeoutMs, () =>
      reject(new SwitchboardError('close_timeout', `a Kafka client was not closed within ${closeTimeoutMs} ms`)),
    )
    Promise.resolve(client).then(close).then(resolve, reject)
    return promise.finally(cancel)
  }

  const end = async ({ client, release, uses }: Held): Promise<void> => {
    try {
      await Promise.allSettled(uses)
      await closeInTime(client)
    } catch (error) {
      onError(error)
    } finally {
      // whatever became of it, nobody uses it any more
      release()
    }
  }

  // what changes before there is a client is looked at when there is one
  const replacedEarly = new Set<string>()
  let onReplaced = (name: string): void => void replacedEarly.add(name)
  const stop = lease.onReplaced((name) => onReplaced(name))
  const first = await make().catch((error: unknown) => {
    stop()
    throw error
  })
  let held = first

  const replace = async (failures: number): Promise<void> => {
    try {
      const before = held
      held = await make()
      await end(before)
      if (isClosed) await end(held)
    } catch (error) {
      onError(error)
      if (isClosed) return await end(held)
      cancelRetry = clock.schedule(backoffMs(failures, random), () => ask(failures + 1), { background: true })
    }
  }

  /** One at a time; what changes while one is under way is looked at after it. */
  const ask = (failures = 0): void => {
    cancelRetry()
    if (isClosed) return
    if (underWay !== undefined) {
      isAskedAgain = true
      return
    }
    underWay = replace(failures).finally(() => {
      underWay = undefined
      if (!isAskedAgain) return
      isAskedAgain = false
      ask()
    })
  }

  onReplaced = (name) => {
    // while the next client is made nobody knows yet on which cluster it is
    if (name === held.connection.cluster.name || (channel !== undefined && underWay !== undefined)) ask()
  }
  for (const name of replacedEarly) onReplaced(name)

  return Object.freeze({
    current: () => held.client,
    use: async <T>(work: (client: Client) => T | Promise<T>): Promise<T> => {
      const { client, uses } = held
      const using = Promise.resolve(work(client))
      uses.add(using)
      try {
        return await using
      } finally {
        uses.delete(using)
      }
    },
    close: async () => {
      if (isClosed) return
      isClosed = true
      stop()
      cancelRetry()
      if (underWay === undefined) await end(held)
      else await underWay
    },
  })
}
