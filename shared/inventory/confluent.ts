import * as z from 'zod'
import type {
  FoundAcl,
  FoundGroup,
  FoundListener,
  FoundSubject,
  FoundTopic,
  PartName,
  Parts,
} from '../domain/inventory.ts'
import type { Calls } from './calls.ts'
import { type ClusterSource, type Part, SourceError, toFailure } from './cluster-source.ts'
import { type ApiKey, createJsonApi, type JsonApi } from './json-api.ts'
import { type Page, pagesOf } from './pages.ts'
import { subjectPages } from './schema-registry.ts'
import { sideBySide } from './side-by-side.ts'

/** What a key is for. A Global API key is for all of them. */
export type ConfluentResource =
  | { readonly kind: 'cloud' }
  | { readonly kind: 'kafka'; readonly id: string }
  | { readonly kind: 'registry'; readonly id: string }

export type ConfluentOptions = {
  /** As people know it; Confluent's answers need none. */
  readonly organization: string
  /** @default 'https://api.confluent.cloud' */
  readonly url?: string
  /** Undefined: there is no key, so what it is for stays unknown. */
  readonly keyOf: (resource: ConfluentResource) => Promise<ApiKey | undefined>
  readonly fetch: typeof globalThis.fetch
  /** Confluent counts by key, and every host has keys of its own. */
  readonly newCalls: () => Calls
  /** Allows http to loopback hosts. */
  readonly development: boolean
  /** Topics whose settings are asked for at a time. Confluent publishes no rate for it. @default 4 */
  readonly atATime?: number
}

/** The largest that Confluent takes. */
const pageSize = '100'
const topicsAPiece = 100

const listOf = <T>(item: z.ZodType<T>) =>
  z.object({ metadata: z.object({ next: z.string().nullish() }), data: z.array(item) })

const environments = listOf(z.object({ id: z.string().min(1) }))

const endpoint = z.object({
  kafka_bootstrap_endpoint: z.string(),
  http_endpoint: z.string(),
  connection_type: z.string(),
})

// `kafka_bootstrap_endpoint`, `http_endpoint` and `api_endpoint` of `spec` itself are deprecated, and not read
const cluster = z.object({
  id: z.string().min(1),
  spec: z.object({
    display_name: z.string(),
    region: z.string(),
    config: z.object({ kind: z.string() }),
    endpoints: z.record(z.string(), endpoint).optional(),
  }),
  status: z.object({ phase: z.string() }),
})
type Cluster = z.output<typeof cluster>
const listedClusters = listOf(z.object({ id: z.string().min(1), spec: z.object({ display_name: z.string() }) }))

const registries = listOf(
  z.object({
    id: z.string().min(1),
    spec: z.object({ http_endpoint: z.string().optional(), private_http_endpoint: z.string().optional() }),
  }),
)

const topics = listOf(
  z.object({
    topic_name: z.string().min(1),
    partitions_count: z.int(),
    replication_factor: z.int(),
    is_internal: z.boolean(),
  }),
)
const configs = listOf(
  z.object({ name: z.string(), value: z.string().nullish(), source: z.string(), is_sensitive: z.boolean() }),
)
const groups = listOf(z.object({ consumer_group_id: z.string(), type: z.string().optional() }))
const acls = listOf(
  z.object({
    resource_type: z.string(),
    resource_name: z.string(),
    pattern_type: z.enum(['LITERAL', 'PREFIXED']),
    principal: z.string(),
    host: z.string(),
    operation: z.string(),
    permission: z.enum(['ALLOW', 'DENY']),
  }),
)

type ListOf<T> = z.output<ReturnType<typeof listOf<T>>>

/** Of the address of the next page only the token is taken: the key goes where it went before. */
const nextOf = (next: string | null | undefined): string | undefined => {
  if (next === undefined || next === null || next === '') return undefined
  const token = URL.parse(next, 'https://api.confluent.cloud')?.searchParams.get('page_token')
  if (token === null || token === undefined || token === '')
    throw new SourceError('malformed', 'the address of the next page has no `page_token`')
  return token
}

const toPage = <T>({ data, metadata }: ListOf<T>): Page<T> => ({ items: data, next: nextOf(metadata.next) })

/** Its own specification spells them both ways: `PRIVATE_LINK` and `PRIVATELINK`. */
const networks: Readonly<Record<string, string>> = {
  PUBLIC: 'public',
  PRIVATELINK: 'private-link',
  PRIVATENETWORKINTERFACE: 'private-network-interface',
}

const networkOf = (type: string): string =>
  networks[type.replaceAll('_', '')] ?? type.toLowerCase().replaceAll('_', '-')

/** By access point: API keys are SASL/PLAIN there, tokens of an identity provider SASL/OAUTHBEARER, both over TLS. */
const mechanisms = ['PLAIN', 'OAUTHBEARER'] as const

const listenersOf = ({ spec: { endpoints = {} } }: Cluster): readonly FoundListener[] =>
  Object.entries(endpoints).map(([field, { kafka_bootstrap_endpoint, connection_type }]) => ({
    field,
    network: networkOf(connection_type),
    bootstrap: kafka_bootstrap_endpoint.replace(/^\w+:\/\//, ''),
    security: 'SASL_SSL',
    mechanisms,
  }))

/** Where its REST API is asked: in public, else at the first access point. */
const restUrlOf = ({ spec: { endpoints = {} } }: Cluster): string | undefined => {
  const first = Object.keys(endpoints).sort()[0] ?? ''
  return (endpoints.PUBLIC ?? endpoints[first])?.http_endpoint
}

const parseId = (id: string): { readonly environment: string; readonly clusterId: string } => {
  const [, environment, clusterId] = /^([\w-]+)\/([\w-]+)$/.exec(id) ?? []
  if (environment === undefined || clusterId === undefined)
    throw new TypeError(`\`${id}\` is not \`<environment>/<cluster>\` of Confluent Cloud`)
  return { environment, clusterId }
}

const chunksOf = <T>(list: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.max(1, Math.ceil(list.length / size)) }, (_, at) => list.slice(at * size, (at + 1) * size))

/**
 * Confluent Cloud, through its REST APIs: environments, clusters and schema registries with a Cloud API key, and what is
 * in a cluster or a registry with a key for it.
 *
 * @see https://docs.confluent.io/cloud/current/api.html
 */
export const createConfluentSource = ({
  organization,
  url = 'https://api.confluent.cloud',
  keyOf,
  fetch,
  newCalls,
  development,
  atATime = 4,
}: ConfluentOptions): ClusterSource => {
  const cloudCalls = newCalls()

  const openApi = async (resource: ConfluentResource, at: string, calls: Calls): Promise<JsonApi> => {
    const key = await keyOf(resource)
    const name = resource.kind === 'cloud' ? organization : resource.id
    if (key === undefined) throw new SourceError('not_configured', `there is no API key for \`${name}\``)
    return createJsonApi({ fetch, calls, url: at, key, development })
  }
  const openCloud = (): Promise<JsonApi> => openApi({ kind: 'cloud' }, url, cloudCalls)

  const pages = <T>(
    api: JsonApi,
    path: string,
    schema: z.ZodType<ListOf<T>>,
    keyOfItem: (item: T) => string,
    query: Readonly<Record<string, string>> = {},
  ): AsyncIterable<Page<T>> =>
    pagesOf({
      what: path,
      keyOf: keyOfItem,
      call: async (token) => toPage(await api.get(path, schema, { ...query, page_token: token })),
    })

  const idOf = ({ id }: { readonly id: string }): string => id

  const topicOf = async (
    api: JsonApi,
    path: string,
    {
      topic_name: name,
      partitions_count: partitions,
      replication_factor: replication,
    }: z.output<typeof topics>['data'][number],
  ): Promise<FoundTopic | undefined> => {
    try {
      const { data } = await api.get(`${path}/${encodeURIComponent(name)}/configs`, configs)
      const minInsync = Number(data.find((each) => each.name === 'min.insync.replicas')?.value ?? Number.NaN)
      const own = data.flatMap(({ name: setting, value, source, is_sensitive }) =>
        source === 'DYNAMIC_TOPIC_CONFIG' && !is_sensitive && typeof value === 'string'
          ? [[setting, value] as const]
          : [],
      )
      const facts = { name, partitions, replication, configs: Object.fromEntries(own) }
      return Number.isSafeInteger(minInsync) ? { ...facts, minInsync } : facts
    } catch (error) {
      if (!(error instanceof SourceError)) throw error
      // it was deleted since it was listed
      if (error.code === 'gone') return undefined
      if (error.code === 'denied') return { name, partitions, replication }
      throw error
    }
  }

  async function* topicPieces(api: JsonApi, base: string): AsyncGenerator<readonly FoundTopic[], void, undefined> {
    const path = `${base}/topics`
    // Confluent answers all topics at once, so what is held is names and numbers; settings come a hundred at a time
    for await (const { items } of pages(api, path, topics, ({ topic_name }) => topic_name)) {
      const shown = items.filter(({ is_internal }) => !is_internal)
      for (const chunk of chunksOf(shown, topicsAPiece))
        yield (await sideBySide(chunk, atATime, (each) => topicOf(api, path, each))).filter(
          (each) => each !== undefined,
        )
    }
  }

  async function* groupPieces(api: JsonApi, base: string): AsyncGenerator<readonly FoundGroup[], void, undefined> {
    const found = pages(api, `${base}/consumer-groups`, groups, ({ consumer_group_id }) => consumer_group_id)
    for await (const { items } of found)
      yield items.map(({ consumer_group_id: name, type }) =>
        type === undefined ? { name } : { name, type: type.toLowerCase() },
      )
  }

  async function* aclPieces(api: JsonApi, base: string): AsyncGenerator<readonly FoundAcl[], void, undefined> {
    for await (const { items } of pages(api, `${base}/acls`, acls, (acl) => JSON.stringify(acl)))
      yield items.map(({ principal, host, permission, operation, resource_type, pattern_type, resource_name }) => ({
        principal,
        host,
        permission,
        operation,
        resource: resource_type,
        pattern: pattern_type,
        name: resource_name,
      }))
  }

  /** v2 is older and knows no private endpoints; where v3 is not there, it is. */
  async function* registryPages(cloud: JsonApi, environment: string) {
    const of = (version: string) =>
      pages(cloud, `/srcm/${version}/clusters`, registries, idOf, { environment, page_size: pageSize })
    try {
      yield* of('v3')
    } catch (error) {
      if (!(error instanceof SourceError) || error.code !== 'gone') throw error
      yield* of('v2')
    }
  }

  async function* registryPieces(
    cloud: JsonApi,
    environment: string,
  ): AsyncGenerator<Parts['registries'], void, undefined> {
    for await (const { items } of registryPages(cloud, environment)) {
      if (items.length === 0) yield []
      for (const { id, spec } of items) {
        const at = spec.http_endpoint ?? spec.private_http_endpoint
        if (at === undefined) throw new SourceError('malformed', `the schema registry \`${id}\` has no address`)
        const api = await openApi({ kind: 'registry', id }, at, newCalls())
        const registry = (subjects: readonly FoundSubject[]) => [{ id, url: at, subjects }]
        for await (const subjects of subjectPages(api)) yield registry(subjects)
      }
    }
  }

  async function* partOrFailure<Name extends PartName>(
    part: Name,
    open: () => Promise<AsyncIterable<Parts[Name]>>,
    onFailure: (error: SourceError) => Promise<void> = async () => {},
  ): AsyncGenerator<Part, void, undefined> {
    try {
      for await (const found of await open()) yield { part, found } as Part
    } catch (error) {
      if (error instanceof SourceError) await onFailure(error)
      yield { part: 'unknown', of: part, failure: toFailure(error) }
    }
  }

  return {
    list: async function* () {
      const cloud = await openCloud()
      for await (const { items } of pages(cloud, '/org/v2/environments', environments, idOf, { page_size: pageSize }))
        for (const { id: environment } of items) {
          try {
            const query = { environment, page_size: pageSize }
            for await (const page of pages(cloud, '/cmk/v2/clusters', listedClusters, idOf, query))
              for (const { id, spec } of page.items)
                yield { kind: 'cluster', ref: { id: `${environment}/${id}`, name: spec.display_name } }
          } catch (error) {
            // an environment that was deleted meanwhile has no clusters
            const failure = toFailure(error)
            if (failure.code !== 'gone') yield { kind: 'unlisted', prefix: `${environment}/`, failure }
          }
        }
    },
    observe: async function* ({ id }) {
      const { environment, clusterId } = parseId(id)
      const cloud = await openCloud()
      const found = await cloud.get(`/cmk/v2/clusters/${clusterId}`, cluster, { environment })
      const { spec, status } = found
      yield {
        part: 'cluster',
        cluster: {
          name: spec.display_name,
          provider: 'confluent',
          account: organization,
          region: spec.region,
          environment,
          state: status.phase,
          kind: spec.config.kind,
          auth: mechanisms,
          listeners: listenersOf(found),
          tags: {},
        },
      }
      const at = restUrlOf(found)
      const base = `/kafka/v3/clusters/${clusterId}`
      let opened: Promise<JsonApi> | undefined
      let down: SourceError | undefined
      const openKafka = (): Promise<JsonApi> => {
        // what did not answer for as long as we have is not asked for the next part again
        if (down !== undefined) throw down
        if (at === undefined)
          throw new SourceError('unsupported', `the cluster \`${id}\` is ${status.phase} and has no address`)
        opened ??= openApi({ kind: 'kafka', id: clusterId }, at, newCalls())
        return opened
      }
      /** A cluster that was deleted meanwhile takes its host along: who knows is who listed it. */
      const onFailure = async (error: SourceError): Promise<void> => {
        if (error.code === 'unavailable' && down === undefined) down = error
        else if (error.code !== 'gone') return
        await cloud.get(`/cmk/v2/clusters/${clusterId}`, cluster, { environment })
      }
      yield* partOrFailure('topics', async () => topicPieces(await openKafka(), base), onFailure)
      yield* partOrFailure('groups', async () => groupPieces(await openKafka(), base), onFailure)
      yield* partOrFailure('acls', async () => aclPieces(await openKafka(), base), onFailure)
      yield* partOrFailure('registries', async () => registryPieces(cloud, environment))
    },
  }
}
