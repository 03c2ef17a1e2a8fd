import { SwitchboardError } from '../errors.ts'
import type { Connection, Properties } from '../lease.ts'

/** Reads Kafka's settings for one Kafka client; what that client cannot do is an `unsupported` with its name. */
export const createReader = (library: string) => {
  const unsupported = (name: string, got: unknown, allowed: string): SwitchboardError =>
    new SwitchboardError(
      'unsupported',
      `\`${name}\` is \`${String(got)}\`, which ${library} cannot do; expected ${allowed}`,
    )

  const numberOf = (properties: Properties, name: string): number | undefined => {
    const value = properties[name]
    if (value === undefined) return undefined
    const number = Number(value)
    if (typeof value !== 'boolean' && value !== '' && Number.isFinite(number)) return number
    throw unsupported(name, value, 'a number')
  }

  const flagOf = (properties: Properties, name: string): boolean | undefined => {
    const value = properties[name]
    if (value === undefined) return undefined
    if (String(value) === 'true') return true
    if (String(value) === 'false') return false
    throw unsupported(name, value, '`true` or `false`')
  }

  const choiceOf = <T>(properties: Properties, name: string, choices: Readonly<Record<string, T>>): T | undefined => {
    const value = textOf(properties, name)
    if (value === undefined) return undefined
    if (Object.hasOwn(choices, value)) return choices[value]
    throw unsupported(
      name,
      value,
      Object.keys(choices)
        .map((choice) => `\`${choice}\``)
        .join(', '),
    )
  }

  /** The private CA, or nothing beside the system's; undefined where the listener has no TLS. */
  const tlsOf = (properties: Properties): { ca?: string } | undefined => {
    const protocol = choiceOf(properties, 'security.protocol', { SASL_SSL: true, SASL_PLAINTEXT: false })
    if (protocol === undefined) throw unsupported('security.protocol', protocol, '`SASL_SSL`, `SASL_PLAINTEXT`')
    if (!protocol) return undefined
    choiceOf(properties, 'ssl.truststore.type', { PEM: true })
    return given({ ca: textOf(properties, 'ssl.truststore.certificates') })
  }

  return { numberOf, flagOf, choiceOf, tlsOf }
}

export const textOf = (properties: Properties, name: string): string | undefined => {
  const value = properties[name]
  return value === undefined ? undefined : String(value)
}

/** Without the entries that say nothing: an explicit `undefined` would replace the client's default. */
export const given = <T extends object>(settings: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as never

export const brokersOf = (properties: Properties): string[] => {
  const brokers = (textOf(properties, 'bootstrap.servers') ?? '')
    .split(',')
    .map((broker) => broker.trim())
    .filter((broker) => broker !== '')
  if (brokers.length > 0) return brokers
  throw new SwitchboardError('malformed_answer', 'malformed answer: `bootstrap.servers` is missing')
}

export const groupOf = (consumer: Properties): string => {
  const group = textOf(consumer, 'group.id')
  if (group !== undefined) return group
  throw new SwitchboardError('malformed_answer', 'malformed answer: `group.id` is missing')
}

/** @throws SwitchboardError `unknown_channel` when the lease does not have this role */
export const roleOf = (connection: Connection, role: 'producer' | 'consumer'): Properties => {
  const properties = connection[role]
  if (properties) return properties
  const verb = role === 'producer' ? 'produce' : 'consume'
  throw new SwitchboardError(
    'unknown_channel',
    `the lease has nothing to ${verb} on cluster \`${connection.cluster.name}\``,
  )
}

/**
 * RFC 7628 3.2.2: a refused token is a successful answer with a status in it.
 * @returns what a broker says in an answer that is a refusal, or nothing
 */
export const refusalOf = (authBytes: Buffer): SwitchboardError | undefined => {
  const status = refusedStatus(authBytes)
  return status === undefined
    ? undefined
    : new SwitchboardError('kafka_refused', `the broker refused the token: \`${status}\``)
}

const refusedStatus = (authBytes: Buffer): string | undefined => {
  if (authBytes.length === 0) return undefined
  try {
    const { status } = JSON.parse(authBytes.toString('utf8'))
    return typeof status === 'string' ? status : undefined
  } catch {
    return 'an answer that is no JSON'
  }
}
