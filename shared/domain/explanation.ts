import * as z from 'zod'
import type { Explanation } from './explain.ts'

/*
 * The body of an answer of `POST /v1/explain` as a schema, for the published contract and the tests that hold answers to
 * it. Strict, so that a member nobody described is noticed. The functions never load this file.
 */

const time = z.iso.datetime()
const position = z.int().min(0)

export const explanationSchema = z.strictObject({
  principal: z.strictObject({ name: z.string(), labels: z.record(z.string(), z.string()) }),
  identityRule: position,
  outcome: z.enum(['allow', 'deny']),
  rule: z.int().min(1).max(6).exactOptional(),
  reason: z.string().exactOptional(),
  wishes: z.array(
    z.strictObject({
      pointer: z.string(),
      action: z.enum(['produce', 'consume']),
      asked: z.string(),
      outcome: z.enum(['allowed', 'denied']),
      rule: z.int().min(1).max(6).exactOptional(),
      reason: z.string().exactOptional(),
      grant: position.exactOptional(),
      nearMisses: z.array(
        z.strictObject({
          grant: position,
          because: z.enum([
            'it allows the other action',
            'it has ended',
            'it does not allow the group',
            'it allows other channels',
          ]),
        }),
      ),
      routes: z.array(z.strictObject({ route: position, cluster: z.string(), topics: z.string() })),
    }),
  ),
  clusters: z.array(
    z.strictObject({
      cluster: z.string(),
      quarantined: z.boolean(),
      listener: z.string().exactOptional(),
      network: z.string().exactOptional(),
      security: z.string().exactOptional(),
      credential: z.string().exactOptional(),
      because: z
        .enum([
          'the cluster takes no other',
          'tokens come before stored credentials',
          'this client cannot log in with any other there',
        ])
        .exactOptional(),
      passedOver: z
        .array(
          z.strictObject({
            credential: z.string(),
            because: z.enum(['another comes first', 'this client cannot log in with it there']),
          }),
        )
        .exactOptional(),
      schemaRegistry: z
        .strictObject({
          url: z.string(),
          credential: z.string(),
          grant: position.exactOptional(),
          secret: z.string().exactOptional(),
        })
        .exactOptional(),
    }),
  ),
  lease: z
    .strictObject({
      expiresAt: time,
      limit: z.string(),
      limits: z.array(z.strictObject({ name: z.string(), expiresAt: time })),
    })
    .exactOptional(),
  directory: z.string().regex(/^sha256:[0-9a-f]{64}$/),
}) satisfies z.ZodType<Explanation>
