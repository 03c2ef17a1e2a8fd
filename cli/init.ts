import { writeFile } from 'node:fs/promises'
import { Document, isMap, isScalar, isSeq, type YAMLSeq } from 'yaml'
import type { Directory } from '../shared/domain/directory.ts'
import { factsOf } from '../shared/domain/facts.ts'
import { firstPolicy, type NamedSnapshot, type Proposed } from '../shared/domain/first-policy.ts'
import type { Snapshot } from '../shared/domain/inventory.ts'
import type { Policy } from '../shared/domain/policy.ts'
import type { InventoryStore } from '../shared/store/inventory-store.ts'
import { CommandError } from './command-error.ts'
import { readInForce } from './in-force.ts'
import { type FoundEntry, readSnapshots } from './read-snapshots.ts'
import type { Stack } from './stack.ts'

export type InitDeps = Pick<Stack, 'directories'> & {
  readonly inventory: Pick<InventoryStore, 'list' | 'read' | 'readSnapshot'>
}

type Clusters = Policy['clusters']

const nameOf = (text: string, taken: ReadonlySet<string>): string => {
  const plain =
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .slice(0, 58)
      .replaceAll(/^-+|-+$/g, '') || 'cluster'
  for (let count = 1; ; count++) {
    const name = count === 1 ? plain : `${plain}-${count}`
    if (!taken.has(name)) return name
  }
}

type Named = NamedSnapshot & { readonly cluster: Clusters[string]; readonly comments: readonly string[] }

/** What a cluster is in a policy; undefined where there is nothing that clients could log in with yet. */
const clusterOf = ({ id, cluster }: Snapshot, known: Clusters[string] | undefined): Clusters[string] | undefined => {
  if (known !== undefined) return known
  if (cluster.provider !== 'msk') return undefined
  const auth = [...new Set(factsOf(cluster).listeners.flatMap(({ auth = [] }) => auth))].sort()
  return auth.length === 0 ? undefined : { provider: 'msk', arn: id, auth }
}

const commentsOf = ({ entry, snapshot }: FoundEntry, cluster: Clusters[string]): readonly string[] => [
  `${snapshot.cluster.provider} ${entry.id}, as it was found ${entry.seenAt?.toISOString() ?? ''}`.trim(),
  ...(cluster.admin === undefined && cluster.auth.some((kind) => kind !== 'msk-iam')
    ? ['fill in `admin: { secret: <name or ARN> }`: what rotate logs in with to make users and ACLs']
    : []),
  ...(cluster.iam === undefined && cluster.auth.includes('msk-iam')
    ? ['deploy it with this cluster in `mskIamClusters`, or fill in `iam: { role: <ARN> }`: who principals are there']
    : []),
  ...(snapshot.parts.acls === undefined ? ['nobody could see its ACLs, so no grant is proposed for it'] : []),
]

/** One for each cluster, also where two sources know it: the one that could see its ACLs. */
const readNamed = async (
  inventory: InitDeps['inventory'],
  directory: Directory,
  known: Clusters,
): Promise<{ readonly named: readonly Named[]; readonly leftOut: readonly string[] }> => {
  const named = new Map<string, Named>()
  const leftOut: string[] = []
  const taken = new Set(Object.keys(known))
  for await (const found of readSnapshots(inventory, directory, () => true)) {
    const { entry, snapshot, policyName } = found
    const cluster = clusterOf(snapshot, known[policyName ?? ''])
    if (cluster === undefined) {
      const { name, provider } = snapshot.cluster
      leftOut.push(`${name} (${provider} ${entry.id}): nothing there that Switchboard can log clients in with`)
      continue
    }
    const name = policyName ?? nameOf(snapshot.cluster.name, taken)
    taken.add(name)
    if (named.get(name)?.snapshot.parts.acls !== undefined) continue
    named.set(name, { name, snapshot, cluster, comments: commentsOf(found, cluster) })
  }
  return { named: [...named.values()], leftOut }
}

/** A name that was found may hold anything; here it must not end the comment. */
const commentOf = (lines: readonly string[]): string =>
  lines.map((line) => ` ${line.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')}`).join('\n')

/** Each comment stands before the item it is about. */
const commented = (list: unknown, items: readonly Proposed<unknown>[]): void => {
  if (!isSeq(list)) return
  for (const [at, { comments }] of items.entries()) {
    const item = (list as YAMLSeq).items[at]
    if (isMap(item) && comments.length > 0) item.commentBefore = commentOf(comments)
  }
}

/**
 * A first policy as YAML, from what the last crawl found. It is made to be read and changed: nothing is applied. What the
 * policy in force says besides clusters, grants and routes stays.
 * @throws CommandError when no crawl has found anything yet
 */
export const initPolicy = async ({ directories, inventory }: InitDeps): Promise<string> => {
  const { policy, directory } = await readInForce(directories)
  const { named, leftOut } = await readNamed(inventory, directory, policy.clusters)
  if (named.length === 0)
    throw new CommandError(
      'no crawl has found a cluster that a policy can name; run `switchboard crawl`, then this again',
    )
  const proposed = firstPolicy(named, directory.kafkaUserPrefix)
  const { identities: _, clusters: __, grants, routes, ...rest } = policy
  const document = new Document({
    identities: policy.identities,
    clusters: { ...policy.clusters, ...Object.fromEntries(named.map(({ name, cluster }) => [name, cluster])) },
    grants: proposed.grants.map(({ value }) => value),
    routes: proposed.routes.map(({ value }) => value),
    ...rest,
  })
  const missing = [...leftOut, ...proposed.leftOut]
  document.commentBefore = commentOf([
    'Made by `switchboard init --from-inventory`: read it, fill in what it asks for, then `switchboard plan` it.',
    'Each consumer may also use the group that has its principal’s own name.',
    ...(grants.length + routes.length === 0
      ? []
      : ['The grants and routes in force are not in it: take over what is still wanted.']),
    ...(missing.length === 0 ? [] : ['', 'Left out:', ...missing.map((line) => `- ${line}`)]),
  ])
  const pairs = isMap(document.contents) ? document.contents.items : []
  const identities = pairs.find(({ key }) => isScalar(key) && key.value === 'identities')?.key
  if (isScalar(identities))
    identities.commentBefore = commentOf([
      'fill in: who signs the tokens of the workloads below, and which claim has these names; `sub` when nothing is said',
    ])
  const clusters = document.get('clusters')
  if (isMap(clusters))
    for (const { key } of clusters.items) {
      const found = isScalar(key) ? named.find(({ name }) => name === key.value) : undefined
      if (isScalar(key) && found !== undefined) key.commentBefore = commentOf(found.comments)
    }
  commented(document.get('grants'), proposed.grants)
  commented(document.get('routes'), proposed.routes)
  return document.toString({ lineWidth: 0 })
}

/** @throws CommandError when there is such a file already: somebody may have filled it in */
export const writePolicyFile = async (file: string, text: string): Promise<void> => {
  await writeFile(file, text, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(
      error.code === 'EEXIST'
        ? `\`${file}\` is there already; name another file with --out`
        : `cannot write \`${file}\` (${error.code}); name another file with --out`,
    )
  })
}
