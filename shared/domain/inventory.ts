import { canonicalJson } from './canonical-json.ts'

/*
 * What a crawl found: facts about clusters, never what is desired. A snapshot is one cluster at one moment and holds
 * nothing that changes by itself (no times of a look, no states of consumers), so that two looks at an unchanged cluster
 * are equal byte for byte.
 */

export type SourceProvider = 'msk' | 'confluent' | 'kafka'

export type ListenerSecurity = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'

/** One address under which a cluster answers. */
export type FoundListener = {
  /** The provider's own name of it (`BootstrapBrokerStringSaslIam`, an access point id, a listener's name); never its port. */
  readonly field: string
  /** From where it is reachable: `vpc`, `vpc-ipv6`, `private-link`, `public`, or what the policy calls it. */
  readonly network?: string | undefined
  /** `host:port` joined by `,` */
  readonly bootstrap: string
  readonly security: ListenerSecurity
  /** As Kafka spells them: `SCRAM-SHA-512`, `OAUTHBEARER`, `PLAIN`, and `AWS_MSK_IAM`. Empty: no SASL. */
  readonly mechanisms: readonly string[]
}

/** What the provider says of a cluster as a whole. */
export type FoundCluster = {
  readonly name: string
  readonly provider: SourceProvider
  /** AWS account of MSK, organization of Confluent. */
  readonly account?: string | undefined
  readonly region?: string | undefined
  /** Of Confluent: `env-...` */
  readonly environment?: string | undefined
  /** As the provider spells it, such as `ACTIVE`. */
  readonly state?: string | undefined
  /** As the provider spells it, such as `PROVISIONED`, `SERVERLESS`, `DEDICATED`. */
  readonly kind?: string | undefined
  /** Of Kafka, such as `3.8.x`. */
  readonly version?: string | undefined
  /** The schemes that clients may log in with, as the provider spells them. */
  readonly auth: readonly string[]
  readonly listeners: readonly FoundListener[]
  /** As they are found, whatever characters they have; `labelsOfTags` makes labels of them. */
  readonly tags: Readonly<Record<string, string>>
}

export type FoundBroker = {
  readonly id: number
  /** `host` or `host:port` */
  readonly endpoints: readonly string[]
  /** Rack or availability zone. */
  readonly rack?: string | undefined
}

export type FoundTopic = {
  readonly name: string
  readonly partitions: number
  readonly replication: number
  readonly minInsync?: number | undefined
  /** Those that are not the cluster's default; undefined: nobody could say. */
  readonly configs?: Readonly<Record<string, string>> | undefined
}

export type FoundGroup = { readonly name: string; readonly type?: string | undefined }

/** Who can log in with SCRAM. Never a salt, never a password. */
export type FoundUser = {
  /** Undefined where only the secret is known, as on MSK. */
  readonly name?: string | undefined
  readonly mechanism: string
  /** ARN of the associated secret, on MSK. */
  readonly secret?: string | undefined
}

/** In Kafka's own words, upper case. */
export type FoundAcl = {
  readonly principal: string
  readonly host: string
  readonly permission: 'ALLOW' | 'DENY'
  readonly operation: string
  readonly resource: string
  readonly pattern: 'LITERAL' | 'PREFIXED'
  readonly name: string
}

export type FoundSubject = {
  readonly name: string
  /** The latest one. */
  readonly version?: number | undefined
  /** `AVRO`, `JSON`, `PROTOBUF` */
  readonly type?: string | undefined
}

export type FoundRegistry = { readonly id: string; readonly url: string; readonly subjects: readonly FoundSubject[] }

/** Everything a cluster consists of besides the cluster itself. */
export type Parts = {
  readonly brokers: readonly FoundBroker[]
  readonly topics: readonly FoundTopic[]
  readonly groups: readonly FoundGroup[]
  readonly users: readonly FoundUser[]
  readonly acls: readonly FoundAcl[]
  readonly registries: readonly FoundRegistry[]
}
export type PartName = keyof Parts

/** A closed set, so that a failure can be counted, shown and compared. */
export const failureCodes = [
  /** The credentials are wrong or may not do it. */
  'denied',
  /** The provider said too often to come later. */
  'throttled',
  /** No answer, or one that another try may change. */
  'unavailable',
  /** An answer that is not one of this API. */
  'malformed',
  /** It is not there any more. */
  'gone',
  /** This cluster, or this version, cannot say it. */
  'unsupported',
  /** A paging token that came before, or pages without end. */
  'looped',
  /** More than a worker can hold. */
  'too_large',
  /** So much of what was there is not that somebody has to say that it is meant. */
  'dropped',
  /** What it needs is not configured. */
  'not_configured',
  'unexpected',
] as const
export type FailureCode = (typeof failureCodes)[number]

/** `detail` is for operators: it names what was asked and never holds a secret. */
export type CrawlFailure = { readonly code: FailureCode; readonly detail: string }

/** A cluster, wherever it was found: the configured source that knows it and the id it has there. */
export type ClusterKey = { readonly source: string; readonly id: string }

/** What has a name of its own and can come and go. */
export type FactKind = 'listener' | 'broker' | 'topic' | 'group' | 'user' | 'acl' | 'subject'

/** Something that was there until a crawl did not find it any more. */
export type Tombstone = { readonly kind: FactKind; readonly name: string; readonly vanishedAt: string }

/** All facts about one cluster. */
export type Snapshot = ClusterKey & {
  readonly cluster: FoundCluster
  /** A part that was never seen is not there. */
  readonly parts: Partial<Parts>
  readonly tombstones: readonly Tombstone[]
}

/** What one look at a cluster saw. A part that is in neither of the two was not looked at and keeps its last facts too. */
export type Observation = {
  readonly cluster: FoundCluster
  readonly parts: Partial<Parts>
  readonly unknown: Unknown
}

export type Unknown = Readonly<Partial<Record<PartName, CrawlFailure>>>

export type Change = {
  readonly change: 'added' | 'removed' | 'changed'
  readonly kind: FactKind
  readonly name: string
}

export type Comparison = {
  readonly snapshot: Snapshot
  readonly changes: readonly Change[]
  /** Of the cluster as a whole, by the name of the member, such as `version`. */
  readonly clusterChanges: readonly string[]
}

/**
 * What a control plane said, and of what it could not say what the brokers themselves did.
 * @param rest a failure: they could not be asked
 */
export const completeObservation = (first: Observation, rest: Observation | CrawlFailure): Observation => {
  const parts = 'code' in rest ? first.parts : { ...rest.parts, ...first.parts }
  const why = (part: PartName): CrawlFailure | undefined =>
    ('code' in rest ? rest : rest.unknown[part]) ?? first.unknown[part]
  return {
    cluster: first.cluster,
    parts,
    unknown: Object.fromEntries(
      partNames.flatMap((part) => {
        const failure = parts[part] === undefined ? why(part) : undefined
        return failure === undefined ? [] : [[part, failure]]
      }),
    ),
  }
}

/** For how long it is known that something was there. */
export const tombstoneDays = 30
/** Names that come and go by the thousand, such as those of console consumers, must not make a snapshot grow for ever. */
export const maximumTombstones = 5_000
const dayMs = 86_400_000

const partNames = ['brokers', 'topics', 'groups', 'users', 'acls', 'registries'] as const satisfies readonly PartName[]

const userKey = ({ name, mechanism, secret }: FoundUser): string => `${name ?? secret ?? ''} ${mechanism}`

/** As Kafka's own tools show it. */
const aclKey = ({ principal, permission, operation, resource, pattern, name, host }: FoundAcl): string =>
  `${principal} ${permission} ${operation} ${resource}:${pattern}:${name} from ${host}`

const inOrder = <T>(list: readonly T[], keyOf: (entry: T) => string): readonly T[] => {
  // the same one twice, because a page moved while the next one was read: the later one counts
  const entries = [...new Map(list.map((entry) => [keyOf(entry), entry]))]
  return entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, entry]) => entry)
}

const sorted = (list: readonly string[]): readonly string[] => [...new Set(list)].sort()

const inOrderOf: { readonly [Name in PartName]: (found: Parts[Name]) => Parts[Name] } = {
  brokers: (found) =>
    [...new Map(found.map((broker) => [broker.id, { ...broker, endpoints: sorted(broker.endpoints) }])).values()].sort(
      (a, b) => a.id - b.id,
    ),
  topics: (found) => inOrder(found, ({ name }) => name),
  groups: (found) => inOrder(found, ({ name }) => name),
  users: (found) => inOrder(found, userKey),
  acls: (found) => inOrder(found, aclKey),
  registries: (found) =>
    // its subjects come in pages, each with the registry around it
    [...Map.groupBy(found, ({ id }) => id)]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([id, pages]) => ({
        id,
        url: pages[0]?.url ?? '',
        subjects: inOrder(
          pages.flatMap(({ subjects }) => subjects),
          ({ name }) => name,
        ),
      })),
}

const clusterInOrder = (cluster: FoundCluster): FoundCluster => ({
  ...cluster,
  auth: sorted(cluster.auth),
  listeners: inOrder(
    cluster.listeners.map((listener) => ({
      ...listener,
      // providers name brokers in an order that means nothing
      bootstrap: sorted(listener.bootstrap.split(',')).join(','),
      mechanisms: sorted(listener.mechanisms),
    })),
    ({ field }) => field,
  ),
})

/** A topic's configs may be all that could not be read; those of the last time stay, as a whole part's facts do. */
const topicsAfter = (found: readonly FoundTopic[], last: readonly FoundTopic[]): readonly FoundTopic[] => {
  const before = new Map(last.map((topic) => [topic.name, topic]))
  return found.map((topic) => {
    const was = before.get(topic.name)
    if (topic.configs !== undefined || was?.configs === undefined) return topic
    return { ...topic, configs: was.configs, minInsync: topic.minInsync ?? was.minInsync }
  })
}

type Facts = { readonly [Kind in FactKind]: ReadonlyMap<string, unknown> | undefined }

const byName = <T>(list: readonly T[] | undefined, keyOf: (entry: T) => string): ReadonlyMap<string, T> | undefined =>
  list && new Map(list.map((entry) => [keyOf(entry), entry]))

const factsOf = ({ cluster, parts }: Pick<Snapshot, 'cluster' | 'parts'>): Facts => ({
  listener: byName(cluster.listeners, ({ field }) => field),
  broker: byName(parts.brokers, ({ id }) => String(id)),
  topic: byName(parts.topics, ({ name }) => name),
  group: byName(parts.groups, ({ name }) => name),
  user: byName(parts.users, userKey),
  acl: byName(parts.acls, aclKey),
  subject: byName(
    parts.registries?.flatMap(({ id, subjects }) => subjects.map((subject) => ({ ...subject, registry: id }))),
    ({ registry, name }) => `${registry}/${name}`,
  ),
})

const factKinds = [
  'listener',
  'broker',
  'topic',
  'group',
  'user',
  'acl',
  'subject',
] as const satisfies readonly FactKind[]

const changesOf = (before: Facts, after: Facts): readonly Change[] =>
  factKinds.flatMap((kind) => {
    const changes: Change[] = []
    const was = before[kind] ?? new Map()
    const is = after[kind] ?? new Map()
    for (const [name, fact] of is)
      if (!was.has(name)) changes.push({ change: 'added', kind, name })
      else if (canonicalJson(was.get(name)) !== canonicalJson(fact)) changes.push({ change: 'changed', kind, name })
    for (const name of was.keys()) if (!is.has(name)) changes.push({ change: 'removed', kind, name })
    return changes
  })

const tombstonesAfter = (
  last: readonly Tombstone[],
  removed: readonly Change[],
  after: Facts,
  now: Date,
): readonly Tombstone[] => {
  const oldest = new Date(now.getTime() - tombstoneDays * dayMs).toISOString()
  const vanishedAt = now.toISOString()
  return [...last, ...removed.map(({ kind, name }) => ({ kind, name, vanishedAt }))]
    .filter((tombstone) => tombstone.vanishedAt >= oldest && after[tombstone.kind]?.has(tombstone.name) !== true)
    .sort((a, b) => {
      if (a.vanishedAt !== b.vanishedAt) return a.vanishedAt < b.vanishedAt ? 1 : -1
      return `${a.kind} ${a.name}` < `${b.kind} ${b.name}` ? -1 : 1
    })
    .slice(0, maximumTombstones)
}

/**
 * What is known after a look, and what it changed. Two looks that saw the same have equal snapshots, in whatever order and
 * pages they saw it; what could not be looked at stays as it was.
 */
export const compare = (
  { source, id }: ClusterKey,
  last: Snapshot | undefined,
  observation: Observation,
  now: Date,
): Comparison => {
  const cluster = clusterInOrder(observation.cluster)
  const parts: { -readonly [Name in PartName]?: Parts[Name] } = {}
  const keep = <Name extends PartName>(name: Name): void => {
    const found = observation.unknown[name] === undefined ? observation.parts[name] : undefined
    const kept: Parts[Name] | undefined = found === undefined ? last?.parts[name] : inOrderOf[name](found)
    if (kept !== undefined) parts[name] = kept
  }
  partNames.forEach(keep)
  if (parts.topics !== undefined) parts.topics = topicsAfter(parts.topics, last?.parts.topics ?? [])

  const after = factsOf({ cluster, parts })
  const nothing = { cluster: { ...cluster, listeners: [] }, parts: {} }
  const changes = changesOf(factsOf(last ?? nothing), after)
  const removed = changes.filter(({ change }) => change === 'removed')
  const members = ['name', 'state', 'kind', 'version', 'auth', 'tags', 'account', 'region', 'environment'] as const
  return {
    snapshot: { source, id, cluster, parts, tombstones: tombstonesAfter(last?.tombstones ?? [], removed, after, now) },
    changes,
    clusterChanges:
      last === undefined
        ? []
        : members.filter(
            (member) => canonicalJson(last.cluster[member] ?? null) !== canonicalJson(cluster[member] ?? null),
          ),
  }
}

/** How much there is, so that nobody has to read a snapshot to say it. */
export type Counts = {
  readonly listeners: number
  readonly brokers: number
  readonly topics: number
  readonly partitions: number
  readonly groups: number
  readonly subjects: number
}

const countsOf = ({ cluster, parts }: Snapshot): Counts => ({
  listeners: cluster.listeners.length,
  brokers: parts.brokers?.length ?? 0,
  topics: parts.topics?.length ?? 0,
  partitions: parts.topics?.reduce((sum, { partitions }) => sum + partitions, 0) ?? 0,
  groups: parts.groups?.length ?? 0,
  subjects: parts.registries?.reduce((sum, { subjects }) => sum + subjects.length, 0) ?? 0,
})

/** A failure, and since when there was no success. */
export type Failing = CrawlFailure & { readonly since: Date }

/** The small thing that is written at every look: what is known of a cluster, how old it is and what stands in the way. */
export type InventoryEntry = ClusterKey & {
  /** Undefined: nobody ever saw it. */
  readonly name: string | undefined
  readonly provider: SourceProvider | undefined
  readonly account: string | undefined
  readonly region: string | undefined
  readonly environment: string | undefined
  readonly state: string | undefined
  /** Of Kafka. */
  readonly version: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly owner: string | undefined
  /** Content address of the facts; undefined as long as no look succeeded. */
  readonly snapshot: string | undefined
  readonly counts: Counts | undefined
  /** The first look, the last that succeeded and the last that found other facts. */
  readonly firstLookAt: Date
  readonly seenAt: Date | undefined
  readonly changedAt: Date | undefined
  /** The last look failed; the facts are those of `seenAt`. */
  readonly failing: Failing | undefined
  /** Parts whose facts are older than `seenAt`. */
  readonly unknown: Readonly<Partial<Record<PartName, Failing>>>
  /** Its control plane does not know it any more. */
  readonly vanishedAt: Date | undefined
  /** Clients are not told what the last looks found, because so many listeners were not there any more. */
  readonly withheld: Withheld | undefined
}

/** Listeners that are gone, and since when; somebody has to say that it is meant. */
export type Withheld = { readonly listeners: readonly string[]; readonly since: Date }

const firstEntry = ({ source, id }: ClusterKey, now: Date): InventoryEntry => ({
  source,
  id,
  name: undefined,
  provider: undefined,
  account: undefined,
  region: undefined,
  environment: undefined,
  state: undefined,
  version: undefined,
  labels: {},
  owner: undefined,
  snapshot: undefined,
  counts: undefined,
  firstLookAt: now,
  seenAt: undefined,
  changedAt: undefined,
  failing: undefined,
  unknown: {},
  vanishedAt: undefined,
  withheld: undefined,
})

/**
 * @param withheld listeners without which clients are not told of the others either
 * @param address content address of the snapshot
 */
export const entryAfterLook = (
  last: InventoryEntry | undefined,
  snapshot: Snapshot,
  address: string,
  unknown: Unknown,
  withheld: readonly string[] | undefined,
  now: Date,
): InventoryEntry => {
  const { name, provider, account, region, environment, state, version, tags } = snapshot.cluster
  return {
    ...(last ?? firstEntry(snapshot, now)),
    name,
    provider,
    account,
    region,
    environment,
    state,
    version,
    labels: labelsOfTags(tags),
    owner: ownerOfTags(tags),
    snapshot: address,
    counts: countsOf(snapshot),
    seenAt: now,
    changedAt: last?.snapshot === address ? last.changedAt : now,
    failing: undefined,
    unknown: Object.fromEntries(
      partNames.flatMap((part) => {
        const failure = unknown[part]
        return failure === undefined ? [] : [[part, { ...failure, since: last?.unknown[part]?.since ?? now }]]
      }),
    ),
    vanishedAt: undefined,
    withheld: withheld && { listeners: withheld, since: last?.withheld?.since ?? now },
  }
}

/** The facts stay. `name`: what the listing called it, for one that nobody ever saw. */
export const entryAfterFailure = (
  key: ClusterKey,
  last: InventoryEntry | undefined,
  failure: CrawlFailure,
  now: Date,
  name?: string,
): InventoryEntry => {
  const entry = last ?? firstEntry(key, now)
  return { ...entry, name: entry.name ?? name, failing: { ...failure, since: last?.failing?.since ?? now } }
}

/** The facts stay, for as long as tombstones do. */
export const entryAfterVanishing = (last: InventoryEntry, now: Date): InventoryEntry => ({
  ...last,
  failing: undefined,
  vanishedAt: last.vanishedAt ?? now,
})

/** Share of the clusters of a source that one listing may be without. */
export const maximumVanishing = 0.5

/** So much would vanish at once that it is more likely a mistake, such as a role that sees less, than somebody's decision. */
export const isTooMuchToVanish = (vanishing: number, known: number): boolean => vanishing > maximumVanishing * known

/** A cluster that vanished so long ago that nobody needs to know. */
export const isForgotten = ({ vanishedAt }: Pick<InventoryEntry, 'vanishedAt'>, now: Date): boolean =>
  vanishedAt !== undefined && now.getTime() - vanishedAt.getTime() > tombstoneDays * dayMs

/** How the last listing of a source went. */
export type SourceEntry = {
  readonly source: string
  /** Whatever came of it. */
  readonly triedAt: Date | undefined
  readonly listedAt: Date | undefined
  readonly clusters: number | undefined
  readonly failing: Failing | undefined
  /** Ids that start so could not be listed. */
  readonly unlisted: readonly (Failing & { readonly prefix: string })[]
}

export const sourceAfterListing = (
  last: SourceEntry | undefined,
  source: string,
  clusters: number,
  unlisted: readonly (CrawlFailure & { readonly prefix: string })[],
  now: Date,
): SourceEntry => ({
  source,
  triedAt: now,
  listedAt: now,
  clusters,
  failing: undefined,
  unlisted: unlisted.map((each) => ({
    ...each,
    since: last?.unlisted.find(({ prefix }) => prefix === each.prefix)?.since ?? now,
  })),
})

export const sourceAfterFailure = (
  last: SourceEntry | undefined,
  source: string,
  failure: CrawlFailure,
  now: Date,
): SourceEntry => ({
  source,
  triedAt: now,
  listedAt: last?.listedAt,
  clusters: last?.clusters,
  failing: { ...failure, since: last?.failing?.since ?? now },
  unlisted: last?.unlisted ?? [],
})

/** As the policy's schema has label names and values. */
const labelName = /^[A-Za-z][A-Za-z0-9._/-]{0,62}$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
const labelValue = /^[^\u0000-\u001f\u007f]{1,512}$/

/** Tags that can be labels, as they are. One that cannot is left out: changed, it could be taken for another. */
export const labelsOfTags = (tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(tags).filter(([name, value]) => labelName.test(name) && labelValue.test(value)))

const ownerTags = ['owner', 'team']

/** The tag `owner`, else `team`, in whatever case; of several the first by name. */
export const ownerOfTags = (tags: Readonly<Record<string, string>>): string | undefined => {
  const names = Object.keys(tags).sort()
  for (const wanted of ownerTags) {
    const name = names.find((each) => each.toLowerCase() === wanted && tags[each] !== '')
    if (name !== undefined) return tags[name]
  }
  return undefined
}
