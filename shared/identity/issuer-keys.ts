import { createHash } from 'node:crypto'
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import * as z from 'zod'
import { SwitchboardError } from '../domain/errors.ts'

/** Where an issuer's keys come from: `jwksUri` from the policy, else by discovery. */
export type IssuerSource = { readonly issuer: string; readonly jwksUri: string | undefined }

export type IssuerKeys = (source: IssuerSource) => Promise<TrustedKeys>

/** `generation` is another value whenever the issuer's keys are others: what was verified with the old ones is void. */
export type TrustedKeys = { readonly getKey: JWTVerifyGetKey; readonly generation: string }

export type IssuerKeysOptions = {
  readonly fetch: typeof globalThis.fetch
  readonly clock: () => Date
  /** Allows http to loopback hosts. */
  readonly development: boolean
  readonly onFailure: (issuer: string, error: unknown) => void
}

const refetchMs = 30_000
const freshMs = 600_000
/** Keys whose issuer cannot be reached go on for this long, then its tokens are refused with a 503. */
const staleMs = 3_600_000
const timeoutMs = 2_000
const maximumBytes = 65_536

const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.string() })
const jwksSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) })

const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)

/** Reads at most `maximumBytes`, so that no issuer can fill the function's memory. */
const readBounded = async (response: Response): Promise<string> => {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maximumBytes) throw new Error(`the answer is over ${maximumBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * Keys of the issuers that the policy names: https, no redirects, 64 KB, 2 s, and `jwks_uri` on the issuer's own origin
 * unless the policy says where. An unknown `kid` causes at most one fetch per issuer in 30 s, whoever asks.
 * @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
 */
export const createIssuerKeys = ({ fetch, clock, development, onFailure }: IssuerKeysOptions): IssuerKeys => {
  type Held = {
    keys: JWTVerifyGetKey | undefined
    generation: string
    fetchedAt: number
    attemptedAt: number
    pending: Promise<void> | undefined
  }
  const held = new Map<string, Held>()

  const getJson = async (url: string): Promise<unknown> => {
    const { protocol, hostname } = new URL(url)
    if (protocol !== 'https:' && !(development && protocol === 'http:' && isLoopback(hostname)))
      throw new Error(`\`${url}\` is not https`)
    const signal = AbortSignal.timeout(timeoutMs)
    const response = await fetch(url, { redirect: 'error', signal, headers: { accept: 'application/json' } })
    if (response.status !== 200) throw new Error(`\`${url}\` answered ${response.status}`)
    return JSON.parse(await readBounded(response))
  }

  const discover = async (issuer: string): Promise<string> => {
    const metadata = metadataSchema.parse(
      await getJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`),
    )
    if (metadata.issuer !== issuer) throw new Error(`the metadata of \`${issuer}\` names another issuer`)
    if (new URL(metadata.jwks_uri).origin !== new URL(issuer).origin)
      throw new Error(`the \`jwks_uri\` of \`${issuer}\` is on another origin; name it in the policy if that is meant`)
    return metadata.jwks_uri
  }

  const refresh = async (source: IssuerSource, entry: Held): Promise<void> => {
    entry.attemptedAt = clock().getTime()
    try {
      const jwks = jwksSchema.parse(await getJson(source.jwksUri ?? (await discover(source.issuer))))
      entry.keys = createLocalJWKSet(jwks)
      entry.generation = createHash('sha256').update(JSON.stringify(jwks)).digest('base64url')
      entry.fetchedAt = clock().getTime()
    } catch (error) {
      onFailure(source.issuer, error)
    }
  }

  const refreshUnlessRecent = async (source: IssuerSource, entry: Held): Promise<void> => {
    if (entry.pending === undefined && clock().getTime() - entry.attemptedAt < refetchMs) return
    entry.pending ??= refresh(source, entry).finally(() => {
      entry.pending = undefined
    })
    await entry.pending
  }

  return async (source) => {
    const id = `${source.issuer}\n${source.jwksUri ?? ''}`
    const entry = held.get(id) ?? {
      keys: undefined,
      generation: '',
      fetchedAt: Number.NEGATIVE_INFINITY,
      attemptedAt: Number.NEGATIVE_INFINITY,
      pending: undefined,
    }
    held.set(id, entry)
    const age = (): number => clock().getTime() - entry.fetchedAt
    if (entry.keys === undefined || age() >= freshMs) await refreshUnlessRecent(source, entry)
    if (entry.keys === undefined || age() >= staleMs)
      throw new SwitchboardError('unavailable', {
        reason: `the keys of the issuer \`${source.issuer}\` cannot be read`,
        retryAfterSeconds: 5,
      })
    const getKey: JWTVerifyGetKey = async (header, token) => {
      try {
        if (entry.keys === undefined) throw new errors.JWKSNoMatchingKey()
        return await entry.keys(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        await refreshUnlessRecent(source, entry)
        if (entry.keys === undefined) throw error
        return await entry.keys(header, token)
      }
    }
    return { getKey, generation: entry.generation }
  }
}
