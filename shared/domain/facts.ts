import { canonicalJson } from './canonical-json.ts'
import type { CredentialKind, Listener, SecurityProtocol } from './cluster.ts'
import type { FoundCluster, FoundListener } from './inventory.ts'
import type { Policy } from './policy.ts'

/*
 * The part of the inventory that decides where clients connect. It changes seldom, is stored under its content address
 * like a policy, and together with the policy makes the directory.
 */

export type ClusterFacts = { readonly listeners: readonly Listener[] }

/** By what the provider calls a cluster for its life (an ARN, `lkc-...`), of the clusters that the policy leaves it to the crawl. */
export type Facts = { readonly clusters: Readonly<Record<string, ClusterFacts>> }

export const noFacts: Facts = { clusters: {} }

/** Whether the policy leaves it to the crawl where clients connect. */
export const isLeftToCrawl = ({ provider, bootstrap, listeners }: Policy['clusters'][string]): boolean =>
  provider !== 'kafka' && bootstrap === undefined && listeners === undefined

/** What the provider calls such a cluster for its life. */
export const factsKeyOf = ({ arn, id }: Policy['clusters'][string]): string | undefined => arn ?? id

/** The ids under which the facts of such clusters are kept, and what the policy calls them. */
export const leftToCrawl = (policy: Policy): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(policy.clusters).flatMap(([name, cluster]) => {
      const key = factsKeyOf(cluster)
      return key !== undefined && isLeftToCrawl(cluster) ? [[key, name]] : []
    }),
  )

const kindsOf: Readonly<Record<string, CredentialKind>> = {
  'SCRAM-SHA-512': 'scram',
  AWS_MSK_IAM: 'msk-iam',
  OAUTHBEARER: 'jwt',
  PLAIN: 'api-key',
}

const isSasl = (security: FoundListener['security']): security is SecurityProtocol =>
  security === 'SASL_SSL' || security === 'SASL_PLAINTEXT'

/** What is of use to a client: listeners that take a kind of credential of ours, by the provider's own names of them. */
export const factsOf = ({ listeners }: Pick<FoundCluster, 'listeners'>): ClusterFacts => ({
  listeners: listeners
    .flatMap(({ field, network, bootstrap, security, mechanisms }): readonly Listener[] => {
      const auth = mechanisms.flatMap((mechanism) => kindsOf[mechanism] ?? [])
      return isSasl(security) && auth.length > 0 ? [{ name: field, network, bootstrap, security, auth }] : []
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1)),
})

/** `drop`: so much would vanish at once that it is more likely a mistake of the crawl than a decision of somebody. */
export type FactsReview =
  | { readonly outcome: 'unchanged' }
  | { readonly outcome: 'publish' }
  | { readonly outcome: 'drop'; readonly listeners: readonly string[] }

/** Share of a cluster's listeners that one crawl may take away. */
export const maximumDrop = 0.5

/**
 * Whether what a crawl found of a cluster may be put in force by itself. An address that changes is no drop, for that is
 * what a crawl is for; a listener that is not there any more is one.
 */
export const reviewFacts = (
  before: ClusterFacts | undefined,
  after: ClusterFacts,
  share: number = maximumDrop,
): FactsReview => {
  if (before === undefined) return { outcome: 'publish' }
  if (canonicalJson(before) === canonicalJson(after)) return { outcome: 'unchanged' }
  const names = new Set(after.listeners.map(({ name }) => name))
  const dropped = before.listeners.map(({ name }) => name).filter((name) => !names.has(name))
  return dropped.length > share * before.listeners.length
    ? { outcome: 'drop', listeners: dropped }
    : { outcome: 'publish' }
}

/** Of clusters that no policy leaves to the crawl any more nothing is kept. */
export const withClusterFacts = (
  { clusters }: Facts,
  id: string,
  facts: ClusterFacts,
  wanted: ReadonlySet<string>,
): Facts => ({
  clusters: Object.fromEntries(Object.entries({ ...clusters, [id]: facts }).filter(([each]) => wanted.has(each))),
})
