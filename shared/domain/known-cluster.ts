import type { Cluster } from './cluster.ts'
import type { Directory } from './directory.ts'
import type { ClusterKey, FoundCluster } from './inventory.ts'
import { policySource } from './policy.ts'

const addressesOf = (listeners: readonly { readonly bootstrap: string }[]): readonly string[] =>
  listeners.flatMap(({ bootstrap }) => bootstrap.split(','))

/** Two clusters that share an address are one. */
export const isSameCluster = (
  cluster: Pick<Cluster, 'listeners'>,
  found: { readonly listeners: readonly { readonly bootstrap: string }[] },
): boolean => {
  const addresses = new Set(addressesOf(found.listeners))
  return addressesOf(cluster.listeners).some((address) => addresses.has(address))
}

/** What the policy calls a cluster by its id alone; undefined: it does not, or only what was found there can tell. */
export const policyNameOfKey = ({ clusters }: Directory, { source, id }: ClusterKey): string | undefined => {
  if (source === policySource) return clusters.get(id)?.provider === 'kafka' ? id : undefined
  return [...clusters.values()].find(
    (cluster) =>
      (cluster.provider === 'msk' && cluster.arn === id) || (cluster.provider === 'confluent' && cluster.id === id),
  )?.name
}

/** What the policy calls a cluster that was found: by its id, else by an address that the policy has too. */
export const policyNameOf = (directory: Directory, key: ClusterKey, found: FoundCluster): string | undefined => {
  const known = policyNameOfKey(directory, key)
  if (known !== undefined || key.source === policySource) return known
  return [...directory.clusters.values()].find((cluster) => isSameCluster(cluster, found))?.name
}
