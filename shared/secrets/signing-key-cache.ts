import { SwitchboardError } from '../domain/errors.ts'
import type { SigningKeyStore, SigningKeys } from './signing-key-store.ts'

/** While reads fail, requests do not wait for one more failure each. */
const retryEveryMs = 5_000

/**
 * Our signing keys in memory, read again every `readEverySeconds`, one read at a time. A failed read keeps the keys held: an
 * outage of Secrets Manager must not stop tokens.
 * @throws SwitchboardError `unavailable` while there is no key at all
 */
export const createSigningKeyCache = (
  store: Pick<SigningKeyStore, 'read'>,
  clock: () => Date,
  onStale: (error: unknown) => void,
  readEverySeconds: number,
): (() => Promise<SigningKeys>) => {
  let held: SigningKeys | undefined
  let readAt = Number.NEGATIVE_INFINITY
  let attemptedAt = Number.NEGATIVE_INFINITY
  let pending: Promise<void> | undefined

  const refresh = async (): Promise<void> => {
    attemptedAt = clock().getTime()
    try {
      held = (await store.read()) ?? held
      readAt = clock().getTime()
    } catch (error) {
      onStale(error)
    }
  }

  const isDue = (now: number): boolean => now - readAt >= readEverySeconds * 1000 && now - attemptedAt >= retryEveryMs

  return async () => {
    if (held === undefined || isDue(clock().getTime())) {
      pending ??= refresh().finally(() => {
        pending = undefined
      })
      await pending
    }
    if (held === undefined)
      throw new SwitchboardError('unavailable', { reason: 'there is no signing key', retryAfterSeconds: 5 })
    return held
  }
}
