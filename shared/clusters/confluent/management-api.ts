import * as z from 'zod'

/** A Cloud API key. */
export type CloudKey = { readonly key: string; readonly secret: string }

export type ManagementApiOptions = {
  readonly fetch: typeof globalThis.fetch
  /** @default 'https://api.confluent.cloud' */
  readonly url?: string | undefined
  readonly key: CloudKey
  /** Milliseconds. */
  readonly wait: (ms: number) => Promise<unknown>
  /** Of one call that is told to come back later. @default 4 */
  readonly mostTries?: number
}

/**
 * What Confluent Cloud is told and asked about identities and API keys.
 * @see https://docs.confluent.io/cloud/current/api.html
 * @throws ConfluentError from every call
 */
export type ManagementApi = {
  /** All pages. */
  readonly list: <T>(path: string, item: z.ZodType<T>) => Promise<readonly T[]>
  readonly send: <T>(method: 'POST' | 'PATCH', path: string, body: unknown, schema: z.ZodType<T>) => Promise<T>
  /** Undefined: it is not there. */
  readonly read: <T>(path: string, schema: z.ZodType<T>) => Promise<T | undefined>
  /** What is not there counts as removed. */
  readonly remove: (path: string) => Promise<void>
}

/** `status`: of the answer; undefined: none came, or none that can be read. */
export class ConfluentError extends Error {
  readonly status: number | undefined

  constructor(message: string, status: number | undefined, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ConfluentError'
    this.status = status
  }
}

const requestTimeoutMs = 10_000
/** Confluent's windows are of seconds. */
const longestWaitMs = 30_000
const mostPages = 1_000
const listSchema = z.object({ metadata: z.object({ next: z.string().nullish() }), data: z.array(z.unknown()) })

/** As Confluent says no, without what was sent. */
const problemSchema = z.object({ errors: z.array(z.object({ code: z.string().max(100) })).min(1) })

/** What the person who runs it can do. */
const advice: Readonly<Record<number, string>> = {
  401: 'the Cloud API key is not known: it was deleted, or it is the key of a cluster',
  402: 'a quota of the organisation is used up',
  403: 'the Cloud API key may not do this: its owner needs OrganizationAdmin',
  429: 'too many requests; try again in a minute',
}

const retryAfterMs = (headers: Headers): number => {
  const text = headers.get('retry-after') ?? headers.get('x-ratelimit-reset') ?? ''
  return Math.min(longestWaitMs, /^\d{1,5}$/.test(text) ? Number(text) * 1_000 : 1_000)
}

export const createManagementApi = ({
  fetch,
  url = 'https://api.confluent.cloud',
  key,
  wait,
  mostTries = 4,
}: ManagementApiOptions): ManagementApi => {
  const authorization = `Basic ${Buffer.from(`${key.key}:${key.secret}`).toString('base64')}`

  const refusal = async (response: Response, what: string): Promise<ConfluentError> => {
    const problem = problemSchema.safeParse(await response.json().catch(() => undefined))
    const code = problem.data?.errors[0]?.code
    const { status } = response
    const text = [`${what}: answered ${status}`, code, advice[status]].filter((part) => part !== undefined).join(', ')
    return new ConfluentError(text, status)
  }

  /** Only what Confluent has certainly not done is tried again: another POST could make a second one of it. */
  const request = async (method: string, target: URL, body?: unknown): Promise<Response> => {
    const what = `${method} ${target.host}${target.pathname}`
    for (let tries = 1; ; tries++) {
      let response: Response
      try {
        response = await fetch(target, {
          method,
          // it would take the key with it
          redirect: 'error',
          signal: AbortSignal.timeout(requestTimeoutMs),
          headers: {
            accept: 'application/json',
            authorization,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
      } catch (cause) {
        throw new ConfluentError(`${what}: no answer`, undefined, { cause })
      }
      if (response.status === 429 && tries < mostTries) {
        await response.body?.cancel()
        await wait(retryAfterMs(response.headers))
        continue
      }
      if (!response.ok) throw await refusal(response, what)
      return response
    }
  }

  const ask = async (method: string, target: URL, body?: unknown): Promise<unknown> => {
    const response = await request(method, target, body)
    return response.json().catch((cause: unknown) => {
      throw new ConfluentError(`${method} ${target.host}${target.pathname}: the answer is not JSON`, response.status, {
        cause,
      })
    })
  }

  const unlessAbsent = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      if (error instanceof ConfluentError && error.status === 404) return undefined
      throw error
    }
  }

  const parseAs = <T>(value: unknown, schema: z.ZodType<T>, what: string): T => {
    const parsed = schema.safeParse(value)
    if (parsed.success) return parsed.data
    throw new ConfluentError(`${what}: the answer has no \`${parsed.error.issues[0]?.path.join('.')}\``, undefined)
  }

  return {
    list: async (path, item) => {
      const found: unknown[] = []
      let token: string | undefined
      for (let pages = 0; pages < mostPages; pages++) {
        const target = new URL(path, url)
        target.searchParams.set('page_size', '100')
        if (token !== undefined) target.searchParams.set('page_token', token)
        const { data, metadata } = parseAs(await ask('GET', target), listSchema, path)
        found.push(...data)
        // the key goes where it went before, wherever the next page is said to be
        const next = metadata.next ? URL.parse(metadata.next, url)?.searchParams.get('page_token') : undefined
        if (!next) return found.map((each) => parseAs(each, item, path))
        token = next
      }
      throw new ConfluentError(`${path}: more than ${mostPages} pages`, undefined)
    },
    read: async (path, schema) => {
      const found = await unlessAbsent(() => ask('GET', new URL(path, url)))
      return found === undefined ? undefined : parseAs(found, schema, path)
    },
    remove: async (path) => {
      const response = await unlessAbsent(() => request('DELETE', new URL(path, url)))
      await response?.body?.cancel()
    },
    send: async (method, path, body, schema) => parseAs(await ask(method, new URL(path, url), body), schema, path),
  }
}
