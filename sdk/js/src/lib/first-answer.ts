import type { Clock } from '../clock.ts'
import { SwitchboardError, SwitchboardProblem } from '../errors.ts'
import type { LeaseEvent } from '../lease.ts'
import { backoffMs } from './backoff.ts'
import type { Resolve, Resolved } from './resolve.ts'

/** What a lease lives in. */
export type Surroundings = {
  readonly resolve: Resolve
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly random: () => number
  readonly notify: (event: LeaseEvent) => void
}

const isRetryable = (error: unknown): error is SwitchboardError | SwitchboardProblem =>
  (error instanceof SwitchboardError || error instanceof SwitchboardProblem) && error.retryable

export const retryAfterOf = (error: unknown): number | undefined =>
  error instanceof SwitchboardProblem ? error.retryAfterMs : undefined

const sleep = (ms: number, { clock, signal }: Surroundings): Promise<void> =>
  new Promise((done) => {
    const end = (): void => {
      cancel()
      signal.removeEventListener('abort', end)
      done()
    }
    const cancel = clock.schedule(ms, end)
    signal.addEventListener('abort', end, { once: true })
  })

/** Resolves until there is a lease, a refusal that waiting does not mend, or no time left. */
export const firstAnswer = async (around: Surroundings & { readonly startTimeoutMs: number }): Promise<Resolved> => {
  const { resolve, signal, clock, random, notify, startTimeoutMs } = around
  const deadline = clock.now().getTime() + startTimeoutMs
  for (let failures = 0; ; failures += 1) {
    try {
      return await resolve(undefined, signal)
    } catch (error) {
      if (!isRetryable(error)) throw error
      const left = deadline - clock.now().getTime()
      const asked = retryAfterOf(error)
      // never earlier than asked, and a little apart from everybody else who was told the same
      const retryInMs =
        asked === undefined
          ? Math.min(backoffMs(failures, random), Math.max(left, 0))
          : Math.ceil(asked * (1 + random() / 10))
      if (left <= 0 || retryInMs > left)
        throw new SwitchboardError(
          'start_timeout',
          `no lease within the start-up deadline of \`${startTimeoutMs}\` ms: ${error.message}`,
          { retryable: true, cause: error },
        )
      notify({ type: 'waiting', error, retryInMs })
      await sleep(retryInMs, around)
    }
  }
}
