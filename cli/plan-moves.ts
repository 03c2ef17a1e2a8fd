import { type Acl, isAdmitted } from '../shared/domain/access.ts'
import { type Decision, decide } from '../shared/domain/decide.ts'
import type { Directory } from '../shared/domain/directory.ts'
import { SwitchboardError } from '../shared/domain/errors.ts'
import { type Intent, parseIntent, wishes } from '../shared/domain/intent.ts'
import type { Principal } from '../shared/domain/principal.ts'
import { decideToken, reachOf, type TokenDecision, tokenIntentOf } from '../shared/domain/reach.ts'
import type { Revocation } from '../shared/domain/revocation.ts'
import { scopeOf } from '../shared/http/token-answer.ts'
import type { Lease } from '../shared/store/lease-store.ts'

/** What would become of live leases of one principal that ask for the same. */
export type Move = {
  readonly principal: string
  readonly change: 'gains' | 'loses' | 'moves'
  readonly action: string
  readonly asked: string
  /** `<cluster>/<topic>`, or why there is none. */
  readonly from: string
  readonly to: string
  readonly leases: number
}

export type Moves = {
  readonly leases: number
  readonly principals: number
  readonly moves: readonly Move[]
  /** Leases whose recorded intent this version does not understand. */
  readonly unreadable: number
}

export type Replay = {
  readonly current: Directory
  readonly next: Directory
  readonly denied: readonly Revocation[]
  readonly labelsOf: (principal: string) => Readonly<Record<string, string>>
  readonly now: Date
}

type Recorded = Readonly<Record<string, unknown>>

/** An intent as `intentKey` recorded it. */
const intentOf = (recorded: unknown): Intent | undefined => {
  const { produce, consume, group, profile, family, network } = (recorded ?? {}) as Recorded
  const client = family === undefined ? undefined : { family }
  try {
    return parseIntent({ produce, consume, group, profile, client, network })
  } catch (error) {
    if (error instanceof SwitchboardError) return undefined
    throw error
  }
}

type Place = { readonly action: string; readonly asked: string; readonly place: string }

/** Where each wish leads: several places for a pattern over several routes. */
const placesOf = (intent: Intent, decision: Decision): readonly Place[] => {
  if (decision.outcome === 'deny') {
    const place = `rule ${decision.rule}: ${decision.reason}`
    const wish = wishes(intent).find(({ pointer }) => pointer === decision.pointer)
    // what is refused is the whole intent; the wish that was refused says why
    return [{ action: wish?.action ?? 'all', asked: wish?.asked.name ?? 'all of it', place }]
  }
  const found = decision.connections.flatMap(({ cluster, admissions }) =>
    admissions.map((admission) => ({
      action: admission.action,
      asked: admission.asked,
      place: `${cluster.name}/${admission.kind === 'channel' ? admission.topic : admission.expression}`,
    })),
  )
  return wishes(intent).map(({ action, asked }) => ({
    action,
    asked: asked.name,
    place: found
      .filter((each) => each.action === action && each.asked === asked.name)
      .map(({ place }) => place)
      .sort()
      .join(', '),
  }))
}

type Change = Omit<Move, 'principal' | 'leases'>

const comparePlaces = (intent: Intent, before: Decision, after: Decision): readonly Change[] => {
  if (before.outcome === 'deny' && after.outcome === 'deny') return []
  const [from, to] = [placesOf(intent, before), placesOf(intent, after)]
  if (before.outcome === 'deny')
    return to.map(({ action, asked, place }) => ({
      change: 'gains',
      action,
      asked,
      from: from[0]?.place ?? '',
      to: place,
    }))
  if (after.outcome === 'deny')
    return to.map(({ action, asked, place }) => ({
      change: 'loses',
      action,
      asked,
      from: from.find((each) => each.asked === asked && each.action === action)?.place ?? 'all of it',
      to: place,
    }))
  return from.flatMap(({ action, asked, place }, at) => {
    const there = to[at]?.place ?? ''
    return there === place ? [] : [{ change: 'moves' as const, action, asked, from: place, to: there }]
  })
}

type Allowed = Extract<TokenDecision, { outcome: 'allow' }>

const topicAcls = ({ access }: Allowed): readonly Acl[] => access.acls.filter(({ resource }) => resource === 'topic')
const topicText = ({ operation, name, pattern }: Acl): string =>
  `${operation} ${name}${pattern === 'prefixed' ? '*' : ''}`
const topicTexts = (allowed: Allowed): readonly string[] => [
  ...topicAcls(allowed).map(topicText),
  ...allowed.access.templates,
]

/** Whether `held` has a topic that `other` has not, be it under a wider prefix. */
const hasBeyond = (held: Allowed, other: Allowed): boolean =>
  topicAcls(held).some((acl) => !isAdmitted(other.access.acls, acl)) ||
  held.access.templates.some((template) => !other.access.templates.includes(template))

const shownTopics = 5

const topicsPlace = (allowed: Allowed): string => {
  const texts = topicTexts(allowed)
  const more = texts.length > shownTopics ? `, ${texts.length - shownTopics} more` : ''
  return `${allowed.cluster.name}: ${texts.slice(0, shownTopics).join(', ')}${more}`
}

/** A token names no channel: what it is about is all that the principal may do on the cluster. */
const compareTokens = (cluster: string, before: TokenDecision, after: TokenDecision): readonly Change[] => {
  const whyNot = ({ rule, reason }: Exclude<TokenDecision, Allowed>): string => `rule ${rule}: ${reason}`
  const change = (kind: Move['change']): readonly Change[] => [
    {
      change: kind,
      action: 'token',
      asked: scopeOf(cluster),
      from: before.outcome === 'deny' ? whyNot(before) : topicsPlace(before),
      to: after.outcome === 'deny' ? whyNot(after) : topicsPlace(after),
    },
  ]
  if (before.outcome === 'deny') return after.outcome === 'deny' ? [] : change('gains')
  if (after.outcome === 'deny') return change('loses')
  const known = topicTexts(before)
  if (!hasBeyond(before, after)) return hasBeyond(after, before) ? change('gains') : []
  return change(topicTexts(after).some((text) => !known.includes(text)) ? 'moves' : 'loses')
}

/** Replays what live leases asked for against both directories: who gains, who loses, who moves. */
export const replayLeases = (leases: readonly Lease[], replay: Replay): Moves => {
  const { current, next, denied, labelsOf, now } = replay
  const found = new Map<string, Move>()
  let unreadable = 0
  const changesOf = (principal: Principal, recorded: unknown): readonly Change[] | undefined => {
    const token = tokenIntentOf(recorded)
    if (token !== undefined) {
      const decideIn = (directory: Directory) =>
        decideToken(principal, token.token, reachOf(directory, principal, now), { directory, denied, now, jitter: 0.5 })
      return compareTokens(token.token, decideIn(current), decideIn(next))
    }
    const intent = intentOf(recorded)
    if (intent === undefined) return undefined
    const decideIn = (directory: Directory) => decide(principal, intent, { directory, denied, now, jitter: 0.5 })
    return comparePlaces(intent, decideIn(current), decideIn(next))
  }
  for (const lease of leases) {
    const principal = { name: lease.principal, labels: labelsOf(lease.principal), identityRule: -1 }
    const changes = changesOf(principal, lease.intent)
    if (changes === undefined) {
      unreadable += 1
      continue
    }
    for (const change of changes) {
      const key = JSON.stringify([lease.principal, change])
      const same = found.get(key) ?? { principal: lease.principal, ...change, leases: 0 }
      found.set(key, { ...same, leases: same.leases + 1 })
    }
  }
  const order: readonly Move['change'][] = ['loses', 'moves', 'gains']
  return {
    leases: leases.length,
    principals: new Set(leases.map(({ principal }) => principal)).size,
    unreadable,
    moves: [...found.values()].sort(
      (a, b) =>
        order.indexOf(a.change) - order.indexOf(b.change) ||
        (a.principal < b.principal ? -1 : a.principal > b.principal ? 1 : 0),
    ),
  }
}
