import { type GrantedPart, grantedParts } from './access.ts'
import type { Admission } from './admission.ts'
import { type ChannelPattern, quoted } from './channel.ts'
import type { MskCluster } from './cluster.ts'
import { type Directory, grantsOf, isMetEarlier } from './directory.ts'
import { type Action, type Grant, isExpired, type NamePattern } from './grant.ts'
import type { Principal } from './principal.ts'
import type { Route } from './route.ts'
import { noTopic } from './topic.ts'

/*
 * What a principal may do on an MSK cluster with one session of a role: an IAM policy for exactly the topics, the group and
 * the transactional ids that an intent resolved to. A session has what its role and this policy both allow.
 */

/** Characters, as STS counts them. @see https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
export const maximumSessionPolicy = 2_048

/** `problem` is for whoever asked, and for whoever wrote the grants. */
export type SessionPolicy =
  | { readonly outcome: 'built'; readonly text: string }
  | { readonly outcome: 'refused'; readonly because: 'unsayable' | 'too long'; readonly problem: string }

/** What a session is for. */
export type SessionUse = {
  readonly admissions: readonly Admission[]
  /** undefined: nothing is consumed. */
  readonly group: string | undefined
}

/**
 * Topics as IAM can say them: all that `allow` matches and none of `deny` does. `*` and `?` of IAM match a `.` too, so what
 * a route takes one segment for is said by two patterns: any text, but none with a `.` in it.
 */
type Topics = {
  readonly allow: string
  readonly deny: readonly string[]
  /** How many `.` each of these names has; undefined: as many as one likes. */
  readonly dots: number | undefined
}

type Token =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'one'; readonly prefix: string; readonly suffix: string }
  | { readonly kind: 'rest' }

const some = '?*'
const withDot = '*.*'

/** The tokens of the topics of `both`, a part of the route's channels; undefined where none of these has a topic. */
const tokensOf = ({ topic, channel }: Route, both: ChannelPattern): readonly Token[] | undefined => {
  const tokens: Token[] = []
  const add = (index: number, prefix = '', suffix = ''): boolean => {
    const segment = both.segments[index]
    // no template takes a segment with a `.`: its topic could be another channel's
    if (segment?.kind === 'literal') {
      tokens.push({ kind: 'text', text: `${prefix}${segment.text}${suffix}` })
      return !segment.text.includes('.')
    }
    tokens.push(segment?.kind === 'rest' ? { kind: 'rest' } : { kind: 'one', prefix, suffix })
    return true
  }
  for (const token of topic.tokens) {
    if (token.kind === 'text') tokens.push(token)
    else if (token.kind === 'segment') {
      if (!add(token.index, token.prefix, token.suffix)) return undefined
    } else
      for (let index = channel.segments.length - 1; index < both.segments.length; index++)
        if (!add(index)) return undefined
  }
  return tokens
}

const isBare = (token: Token | undefined): boolean => token?.kind === 'one' && token.prefix + token.suffix === ''

/**
 * Beside what `**` took, a segment with nothing fixed about it needs no telling apart: whatever `.` it would take belongs to
 * the rest. Any other segment would have to be counted from an end of the name, which no pattern of IAM can.
 */
const isSaidByOne = (tokens: readonly Token[]): boolean => {
  const rest = tokens.findIndex(({ kind }) => kind === 'rest')
  const isNextTo = (at: number): boolean => {
    const between = tokens.slice(Math.min(at, rest), Math.max(at, rest))
    return between.every((token) => isBare(token) || token.kind === 'rest')
  }
  return tokens.every(({ kind }, at) => kind !== 'one' || (isBare(tokens[at]) && isNextTo(at)))
}

const patternOf = (tokens: readonly Token[], dotted?: number): string =>
  tokens
    .map((token, at) => {
      if (token.kind === 'text') return token.text
      const wild = at === dotted ? withDot : some
      return token.kind === 'rest' ? wild : `${token.prefix}${wild}${token.suffix}`
    })
    .join('.')

/** @returns undefined where IAM cannot say it; no topics where none of the channels has one */
const topicsOf = (route: Route, both: ChannelPattern): readonly Topics[] | undefined => {
  const tokens = tokensOf(route, both)
  if (tokens === undefined) return []
  if (tokens.some(({ kind }) => kind === 'rest'))
    return isSaidByOne(tokens) ? [{ allow: patternOf(tokens), deny: [], dots: undefined }] : undefined
  const deny = tokens.flatMap(({ kind }, at) => (kind === 'one' ? [patternOf(tokens, at)] : []))
  return [{ allow: patternOf(tokens), deny, dots: tokens.length - 1 }]
}

const literal = (topic: string): Topics => ({ allow: topic, deny: [], dots: topic.split('.').length - 1 })

/** Whether some text matches both patterns. */
const meet = (a: string, b: string): boolean => {
  const seen = new Set<number>()
  const from = (i: number, j: number): boolean => {
    const key = i * (b.length + 1) + j
    if (seen.has(key)) return false
    seen.add(key)
    const [x, y] = [a[i], b[j]]
    if (x === '*') return from(i + 1, j) || (j < b.length && from(i, j + 1))
    if (y === '*') return from(i, j + 1) || (i < a.length && from(i + 1, j))
    if (x === undefined || y === undefined) return x === y
    return (x === y || x === '?' || y === '?') && from(i + 1, j + 1)
  }
  return from(0, 0)
}

const isTopicOf = (topic: string, { allow, deny }: Topics): boolean =>
  meet(topic, allow) && !deny.some((pattern) => meet(topic, pattern))

const isLiteral = ({ allow }: Topics): boolean => !allow.includes('*')

/** Whether all that `one` matches is matched by `other` too, as far as it is needed to leave `one` out. */
const isCovered = (one: Topics, other: Topics): boolean => {
  if (isLiteral(one)) return isTopicOf(one.allow, other)
  const [start = '', ...ends] = other.allow.split(some)
  return other.deny.length === 0 && ends.length === 1 && ends[0] === '' && one.allow.startsWith(start)
}

const distinct = (all: readonly Topics[]): readonly Topics[] => {
  const unique = [...new Map(all.map((each) => [JSON.stringify([each.allow, each.deny]), each])).values()]
  return unique.filter((one) => !unique.some((other) => other !== one && isCovered(one, other)))
}

/** What a denial of its neighbours would take away: in IAM the denial wins, whoever it was meant for. */
const deniedByOthers = (all: readonly Topics[]): Topics | undefined =>
  all.find((one) =>
    all.some(
      (other) =>
        other !== one &&
        other.deny.some(
          (pattern) =>
            (one.dots === undefined || one.dots >= pattern.split('.').length - 1) && meet(pattern, one.allow),
        ),
    ),
  )

const topicRights = ['DescribeTopic', 'ReadData', 'WriteData'] as const

type Reach = Readonly<Record<Action, readonly Topics[]>>
type TopicRights = Readonly<Record<(typeof topicRights)[number], readonly Topics[]>>

const rightsOf = ({ produce, consume }: Reach): TopicRights => ({
  DescribeTopic: distinct([...produce, ...consume]),
  ReadData: distinct(consume),
  WriteData: distinct(produce),
})

const conflictIn = (rights: TopicRights): Topics | undefined =>
  topicRights.map((right) => deniedByOthers(rights[right])).find((topics) => topics !== undefined)

const oneOrMore = (list: readonly string[]): string | readonly string[] => (list.length === 1 ? (list[0] ?? '') : list)

type Names = { readonly groups: readonly NamePattern[]; readonly transactionalIds: readonly NamePattern[] }

const nameOf = ({ kind, text }: NamePattern): string => (kind === 'prefixed' ? `${text}*` : text)

/** Without those that another one has. */
const widest = (patterns: readonly NamePattern[]): readonly string[] => {
  const names = [...new Set(patterns.map(nameOf))].sort()
  return names.filter(
    (name) => !names.some((other) => other !== name && other.endsWith('*') && name.startsWith(other.slice(0, -1))),
  )
}

const action = (name: string): string => `kafka-cluster:${name}`

/**
 * @see https://docs.aws.amazon.com/msk/latest/developerguide/iam-access-control-use-cases.html
 * @see https://docs.aws.amazon.com/service-authorization/latest/reference/list_apachekafkaapisforamazonmskclusters.html
 */
const render = ({ arn }: Pick<MskCluster, 'arn'>, rights: TopicRights, names: Names): string => {
  const say = (Effect: 'Allow' | 'Deny', rights: readonly string[], kind: string, names: readonly string[]) =>
    names.length === 0 || rights.length === 0
      ? []
      : [
          {
            Effect,
            Action: oneOrMore(rights.map(action)),
            Resource: oneOrMore(names.map((name) => `${arn.replace(':cluster/', `:${kind}/`)}/${name}`)),
          },
        ]
  /** Patterns that take the same rights go into one statement. */
  const sayTopics = (effect: 'Allow' | 'Deny', patternsOf: (topics: Topics) => readonly string[]) => {
    const taking = new Map<string, string[]>()
    for (const right of topicRights)
      for (const pattern of new Set(rights[right].flatMap(patternsOf)))
        taking.set(pattern, [...(taking.get(pattern) ?? []), right])
    const statements = Map.groupBy(taking, ([, taken]) => taken.join())
    return [...statements.values()].flatMap((each) =>
      say(
        effect,
        each[0]?.[1] ?? [],
        'topic',
        each.map(([pattern]) => pattern),
      ),
    )
  }
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: oneOrMore(['Connect', ...(rights.WriteData.length > 0 ? ['WriteDataIdempotently'] : [])].map(action)),
        Resource: arn,
      },
      ...sayTopics('Allow', ({ allow }) => [allow]),
      ...say('Allow', ['AlterGroup', 'DescribeGroup'], 'group', widest(names.groups)),
      ...say(
        'Allow',
        ['AlterTransactionalId', 'DescribeTransactionalId'],
        'transactional-id',
        widest(names.transactionalIds),
      ),
      ...sayTopics('Deny', ({ deny }) => deny),
    ],
  })
}

/** Topics that a grant gives as a whole, to say in place of those of them that are asked for. */
type Wider = { readonly action: Action; readonly topics: Topics }

const widerTopics = (
  directory: Directory,
  principal: Pick<Principal, 'labels'>,
  parts: readonly GrantedPart[],
): readonly Wider[] =>
  parts.flatMap(({ action, route, both }) => {
    // what an earlier route takes leads elsewhere, and its topics here would be nobody's
    if (route.topic === noTopic || isMetEarlier(directory, principal, route, both)) return []
    return (topicsOf(route, both) ?? []).filter((topics) => !isLiteral(topics)).map((topics) => ({ action, topics }))
  })

/** The shortest way to say it, from the topics themselves to all that grants give: nothing wider than is needed to fit. */
const buildPolicy = (
  cluster: Pick<MskCluster, 'arn'>,
  exact: Reach,
  names: Names,
  wider: () => readonly Wider[],
): SessionPolicy => {
  const conflict = conflictIn(rightsOf(exact))
  if (conflict !== undefined)
    return {
      outcome: 'refused',
      because: 'unsayable',
      problem: `the topics ${quoted(conflict.allow)} cannot be told apart from others of the same session in a policy of AWS`,
    }
  const textOf = (reach: Reach): string => render(cluster, rightsOf(reach), names)
  const widened = (reach: Reach, { action, topics }: Wider): Reach => ({
    ...reach,
    [action]: [...reach[action], topics],
  })
  let reach = exact
  let text = textOf(exact)
  if (text.length <= maximumSessionPolicy) return { outcome: 'built', text }
  const bySaving = wider()
    .map((each) => ({ each, length: textOf(widened(exact, each)).length }))
    .sort((a, b) => a.length - b.length)
  for (const { each } of bySaving) {
    const next = widened(reach, each)
    const shorter = textOf(next)
    if (shorter.length >= text.length || conflictIn(rightsOf(next)) !== undefined) continue
    reach = next
    text = shorter
    if (text.length <= maximumSessionPolicy) return { outcome: 'built', text }
  }
  return {
    outcome: 'refused',
    because: 'too long',
    problem: `the topics, groups and transactional ids take ${text.length} characters in a policy of AWS, allowed: ${maximumSessionPolicy}`,
  }
}

const heldNow = (directory: Directory, principal: Pick<Principal, 'name' | 'labels'>, now: Date): readonly Grant[] =>
  grantsOf(directory, principal).filter((grant) => !isExpired(grant, now))

/** Those of every grant to produce that is held: which one a producer uses is told to the broker alone. */
const transactionalIdsOf = (held: readonly Grant[]): readonly NamePattern[] =>
  held.filter(({ produce }) => produce.length > 0).flatMap(({ transactionalIds }) => transactionalIds)

const partsOn = (
  directory: Directory,
  principal: Pick<Principal, 'name' | 'labels'>,
  held: readonly Grant[],
  cluster: string,
): readonly GrantedPart[] => grantedParts(directory, principal, held).filter(({ route }) => route.cluster === cluster)

/** The session policy for what an intent resolved to on a cluster. */
export const sessionPolicy = (
  directory: Directory,
  principal: Principal,
  cluster: Pick<MskCluster, 'name' | 'arn'>,
  { admissions, group }: SessionUse,
  now: Date,
): SessionPolicy => {
  const reach: Record<Action, Topics[]> = { produce: [], consume: [] }
  for (const admission of admissions) {
    const topics = admission.kind === 'channel' ? [literal(admission.topic)] : topicsOf(admission.route, admission.both)
    if (topics === undefined)
      return {
        outcome: 'refused',
        because: 'unsayable',
        problem: `no policy of AWS can say the topics of ${quoted(admission.asked)}; ask for its channels by their names`,
      }
    reach[admission.action].push(...topics)
  }
  const held = heldNow(directory, principal, now)
  const names: Names = {
    groups: group === undefined ? [] : [{ kind: 'literal', text: group }],
    transactionalIds: admissions.some(({ action }) => action === 'produce') ? transactionalIdsOf(held) : [],
  }
  return buildPolicy(cluster, reach, names, () =>
    widerTopics(directory, principal, partsOn(directory, principal, held, cluster.name)),
  )
}

/**
 * Why a session policy cannot hold all that a principal's grants give on a cluster, ended ones too, as far as it can be
 * asked for at once: what an earlier route cuts short is asked for by names, and few enough of these always fit.
 */
export const sessionPolicyProblem = (
  directory: Directory,
  principal: Pick<Principal, 'name' | 'labels'>,
  cluster: Pick<MskCluster, 'name' | 'arn'>,
): { readonly grant: number; readonly problem: string } | undefined => {
  const held = grantsOf(directory, principal)
  const parts = partsOn(directory, principal, held, cluster.name)
  const reach: Record<Action, Topics[]> = { produce: [], consume: [] }
  for (const { action, route, both } of parts)
    if (route.topic !== noTopic && !isMetEarlier(directory, principal, route, both))
      reach[action].push(...(topicsOf(route, both) ?? []))
  const names: Names = {
    groups: reach.consume.length === 0 ? [] : [{ kind: 'literal', text: principal.name }],
    transactionalIds: reach.produce.length === 0 ? [] : transactionalIdsOf(held),
  }
  const built = buildPolicy(cluster, reach, names, () => widerTopics(directory, principal, parts))
  // what cannot be told apart can be asked for in two requests
  return built.outcome === 'refused' && built.because === 'too long' && parts[0] !== undefined
    ? { grant: parts[0].grant.index, problem: built.problem }
    : undefined
}
