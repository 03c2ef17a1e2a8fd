import { type ChannelPattern, containsPattern, intersectPatterns, literalChannel } from './channel.ts'
import type { ConnectionDecision } from './decide.ts'
import { type Directory, routesMeeting, selectGrant, selectRoute, topicOf } from './directory.ts'
import { type Action, isExpired, isHeldBy } from './grant.ts'
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
  routesMeeting(directory, both).some((other) => other.index < route.index && hasLabels(principal.labels, other.when))

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
  const acls = new Map<string, Acl>()
  const add = (acl: Acl): void => void acls.set(aclKey(acl), acl)
  const applies = (route: Route): boolean => hasLabels(principal.labels, route.when)
  const held = directory.grants.filter((grant) => isHeldBy(grant, principal) && !isExpired(grant, now))
  const routes = directory.routes.filter((route) => route.cluster === cluster && applies(route))

  for (const grant of held)
    for (const action of ['produce', 'consume'] as const)
      for (const pattern of grant[action])
        for (const route of routes) {
          const both = intersectPatterns(pattern, route.channel)
          if (both === undefined) continue
          const channel = literalChannel(both)
          if (channel !== undefined) {
            const topic = selectRoute(directory, principal, channel) === route ? topicOf(route, channel) : undefined
            if (topic !== undefined) add(topicAcl(action, 'literal', topic))
            continue
          }
          const prefix = uncutPrefix(directory, principal, route, both)
          if (prefix !== undefined && containsPattern(pattern, both)) {
            add(topicAcl(action, 'prefixed', prefix))
            continue
          }
          const fixed = route.topic.tokens.every((token) => token.kind === 'text')
          for (const topic of fixed ? [route.topic.text] : topics) {
            const found = channelOfTopic(route.topic, route.channel, topic, both)
            if (found === undefined || selectRoute(directory, principal, found) !== route) continue
            if (selectGrant(directory, principal, action, found, now) !== undefined)
              add(topicAcl(action, 'literal', topic))
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
  return [...acls.values()].sort((a, b) => (aclKey(a) < aclKey(b) ? -1 : 1))
}

/**
 * What one connection needs in place before it may be handed out. A pattern whose topics no prefix covers needs what the
 * current policy gives, over the topics that exist; `everything` says so.
 */
export const requiredAccess = (
  directory: Directory,
  principal: AccessSubject,
  connection: ConnectionDecision,
): { readonly acls: readonly Acl[]; readonly everything: boolean } => {
  const acls: Acl[] = []
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
      if (prefix === undefined) everything = true
      else acls.push(topicAcl(action, 'prefixed', prefix))
    }
  }
  if (connection.group !== undefined)
    acls.push({ resource: 'group', pattern: 'literal', name: connection.group, operation: 'read' })
  return { acls, everything }
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
