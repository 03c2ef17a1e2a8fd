import { quoted } from '../domain/channel.ts'
import { toDialect } from '../domain/client-dialect.ts'
import type { StoredKind } from '../domain/cluster.ts'
import { SwitchboardError } from '../domain/errors.ts'
import type { ClientFamily } from '../domain/intent.ts'
import type { ClientRole, Properties, PropertyValue } from '../domain/profile.ts'
import type { RegistryLogin } from '../domain/registry-login.ts'
import type { ConnectionSettings, RegistrySettings } from './connection.ts'

/**
 * Where the client that runs with a file gets its tokens. Neither Java's client nor librdkafka takes a token from its
 * settings; Java's reads one from a file of its own.
 */
export type TokenSource =
  | {
      readonly kind: 'jwt-bearer'
      readonly tokenEndpointUrl: string
      readonly scope: string
      /** Absolute path of the file with the workload's own token, where the client runs. */
      readonly assertionFile: string
    }
  | {
      readonly kind: 'client_credentials'
      readonly tokenEndpointUrl: string
      readonly scope: string
      readonly clientId: string
      readonly clientSecret: string
    }
  /** A file that somebody else keeps our token in, read again at each login; Java alone. */
  | { readonly kind: 'token-file'; readonly tokenFile: string }

/** A user or key that the cluster has on record; the client needs no endpoint of ours. */
export type StoredLogin = { readonly kind: StoredKind; readonly username: string; readonly password: string }

const isStoredLogin = (login: ClientLogin): login is StoredLogin => login.kind === 'scram' || login.kind === 'api-key'

/** How the client that runs with a file proves who it is. */
export type ClientLogin = TokenSource | StoredLogin

/** Absolute, and of characters that stay themselves in a JVM option, a shell word and a list joined by `,`. */
const assertionFilePattern = /^(?:\/|[A-Za-z]:[\\/])[A-Za-z0-9._+@=:~/\\-]{0,1023}$/

/** What `isAssertionFile` takes, in words. */
export const filePaths = 'an absolute path of up to 1024 of `A-Z a-z 0-9 . _ + - @ = : ~ / \\`'

export const isAssertionFile = (path: string): boolean => assertionFilePattern.test(path)

const certificates = 'ssl.truststore.certificates'

/** What every client of a connection says, in the words of its family. */
const connectionIn = (properties: Properties, family: ClientFamily): Properties => {
  if (family !== 'librdkafka') return properties
  const { 'ssl.truststore.type': _type, [certificates]: ca, ...rest } = properties
  return ca === undefined ? rest : { ...rest, 'ssl.ca.pem': ca }
}

/** `group.id` is no setting of a profile and the same word everywhere. */
const roleIn = (settings: Properties, role: ClientRole, family: ClientFamily): Properties => {
  const { 'group.id': group, ...tuning } = settings
  return { ...toDialect(tuning, role, family), ...(group === undefined ? {} : { 'group.id': group }) }
}

/** A connection in the names, units and values of a client family. */
export const inDialect = (settings: ConnectionSettings, family: ClientFamily): ConnectionSettings => ({
  ...settings,
  properties: connectionIn(settings.properties, family),
  ...(settings.producer === undefined ? {} : { producer: roleIn(settings.producer, 'producer', family) }),
  ...(settings.consumer === undefined ? {} : { consumer: roleIn(settings.consumer, 'consumer', family) }),
})

/** @throws Error when the settings are those of both roles: a file is that of one client */
const flatten = (settings: ConnectionSettings, family: ClientFamily): Properties => {
  const { properties, producer, consumer } = inDialect(settings, family)
  if (producer !== undefined && consumer !== undefined) throw new Error('a file is for one role, and there are two')
  return { ...properties, ...producer, ...consumer }
}

const security = 'org.apache.kafka.common.security'
const jaas = `${security}.oauthbearer`

/** Kafka's JAAS parser is Java's `StreamTokenizer`: a quoted word ends at its quote or line, and has C's octal escapes. */
const jaasQuoted = (value: string): string =>
  `"${value
    .replaceAll(/[\\"]/g, '\\$&')
    .replaceAll(/\p{Cc}/gu, (unit) => `\\${unit.charCodeAt(0).toString(8).padStart(3, '0')}`)}"`

const loginModule = (options: Readonly<Record<string, string>>, module = `${jaas}.OAuthBearerLoginModule`): string =>
  `${[`${module} required`, ...Object.entries(options).map(([name, value]) => `${name}=${jaasQuoted(value)}`)].join(
    ' ',
  )};`

const storedModules: Readonly<Record<StoredKind, string>> = {
  scram: 'scram.ScramLoginModule',
  'api-key': 'plain.PlainLoginModule',
}

type Settings = Readonly<Record<string, PropertyValue>>

/**
 * Java takes the path out of the URL as it stands, so nothing in it can be escaped.
 * @throws SwitchboardError for a path that would not come back
 */
const fileUrl = (path: string): string => {
  if (isAssertionFile(path)) return `file://${path}`
  throw new SwitchboardError('invalid_intent', { detail: `the token file is ${quoted(path)}; allowed: ${filePaths}` })
}

const tokenEndpoint = 'sasl.oauthbearer.token.endpoint.url'

type Extensions = Readonly<Record<string, string>>

/** Of the login module, which sends them beside the token; the client has no setting of its own for them. */
const javaExtensions = (extensions: Extensions): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(extensions).map(([name, value]) => [`extension_${name}`, value]))

const javaLogin = (source: ClientLogin, extensions: Extensions): Settings => {
  if (isStoredLogin(source)) {
    const { kind, username, password } = source
    return { 'sasl.jaas.config': loginModule({ username, password }, `${security}.${storedModules[kind]}`) }
  }
  const handler = { 'sasl.login.callback.handler.class': `${jaas}.OAuthBearerLoginCallbackHandler` }
  switch (source.kind) {
    case 'jwt-bearer':
      return {
        ...handler,
        [tokenEndpoint]: source.tokenEndpointUrl,
        'sasl.oauthbearer.jwt.retriever.class': `${jaas}.JwtBearerJwtRetriever`,
        'sasl.oauthbearer.assertion.file': source.assertionFile,
        'sasl.oauthbearer.scope': source.scope,
        'sasl.jaas.config': loginModule(javaExtensions(extensions)),
      }
    case 'client_credentials': {
      // as options of the login module, clients from Kafka 3.4 on understand them
      const { clientId, clientSecret, scope } = source
      return {
        ...handler,
        [tokenEndpoint]: source.tokenEndpointUrl,
        'sasl.jaas.config': loginModule({ clientId, clientSecret, scope, ...javaExtensions(extensions) }),
      }
    }
    case 'token-file':
      return {
        ...handler,
        [tokenEndpoint]: fileUrl(source.tokenFile),
        'sasl.jaas.config': loginModule(javaExtensions(extensions)),
      }
  }
}

/** As a client of schema registries gets its tokens: with a secret and in no other way. */
const registryTokens = (
  { logicalCluster, identityPoolId }: RegistrySettings,
  source: ClientLogin,
): Settings | undefined =>
  source.kind !== 'client_credentials' || logicalCluster === undefined || identityPoolId === undefined
    ? undefined
    : {
        'bearer.auth.credentials.source': 'OAUTHBEARER',
        'bearer.auth.issuer.endpoint.url': source.tokenEndpointUrl,
        'bearer.auth.client.id': source.clientId,
        'bearer.auth.client.secret': source.clientSecret,
        'bearer.auth.scope': source.scope,
        'bearer.auth.logical.cluster': logicalCluster,
        'bearer.auth.identity.pool.id': identityPoolId,
      }

const userInfo = ({ username, password }: RegistryLogin): Settings => ({
  'basic.auth.user.info': `${username}:${password}`,
})

/**
 * In the names of Confluent's serializers, which read the file of their client.
 * @returns nothing for a client that can get no tokens for it
 * @see https://docs.confluent.io/platform/current/schema-registry/sr-client-configs.html
 */
const javaRegistry = (
  registry: RegistrySettings,
  source: ClientLogin,
  user: RegistryLogin | undefined,
): Settings | undefined => {
  const login = user === undefined ? registryTokens(registry, source) : userInfo(user)
  if (login === undefined) return undefined
  const place = { 'schema.registry.url': registry.url }
  return user === undefined
    ? { ...place, ...login }
    : { ...place, 'basic.auth.credentials.source': 'USER_INFO', ...login }
}

const noJavaRegistry = '# no schema.registry.url: its client gets tokens by client_credentials alone'

const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
}

const escaped = (text: string): string =>
  text.replaceAll(
    /[^\u0021-\u005b\u005d-\u007e ]/g,
    (unit) => escapes[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

const escapedValue = (text: string): string => escaped(text).replace(/^ /, '\\ ')

const escapedName = (text: string): string => escaped(text).replaceAll(/[ :=#!]/g, '\\$&')

/**
 * What Kafka 4 wants to be told outside of the file before it asks a URL or reads a file: JVM system properties.
 * @see https://cwiki.apache.org/confluence/display/KAFKA/KIP-1139
 */
export const javaOptions = (source: ClientLogin): Readonly<Record<string, string>> => {
  if (isStoredLogin(source)) return {}
  const prefix = 'org.apache.kafka.sasl.oauthbearer'
  if (source.kind === 'token-file') return { [`${prefix}.allowed.urls`]: fileUrl(source.tokenFile) }
  return {
    [`${prefix}.allowed.urls`]: source.tokenEndpointUrl,
    ...(source.kind === 'jwt-bearer' ? { [`${prefix}.allowed.files`]: source.assertionFile } : {}),
  }
}

/**
 * One client's connection as the file that a Java client runs with. Its first line is a comment with the JVM options that
 * Kafka wants besides, if any: they are system properties, which no file can set. Serializers of Confluent read the same file.
 * @see https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)
 * @see https://cwiki.apache.org/confluence/display/KAFKA/KIP-1139
 * @throws Error when the settings are those of two roles; SwitchboardError for a source that such a client does not have
 */
export const renderJavaProperties = (
  settings: ConnectionSettings,
  source: ClientLogin,
  registryUser?: RegistryLogin,
): string => {
  const options = Object.entries(javaOptions(source)).map(([name, value]) => escaped(`-D${name}=${value}`))
  const { schemaRegistry } = settings
  const registry = schemaRegistry && javaRegistry(schemaRegistry, source, registryUser)
  const properties = { ...flatten(settings, 'java'), ...javaLogin(source, settings.extensions ?? {}), ...registry }
  return [
    ...(options.length === 0 ? [] : [`# ${options.join(' ')}`]),
    ...Object.entries(properties).map(([name, value]) => `${escapedName(name)}=${escapedValue(String(value))}`),
    ...(schemaRegistry === undefined || registry !== undefined ? [] : [noJavaRegistry]),
    '',
  ].join('\n')
}

/** A list of `name=value` joined by `,`, so that no value can have one. */
const librdkafkaExtensions = (extensions: Extensions): Settings => {
  const pairs = Object.entries(extensions).map(([name, value]) => `${name}=${value}`)
  return pairs.length === 0 ? {} : { 'sasl.oauthbearer.extensions': pairs.join(',') }
}

const librdkafkaLogin = (source: ClientLogin, extensions: Extensions): Settings => {
  if (isStoredLogin(source)) return { 'sasl.username': source.username, 'sasl.password': source.password }
  if (source.kind === 'token-file')
    throw new SwitchboardError('invalid_intent', {
      detail: 'librdkafka reads no token from a file; allowed: an assertion',
    })
  const common = {
    'sasl.oauthbearer.method': 'oidc',
    [tokenEndpoint]: source.tokenEndpointUrl,
    'sasl.oauthbearer.scope': source.scope,
    ...librdkafkaExtensions(extensions),
  }
  if (source.kind === 'jwt-bearer')
    return {
      ...common,
      'sasl.oauthbearer.grant.type': 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      'sasl.oauthbearer.assertion.file': source.assertionFile,
    }
  return {
    ...common,
    'sasl.oauthbearer.client.id': source.clientId,
    'sasl.oauthbearer.client.secret': source.clientSecret,
  }
}

/**
 * One client's connection as the flat object that every binding of librdkafka takes.
 * @param source undefined where the settings themselves say how the client gets its tokens
 * @see https://github.com/confluentinc/librdkafka/blob/v2.16.0/CONFIGURATION.md
 * @throws Error when the settings are those of two roles; SwitchboardError for a source that such a client does not have
 */
export const renderLibrdkafka = (
  settings: ConnectionSettings,
  source: ClientLogin | undefined,
): Record<string, string | number | boolean> => ({
  ...flatten(settings, 'librdkafka'),
  ...(source === undefined ? {} : librdkafkaLogin(source, settings.extensions ?? {})),
})

/**
 * What `SchemaRegistryClient` of `confluent_kafka.schema_registry` takes.
 * @throws Error without a user, for a registry and a source that give no tokens
 */
export const renderRegistryClient = (
  registry: RegistrySettings,
  source: ClientLogin | undefined,
  user: RegistryLogin | undefined,
): Record<string, string | number | boolean> => {
  const login = user === undefined ? source && registryTokens(registry, source) : userInfo(user)
  if (login === undefined) throw new Error('there is no credential for the schema registry')
  return { url: registry.url, ...login }
}
