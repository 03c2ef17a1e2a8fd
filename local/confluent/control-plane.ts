import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ApiKey, type ApiKeys, createApiKeys, type ServiceAccount } from './api-keys.ts'
import { type ConfluentFaults, createFaults, parseFaults, type StrikingFaults } from './faults.ts'
import { createIdentities, type Identities, type IdentityPool, type IdentityProvider } from './identity.ts'
import type { ConfluentCluster, Environment, Organization, Topic, TopicSetting } from './organization.ts'
import { createRoleBindings, type RoleBinding, type RoleBindings } from './role-bindings.ts'

export type ConfluentKey = { readonly key: string; readonly secret: string }

export type ConfluentControlPlaneOptions = {
  readonly organization: Organization
  /** A Cloud API key. */
  readonly cloudKey: ConfluentKey
  /** Environments that the Cloud API key has no rights in. @default - none */
  readonly forbidden?: readonly string[]
  /** A key of one cluster; undefined: it has none. */
  readonly kafkaKeyOf: (clusterId: string) => ConfluentKey | undefined
  /**
   * How many requests a key has in a window. Confluent publishes no numbers, so these are ours.
   * @default 1,000 in 60 s
   */
  readonly rate?: { readonly limit: number; readonly windowMs: number }
  /** @default - any free port */
  readonly port?: number
  /** Whether schema registries are at `/srcm/v3` too. @default true */
  readonly hasSrcmV3?: boolean
  /** Identity providers and pools. @default - none, which no broker sees */
  readonly identities?: Identities
  /** @default - none, which no registry sees */
  readonly roleBindings?: RoleBindings
  /** Service accounts and their API keys. @default - none, which no broker sees */
  readonly apiKeys?: ApiKeys
  /** @default Date.now */
  readonly now?: () => number
}

export type ConfluentControlPlane = {
  /** Instead of `https://api.confluent.cloud`; the clusters' REST endpoints are here too. */
  readonly url: string
  readonly faults: ConfluentFaults
  /** Every address that was asked for. */
  readonly requests: readonly string[]
  readonly stop: () => Promise<void>
}

type Answer = {
  readonly status: number
  readonly body?: unknown
  /** Instead of JSON. */
  readonly html?: string
  readonly headers?: Readonly<Record<string, string>>
}

type Page = { readonly data: readonly unknown[]; readonly next: string | null }

const largestPage = 100
const defaultPage = 10

/** As the management APIs say no. */
const refusal = (
  status: number,
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Answer => ({
  status,
  headers,
  body: { errors: [{ id: randomUUID(), status: String(status), code, title: code, detail }] },
})

/** As the REST API of a cluster says no. */
const kafkaRefusal = (errorCode: number, message: string): Answer => ({
  status: Number(String(errorCode).slice(0, 3)),
  body: { error_code: errorCode, message },
})

const basic = ({ key, secret }: ConfluentKey): string => `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`

const crn = (organization: Organization, rest: string): string =>
  `crn://confluent.cloud/organization=${organization.id}/${rest}`

const environmentOf = (organization: Organization, { id, name }: Environment) => ({
  api_version: 'org/v2',
  kind: 'Environment',
  id,
  metadata: {
    self: `https://api.confluent.cloud/org/v2/environments/${id}`,
    resource_name: crn(organization, `environment=${id}`),
  },
  display_name: name,
})

const referenceTo = (collection: string, id: string) => ({
  id,
  related: `https://api.confluent.cloud/${collection}/${id}`,
  resource_name: `https://api.confluent.cloud/${collection}/${id}`,
})

/** The fields of `spec` that are deprecated still come, and are wrong here: nobody is to read them. */
const clusterOf = (organization: Organization, environment: Environment, cluster: ConfluentCluster, url: string) => {
  const { id, name, kind, cloud, region, phase = 'PROVISIONED', accessPoints } = cluster
  const endpoints = Object.entries(accessPoints).map(([accessPoint, { bootstrap, type }]) => [
    accessPoint,
    { kafka_bootstrap_endpoint: bootstrap, http_endpoint: url, connection_type: type },
  ])
  return {
    api_version: 'cmk/v2',
    kind: 'Cluster',
    id,
    metadata: {
      self: `https://api.confluent.cloud/cmk/v2/clusters/${id}`,
      resource_name: crn(organization, `environment=${environment.id}/cloud-cluster=${id}`),
    },
    spec: {
      display_name: name,
      availability: 'SINGLE_ZONE',
      cloud,
      region,
      config: kind === 'Dedicated' ? { kind, cku: 1 } : { kind },
      kafka_bootstrap_endpoint: 'SASL_SSL://deprecated.example.com:9092',
      http_endpoint: 'https://deprecated.example.com',
      api_endpoint: 'https://deprecated.example.com',
      ...(endpoints.length > 0 && { endpoints: Object.fromEntries(endpoints) }),
      environment: referenceTo('org/v2/environments', environment.id),
    },
    status: { phase },
  }
}

const registryOf = (organization: Organization, { id, registry }: Environment, version: string) => ({
  api_version: `srcm/${version}`,
  kind: 'Cluster',
  id: registry?.id,
  metadata: {
    self: `https://api.confluent.cloud/srcm/${version}/clusters/${registry?.id}`,
    resource_name: crn(organization, `environment=${id}/schema-registry=${registry?.id}`),
  },
  spec: {
    display_name: 'Stream Governance Package',
    package: 'ESSENTIALS',
    http_endpoint: registry?.url,
    environment: referenceTo('org/v2/environments', id),
    ...(version === 'v3'
      ? { cloud: 'AWS', region: 'eu-west-1' }
      : { region: referenceTo('srcm/v2/regions', 'sgreg-1') }),
  },
  status: { phase: 'PROVISIONED' },
})

const topicOf = (clusterId: string, { name, partitions, replication, isInternal }: Topic) => ({
  kind: 'KafkaTopic',
  metadata: { self: `/kafka/v3/clusters/${clusterId}/topics/${encodeURIComponent(name)}` },
  cluster_id: clusterId,
  topic_name: name,
  is_internal: isInternal,
  replication_factor: replication,
  partitions_count: partitions,
  partitions: { related: '' },
  configs: { related: '' },
  partition_reassignments: { related: '' },
})

const settingOf = (clusterId: string, topic: string, { name, value, source }: TopicSetting) => ({
  kind: 'KafkaTopicConfig',
  metadata: { self: '' },
  cluster_id: clusterId,
  topic_name: topic,
  name,
  value,
  is_default: source === 'DEFAULT_CONFIG',
  is_read_only: false,
  is_sensitive: false,
  source,
  synonyms: [],
})

const providerOf = ({ id, displayName, description, issuer, jwksUri, kids }: IdentityProvider) => ({
  api_version: 'iam/v2',
  kind: 'IdentityProvider',
  id,
  display_name: displayName,
  description,
  issuer,
  jwks_uri: jwksUri,
  identity_claim: 'claims.sub',
  state: 'ENABLED',
  keys: kids.map((kid) => ({ kid })),
})

const poolOf = ({ id, displayName, description, identityClaim, filter }: IdentityPool) => ({
  api_version: 'iam/v2',
  kind: 'IdentityPool',
  id,
  display_name: displayName,
  description,
  identity_claim: identityClaim,
  filter,
  principal: id,
  state: 'ENABLED',
})

const accountOf = ({ id, displayName, description }: ServiceAccount) => ({
  api_version: 'iam/v2',
  kind: 'ServiceAccount',
  id,
  metadata: { self: `https://api.confluent.cloud/iam/v2/service-accounts/${id}` },
  display_name: displayName,
  description,
})

const groupOf = (resource: string): string => (resource.startsWith('lsrc-') ? 'srcm/v3' : 'cmk/v2')

/** Its secret is in the answer to who makes it, and in no other. */
const keyOf = ({ id, displayName, description, owner, resource }: ApiKey, secret?: string) => ({
  api_version: 'iam/v2',
  kind: 'ApiKey',
  id,
  metadata: { self: `https://api.confluent.cloud/iam/v2/api-keys/${id}` },
  spec: {
    ...(secret !== undefined && { secret }),
    display_name: displayName,
    description,
    owner: { ...referenceTo('iam/v2/service-accounts', owner), api_version: 'iam/v2', kind: 'ServiceAccount' },
    resource: {
      ...referenceTo(`${groupOf(resource.id)}/clusters`, resource.id),
      environment: resource.environment,
      api_version: groupOf(resource.id),
      kind: 'Cluster',
    },
  },
})

const bindingOf = ({ id, principal, role, crnPattern }: RoleBinding) => ({
  api_version: 'iam/v2',
  kind: 'RoleBinding',
  id,
  metadata: { self: `https://api.confluent.cloud/iam/v2/role-bindings/${id}` },
  ...{ principal, role_name: role, crn_pattern: crnPattern },
})

const quotaCode = 'iam.max_cluster_api_keys.per_service_account'

const quotaOf = ({ id }: ServiceAccount, limit: number) => ({
  api_version: 'service-quota/v1',
  kind: 'AppliedQuota',
  id: quotaCode,
  scope: 'SERVICE_ACCOUNT',
  display_name: 'Max Cluster API Keys Per Service Account',
  default_limit: 10,
  applied_limit: limit,
  user: referenceTo('iam/v2/service-accounts', id),
})

type Body = Readonly<Record<string, unknown>>

const readBody = async (request: IncomingMessage): Promise<Body> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString('utf8')
  const value: unknown = text === '' ? {} : JSON.parse(text)
  return typeof value === 'object' && value !== null ? (value as Body) : {}
}

const objectIn = (body: Body, name: string): Body => {
  const { [name]: value } = body
  if (typeof value === 'object' && value !== null) return value as Body
  throw new Error(`${name} is required`)
}

const textIn = (body: Body, name: string): string => {
  const { [name]: value } = body
  if (typeof value === 'string' && value !== '') return value
  throw new Error(`${name} is required`)
}

/** Tokens of at most 255 characters that mean nothing to anybody else. */
const createPager = (faults: StrikingFaults) => {
  const places = new Map<string, { readonly scope: string; readonly at: number }>()
  return (list: readonly unknown[], url: URL): Page | undefined => {
    const address = url.pathname + url.search
    const size = Number(url.searchParams.get('page_size') ?? defaultPage)
    const token = url.searchParams.get('page_token')
    const scope = `${url.pathname} ${url.searchParams.get('environment') ?? ''}`
    const place = token === null ? { scope, at: 0 } : places.get(token)
    const isSize = Number.isInteger(size) && size >= 1 && size <= largestPage
    if (!isSize || place?.scope !== scope || (token !== null && faults.strikes('token-expired', address)))
      return undefined
    const newToken = (at: number): string => {
      const made = randomBytes(24).toString('base64url')
      places.set(made, { scope, at })
      return made
    }
    const render = (next: string | undefined): string | null => {
      if (next === undefined) return null
      const target = new URL(`https://api.confluent.cloud${address}`)
      target.searchParams.set('page_token', next)
      return target.href
    }
    if (faults.strikes('token-endless', address)) return { data: [], next: render(newToken(place.at)) }
    const data = list.slice(place.at, place.at + size)
    const isLast = place.at + size >= list.length
    if (token !== null && faults.strikes('token-repeats', address)) return { data, next: render(token) }
    if (isLast && faults.strikes('token-loops', address)) {
      const first = [...places].find(([, { scope: its, at }]) => its === scope && at === size)?.[0]
      return { data, next: render(first ?? newToken(0)) }
    }
    return { data, next: render(isLast ? undefined : newToken(place.at + size)) }
  }
}

const kafkaList = (kind: string, data: readonly unknown[]): Answer => ({
  status: 200,
  body: { kind, metadata: { self: '', next: null }, data },
})

const answerKafka = async (cluster: ConfluentCluster, rest: string): Promise<Answer> => {
  const { id, kafka } = cluster
  if (rest === 'topics')
    return kafkaList(
      'KafkaTopicList',
      (await kafka.topics()).map((each) => topicOf(id, each)),
    )
  if (rest === 'consumer-groups')
    return kafkaList(
      'KafkaConsumerGroupList',
      (await kafka.groups()).map((group) => ({
        kind: 'KafkaConsumerGroup',
        metadata: { self: '' },
        cluster_id: id,
        consumer_group_id: group,
        is_simple: false,
        partition_assignor: 'range',
        state: 'STABLE',
        type: 'CLASSIC',
        is_mixed_consumer_group: false,
        coordinator: { related: '' },
        consumers: { related: '' },
        lag_summary: { related: '' },
      })),
    )
  if (rest === 'acls')
    return kafkaList(
      'KafkaAclList',
      (await kafka.acls()).map((acl) => ({
        kind: 'KafkaAcl',
        metadata: { self: '' },
        cluster_id: id,
        resource_type: acl.resourceType,
        resource_name: acl.resourceName,
        pattern_type: acl.patternType,
        principal: acl.principal,
        host: acl.host,
        operation: acl.operation,
        permission: acl.permission,
      })),
    )
  const topic = decodeURIComponent(/^topics\/([^/]+)\/configs$/.exec(rest)?.[1] ?? '')
  const settings = topic === '' ? undefined : await kafka.settings(topic)
  if (settings === undefined) return kafkaRefusal(40403, 'This server does not host this topic-partition.')
  return kafkaList(
    'KafkaTopicConfigList',
    settings.map((each) => settingOf(id, topic, each)),
  )
}

/**
 * The part of Confluent Cloud's REST APIs that Switchboard needs, simulated as their published specifications have it: paths,
 * paging, errors, rate-limit headers and deprecated fields. Its numbers of requests are made up.
 *
 * @see https://docs.confluent.io/cloud/current/api.html
 */
export const startConfluentControlPlane = async ({
  organization,
  cloudKey,
  forbidden = [],
  kafkaKeyOf,
  rate = { limit: 1_000, windowMs: 60_000 },
  port = 0,
  hasSrcmV3 = true,
  identities = createIdentities(),
  roleBindings = createRoleBindings(),
  apiKeys = createApiKeys(),
  now = Date.now,
}: ConfluentControlPlaneOptions): Promise<ConfluentControlPlane> => {
  const faults = createFaults(now)
  const page = createPager(faults)
  const requests: string[] = []
  const windows = new Map<string, { readonly endsAt: number; used: number }>()
  const all = organization.environments.flatMap((environment) =>
    environment.clusters.map((cluster) => ({ environment, cluster })),
  )
  const clusterById = new Map(all.map((each) => [each.cluster.id, each]))
  const environmentById = new Map(organization.environments.map((each) => [each.id, each]))

  /** The headers of every answer, and whether the key has used up its window. */
  const count = (who: string): { readonly headers: Readonly<Record<string, string>>; readonly isOver: boolean } => {
    const last = windows.get(who)
    const window = last === undefined || last.endsAt <= now() ? { endsAt: now() + rate.windowMs, used: 0 } : last
    windows.set(who, window)
    window.used++
    const reset = String(Math.ceil((window.endsAt - now()) / 1_000))
    const isOver = window.used > rate.limit
    return {
      isOver,
      headers: {
        'x-ratelimit-limit': String(rate.limit),
        'x-ratelimit-remaining': String(Math.max(0, rate.limit - window.used)),
        'x-ratelimit-reset': reset,
        ...(isOver && { 'retry-after': reset }),
      },
    }
  }

  const listAnswer = (list: readonly unknown[], url: URL, kind: string): Answer => {
    const [, group, version] = url.pathname.split('/')
    const found = page(list, url)
    if (found === undefined) return refusal(400, 'invalid_page_token', 'The page_token or the page_size is not valid.')
    return {
      status: 200,
      body: { api_version: `${group}/${version}`, kind, metadata: { next: found.next }, data: found.data },
    }
  }

  const identityAnswer = async (url: URL, method: string, body: Body): Promise<Answer> => {
    const missing = refusal(404, 'resource_not_found', 'There is no such resource.')
    const [, id = '', kind, poolId] =
      /^\/iam\/v2\/identity-providers(?:\/([^/]+)(?:\/(identity-pools|jwks)(?:\/([^/]+))?)?)?$/.exec(url.pathname) ?? []
    const found = identities.providers().find((provider) => provider.id === id)
    if (id !== '' && found === undefined) return missing
    const made = (provider: IdentityProvider | IdentityPool | undefined): Answer => {
      if (provider === undefined) return missing
      return {
        status: method === 'POST' ? 201 : 200,
        body: 'issuer' in provider ? providerOf(provider) : poolOf(provider),
      }
    }
    const named = { displayName: () => textIn(body, 'display_name'), description: () => textIn(body, 'description') }
    switch (
      `${method} ${kind ?? 'provider'}${kind === undefined && id === '' ? 's' : ''}${poolId === undefined ? '' : '/id'}`
    ) {
      case 'GET providers':
        return listAnswer(identities.providers().map(providerOf), url, 'IdentityProviderList')
      case 'GET provider':
        return made(found)
      case 'POST providers':
        return made(
          await identities.addProvider({
            displayName: named.displayName(),
            description: named.description(),
            issuer: textIn(body, 'issuer'),
            jwksUri: textIn(body, 'jwks_uri'),
          }),
        )
      case 'PATCH provider':
        return made(await identities.changeProvider(id, { jwksUri: textIn(body, 'jwks_uri') }))
      case 'PATCH jwks': {
        const refreshed = await identities.refresh(id)
        return {
          status: 200,
          body: { api_version: 'iam/v2', kind: 'Jwks', spec: {}, status: { keys: refreshed?.kids } },
        }
      }
      case 'GET identity-pools':
        return listAnswer(identities.pools(id).map(poolOf), url, 'IdentityPoolList')
      case 'POST identity-pools':
        return made(
          identities.addPool({
            provider: id,
            displayName: named.displayName(),
            description: named.description(),
            identityClaim: textIn(body, 'identity_claim'),
            filter: textIn(body, 'filter'),
          }),
        )
      case 'PATCH identity-pools/id':
        return made(
          identities.changePool(poolId ?? '', {
            ...(body.filter !== undefined && { filter: textIn(body, 'filter') }),
            ...(body.identity_claim !== undefined && { identityClaim: textIn(body, 'identity_claim') }),
          }),
        )
      default:
        return missing
    }
  }

  const keyAnswer = (url: URL, method: string, body: Body): Answer => {
    const missing = refusal(404, 'resource_not_found', 'There is no such resource.')
    const [, collection = '', id] = /^\/iam\/v2\/(service-accounts|api-keys)(?:\/([^/]+))?$/.exec(url.pathname) ?? []
    switch (`${method} ${collection}${id === undefined ? '' : '/id'}`) {
      case 'GET service-accounts':
        return listAnswer(apiKeys.accounts().map(accountOf), url, 'ServiceAccountList')
      case 'POST service-accounts': {
        const displayName = textIn(body, 'display_name')
        if (displayName.length > 64) throw new Error('display_name has more than 64 characters')
        const made = apiKeys.addAccount({ displayName, description: textIn(body, 'description') })
        if (made === undefined) return refusal(409, 'resource_already_exists', 'The service name is already in use.')
        return { status: 201, body: accountOf(made) }
      }
      case 'GET api-keys': {
        const [owner, resource] = ['spec.owner', 'spec.resource'].map((name) => url.searchParams.get(name))
        const found = apiKeys
          .keys()
          .filter((key) => (owner ?? key.owner) === key.owner && (resource ?? key.resource.id) === key.resource.id)
        return listAnswer(
          found.map((key) => keyOf(key)),
          url,
          'ApiKeyList',
        )
      }
      case 'POST api-keys': {
        const spec = objectIn(body, 'spec')
        const resource = { id: textIn(objectIn(spec, 'resource'), 'id'), environment: '' }
        resource.environment = textIn(objectIn(spec, 'resource'), 'environment')
        const environment = environmentById.get(resource.environment)
        const isThere = environment?.clusters.some(({ id: its }) => its === resource.id)
        if (!isThere && environment?.registry?.id !== resource.id) return missing
        const made = apiKeys.addKey({
          displayName: textIn(spec, 'display_name'),
          description: textIn(spec, 'description'),
          owner: textIn(objectIn(spec, 'owner'), 'id'),
          resource,
        })
        if (made === 'no owner') return missing
        if (made === 'quota') return refusal(402, 'quota_exceeded', `${quotaCode} is used up.`)
        return { status: 202, body: keyOf(made, made.secret) }
      }
      case 'GET api-keys/id': {
        const found = apiKeys.keys().find((key) => key.id === id)
        return found === undefined ? missing : { status: 200, body: keyOf(found) }
      }
      case 'DELETE api-keys/id':
        return apiKeys.removeKey(id ?? '') ? { status: 204 } : missing
      default:
        return missing
    }
  }

  const bindingAnswer = (url: URL, method: string, body: Body): Answer => {
    if (method === 'POST') {
      const [principal, role] = [textIn(body, 'principal'), textIn(body, 'role_name')]
      const made = roleBindings.add({ principal, role, crnPattern: textIn(body, 'crn_pattern') })
      return { status: 201, body: bindingOf(made) }
    }
    const crnPattern = url.searchParams.get('crn_pattern')
    if (crnPattern === null) throw new Error('crn_pattern is required')
    const principal = url.searchParams.get('principal')
    const found = roleBindings
      .list()
      .filter((each) => each.crnPattern === crnPattern && (principal ?? each.principal) === each.principal)
    return listAnswer(found.map(bindingOf), url, 'RoleBindingList')
  }

  const quotaAnswer = (url: URL): Answer => {
    if (url.searchParams.get('scope') !== 'SERVICE_ACCOUNT') return listAnswer([], url, 'AppliedQuotaList')
    const isAsked = (url.searchParams.get('id') ?? quotaCode) === quotaCode
    const quotas = isAsked ? apiKeys.accounts().map((account) => quotaOf(account, apiKeys.limit())) : []
    return listAnswer(quotas, url, 'AppliedQuotaList')
  }

  const answerIdentity = async (url: URL, method: string, body: Body): Promise<Answer> => {
    const address = url.pathname + url.search
    if (faults.strikes('forbidden', address)) return refusal(403, 'user_unauthorized', 'Access is denied.')
    if (method === 'POST' && faults.strikes('quota', address))
      return refusal(402, 'quota_exceeded', 'The quota of this resource is used up.')
    try {
      if (url.pathname.startsWith('/iam/v2/identity-providers')) return await identityAnswer(url, method, body)
      if (url.pathname === '/iam/v2/role-bindings') return bindingAnswer(url, method, body)
      return keyAnswer(url, method, body)
    } catch (error) {
      return refusal(400, 'invalid_request', error instanceof Error ? error.message : '')
    }
  }

  const answerManagement = (url: URL, ownUrl: string): Answer => {
    const address = url.pathname + url.search
    if (faults.strikes('forbidden', address)) return refusal(403, 'user_unauthorized', 'Access is denied.')
    if (url.pathname === '/org/v2/environments')
      return listAnswer(
        organization.environments.map((each) => environmentOf(organization, each)),
        url,
        'EnvironmentList',
      )
    const environment = environmentById.get(url.searchParams.get('environment') ?? '')
    if (!url.searchParams.has('environment')) return refusal(400, 'invalid_filter', 'environment is required')
    if (environment === undefined) return refusal(404, 'resource_not_found', 'There is no such environment.')
    if (forbidden.includes(environment.id)) return refusal(403, 'user_unauthorized', 'Access is denied.')
    if (faults.strikes('gone', address)) return refusal(404, 'resource_not_found', 'It was deleted.')
    if (url.pathname === '/cmk/v2/clusters')
      return listAnswer(
        environment.clusters.map((each) => clusterOf(organization, environment, each, ownUrl)),
        url,
        'ClusterList',
      )
    const cluster = clusterById.get(/^\/cmk\/v2\/clusters\/([^/]+)$/.exec(url.pathname)?.[1] ?? '')
    if (cluster?.environment === environment)
      return { status: 200, body: clusterOf(organization, environment, cluster.cluster, ownUrl) }
    const version = /^\/srcm\/(v2|v3)\/clusters$/.exec(url.pathname)?.[1]
    if (version === 'v2' || (version === 'v3' && hasSrcmV3))
      return listAnswer(
        environment.registry === undefined ? [] : [registryOf(organization, environment, version)],
        url,
        'ClusterList',
      )
    return refusal(404, 'resource_not_found', 'There is no such resource.')
  }

  const answer = async (url: URL, authorization: string, ownUrl: string, request: IncomingMessage): Promise<Answer> => {
    const address = url.pathname + url.search
    const [, clusterId, rest] = /^\/kafka\/v3\/clusters\/([^/]+)\/(.+)$/.exec(url.pathname) ?? []
    if (clusterId !== undefined && rest !== undefined) {
      if (faults.strikes('throttled', address))
        return { status: 429, html: '<html><head><title>Error 429 Too Many Requests</title></head></html>' }
      if (faults.strikes('internal-error', address)) return kafkaRefusal(500, 'Internal Server Error')
      const key = kafkaKeyOf(clusterId)
      const cluster = clusterById.get(clusterId)
      if (key === undefined || authorization !== basic(key)) return kafkaRefusal(40101, 'Authentication failed')
      if (cluster === undefined || faults.strikes('gone', address)) return kafkaRefusal(404, 'HTTP 404 Not Found')
      if (faults.strikes('forbidden', address)) return kafkaRefusal(40301, 'Request is not authorized')
      return answerKafka(cluster.cluster, rest)
    }
    const { headers, isOver } = count(authorization)
    if (isOver || faults.strikes('throttled', address))
      return { status: 429, headers: { 'retry-after': '10', ...headers } }
    if (faults.strikes('internal-error', address))
      return refusal(500, 'internal_error', 'Oops, something went wrong!', headers)
    if (authorization !== basic(cloudKey) || faults.strikes('unauthenticated', address))
      return refusal(401, 'user_unauthenticated', 'Valid authentication credentials must be provided', headers)
    const made = url.pathname.startsWith('/iam/v2/')
      ? await answerIdentity(url, request.method ?? '', await readBody(request))
      : url.pathname === '/service-quota/v1/applied-quotas'
        ? quotaAnswer(url)
        : answerManagement(url, ownUrl)
    return { ...made, headers: { ...headers, ...made.headers } }
  }

  /** What other processes may change; `GET` of anything here says no more than that it is there. */
  const answerSimulated = async (url: URL, request: IncomingMessage): Promise<Answer> => {
    if (request.method !== 'PUT') return { status: 405 }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString('utf8')
    try {
      if (url.pathname === '/_simulated/faults') {
        const wanted = parseFaults(text)
        faults.clear()
        for (const each of wanted) faults.inject(each)
      } else if (url.pathname === '/_simulated/propagation') {
        const { minMs, maxMs } = JSON.parse(text)
        if (!(minMs >= 0 && maxMs >= minMs)) throw new RangeError('`minMs` up to `maxMs`')
        apiKeys.setPropagation({ minMs, maxMs })
      } else if (url.pathname === '/_simulated/api-key-limit') apiKeys.setLimit(JSON.parse(text).limit)
      else return { status: 404 }
      return { status: 204 }
    } catch (error) {
      return { status: 400, body: { message: String(error) } }
    }
  }

  const send = (response: ServerResponse, { status, body, html, headers }: Answer, isHalf: boolean): void => {
    const type = html === undefined ? 'application/json' : 'text/html'
    const text = html ?? (body === undefined ? '' : JSON.stringify(body))
    response.writeHead(status, { 'content-type': type, 'x-request-id': randomUUID(), ...headers })
    response.end(isHalf ? text.slice(0, text.length / 2) : text)
  }

  const server = createServer(async (request, response) => {
    const ownUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const url = new URL(request.url ?? '/', ownUrl)
    const address = url.pathname + url.search
    if (url.pathname.startsWith('/_simulated/')) {
      send(response, await answerSimulated(url, request), false)
      return
    }
    requests.push(request.method === 'GET' ? address : `${request.method} ${address}`)
    // it lasts until the other side gives up, or everything stops
    if (faults.strikes('half-open', address)) return
    try {
      const made = await answer(url, request.headers.authorization ?? '', ownUrl, request)
      if (faults.strikes('answer-lost', `${request.method} ${address}`)) {
        request.socket.destroy()
        return
      }
      send(response, made, made.status === 200 && faults.strikes('malformed', address))
    } catch {
      send(response, { status: 500 }, false)
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults,
    requests,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
