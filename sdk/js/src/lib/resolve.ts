import type { Clock } from '../clock.ts'
import { type FieldError, SwitchboardError, SwitchboardProblem } from '../errors.ts'
import { type Answer, parseAnswer } from './answer.ts'
import type { ReadSecrets } from './read-secrets.ts'
import { retryAfterMs } from './retry-after.ts'

export type ResolveDeps = {
  readonly url: URL
  readonly token: () => string | Promise<string>
  /** The body without `lease`. */
  readonly intent: object
  readonly fetch: typeof globalThis.fetch
  readonly clock: Clock
  readonly timeoutMs: number
  readonly readSecrets?: ReadSecrets
}

/** The lease to renew and, when settings may stay as they are, the ETag they came with. */
export type Renewal = {
  readonly lease: string
  readonly etag: string | undefined
  /** Cluster -> slot that every client runs with by now, where one ran with another before. */
  readonly moved: Readonly<Record<string, string>> | undefined
}

export type Resolved = {
  /** Nothing when Switchboard says that what the client holds is still right (304). */
  readonly answer: Answer | undefined
  readonly etag: string | undefined
  /** What to add to this machine's clock to have Switchboard's. */
  readonly skewMs: number
}

export type Resolve = (renewal: Renewal | undefined, signal: AbortSignal) => Promise<Resolved>

const largestAnswerBytes = 1_048_576
// the Date header counts whole seconds, and the answer was under way
const negligibleSkewMs = 2_000

const skewOf = (response: Response, now: Date): number => {
  const skew = Date.parse(response.headers.get('date') ?? '') - now.getTime()
  return Math.abs(skew) > negligibleSkewMs ? skew : 0
}

const textOf = async (response: Response): Promise<string> => {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > largestAnswerBytes)
      throw new SwitchboardError('malformed_answer', `malformed answer: longer than \`${largestAnswerBytes}\` bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const fieldErrors = (value: unknown, clean: (text: string) => string): readonly FieldError[] =>
  (Array.isArray(value) ? value : []).flatMap((entry: { pointer?: unknown; detail?: unknown } | null) =>
    typeof entry?.pointer === 'string' && typeof entry.detail === 'string'
      ? [{ pointer: clean(entry.pointer), detail: clean(entry.detail) }]
      : [],
  )

const problemOf = (response: Response, body: unknown, token: string, now: Date): SwitchboardProblem => {
  // whatever answered may echo what it was sent
  const clean = (text: string): string => text.replaceAll(token, '[token]').slice(0, 1_000)
  const text = (value: unknown): string | undefined => (typeof value === 'string' && value ? clean(value) : undefined)
  const problem: { readonly [name: string]: unknown } = typeof body === 'object' && body !== null ? { ...body } : {}
  const code = text(problem.code)
  return new SwitchboardProblem({
    code: code ?? 'unexpected_answer',
    status: response.status,
    detail: text(problem.detail) ?? text(problem.title),
    // `instance` is a URI made of the request id
    requestId: text(problem.instance)?.split(/[/:]/).at(-1) ?? text(response.headers.get('x-request-id')),
    retryable:
      code !== undefined && typeof problem.retryable === 'boolean'
        ? problem.retryable
        : [429, 500, 502, 503, 504].includes(response.status),
    retryAfterMs: retryAfterMs(response.headers.get('retry-after'), now),
    errors: fieldErrors(problem.errors, clean),
  })
}

/** One attempt to resolve; the caller decides about the next. */
export const createResolve = ({ url, token, intent, fetch, clock, timeoutMs, readSecrets }: ResolveDeps): Resolve => {
  const readToken = async (): Promise<string> => {
    let value: unknown
    try {
      value = await token()
    } catch (cause) {
      throw new SwitchboardError('token_unavailable', 'the function that gives the workload token failed', { cause })
    }
    // a token file usually ends with a line break; anything else would be quoted by the error of `Headers`
    const trimmed = typeof value === 'string' ? value.trim() : ''
    if (/^[\x21-\x7e]+$/.test(trimmed)) return trimmed
    throw new SwitchboardError('token_unavailable', 'the workload token is empty or has characters that no token has')
  }

  const post = (bearer: string, renewal: Renewal | undefined, signal: AbortSignal): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${bearer}`,
        'content-type': 'application/json',
        accept: 'application/json, application/problem+json',
        ...(renewal?.etag === undefined ? {} : { 'if-none-match': renewal.etag }),
      },
      body: JSON.stringify(renewal ? { ...intent, lease: renewal.lease, moved: renewal.moved } : intent),
      // a redirect would carry the workload's token to an address nobody chose
      redirect: 'error',
      signal,
    })

  const exchange = async (renewal: Renewal | undefined, signal: AbortSignal): Promise<Resolved> => {
    let bearer = await readToken()
    let response = await post(bearer, renewal, signal)
    if (response.status === 401) {
      // the workload's token may have been replaced while this request was under way
      const reread = await readToken()
      if (reread !== bearer) {
        await response.body?.cancel()
        bearer = reread
        response = await post(bearer, renewal, signal)
      }
    }
    const now = clock.now()
    const skewMs = skewOf(response, now)
    const etag = response.headers.get('etag') ?? undefined
    if (response.status === 304 && renewal?.etag !== undefined) return { answer: undefined, etag, skewMs }
    const body = jsonOf(await textOf(response))
    if (response.status === 200) return { answer: parseAnswer(body), etag, skewMs }
    throw problemOf(response, body, bearer, new Date(now.getTime() + skewMs))
  }

  return async (renewal, signal) => {
    const timeout = new AbortController()
    const cancelTimeout = clock.schedule(timeoutMs, () => timeout.abort())
    let isReading = false
    const either = AbortSignal.any([signal, timeout.signal])
    // the function that gives the workload token knows no signal and may never answer
    const aborted = new Promise<never>((_, reject) => {
      either.addEventListener('abort', () => reject(either.reason), { once: true })
    })
    try {
      either.throwIfAborted()
      const resolved = await Promise.race([exchange(renewal, either), aborted])
      if (resolved.answer === undefined || readSecrets === undefined) return resolved
      isReading = true
      return { ...resolved, answer: await Promise.race([readSecrets(resolved.answer), aborted]) }
    } catch (cause) {
      if (cause instanceof SwitchboardError || cause instanceof SwitchboardProblem) throw cause
      if (signal.aborted) throw new SwitchboardError('lease_closed', 'the lease was closed', { cause: signal.reason })
      if (timeout.signal.aborted && isReading)
        throw new SwitchboardError('secret_unavailable', `\`readSecret\` did not answer within \`${timeoutMs}\` ms`, {
          retryable: true,
        })
      if (timeout.signal.aborted)
        throw new SwitchboardError('request_timeout', `no answer from \`${url.origin}\` within \`${timeoutMs}\` ms`, {
          retryable: true,
        })
      throw new SwitchboardError('request_failed', `no answer from \`${url.origin}\``, { retryable: true, cause })
    } finally {
      cancelTimeout()
    }
  }
}
