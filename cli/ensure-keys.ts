import { CommandError } from './command-error.ts'
import type { Stack } from './stack.ts'

export type EnsureKeysDeps = Pick<Stack, 'issuerUrl' | 'queue'> & {
  readonly fetch: typeof globalThis.fetch
  readonly clock: () => Date
  readonly wait: (milliseconds: number) => Promise<void>
  readonly waitSeconds: number
}

const pollMs = 250

/** Has rotate make the first signing key, and resolves when the issuer publishes it. Repeating it changes nothing. */
export const ensureKeys = async ({
  issuerUrl,
  queue,
  fetch,
  clock,
  wait,
  waitSeconds,
}: EnsureKeysDeps): Promise<string> => {
  const url = `${issuerUrl}/.well-known/jwks.json`
  const isPublished = async (): Promise<boolean> => {
    try {
      return (await fetch(url, { signal: AbortSignal.timeout(3_000) })).ok
    } catch {
      return false
    }
  }
  if (await isPublished()) return url
  await queue.send({ kind: 'ensure-keys' })
  const deadline = clock().getTime() + waitSeconds * 1000
  while (!(await isPublished())) {
    if (clock().getTime() > deadline)
      throw new CommandError(`\`${url}\` has no key after ${waitSeconds} s; look at the log of the rotate function`)
    await wait(pollMs)
  }
  return url
}
