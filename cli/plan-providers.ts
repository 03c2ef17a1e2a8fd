import type { Cluster } from '../shared/domain/cluster.ts'
import { credentialWish } from '../shared/domain/credential-wish.ts'
import type { Directory } from '../shared/domain/directory.ts'
import { type Credential, slotNames } from '../shared/domain/rotation.ts'

/** SCRAM users of one MSK cluster, and of those each principal needs two while it rotates. */
const usersOfMsk = 1_000
const usersOfPrincipal = 2

const placeOf = (cluster: Cluster): string =>
  cluster.provider === 'msk' ? `${cluster.provider} ${cluster.arn}` : cluster.provider

/** Clusters that would be another one under the same name: users are looked for where they were not made. */
export const replacedClusters = (current: Directory | undefined, next: Directory): readonly string[] =>
  [...(current?.clusters.values() ?? [])].flatMap((cluster) => {
    const after = next.clusters.get(cluster.name)
    return after === undefined || placeOf(after) === placeOf(cluster) ? [] : [cluster.name]
  })

/** Why a cluster cannot be replaced yet; undefined: nobody has a user there. */
export const replacementRefusal = (name: string, stored: readonly Credential[]): string | undefined => {
  const holders = stored.filter(({ slots }) => slotNames.some((slot) => slots[slot].state !== 'absent'))
  const [first] = holders
  return (
    first &&
    `the cluster \`${name}\` becomes another one, and ${holders.length} principals have users on the one that it was, such as \`${first.principal}\`; take its grants away, apply, and change it when \`switchboard credentials --cluster ${name}\` shows both slots of everybody as \`absent\``
  )
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
