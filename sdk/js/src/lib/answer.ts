import { SwitchboardError } from '../errors.ts'

/** Who signed a token: Switchboard, or AWS for a session of a role. Clients send both alike. */
export type TokenKind = 'jwt' | 'msk-iam'

export type Properties = Readonly<Record<string, string | number | boolean>>

export type AnswerCredential =
  | { readonly kind: TokenKind; readonly token: string; readonly expiresAt: Date }
  | {
      readonly kind: 'scram'
      readonly mechanism: 'SCRAM-SHA-512'
      readonly username: string
      readonly password: string
      readonly slot: string
    }
  | {
      readonly kind: 'api-key'
      readonly mechanism: 'PLAIN'
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
  /** Of an API key, which stands in the secret itself. */
  | {
      readonly kind: 'reference'
      readonly mechanism: 'PLAIN'
      readonly arn: string
      readonly versionId: string
      readonly username?: undefined
      readonly slot: string
    }

/** Where schemas are, and how to get in: `Bearer` or `Basic`. */
export type AnswerRegistry = {
  readonly url: string
  readonly logicalCluster: string | undefined
  readonly identityPoolId: string | undefined
  readonly credential:
    | { readonly kind: 'jwt'; readonly token: string; readonly expiresAt: Date }
    | { readonly kind: 'basic'; readonly username: string; readonly password: string }
}

export type AnswerConnection = {
  readonly cluster: { readonly name: string; readonly provider: string; readonly region?: string }
  readonly topics: Readonly<Record<string, string>>
  readonly patterns: Readonly<Record<string, string | readonly string[]>>
  readonly properties: Properties
  readonly extensions: Readonly<Record<string, string>>
  readonly producer: Properties | undefined
  readonly consumer: Properties | undefined
  readonly credential: AnswerCredential
  readonly schemaRegistry: AnswerRegistry | undefined
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

/** RFC 7628 3.1: what is on the wire between two of them is the one character that none can have. */
const extensionAt = (value: unknown, pointer: string): string => {
  const text = textAt(value, pointer)
  if (/^[\x20-\x7e]+$/.test(text)) return text
  throw malformed(pointer, 'a text without control characters', value)
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

const storedAt = (credential: Json, kind: 'scram' | 'api-key' | 'reference', pointer: string): AnswerCredential => {
  const mechanism = textAt(credential.mechanism, `${pointer}/mechanism`)
  const expected = kind === 'reference' ? ['SCRAM-SHA-512', 'PLAIN'] : [kind === 'scram' ? 'SCRAM-SHA-512' : 'PLAIN']
  if ((mechanism !== 'SCRAM-SHA-512' && mechanism !== 'PLAIN') || !expected.includes(mechanism))
    throw new SwitchboardError(
      'unsupported',
      `mechanism \`${mechanism}\` is not supported by this version; \`${expected.join('`, `')}\` is`,
    )
  const slot = textAt(credential.slot, `${pointer}/slot`)
  const text = (name: string): string => textAt(credential[name], `${pointer}/${name}`)
  if (kind !== 'reference') {
    const login = { username: text('username'), password: text('password'), slot }
    return kind === 'scram' ? { kind, mechanism: 'SCRAM-SHA-512', ...login } : { kind, mechanism: 'PLAIN', ...login }
  }
  const version = { arn: text('arn'), versionId: text('versionId'), slot }
  return mechanism === 'PLAIN'
    ? { kind, mechanism, ...version }
    : { kind, mechanism, ...version, username: text('username') }
}

const credentialAt = (value: unknown, pointer: string): AnswerCredential => {
  const credential = objectAt(value, pointer)
  const kind = textAt(credential.kind, `${pointer}/kind`)
  if (kind === 'scram' || kind === 'api-key' || kind === 'reference') return storedAt(credential, kind, pointer)
  if (kind !== 'jwt' && kind !== 'msk-iam')
    throw new SwitchboardError(
      'unsupported',
      `credential kind \`${kind}\` is not supported by this version; \`jwt\`, \`msk-iam\`, \`scram\`, \`api-key\` and \`reference\` are`,
    )
  return { kind, ...tokenAt(credential, pointer) }
}

const tokenAt = (credential: Json, pointer: string): { readonly token: string; readonly expiresAt: Date } => {
  const token = textAt(credential.token, `${pointer}/token`)
  if (!/^[\x21-\x7e]+$/.test(token))
    throw malformed(`${pointer}/token`, 'a token without spaces or control characters', token)
  return { token, expiresAt: timeAt(credential.expiresAt, `${pointer}/expiresAt`) }
}

/** It goes into a header as it is. */
const headerAt = (value: unknown, pointer: string): string | undefined =>
  value === undefined ? undefined : extensionAt(value, pointer)

const registryAt = (value: unknown, pointer: string): AnswerRegistry => {
  const registry = objectAt(value, pointer)
  const url = textAt(registry.url, `${pointer}/url`)
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) throw malformed(`${pointer}/url`, 'a URL', url)
  const credential = objectAt(registry.credential, `${pointer}/credential`)
  const kind = textAt(credential.kind, `${pointer}/credential/kind`)
  if (kind !== 'jwt' && kind !== 'basic')
    throw new SwitchboardError(
      'unsupported',
      `credential kind \`${kind}\` of a schema registry is not supported by this version; \`jwt\` and \`basic\` are`,
    )
  return {
    url: url.replace(/\/+$/, ''),
    logicalCluster: headerAt(registry.logicalCluster, `${pointer}/logicalCluster`),
    identityPoolId: headerAt(registry.identityPoolId, `${pointer}/identityPoolId`),
    credential:
      kind === 'jwt'
        ? { kind, ...tokenAt(credential, `${pointer}/credential`) }
        : {
            kind,
            username: textAt(credential.username, `${pointer}/credential/username`),
            password: textAt(credential.password, `${pointer}/credential/password`),
          },
  }
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
    extensions: entriesAt(connection.extensions ?? {}, `${pointer}/extensions`, extensionAt),
    producer:
      connection.producer === undefined ? undefined : entriesAt(connection.producer, `${pointer}/producer`, settingAt),
    consumer:
      connection.consumer === undefined ? undefined : entriesAt(connection.consumer, `${pointer}/consumer`, settingAt),
    credential: credentialAt(connection.credential, `${pointer}/credential`),
    schemaRegistry:
      connection.schemaRegistry === undefined
        ? undefined
        : registryAt(connection.schemaRegistry, `${pointer}/schemaRegistry`),
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
