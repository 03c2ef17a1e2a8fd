import { type Channel, type ChannelPattern, containsPattern, intersectPatterns, literalChannel } from './channel.ts'
import { addPattern, type ChannelTrie, createChannelTrie, indicesMeeting } from './channel-trie.ts'
import { type Directory, isMetEarlier, routePosition, selectRoute } from './directory.ts'
import { type Action, type Grant, isExpired, isHeldBy } from './grant.ts'
import { type FoundTopic, labelsOfTags, ownerOfTags, type Snapshot } from './inventory.ts'
import { hasLabels } from './principal.ts'
import type { Route } from './route.ts'
import { channelOfTopic, noTopic, unusedCaptures } from './topic.ts'

/*
 * What there is, who may use it and who does: routes x inventory x grants x leases. Rows are made one cluster at a time and
 * one after the other, so whoever asks holds one snapshot, however many clusters there are.
 */

/** What the leases of a principal said that it does: one for each of its channels or patterns. */
export type Use = {
  readonly principal: string
  readonly labels: Readonly<Record<string, string>>
  readonly action: Action
  readonly channels: ChannelPattern
  /** Where it led, by the policy's names. */
  readonly clusters: readonly string[]
  /** The end of the latest lease that said it; in the future while one is held. */
  readonly until: Date
}

export type CatalogCluster = {
  readonly snapshot: Snapshot
  /** What the policy calls it; undefined: the policy does not know it. */
  readonly policyName: string | undefined
}

/** A topic, and the channel that leads there; a topic that no route reaches is a row too, without a channel. */
export type CatalogRow = {
  readonly channel: string | undefined
  readonly topic: string
  /** As the policy calls it, else as its provider does. */
  readonly cluster: string
  readonly source: string
  readonly id: string
  readonly partitions: number
  readonly replication: number
  /** Of the topic's records, by the default naming of schema registries. */
  readonly subjects: readonly string[]
  readonly owner: string | undefined
  readonly labels: Readonly<Record<string, string>>
  /** Whom unexpired grants name: principals, and labels as `team=payments`. */
  readonly mayProduce: readonly string[]
  readonly mayConsume: readonly string[]
  /** Who said in a lease of the last 30 days that they do. */
  readonly producers: readonly string[]
  readonly consumers: readonly string[]
  /** Why it counts as unused. */
  readonly unused: 'no-route' | 'no-lease' | undefined
}

export type CatalogQuery = {
  /** Each must be in the channel, the topic, the cluster, the owner or a subject, in whatever case. */
  readonly words?: readonly string[]
  readonly owner?: string | undefined
  readonly labels?: Readonly<Record<string, string>>
  /** As the policy or the provider calls it, or its id. */
  readonly cluster?: string | undefined
  /** Only what nobody uses. */
  readonly unused?: boolean
}

export type UnusedRoute = {
  /** Where in the policy it stands. */
  readonly position: number
  readonly channel: string
  readonly cluster: string
  /** undefined: no lease is known that ever led there */
  readonly lastLease: Date | undefined
}

/** A grant of which no lease is known that used it. */
export type UnusedGrant = { readonly index: number; readonly principals: readonly string[]; readonly expired: boolean }

export type Catalog = {
  readonly rowsOf: (cluster: CatalogCluster, query?: CatalogQuery) => Iterable<CatalogRow>
  /** Routes that lead to a topic and that no lease of the last 30 days took. */
  readonly unusedRoutes: () => readonly UnusedRoute[]
  readonly unusedGrants: () => readonly UnusedGrant[]
}

export type CatalogDeps = {
  readonly directory: Directory
  readonly uses: Iterable<Use>
  readonly now: Date
}

/** What had no lease for so long is unused. */
export const unusedAfterDays = 30
const dayMs = 86_400_000

const holdersOf = ({ principals, labels }: Grant): readonly string[] =>
  principals ??
  (labels === undefined
    ? []
    : [
        Object.entries(labels)
          .map(([name, value]) => `${name}=${value}`)
          .sort()
          .join(','),
      ])

/** Routes by the topics they can lead to: whole names, else the text before the first `.`, else all that is left. */
type TopicIndex = {
  readonly whole: Map<string, Route[]>
  readonly byStart: Map<string, Route[]>
  readonly others: Route[]
}

const addTo = <K, V>(map: Map<K, V[]>, key: K, value: V): void => {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

const indexTopics = (routes: readonly Route[]): ReadonlyMap<string, TopicIndex> => {
  const clusters = new Map<string, TopicIndex>()
  for (const route of routes) {
    if (route.topic === noTopic) continue
    const index: TopicIndex = clusters.get(route.cluster) ?? { whole: new Map(), byStart: new Map(), others: [] }
    clusters.set(route.cluster, index)
    const { tokens } = route.topic
    const [first] = tokens
    if (tokens.every((token) => token.kind === 'text'))
      addTo(index.whole, tokens.map((token) => ('text' in token ? token.text : '')).join('.'), route)
    else if (first?.kind === 'text') addTo(index.byStart, first.text, route)
    else index.others.push(route)
  }
  return clusters
}

const none: readonly Route[] = []

const routesTo = (index: TopicIndex | undefined, topic: string): readonly Route[] => {
  if (index === undefined) return none
  const dot = topic.indexOf('.')
  const whole = index.whole.get(topic) ?? none
  const started = index.byStart.get(dot < 0 ? topic : topic.slice(0, dot)) ?? none
  // nearly always one kind alone, and there is one look for each of 100,000 topics
  if (whole.length + started.length === 0) return index.others
  return started.length + index.others.length === 0 ? whole : [...whole, ...started, ...index.others]
}

const patternOf = ({ name, domain, segments }: Channel): ChannelPattern => ({
  text: name,
  domain,
  segments: segments.map((text) => ({ kind: 'literal', text })),
})

const sortedNames = (names: readonly string[]): readonly string[] =>
  names.length < 2 ? names : [...new Set(names)].sort()

type SubjectIndex = ReadonlyMap<string, readonly string[]>

/** `<topic>-key` and `<topic>-value`, as serializers name them when nobody says otherwise; of a context as well. */
const subjectsByTopic = ({ parts }: Snapshot): SubjectIndex => {
  const index = new Map<string, string[]>()
  for (const { subjects } of parts.registries ?? [])
    for (const { name } of subjects) {
      const topic = /^(?::[^:]*:)?(.+)-(?:key|value)$/.exec(name)?.[1]
      if (topic !== undefined) addTo(index, topic, name)
    }
  return index
}

type Words = {
  /** Whether each word is in one of the texts. */
  readonly areIn: (texts: readonly (string | undefined)[]) => boolean
  /**
   * Whether they can be in a row of this topic before its channel is known: that has no piece that is neither in the topic
   * nor in the pattern of its route. It spares nearly all the work for nearly all topics.
   */
  readonly canBeIn: (topic: string, others: string, routes: readonly Route[]) => boolean
}

const parseWords = (given: readonly string[] = []): Words => {
  const words = given.map((word) => word.toLowerCase())
  const inSegments = words.filter((word) => !/[/:]/.test(word))
  return {
    areIn: (texts) => {
      if (words.length === 0) return true
      const text = texts
        .filter((each) => each !== undefined)
        .join('\n')
        .toLowerCase()
      return words.every((word) => text.includes(word))
    },
    canBeIn: (topic, others, routes) => {
      const text = topic.toLowerCase()
      return inSegments.every(
        (word) =>
          text.includes(word) ||
          others.includes(word) ||
          routes.some(({ channel }) => channel.text.toLowerCase().includes(word)),
      )
    },
  }
}

const createUses = (given: Iterable<Use>) => {
  const uses = [...given]
  const tries: Readonly<Record<Action, ChannelTrie>> = { produce: createChannelTrie(), consume: createChannelTrie() }
  for (const [index, { action, channels }] of uses.entries()) addPattern(tries[action], channels, index)
  return (action: Action, pattern: ChannelPattern): readonly Use[] =>
    indicesMeeting(tries[action], pattern).flatMap((index) => uses[index] ?? [])
}

const createHolders = ({ grants }: Directory, now: Date) => {
  const tries: Readonly<Record<Action, ChannelTrie>> = { produce: createChannelTrie(), consume: createChannelTrie() }
  const names = grants.map(holdersOf)
  for (const [index, grant] of grants.entries())
    if (!isExpired(grant, now))
      for (const action of ['produce', 'consume'] as const)
        for (const pattern of grant[action]) addPattern(tries[action], pattern, index)
  return (action: Action, pattern: ChannelPattern): readonly string[] =>
    sortedNames(indicesMeeting(tries[action], pattern).flatMap((index) => names[index] ?? []))
}

export const createCatalog = ({ directory, uses: given, now }: CatalogDeps): Catalog => {
  const actions = ['produce', 'consume'] as const
  const usesOf = createUses(given)
  const holders = createHolders(directory, now)
  const topics = indexTopics(directory.routes)
  const recent = new Date(now.getTime() - unusedAfterDays * dayMs)

  /** Leases that these channels of a route lead on. An earlier route may have taken all that one of them asked for. */
  const usesOfRoute = (action: Action, route: Route, channels: ChannelPattern): readonly Use[] => {
    const channel = literalChannel(channels)
    const leads = (use: Use): boolean => {
      if (channel !== undefined) return selectRoute(directory, use, channel) === route
      const both = intersectPatterns(use.channels, channels)
      const takes = (earlier: Route): boolean => both !== undefined && containsPattern(earlier.channel, both)
      return (
        both !== undefined && hasLabels(use.labels, route.when) && !isMetEarlier(directory, use, route, both, takes)
      )
    }
    return usesOf(action, channels).filter((use) => use.clusters.includes(route.cluster) && leads(use))
  }

  /** The channels of a route that lead to a topic; undefined: none does, or an earlier route takes it. */
  const channelsOf = (route: Route, topic: string): ChannelPattern | undefined => {
    const isShared = unusedCaptures(route.topic, route.channel).length > 0
    const channel = channelOfTopic(route.topic, route.channel, topic, isShared ? route.channel : undefined)
    if (channel === undefined) return undefined
    // somebody with just the labels that the route asks for gets there
    if (selectRoute(directory, { labels: route.when }, channel) !== route) return undefined
    return isShared ? route.channel : patternOf(channel)
  }

  return {
    rowsOf: function* ({ snapshot, policyName }, query = {}) {
      const { cluster: found, source, id, parts } = snapshot
      const cluster = policyName ?? found.name
      if (query.cluster !== undefined && ![cluster, found.name, id].includes(query.cluster)) return
      const owner = ownerOfTags(found.tags)
      if (query.owner !== undefined && owner !== query.owner) return
      const labels = labelsOfTags(found.tags)
      if (query.labels !== undefined && !hasLabels(labels, query.labels)) return
      const words = parseWords(query.words)
      const ofCluster = [cluster, found.name, owner].join('\n').toLowerCase()
      const subjectIndex = subjectsByTopic(snapshot)
      const index = policyName === undefined ? undefined : topics.get(policyName)

      const rowOf = (
        { name: topic, partitions, replication }: FoundTopic,
        route: Route | undefined,
        channels: ChannelPattern | undefined,
      ): CatalogRow | undefined => {
        const subjects = subjectIndex.get(topic) ?? []
        if (!words.areIn([channels?.text, topic, ofCluster, ...subjects])) return undefined
        const fixed = {
          channel: channels?.text,
          topic,
          cluster,
          source,
          id,
          partitions,
          replication,
          subjects,
          owner,
          labels,
        }
        if (route === undefined || channels === undefined) {
          return { ...fixed, mayProduce: [], mayConsume: [], producers: [], consumers: [], unused: 'no-route' }
        }
        const who = (action: Action): readonly string[] =>
          sortedNames(
            usesOfRoute(action, route, channels).flatMap(({ until, principal }) => (until > recent ? [principal] : [])),
          )
        const [producers, consumers] = [who('produce'), who('consume')]
        const unused = producers.length + consumers.length === 0 ? 'no-lease' : undefined
        if (query.unused === true && unused === undefined) return undefined
        return {
          ...fixed,
          mayProduce: holders('produce', channels),
          mayConsume: holders('consume', channels),
          producers,
          consumers,
          unused,
        }
      }

      for (const topic of parts.topics ?? []) {
        const routes = routesTo(index, topic.name)
        if (!words.canBeIn(topic.name, ofCluster, routes)) continue
        let isReached = false
        for (const route of routes) {
          const channels = channelsOf(route, topic.name)
          if (channels === undefined) continue
          isReached = true
          const row = rowOf(topic, route, channels)
          if (row !== undefined) yield row
        }
        const row = isReached ? undefined : rowOf(topic, undefined, undefined)
        if (row !== undefined) yield row
      }
    },

    unusedRoutes: () =>
      directory.routes.flatMap((route) => {
        if (route.topic === noTopic) return []
        const taken = actions.flatMap((action) => usesOfRoute(action, route, route.channel))
        const lastLease = taken.reduce<Date | undefined>(
          (last, { until }) => (last === undefined || until > last ? until : last),
          undefined,
        )
        if (lastLease !== undefined && lastLease > recent) return []
        const position = routePosition(directory, route)
        return [{ position, channel: route.channel.text, cluster: route.cluster, lastLease }]
      }),

    unusedGrants: () =>
      directory.grants.flatMap((grant) => {
        // a grant must hold all that an intent names, as rule 2 says
        const isUsed = actions.some((action) =>
          grant[action].some((granted) =>
            usesOf(action, granted).some(
              ({ principal, labels, channels }) =>
                isHeldBy(grant, { name: principal, labels }) && containsPattern(granted, channels),
            ),
          ),
        )
        return isUsed ? [] : [{ index: grant.index, principals: holdersOf(grant), expired: isExpired(grant, now) }]
      }),
  }
}
