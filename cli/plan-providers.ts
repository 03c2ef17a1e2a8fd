import type { Cluster } from '../shared/domain/cluster.ts'
import { credentialWish } from '../shared/domain/credential-wish.ts'
import type { Directory } from '../shared/domain/directory.ts'
import { type Credential, slotNames } from '../shared/domain/rotation.ts'

/** SCRAM users of one MSK cluster, and of those each principal needs two while it rotates. */
const usersOfMsk = 1_000
const usersOfPrincipal = 2

const placeOf = (cluster: Cluster): string => {
  if (cluster.provider === 'kafka') return cluster.provider
  return `${cluster.provider} ${cluster.provider === 'msk' ? cluster.arn : cluster.id}`
}

/** Clusters that would be another one under the same name: users are looked for where they were not made. */
const replacedClusters = (current: Directory | undefined, next: Directory): readonly string[] =>
  [...(current?.clusters.values() ?? [])].flatMap((cluster) => {
    const after = next.clusters.get(cluster.name)
    return after === undefined || placeOf(after) === placeOf(cluster) ? [] : [cluster.name]
  })

const holdersOf = (stored: readonly Credential[]): readonly Credential[] =>
  stored.filter(({ slots }) => slotNames.some((slot) => slots[slot].state !== 'absent'))

/** Why a cluster cannot be replaced yet; undefined: nobody has a user there. */
const replacementRefusal = (name: string, stored: readonly Credential[]): string | undefined => {
  const holders = holdersOf(stored)
  const [first] = holders
  return (
    first &&
    `the cluster \`${name}\` becomes another one, and ${holders.length} principals have users on the one that it was, such as \`${first.principal}\`; take its grants away, apply, and change it when \`switchboard credentials --cluster ${name}\` shows both slots of everybody as \`absent\``
  )
}

/** Cluster -> principals that would have another service account there, or none: keys of the old one are not found any more. */
const changedAccounts = (current: Directory | undefined, next: Directory): ReadonlyMap<string, readonly string[]> =>
  new Map(
    [...(current?.clusters.values() ?? [])].flatMap((cluster) => {
      const after = next.clusters.get(cluster.name)
      if (cluster.provider !== 'confluent' || after?.provider !== 'confluent') return []
      const changed = [...cluster.serviceAccounts].filter(([name, id]) => after.serviceAccounts.get(name) !== id)
      return changed.length === 0 ? [] : [[cluster.name, changed.map(([principal]) => principal)] as const]
    }),
  )

const accountRefusal = (
  cluster: string,
  changed: readonly string[],
  stored: readonly Credential[],
): string | undefined => {
  const holder = holdersOf(stored).find(({ principal }) => changed.includes(principal))
  return (
    holder &&
    `the service account of \`${holder.principal}\` on \`${cluster}\` changes, and there are API keys of the one that it was; take the principal's grants there away, apply, and change it when \`switchboard credentials --cluster ${cluster}\` shows both its slots as \`absent\``
  )
}

/** Why a policy cannot follow the current one yet: what was made would be looked for elsewhere. */
export const replacementRefusals = async (
  current: Directory | undefined,
  next: Directory,
  listStored: (cluster: string) => Promise<readonly Credential[]>,
): Promise<readonly string[]> => {
  const refusals = await Promise.all([
    ...replacedClusters(current, next).map(async (name) => replacementRefusal(name, await listStored(name))),
    ...[...changedAccounts(current, next)].map(async ([name, changed]) =>
      accountRefusal(name, changed, await listStored(name)),
    ),
  ])
  return refusals.filter((refusal) => refusal !== undefined)
}

/** MSK clusters without room for the users of all that the grants name. */
export const fullClusters = (directory: Directory, now: Date): readonly string[] => {
  const names = [...new Set(directory.grants.flatMap(({ principals = [] }) => principals))]
  return [...directory.clusters.values()]
    .filter(({ provider, auth }) => provider === 'msk' && auth.includes('scram'))
    .flatMap(({ name }) => {
      const count = names.filter(
        (principal) => credentialWish(directory, name, { name: principal, labels: {} }, now) === 'named',
      ).length
      return count * usersOfPrincipal <= usersOfMsk
        ? []
        : [
            `\`${name}\` takes ${usersOfMsk} users, and the grants name ${count} principals who need two each: the last of them get none`,
          ]
    })
}
