import { maximumChannelLength, maximumSegments, parseChannel, quoted, scheme } from './channel.ts'
import { type FoundAcl, ownerOfTags, type Snapshot } from './inventory.ts'
import type { Policy } from './policy.ts'
import { isPrincipalName } from './principal.ts'

/*
 * A first policy from what is there: each topic gets a channel, and each Kafka user the grants that let it do through
 * Switchboard what its ACLs let it do now, and nothing else. What cannot be said so is left out and named.
 */

type Grant = Policy['grants'][number]
type Route = Policy['routes'][number]

/** A part of the policy, and where it comes from. */
export type Proposed<T> = { readonly value: T; readonly comments: readonly string[] }

export type FirstPolicy = {
  readonly grants: readonly Proposed<Grant>[]
  readonly routes: readonly Proposed<Route>[]
  /** What was left out as a whole, one line each. */
  readonly leftOut: readonly string[]
}

/** A cluster that the policy has, under its name there. */
export type NamedSnapshot = { readonly name: string; readonly snapshot: Snapshot }

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** DNS labels made of any text; undefined where nothing of it is left. */
const domainOf = (text: string): string | undefined => {
  const labels = text
    .toLowerCase()
    .split('.')
    .map((label) =>
      label
        .replaceAll(/[^a-z0-9-]+/g, '-')
        .slice(0, 63)
        .replaceAll(/^-+|-+$/g, ''),
    )
    .filter((label) => label !== '')
  return labels.length === 0
    ? undefined
    : labels
        .join('.')
        .slice(0, 253)
        .replace(/[.-]+$/, '')
}

/** The owner's name, and the cluster's beside it where one owner has several clusters. */
const domainsOf = (clusters: readonly NamedSnapshot[]): ReadonlyMap<string, string> => {
  const owners = clusters.map(({ snapshot }) => domainOf(ownerOfTags(snapshot.cluster.tags) ?? ''))
  return new Map(
    clusters.map(({ name }, at) => {
      const owner = owners[at]
      if (owner === undefined) return [name, name]
      return [name, owners.filter((each) => each === owner).length === 1 ? owner : `${name}.${owner}`]
    }),
  )
}

const maximumSegmentLength = 128

/** `orders.created` -> `orders/created`; what is no path so is cut into one otherwise. */
const pathOf = (topic: string): string => {
  const segments = topic.split('.')
  const isPath = segments.length <= maximumSegments && segments.every((each) => /^[A-Za-z0-9_-]{1,128}$/.test(each))
  if (isPath) return segments.join('/')
  return (topic.match(new RegExp(`.{1,${maximumSegmentLength}}`, 'g')) ?? []).join('/')
}

const isChannel = (text: string): boolean => text.length <= maximumChannelLength && parseChannel(text).ok

/** A prefix of topics that is a subtree of channels: whole segments, and a `.` at its end. */
const isSubtree = (prefix: string): boolean =>
  prefix.split('.').length <= maximumSegments && /^(?:[A-Za-z0-9_-]{1,128}\.)+$/.test(prefix)

const matches = ({ pattern, name }: Pick<FoundAcl, 'pattern' | 'name'>, text: string): boolean =>
  pattern === 'PREFIXED' ? text.startsWith(name) : name === '*' || name === text

const isAbout = ({ principal }: FoundAcl, user: string): boolean =>
  principal === `User:${user}` || principal === 'User:*'

const covers = ({ operation }: FoundAcl, wanted: string): boolean => operation === wanted || operation === 'ALL'

/** As people read it in the output of `kafka-acls`. */
const describe = ({ permission, operation, resource, pattern, name, host, principal }: FoundAcl): string =>
  `${permission} ${operation} ${resource} ${pattern === 'PREFIXED' ? `${name}…` : name}${host === '*' ? '' : ` from ${host}`}${principal === 'User:*' ? ' of everybody' : ''}`

/** Rights that no grant has: over clusters, configurations and the making of topics. */
const carried: readonly { readonly resource: string; readonly operation: string }[] = [
  { resource: 'TOPIC', operation: 'READ' },
  { resource: 'TOPIC', operation: 'WRITE' },
  { resource: 'GROUP', operation: 'READ' },
  { resource: 'TRANSACTIONAL_ID', operation: 'WRITE' },
]
/** What READ and WRITE imply in Kafka's authorizer. */
const implied = ['DESCRIBE']

const isCarried = ({ resource, operation, host }: FoundAcl): boolean =>
  host === '*' &&
  carried.some((each) => each.resource === resource && (each.operation === operation || implied.includes(operation)))

type Names = {
  readonly exact: readonly string[]
  readonly prefixes: readonly string[]
  readonly left: readonly string[]
}

/**
 * What a user may name: prefixes where nobody took something out of them, and else what exists. An ALLOW for one host is
 * no right from everywhere, and a DENY for one host is taken as one for all: never more than now.
 */
const namesFor = (
  acls: readonly FoundAcl[],
  user: string,
  { resource, operation }: (typeof carried)[number],
  existing: readonly string[],
  isPrefix: (prefix: string) => boolean,
): Names => {
  const ours = acls.filter((acl) => acl.resource === resource && covers(acl, operation) && isAbout(acl, user))
  const denials = ours.filter(({ permission }) => permission === 'DENY')
  const isDenied = (name: string): boolean => denials.some((denial) => matches(denial, name))
  const meetsDenial = (prefix: string): boolean =>
    denials.some((denial) => matches(denial, prefix) || denial.name === '*' || denial.name.startsWith(prefix))
  const exact = new Set<string>()
  const prefixes = new Set<string>()
  const left: string[] = []
  for (const acl of ours) {
    if (acl.permission === 'DENY' || acl.host !== '*') continue
    if (acl.pattern === 'LITERAL' && acl.name !== '*') {
      if (!isDenied(acl.name)) exact.add(acl.name)
    } else if (acl.pattern === 'PREFIXED' && isPrefix(acl.name) && !meetsDenial(acl.name)) prefixes.add(acl.name)
    else {
      for (const name of existing) if (matches(acl, name) && !isDenied(name)) exact.add(name)
      left.push(`${describe(acl)}: of what exists now only`)
    }
  }
  return {
    exact: [...exact].filter((name) => ![...prefixes].some((prefix) => name.startsWith(prefix))).sort(byText),
    prefixes: [...prefixes].sort(byText),
    left,
  }
}

const usersOf = ({ parts }: Snapshot): readonly string[] => {
  const named = (parts.acls ?? []).flatMap(({ principal }) => /^User:(.+)$/.exec(principal)?.[1] ?? [])
  const known = (parts.users ?? []).flatMap(({ name }) => name ?? [])
  return [...new Set([...named, ...known])].filter((user) => user !== '*').sort(byText)
}

const separated = (prefix: string): boolean =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/.test(prefix) && /[._-]$/.test(prefix)

type Cluster = {
  readonly routes: readonly Proposed<Route>[]
  readonly channelOf: (topic: string) => string | undefined
  readonly subtreeOf: (prefix: string) => string
}

/** A subtree for each prefix that somebody has, outermost only, and a channel for each topic outside of them. */
const proposeRoutes = ({ name, snapshot }: NamedSnapshot, domain: string, prefixes: readonly string[]): Cluster => {
  const outermost = prefixes.filter((each) => !prefixes.some((other) => other !== each && each.startsWith(other)))
  const subtreeOf = (prefix: string): string => `${scheme}${domain}/${prefix.split('.').slice(0, -1).join('/')}/**`
  const isInside = (topic: string, prefix: string): boolean =>
    topic.startsWith(prefix) && !pathOf(topic).includes('.') && isChannel(`${scheme}${domain}/${pathOf(topic)}`)
  const routes: Proposed<Route>[] = outermost.map((prefix) => ({
    value: { channel: subtreeOf(prefix), cluster: name, topic: `${prefix}{**}` },
    comments: [`topics of ${name} that start with ${prefix}`],
  }))
  const channels = new Map<string, string>()
  const taken = new Set<string>()
  for (const { name: topic, partitions, replication } of snapshot.parts.topics ?? []) {
    const channel = `${scheme}${domain}/${pathOf(topic)}`
    if (!isChannel(channel) || taken.has(channel)) continue
    taken.add(channel)
    channels.set(topic, channel)
    if (outermost.some((prefix) => isInside(topic, prefix))) continue
    routes.push({
      value: { channel, cluster: name, topic },
      comments: [`topic of ${name}: ${partitions} partitions, ${replication} replicas`],
    })
  }
  return { routes, channelOf: (topic) => channels.get(topic), subtreeOf }
}

const uncarried = (acls: readonly FoundAcl[], user: string): readonly string[] =>
  acls.filter((acl) => acl.permission === 'ALLOW' && isAbout(acl, user) && !isCarried(acl)).map(describe)

const proposeGrant = (
  user: string,
  { name, snapshot }: NamedSnapshot,
  { channelOf, subtreeOf }: Cluster,
): Proposed<Grant> | undefined => {
  const { topics = [], groups = [], acls = [] } = snapshot.parts
  const existing = topics.map((topic) => topic.name)
  const names = (resource: string, operation: string, all: readonly string[], isPrefix = separated): Names =>
    namesFor(acls, user, { resource, operation }, all, isPrefix)
  const [read, write] = [names('TOPIC', 'READ', existing, isSubtree), names('TOPIC', 'WRITE', existing, isSubtree)]
  const groupNames = names(
    'GROUP',
    'READ',
    groups.map((group) => group.name),
  )
  const idNames = names('TRANSACTIONAL_ID', 'WRITE', [])
  const channelsOf = ({ exact, prefixes }: Names): string[] =>
    [...prefixes.map(subtreeOf), ...exact.flatMap((topic) => channelOf(topic) ?? [])].sort(byText)
  const patternsOf = ({ exact, prefixes }: Names): string[] =>
    [...prefixes.map((prefix) => `${prefix}*`), ...exact.filter(isPrincipalLike)].sort(byText)
  const [consume, produce] = [channelsOf(read), channelsOf(write)]
  if (consume.length === 0 && produce.length === 0) return undefined
  const lost = [...read.exact, ...write.exact].filter((topic) => channelOf(topic) === undefined)
  const groupPatterns = consume.length === 0 ? [] : patternsOf(groupNames).filter((pattern) => pattern !== user)
  const idPatterns = produce.length === 0 ? [] : patternsOf(idNames)
  return {
    value: {
      principals: [user],
      ...(produce.length > 0 && { produce }),
      ...(consume.length > 0 && { consume }),
      ...(groupPatterns.length > 0 && { groups: groupPatterns }),
      ...(idPatterns.length > 0 && { transactionalIds: idPatterns }),
    },
    comments: [
      `from the ACLs of User:${user} on ${name}`,
      ...[...new Set([...read.left, ...write.left, ...groupNames.left, ...idNames.left])],
      ...[...new Set(uncarried(acls, user))].map((acl) => `not carried over, no grant says it: ${acl}`),
      ...[...new Set(lost)].map((topic) => `not carried over, there is no such topic: ${quoted(topic)}`),
    ],
  }
}

/** A name that a grant may list as a group or a transactional id. */
const isPrincipalLike = (name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,248}$/.test(name)

/** @param ourPrefix what our own Kafka users start with: they are no workloads */
export const firstPolicy = (clusters: readonly NamedSnapshot[], ourPrefix: string): FirstPolicy => {
  const domains = domainsOf(clusters)
  const grants: Proposed<Grant>[] = []
  const routes: Proposed<Route>[] = []
  const leftOut: string[] = []
  for (const cluster of clusters) {
    const { acls = [], topics = [] } = cluster.snapshot.parts
    const existing = topics.map(({ name }) => name)
    const found = usersOf(cluster.snapshot).filter((user) => !user.startsWith(ourPrefix))
    const users = found.filter(isPrincipalName)
    for (const user of found)
      if (!isPrincipalName(user)) leftOut.push(`${quoted(user)} on ${cluster.name}: no name that a principal can have`)
    const prefixes = new Set(
      users.flatMap((user) =>
        ['READ', 'WRITE'].flatMap(
          (operation) => namesFor(acls, user, { resource: 'TOPIC', operation }, existing, isSubtree).prefixes,
        ),
      ),
    )
    const proposed = proposeRoutes(cluster, domains.get(cluster.name) ?? cluster.name, [...prefixes].sort(byText))
    routes.push(...proposed.routes)
    for (const user of users) {
      const grant = proposeGrant(user, cluster, proposed)
      if (grant !== undefined) grants.push(grant)
    }
  }
  return { grants, routes, leftOut }
}
