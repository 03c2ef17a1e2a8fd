import { selectorText } from './pin-clusters.ts'
import type { Policy } from './policy.ts'
import { hasLabels } from './principal.ts'

type Labels = Readonly<Record<string, string>>
type Labelled = Pick<Policy['clusters'][string], 'labels'>

/** A cluster that a route's selector would be by what it is tagged with, and that the route does not lead to. */
export type NewMatch = {
  /** Where the route stands in the policy. */
  readonly route: number
  /** Labels of the selector. */
  readonly selector: Labels
  /** What it was pinned to, where the route goes on leading. */
  readonly cluster: string
  readonly match: string
}

/**
 * A warning and no more: what a selector means is settled when a policy is applied. A tag stands above the label of the same
 * name in the policy, for it says what the cluster is now.
 * @param tagged labels that a crawl found, by what the policy calls the cluster
 */
export const newMatches = (
  { clusters, routes }: Pick<Policy, 'routes'> & { readonly clusters: Readonly<Record<string, Labelled>> },
  tagged: ReadonlyMap<string, Labels>,
): readonly NewMatch[] => {
  const labelled = Object.entries(clusters).map(
    ([name, { labels }]) => [name, { ...labels, ...tagged.get(name) }] as const,
  )
  return routes.flatMap(({ cluster, selector }, route): readonly NewMatch[] =>
    selector === undefined
      ? []
      : labelled
          .filter(([name, labels]) => name !== cluster && hasLabels(labels, selector.labels))
          .map(([match]) => ({ route, selector: selector.labels, cluster, match })),
  )
}

/** Without the place of the route. */
export const newMatchText = ({ selector, cluster, match }: NewMatch): string =>
  `\`${selectorText(selector)}\` matches \`${match}\` by its tags; the route stays on \`${cluster}\``

export const newMatchLine = (match: NewMatch): string => `routes[${match.route}].cluster: ${newMatchText(match)}`
