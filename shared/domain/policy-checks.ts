import { quoted } from './channel.ts'
import { type ChannelTrie, longestSearch } from './channel-trie.ts'
import { type Cluster, clusterAudience, isStored } from './cluster.ts'
import { checkConfluent } from './confluent-policy-checks.ts'
import { type Directory, routePosition, routesMeeting } from './directory.ts'
import type { NamePattern } from './grant.ts'
import type { IdentityRule, OidcRule } from './identity.ts'
import { checkMsk } from './msk-policy-checks.ts'
import { canMeet, fixedStart, type NameShape, nameShape, onlyName } from './name-template.ts'
import type { Policy, PolicyIssue } from './policy.ts'
import { noTopic } from './topic.ts'
import { findTopicCollisions } from './topic-collision.ts'

/**
 * What is refused although every rule is well-formed by itself: rules that together would let somebody be somebody else.
 * Run where a policy is written; resolve trusts what was published.
 * @param directory the policy, compiled without issues
 */
export const checkPolicy = (policy: Policy, directory: Directory): readonly PolicyIssue[] => [
  ...topicsOfTwoChannels(policy, directory),
  ...controlCharacters(policy),
  ...issuersWithSeveralKeySources(directory),
  ...audiencesOfClusters(directory),
  ...namesThatMeet(directory),
  ...prefixesOverStrangers(directory),
  ...clustersWithoutAdmin(directory),
  ...storedOfNothing(policy),
  ...checkMsk(policy, directory),
  ...checkConfluent(policy),
  ...quotasOfNobody(directory),
  ...schemasOfNothing(directory),
  ...longSearches(directory),
]

/** Topics that would have two channels although their routes do not say that this is meant. */
export const topicsOfTwoChannels = (policy: Policy, directory: Directory): readonly PolicyIssue[] => {
  const { routes } = directory
  const exclusive = routes.filter(
    (route) => route.topic !== noTopic && policy.routes[routePosition(directory, route)]?.shared !== true,
  )
  return findTopicCollisions(exclusive).map(({ route, other, topic, channels }) => {
    const here = routePosition(directory, route)
    return {
      path: ['routes', here, policy.routes[here]?.topics === undefined ? 'topic' : 'topics'],
      detail: `topic ${quoted(topic)} would be that of ${quoted(channels[0].name)} here and of ${quoted(channels[1].name)} by \`routes[${routePosition(directory, other)}]\`; say \`shared: true\` if that is meant`,
    }
  })
}

/** What is refused once the stack is known that the policy is for. */
export const checkPolicyForIssuer = (directory: Directory, issuerUrl: string): readonly PolicyIssue[] =>
  directory.identities.flatMap((rule, index): readonly PolicyIssue[] => {
    if (rule.kind !== 'oidc') return []
    const issues: PolicyIssue[] = []
    if (sameAddress(rule.issuer, issuerUrl))
      issues.push({
        path: ['identities', index, 'issuer'],
        detail: `${quoted(rule.issuer)} is Switchboard itself; allowed: any other issuer, a token made for Kafka names nobody here`,
      })
    if (rule.jwksUri !== undefined && addressOf(rule.jwksUri).startsWith(`${addressOf(issuerUrl)}/`))
      issues.push({
        path: ['identities', index, 'jwks_uri'],
        detail: `${quoted(rule.jwksUri)} are the keys of Switchboard itself; allowed: the keys of ${quoted(rule.issuer)}`,
      })
    for (const cluster of directory.clusters.values())
      if (cluster.audience === undefined && rule.audience === clusterAudience(cluster, issuerUrl))
        issues.push(audienceOfCluster(rule, index, cluster.name))
    return issues
  })

/** Two spellings of one address are equal; what is no address stays what it is. */
const addressOf = (url: string): string => {
  if (!URL.canParse(url)) return url
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname.replace(/\/+$/, '')}`
}

const sameAddress = (a: string, b: string): boolean => addressOf(a) === addressOf(b)

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
const hidden = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/
/** A certificate has lines. */
const linesAllowed = 'ca'

/** The schema refuses them where it knows the field; this covers the names that a policy makes up too. */
const controlCharacters = (policy: Policy): readonly PolicyIssue[] => {
  const issues: PolicyIssue[] = []
  const visit = (value: unknown, path: readonly PropertyKey[]): void => {
    if (typeof value === 'string') {
      const text = path.at(-1) === linesAllowed ? value.replace(/\r?\n/g, '') : value
      if (hidden.test(text))
        issues.push({ path, detail: `${quoted(text)} has a control character; allowed: characters that show` })
    } else if (value !== null && typeof value === 'object')
      for (const [key, member] of Object.entries(value)) {
        const below = [...path, Array.isArray(value) ? Number(key) : key]
        if (hidden.test(key))
          issues.push({ path: below, detail: `${quoted(key)} has a control character; allowed: characters that show` })
        visit(member, below)
      }
  }
  visit(policy, [])
  return issues
}

const issuersWithSeveralKeySources = ({ identities }: Directory): readonly PolicyIssue[] => {
  const first = new Map<string, { readonly rule: OidcRule; readonly index: number }>()
  return identities.flatMap((rule, index): readonly PolicyIssue[] => {
    if (rule.kind !== 'oidc') return []
    const earlier = first.get(rule.issuer)
    if (earlier === undefined) first.set(rule.issuer, { rule, index })
    if (earlier === undefined || earlier.rule.jwksUri === rule.jwksUri) return []
    const shown = (uri: string | undefined): string => (uri === undefined ? 'none' : quoted(uri))
    return [
      {
        path: ['identities', index, 'jwks_uri'],
        detail: `the keys of ${quoted(rule.issuer)} are ${shown(rule.jwksUri)} here; allowed: ${shown(earlier.rule.jwksUri)}, as in \`identities[${earlier.index}]\``,
      },
    ]
  })
}

const audienceOfCluster = (rule: OidcRule, index: number, cluster: string): PolicyIssue => ({
  path: ['identities', index, 'audience'],
  detail: `${quoted(rule.audience)} is the audience of the cluster \`${cluster}\`; allowed: one that only Switchboard has, so that a token for one is none for the other`,
})

const audiencesOfClusters = ({ identities, clusters }: Directory): readonly PolicyIssue[] =>
  identities.flatMap((rule, index) =>
    rule.kind !== 'oidc'
      ? []
      : [...clusters.values()]
          .filter((cluster) => cluster.audience === rule.audience)
          .map((cluster) => audienceOfCluster(rule, index, cluster.name)),
  )

/** What a rule can name, and whose names they are: rules of one namespace that render alike mean one workload. */
type Namer = {
  readonly index: number
  readonly template: string
  readonly namespace: string
  readonly shape: NameShape
}

const namerOf = (rule: IdentityRule, index: number): Namer => {
  if (rule.kind === 'client')
    return { index, template: rule.client, namespace: 'client', shape: nameShape(rule.client) }
  const { principal: template } = rule
  if (rule.kind === 'aws')
    return {
      index,
      template,
      namespace: `aws\n${rule.accountId}\n${template}`,
      shape: nameShape(template, { roleName: rule.roleName, accountId: rule.accountId }),
    }
  const known = Object.fromEntries(
    Object.entries(rule.claims).flatMap(([claim, wanted]) =>
      typeof wanted === 'string' && !wanted.includes('*') ? [[claim, wanted] as const] : [],
    ),
  )
  return { index, template, namespace: `oidc\n${rule.issuer}\n${template}`, shape: nameShape(template, known) }
}

/** Two rules that write out the same name say so themselves: no token decides it. */
const bothSayIt = (a: Namer, b: Namer): boolean => a.template === b.template && !a.template.includes('{')

/** A client's name is its own: the authenticator refuses a token or a role that would take it. */
const isReserved = ({ namespace }: Namer): boolean => namespace === 'client'

const namesThatMeet = ({ identities }: Directory): readonly PolicyIssue[] => {
  const namers = identities.map(namerOf)
  return namers.flatMap((namer, at): readonly PolicyIssue[] => {
    const other = namers
      .slice(0, at)
      .find(
        (earlier) =>
          earlier.namespace !== namer.namespace &&
          !isReserved(earlier) &&
          !isReserved(namer) &&
          !bothSayIt(earlier, namer) &&
          canMeet(earlier.shape, namer.shape),
      )
    if (other === undefined) return []
    return [
      {
        path: ['identities', namer.index, 'principal'],
        detail: `${quoted(namer.template)} and ${quoted(other.template)} of \`identities[${other.index}]\` can give two workloads one name; allowed: templates with fixed beginnings that differ, such as ${quoted(`acme.${other.template}`)}`,
      },
    ]
  })
}

/** Every principal whose name the policy itself says, sorted. */
const namesSaid = ({ grants, identities }: Directory): readonly string[] => {
  const said = identities.map((rule, index) => onlyName(namerOf(rule, index).shape))
  const names = new Set([
    ...grants.flatMap((grant) => grant.principals ?? []),
    ...said.filter((name) => name !== undefined),
  ])
  return [...names].sort()
}

const firstAtOrAfter = (sorted: readonly string[], text: string): number => {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] ?? '') < text) low = middle + 1
    else high = middle
  }
  return low
}

const prefixesOverStrangers = (directory: Directory): readonly PolicyIssue[] => {
  const names = namesSaid(directory)
  const templates = directory.identities.map(namerOf).filter(({ shape }) => onlyName(shape) === undefined)

  /** Somebody else than `holder` whose own name starts with the prefix. */
  const strangerUnder = (prefix: string, holder: string | undefined): string | undefined => {
    for (let at = firstAtOrAfter(names, prefix); names[at]?.startsWith(prefix); at++)
      if (names[at] !== holder) return names[at]
    return templates.find(({ shape }) => fixedStart(shape).startsWith(prefix))?.template
  }

  return directory.grants.flatMap((grant): readonly PolicyIssue[] => {
    const holder = grant.principals?.length === 1 ? grant.principals[0] : undefined
    const check = (field: 'groups' | 'transactionalIds', patterns: readonly NamePattern[]): readonly PolicyIssue[] =>
      patterns.flatMap(({ kind, text }, at) => {
        const stranger = kind === 'prefixed' ? strangerUnder(text, holder) : undefined
        if (stranger === undefined) return []
        return [
          {
            path: ['grants', grant.index, field, at],
            detail: `${quoted(`${text}*`)} covers the own name of the principal ${quoted(stranger)}; allowed: a prefix that no other principal's name starts with`,
          },
        ]
      })
    return [...check('groups', grant.groups), ...check('transactionalIds', grant.transactionalIds)]
  })
}

const clustersWithoutAdmin = (directory: Directory): readonly PolicyIssue[] => {
  const { clusters, routes } = directory
  const used = new Map<string, number>()
  for (const route of routes) if (!used.has(route.cluster)) used.set(route.cluster, routePosition(directory, route))
  return [...clusters.values()].flatMap((cluster): readonly PolicyIssue[] => {
    const route = used.get(cluster.name)
    // who is let in by IAM alone has no user and no ACL
    const isByIamAlone = cluster.auth.every((kind) => kind === 'msk-iam')
    if (route === undefined || cluster.adminSecret !== undefined || isByIamAlone) return []
    return [
      {
        path: ['clusters', cluster.name, 'admin'],
        detail: `the cluster \`${cluster.name}\` has no \`admin.secret\` and \`routes[${route}]\` leads to it; allowed: \`admin: { secret: <name or ARN> }\`, without it nobody's access can be made there`,
      },
    ]
  })
}

const ofStoredCredentials = ['rotation', 'credential'] as const

const storedOfNothing = ({ clusters }: Policy): readonly PolicyIssue[] =>
  Object.entries(clusters).flatMap(([name, cluster]): readonly PolicyIssue[] =>
    ofStoredCredentials.flatMap((member) =>
      cluster[member] === undefined || cluster.auth.some(isStored)
        ? []
        : [
            {
              path: ['clusters', name, member],
              detail: `\`auth\` of the cluster ${quoted(name)} is ${cluster.auth.map(quoted).join(', ')}, of which nothing is stored; allowed: \`${member}\` beside \`scram\` or \`api-key\``,
            },
          ],
    ),
  )

/** Why nobody's quota can be set on a cluster; undefined where it can. */
const noQuotas = ({ provider, auth }: Cluster): string | undefined => {
  // its own are of service accounts, and of Dedicated clusters alone
  if (provider === 'confluent') return 'Confluent Cloud takes no quotas'
  // a quota is one of Kafka users, and whoever is let in by IAM is none that we know
  return auth.includes('msk-iam') ? '`msk-iam` knows no quotas' : undefined
}

const quotasOfNobody = (directory: Directory): readonly PolicyIssue[] =>
  directory.grants.flatMap((grant): readonly PolicyIssue[] => {
    if (Object.keys(grant.quota).length === 0) return []
    const routes = [...grant.produce, ...grant.consume].flatMap((pattern) => routesMeeting(directory, pattern))
    const issues = routes.flatMap((route): readonly PolicyIssue[] => {
      const cluster = directory.clusters.get(route.cluster)
      const why = cluster && noQuotas(cluster)
      return why === undefined
        ? []
        : [
            {
              path: ['grants', grant.index, 'quota'],
              detail: `a route leads to the cluster ${quoted(route.cluster)}, where ${why}; allowed: a grant of its own for the channels that lead elsewhere`,
            },
          ]
    })
    return issues.slice(0, 1)
  })

const schemasOfNothing = (directory: Directory): readonly PolicyIssue[] =>
  directory.grants.flatMap((grant): readonly PolicyIssue[] => {
    if (!grant.schemas) return []
    const routes = [...grant.produce, ...grant.consume].flatMap((pattern) => routesMeeting(directory, pattern))
    if (routes.some(({ cluster }) => directory.clusters.get(cluster)?.schemaRegistry !== undefined)) return []
    return [
      {
        path: ['grants', grant.index, 'schemas'],
        detail:
          'no route of its channels leads to a cluster with a schema registry; allowed: beside `schemaRegistry` of such a cluster',
      },
    ]
  })

/** Steps of one look-up, so that no channel that a caller makes up costs more than a signature. */
export const maximumSearch = 256

/**
 * A name and a `*` at the same place double the ways in which a channel may have to be read, and of routes and grants for
 * the very same channels each may have to be tried.
 */
const longSearches = ({ routes, routeIndex, grantIndex }: Directory): readonly PolicyIssue[] => {
  const check = (
    field: 'routes' | 'grants',
    tries: readonly ChannelTrie[],
    alwaysHolds: (index: number) => boolean,
  ): readonly PolicyIssue[] => {
    const longest = tries.reduce((most, trie) => Math.max(most, longestSearch(trie, alwaysHolds)), 0)
    if (longest <= maximumSearch) return []
    const condition = field === 'routes' ? '`when`' : '`groups` or `until`'
    return [
      {
        path: [field],
        detail: `names and wildcards are at the same places, or channels are the same but for ${condition}, so often that one look-up may take ${longest} steps; allowed: ${maximumSearch}`,
      },
    ]
  }
  const held = [
    ...grantIndex.byName.values(),
    ...[...grantIndex.byLabel.values()].flatMap((sets) => [...sets.values()].flat()),
  ]
  return [
    ...check('routes', [routeIndex], (index) => Object.keys(routes[index]?.when ?? {}).length === 0),
    // a grant that allows the channel may not allow the group
    ...check(
      'grants',
      held.flatMap(({ produce, consume }) => [produce, consume]),
      () => false,
    ),
  ]
}
