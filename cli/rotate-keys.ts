import * as z from 'zod'
import { CommandError } from './command-error.ts'
import type { Stack } from './stack.ts'

export type RotateKeysDeps = Pick<Stack, 'issuerUrl' | 'queue'> & {
  readonly fetch: typeof globalThis.fetch
  readonly clock: () => Date
  readonly wait: (milliseconds: number) => Promise<void>
  readonly waitSeconds: number
}

const pollMs = 250
const jwksSchema = z.object({ keys: z.array(z.object({ kid: z.string() })) })

/**
 * Replaces the signing keys that there are now: in the time that everybody needs to read the next one, or at once, for
 * keys that somebody else may have; then it resolves when the issuer publishes none of them. Resolves to what was done.
 */
export const rotateKeys = async (atOnce: boolean, deps: RotateKeysDeps): Promise<readonly string[]> => {
  const { issuerUrl, queue, fetch, clock, wait, waitSeconds } = deps
  const url = `${issuerUrl}/.well-known/jwks.json`
  const readKids = async (): Promise<readonly string[] | undefined> => {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(3_000) })
      const parsed = response.ok ? jwksSchema.safeParse(await response.json()) : undefined
      return parsed?.data?.keys.map(({ kid }) => kid)
    } catch {
      return undefined
    }
  }
  const before = await readKids()
  if (before === undefined || before.length === 0)
    throw new CommandError(`\`${url}\` cannot be read, so nothing was asked for`)
  await queue.send({ kind: 'rotate-keys', kids: [...before], atOnce })
  if (!atOnce)
    return [
      'the next key is made and published now, and signs as soon as everybody has had the time to read it:',
      'nobody is refused; `switchboard credentials` shows how far it is',
    ]
  const isReplaced = (kids: readonly string[] | undefined): boolean =>
    kids !== undefined && !kids.some((kid) => before.includes(kid))
  const deadline = clock().getTime() + waitSeconds * 1000
  while (!isReplaced(await readKids())) {
    if (clock().getTime() > deadline)
      throw new CommandError(
        `\`${url}\` still shows an old key after ${waitSeconds} s; resolve reads its keys every 5 minutes. ` +
          'If this goes on, look at the log of the rotate function',
      )
    await wait(pollMs)
  }
  return [
    'the old keys are gone from the issuer',
    'a broker believes their tokens until it reads the keys again, an hour at most: restart brokers to be sure now',
  ]
}
