export type ClientRole = 'producer' | 'consumer'
export type PropertyValue = string | number | boolean
export type Properties = Readonly<Record<string, PropertyValue>>

/** Named Kafka settings for a role, in Kafka's own (Java) names. */
export type Profile = {
  readonly name: string
  readonly role: ClientRole
  readonly properties: Properties
}

export const defaultProfileName = 'balanced'

/** A client that sits idle, or whose brokers were all replaced, finds the cluster again by its bootstrap list. */
const findsBrokersAgain: Properties = {
  'client.dns.lookup': 'use_all_dns_ips',
  'metadata.recovery.strategy': 'rebootstrap',
}

const comesBackSoon: Properties = {
  'metadata.recovery.rebootstrap.trigger.ms': 60_000,
  'reconnect.backoff.max.ms': 1_000,
  'socket.connection.setup.timeout.ms': 10_000,
}

/** No built-in profile gives up a record that was acknowledged, whatever it is tuned for. */
const producer: Properties = { acks: 'all', 'enable.idempotence': true, ...findsBrokersAgain }

const consumer: Properties = {
  'auto.offset.reset': 'earliest',
  'enable.auto.commit': false,
  'isolation.level': 'read_committed',
  ...findsBrokersAgain,
}

const profile = (
  name: string,
  tuned: { readonly producer: Properties; readonly consumer: Properties },
): readonly Profile[] => [
  { name, role: 'producer', properties: { ...producer, ...tuned.producer } },
  { name, role: 'consumer', properties: { ...consumer, ...tuned.consumer } },
]

/**
 * What a policy need not write. `docs/profiles.md` has the reason and the source of each value.
 * @see https://kafka.apache.org/documentation/#producerconfigs
 * @see https://kafka.apache.org/documentation/#consumerconfigs
 */
export const builtInProfiles: readonly Profile[] = [
  ...profile(defaultProfileName, { producer: { 'compression.type': 'none', 'linger.ms': 5 }, consumer: {} }),
  ...profile('throughput', {
    producer: { 'compression.type': 'lz4', 'linger.ms': 50, 'batch.size': 200_000 },
    consumer: { 'fetch.min.bytes': 100_000, 'fetch.max.wait.ms': 500 },
  }),
  ...profile('latency', {
    producer: { 'compression.type': 'none', 'linger.ms': 0 },
    consumer: { 'fetch.min.bytes': 1 },
  }),
  ...profile('durability', {
    producer: {
      'max.in.flight.requests.per.connection': 5,
      retries: 2_147_483_647,
      'delivery.timeout.ms': 300_000,
    },
    consumer: { 'check.crcs': true },
  }),
  ...profile('availability', {
    producer: {
      ...comesBackSoon,
      'partitioner.availability.timeout.ms': 10_000,
    },
    consumer: {
      ...comesBackSoon,
      'session.timeout.ms': 10_000,
      'heartbeat.interval.ms': 3_000,
    },
  }),
]

/** Lower case, as every setting of every client is; what looks like a name to a client is then what looks like it here. */
const settingName = /^[a-z][a-z0-9._]{0,127}$/

const identityNames =
  /^(sasl\.|ssl[._]|https\.ca\.|security\.|enable\.(sasl|ssl)\.|(bootstrap\.servers|metadata\.broker\.list|group\.id|group\.instance\.id|client\.id|transactional\.id)$)/

const codeNames =
  /^(config\.providers(\.|$)|plugin\.library\.paths$|interceptors$|interceptor\.classes$|metric\.reporters$|partitioner\.class$|.*serializer(\.|$)|.*_cb$|.*\.class(es)?$)/

const assignors: Readonly<Record<string, string>> = {
  'org.apache.kafka.clients.consumer.RangeAssignor': 'range',
  'org.apache.kafka.clients.consumer.RoundRobinAssignor': 'roundrobin',
  'org.apache.kafka.clients.consumer.StickyAssignor': 'sticky',
  'org.apache.kafka.clients.consumer.CooperativeStickyAssignor': 'cooperative-sticky',
}

/** Kafka's own assignors, by class or by short name -> class and short name; none for a class of somebody else. */
export const assignorOf = (written: string): { readonly className: string; readonly shortName: string } | undefined => {
  const name = written.trim()
  const entry = Object.entries(assignors).find(([className, shortName]) => name === className || name === shortName)
  return entry === undefined ? undefined : { className: entry[0], shortName: entry[1] }
}

/**
 * Why a profile may not say this: it tunes a client, and decides neither who the client is, nor where it connects, nor
 * which code it loads.
 */
export const propertyProblem = (name: string, value: PropertyValue): string | undefined => {
  if (!settingName.test(name)) return 'a setting is up to 128 of `a-z 0-9 . _` and starts with a letter'
  if (identityNames.test(name))
    return 'a profile sets nothing that decides who a client is or where it connects: no `sasl.*`, `ssl.*`, `security.*`, `bootstrap.servers`, `group.id`, `group.instance.id`, `client.id`, `transactional.id`, nor what other clients call them'
  if (codeNames.test(name))
    return 'a profile sets nothing that makes a client load code: no classes, serializers, interceptors, reporters, plugins or configuration providers'
  if (
    name === 'partition.assignment.strategy' &&
    !String(value)
      .split(',')
      .every((each) => assignorOf(each) !== undefined)
  )
    return `an assignor is one of Kafka's own: ${Object.values(assignors)
      .map((each) => `\`${each}\``)
      .join(', ')}, or its class`
  return undefined
}
