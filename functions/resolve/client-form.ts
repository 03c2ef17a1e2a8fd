import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { quoted } from '../../shared/domain/channel.ts'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import type { ClientFamily, Intent } from '../../shared/domain/intent.ts'
import type { ClientRole } from '../../shared/domain/profile.ts'
import type { RegistryLogin } from '../../shared/domain/registry-login.ts'
import {
  filePaths,
  isAssertionFile,
  renderJavaProperties,
  renderLibrdkafka,
  renderRegistryClient,
  type StoredLogin,
  type TokenSource,
} from '../../shared/http/client-file.ts'
import { type ConnectionSettings, hasTokensOfAws, storedMechanisms } from '../../shared/http/connection.ts'
import { scopeOf, tokenEndpointUrl } from '../../shared/http/token-answer.ts'
import { basicCredentials, isBasic } from '../../shared/identity/authenticator.ts'

export const jsonType = 'application/json'
export const javaType = 'text/x-java-properties'
export const librdkafkaType = 'application/vnd.librdkafka+json'

/** What `POST /v1/resolve` answers, the one it answers by itself first. */
export const resolveTypes = [jsonType, javaType, librdkafkaType] as const

/** An answer as the file of one stock client, which gets its tokens by itself where it needs any. */
export type ClientForm = {
  readonly contentType: string
  readonly family: ClientFamily
  /**
   * @throws SwitchboardError `invalid_intent` when the query does not say which cluster or role, or none of these, or not
   * how a client of that cluster gets its tokens
   */
  readonly select: (settings: readonly ConnectionSettings[]) => SelectedClient
  /**
   * @param login of a cluster whose credentials are stored
   * @param registryUser of a schema registry that takes a password
   */
  readonly render: (
    settings: ConnectionSettings,
    login: StoredLogin | undefined,
    registryUser: RegistryLogin | undefined,
  ) => string
}

export type SelectedClient = {
  readonly settings: ConnectionSettings
  /** Tells files apart that the same settings give; a hash where it is of a secret. */
  readonly variant: string
}

const refused = (parameter: string, detail: string): SwitchboardError =>
  new SwitchboardError('invalid_intent', { detail, errors: [{ pointer: parameter, detail }] })

const names = (list: readonly string[]): string => list.map((name) => `\`${name}\``).join(', ')

const parameterNames = ['cluster', 'role', 'auth', 'assertion_file'] as const

type Query = Readonly<Partial<Record<(typeof parameterNames)[number], string>>>

/** @throws SwitchboardError `invalid_intent` when one is unknown or stands there twice */
const parseQuery = (rawQueryString: string): Query => {
  const query: Record<string, string> = {}
  for (const [name, value] of new URLSearchParams(`?${rawQueryString}`)) {
    if (!(parameterNames as readonly string[]).includes(name))
      throw refused('', `the query has ${quoted(name)}, allowed: ${names(parameterNames)}`)
    if (Object.hasOwn(query, name)) throw refused(name, `the query has \`${name}\` more than once`)
    query[name] = value
  }
  return query
}

const ways =
  "`auth=jwt-bearer&assertion_file=<path of a file with the workload's token>`, or `auth=client_credentials` with Basic"

type Login = (endpoint: { readonly tokenEndpointUrl: string; readonly scope: string }) => TokenSource

/** @throws SwitchboardError `invalid_intent` when a client cannot get tokens so */
const parseLogin = (query: Query, authorization: string | undefined): Login => {
  const client = authorization !== undefined && isBasic(authorization) ? basicCredentials(authorization) : undefined
  const { auth = client === undefined ? undefined : 'client_credentials', assertion_file: file } = query
  if (auth === undefined || auth === 'token')
    throw refused('auth', `a file cannot hold a token, no Kafka client reads one from its settings; use ${ways}`)
  if (auth !== 'jwt-bearer' && auth !== 'client_credentials')
    throw refused('auth', `\`auth\` is ${quoted(auth)}; use ${ways}`)
  if (auth === 'client_credentials') {
    if (file !== undefined) throw refused('assertion_file', '`assertion_file` belongs to `auth=jwt-bearer`')
    if (client === undefined)
      throw refused('auth', '`auth=client_credentials` needs a request with Basic; its secret is used')
    return (endpoint) => ({ kind: auth, ...endpoint, clientId: client.id, clientSecret: client.secret })
  }
  if (file === undefined || !isAssertionFile(file))
    throw refused(
      'assertion_file',
      `\`assertion_file\` is ${file === undefined ? 'missing' : quoted(file)}; allowed: ${filePaths}`,
    )
  return (endpoint) => ({ kind: auth, ...endpoint, assertionFile: file })
}

const selectCluster = (settings: readonly ConnectionSettings[], wanted: string | undefined): ConnectionSettings => {
  const clusters = names(settings.map(({ cluster }) => cluster.name))
  const found = settings.filter(({ cluster }) => wanted === undefined || cluster.name === wanted)
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  if (wanted === undefined)
    throw refused('cluster', `a file is for one cluster; say \`?cluster=\`, allowed: ${clusters}`)
  throw refused('cluster', `\`cluster\` is ${quoted(wanted)}, allowed: ${clusters}`)
}

const roles: readonly ClientRole[] = ['producer', 'consumer']

const selectRole = (settings: ConnectionSettings, wanted: string | undefined): ConnectionSettings => {
  const there = roles.filter((role) => settings[role] !== undefined)
  const role = wanted === undefined && there.length === 1 ? there[0] : there.find((each) => each === wanted)
  if (role === undefined)
    throw refused(
      'role',
      wanted === undefined
        ? `a file is for one role; say \`?role=\`, allowed: ${names(there)}`
        : `\`role\` is ${quoted(wanted)}, allowed: ${names(there)}`,
    )
  const { producer, consumer, ...common } = settings
  return role === 'producer'
    ? { ...common, ...(producer && { producer }) }
    : { ...common, ...(consumer && { consumer }) }
}

/** The client of a registry is one beside those of Kafka, and takes an object of its own. */
const registryRole = 'schema-registry'

const selectRegistry = (settings: ConnectionSettings): ConnectionSettings => {
  const { producer: _producer, consumer: _consumer, ...common } = settings
  if (common.schemaRegistry !== undefined) return common
  throw refused('role', `nothing was granted of a schema registry on \`${settings.cluster.name}\``)
}

export type ClientFormParts = {
  readonly type: (typeof resolveTypes)[number]
  readonly event: APIGatewayProxyEventV2
  readonly intent: Intent
  readonly issuerUrl: string
  /** Hash of the request's credential. */
  readonly tokenHash: string
}

/**
 * What the query makes of a text form; nothing for JSON, which takes no query.
 * @throws SwitchboardError `invalid_intent`
 */
export const parseClientForm = (parts: ClientFormParts): ClientForm | undefined => {
  const { type, event, intent, issuerUrl, tokenHash } = parts
  const query = parseQuery(event.rawQueryString)
  if (type === jsonType) {
    const [first] = Object.keys(query)
    if (first !== undefined)
      throw refused(first, `\`${first}\` is for files of clients: \`accept: ${javaType}\` or \`${librdkafkaType}\``)
    return undefined
  }
  const { instance } = intent.client
  // an instance has a lease of its own
  const endpoint = tokenEndpointUrl(issuerUrl, instance)
  const stored: readonly unknown[] = Object.values(storedMechanisms)
  // `auth` says how to get tokens: on a cluster that takes none it has nothing to say, so that a route may lead there
  const sourceFor = (settings: ConnectionSettings): TokenSource | undefined => {
    const { cluster, properties } = settings
    return stored.includes(properties['sasl.mechanism']) || hasTokensOfAws(settings)
      ? undefined
      : parseLogin(query, event.headers.authorization)({ tokenEndpointUrl: endpoint, scope: scopeOf(cluster.name) })
  }
  const isOfRegistry = query.role === registryRole
  if (isOfRegistry && type !== librdkafkaType)
    throw refused(
      'role',
      `\`${registryRole}\` is for \`accept: ${librdkafkaType}\`; other files have it beside the client's own`,
    )
  /** @throws SwitchboardError `invalid_intent` when its client cannot get tokens so */
  const registrySourceFor = ({ cluster, schemaRegistry }: ConnectionSettings): TokenSource | undefined => {
    if (schemaRegistry?.logicalCluster === undefined) return undefined
    const login = parseLogin(query, event.headers.authorization)
    const source = login({ tokenEndpointUrl: endpoint, scope: scopeOf(cluster.name) })
    if (source.kind === 'client_credentials') return source
    throw refused('auth', 'clients of schema registries get tokens by `client_credentials` alone: a request with Basic')
  }
  const variantOf = (source: TokenSource | undefined): string =>
    JSON.stringify([
      type,
      query.cluster,
      query.role,
      ...(source === undefined
        ? ['scram']
        : [
            source.kind,
            query.assertion_file,
            tokenEndpointUrl,
            source.kind === 'client_credentials' ? tokenHash : undefined,
          ]),
    ])
  return {
    contentType: type === javaType ? `${javaType}; charset=iso-8859-1` : type,
    family: type === javaType ? 'java' : 'librdkafka',
    select: (all) => {
      const cluster = selectCluster(all, query.cluster)
      if (isOfRegistry) {
        const settings = selectRegistry(cluster)
        return { settings, variant: variantOf(registrySourceFor(settings)) }
      }
      const { schemaRegistry, ...rest } = selectRole(cluster, query.role)
      // librdkafka refuses names that are not its own, and these are those of another client
      const settings = type === javaType && schemaRegistry !== undefined ? { ...rest, schemaRegistry } : rest
      return { settings, variant: variantOf(sourceFor(settings)) }
    },
    render: (settings, stored, registryUser) => {
      if (isOfRegistry && settings.schemaRegistry !== undefined)
        return JSON.stringify(renderRegistryClient(settings.schemaRegistry, registrySourceFor(settings), registryUser))
      const login = stored ?? sourceFor(settings)
      if (type === librdkafkaType && (login !== undefined || hasTokensOfAws(settings)))
        return JSON.stringify(renderLibrdkafka(settings, login))
      if (login === undefined) throw new Error(`there is no credential for \`${settings.cluster.name}\``)
      return renderJavaProperties(settings, login, registryUser)
    },
  }
}
