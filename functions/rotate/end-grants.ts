import { isExpired, isHeldBy } from '../../shared/domain/grant.ts'
import type { AccessStore } from '../../shared/store/access-store.ts'
import type { Queue } from '../../shared/store/queue.ts'
import type { InForce } from './in-force.ts'

/**
 * Has the access looked at again of those who still have what a grant gave them whose `until` has passed. Resolve refuses
 * them from that moment; this is for connections that outlive their lease. It reads the access of every cluster, and only
 * where a grant has ended.
 */
export type EndGrants = () => Promise<void>

export type EndGrantsDeps = {
  readonly inForce: () => Promise<InForce>
  readonly access: Pick<AccessStore, 'list'>
  readonly queue: Pick<Queue, 'send'>
  readonly clock: () => Date
}

export const createEndGrants =
  ({ inForce, access, queue, clock }: EndGrantsDeps): EndGrants =>
  async () => {
    const now = clock()
    const { directories } = await inForce()
    const ended = directories.flatMap(({ grants }) => grants.filter((grant) => isExpired(grant, now)))
    if (ended.length === 0) return
    const clusters = new Set(
      directories.flatMap((directory) =>
        [...directory.clusters.values()].flatMap(({ name, adminSecret }) => (adminSecret === undefined ? [] : [name])),
      ),
    )
    for (const cluster of clusters)
      for (const { principal, labels, acls, appliedAt } of await access.list(cluster)) {
        const isOlder = ({ until }: (typeof ended)[number]): boolean =>
          appliedAt !== undefined && until !== undefined && appliedAt < until
        if (acls.length > 0 && ended.some((grant) => isHeldBy(grant, { name: principal, labels }) && isOlder(grant)))
          await queue.send({ kind: 'access', cluster, principal })
      }
  }
