import { type ClusterKey, type FoundCluster, labelsOfTags } from '../../shared/domain/inventory.ts'
import { policyNameOf } from '../../shared/domain/known-cluster.ts'
import { newMatches, newMatchLine } from '../../shared/domain/new-matches.ts'
import { policySource } from '../../shared/domain/policy.ts'
import type { Telemetry } from '../../shared/telemetry.ts'
import type { InForce } from './sources.ts'

/**
 * Warns of selectors that match a cluster since its tags are others than at the last look.
 * @param last undefined: this is the first one
 */
export type WarnOfNewMatches = (key: ClusterKey, found: FoundCluster, last: FoundCluster | undefined) => Promise<void>

export type WarnOfNewMatchesDeps = {
  readonly inForce: () => Promise<InForce | undefined>
  readonly telemetry: Telemetry
}

/** A line of the log holds no more than so many. */
const maximumShown = 100

export const createWarnOfNewMatches =
  ({ inForce, telemetry }: WarnOfNewMatchesDeps): WarnOfNewMatches =>
  async (key, found, last) => {
    // what the policy itself says of its clusters was there when it was applied
    if (key.source === policySource) return
    const current = await inForce()
    if (current === undefined) return
    const { policy, directory } = current
    const cluster = policyNameOf(directory, key, found)
    if (cluster === undefined) return
    const clusters = { [cluster]: policy.clusters[cluster] ?? {} }
    const matchesOf = (tags: FoundCluster['tags']) =>
      newMatches({ clusters, routes: policy.routes }, new Map([[cluster, labelsOfTags(tags)]]))
    const known = new Set(matchesOf(last?.tags ?? {}).map(({ route }) => route))
    const matches = matchesOf(found.tags).filter(({ route }) => !known.has(route))
    if (matches.length === 0) return
    telemetry.warn('selectors match a cluster that they are not pinned to', {
      ...key,
      cluster,
      count: matches.length,
      routes: matches.slice(0, maximumShown).map(newMatchLine),
    })
  }
