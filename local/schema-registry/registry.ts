import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Whether whoever sent these headers may do that: `unknown` is a 401, `forbidden` a 403. */
export type Admit = (
  headers: IncomingHttpHeaders,
  action: 'read' | 'write',
) => Promise<'admitted' | 'unknown' | 'forbidden'>

export type SchemaRegistryOptions = {
  /** Who may ask, by HTTP Basic. @default - everybody, or whom `admit` admits */
  readonly key?: { readonly key: string; readonly secret: string }
  /** Who may ask besides. @default - nobody */
  readonly admit?: Admit
  /** At the start. @default - none */
  readonly subjects?: readonly string[]
  /** Whether it knows `offset` and `limit`; older ones answer all subjects each time. @default true */
  readonly hasPaging?: boolean
  /** @default - any free port */
  readonly port?: number
}

export type SchemaRegistry = {
  readonly url: string
  /** The next answers, whatever is asked: a status, and how long to wait. */
  readonly refuse: (calls: number, status: number, retryAfterSeconds?: number) => void
  readonly stop: () => Promise<void>
}

type Version = { readonly id: number; readonly schema: string; readonly schemaType: string }

/** The API lets each schema be read by its id as well, whatever its subject. */
const schemaOf = ({ schema, schemaType }: Version) => (schemaType === 'AVRO' ? { schema } : { schema, schemaType })

const contentType = 'application/vnd.schemaregistry.v1+json'

const readJson = async (request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> => {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) body += chunk
  return Object(JSON.parse(body === '' ? '{}' : body))
}

/**
 * The names and versions of a schema registry, simulated: schemas are kept and not understood, so any text is compatible
 * with any other.
 *
 * @see https://docs.confluent.io/platform/current/schema-registry/develop/api.html
 */
export const startSchemaRegistry = async ({
  key,
  admit,
  subjects = [],
  hasPaging = true,
  port = 0,
}: SchemaRegistryOptions = {}): Promise<SchemaRegistry> => {
  let lastId = 0
  const bySubject = new Map<string, Version[]>(
    subjects.map((subject) => [subject, [{ id: ++lastId, schema: '"string"', schemaType: 'AVRO' }]]),
  )
  let refusals: { calls: number; readonly status: number; readonly retryAfterSeconds: number | undefined } | undefined
  const wanted = key && `Basic ${Buffer.from(`${key.key}:${key.secret}`).toString('base64')}`
  const admission: Admit = async (headers, action) => {
    if (wanted === undefined ? admit === undefined : headers.authorization === wanted) return 'admitted'
    return admit === undefined ? 'unknown' : admit(headers, action)
  }

  type Answer = { readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> }
  const refusal = (errorCode: number, message: string): Answer => ({
    status: Number(String(errorCode).slice(0, 3)),
    body: { error_code: errorCode, message },
  })

  const list = (query: URLSearchParams): readonly string[] => {
    const prefix = query.get('subjectPrefix') ?? ':*:'
    const names = [...bySubject.keys()].sort().filter((name) => prefix === ':*:' || name.startsWith(prefix))
    const limit = Number(query.get('limit') ?? -1)
    const offset = Number(query.get('offset') ?? 0)
    return hasPaging && limit >= 0 ? names.slice(offset, offset + limit) : names
  }

  const register = async (subject: string, request: IncomingMessage): Promise<Answer> => {
    const { schema, schemaType = 'AVRO' } = await readJson(request)
    if (typeof schema !== 'string' || typeof schemaType !== 'string') return refusal(42201, 'Invalid schema')
    const versions = bySubject.get(subject) ?? []
    const known = versions.find((each) => each.schema === schema && each.schemaType === schemaType)
    const version = known ?? { id: ++lastId, schema, schemaType }
    if (known === undefined) bySubject.set(subject, [...versions, version])
    return { status: 200, body: { id: version.id } }
  }

  const byId = (id: number): Answer => {
    const found = [...bySubject.values()].flat().find((each) => each.id === id)
    return found === undefined ? refusal(40403, `Schema ${id} not found`) : { status: 200, body: schemaOf(found) }
  }

  const registered = (subject: string, versions: readonly Version[], at: number): Answer => {
    const found = versions[at]
    if (found === undefined) return refusal(40402, `Version ${at + 1} not found.`)
    return { status: 200, body: { subject, version: at + 1, id: found.id, ...schemaOf(found) } }
  }

  const versionOf = (subject: string, versions: readonly Version[], version: string): Answer =>
    registered(subject, versions, version === 'latest' ? versions.length - 1 : Number(version) - 1)

  const lookUp = async (subject: string, versions: readonly Version[], request: IncomingMessage): Promise<Answer> => {
    const { schema } = await readJson(request)
    const at = versions.findIndex((each) => each.schema === schema)
    return at < 0 ? refusal(40403, 'Schema not found') : registered(subject, versions, at)
  }

  const answer = async (request: IncomingMessage, url: URL): Promise<Answer> => {
    if (refusals !== undefined && refusals.calls > 0) {
      refusals.calls--
      const { status, retryAfterSeconds } = refusals
      const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
      return { status, body: { error_code: status, message: 'refused' }, headers }
    }
    const isRegistering = request.method === 'POST' && url.pathname.endsWith('/versions')
    const admitted = await admission(request.headers, isRegistering ? 'write' : 'read')
    if (admitted !== 'admitted')
      return admitted === 'unknown' ? refusal(401, 'Unauthorized') : refusal(403, 'Forbidden')
    if (url.pathname === '/subjects') return { status: 200, body: list(url.searchParams) }
    const id = /^\/schemas\/ids\/(\d+)$/.exec(url.pathname)?.[1]
    if (id !== undefined) return byId(Number(id))
    const [, subject = '', version] =
      /^\/subjects\/([^/]+)(?:\/versions(?:\/([^/]+))?)?$/.exec(url.pathname)?.map(decodeURIComponent) ?? []
    if (isRegistering) return register(subject, request)
    const versions = bySubject.get(subject)
    if (versions === undefined) return refusal(40401, `Subject '${subject}' not found.`)
    if (!url.pathname.includes('/versions')) return lookUp(subject, versions, request)
    return version === undefined
      ? { status: 200, body: versions.map((_, at) => at + 1) }
      : versionOf(subject, versions, version)
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const { status, body, headers } = await answer(request, url).catch(() => refusal(50001, 'Error in the backend'))
    response.writeHead(status, { 'content-type': contentType, ...headers })
    response.end(JSON.stringify(body))
  })
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refuse: (calls, status, retryAfterSeconds) => {
      refusals = { calls, status, retryAfterSeconds }
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
