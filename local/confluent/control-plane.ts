import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ConfluentFaults, createFaults, type StrikingFaults } from './faults.ts'
import type { ConfluentCluster, Environment, Organization, Topic, TopicSetting } from './organization.ts'

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

const registryOf = ({ id, registry }: Environment, version: string) => ({
  api_version: `srcm/${version}`,
  kind: 'Cluster',
  id: registry?.id,
  metadata: { self: `https://api.confluent.cloud/srcm/${version}/clusters/${registry?.id}` },
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
 * The part of Confluent Cloud's REST APIs that a crawl needs, simulated as their published specifications have it: paths,
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
        environment.registry === undefined ? [] : [registryOf(environment, version)],
        url,
        'ClusterList',
      )
    return refusal(404, 'resource_not_found', 'There is no such resource.')
  }

  const answer = async (url: URL, authorization: string, ownUrl: string): Promise<Answer> => {
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
    if (authorization !== basic(cloudKey))
      return refusal(401, 'user_unauthenticated', 'Valid authentication credentials must be provided', headers)
    const made = answerManagement(url, ownUrl)
    return { ...made, headers: { ...headers, ...made.headers } }
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
    requests.push(address)
    // it lasts until the other side gives up, or everything stops
    if (faults.strikes('half-open', address)) return
    try {
      const made = await answer(url, request.headers.authorization ?? '', ownUrl)
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
