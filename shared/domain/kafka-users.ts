import type { Cluster } from './cluster.ts'
import { kafkaUser, slotUser } from './principal.ts'
import { type Credential, type SlotState, slotNames } from './rotation.ts'

/** A Kafka user of a principal, and whether the principal's access belongs to it now. */
export type PrincipalUser = { readonly user: string; readonly hasAccess: boolean }

/** A fenced slot is nobody's any more, and what is absent may be the name of a user that is still on its way out. */
const withoutAccess: readonly SlotState[] = ['absent', 'fenced']

/** The names of all Kafka users that a principal can ever have on a cluster. */
export const possibleUsers = (prefix: string, principal: string): readonly string[] => [
  kafkaUser(prefix, principal),
  ...slotNames.map((slot) => slotUser(prefix, principal, slot)),
]

/**
 * The Kafka users that a principal can have on a cluster: that of its tokens, and those of its stored credential. All of
 * them are named, so that access that is left over from another policy or state is seen and taken away.
 */
export const principalUsers = (
  { auth }: Pick<Cluster, 'auth'>,
  prefix: string,
  principal: string,
  credential: Credential | undefined,
): readonly PrincipalUser[] => {
  const ofTokens = { user: kafkaUser(prefix, principal), hasAccess: auth.includes('jwt') }
  if (credential === undefined) return [ofTokens]
  const ofSlots = slotNames
    // a name that was never ours may be somebody else's
    .filter((slot) => credential.slots[slot].generation > 0)
    .map((slot) => ({
      user: slotUser(prefix, principal, slot),
      hasAccess: auth.includes('scram') && !withoutAccess.includes(credential.slots[slot].state),
    }))
  return [ofTokens, ...ofSlots]
}
