import * as z from 'zod'
import { isPatternText } from './channel.ts'
import { untilDate } from './policy-times.ts'
import { isPrincipalName } from './principal.ts'
import { propertyProblem } from './profile.ts'

/** The policy document: what a platform team writes. One schema, published as JSON Schema for editors. */

const clusterName = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, {
  error: () => 'a cluster name is 1 to 63 of `a-z 0-9 -`',
})
const plainName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
  error: () => 'a name is 1 to 63 of `A-Z a-z 0-9 . _ -` and starts with a letter or a digit',
})
const text = z
  .string()
  .min(1)
  .max(512)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
  .regex(/^[^\u0000-\u001f\u007f]*$/, { error: () => 'no control characters' })
const labels = z.record(z.string().regex(/^[A-Za-z][A-Za-z0-9._/-]{0,62}$/, { error: () => 'a label name' }), text)
/** No label at all would be everybody. */
const someLabels = labels.refine((value) => Object.keys(value).length > 0, { error: () => 'at least one label' })
const duration = z
  .string()
  .regex(/^[1-9][0-9]{0,5}(s|m|h)$/, { error: () => 'a duration such as `30s`, `15m` or `1h`' })
/** Of a rotation, which tests turn in milliseconds and platform teams in months. */
const span = z.string().regex(/^(?:0|[1-9][0-9]{0,5})(?:ms|s|m|h|d)$/, {
  error: () => 'a duration such as `500ms`, `30s`, `15m`, `1h` or `30d`',
})
const someSpan = span.refine((value) => !value.startsWith('0'), { error: () => 'more than `0s`' })
const day = z.string().refine((value) => untilDate(value) !== undefined, {
  error: () => 'a date such as `2027-03-31` (to the end of that day, UTC) or an instant such as `2027-03-31T12:00:00Z`',
})
const bootstrap = z.string().regex(/^[A-Za-z0-9.-]+:[0-9]{1,5}(,[A-Za-z0-9.-]+:[0-9]{1,5})*$/, {
  error: () => 'a list of `host:port` joined by `,`',
})
const security = z.enum(['SASL_PLAINTEXT', 'SASL_SSL'])
const principalName = z.string().refine(isPrincipalName, {
  error: () => 'a principal is 1 to 63 of `A-Z a-z 0-9 . _ -` and starts with a letter or a digit',
})
const namePattern = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,200}(?<=[._-])\*$|^[A-Za-z0-9][A-Za-z0-9._-]{0,248}$/, {
    error: () => 'a name, or a prefix that ends in a separator and `*`, such as `orders-*`',
  })

const oidcIdentity = z.strictObject({
  issuer: z.url({ protocol: /^https?$/ }),
  audience: text,
  jwks_uri: z.url({ protocol: /^https?$/ }).optional(),
  algorithms: z
    .array(z.enum(['RS256', 'ES256', 'ES384', 'EdDSA']))
    .min(1)
    .optional(),
  claims: z.record(text, z.union([text, z.array(text).min(1)])).optional(),
  principal: text.optional(),
  labels: labels.optional(),
})

const awsIdentity = z.strictObject({
  awsRole: z.string().regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/(?:[\w+=,.@-]+\/)*[\w+=,.@*-]{1,64}$/, {
    error: () => 'the ARN of a role with a literal account, such as `arn:aws:iam::111122223333:role/svc-*`',
  }),
  principal: text.optional(),
  labels: labels.optional(),
})

const clientIdentity = z.strictObject({ client: principalName, labels: labels.optional() })

const identity = z.union([oidcIdentity, awsIdentity, clientIdentity])

const credentialKind = z.enum(['jwt', 'msk-iam', 'workload', 'scram', 'api-key'], {
  error: () => 'a kind of credential: `jwt`, `msk-iam`, `workload`, `scram` or `api-key`',
})

const listener = z.strictObject({
  name: plainName.optional(),
  network: plainName.optional(),
  bootstrap,
  security: security.optional(),
  /** What it takes to log in there; left out: whatever the cluster takes. */
  auth: z.array(credentialKind).min(1).optional(),
})

/** Of stored credentials. What is left out is the provider's own. */
const rotation = z.strictObject({
  every: someSpan.optional(),
  stuckAfter: z.int().min(1).max(1_000).optional(),
  /** Somebody should look at a slot that drains for longer; leases keep it all the same. */
  maxDrain: someSpan.optional(),
  /** The provider's times, where this cluster's are others. */
  clock: z
    .strictObject({
      propagation: span.optional(),
      lookEvery: someSpan.optional(),
      checkEvery: someSpan.optional(),
      skew: span.optional(),
      firstRetry: someSpan.optional(),
      longestRetry: someSpan.optional(),
      claim: someSpan.optional(),
    })
    .optional(),
})

const regionPattern = /^[a-z]{2,3}(?:-[a-z]+)+-\d$/

/** Whether it is spelled as regions are; which there are AWS alone knows. */
export const isRegion = (text: string): boolean => regionPattern.test(text)

const awsRegion = z.string().regex(regionPattern, { error: () => 'a region such as `eu-west-1`' })

const isPlainUrl = (text: string): boolean => {
  const url = URL.parse(text)
  return url !== null && !url.username && !url.password && !url.search && !url.hash
}

/** Where the schemas of a cluster's records are; handed out where a grant says `schemas`. */
const schemaRegistry = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/ })
      .refine(isPlainUrl, { error: () => 'a URL without user, password, query and fragment' }),
    /** Of a registry of Confluent Cloud: it takes the tokens of the cluster's identity pools, or API keys where those are all that the cluster takes. */
    id: z
      .string()
      .regex(/^lsrc-[a-z0-9]{1,60}$/, { error: () => 'the id of a schema registry, such as `lsrc-abc123`' })
      .optional(),
    /** Of user and password for HTTP Basic; its name may have one `{principal}`. */
    secret: z
      .string()
      .regex(
        /^(?:[A-Za-z0-9/_+=.@-]{1,400}(?:\{principal\}[A-Za-z0-9/_+=.@-]{0,40})?|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]{1,519})$/,
        { error: () => 'the name of a secret, which may have one `{principal}`, or the ARN of one' },
      )
      .optional(),
    /** Of who crawl is there; left out: its subjects are not looked for. */
    crawl: z.strictObject({ secret: text }).optional(),
  })
  .refine(({ id, secret }) => (id === undefined) !== (secret === undefined), { error: () => 'either `id` or `secret`' })

const cluster = z
  .strictObject({
    provider: z.enum(['kafka', 'msk', 'confluent']),
    /** Of an MSK cluster; those of MSK Serverless end in `-s1`. */
    arn: z
      .string()
      .regex(/^arn:aws[a-z-]*:kafka:[a-z0-9-]+:\d{12}:cluster\/[A-Za-z0-9-]{1,64}\/[0-9a-f-]{36}-s?\d+$/, {
        error: () => 'the ARN of an MSK cluster',
      })
      .optional(),
    /** Who principals are on an MSK cluster that takes `msk-iam`; left out: the role that the stack makes. */
    iam: z
      .strictObject({
        role: z
          .string()
          .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/(?:[\w+=,.@-]+\/)*[\w+=,.@-]*(?:\{principal\}[\w+=,.@-]*)?$/, {
            error: () => 'the ARN of a role, whose name may have one `{principal}`',
          })
          .refine((role) => !role.endsWith('/'), { error: () => 'the ARN of a role with its name' }),
      })
      .optional(),
    /** Of a cluster of Confluent Cloud. */
    id: z
      .string()
      .regex(/^lkc-[a-z0-9]{1,60}$/, { error: () => 'the id of a cluster of Confluent Cloud, such as `lkc-abc123`' })
      .optional(),
    /** Where API keys of a cluster of Confluent Cloud are made. */
    environment: z
      .string()
      .regex(/^env-[A-Za-z0-9]{1,60}$/, { error: () => 'the id of an environment, such as `env-abc1`' })
      .optional(),
    /** Of a Cloud API key, with which rotate makes API keys and has Confluent read our keys again. */
    cloudKey: z.strictObject({ secret: text }).optional(),
    /** What Confluent Cloud knows our tokens by; `switchboard confluent setup` makes it, and pools and service accounts. */
    identityProvider: z
      .strictObject({
        id: z
          .string()
          .regex(/^op-[A-Za-z0-9]{1,60}$/, { error: () => 'the id of an identity provider, such as `op-abc1`' }),
      })
      .optional(),
    /** Of the tokens that clients get from AWS by themselves, as roles of an account whose issuer Confluent Cloud trusts. */
    workload: z
      .strictObject({
        audience: z.string().regex(/^[!-+\--~]{1,256}$/, { error: () => 'an audience without spaces and `,`' }),
        region: awsRegion,
      })
      .optional(),
    /** Principal -> the pool that is its own. */
    identityPools: z
      .record(
        principalName,
        z
          .string()
          .regex(/^pool-[A-Za-z0-9]{1,60}$/, { error: () => 'the id of an identity pool, such as `pool-abc1`' }),
      )
      .optional(),
    /** Principal -> the service account that is its own, whose API keys rotate makes. */
    serviceAccounts: z
      .record(
        principalName,
        z.string().regex(/^sa-[A-Za-z0-9]{1,60}$/, { error: () => 'the id of a service account, such as `sa-abc1`' }),
      )
      .optional(),
    auth: z
      .array(credentialKind)
      .min(1)
      .refine((kinds) => new Set(kinds).size === kinds.length, { error: () => 'each kind of credential once' }),
    bootstrap: bootstrap.optional(),
    security: security.optional(),
    listeners: z.array(listener).min(1).optional(),
    ca: z
      .string()
      .startsWith('-----BEGIN CERTIFICATE-----', { error: () => 'a certificate in PEM' })
      .optional(),
    audience: text.optional(),
    labels: labels.optional(),
    admin: z.strictObject({ secret: text }).optional(),
    /** How stored credentials are handed out. */
    credential: z.enum(['value', 'reference']).optional(),
    schemaRegistry: schemaRegistry.optional(),
    rotation: rotation.optional(),
    quarantined: z.boolean().optional(),
  })
  .refine(
    ({ provider, bootstrap: one, listeners }) =>
      (one === undefined) !== (listeners === undefined) || (provider !== 'kafka' && one === undefined),
    {
      error: () =>
        'either `bootstrap` or `listeners`; of a cluster of MSK or Confluent Cloud none, and they are those that a crawl finds',
    },
  )

const profile = z.strictObject({
  role: z.enum(['producer', 'consumer']),
  properties: z.record(z.string(), z.union([text, z.number(), z.boolean()])).superRefine((properties, context) => {
    for (const [name, value] of Object.entries(properties)) {
      const problem = propertyProblem(name, value)
      if (problem !== undefined) context.addIssue({ code: 'custom', path: [name], message: problem })
    }
  }),
})

/** Bytes a second on each broker, as Kafka counts them. */
const rate = z.int().min(1).max(Number.MAX_SAFE_INTEGER).optional()
const quota = z
  .strictObject({ produceBytesPerSecond: rate, consumeBytesPerSecond: rate })
  .refine((value) => value.produceBytesPerSecond !== undefined || value.consumeBytesPerSecond !== undefined, {
    error: () => 'a quota needs `produceBytesPerSecond` or `consumeBytesPerSecond`',
  })

const grant = z
  .strictObject({
    principals: z.union([z.array(principalName).min(1), z.strictObject({ labels: someLabels })]),
    produce: z.array(text).min(1).optional(),
    consume: z.array(text).min(1).optional(),
    groups: z.array(namePattern).optional(),
    transactionalIds: z.array(namePattern).optional(),
    maxLease: duration.optional(),
    quota: quota.optional(),
    /** Whether its holders may use the schema registries of the clusters that its channels lead to. */
    schemas: z.boolean().optional(),
    until: day.optional(),
  })
  .refine((value) => value.produce !== undefined || value.consume !== undefined, {
    error: () => 'a grant needs `produce` or `consume`',
  })

const routeMembers = {
  channel: text.refine((value) => value.startsWith('kafka://') || isPatternText(value), {
    error: () => 'a channel such as `kafka://payments.acme.com/orders/**`',
  }),
  when: z.strictObject({ labels }).optional(),
  cluster: clusterName,
  topic: text.optional(),
  /** A lookup table over the one wildcard segment of the channel. */
  topics: z
    .record(text, text)
    .refine((table) => Object.keys(table).length > 0, { error: () => 'at least one entry' })
    .optional(),
  shared: z.boolean().optional(),
  profiles: z.strictObject({ producer: plainName.optional(), consumer: plainName.optional() }).optional(),
}
type Topics = { readonly topic?: string | undefined; readonly topics?: unknown }
const hasOneOfThem = (value: Topics): boolean => (value.topic === undefined) !== (value.topics === undefined)
const eitherOfThem = { path: ['topic'], error: () => 'either `topic` or `topics`' }

const selector = z.strictObject({ labels: someLabels })

/** `selector`: what `cluster` was pinned from; it decides nothing any more. */
const route = z.strictObject({ ...routeMembers, selector: selector.optional() }).refine(hasOneOfThem, eitherOfThem)

/** As it is written: a cluster may be named by its labels. */
const writtenRoute = z
  .strictObject({ ...routeMembers, cluster: z.union([clusterName, selector]) })
  .refine(hasOneOfThem, eitherOfThem)

/** Where a crawl looks for clusters, besides those that `clusters` describes itself. */
const crawlSource = z.discriminatedUnion('provider', [
  z.strictObject({
    provider: z.literal('msk'),
    regions: z.array(awsRegion).min(1),
    /** Of the account whose clusters these are; left out: our own. The stack names it too. */
    role: z
      .string()
      .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/(?:[\w+=,.@-]+\/)*[\w+=,.@-]{1,64}$/, {
        error: () => 'the ARN of a role, such as `arn:aws:iam::111122223333:role/switchboard-crawl`',
      })
      .optional(),
  }),
  z.strictObject({
    provider: z.literal('confluent'),
    /** Of a Cloud API key: JSON with `apiKey` and `apiSecret`, as Secrets Manager itself keeps and rotates them. */
    secret: text,
    /** Of keys for what a Cloud API key does not open, by its id: clusters (`lkc-...`) and schema registries (`lsrc-...`). */
    keys: z
      .record(
        z.string().regex(/^(?:lkc|lsrc)-[a-z0-9]+$/, { error: () => 'an id such as `lkc-...` or `lsrc-...`' }),
        text,
      )
      .optional(),
  }),
])

/** The clusters of the policy itself are a source too; it has this name. */
export const policySource = 'kafka'

export const policySchema = z.strictObject({
  identities: z.array(identity).min(1),
  clusters: z.record(clusterName, cluster),
  profiles: z.record(plainName, profile).optional(),
  grants: z.array(grant),
  routes: z.array(route),
  /** By names that `clusters` and `catalog` show and that outlive keys and roles. */
  crawl: z
    .record(
      clusterName.refine((name) => name !== policySource, {
        error: () => `another name: \`${policySource}\` are the clusters of this policy`,
      }),
      crawlSource,
    )
    .optional(),
  limits: z.strictObject({ leasesPerPrincipal: z.int().min(1).max(100_000).optional() }).optional(),
  /** What our Kafka users start with; one per stack that shares a cluster. */
  kafkaUserPrefix: z
    .string()
    .regex(/^[A-Za-z0-9]{1,12}[._-]$/, { error: () => 'up to 12 letters or digits and a separator, such as `sb.`' })
    .optional(),
})

/** A policy as it is stored and put in force. */
export type Policy = z.infer<typeof policySchema>

export type CrawlSource = z.infer<typeof crawlSource>

/** A policy as it is written; `pinClusters` makes it one that can be put in force. */
export const policyFileSchema = z.strictObject({ ...policySchema.shape, routes: z.array(writtenRoute) })

export type PolicyFile = z.infer<typeof policyFileSchema>

/** One thing wrong with a policy; `path` leads to it from the top of the document. */
export type PolicyIssue = { readonly path: readonly PropertyKey[]; readonly detail: string }
