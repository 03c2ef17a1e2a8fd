import { compareAccess, computeAccess } from '../../shared/domain/access.ts'
import type { Directory } from '../../shared/domain/directory.ts'
import type { ClusterKey, Snapshot } from '../../shared/domain/inventory.ts'
import { policyNameOf } from '../../shared/domain/known-cluster.ts'
import type { AccessStore } from '../../shared/store/access-store.ts'
import type { Queue } from '../../shared/store/queue.ts'
import type { Telemetry } from '../../shared/telemetry.ts'
import type { InForce } from './sources.ts'

/**
 * Has rotate make the access of those whose grants reach topics that are new: ACLs know no `*` in the middle of a name, so
 * each such topic needs its own.
 */
export type TopicsAppeared = (key: ClusterKey, found: Snapshot, appeared: readonly string[]) => Promise<void>

export type TopicsAppearedDeps = {
  readonly inForce: () => Promise<InForce | undefined>
  readonly access: Pick<AccessStore, 'list'>
  readonly queue: Pick<Queue, 'send'>
  readonly telemetry: Telemetry
  readonly clock: () => Date
}

export const createTopicsAppeared = ({
  inForce,
  access,
  queue,
  telemetry,
  clock,
}: TopicsAppearedDeps): TopicsAppeared => {
  /** Whether these topics give somebody more on the cluster than its grants give there without them. */
  const gains = (
    directory: Directory,
    cluster: string,
    principal: { readonly name: string; readonly labels: Readonly<Record<string, string>> },
    appeared: ReadonlySet<string>,
    now: Date,
  ): boolean => {
    const accessWith = (topics: ReadonlySet<string>) => computeAccess(directory, cluster, principal, topics, now)
    return compareAccess(accessWith(new Set()), accessWith(appeared)).add.length > 0
  }

  return async (key, { cluster: found }, names) => {
    const current = await inForce()
    if (current === undefined) return
    const { directory } = current
    const cluster = policyNameOf(directory, key, found)
    if (cluster === undefined || directory.clusters.get(cluster)?.adminSecret === undefined) return
    const now = clock()
    const labels = new Map((await access.list(cluster)).map((known) => [known.principal, known.labels]))
    for (const name of directory.grants.flatMap(({ principals = [] }) => principals))
      if (!labels.has(name)) labels.set(name, {})
    const appeared = new Set(names)
    const concerned = [...labels].flatMap(([name, its]) =>
      gains(directory, cluster, { name, labels: its }, appeared, now) ? [name] : [],
    )
    for (const principal of concerned) await queue.send({ kind: 'access', cluster, principal })
    if (concerned.length > 0)
      telemetry.info('access asked for new topics', { cluster, topics: names.length, principals: concerned.length })
  }
}
