import type * as z from 'zod'
import type { Calls } from './calls.ts'
import { SourceError } from './cluster-source.ts'

/** HTTP Basic, as Confluent Cloud's API keys and schema registries have it. */
export type ApiKey = { readonly key: string; readonly secret: string }

export type JsonApiOptions = {
  readonly fetch: typeof globalThis.fetch
  readonly calls: Calls
  readonly url: string
  readonly key: ApiKey | undefined
  /** Allows http to loopback hosts. */
  readonly development: boolean
  /** More is not read. @default 32 MiB */
  readonly mostBytes?: number
}

/** Asks for JSON. @throws SourceError */
export type JsonApi = {
  readonly get: <T>(
    path: string,
    schema: z.ZodType<T>,
    query?: Readonly<Record<string, string | undefined>>,
  ) => Promise<T>
}

const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)

/** An address comes from the other side's answer, and a key goes there: never in clear, never with a name in the URL. */
const parseUrl = (text: string, development: boolean): URL => {
  const url = URL.parse(text)
  if (url === null) throw new SourceError('malformed', `\`${text.slice(0, 200)}\` is no URL`)
  const isSafe = url.protocol === 'https:' || (development && url.protocol === 'http:' && isLoopback(url.hostname))
  if (!isSafe || url.username !== '' || url.password !== '')
    throw new SourceError('malformed', `\`${url.host}\` is not asked: its URL is not https`)
  return url
}

const seconds = (value: string | null): number | undefined =>
  value !== null && /^\d{1,5}$/.test(value.trim()) ? Number(value) * 1_000 : undefined

/** Confluent says in seconds from now when its window ends, in both headers. */
const retryAfterMs = (headers: Headers): number | undefined =>
  seconds(headers.get('retry-after')) ?? seconds(headers.get('x-ratelimit-reset'))

const refusal = ({ status, headers }: Response, what: string, hasToken: boolean): SourceError => {
  const text = `${what}: answered ${status}`
  if (status === 429) return new SourceError('throttled', text, { retryAfterMs: retryAfterMs(headers) })
  if (status === 401 || status === 403) return new SourceError('denied', text)
  if (status === 404 || status === 410) return new SourceError('gone', text)
  if (status === 400) return new SourceError('unexpected', text, { isTokenRefused: hasToken })
  if (status >= 500) return new SourceError('unavailable', text, { retryAfterMs: seconds(headers.get('retry-after')) })
  return new SourceError('unexpected', text)
}

const readBounded = async (response: Response, mostBytes: number, what: string): Promise<string> => {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > mostBytes) throw new SourceError('too_large', `${what}: the answer is over ${mostBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const parseAs = <T>(text: string, schema: z.ZodType<T>, what: string): T => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new SourceError('malformed', `${what}: the answer is not JSON`, { cause })
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0] ?? { path: [], message: 'it is wrong' }
  throw new SourceError('malformed', `${what}: /${path.join('/')}: ${message}`)
}

/**
 * An answer that says that nothing is left of the rate holds up the calls after it, so that 429 is the exception. No
 * redirect is followed: it would take the key with it.
 *
 * @throws SourceError when the URL is not one to send a key to
 */
export const createJsonApi = ({
  fetch,
  calls,
  url,
  key,
  development,
  mostBytes = 32 * 1_048_576,
}: JsonApiOptions): JsonApi => {
  const base = parseUrl(url, development)
  const authorization =
    key === undefined ? undefined : `Basic ${Buffer.from(`${key.key}:${key.secret}`).toString('base64')}`

  const ask = async (target: URL, what: string, signal: AbortSignal): Promise<Response> => {
    try {
      return await fetch(target, {
        redirect: 'error',
        signal,
        headers: { accept: 'application/json', ...(authorization !== undefined && { authorization }) },
      })
    } catch (cause) {
      throw new SourceError('unavailable', `${what}: no connection`, { cause })
    }
  }

  return {
    get: (path, schema, query = {}) => {
      const target = new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base)
      for (const [name, value] of Object.entries(query)) if (value !== undefined) target.searchParams.set(name, value)
      const what = `${base.host}${target.pathname}`
      const hasToken = query.page_token !== undefined
      return calls.call(what, async (signal) => {
        const response = await ask(target, what, signal)
        if (response.headers.get('x-ratelimit-remaining')?.trim() === '0')
          calls.pause(seconds(response.headers.get('x-ratelimit-reset')) ?? 0)
        if (response.status !== 200) {
          await response.body?.cancel()
          throw refusal(response, what, hasToken)
        }
        let text: string
        try {
          text = await readBounded(response, mostBytes, what)
        } catch (cause) {
          if (cause instanceof SourceError) throw cause
          throw new SourceError('unavailable', `${what}: the answer was cut off`, { cause })
        }
        return parseAs(text, schema, what)
      })
    },
  }
}
