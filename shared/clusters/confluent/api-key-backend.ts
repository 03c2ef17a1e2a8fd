import { CredentialError } from '../../domain/credential-error.ts'
import type { RegistryLogin } from '../../domain/registry-login.ts'
import type { SlotPlace } from '../../domain/slot-place.ts'
import type { BackendOutcome, BackendUser, CredentialBackend, Login, Name } from '../credential-backend.ts'
import type { ConfluentSlotKeys } from './slot-keys.ts'

export type ConfluentBackendDeps = {
  readonly keys: Pick<ConfluentSlotKeys, 'isThere' | 'made' | 'remove' | 'used'>
  /** Of the schema registry; also where the policy has none any more, to find those of before. */
  readonly registryKeys: Pick<ConfluentSlotKeys, 'isThere' | 'made' | 'remove'>
  /** The slot that a Kafka user is of; undefined for one that is not ours. */
  readonly slotOf: (user: string) => SlotPlace | undefined
  /** Confluent has no word for a login: it is tried on the brokers, where they can be reached. */
  readonly verify: CredentialBackend['verify']
  /** The same at the schema registry. */
  readonly tryRegistry: (login: RegistryLogin) => Promise<Login>
}

/** Confluent publishes no number of requests. */
const parallelRequests = 5

/**
 * The API keys of a cluster of Confluent Cloud. Whoever saves their secrets makes them, for Confluent tells those once; here
 * it is seen whether they are there.
 */
export const createConfluentBackend = ({
  keys,
  registryKeys,
  slotOf,
  verify,
  tryRegistry,
}: ConfluentBackendDeps): CredentialBackend => {
  const areThere = async ({ username, registry }: BackendUser): Promise<boolean> =>
    (await keys.isThere(username)) && (registry === undefined || (await registryKeys.isThere(registry.username)))

  /**
   * A key that is there and that the registry refuses has not arrived, or the URL is not that of the registry: neither is
   * to keep clients from the cluster for longer than such a key may take.
   */
  const registryOutcome = async (login: RegistryLogin): Promise<Login> => {
    const outcome = await tryRegistry(login)
    return outcome === 'refused' && (await registryKeys.isThere(login.username)) ? 'unreachable' : outcome
  }

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
      const known = new Map(users.map((user) => [user.name, user]))
      return forEach([...known.keys()], async (_, name) => {
        const user = known.get(name)
        return { outcome: user !== undefined && (await areThere(user)) ? 'done' : 'lost' }
      })
    },

    verify: async (users) => {
      const outcomes = await verify(users)
      const works = (name: string): boolean => outcomes.get(name)?.outcome === 'works'
      const registries = new Map(
        users.flatMap(({ name, registry }) => (registry === undefined || !works(name) ? [] : [[name, registry]])),
      )
      const atRegistry = await forEach<Login>([...registries.keys()], async (_, name) => {
        const login = registries.get(name)
        return { outcome: login === undefined ? 'works' : await registryOutcome(login) }
      })
      return new Map([...outcomes, ...atRegistry])
    },

    revoke: (names) =>
      forEach(names, async (place, user) => {
        for (const id of await keys.made(place, user)) await keys.remove(id)
        for (const id of await registryKeys.made(place, user)) await registryKeys.remove(id)
        return { outcome: 'done' }
      }),

    close: async () => {},
  }
}
