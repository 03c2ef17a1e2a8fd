import { type AccessSubject, type Acl, aclKey, compareAccess, computeAccess } from '../shared/domain/access.ts'
import type { Directory } from '../shared/domain/directory.ts'
import { isExpired, isHeldBy } from '../shared/domain/grant.ts'
import { computeQuota } from '../shared/domain/granted-quota.ts'
import { isSameQuota, type Quota, quotaRates } from '../shared/domain/quota.ts'
import type { AppliedAccess } from '../shared/store/access-store.ts'

/** What an apply would have rotate do for one principal on one cluster. */
export type AccessChange = {
  readonly cluster: string
  readonly principal: string
  readonly add: readonly Acl[]
  readonly remove: readonly Acl[]
  /** How fast it may go, before and after; undefined when that stays. */
  readonly quota: { readonly from: Quota; readonly to: Quota } | undefined
  /** Part of it is given topic by topic, and only the topics that Switchboard has seen are counted here. */
  readonly dependsOnTopics: boolean
}

/** Topics, and whether anybody had to look at them. */
const watched = (known: Iterable<string>) => {
  const topics = new Set(known)
  let asked = false
  topics[Symbol.iterator] = () => {
    asked = true
    return topics.values()
  }
  return { topics, wasAsked: () => asked }
}

const topicsSeen = (known: readonly AppliedAccess[], cluster: string): readonly string[] =>
  known
    .filter((entry) => entry.cluster === cluster)
    .flatMap(({ acls }) => acls)
    .filter(({ resource, pattern }) => resource === 'topic' && pattern === 'literal')
    .map(({ name }) => name)

/** Everything that decides a principal's access on a cluster, but for the topics there. */
const reasons = (directory: Directory, cluster: string, principal: AccessSubject, now: Date): string =>
  JSON.stringify([
    directory.clusters.get(cluster)?.adminSecret === undefined,
    directory.grants
      .filter((grant) => isHeldBy(grant, principal) && !isExpired(grant, now))
      .map(({ index: _, ...grant }) => grant),
  ])

const routesText = ({ routes }: Directory): string => JSON.stringify(routes.map(({ index: _, ...route }) => route))

/** For principals that grants name and those that the access table knows; others get theirs at first sight. */
export const compareAccesses = (
  current: Directory,
  next: Directory,
  known: readonly AppliedAccess[],
  now: Date,
): readonly AccessChange[] => {
  const named = [...current.grants, ...next.grants].flatMap((grant) => grant.principals ?? [])
  const clusters = [...new Set([...current.clusters.keys(), ...next.clusters.keys()])].sort()
  const sameRoutes = routesText(current) === routesText(next)
  return clusters.flatMap((cluster) => {
    const seen = topicsSeen(known, cluster)
    const labels = new Map(
      known.filter((entry) => entry.cluster === cluster).map((each) => [each.principal, each.labels]),
    )
    return [...new Set([...named, ...labels.keys()])].sort().flatMap((name): readonly AccessChange[] => {
      const principal = { name, labels: labels.get(name) ?? {} }
      if (sameRoutes && reasons(current, cluster, principal, now) === reasons(next, cluster, principal, now)) return []
      const { topics, wasAsked } = watched(seen)
      const accessIn = (directory: Directory): readonly Acl[] =>
        directory.clusters.get(cluster)?.adminSecret === undefined
          ? []
          : computeAccess(directory, cluster, principal, topics, now)
      const { add, remove } = compareAccess(accessIn(current), accessIn(next))
      const quotaIn = (directory: Directory): Quota =>
        directory.clusters.get(cluster)?.adminSecret === undefined
          ? {}
          : computeQuota(directory, cluster, principal, now)
      const [from, to] = [quotaIn(current), quotaIn(next)]
      const quota = isSameQuota(from, to) ? undefined : { from, to }
      return add.length + remove.length === 0 && !wasAsked() && quota === undefined
        ? []
        : [{ cluster, principal: name, add, remove, quota, dependsOnTopics: wasAsked() }]
    })
  })
}

const resourceNames: Readonly<Record<Acl['resource'], string>> = {
  topic: 'topic',
  group: 'group',
  'transactional-id': 'transactional id',
}

/** As a person says it: `write topic orders.*`. */
export const aclText = ({ operation, resource, pattern, name }: Acl): string =>
  `${operation} ${resourceNames[resource]} ${name}${pattern === 'prefixed' ? '*' : ''}`

const rateNames = { produceBytesPerSecond: 'produce', consumeBytesPerSecond: 'consume' } as const
const rateText = (rate: number | undefined): string => (rate === undefined ? 'no limit' : `${rate} bytes/s`)

/** As a person says it: `produce 1048576 bytes/s on each broker, was no limit`. */
export const quotaText = ({ from, to }: NonNullable<AccessChange['quota']>): string =>
  quotaRates
    .filter((rate) => from[rate] !== to[rate])
    .map((rate) => `${rateNames[rate]} ${rateText(to[rate])} on each broker, was ${rateText(from[rate])}`)
    .join('; ')

export const accessChangeAsJson = ({ add, remove, ...rest }: AccessChange) => ({
  ...rest,
  add: add.map(aclKey),
  remove: remove.map(aclKey),
})
