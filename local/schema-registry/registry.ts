import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export type SchemaRegistryOptions = {
  /** Who may ask, by HTTP Basic. @default - everybody */
  readonly key?: { readonly key: string; readonly secret: string }
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

  const answer = async (request: IncomingMessage, url: URL): Promise<Answer> => {
    if (refusals !== undefined && refusals.calls > 0) {
      refusals.calls--
      const { status, retryAfterSeconds } = refusals
      const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
      return { status, body: { error_code: status, message: 'refused' }, headers }
    }
    if (wanted !== undefined && request.headers.authorization !== wanted) return refusal(401, 'Unauthorized')
    if (url.pathname === '/subjects') return { status: 200, body: list(url.searchParams) }
    const subject = decodeURIComponent(/^\/subjects\/([^/]+)\/versions$/.exec(url.pathname)?.[1] ?? '')
    if (subject !== '' && request.method === 'POST') return register(subject, request)
    const versions = bySubject.get(subject)
    if (versions === undefined) return refusal(40401, `Subject '${subject}' not found.`)
    return { status: 200, body: versions.map((_, at) => at + 1) }
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
