import type { Directory } from '../domain/directory.ts'
import { SwitchboardError } from '../domain/errors.ts'
import type { Revocation } from '../domain/revocation.ts'
import type { DirectoryStore } from './directory-store.ts'
import { readDirectory } from './read-directory.ts'

/** What decisions are made from. */
export type DirectorySnapshot = {
  readonly directory: Directory
  readonly denied: readonly Revocation[]
  readonly revision: number
}

export type DirectoryCache = { readonly current: () => Promise<DirectorySnapshot> }

const checkEveryMs = 5_000
/** How long the last good directory is served while the pointer cannot be read: this bounds a revocation. */
const serveStaleMs = 60_000

/**
 * The directory in memory: the pointer is checked at most every 5 s, one check at a time.
 * @throws SwitchboardError `unavailable` before the first apply, and when the last successful check is over 60 s ago
 */
export const createDirectoryCache = (
  store: Pick<DirectoryStore, 'readPointer' | 'readPolicy' | 'readFacts'>,
  clock: () => Date,
  onStale: (error: unknown) => void,
): DirectoryCache => {
  let held: DirectorySnapshot | undefined
  let heldFacts: string | undefined
  let checkedAt = Number.NEGATIVE_INFINITY
  let attemptedAt = Number.NEGATIVE_INFINITY
  let pending: Promise<void> | undefined

  /** A clock that was set back must not make what is held look young. */
  const timeSince = (at: number): number => Math.abs(clock().getTime() - at)

  const check = async (): Promise<void> => {
    const at = clock().getTime()
    attemptedAt = at
    const pointer = await store.readPointer()
    if (pointer.policy === undefined) {
      held = undefined
      throw new SwitchboardError('unavailable', { reason: 'no policy was applied yet', retryAfterSeconds: 30 })
    }
    const isCurrent = held?.directory.hash === pointer.policy && heldFacts === pointer.facts
    const directory =
      held !== undefined && isCurrent ? held.directory : await readDirectory(store, pointer.policy, pointer)
    held = { directory, denied: pointer.denied, revision: pointer.revision }
    heldFacts = pointer.facts
    checkedAt = at
  }

  return {
    current: async () => {
      if (timeSince(attemptedAt) >= checkEveryMs || held === undefined) {
        pending ??= check().finally(() => {
          pending = undefined
        })
        try {
          await pending
        } catch (error) {
          if (error instanceof SwitchboardError) throw error
          onStale(error)
        }
      }
      if (held === undefined || timeSince(checkedAt) > serveStaleMs)
        throw new SwitchboardError('unavailable', { reason: 'the directory cannot be read', retryAfterSeconds: 5 })
      return held
    },
  }
}
