import { SwitchboardError } from '../errors.ts'

export type Properties = Readonly<Record<string, string | number | boolean>>

export type AnswerCredential =
  | { readonly kind: 'jwt'; readonly token: string; readonly expiresAt: Date }
  | {
      readonly kind: 'scram'
      readonly mechanism: 'SCRAM-SHA-512'
      readonly username: string
      readonly password: string
      readonly slot: string
    }
  | {
      readonly kind: 'reference'
      readonly mechanism: 'SCRAM-SHA-512'
      readonly arn: string
      readonly versionId: string
      readonly username: string
      readonly slot: string
    }

export type AnswerConnection = {
  readonly cluster: { readonly name: string; readonly provider: string; readonly region?: string }
  readonly topics: Readonly<Record<string, string>>
  readonly patterns: Readonly<Record<string, string | readonly string[]>>
  readonly properties: Properties
  readonly producer: Properties | undefined
  readonly consumer: Properties | undefined
  readonly credential: AnswerCredential
}

export type Answer = {
  readonly lease: { readonly id: string; readonly refreshAfter: Date; readonly expiresAt: Date }
  readonly connections: readonly AnswerConnection[]
}

// Names the place and the type, never the value: the value may be a secret.
const malformed = (pointer: string, wanted: string, got: unknown): SwitchboardError => {
  const type = got === null ? 'null' : Array.isArray(got) ? 'array' : typeof got
  return new SwitchboardError(
    'malformed_answer',
    `malformed answer at \`${pointer || '/'}\`: expected ${wanted}, got \`${type}\``,
  )
}

type Json = { readonly [name: string]: unknown }

const objectAt = (value: unknown, pointer: string): Json => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw malformed(pointer, 'an object', value)
}

const arrayAt = (value: unknown, pointer: string): readonly unknown[] => {
  if (Array.isArray(value)) return value
  throw malformed(pointer, 'an array', value)
}

const textAt = (value: unknown, pointer: string): string => {
  if (typeof value === 'string' && value !== '') return value
  throw malformed(pointer, 'a text that is not empty', value)
}

const timeAt = (value: unknown, pointer: string): Date => {
  const time = typeof value === 'string' ? new Date(value) : undefined
  if (time && !Number.isNaN(time.getTime())) return time
  throw malformed(pointer, 'a time in ISO 8601', value)
}

const entriesAt = <T>(
  value: unknown,
  pointer: string,
  parse: (value: unknown, pointer: string) => T,
): Readonly<Record<string, T>> =>
  Object.freeze(
    Object.fromEntries(
      Object.entries(objectAt(value, pointer)).map(([key, entry]) => [key, parse(entry, `${pointer}/${key}`)]),
    ),
  )

const settingAt = (value: unknown, pointer: string): string | number | boolean => {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  throw malformed(pointer, 'a text, a number or a boolean', value)
}

const patternAt = (value: unknown, pointer: string): string | readonly string[] => {
  if (Array.isArray(value)) return Object.freeze(value.map((entry, index) => textAt(entry, `${pointer}/${index}`)))
  const expression = textAt(value, pointer)
  try {
    new RegExp(expression)
    return expression
  } catch {
    throw malformed(pointer, 'a regular expression', value)
  }
}

const credentialAt = (value: unknown, pointer: string): AnswerCredential => {
  const credential = objectAt(value, pointer)
  const kind = textAt(credential.kind, `${pointer}/kind`)
  if (kind === 'scram' || kind === 'reference') {
    const mechanism = textAt(credential.mechanism, `${pointer}/mechanism`)
    if (mechanism !== 'SCRAM-SHA-512')
      throw new SwitchboardError(
        'unsupported',
        `mechanism \`${mechanism}\` is not supported by this version; \`SCRAM-SHA-512\` is`,
      )
    const user = {
      mechanism,
      username: textAt(credential.username, `${pointer}/username`),
      slot: textAt(credential.slot, `${pointer}/slot`),
    } as const
    return kind === 'scram'
      ? { kind, ...user, password: textAt(credential.password, `${pointer}/password`) }
      : {
          kind,
          ...user,
          arn: textAt(credential.arn, `${pointer}/arn`),
          versionId: textAt(credential.versionId, `${pointer}/versionId`),
        }
  }
  if (kind !== 'jwt')
    throw new SwitchboardError(
      'unsupported',
      `credential kind \`${kind}\` is not supported by this version; \`jwt\`, \`scram\` and \`reference\` are`,
    )
  const token = textAt(credential.token, `${pointer}/token`)
  if (!/^[\x21-\x7e]+$/.test(token))
    throw malformed(`${pointer}/token`, 'a token without spaces or control characters', token)
  return { kind, token, expiresAt: timeAt(credential.expiresAt, `${pointer}/expiresAt`) }
}

const connectionAt = (value: unknown, pointer: string): AnswerConnection => {
  const connection = objectAt(value, pointer)
  const cluster = objectAt(connection.cluster, `${pointer}/cluster`)
  return {
    cluster: Object.freeze({
      name: textAt(cluster.name, `${pointer}/cluster/name`),
      provider: textAt(cluster.provider, `${pointer}/cluster/provider`),
      ...(cluster.region === undefined ? {} : { region: textAt(cluster.region, `${pointer}/cluster/region`) }),
    }),
    topics: entriesAt(connection.topics ?? {}, `${pointer}/topics`, textAt),
    patterns: entriesAt(connection.patterns ?? {}, `${pointer}/patterns`, patternAt),
    properties: entriesAt(connection.properties, `${pointer}/properties`, settingAt),
    producer:
      connection.producer === undefined ? undefined : entriesAt(connection.producer, `${pointer}/producer`, settingAt),
    consumer:
      connection.consumer === undefined ? undefined : entriesAt(connection.consumer, `${pointer}/consumer`, settingAt),
    credential: credentialAt(connection.credential, `${pointer}/credential`),
  }
}

/**
 * The body of a 200 to typed data. Unknown members are let through: the contract may grow.
 * @throws SwitchboardError `malformed_answer` with the place, or `unsupported`
 */
export const parseAnswer = (body: unknown): Answer => {
  const answer = objectAt(body, '')
  const lease = objectAt(answer.lease, '/lease')
  const connections = arrayAt(answer.connections, '/connections').map((entry, index) =>
    connectionAt(entry, `/connections/${index}`),
  )
  if (connections.length === 0) throw malformed('/connections', 'at least one connection', answer.connections)
  if (new Set(connections.map(({ cluster }) => cluster.name)).size < connections.length)
    throw malformed('/connections', 'each cluster once', answer.connections)
  return {
    lease: {
      id: textAt(lease.id, '/lease/id'),
      refreshAfter: timeAt(lease.refreshAfter, '/lease/refreshAfter'),
      expiresAt: timeAt(lease.expiresAt, '/lease/expiresAt'),
    },
    connections: Object.freeze(connections),
  }
}
