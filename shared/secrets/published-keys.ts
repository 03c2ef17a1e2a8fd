import * as z from 'zod'

/** The ids of the keys that brokers are given; undefined when they cannot be read from here. */
export type ReadPublishedKeys = () => Promise<ReadonlySet<string> | undefined>

const jwksSchema = z.object({ keys: z.array(z.object({ kid: z.string() })) })
const timeoutMs = 3_000

/** Reads our own JWKS at the address that brokers read it from, and follows no redirect, as they do not. */
export const createPublishedKeys =
  (issuerUrl: string, fetch: typeof globalThis.fetch): ReadPublishedKeys =>
  async () => {
    try {
      const response = await fetch(`${issuerUrl}/.well-known/jwks.json`, {
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      })
      const parsed = response.ok ? jwksSchema.safeParse(await response.json()) : undefined
      return parsed?.data && new Set(parsed.data.keys.map(({ kid }) => kid))
    } catch {
      return undefined
    }
  }
