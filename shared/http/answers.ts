import * as z from 'zod'
import { leaseIdPattern } from '../domain/intent.ts'
import { type ResolveAnswer, storedMechanisms } from './connection.ts'
import { oauthErrorCodes } from './oauth-error.ts'
import { problems } from './problem.ts'
import type { ServicegwAnswer } from './servicegw-answer.ts'
import type { TokenAnswer } from './token-answer.ts'

/*
 * The bodies of answers as schemas, for the published contract and the tests that hold answers to it. Strict, so that a
 * member nobody described is noticed. The functions build their answers by type and never load this file.
 */

const time = z.iso.datetime()
const properties = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))

const slot = z
  .enum(['a', 'b'])
  .describe(
    'Another slot is another Kafka user: clients are made anew, and a renewal says so in `moved` when the last of them is.',
  )

export const directoryHashSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/)

/** What every binding of librdkafka takes as it is. */
export const librdkafkaSettingsSchema = properties.describe("librdkafka's own names, flat; certificates inside.")

export const resolveAnswerSchema = z.strictObject({
  lease: z.strictObject({
    id: z.string().regex(leaseIdPattern),
    refreshAfter: time.describe('Come back after this; a client obeys it.'),
    expiresAt: time,
  }),
  connections: z
    .array(
      z.strictObject({
        cluster: z.strictObject({ name: z.string(), provider: z.string() }),
        topics: z.record(z.string(), z.string()).describe('Asked channel to the name of its topic.'),
        patterns: z
          .record(z.string(), z.string())
          .describe('Asked pattern to an anchored regular expression over topics; it runs in Java, RE2 and librdkafka.')
          .exactOptional(),
        properties: properties.describe("Settings of every client of this cluster, in Kafka's own names; no secret."),
        extensions: z
          .record(z.string(), z.string())
          .describe('SASL extensions (RFC 7628) that a client sends beside its token; on Confluent Cloud alone.')
          .exactOptional(),
        producer: properties.describe('Only with `produce` in the intent.').exactOptional(),
        consumer: properties.describe('Only with `consume` in the intent.').exactOptional(),
        schemaRegistry: z
          .strictObject({
            url: z.url(),
            logicalCluster: z.string().describe('What the header `target-sr-cluster` has to say.').exactOptional(),
            identityPoolId: z
              .string()
              .describe('What the header `Confluent-Identity-Pool-Id` has to say.')
              .exactOptional(),
            credential: z.union([
              z.strictObject({ kind: z.literal('jwt'), token: z.string(), expiresAt: time }),
              z.strictObject({ kind: z.literal('basic'), username: z.string(), password: z.string() }),
            ]),
          })
          .describe('Only with a grant that says `schemas`, where the cluster has a registry.')
          .exactOptional(),
        credential: z.union([
          z.strictObject({ kind: z.literal('jwt'), token: z.string(), expiresAt: time }),
          z
            .strictObject({ kind: z.literal('workload') })
            .describe('The client gets its tokens from AWS, as its own role; `properties` say how.'),
          z
            .strictObject({ kind: z.literal('msk-iam'), token: z.string(), expiresAt: time })
            .describe('What SASL/OAUTHBEARER takes as its token; it is no JWT, and says nothing to the client.'),
          z.strictObject({
            kind: z.literal('scram'),
            mechanism: z.literal(storedMechanisms.scram),
            username: z.string(),
            password: z.string(),
            slot,
          }),
          z
            .strictObject({
              kind: z.literal('api-key'),
              mechanism: z.literal(storedMechanisms['api-key']),
              username: z.string().describe('The API key.'),
              password: z.string().describe('Its secret.'),
              slot,
            })
            .describe('Of Confluent Cloud.'),
          z
            .strictObject({
              kind: z.literal('reference'),
              mechanism: z.literal(storedMechanisms.scram),
              arn: z
                .string()
                .describe('Of a secret in AWS Secrets Manager, which the caller reads with rights of its own.'),
              versionId: z.string(),
              username: z.string(),
              slot,
            })
            .describe(
              'The text of the secret is JSON: `username` and `password`, on clusters that are not MSK below the name of the slot.',
            ),
          z
            .strictObject({
              kind: z.literal('reference'),
              mechanism: z.literal(storedMechanisms['api-key']),
              arn: z.string().describe('Of a secret in AWS Secrets Manager, as above.'),
              versionId: z.string(),
              slot,
            })
            .describe('The text of the secret is JSON: the user is `apiKey`, the password `apiSecret`.'),
        ]),
      }),
    )
    .min(1)
    .describe('One a cluster, never merged.'),
  directory: directoryHashSchema.describe('Content address of the policy that decided.'),
}) satisfies z.ZodType<ResolveAnswer>

export const servicegwAnswerSchema = z.strictObject({
  channel_mapping: z.record(z.string(), z.string()).describe('Last segment of an asked channel to its topic.'),
  connection: z.strictObject({ 'bootstrap.servers': z.string() }),
  configuration: properties.describe("The profile, in librdkafka's names, and who the client is."),
  credentials: properties.describe("What librdkafka logs in with; it has the secret of this request's own header."),
}) satisfies z.ZodType<ServicegwAnswer>

/** @see https://www.rfc-editor.org/rfc/rfc9457 */
export const problemSchema = z.strictObject({
  type: z.url(),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string().exactOptional(),
  instance: z.string().describe('Holds the request id, which leads the platform team to the true reason.'),
  code: z.enum(Object.keys(problems) as [keyof typeof problems]),
  retryable: z.boolean().describe('Whether the same request may succeed later.'),
  errors: z
    .array(
      z.strictObject({
        pointer: z.string().describe('RFC 6901, into the body; of a query, the name of the parameter.'),
        detail: z.string(),
      }),
    )
    .min(1)
    .exactOptional(),
})

export const healthSchema = z.strictObject({
  status: z.literal('ok'),
  revision: z.int().min(1),
  directory: directoryHashSchema,
})

/** @see https://www.rfc-editor.org/rfc/rfc6749#section-5.1 */
export const tokenAnswerSchema = z.strictObject({
  access_token: z.string().describe('A JWT of ours for the brokers of one cluster.'),
  token_type: z.literal('Bearer'),
  expires_in: z.int().min(0).describe('Seconds.'),
  scope: z.string().regex(/^kafka:[a-z0-9-]+$/),
}) satisfies z.ZodType<TokenAnswer>

/** @see https://www.rfc-editor.org/rfc/rfc6749#section-5.2 */
export const oauthErrorSchema = z.strictObject({
  error: z.enum(oauthErrorCodes),
  error_description: z
    .string()
    .regex(/^[ !#-[\]-~]+$/)
    .describe('Ends in the request id, which leads the platform team to the true reason.'),
})

/** @see https://www.rfc-editor.org/rfc/rfc8414 */
export const metadataSchema = z.strictObject({
  issuer: z.url(),
  jwks_uri: z.url(),
  token_endpoint: z.url(),
  grant_types_supported: z.array(z.string()),
  token_endpoint_auth_methods_supported: z.array(z.string()),
  response_types_supported: z.array(z.string()),
  subject_types_supported: z.array(z.string()),
  id_token_signing_alg_values_supported: z.array(z.string()),
})
