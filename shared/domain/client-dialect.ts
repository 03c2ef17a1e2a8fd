import type { ClientFamily } from './intent.ts'
import { assignorOf, type ClientRole, type Properties, type PropertyValue } from './profile.ts'

/*
 * Names, units and values differ between Kafka's Java client and librdkafka. A librdkafka client refuses to start over a
 * single name or value that it does not know, so what it does not have is left out. The tables are those of Kafka 4.3 and
 * librdkafka 2.16, and a test holds them against the clients' own definitions. What decides who a client is, where it
 * connects and which code it loads is in no table: see `propertyProblem`.
 */

const words = (text: string): readonly string[] => text.trim().split(/\s+/)

const javaBoth = words(`client.dns.lookup connections.max.idle.ms enable.metrics.push metadata.max.age.ms
  metadata.recovery.rebootstrap.trigger.ms metadata.recovery.strategy metrics.num.samples metrics.recording.level
  metrics.sample.window.ms receive.buffer.bytes reconnect.backoff.max.ms reconnect.backoff.ms request.timeout.ms
  retry.backoff.max.ms retry.backoff.ms send.buffer.bytes socket.connection.setup.timeout.max.ms
  socket.connection.setup.timeout.ms`)

const javaNames: Readonly<Record<ClientRole, ReadonlySet<string>>> = {
  producer: new Set([
    ...javaBoth,
    ...words(`acks batch.size buffer.memory compression.gzip.level compression.lz4.level compression.type
      compression.zstd.level delivery.timeout.ms enable.idempotence linger.ms max.block.ms
      max.in.flight.requests.per.connection max.request.size metadata.max.idle.ms
      partitioner.adaptive.partitioning.enable partitioner.availability.timeout.ms partitioner.ignore.keys retries
      transaction.timeout.ms transaction.two.phase.commit.enable`),
  ]),
  consumer: new Set([
    ...javaBoth,
    ...words(`allow.auto.create.topics auto.commit.interval.ms auto.offset.reset check.crcs client.rack
      default.api.timeout.ms enable.auto.commit exclude.internal.topics fetch.max.bytes fetch.max.wait.ms
      fetch.min.bytes group.protocol group.remote.assignor heartbeat.interval.ms isolation.level
      max.partition.fetch.bytes max.poll.interval.ms max.poll.records partition.assignment.strategy
      session.timeout.ms`),
  ]),
}

/** What a name takes: a whole number from and to, one of some words, a flag, or any text. */
type Domain = readonly [number, number] | readonly string[] | 'flag' | 'text'

const most = 2_147_483_647
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

const librdkafkaBoth: Readonly<Record<string, Domain>> = {
  'allow.auto.create.topics': 'flag',
  'broker.address.family': ['any', 'v4', 'v6'],
  'client.dns.lookup': ['use_all_dns_ips', 'resolve_canonical_bootstrap_servers_only'],
  'client.rack': 'text',
  'connections.max.idle.ms': [0, most],
  'enable.metrics.push': 'flag',
  'max.in.flight.requests.per.connection': [1, 1_000_000],
  'message.max.bytes': [1_000, 1_000_000_000],
  'metadata.max.age.ms': [1, 86_400_000],
  'metadata.recovery.rebootstrap.trigger.ms': [0, most],
  'metadata.recovery.strategy': ['none', 'rebootstrap'],
  'receive.message.max.bytes': [1_000, most],
  'reconnect.backoff.max.ms': [0, 3_600_000],
  'reconnect.backoff.ms': [0, 3_600_000],
  'retry.backoff.max.ms': [1, 300_000],
  'retry.backoff.ms': [1, 300_000],
  'socket.connection.setup.timeout.ms': [1_000, most],
  'socket.keepalive.enable': 'flag',
  'socket.max.fails': [0, 1_000_000],
  'socket.nagle.disable': 'flag',
  'socket.receive.buffer.bytes': [0, 100_000_000],
  'socket.send.buffer.bytes': [0, 100_000_000],
  'socket.timeout.ms': [10, 300_000],
  'statistics.interval.ms': [0, 86_400_000],
  'topic.metadata.refresh.interval.ms': [-1, 3_600_000],
}

const librdkafkaNames: Readonly<Record<ClientRole, Readonly<Record<string, Domain>>>> = {
  producer: {
    ...librdkafkaBoth,
    acks: ['all', '-1', '0', '1'],
    'batch.num.messages': [1, 1_000_000],
    'batch.size': [1, most],
    'compression.level': [-1, 12],
    'compression.type': codecs,
    'delivery.timeout.ms': [0, most],
    'enable.idempotence': 'flag',
    'linger.ms': [0, 900_000],
    partitioner: ['random', 'consistent', 'consistent_random', 'murmur2', 'murmur2_random', 'fnv1a', 'fnv1a_random'],
    'queue.buffering.max.kbytes': [1, most],
    'queue.buffering.max.messages': [0, most],
    'request.timeout.ms': [1, 900_000],
    retries: [0, most],
    'sticky.partitioning.linger.ms': [0, 900_000],
    'transaction.timeout.ms': [1_000, most],
  },
  consumer: {
    ...librdkafkaBoth,
    'auto.commit.interval.ms': [0, 86_400_000],
    'auto.offset.reset': ['smallest', 'earliest', 'beginning', 'largest', 'latest', 'end', 'error'],
    'check.crcs': 'flag',
    'enable.auto.commit': 'flag',
    'enable.auto.offset.store': 'flag',
    // it may be less, but not less than `message.max.bytes`
    'fetch.max.bytes': [1_000_000, 2_147_483_135],
    'fetch.min.bytes': [1, 100_000_000],
    'fetch.queue.backoff.ms': [0, 300_000],
    'fetch.wait.max.ms': [0, 300_000],
    'group.protocol': ['classic', 'consumer'],
    'group.remote.assignor': 'text',
    'heartbeat.interval.ms': [1, 3_600_000],
    'isolation.level': ['read_uncommitted', 'read_committed'],
    'max.partition.fetch.bytes': [1, 1_000_000_000],
    'max.poll.interval.ms': [1, 86_400_000],
    'partition.assignment.strategy': 'text',
    'queued.max.messages.kbytes': [1, 2_097_151],
    'queued.min.messages': [1, 10_000_000],
    'session.timeout.ms': [1, 3_600_000],
  },
}

/** The one table of what a family and role has, for tests and for the check of a policy. */
export const settingsOf = (role: ClientRole, family: ClientFamily): ReadonlySet<string> =>
  family === 'librdkafka' ? new Set(Object.keys(librdkafkaNames[role])) : javaNames[role]

/** A number out of the range becomes the nearest in it; what the client would refuse to start over is left out. */
const nearest = (value: PropertyValue, domain: Domain): PropertyValue | undefined => {
  if (domain === 'text') return value
  if (domain === 'flag') {
    const flag = String(value).toLowerCase()
    return flag === 'true' ? true : flag === 'false' ? false : undefined
  }
  const [from, to] = domain
  if (typeof from !== 'number' || typeof to !== 'number') {
    const word = String(value).toLowerCase()
    return (domain as readonly string[]).includes(word) ? word : undefined
  }
  const number = typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value)
  return Number.isFinite(number) && typeof value !== 'boolean'
    ? Math.min(to, Math.max(from, Math.trunc(number)))
    : undefined
}

const scaled = (value: PropertyValue, by: number): PropertyValue => {
  const number = Number(value)
  return typeof value === 'boolean' || !Number.isFinite(number) ? value : Math.floor(number / by)
}

/** Where Java's -1 leaves something to the system or never does it, librdkafka has 0. */
const zeroForLess = (value: PropertyValue): PropertyValue => (Number(value) < 0 ? 0 : value)

type Translate = (value: PropertyValue, all: Properties) => Readonly<Record<string, PropertyValue>>

const levelOf =
  (codec: string): Translate =>
  (value, all): Readonly<Record<string, PropertyValue>> =>
    all['compression.type'] === codec ? { 'compression.level': value } : {}

/** Java's settings that librdkafka calls, counts or values otherwise. */
const toLibrdkafka: Readonly<Record<string, Translate>> = {
  'buffer.memory': (value) => ({ 'queue.buffering.max.kbytes': scaled(value, 1024) }),
  'max.request.size': (value) => ({ 'message.max.bytes': value }),
  'compression.gzip.level': levelOf('gzip'),
  'compression.lz4.level': levelOf('lz4'),
  'compression.zstd.level': levelOf('zstd'),
  // of a producer's two meanings librdkafka has one each
  'request.timeout.ms': (value) => ({ 'request.timeout.ms': value, 'socket.timeout.ms': value }),
  'metadata.max.age.ms': (value) => ({ 'topic.metadata.refresh.interval.ms': value }),
  'send.buffer.bytes': (value) => ({ 'socket.send.buffer.bytes': zeroForLess(value) }),
  'receive.buffer.bytes': (value) => ({ 'socket.receive.buffer.bytes': zeroForLess(value) }),
  'connections.max.idle.ms': (value) => ({ 'connections.max.idle.ms': zeroForLess(value) }),
  // Java takes the first backoff for the largest one too where nothing else is said; librdkafka refuses
  'reconnect.backoff.ms': (value, all) => ({
    'reconnect.backoff.ms': value,
    ...(Object.hasOwn(all, 'reconnect.backoff.max.ms') ? {} : { 'reconnect.backoff.max.ms': value }),
  }),
  // a member may not be dead for longer than it may be silent
  'session.timeout.ms': (value, all) => ({
    'session.timeout.ms': value,
    ...(Object.hasOwn(all, 'max.poll.interval.ms') || !(Number(value) > 300_000)
      ? {}
      : { 'max.poll.interval.ms': value }),
  }),
  'fetch.max.wait.ms': (value) => ({ 'fetch.wait.max.ms': value }),
  'auto.offset.reset': (value) => ({ 'auto.offset.reset': value === 'none' ? 'error' : value }),
  'partition.assignment.strategy': (value) => {
    const names = String(value)
      .split(',')
      .map((each) => assignorOf(each)?.shortName)
    // librdkafka has no eager sticky assignor, and refuses a list that mixes both kinds of rebalance
    const known = names.filter((name) => name !== undefined && name !== 'sticky')
    const eager = known.filter((name) => name !== 'cooperative-sticky')
    const chosen = eager.length > 0 ? eager : known
    return chosen.length === 0 ? {} : { 'partition.assignment.strategy': chosen.join(',') }
  },
}

const assignment = 'partition.assignment.strategy'

const assignorClasses = (value: PropertyValue): string =>
  String(value)
    .split(',')
    .flatMap((each) => assignorOf(each)?.className ?? [])
    .join(',')

const isSet = (value: PropertyValue | undefined): value is PropertyValue => value !== undefined

/**
 * Settings of a profile -> the same in the names, units and values of a client family. Only what that family has for
 * that role; `javascript` has Java's names, which its SDK translates.
 * @see https://kafka.apache.org/documentation/#configuration
 * @see https://github.com/confluentinc/librdkafka/blob/v2.16.0/CONFIGURATION.md
 */
export const toDialect = (properties: Properties, role: ClientRole, family: ClientFamily): Properties => {
  const said: Record<string, PropertyValue> = {}
  if (family !== 'librdkafka') {
    for (const [name, value] of Object.entries(properties))
      if (javaNames[role].has(name)) said[name] = name === assignment ? assignorClasses(value) : value
    return said
  }
  const domains = librdkafkaNames[role]
  for (const [name, value] of Object.entries(properties)) {
    // a policy may say it in librdkafka's own words, and these win
    const translate = Object.hasOwn(toLibrdkafka, name) ? toLibrdkafka[name] : undefined
    for (const [target, each] of Object.entries(translate?.(value, properties) ?? { [name]: value })) {
      const fitting = Object.hasOwn(domains, target) ? nearest(each, domains[target] ?? 'text') : undefined
      if (isSet(fitting) && (target === name || !Object.hasOwn(properties, target))) said[target] = fitting
    }
  }
  return said
}
