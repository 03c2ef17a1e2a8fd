import { readFile } from 'node:fs/promises'
import { type Lease, type LeaseEvent, type LeaseOptions, openLease } from '@switchboard-kafka/client'
import { CommandError } from '../command-error.ts'
import type { Caller, ServiceArguments } from './arguments.ts'

type Fetch = typeof globalThis.fetch

/** What stands after the scheme of the `Authorization` header; a token file is read anew each time. */
const proofOf = (caller: Caller): (() => string | Promise<string>) => {
  switch (caller.kind) {
    case 'token':
      return () => caller.token
    case 'client': {
      const proof = Buffer.from(`${caller.id}:${caller.secret}`, 'utf8').toString('base64')
      return () => proof
    }
    case 'token-file':
      return async () => {
        try {
          return (await readFile(caller.file, 'utf8')).trim()
        } catch (error) {
          const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
          throw new CommandError(`cannot read the token file \`${caller.file}\` (${code})`)
        }
      }
  }
}

/** The SDK speaks for workloads that have a token; a client proves itself in the same place with another scheme. */
const withBasic =
  (fetch: Fetch): Fetch =>
  (input, init) => {
    const headers = new Headers(init?.headers)
    headers.set('authorization', (headers.get('authorization') ?? '').replace(/^Bearer /, 'Basic '))
    return fetch(input, { ...init, headers })
  }

export type OpenOptions = {
  readonly fetch: Fetch
  readonly signal?: AbortSignal
  readonly onEvent?: (event: LeaseEvent) => void
  /** Reads what a cluster hands out as a reference; without it the lease has the reference. */
  readonly readSecret?: LeaseOptions['readSecret']
}

/**
 * A lease that the SDK keeps fresh: the wait at the start, renewal, ETags, backoff and outages are its work.
 * @throws SwitchboardProblem and SwitchboardError as `openLease`
 */
export const open = (
  { url, caller, intent, instance, waitSeconds }: ServiceArguments,
  { fetch, signal, onEvent, readSecret }: OpenOptions,
): Promise<Lease> =>
  openLease({
    url,
    token: proofOf(caller),
    intent,
    instance,
    startTimeoutMs: waitSeconds * 1000,
    fetch: caller.kind === 'client' ? withBasic(fetch) : fetch,
    ...(signal === undefined ? {} : { signal }),
    ...(onEvent === undefined ? {} : { onEvent }),
    ...(readSecret === undefined ? {} : { readSecret }),
  })

const request = async (
  { url, caller }: Pick<ServiceArguments, 'url' | 'caller'>,
  method: string,
  path: string,
  fetch: Fetch,
  body?: unknown,
): Promise<Response> =>
  fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `${caller.kind === 'client' ? 'Basic' : 'Bearer'} ${await proofOf(caller)()}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    redirect: 'error',
    signal: AbortSignal.timeout(3_000),
  })

/** Gives a lease back. One that cannot be given back ends by itself. */
export const release = async (
  asking: Pick<ServiceArguments, 'url' | 'caller'>,
  lease: string,
  fetch: Fetch,
): Promise<void> => {
  try {
    const response = await request(asking, 'DELETE', `/v1/leases/${encodeURIComponent(lease)}`, fetch)
    await response.body?.cancel()
  } catch {
    // nobody waits for it
  }
}

/** The wishes that no grant allows, and why not, as far as the caller may know; nothing when it cannot be had. */
export const explainDenial = async (asking: ServiceArguments, fetch: Fetch): Promise<readonly string[]> => {
  try {
    const response = await request(asking, 'POST', '/v1/explain', fetch, asking.intent)
    if (response.status !== 200) return []
    const { wishes } = (await response.json()) as { readonly wishes?: unknown }
    return (Array.isArray(wishes) ? wishes : []).flatMap(({ action, asked, outcome, reason }) =>
      outcome === 'denied' ? [`${action} ${asked}${reason === undefined ? '' : `: ${reason}`}`] : [],
    )
  } catch {
    return []
  }
}
