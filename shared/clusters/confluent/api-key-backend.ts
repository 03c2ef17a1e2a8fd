import { CredentialError } from '../../domain/credential-error.ts'
import type { SlotPlace } from '../../domain/slot-place.ts'
import type { BackendOutcome, CredentialBackend, Name } from '../credential-backend.ts'
import type { ConfluentSlotKeys } from './slot-keys.ts'

export type ConfluentBackendDeps = {
  readonly keys: Pick<ConfluentSlotKeys, 'isThere' | 'made' | 'remove' | 'used'>
  /** The slot that a Kafka user is of; undefined for one that is not ours. */
  readonly slotOf: (user: string) => SlotPlace | undefined
  /** Confluent has no word for a login: it is tried on the brokers, where they can be reached. */
  readonly verify: CredentialBackend['verify']
}

/** Confluent publishes no number of requests. */
const parallelRequests = 5

/**
 * The API keys of a cluster of Confluent Cloud. Whoever saves their secrets makes them, for Confluent tells those once; here
 * it is seen whether they are there.
 */
export const createConfluentBackend = ({ keys, slotOf, verify }: ConfluentBackendDeps): CredentialBackend => {
  const forEach = async <T extends string>(
    users: readonly string[],
    work: (place: SlotPlace, user: string) => Promise<BackendOutcome<T>>,
  ): Promise<ReadonlyMap<string, BackendOutcome<T>>> => {
    const outcomes = new Map<string, BackendOutcome<T>>()
    const rest = users.values()
    const worker = async (): Promise<void> => {
      for (const user of rest) {
        try {
          const place = slotOf(user)
          if (place === undefined) throw new CredentialError('unexpected', `\`${user}\` is the user of no slot of ours`)
          outcomes.set(user, await work(place, user))
        } catch (error) {
          const reason = error instanceof CredentialError ? error.reason : 'unexpected'
          outcomes.set(user, { outcome: 'failed', reason, error })
        }
      }
    }
    await Promise.all(Array.from({ length: parallelRequests }, worker))
    return outcomes
  }

  return {
    look: (names) =>
      forEach<Name>(names, async (place, user) => {
        const { others, limit } = await keys.used(place)
        if (limit === undefined || others < limit) return { outcome: 'free' }
        throw new CredentialError(
          'cluster_full',
          `there is no room for \`${user}\`: its service account has ${others} API keys of ${limit}`,
        )
      }),

    create: async (users) => {
      const ids = new Map(users.map(({ name, username }) => [name, username]))
      return forEach([...ids.keys()], async (_, user) => {
        const isThere = await keys.isThere(ids.get(user) ?? '')
        return { outcome: isThere ? 'done' : 'lost' }
      })
    },

    verify,

    revoke: (names) =>
      forEach(names, async (place, user) => {
        for (const id of await keys.made(place, user)) await keys.remove(id)
        return { outcome: 'done' }
      }),

    close: async () => {},
  }
}
