import {
  type Channel,
  type ChannelPattern,
  containsPattern,
  intersectPatterns,
  matchChannel,
  parseChannelPattern,
} from './channel.ts'
import {
  addPattern,
  type ChannelTrie,
  createChannelTrie,
  firstMatch,
  indicesMeeting,
  meetsSome,
} from './channel-trie.ts'
import type {
  Cluster,
  ConfluentCluster,
  KafkaCluster,
  Listener,
  MskCluster,
  ProviderPart,
  RotationOverrides,
  SchemaRegistry,
} from './cluster.ts'
import { type Facts, factsKeyOf, isLeftToCrawl, noFacts } from './facts.ts'
import { type Action, type Grant, isExpired, parseNamePattern } from './grant.ts'
import type { IdentityRule } from './identity.ts'
import type { Policy, PolicyIssue } from './policy.ts'
import { durationSeconds, untilDate } from './policy-times.ts'
import { hasLabels, type Principal } from './principal.ts'
import { builtInProfiles, type Profile } from './profile.ts'
import { publishedRoute } from './published-route.ts'
import type { Route } from './route.ts'
import { noTopic, parseTopicTemplate, renderTopic, unusedCaptures } from './topic.ts'
import { expandTable, type Table } from './topic-table.ts'

/** The policy compiled for deciding: what resolve holds in memory. */
export type Directory = {
  /** Content address of the policy it was compiled from, `sha256:...`. */
  readonly hash: string
  readonly identities: readonly IdentityRule[]
  readonly clusters: ReadonlyMap<string, Cluster>
  readonly profiles: readonly Profile[]
  readonly grants: readonly Grant[]
  readonly routes: readonly Route[]
  /** Where in the policy each route stands; the entries of a lookup table are routes that share one place. */
  readonly routePositions: readonly number[]
  readonly kafkaUserPrefix: string
  /** Unexpired leases that one principal may hold. */
  readonly leasesPerPrincipal: number
  readonly grantIndex: GrantIndex
  readonly routeIndex: ChannelTrie
}

/** Per holder (a name, or a set of labels) the tries of what it may produce and consume. */
type GrantIndex = {
  readonly byName: Map<string, HeldGrants>
  /** Label -> value -> the label sets that hang on it. */
  readonly byLabel: Map<string, Map<string, HeldByLabels[]>>
}
type HeldGrants = { readonly produce: ChannelTrie; readonly consume: ChannelTrie; readonly grants: Grant[] }
type HeldByLabels = HeldGrants & { readonly labels: Readonly<Record<string, string>> }

export type Compiled = { readonly directory: Directory; readonly issues: readonly PolicyIssue[] }

const createHeld = (): HeldGrants => ({ produce: createChannelTrie(), consume: createChannelTrie(), grants: [] })

/** A listener is what the policy says; only where it says nothing, what the crawl found. */
const compileListeners = (cluster: Policy['clusters'][string], facts: Facts): readonly Listener[] => {
  if (isLeftToCrawl(cluster)) return facts.clusters[factsKeyOf(cluster) ?? '']?.listeners ?? []
  return cluster.listeners === undefined
    ? [
        {
          name: 'bootstrap',
          network: undefined,
          bootstrap: cluster.bootstrap ?? '',
          security: cluster.security ?? 'SASL_SSL',
        },
      ]
    : cluster.listeners.map((listener, index) => ({
        name: listener.name ?? listener.network ?? `listener-${index}`,
        network: listener.network,
        bootstrap: listener.bootstrap,
        security: listener.security ?? 'SASL_SSL',
        ...(listener.auth === undefined ? {} : { auth: listener.auth }),
      }))
}

/** A policy without what its provider needs is not published. */
const compileProvider = (
  cluster: Policy['clusters'][string],
): ProviderPart<KafkaCluster> | ProviderPart<MskCluster> | ProviderPart<ConfluentCluster> => {
  const { provider } = cluster
  if (provider === 'kafka') return { provider }
  if (provider === 'msk') return { provider, arn: cluster.arn ?? '', iamRole: cluster.iam?.role }
  return {
    provider,
    id: cluster.id ?? '',
    environment: cluster.environment,
    identityProvider: cluster.identityProvider?.id,
    workload: cluster.workload,
    identityPools: new Map(Object.entries(cluster.identityPools ?? {})),
    serviceAccounts: new Map(Object.entries(cluster.serviceAccounts ?? {})),
    cloudSecret: cluster.cloudKey?.secret,
  }
}

/** Only what is said: the provider's own times stay where nothing is. */
const compileRotation = ({ rotation }: Policy['clusters'][string]): RotationOverrides => {
  const { every, stuckAfter, maxDrain, clock = {} } = rotation ?? {}
  const seconds = Object.entries(clock).flatMap(([name, text]) =>
    text === undefined ? [] : [[`${name}Seconds`, durationSeconds(text)]],
  )
  return {
    ...(every === undefined ? {} : { everySeconds: durationSeconds(every) }),
    ...(stuckAfter === undefined ? {} : { stuckAfter }),
    ...(maxDrain === undefined ? {} : { maxDrainSeconds: durationSeconds(maxDrain) }),
    ...(seconds.length === 0 ? {} : { clock: Object.fromEntries(seconds) }),
  }
}

const compileRegistry = ({ auth, schemaRegistry }: Policy['clusters'][string]): SchemaRegistry | undefined => {
  if (schemaRegistry === undefined) return undefined
  const { url, id, secret, crawl } = schemaRegistry
  const common = { url: url.replace(/\/+$/, ''), crawlSecret: crawl?.secret }
  if (id === undefined) return { ...common, kind: 'basic', secret: secret ?? '' }
  return { ...common, kind: auth.includes('jwt') ? 'jwt' : 'api-key', id }
}

const indexGrants = (grants: readonly Grant[]): GrantIndex => {
  const byName = new Map<string, HeldGrants>()
  const sets = new Map<string, HeldByLabels>()
  const frequency = new Map<string, number>()
  const labelKey = ([key, value]: readonly [string, string]): string => `${key}\n${value}`
  const add = (held: HeldGrants, grant: Grant): void => {
    held.grants.push(grant)
    for (const pattern of grant.produce) addPattern(held.produce, pattern, grant.index)
    for (const pattern of grant.consume) addPattern(held.consume, pattern, grant.index)
  }
  for (const grant of grants) {
    for (const name of grant.principals ?? []) {
      const held = byName.get(name) ?? createHeld()
      byName.set(name, held)
      add(held, grant)
    }
    if (grant.labels !== undefined) {
      const pairs = Object.entries(grant.labels).sort(([a], [b]) => (a < b ? -1 : 1))
      const id = JSON.stringify(pairs)
      let held = sets.get(id)
      if (held === undefined) {
        held = { ...createHeld(), labels: grant.labels }
        sets.set(id, held)
        for (const pair of pairs) frequency.set(labelKey(pair), (frequency.get(labelKey(pair)) ?? 0) + 1)
      }
      add(held, grant)
    }
  }
  // each set hangs on its rarest label, so that one label shared by all grants does not make every look-up a scan
  const byLabel: GrantIndex['byLabel'] = new Map()
  for (const held of sets.values()) {
    const often = (pair: readonly [string, string]): number => frequency.get(labelKey(pair)) ?? 0
    const [rarest] = Object.entries(held.labels).sort((a, b) => often(a) - often(b))
    if (rarest === undefined) continue
    const [key, value] = rarest
    const values = byLabel.get(key) ?? new Map<string, HeldByLabels[]>()
    byLabel.set(key, values)
    const list = values.get(value)
    if (list === undefined) values.set(value, [held])
    else list.push(held)
  }
  return { byName, byLabel }
}

const compileIdentity = (rule: Policy['identities'][number]): IdentityRule => {
  const labels = rule.labels ?? {}
  if ('client' in rule) return { kind: 'client', client: rule.client, labels }
  if ('awsRole' in rule) {
    const [, , , , accountId = '', resource = ''] = rule.awsRole.split(':')
    const roleName = resource.slice(resource.lastIndexOf('/') + 1)
    return { kind: 'aws', accountId, roleName, principal: rule.principal ?? '{roleName}', labels }
  }
  return {
    kind: 'oidc',
    issuer: rule.issuer,
    audience: rule.audience,
    jwksUri: rule.jwks_uri,
    algorithms: rule.algorithms ?? ['RS256', 'ES256', 'ES384', 'EdDSA'],
    claims: rule.claims ?? {},
    principal: rule.principal ?? '{sub}',
    labels,
  }
}

/** Where a route of the policy leads: one way, or one for each entry of its table. */
const waysOf = (channel: ChannelPattern, { topic, topics, shared }: Policy['routes'][number]): Table => {
  if (topics !== undefined) return expandTable(channel, topics)
  const parsed = parseTopicTemplate(topic ?? '', channel)
  if (!parsed.ok) return { routes: [], issues: [{ path: ['topic'], detail: parsed.detail }] }
  const unused = unusedCaptures(parsed.value, channel)
  const detail = `several channels would share one topic because it leaves out ${unused.join(', ')}; say \`shared: true\` if that is meant`
  return {
    routes: [{ channel, topic: parsed.value }],
    issues: unused.length > 0 && shared !== true ? [{ path: ['topic'], detail }] : [],
  }
}

/**
 * Policy -> directory. Rules that cannot be compiled are left out of the directory and named in `issues`;
 * only a policy without issues is ever published.
 * @param options.facts what the crawl found of the clusters that the policy leaves to it
 * @param options.published the policy is in force, so that it was checked: a route is compiled when it is first looked at
 */
export const compileDirectory = (
  policy: Policy,
  hash: string,
  { published = false, facts = noFacts }: { readonly published?: boolean; readonly facts?: Facts } = {},
): Compiled => {
  const issues: PolicyIssue[] = []
  const clusters = new Map<string, Cluster>()
  for (const [name, cluster] of Object.entries(policy.clusters))
    clusters.set(name, {
      ...compileProvider(cluster),
      name,
      auth: cluster.auth,
      listeners: compileListeners(cluster, facts),
      ca: cluster.ca,
      audience: cluster.audience,
      labels: cluster.labels ?? {},
      adminSecret: cluster.admin?.secret,
      credential: cluster.credential ?? 'value',
      rotation: compileRotation(cluster),
      quarantined: cluster.quarantined ?? false,
      schemaRegistry: compileRegistry(cluster),
    })

  const profiles: Profile[] = [...builtInProfiles]
  for (const [name, profile] of Object.entries(policy.profiles ?? {})) profiles.push({ name, ...profile })

  const identities = policy.identities.map(compileIdentity)

  const patternsAt = (texts: readonly string[] | undefined, path: readonly PropertyKey[]): readonly ChannelPattern[] =>
    (texts ?? []).flatMap((text, at) => {
      const parsed = parseChannelPattern(text)
      if (parsed.ok) return [parsed.value]
      issues.push({ path: [...path, at], detail: parsed.detail })
      return []
    })

  const grants = policy.grants.map(
    (grant, index): Grant => ({
      index,
      principals: Array.isArray(grant.principals) ? grant.principals : undefined,
      labels: Array.isArray(grant.principals) ? undefined : grant.principals.labels,
      produce: patternsAt(grant.produce, ['grants', index, 'produce']),
      consume: patternsAt(grant.consume, ['grants', index, 'consume']),
      groups: (grant.groups ?? []).map(parseNamePattern),
      transactionalIds: (grant.transactionalIds ?? []).map(parseNamePattern),
      maxLeaseSeconds: grant.maxLease === undefined ? undefined : durationSeconds(grant.maxLease),
      quota: grant.quota ?? {},
      schemas: grant.schemas ?? false,
      until: grant.until === undefined ? undefined : untilDate(grant.until),
    }),
  )

  const routes: Route[] = []
  const routePositions: number[] = []
  const routeIndex = createChannelTrie()
  for (const [index, route] of policy.routes.entries()) {
    if (published && route.topics === undefined) {
      addPattern(routeIndex, { text: route.channel }, routes.length)
      routes.push(publishedRoute(route, routes.length))
      routePositions.push(index)
      continue
    }
    const channel = parseChannelPattern(route.channel)
    if (!channel.ok) {
      issues.push({ path: ['routes', index, 'channel'], detail: channel.detail })
      continue
    }
    if (!clusters.has(route.cluster)) {
      const known = [...clusters.keys()].map((name) => `\`${name}\``).join(', ')
      issues.push({
        path: ['routes', index, 'cluster'],
        detail: `no cluster is named \`${route.cluster}\`, allowed: ${known}`,
      })
      continue
    }
    const ways = waysOf(channel.value, route)
    issues.push(...ways.issues.map(({ path, detail }) => ({ path: ['routes', index, ...path], detail })))
    for (const role of ['producer', 'consumer'] as const) {
      const name = route.profiles?.[role]
      if (name !== undefined && !profiles.some((profile) => profile.name === name && profile.role === role))
        issues.push({ path: ['routes', index, 'profiles', role], detail: `no ${role} profile is named \`${name}\`` })
    }
    for (const { channel, topic } of ways.routes) {
      const compiled: Route = {
        index: routes.length,
        channel,
        when: route.when?.labels ?? {},
        cluster: route.cluster,
        topic,
        profiles: route.profiles ?? {},
      }
      routes.push(compiled)
      routePositions.push(index)
      addPattern(routeIndex, compiled.channel, compiled.index)
    }
  }

  return {
    directory: {
      hash,
      identities,
      clusters,
      profiles,
      grants,
      routes,
      routePositions,
      kafkaUserPrefix: policy.kafkaUserPrefix ?? 'sb.',
      leasesPerPrincipal: policy.limits?.leasesPerPrincipal ?? 1_000,
      grantIndex: indexGrants(grants),
      routeIndex,
    },
    issues,
  }
}

/** Rule 3. `when` narrows a route to principals with those labels. */
export const selectRoute = (
  directory: Directory,
  principal: Pick<Principal, 'labels'>,
  channel: Channel,
): Route | undefined => {
  const index = firstMatch(directory.routeIndex, channel.domain, channel.segments, (at) => {
    const route = directory.routes[at]
    return route !== undefined && hasLabels(principal.labels, route.when)
  })
  return index === undefined ? undefined : directory.routes[index]
}

/** Where in the policy a route stands. */
export const routePosition = (directory: Directory, route: Route): number =>
  directory.routePositions[route.index] ?? route.index

/** The topic of a channel on its route, or undefined where the channel cannot be a topic of that route. */
export const topicOf = (route: Route, channel: Channel): string | undefined => {
  const captures = matchChannel(route.channel, channel)
  return captures === undefined ? undefined : renderTopic(route.topic, captures, channel)
}

type Holder = Pick<Principal, 'name' | 'labels'>

const heldBy = ({ grantIndex }: Directory, principal: Holder): readonly HeldGrants[] => {
  const found: HeldGrants[] = []
  const named = grantIndex.byName.get(principal.name)
  if (named !== undefined) found.push(named)
  for (const key of Object.keys(principal.labels))
    for (const held of grantIndex.byLabel.get(key)?.get(principal.labels[key] ?? '') ?? [])
      if (hasLabels(principal.labels, held.labels)) found.push(held)
  return found
}

/** Every grant that a principal holds, expired ones too, in the order of the policy. */
export const grantsOf = (directory: Directory, principal: Holder): readonly Grant[] =>
  [...new Set(heldBy(directory, principal).flatMap(({ grants }) => grants))].sort((a, b) => a.index - b.index)

/** Rule 2: the first unexpired grant that allows action x channel and that `accepts` takes. */
export const selectGrant = (
  directory: Directory,
  principal: Pick<Principal, 'name' | 'labels'>,
  action: Action,
  channel: Channel,
  now: Date,
  accepts: (grant: Grant) => boolean = () => true,
): Grant | undefined => {
  let best: number | undefined
  for (const held of heldBy(directory, principal)) {
    const index = firstMatch(held[action], channel.domain, channel.segments, (at) => {
      const grant = directory.grants[at]
      return grant !== undefined && !isExpired(grant, now) && accepts(grant)
    })
    if (index !== undefined && (best === undefined || index < best)) best = index
  }
  return best === undefined ? undefined : directory.grants[best]
}

/** The routes that have a channel in common with the pattern, in their order. */
export const routesMeeting = ({ routeIndex, routes }: Directory, pattern: ChannelPattern): readonly Route[] =>
  indicesMeeting(routeIndex, pattern).flatMap((index) => routes[index] ?? [])

/** Whether a route before this one, for these labels and as `accepts` wants it, has a channel in common with the pattern. */
export const isMetEarlier = (
  { routeIndex, routes }: Directory,
  principal: Pick<Principal, 'labels'>,
  route: Route,
  pattern: ChannelPattern,
  accepts: (earlier: Route) => boolean = () => true,
): boolean =>
  meetsSome(routeIndex, pattern, route.index, (index) => {
    const earlier = routes[index]
    return earlier !== undefined && hasLabels(principal.labels, earlier.when) && accepts(earlier)
  })

/** A part of an asked pattern that one route carries. */
export type RoutePart = { readonly route: Route; readonly both: ChannelPattern }

export type PatternRoutes =
  | { readonly outcome: 'routed'; readonly parts: readonly RoutePart[] }
  /** An earlier route takes some of the pattern's channels away from a later one, in no way that a pattern can say. */
  | { readonly outcome: 'split' }
  /** So many routes meet it that one request would pay for work without end. */
  | { readonly outcome: 'wide' }

/** Routes that a pattern of an intent may meet. */
export const maximumRoutesOfPattern = 1_000

/** Rule 3 for all channels of a pattern at once. */
export const selectPatternRoutes = (
  directory: Directory,
  principal: Pick<Principal, 'labels'>,
  pattern: ChannelPattern,
): PatternRoutes => {
  const taken: RoutePart[] = []
  const takenIndex = createChannelTrie()
  const meeting = indicesMeeting(directory.routeIndex, pattern, maximumRoutesOfPattern)
  if (meeting.length > maximumRoutesOfPattern) return { outcome: 'wide' }
  for (const index of meeting) {
    const route = directory.routes[index]
    if (route === undefined) continue
    if (!hasLabels(principal.labels, route.when)) continue
    const both = intersectPatterns(route.channel, pattern)
    if (both === undefined) continue
    const earlier = indicesMeeting(takenIndex, both).flatMap((at) => taken[at] ?? [])
    if (earlier.some((part) => containsPattern(part.both, both))) continue
    // what leads to no topic takes nothing from anybody that comes before it
    if (route.topic !== noTopic && earlier.length > 0) return { outcome: 'split' }
    addPattern(takenIndex, both, taken.length)
    taken.push({ route, both })
  }
  return { outcome: 'routed', parts: taken.filter(({ route }) => route.topic !== noTopic) }
}

/** Rule 2 for all channels of a pattern at once: one grant must contain it. */
export const selectPatternGrant = (
  directory: Directory,
  principal: Pick<Principal, 'name' | 'labels'>,
  action: Action,
  pattern: ChannelPattern,
  now: Date,
  accepts: (grant: Grant) => boolean = () => true,
): Grant | undefined =>
  heldBy(directory, principal)
    .flatMap((held) => indicesMeeting(held[action], pattern))
    .sort((a, b) => a - b)
    .flatMap((index) => directory.grants[index] ?? [])
    .find(
      (grant) =>
        !isExpired(grant, now) && accepts(grant) && grant[action].some((granted) => containsPattern(granted, pattern)),
    )
