import type { Admission } from './admission.ts'
import { type ChannelPattern, containsPattern, intersectPatterns, literalChannel } from './channel.ts'
import {
  type Directory,
  grantsOf,
  isMetEarlier,
  routesMeeting,
  selectGrant,
  selectRoute,
  topicOf,
} from './directory.ts'
import { type Action, type Grant, isExpired } from './grant.ts'
import type { Principal } from './principal.ts'
import { hasLabels } from './principal.ts'
import type { Route } from './route.ts'
import { channelOfTopic } from './topic.ts'

/** One ALLOW rule of a Kafka cluster for one of our users, host `*`. */
export type Acl = {
  readonly resource: 'topic' | 'group' | 'transactional-id'
  readonly pattern: 'literal' | 'prefixed'
  readonly name: string
  readonly operation: 'read' | 'write'
}

/** What a principal must have on a cluster, or what an intent needs there. As text, an ACL compares and stores itself. */
export const aclKey = (acl: Acl): string => `${acl.resource}:${acl.pattern}:${acl.operation}:${acl.name}`

export const aclFromKey = (key: string): Acl | undefined => {
  const [resource, pattern, operation, ...name] = key.split(':')
  if (resource !== 'topic' && resource !== 'group' && resource !== 'transactional-id') return undefined
  if (pattern !== 'literal' && pattern !== 'prefixed') return undefined
  if (operation !== 'read' && operation !== 'write') return undefined
  return { resource, pattern, operation, name: name.join(':') }
}

const operationOf: Record<Action, Acl['operation']> = { produce: 'write', consume: 'read' }

/** WRITE and READ imply DESCRIBE in Kafka's authorizer, so one ACL an action is enough. */
const topicAcl = (action: Action, pattern: Acl['pattern'], name: string): Acl => ({
  resource: 'topic',
  pattern,
  name,
  operation: operationOf[action],
})

/**
 * The prefix that covers exactly the topics of `both` (a grant cut with a route), or undefined where no prefix does:
 * only when every segment before `**` is literal and the topic ends in what `**` took, after a `.`.
 */
const topicPrefix = (route: Route, both: ChannelPattern): string | undefined => {
  if (both.segments.at(-1)?.kind !== 'rest') return undefined
  const fixed: string[] = []
  for (const segment of both.segments.slice(0, -1)) {
    if (segment.kind !== 'literal') return undefined
    fixed.push(segment.text)
  }
  const { tokens } = route.topic
  if (tokens.at(-1)?.kind !== 'rest') return undefined
  const restStart = route.channel.segments.length - 1
  const fixedOfRest = fixed.slice(restStart)
  if (fixedOfRest.some((segment) => segment.includes('.'))) return undefined
  const parts: string[] = []
  for (const token of tokens.slice(0, -1)) {
    if (token.kind === 'text') parts.push(token.text)
    else if (token.kind === 'segment') {
      const segment = fixed[token.index]
      if (segment === undefined || segment.includes('.')) return undefined
      parts.push(`${token.prefix}${segment}${token.suffix}`)
    } else return undefined
  }
  parts.push(...fixedOfRest)
  return parts.length === 0 ? undefined : `${parts.join('.')}.`
}

/** Each ACL once, however many policies give it. */
export const mergeAccess = (lists: readonly (readonly Acl[])[]): readonly Acl[] => [
  ...new Map(lists.flat().map((acl) => [aclKey(acl), acl])).values(),
]

export type AccessSubject = Pick<Principal, 'name' | 'labels'>

/** The prefix that gives exactly these channels' topics, unless an earlier route takes some of them. */
const uncutPrefix = (
  directory: Directory,
  principal: AccessSubject,
  route: Route,
  both: ChannelPattern,
): string | undefined => (isCutShort(directory, principal, route, both) ? undefined : topicPrefix(route, both))

/** Whether an earlier route takes some of these channels. */
const isCutShort = (directory: Directory, principal: AccessSubject, route: Route, both: ChannelPattern): boolean =>
  isMetEarlier(directory, principal, route, both)

/** Whether an earlier route takes all of these channels. */
const isTaken = (directory: Directory, principal: AccessSubject, route: Route, both: ChannelPattern): boolean =>
  isMetEarlier(directory, principal, route, both, (earlier) => containsPattern(earlier.channel, both))

/** What one pattern of a grant gives on one route. */
export type GrantedPart = {
  readonly grant: Grant
  readonly action: Action
  readonly pattern: ChannelPattern
  readonly route: Route
  /** The pattern cut with the route's channel. */
  readonly both: ChannelPattern
}

/** Unexpired grants x routes of one principal, whatever the cluster. */
export const grantedParts = (
  directory: Directory,
  principal: AccessSubject,
  held: readonly Grant[],
): readonly GrantedPart[] =>
  held.flatMap((grant) =>
    (['produce', 'consume'] as const).flatMap((action) =>
      grant[action].flatMap((pattern) =>
        routesMeeting(directory, pattern).flatMap((route) => {
          const both = hasLabels(principal.labels, route.when) ? intersectPatterns(pattern, route.channel) : undefined
          return both === undefined ? [] : [{ grant, action, pattern, route, both }]
        }),
      ),
    ),
  )

/** What must be in place before a credential is handed out. */
export type NeededAccess = {
  readonly acls: readonly Acl[]
  /** Topics are needed that no ACL can name beforehand: all that the policy gives over those that exist. */
  readonly everything: boolean
  /** Labels that `everything` rests on; what was applied without them lacks something. */
  readonly labels: Readonly<Record<string, string>>
}

/** What a principal must have on a cluster, and the grants that give it. */
export type ClusterAccess = NeededAccess & {
  readonly grants: readonly Grant[]
  /** The patterns of those grants that lead here. */
  readonly channels: readonly string[]
  /** What `everything` is about: action and topic template. */
  readonly templates: readonly string[]
}

/** Labels that this grant on this route rests on. */
const reliedOn = (grant: Grant, route: Route, principal: AccessSubject): Readonly<Record<string, string>> => ({
  ...(grant.principals?.includes(principal.name) === true ? {} : grant.labels),
  ...route.when,
})

/** @param topics those that exist on the cluster; undefined where that is not known */
export const clusterAccess = (
  directory: Directory,
  principal: AccessSubject,
  held: readonly Grant[],
  parts: readonly GrantedPart[],
  topics: ReadonlySet<string> | undefined,
  now: Date,
): ClusterAccess => {
  const acls = new Map<string, Acl>()
  const add = (acl: Acl): void => void acls.set(aclKey(acl), acl)
  const grants = new Set<Grant>()
  const channels = new Set<string>()
  const templates = new Set<string>()
  const labels: Record<string, string> = {}
  const gives = ({ grant, pattern }: GrantedPart): void => {
    grants.add(grant)
    channels.add(pattern.text)
  }

  for (const part of parts) {
    const { grant, action, pattern, route, both } = part
    const channel = literalChannel(both)
    if (channel !== undefined) {
      const topic = selectRoute(directory, principal, channel) === route ? topicOf(route, channel) : undefined
      if (topic === undefined) continue
      add(topicAcl(action, 'literal', topic))
      gives(part)
      continue
    }
    const prefix = uncutPrefix(directory, principal, route, both)
    if (prefix !== undefined && containsPattern(pattern, both)) {
      add(topicAcl(action, 'prefixed', prefix))
      gives(part)
      continue
    }
    const fixed = route.topic.tokens.every((token) => token.kind === 'text')
    if (!fixed && topics === undefined) {
      if (isTaken(directory, principal, route, both)) continue
      templates.add(`${operationOf[action]} ${route.topic.text}`)
      Object.assign(labels, reliedOn(grant, route, principal))
      gives(part)
      continue
    }
    for (const topic of fixed ? [route.topic.text] : (topics ?? [])) {
      const found = channelOfTopic(route.topic, route.channel, topic, both)
      if (found === undefined || selectRoute(directory, principal, found) !== route) continue
      if (selectGrant(directory, principal, action, found, now) === undefined) continue
      add(topicAcl(action, 'literal', topic))
      gives(part)
    }
  }

  const concerned = [...acls.values()]
  const consumes = concerned.some((acl) => acl.operation === 'read')
  const produces = concerned.some((acl) => acl.operation === 'write')
  if (consumes) add({ resource: 'group', pattern: 'literal', name: principal.name, operation: 'read' })
  for (const grant of held) {
    if (consumes && grant.consume.length > 0)
      for (const group of grant.groups)
        add({ resource: 'group', pattern: group.kind, name: group.text, operation: 'read' })
    if (produces && grant.produce.length > 0)
      for (const id of grant.transactionalIds)
        add({ resource: 'transactional-id', pattern: id.kind, name: id.text, operation: 'write' })
  }
  return {
    acls: [...acls.values()].sort((a, b) => (aclKey(a) < aclKey(b) ? -1 : 1)),
    everything: templates.size > 0,
    labels,
    grants: [...grants],
    channels: [...channels],
    templates: [...templates],
  }
}

/**
 * The ACLs of a principal on a cluster, from grants x routes. Every topic an ACL admits leads back to a channel that a
 * grant allows: PREFIXED only where a whole subtree does, else LITERAL over the topics that exist.
 */
export const computeAccess = (
  directory: Directory,
  cluster: string,
  principal: AccessSubject,
  topics: ReadonlySet<string>,
  now: Date,
): readonly Acl[] => {
  const held = grantsOf(directory, principal).filter((grant) => !isExpired(grant, now))
  const parts = grantedParts(directory, principal, held).filter(({ route }) => route.cluster === cluster)
  return clusterAccess(directory, principal, held, parts, topics, now).acls
}

/**
 * What one connection needs in place before it may be handed out. A pattern whose topics no prefix covers needs what the
 * current policy gives, over the topics that exist; `everything` says so.
 */
export const requiredAccess = (
  directory: Directory,
  principal: AccessSubject,
  connection: { readonly admissions: readonly Admission[]; readonly group: string | undefined },
): NeededAccess => {
  const acls: Acl[] = []
  const labels: Record<string, string> = {}
  let everything = false
  for (const admission of connection.admissions) {
    if (admission.kind === 'channel') acls.push(topicAcl(admission.action, 'literal', admission.topic))
    else {
      const { route, both, action, grant } = admission
      const prefix = grant[action]
        .map((pattern) => intersectPatterns(pattern, route.channel))
        .filter((granted) => granted !== undefined && containsPattern(granted, both))
        .map((granted) => granted && uncutPrefix(directory, principal, route, granted))
        .find((found) => found !== undefined)
      if (prefix === undefined) {
        everything = true
        Object.assign(labels, reliedOn(grant, route, principal))
      } else acls.push(topicAcl(action, 'prefixed', prefix))
    }
  }
  if (connection.group !== undefined)
    acls.push({ resource: 'group', pattern: 'literal', name: connection.group, operation: 'read' })
  return { acls, everything, labels }
}

/** What has been applied is enough: every ACL, and where `everything` is needed all that this policy gives. */
export const hasNeeded = (
  applied: {
    readonly acls: readonly Acl[]
    readonly policies: readonly string[]
    readonly labels: Readonly<Record<string, string>>
  },
  needed: NeededAccess,
  policy: string,
): boolean => {
  const present = new Set(applied.acls.map(aclKey))
  return (
    needed.acls.every((acl) => present.has(aclKey(acl)) || isAdmitted(applied.acls, acl)) &&
    (!needed.everything || (applied.policies.includes(policy) && hasLabels(applied.labels, needed.labels)))
  )
}

/** Whether applied ACLs let through what is needed. */
export const isAdmitted = (applied: readonly Acl[], needed: Acl): boolean =>
  applied.some(
    (acl) =>
      acl.resource === needed.resource &&
      acl.operation === needed.operation &&
      (acl.pattern === 'prefixed'
        ? needed.name.startsWith(acl.name)
        : needed.pattern === 'literal' && acl.name === needed.name),
  )

/** The ACLs to create and to delete so that a cluster has exactly what is wanted. */
export const compareAccess = (
  present: readonly Acl[],
  wanted: readonly Acl[],
): { readonly add: readonly Acl[]; readonly remove: readonly Acl[] } => {
  const has = new Set(present.map(aclKey))
  const wants = new Set(wanted.map(aclKey))
  return {
    add: wanted.filter((acl) => !has.has(aclKey(acl))),
    remove: present.filter((acl) => !wants.has(aclKey(acl))),
  }
}
