import type { Policy, PolicyFile, PolicyIssue } from './policy.ts'
import { hasLabels } from './principal.ts'

/** What a selector was found to mean. */
export type Pin = { readonly path: readonly PropertyKey[]; readonly cluster: string }

export type Pinned = { readonly policy: Policy; readonly pins: readonly Pin[]; readonly issues: readonly PolicyIssue[] }

/** Labels as a person writes them on a line. */
export const selectorText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')

/**
 * Selectors -> names. What is stored and put in force names its clusters, so that a cluster that gets the same labels
 * later moves nobody; the selector stays beside the name, for `newMatches`.
 */
export const pinClusters = (written: PolicyFile): Pinned => {
  const pins: Pin[] = []
  const issues: PolicyIssue[] = []
  const clusters = Object.entries(written.clusters)
  const routes = written.routes.map(({ cluster, ...route }, index) => {
    if (typeof cluster === 'string') return { ...route, cluster }
    const path = ['routes', index, 'cluster']
    const found = clusters.filter(([, { labels = {} }]) => hasLabels(labels, cluster.labels)).map(([name]) => name)
    const [only, ...others] = found
    if (only !== undefined && others.length === 0) pins.push({ path, cluster: only })
    else {
      const names = found.length === 0 ? 'no cluster' : found.map((name) => `\`${name}\``).join(', ')
      issues.push({
        path,
        detail: `\`${selectorText(cluster.labels)}\` is ${names}; allowed: labels that exactly one cluster has`,
      })
    }
    return { ...route, cluster: only ?? '', selector: cluster }
  })
  return { policy: { ...written, routes }, pins, issues }
}
