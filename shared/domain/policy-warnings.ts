import { canonicalJson } from './canonical-json.ts'
import { type ChannelPattern, containsPattern, quoted } from './channel.ts'
import { addPattern, type ChannelTrie, createChannelTrie, firstMatch, meetsAny } from './channel-trie.ts'
import { settingsOf, toDialect } from './client-dialect.ts'
import { type Directory, routePosition } from './directory.ts'
import { isExpired } from './grant.ts'
import { type IdentityRule, type OidcRule, roleMatches } from './identity.ts'
import type { PolicyIssue } from './policy.ts'
import { hasLabels } from './principal.ts'
import { builtInProfiles, type PropertyValue } from './profile.ts'
import { principalsNamedOn } from './reach.ts'
import type { Route } from './route.ts'
import { noTopic } from './topic.ts'

/** What is allowed and most likely not meant: rules that can never decide anything. */
export const warnAboutPolicy = (directory: Directory, now: Date): readonly PolicyIssue[] => [
  ...shadowedIdentities(directory),
  ...unreachableRoutes(directory),
  ...idleGrants(directory),
  ...expiredGrants(directory, now),
  ...settingsOfNobody(directory),
  ...producersThatDoNotStart(directory),
  ...principalsWithoutPool(directory, now),
]

const listed = (value: string | readonly string[]): readonly string[] => (typeof value === 'string' ? [value] : value)

/** Every token of `later` is one of `earlier`. */
const takesAllTokens = (earlier: OidcRule, later: OidcRule): boolean =>
  earlier.issuer === later.issuer &&
  earlier.audience === later.audience &&
  later.algorithms.every((algorithm) => earlier.algorithms.includes(algorithm)) &&
  Object.entries(earlier.claims).every(([claim, wanted]) => {
    const narrower = Object.hasOwn(later.claims, claim) ? later.claims[claim] : undefined
    return narrower !== undefined && listed(narrower).every((value) => listed(wanted).includes(value))
  })

const takesAll = (earlier: IdentityRule, later: IdentityRule): boolean => {
  if (earlier.kind === 'oidc') return later.kind === 'oidc' && takesAllTokens(earlier, later)
  if (earlier.kind === 'client') return later.kind === 'client' && earlier.client === later.client
  return (
    later.kind === 'aws' &&
    roleMatches(earlier, { accountId: later.accountId, roleName: later.roleName, sessionName: '' })
  )
}

const shadowedIdentities = ({ identities }: Directory): readonly PolicyIssue[] =>
  identities.flatMap((rule, index): readonly PolicyIssue[] => {
    const earlier = identities.slice(0, index).findIndex((other) => takesAll(other, rule))
    if (earlier < 0) return []
    return [
      {
        path: ['identities', index],
        detail: `never decides: \`identities[${earlier}]\` comes first and takes everyone that this rule could name`,
      },
    ]
  })

/** As no literal segment can be; a search with it follows only wildcards. */
const wildcard = '*'
const manyLabels = 6

/** Every `when` that asks for no more than this one does. */
const widerWhens = (when: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(when)
    .reduce<readonly Record<string, string>[]>(
      (sets, [key, value]) => sets.flatMap((set) => [set, { ...set, [key]: value }]),
      [{}],
    )
    .map(canonicalJson)

type Hidden = PolicyIssue & { readonly route: Route }

/** Routes behind one earlier route that has all their channels and asks for no other labels. Near linear. */
const unreachableRoutes = (directory: Directory): readonly PolicyIssue[] => {
  const { routes } = directory
  const position = (route: Route): number => routePosition(directory, route)
  const byWhen = new Map<string, { readonly when: Route['when']; readonly trie: ChannelTrie }>()
  const earlierOver = (route: Route): Route | undefined => {
    const keys =
      Object.keys(route.when).length <= manyLabels
        ? widerWhens(route.when)
        : [...byWhen].filter(([, { when }]) => hasLabels(route.when, when)).map(([key]) => key)
    for (const key of keys) {
      const trie = byWhen.get(key)?.trie
      const segments = route.channel.segments.map((each) => (each.kind === 'literal' ? each.text : wildcard))
      const index =
        trie === undefined ? undefined : firstMatch(trie, route.channel.domain, segments, (at) => contains(at, route))
      if (index !== undefined) return routes[index]
    }
    return undefined
  }
  const contains = (at: number, route: Route): boolean => {
    const earlier = routes[at]
    return earlier !== undefined && containsPattern(earlier.channel, route.channel)
  }

  const hidden = routes.flatMap((route): readonly Hidden[] => {
    const earlier = earlierOver(route)
    if (earlier !== undefined)
      return [
        {
          route,
          path: ['routes', position(route), 'channel'],
          detail: `never decides: \`routes[${position(earlier)}]\` (\`${earlier.channel.text}\`) comes first and takes all channels of \`${route.channel.text}\``,
        },
      ]
    // what is unreachable need not be kept: whatever is behind it is behind the earlier route too
    const key = canonicalJson(route.when)
    const same = byWhen.get(key) ?? { when: route.when, trie: createChannelTrie() }
    byWhen.set(key, same)
    addPattern(same.trie, route.channel, route.index)
    return []
  })
  // a table whose channel is taken says so once, not for every entry
  const tables = new Set(hidden.filter(({ route }) => route.topic === noTopic).map(({ route }) => position(route)))
  return hidden
    .filter(({ route }) => route.topic === noTopic || !tables.has(position(route)))
    .map(({ path, detail }) => ({ path, detail }))
}

const idleGrants = ({ grants, routeIndex }: Directory): readonly PolicyIssue[] => {
  const known = new Map<string, boolean>()
  const isRouted = (pattern: ChannelPattern): boolean => {
    const routed = known.get(pattern.text) ?? meetsAny(routeIndex, pattern)
    known.set(pattern.text, routed)
    return routed
  }
  return grants.flatMap((grant) =>
    (['produce', 'consume'] as const).flatMap((action) =>
      grant[action].flatMap((pattern, at): readonly PolicyIssue[] =>
        isRouted(pattern)
          ? []
          : [
              {
                path: ['grants', grant.index, action, at],
                detail: `gives nothing: no route has a channel of \`${pattern.text}\``,
              },
            ],
      ),
    ),
  )
}

const expiredGrants = ({ grants }: Directory, now: Date): readonly PolicyIssue[] =>
  grants.flatMap((grant): readonly PolicyIssue[] =>
    isExpired(grant, now)
      ? [
          {
            path: ['grants', grant.index, 'until'],
            detail: `gives nothing: it ended at \`${grant.until?.toISOString()}\``,
          },
        ]
      : [],
  )

/** A setting that no client is told, or that librdkafka is not told because of its value. */
const settingsOfNobody = ({ profiles }: Directory): readonly PolicyIssue[] =>
  profiles
    .filter((profile) => !builtInProfiles.includes(profile))
    .flatMap(({ name: profile, role, properties }) =>
      Object.entries(properties).flatMap(([name, value]): readonly PolicyIssue[] => {
        const path = ['profiles', profile, 'properties', name]
        const isKnown = (['java', 'librdkafka'] as const).map((family) => settingsOf(role, family).has(name))
        if (!isKnown.includes(true))
          return [{ path, detail: `no client is told: neither Java's nor librdkafka has it for a ${role}` }]
        if (!isKnown[1] || Object.keys(toDialect({ [name]: value }, role, 'librdkafka')).length > 0) return []
        return [{ path, detail: `clients of librdkafka are not told: they take no ${quoted(String(value))} for it` }]
      }),
    )

/** Whoever a grant names and whose tokens and keys would be nobody on a cluster of Confluent Cloud. */
const principalsWithoutPool = (directory: Directory, now: Date): readonly PolicyIssue[] =>
  [...directory.clusters.values()].flatMap((cluster): readonly PolicyIssue[] => {
    if (cluster.provider !== 'confluent') return []
    const { auth, identityPools, serviceAccounts } = cluster
    const takesTokens = auth.includes('jwt') || auth.includes('workload')
    const without = principalsNamedOn(directory, cluster.name, now).filter(
      (name) => !(takesTokens && identityPools.has(name)) && !(auth.includes('api-key') && serviceAccounts.has(name)),
    )
    if (without.length === 0) return []
    const names = without.map((name) => `\`${name}\``).join(', ')
    const [member, what] = takesTokens ? ['identityPools', 'identity pool'] : ['serviceAccounts', 'service account']
    const how = auth.includes('workload')
      ? 'make one for its role, of the issuer of its AWS account'
      : 'make them with `switchboard confluent setup`'
    const detail = `${names} cannot log in there: no ${what}; ${how}`
    return [{ path: ['clusters', cluster.name, member], detail }]
  })

/** What both clients refuse beside idempotence. @see https://kafka.apache.org/documentation/#producerconfigs_enable.idempotence */
const notIdempotent: Readonly<
  Record<string, { readonly fits: (value: PropertyValue) => boolean; readonly allowed: string }>
> = {
  acks: { fits: (value) => ['all', '-1'].includes(String(value)), allowed: '`all`' },
  retries: { fits: (value) => Number(value) > 0, allowed: 'more than `0`' },
  'max.in.flight.requests.per.connection': { fits: (value) => Number(value) <= 5, allowed: 'up to `5`' },
}

const producersThatDoNotStart = ({ profiles }: Directory): readonly PolicyIssue[] =>
  profiles
    .filter(({ role, properties }) => role === 'producer' && String(properties['enable.idempotence']) === 'true')
    .flatMap(({ name: profile, properties }) =>
      Object.entries(notIdempotent).flatMap(([name, { fits, allowed }]): readonly PolicyIssue[] => {
        const value = properties[name]
        if (value === undefined || fits(value)) return []
        const detail = `no producer starts with ${quoted(String(value))} beside \`enable.idempotence\`; allowed: ${allowed}`
        return [{ path: ['profiles', profile, 'properties', name], detail }]
      }),
    )
