import type { Connection, SchemaRegistry } from '@switchboard-kafka/client'
import type { RegistryLogin } from '../../shared/domain/registry-login.ts'
import {
  type ClientLogin,
  isAssertionFile,
  renderRegistryClient,
  type TokenSource,
} from '../../shared/http/client-file.ts'
import type { ConnectionSettings, RegistrySettings } from '../../shared/http/connection.ts'
import { scopeOf, tokenEndpointUrl } from '../../shared/http/token-answer.ts'
import { CommandError } from '../command-error.ts'
import type { Caller, Role } from './arguments.ts'

const quoted = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ')

/** @throws CommandError when a file is for one cluster and the answer has several, or not the one named */
export const selectConnection = (connections: readonly Connection[], cluster: string | undefined): Connection => {
  const found = connections.filter((connection) => cluster === undefined || connection.cluster.name === cluster)
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  const names = quoted(connections.map((connection) => connection.cluster.name))
  throw new CommandError(
    cluster === undefined
      ? `the channels lie on several clusters and a file is for one; name it with --cluster: ${names}`
      : `--cluster: the answer has ${names}, got \`${cluster}\``,
    2,
  )
}

export const rolesOf = (connection: Connection): readonly Role[] => [
  ...(connection.producer === undefined ? [] : (['producer'] as const)),
  ...(connection.consumer === undefined ? [] : (['consumer'] as const)),
]

/** @throws CommandError when both roles were asked for and none is named, or one that was not asked for */
export const selectRole = (connection: Connection, role: Role | undefined): Role => {
  const roles = rolesOf(connection)
  const [only] = roles
  if (role === undefined && only !== undefined && roles.length === 1) return only
  if (role !== undefined && roles.includes(role)) return role
  throw new CommandError(
    role === undefined
      ? 'a file is for one role and both were asked for; name it with --role producer or --role consumer'
      : `--role: nothing was asked for a ${role} on the cluster \`${connection.cluster.name}\``,
    2,
  )
}

/** What a file of one role is made of: the answer in Kafka's own names, which the renderers translate. */
export const settingsFor = (
  { cluster, topics, patterns, properties, extensions, producer, consumer, schemaRegistry }: Connection,
  role: Role,
): ConnectionSettings => ({
  cluster,
  topics,
  patterns: Object.fromEntries(
    Object.entries(patterns).flatMap(([name, expression]) =>
      typeof expression === 'string' ? [[name, expression]] : [],
    ),
  ),
  properties,
  ...(Object.keys(extensions).length === 0 ? {} : { extensions }),
  ...(role === 'producer' && producer !== undefined ? { producer } : {}),
  ...(role === 'consumer' && consumer !== undefined ? { consumer } : {}),
  ...(schemaRegistry === undefined ? {} : { schemaRegistry: registrySettingsOf(schemaRegistry) }),
})

const registrySettingsOf = ({ url, logicalCluster, identityPoolId }: SchemaRegistry): RegistrySettings => ({
  url,
  ...(logicalCluster === undefined ? {} : { logicalCluster }),
  ...(identityPoolId === undefined ? {} : { identityPoolId }),
})

/** Whom the schema registry lets in, where that takes a password. */
export const registryUserOf = ({ schemaRegistry }: Connection): RegistryLogin | undefined =>
  schemaRegistry?.credential.kind === 'basic'
    ? { username: schemaRegistry.credential.username, password: schemaRegistry.password() }
    : undefined

/** What the client of the schema registry takes; nothing without one, or where that client could get no tokens. */
export const registryClientOf = (
  connection: Connection,
  source: ClientLogin,
): Readonly<Record<string, string | number | boolean>> | undefined => {
  const { schemaRegistry } = connection
  const user = registryUserOf(connection)
  if (schemaRegistry === undefined || (user === undefined && source.kind !== 'client_credentials')) return undefined
  return renderRegistryClient(registrySettingsOf(schemaRegistry), source, user)
}

export type TokenSourceParts = {
  readonly url: string
  readonly caller: Caller
  readonly instance: string
  readonly cluster: string
  /** Where a client finds the token of a caller that has it in the environment. */
  readonly tokenFile: string | undefined
}

/**
 * How the client of a file gets its tokens: as the caller proved itself. RFC 6749 3.2 lets the endpoint have a query: it
 * names the lease's instance.
 * @throws CommandError when the caller's token is in no file that a client could read
 */
export const tokenSourceOf = ({ url, caller, instance, cluster, tokenFile }: TokenSourceParts): TokenSource => {
  const endpoint = {
    tokenEndpointUrl: tokenEndpointUrl(url, instance),
    scope: scopeOf(cluster),
  }
  if (caller.kind === 'client')
    return { kind: 'client_credentials', ...endpoint, clientId: caller.id, clientSecret: caller.secret }
  const assertionFile = caller.kind === 'token-file' ? caller.file : tokenFile
  if (assertionFile === undefined)
    throw new CommandError('a client gets new tokens with the file of its own; name it with --token-file', 2)
  if (!isAssertionFile(assertionFile))
    throw new CommandError(
      `the token file is at \`${assertionFile}\`, which a JVM option cannot carry; keep to A-Z a-z 0-9 . _ + @ = : ~ / -`,
      2,
    )
  return { kind: 'jwt-bearer', ...endpoint, assertionFile }
}

/**
 * How the client of a file proves itself: with the stored credential of the answer, else with tokens.
 * @throws CommandError as `tokenSourceOf`
 */
export const loginOf = (connection: Connection, parts: Omit<TokenSourceParts, 'cluster'>): ClientLogin => {
  const { credential, cluster } = connection
  if (credential.kind === 'msk-iam')
    throw new CommandError(
      `the cluster \`${cluster.name}\` takes tokens of AWS, which no stock client asks for; use an SDK (docs/msk.md)`,
      2,
    )
  return 'slot' in credential
    ? {
        kind: credential.mechanism === 'PLAIN' ? 'api-key' : 'scram',
        username: credential.username ?? '',
        password: connection.password(),
      }
    : tokenSourceOf({ ...parts, cluster: cluster.name })
}

/** The JVM options that a properties file wants besides: its first line. */
export const javaOptionsIn = (properties: string): readonly string[] => {
  const [first = ''] = properties.split('\n', 1)
  return first.split(/\s+/).filter((word) => word.startsWith('-D'))
}

/**
 * `KAFKA_OPTS` with our options at its end. The last of two equal options wins in a JVM, so what was allowed already is
 * allowed again.
 */
export const appendJavaOptions = (before: string | undefined, options: readonly string[]): string => {
  const words = before?.split(/\s+/).filter((word) => word !== '') ?? []
  const added = options.map((option) => {
    const name = option.slice(0, option.indexOf('=') + 1)
    const values = [...words, option].filter((word) => word.startsWith(name)).map((word) => word.slice(name.length))
    return `${name}${[...new Set(values.flatMap((value) => value.split(',')))].join(',')}`
  })
  return [...words, ...added].join(' ')
}

export type KcatFiles = { readonly config: string; readonly ca: string | undefined }

/**
 * What `kcat -F` reads: one `name=value` a line, no escapes, so the certificates need a file of their own.
 * @param caFile where that file will be
 * @throws CommandError when a value does not fit into a line
 */
export const renderKcat = (
  properties: Readonly<Record<string, string | number | boolean>>,
  caFile: string | undefined,
): KcatFiles => {
  const { 'ssl.ca.pem': pem, ...others } = properties
  if (pem !== undefined && caFile === undefined)
    throw new CommandError('kcat reads the certificates of the cluster from a file beside its own; use --out <file>', 2)
  const entries = pem === undefined ? others : { ...others, 'ssl.ca.location': caFile ?? '' }
  const lines = Object.entries(entries).map(([name, value]) => {
    const text = String(value)
    // kcat trims its lines
    if (/[\r\n]/.test(text) || text !== text.trim())
      throw new CommandError(
        `the value of \`${name}\` does not fit into a line of a kcat file; use --format librdkafka`,
      )
    return `${name}=${text}`
  })
  return { config: `${lines.join('\n')}\n`, ca: pem === undefined ? undefined : String(pem) }
}
