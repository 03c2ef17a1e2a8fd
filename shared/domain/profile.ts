export type ClientRole = 'producer' | 'consumer'
export type PropertyValue = string | number | boolean

/** Named Kafka settings for a role, in Kafka's own names. */
export type Profile = {
  readonly name: string
  readonly role: ClientRole
  readonly properties: Readonly<Record<string, PropertyValue>>
}

export const defaultProfileName = 'balanced'

/**
 * What a client gets when nothing else was said.
 * @see https://kafka.apache.org/documentation/#producerconfigs
 * @see https://kafka.apache.org/documentation/#consumerconfigs
 */
export const builtInProfiles: readonly Profile[] = [
  {
    name: defaultProfileName,
    role: 'producer',
    properties: { acks: 'all', 'enable.idempotence': true, 'compression.type': 'none', 'linger.ms': 5 },
  },
  {
    name: defaultProfileName,
    role: 'consumer',
    properties: { 'auto.offset.reset': 'earliest', 'enable.auto.commit': false, 'isolation.level': 'read_committed' },
  },
]

const reservedNames = /^(sasl\.|ssl\.|security\.protocol$|bootstrap\.servers$|group\.id$|client\.id$)/

/** Settings that decide who a client is and where it connects; a profile tunes and never decides. */
export const isReservedProperty = (name: string): boolean => reservedNames.test(name)
