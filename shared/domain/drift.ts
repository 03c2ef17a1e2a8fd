import { type Acl, aclKey, computeAccess } from './access.ts'
import type { Cluster } from './cluster.ts'
import type { Directory } from './directory.ts'
import type { FoundAcl, InventoryEntry, PartName, Snapshot } from './inventory.ts'
import { principalUsers } from './kafka-users.ts'
import { isPrincipalName, slotOfUser, slotUser } from './principal.ts'
import { isRevokedOn, type Revocation } from './revocation.ts'
import { type Credential, type SlotState, slotNames } from './rotation.ts'

/*
 * The policy in force against what a crawl found: on a cluster, only what is ours by name is looked at, and what its owner
 * has there besides is no drift. What cannot be told is said and never taken for a difference, nor for none.
 */

/** `missing`: wanted and not there. `extra`: there and ours by name, but not wanted. `changed`: there in another way. */
export type DriftKind = 'missing' | 'extra' | 'changed'

export type Difference = {
  readonly kind: DriftKind
  readonly cluster: string
  readonly what: 'cluster' | 'listener' | 'topic' | 'acl' | 'user'
  /** A name that says which: of an ACL its user and what it allows. */
  readonly name: string
  /** Why it counts, where the kind does not say it all. */
  readonly detail?: string | undefined
}

/** What could not be compared, and why. */
export type Untold = { readonly cluster: string; readonly what: string; readonly why: string }

export type Drift = { readonly differences: readonly Difference[]; readonly untold: readonly Untold[] }

/** Everything that is known of a cluster of the policy. */
export type ClusterState = {
  /** undefined: no crawl ever came across it */
  readonly found: { readonly entry: InventoryEntry; readonly snapshot: Snapshot | undefined } | undefined
  /** Who has, or had, access there, with the labels it was last seen with and when that was last changed. */
  readonly known: readonly {
    readonly principal: string
    readonly labels: Readonly<Record<string, string>>
    readonly appliedAt?: Date | undefined
  }[]
  readonly credentials: readonly Credential[]
}

export type DriftContext = {
  readonly directory: Directory
  readonly denied: readonly Revocation[]
  readonly now: Date
}

const userPrefix = 'User:'
const operations: Readonly<Record<string, Acl['operation']>> = { READ: 'read', WRITE: 'write' }
const resources: Readonly<Record<string, Acl['resource']>> = {
  TOPIC: 'topic',
  GROUP: 'group',
  TRANSACTIONAL_ID: 'transactional-id',
}

/** As we would have made it; undefined: we never make such a one. */
const asOurs = ({ resource, pattern, operation, name }: FoundAcl): Acl | undefined => {
  const [ourResource, ourOperation] = [resources[resource], operations[operation]]
  if (ourResource === undefined || ourOperation === undefined) return undefined
  return {
    resource: ourResource,
    pattern: pattern === 'PREFIXED' ? 'prefixed' : 'literal',
    operation: ourOperation,
    name,
  }
}

const nameOf = (user: string, acl: Acl): string => `${user} ${aclKey(acl)}`

const foundText = ({ permission, operation, resource, pattern, name, host }: FoundAcl): string =>
  `${permission} ${operation} ${resource}:${pattern}:${name} from ${host}`

/** Whose a Kafka user is; undefined for one that is not ours. */
const principalOfUser = (prefix: string, user: string): string | undefined => {
  const slot = slotOfUser(prefix, user)
  if (slot !== undefined) return slot.principal
  const name = user.startsWith(prefix) ? user.slice(prefix.length) : ''
  return isPrincipalName(name) ? name : undefined
}

/** A user of a slot in these states can log in; in others it may be on its way in or out. */
const present: readonly SlotState[] = ['ready', 'active', 'draining']

/** One difference for each ACL of ours: those that `wanted` has by user and those that were found. */
const compareAcls = (
  wanted: ReadonlyMap<string, readonly Acl[]>,
  found: readonly FoundAcl[],
  isOurs: (user: string) => boolean,
): readonly Omit<Difference, 'cluster'>[] => {
  const wants = new Set([...wanted].flatMap(([user, acls]) => acls.map((acl) => nameOf(user, acl))))
  const kept = new Set<string>()
  const others = new Map<string, string>()
  const extra: Omit<Difference, 'cluster'>[] = []
  for (const acl of found) {
    const user = acl.principal.startsWith(userPrefix) ? acl.principal.slice(userPrefix.length) : ''
    if (!isOurs(user)) continue
    const ours = asOurs(acl)
    const key = ours && nameOf(user, ours)
    const isPlain = acl.permission === 'ALLOW' && acl.host === '*'
    if (key !== undefined && wants.has(key)) {
      if (isPlain) kept.add(key)
      else others.set(key, foundText(acl))
    } else
      extra.push(
        key !== undefined && isPlain
          ? { kind: 'extra', what: 'acl', name: key }
          : { kind: 'extra', what: 'acl', name: `${user} ${foundText(acl)}` },
      )
  }
  const differing = [...wants].flatMap((key): readonly Omit<Difference, 'cluster'>[] => {
    const other = others.get(key)
    // a DENY beside what is right forbids it all the same
    if (other !== undefined) return [{ kind: 'changed', what: 'acl', name: key, detail: other }]
    return kept.has(key) ? [] : [{ kind: 'missing', what: 'acl', name: key }]
  })
  return [...differing, ...extra]
}

const compareListeners = (
  cluster: Cluster,
  { cluster: found, source }: Snapshot,
): readonly Omit<Difference, 'cluster'>[] => {
  // of the clusters that the policy describes itself a crawl only repeats what it says
  if (found.provider === 'kafka' && source === 'kafka') return []
  const addresses = new Set(found.listeners.flatMap(({ bootstrap }) => bootstrap.split(',')))
  return cluster.listeners.flatMap(({ name, bootstrap }) => {
    const gone = bootstrap.split(',').filter((address) => !addresses.has(address))
    if (gone.length === 0) return []
    const isGone = gone.length === bootstrap.split(',').length
    return [
      {
        kind: isGone ? ('missing' as const) : ('changed' as const),
        what: 'listener' as const,
        name,
        detail: `not on the cluster: ${gone.join(', ')}`,
      },
    ]
  })
}

/** Of routes that lead to one topic: what a wildcard leads to need not exist. */
const compareTopics = (
  { routes }: Directory,
  cluster: string,
  topics: ReadonlySet<string>,
): readonly Omit<Difference, 'cluster'>[] => {
  const wanted = routes.flatMap(({ cluster: of, topic, channel }) =>
    of === cluster && topic.tokens.length > 0 && topic.tokens.every(({ kind }) => kind === 'text')
      ? [{ topic: topic.text, channel: channel.text }]
      : [],
  )
  const missing = new Map(wanted.flatMap(({ topic, channel }) => (topics.has(topic) ? [] : [[topic, channel]])))
  return [...missing].map(([name, channel]) => ({
    kind: 'missing',
    what: 'topic',
    name,
    detail: `the route of \`${channel}\` leads there`,
  }))
}

/** Parts of a cluster whose facts are not those of its last look. */
const whyUnknown = ({ unknown, failing }: InventoryEntry, part: PartName): string | undefined => {
  const failure = failing ?? unknown[part]
  return failure && `${failure.code} since ${failure.since.toISOString()}: ${failure.detail}`
}

export const driftOfCluster = (
  cluster: Cluster,
  { found, known, credentials }: ClusterState,
  { directory, denied, now }: DriftContext,
): Drift => {
  const { name } = cluster
  const differences: Omit<Difference, 'cluster'>[] = []
  const untold: Omit<Untold, 'cluster'>[] = []
  const result = (): Drift => ({
    differences: differences.map((each) => ({ cluster: name, ...each })),
    untold: untold.map((each) => ({ cluster: name, ...each })),
  })
  if (found === undefined || found.entry.vanishedAt !== undefined) {
    const vanishedAt = found?.entry.vanishedAt
    const detail = vanishedAt === undefined ? 'no crawl came across it' : `vanished ${vanishedAt.toISOString()}`
    differences.push({ kind: 'missing', what: 'cluster', name, detail })
    return result()
  }
  const { entry, snapshot } = found
  if (snapshot === undefined) {
    untold.push({ what: 'cluster', why: whyUnknown(entry, 'topics') ?? 'no crawl could look at it' })
    return result()
  }
  const { parts } = snapshot
  const isTold = (part: PartName): boolean => {
    const why = whyUnknown(entry, part) ?? (parts[part] === undefined ? 'no crawl could see them' : undefined)
    if (why !== undefined) untold.push({ what: part, why })
    return why === undefined
  }
  if (entry.failing === undefined) differences.push(...compareListeners(cluster, snapshot))
  const topics = new Set(parts.topics?.map((topic) => topic.name))
  const hasTopics = isTold('topics')
  if (hasTopics) differences.push(...compareTopics(directory, name, topics))
  // nobody else puts anything there for us
  if (cluster.adminSecret === undefined) return result()

  const prefix = directory.kafkaUserPrefix
  const labels = new Map(known.map((each) => [each.principal, each.labels]))
  /** The look was before the change, so it cannot show it. */
  const isYounger = (at: Date | undefined): boolean =>
    at !== undefined && entry.seenAt !== undefined && at > entry.seenAt
  const young = new Set([
    ...known.filter(({ appliedAt }) => isYounger(appliedAt)).map(({ principal }) => principal),
    ...credentials
      .filter(({ slots }) => slotNames.some((slot) => isYounger(slots[slot].since)))
      .map(({ principal }) => principal),
  ])
  for (const principal of young)
    untold.push({ what: principal, why: 'its access or users changed after the last look; crawl again' })

  if (hasTopics && isTold('acls')) {
    const acls = parts.acls ?? []
    const ofAcls = acls.flatMap(({ principal }) =>
      principal.startsWith(userPrefix) ? (principalOfUser(prefix, principal.slice(userPrefix.length)) ?? []) : [],
    )
    const named = directory.grants.flatMap(({ principals = [] }) => principals)
    const credentialOf = new Map(credentials.map((credential) => [credential.principal, credential]))
    const wanted = new Map<string, readonly Acl[]>()
    const given = cluster.provider === 'confluent' ? [...cluster.identityPools, ...cluster.serviceAccounts] : []
    const principalOfGiven = new Map(given.map(([principal, user]) => [user, principal]))
    for (const principal of new Set([...named, ...labels.keys(), ...credentialOf.keys(), ...ofAcls])) {
      if (young.has(principal)) continue
      const gives = isRevokedOn(denied, principal, name)
        ? []
        : computeAccess(directory, name, { name: principal, labels: labels.get(principal) ?? {} }, topics, now)
      for (const { user, hasAccess } of principalUsers(cluster, prefix, principal, credentialOf.get(principal)))
        wanted.set(user, hasAccess ? gives : [])
    }
    const isCompared = (user: string): boolean => {
      const principal = principalOfGiven.get(user) ?? principalOfUser(prefix, user)
      return principal !== undefined && !young.has(principal)
    }
    differences.push(...compareAcls(wanted, acls, isCompared))
  }

  // on MSK a user is a secret, and what it is called is not told
  if (cluster.provider !== 'msk' && cluster.auth.includes('scram') && isTold('users')) {
    const names = new Set(parts.users?.flatMap((user) => user.name ?? []))
    const states = new Map(
      credentials.flatMap(({ principal, slots }) =>
        slotNames.map((slot) => [slotUser(prefix, principal, slot), slots[slot].state] as const),
      ),
    )
    const isCompared = (user: string): boolean => {
      const principal = slotOfUser(prefix, user)?.principal
      return principal !== undefined && !young.has(principal)
    }
    for (const [user, state] of states)
      if (present.includes(state) && !names.has(user) && isCompared(user))
        differences.push({ kind: 'missing', what: 'user', name: user, detail: `its slot is ${state}` })
    for (const user of names)
      if ((states.get(user) ?? 'absent') === 'absent' && isCompared(user))
        differences.push({ kind: 'extra', what: 'user', name: user })
  }
  return result()
}

const order: readonly DriftKind[] = ['missing', 'changed', 'extra']

/** All clusters of the policy, by cluster; of each what is missing first. */
export const mergeDrift = (drifts: readonly Drift[]): Drift => ({
  differences: drifts
    .flatMap(({ differences }) => differences)
    .sort(
      (a, b) =>
        a.cluster.localeCompare(b.cluster, 'en') ||
        order.indexOf(a.kind) - order.indexOf(b.kind) ||
        a.what.localeCompare(b.what, 'en') ||
        a.name.localeCompare(b.name, 'en'),
    ),
  untold: drifts.flatMap(({ untold }) => untold),
})
