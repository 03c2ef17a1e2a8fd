import { setTimeout as delay } from 'node:timers/promises'
import { LocalError } from '../errors.ts'

/** More than a busy machine takes for anything that a demo waits for. */
export const patienceMs = 120_000

/** Asks until it is so. */
export const until = async (
  what: string,
  isSo: () => boolean | Promise<boolean>,
  {
    timeoutMs = patienceMs,
    everyMs = 100,
    signal,
  }: { readonly timeoutMs?: number; readonly everyMs?: number; readonly signal: AbortSignal },
): Promise<void> => {
  const deadline = Date.now() + timeoutMs
  while (!(await isSo())) {
    signal.throwIfAborted()
    if (Date.now() > deadline) throw new LocalError(`${what}: not within ${timeoutMs / 1000} s`)
    await delay(everyMs, undefined, { signal })
  }
}
