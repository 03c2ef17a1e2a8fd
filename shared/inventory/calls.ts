import { waitBeforeRetry } from './backoff.ts'
import { SourceError } from './cluster-source.ts'

/** Asks one control plane, as often as it takes and as seldom as it wants. */
export type Calls = {
  /**
   * @param work must end when its signal does
   * @throws SourceError
   */
  readonly call: <T>(what: string, work: (signal: AbortSignal) => Promise<T>) => Promise<T>
  /** Nothing is asked for so long, whoever asks. */
  readonly pause: (ms: number) => void
}

export type CallsOptions = {
  readonly now: () => number
  readonly wait: (ms: number) => Promise<unknown>
  readonly random: () => number
  /** A connection that is open and silent is given up after this. @default 10_000 */
  readonly timeoutMs?: number
  /** Of one call, with all its tries: longer than the minute that a control plane may be down. @default 90_000 */
  readonly budgetMs?: number
}

/** One of them per control plane and key: who is told to wait there waits everywhere. */
export const createCalls = ({ now, wait, random, timeoutMs = 10_000, budgetMs = 90_000 }: CallsOptions): Calls => {
  let notBefore = Number.NEGATIVE_INFINITY

  const pause = (ms: number): void => {
    notBefore = Math.max(notBefore, now() + ms)
  }

  /** Waits until everybody may ask again; those who wait do not all ask in the same instant. */
  const passGate = async (what: string, deadline: number): Promise<void> => {
    while (notBefore > now()) {
      const ms = notBefore - now()
      if (now() + ms > deadline)
        throw new SourceError('throttled', `${what}: asked to wait for ${Math.ceil(ms / 1000)} s`, { retryAfterMs: ms })
      await wait(Math.ceil(ms + random() * 250))
    }
  }

  const tryOnce = async <T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    // AbortSignal.timeout would hold every request for as long as it could have taken
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), timeoutMs)
    try {
      return await work(controller.signal)
    } catch (cause) {
      if (!controller.signal.aborted) throw cause
      throw new SourceError('unavailable', `${what}: no answer in ${timeoutMs} ms`, { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    pause,
    call: async (what, work) => {
      const startedAt = now()
      for (let tries = 1; ; tries++) {
        await passGate(what, startedAt + budgetMs)
        try {
          return await tryOnce(what, work)
        } catch (error) {
          if (!(error instanceof SourceError)) throw error
          if (error.code === 'throttled' && error.retryAfterMs !== undefined) pause(error.retryAfterMs)
          const elapsedMs = now() - startedAt
          const ms = waitBeforeRetry({ tries, elapsedMs, budgetMs, error, random: random() })
          if (ms === undefined) throw error
          await wait(ms)
        }
      }
    },
  }
}
