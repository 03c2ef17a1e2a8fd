import { selectAccessPath } from './access-path.ts'
import type { Admission } from './admission.ts'
import { containsPattern, matchChannel } from './channel.ts'
import { type CredentialKind, registrySecretOf } from './cluster.ts'
import { admit, type DecideContext, type Decision, decide, selectSchemasGrant } from './decide.ts'
import { type Directory, routePosition, selectRoute } from './directory.ts'
import { type Action, allowsGroup, type Grant, isExpired, isHeldBy } from './grant.ts'
import { type Asked, type Intent, type Wish, wishes } from './intent.ts'
import { maximumLeaseSeconds } from './lease.ts'
import { hasLabels, type Principal } from './principal.ts'
import { isRevoked } from './revocation.ts'

/**
 * Who reads an explanation. A caller sees what its own grants say, and a route only where one of them let it through:
 * explain must tell a stranger no more than a 403 does.
 */
export type Reader = 'caller' | 'operator'

/** A grant that the principal holds and that nearly, or not at all, allowed a wish. */
export type NearMiss = {
  readonly grant: number
  readonly because:
    | 'it allows the other action'
    | 'it has ended'
    | 'it does not allow the group'
    | 'it allows other channels'
}

export type WishExplanation = {
  /** Where it stands in the intent, an RFC 6901 pointer. */
  readonly pointer: string
  readonly action: Action
  readonly asked: string
  readonly outcome: 'allowed' | 'denied'
  readonly rule?: number
  readonly reason?: string
  /** Rule 2: position in the policy. */
  readonly grant?: number
  readonly nearMisses: readonly NearMiss[]
  /** Rule 3, one a route that carries some of it. */
  readonly routes: readonly { readonly route: number; readonly cluster: string; readonly topics: string }[]
  /** Routes that have the channel and were passed over because of their labels. */
  readonly passedOver?: readonly number[]
}

export type Explanation = {
  readonly principal: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
  /** Rule 1: position of the identity rule. */
  readonly identityRule: number
  readonly outcome: 'allow' | 'deny'
  readonly rule?: number
  readonly reason?: string
  readonly wishes: readonly WishExplanation[]
  readonly clusters: readonly {
    readonly cluster: string
    readonly quarantined: boolean
    readonly listener?: string
    readonly network?: string
    readonly security?: string
    readonly credential?: string
    /** Why it is this one (rule 5). */
    readonly because?:
      | 'the cluster takes no other'
      | 'tokens come before stored credentials'
      | 'this client cannot log in with any other there'
    /** Other kinds that the cluster takes. */
    readonly passedOver?: readonly {
      readonly credential: string
      readonly because: 'another comes first' | 'this client cannot log in with it there'
    }[]
    /** The registry of its schemas; a caller sees it where it is given, an operator also where no grant gives it. */
    readonly schemaRegistry?: {
      readonly url: string
      readonly credential: string
      readonly grant?: number
      /** Where user and password are; for operators. */
      readonly secret?: string
    }
  }[]
  readonly lease?: {
    readonly expiresAt: string
    readonly limit: string
    readonly limits: readonly { readonly name: string; readonly expiresAt: string }[]
  }
  readonly directory: string
}

const covers = (grant: Grant, action: Action, asked: Asked): boolean =>
  grant[action].some((pattern) =>
    asked.kind === 'channel'
      ? matchChannel(pattern, asked.channel) !== undefined
      : containsPattern(pattern, asked.pattern),
  )

const otherAction: Record<Action, Action> = { produce: 'consume', consume: 'produce' }

const nearMisses = (
  directory: Directory,
  principal: Principal,
  { action, asked }: Wish,
  group: string | undefined,
  now: Date,
): readonly NearMiss[] =>
  directory.grants.flatMap((grant): NearMiss[] => {
    if (!isHeldBy(grant, principal)) return []
    const miss = (because: NearMiss['because']): NearMiss[] => [{ grant: grant.index, because }]
    if (!covers(grant, action, asked))
      return miss(covers(grant, otherAction[action], asked) ? 'it allows the other action' : 'it allows other channels')
    if (isExpired(grant, now)) return miss('it has ended')
    if (action === 'consume' && group !== undefined && !allowsGroup(grant, principal.name, group))
      return miss('it does not allow the group')
    return []
  })

const topicsOf = (admission: Admission): string =>
  admission.kind === 'channel' ? admission.topic : `^${admission.expression}$`

/** Why an intent is decided as it is. It decides with the very functions that resolve uses. */
export const explain = (principal: Principal, intent: Intent, context: DecideContext, reader: Reader): Explanation => {
  const { directory, denied, now } = context
  const decision: Decision = decide(principal, intent, context)
  const isRefused = isRevoked(denied, principal.name)
  const group = intent.consume.length > 0 ? (intent.group ?? principal.name) : undefined
  const admitted: Admission[] = []
  const schemasGrants = new Map<string, Grant>()

  const explained = wishes(intent).map((wish): WishExplanation => {
    const { action, asked, pointer } = wish
    const found = admit(principal, wish, group, directory, now)
    const common = {
      pointer,
      action,
      asked: asked.name,
      nearMisses: nearMisses(directory, principal, wish, group, now),
    }
    const passedOver =
      reader === 'operator' && asked.kind === 'channel'
        ? { passedOver: passedOverRoutes(directory, principal, asked) }
        : {}
    if (found.outcome === 'deny') {
      const route =
        reader === 'operator' && asked.kind === 'channel' ? selectRoute(directory, principal, asked.channel) : undefined
      return {
        ...common,
        ...passedOver,
        outcome: 'denied',
        rule: found.rule,
        reason: found.reason,
        routes:
          route === undefined
            ? []
            : [{ route: routePosition(directory, route), cluster: route.cluster, topics: route.topic.text }],
      }
    }
    admitted.push(...found.admissions)
    for (const admission of found.admissions) {
      const { cluster } = admission.route
      const schemas = selectSchemasGrant({ principal, wish, group, directory, now }, admission)
      if (schemas !== undefined && !schemasGrants.has(cluster)) schemasGrants.set(cluster, schemas)
    }
    return {
      ...common,
      ...passedOver,
      outcome: 'allowed',
      ...(found.admissions[0] === undefined ? {} : { grant: found.admissions[0].grant.index }),
      routes: found.admissions.map((admission) => ({
        route: routePosition(directory, admission.route),
        cluster: admission.route.cluster,
        topics: topicsOf(admission),
      })),
    }
  })

  const registryOf = (cluster: string): Pick<Explanation['clusters'][number], 'schemaRegistry'> => {
    const registry = directory.clusters.get(cluster)?.schemaRegistry
    const grant = schemasGrants.get(cluster)
    if (registry === undefined || (grant === undefined && reader === 'caller')) return {}
    const { url, kind } = registry
    const ofOperator =
      reader === 'operator' && kind === 'basic' ? { secret: registrySecretOf(registry.secret, principal.name) } : {}
    return {
      schemaRegistry: { url, credential: kind, ...(grant === undefined ? {} : { grant: grant.index }), ...ofOperator },
    }
  }

  const clusters = [...new Set(admitted.map(({ route }) => route.cluster))].map((name) => {
    const cluster = directory.clusters.get(name)
    const caller = { network: intent.network, family: intent.client.family, principal: principal.name }
    const path = cluster && selectAccessPath(cluster, caller)
    const others = (cluster?.auth ?? []).filter((kind) => kind !== path?.kind)
    const isPossible = (kind: CredentialKind): boolean =>
      cluster !== undefined && selectAccessPath({ ...cluster, auth: [kind] }, caller) !== undefined
    return {
      cluster: name,
      quarantined: cluster?.quarantined ?? true,
      ...(path === undefined
        ? {}
        : {
            listener: path.listener.name,
            ...(path.listener.network === undefined ? {} : { network: path.listener.network }),
            security: path.listener.security,
            credential: path.kind,
            because:
              others.length === 0
                ? ('the cluster takes no other' as const)
                : others.some(isPossible)
                  ? ('tokens come before stored credentials' as const)
                  : ('this client cannot log in with any other there' as const),
          }),
      ...(others.length === 0
        ? {}
        : {
            passedOver: others.map((credential) => ({
              credential,
              because: isPossible(credential)
                ? ('another comes first' as const)
                : ('this client cannot log in with it there' as const),
            })),
          }),
      ...registryOf(name),
    }
  })

  return {
    principal: { name: principal.name, labels: principal.labels },
    identityRule: principal.identityRule,
    outcome: decision.outcome,
    ...(decision.outcome === 'deny'
      ? { rule: decision.rule, reason: decision.reason }
      : {
          lease: {
            expiresAt: decision.times.expiresAt.toISOString(),
            limit: decision.times.limit,
            limits: [
              { name: 'maximum', expiresAt: new Date(now.getTime() + maximumLeaseSeconds * 1000).toISOString() },
              ...decision.limits.map(({ name, expiresAt }) => ({ name, expiresAt: expiresAt.toISOString() })),
            ],
          },
        }),
    wishes: isRefused && reader === 'caller' ? [] : explained,
    clusters: isRefused && reader === 'caller' ? [] : clusters,
    directory: directory.hash,
  }
}

const passedOverRoutes = (
  directory: Directory,
  principal: Principal,
  asked: Extract<Asked, { kind: 'channel' }>,
): readonly number[] => [
  ...new Set(
    directory.routes
      .filter(
        (route) => matchChannel(route.channel, asked.channel) !== undefined && !hasLabels(principal.labels, route.when),
      )
      .map((route) => routePosition(directory, route)),
  ),
]
