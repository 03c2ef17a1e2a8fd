import * as z from 'zod'
import type { PublicJwk } from './signing-key-store.ts'

/**
 * The keys as `/.well-known/jwks.json` publishes them (RFC 7517 5), for the published contract and its tests. Strict, so
 * that a private member is noticed. The functions never load this file.
 */
export const jwksSchema = z.strictObject({
  keys: z
    .array(
      z.strictObject({
        kty: z.literal('EC'),
        crv: z.literal('P-256'),
        x: z.string(),
        y: z.string(),
        kid: z.string(),
        alg: z.literal('ES256'),
        use: z.literal('sig'),
      }),
    )
    .min(1),
}) satisfies z.ZodType<{ readonly keys: readonly PublicJwk[] }>
