import * as z from 'zod'
import { javaType, librdkafkaType } from '../../functions/resolve/client-form.ts'
import { grantTypes } from '../../functions/resolve/token-endpoint.ts'
import type { SwitchboardErrorCode } from '../../shared/domain/errors.ts'
import { explanationSchema } from '../../shared/domain/explanation.ts'
import { intentSchema, leaseIdPattern, namePattern } from '../../shared/domain/intent.ts'
import {
  healthSchema,
  librdkafkaSettingsSchema,
  metadataSchema,
  oauthErrorSchema,
  problemSchema,
  resolveAnswerSchema,
  servicegwAnswerSchema,
  tokenAnswerSchema,
} from '../../shared/http/answers.ts'
import { problems } from '../../shared/http/problem.ts'
import { maximumBodyBytes } from '../../shared/http/request.ts'
import { jwksSchema } from '../../shared/secrets/jwks.ts'
import {
  answers,
  clientFiles,
  intents,
  noSuchFile,
  noSuchParameter,
  oauthErrors,
  problemExamples,
  tokenRequests,
} from './examples.ts'

type Json = { readonly [name: string]: unknown }

/** What the document calls the body of each kind of answer. */
export const answerSchemas: Readonly<Record<string, z.ZodType>> = {
  ResolveAnswer: resolveAnswerSchema,
  ServicegwAnswer: servicegwAnswerSchema,
  LibrdkafkaSettings: librdkafkaSettingsSchema,
  TokenAnswer: tokenAnswerSchema,
  OAuthError: oauthErrorSchema,
  Explanation: explanationSchema,
  Health: healthSchema,
  KeySet: jwksSchema,
  Metadata: metadataSchema,
  Problem: problemSchema,
}

/** JSON Schema of 2020-12 without what zod adds for others: a pattern beside a format, the bounds of a double. */
const jsonSchema = (schema: z.ZodType, isAnswer: boolean): Json => {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema: node }) => {
      if (node.format !== undefined) delete node.pattern
      if (node.maximum === Number.MAX_SAFE_INTEGER) delete node.maximum
      if (node.propertyNames !== undefined) delete node.propertyNames
      // a client has to live with members that a later version adds
      if (isAnswer && node.additionalProperties === false) delete node.additionalProperties
    },
  }) as Json
  return rest
}

const notes: Readonly<Record<string, string>> = {
  produce: 'Channels, or patterns with `*` and a last `**`. At least one of `produce` and `consume` has one.',
  consume: 'As `produce`. Both together are one processing application.',
  group: "Consumer group; the grant has to allow it. Without it, the principal's name.",
  profile: "Named settings of the policy. Without it, the route's, else the default.",
  client: '`instance` is what stays the same over a restart; with it the same intent reuses its lease.',
  network: 'Where the client runs; the listener is chosen for it.',
  lease: 'The lease to renew.',
  moved:
    'With `lease`: cluster to the `slot` that all clients of the lease log in with by now, so that the slot before it may be taken away.',
}

/** The schema of `parseIntent`, with what its code checks beyond the schema as far as JSON Schema can say it. */
const intentJsonSchema = (): Json => {
  const { properties, ...schema } = jsonSchema(intentSchema, false) as { properties: Record<string, Json> }
  const channels = {
    type: 'array',
    maxItems: 100,
    uniqueItems: true,
    items: { type: 'string', maxLength: 512, pattern: '^kafka://[a-z0-9.-]+(/[A-Za-z0-9._*-]{1,128}){1,16}$' },
  }
  const some = (name: string): Json => ({ required: [name], properties: { [name]: { minItems: 1 } } })
  return {
    ...schema,
    properties: Object.fromEntries(
      Object.entries({ ...properties, produce: channels, consume: channels }).map(([name, value]) => [
        name,
        { ...value, description: notes[name] },
      ]),
    ),
    anyOf: [some('produce'), some('consume')],
  }
}

const schemaRef = (name: string): Json => ({ $ref: `#/components/schemas/${name}` })
const responseRef = (name: string): Json => ({ $ref: `#/components/responses/${name}` })

const headers = {
  'X-Request-Id': {
    description: 'Names this request in the audit trail.',
    required: true,
    schema: { type: 'string' },
  },
  'Cache-Control': { description: 'Nobody may keep the answer.', required: true, schema: { const: 'no-store' } },
  PublicCacheControl: {
    description: 'Caches on the way may keep the answer for a minute.',
    required: true,
    schema: { const: 'public, max-age=60' },
  },
  ETag: {
    description: 'Of the decision and its settings, never of tokens or times. Send it back as `If-None-Match`.',
    required: true,
    schema: { type: 'string', pattern: '^"[A-Za-z0-9_-]{22}"$' },
  },
  'Lease-Id': {
    description: 'The lease, to be renewed or released.',
    required: true,
    schema: { type: 'string', pattern: leaseIdPattern.source },
  },
  'Lease-Refresh-After': {
    description: 'When to come back. A 304 has no body, so this is a header of both answers.',
    required: true,
    schema: { type: 'string', format: 'date-time' },
  },
  'Lease-Expires-At': {
    description: 'When the lease and its credential end.',
    required: true,
    schema: { type: 'string', format: 'date-time' },
  },
  Pragma: { description: 'As RFC 6749 5.1 has it.', required: true, schema: { const: 'no-cache' } },
  'Retry-After': {
    description: 'Seconds to wait.',
    required: true,
    schema: { type: 'string', pattern: '^[1-9][0-9]*$' },
  },
  'WWW-Authenticate': {
    description: 'The same for every scheme and every failure.',
    required: true,
    schema: { type: 'string' },
  },
} as const

type HeaderName = keyof typeof headers

const headerRefs = (...names: readonly HeaderName[]): Json =>
  Object.fromEntries(
    names.map((name) => [
      name === 'PublicCacheControl' ? 'Cache-Control' : name,
      { $ref: `#/components/headers/${name}` },
    ]),
  )

const noStore: readonly HeaderName[] = ['X-Request-Id', 'Cache-Control']
const publicForAMinute: readonly HeaderName[] = ['X-Request-Id', 'PublicCacheControl']
const tokenHeaders: readonly HeaderName[] = [...noStore, 'Pragma']
const leaseHeaders: readonly HeaderName[] = [...noStore, 'ETag', 'Lease-Id', 'Lease-Refresh-After', 'Lease-Expires-At']

const examplesOf = (values: Readonly<Record<string, { readonly summary: string; readonly value: unknown }>>): Json => ({
  examples: values,
})

/** What API Gateway says by itself, before any code of ours runs. */
const gatewayAnswer = (value: string): Json => ({
  'application/json': { schema: schemaRef('GatewayMessage'), examples: { gateway: { value: { message: value } } } },
})

const problemResponse = (
  description: string,
  codes: readonly SwitchboardErrorCode[],
  extra: {
    readonly headers?: readonly HeaderName[]
    readonly gateway?: string
    readonly examples?: typeof problemExamples
  } = {},
): Json => ({
  description: extra.gateway === undefined ? description : `${description} API Gateway answers so by itself too.`,
  // the gateway's own answer has none of our headers, so that none can be promised there
  headers: Object.fromEntries(
    Object.entries(headerRefs(...noStore, ...(extra.headers ?? []))).map(([name, ref]) => [
      name,
      extra.gateway === undefined ? ref : { ...headers[name as HeaderName], required: false },
    ]),
  ),
  content: {
    'application/problem+json': {
      schema: {
        allOf: [
          schemaRef('Problem'),
          {
            type: 'object',
            properties: {
              code: { enum: codes },
              status: { enum: [...new Set(codes.map((code) => problems[code].status))] },
            },
          },
        ],
      },
      ...examplesOf(
        Object.fromEntries(
          codes.map((code) => [
            code,
            { summary: problems[code].title, value: (extra.examples ?? problemExamples)[code] },
          ]),
        ),
      ),
    },
    ...(extra.gateway === undefined ? {} : gatewayAnswer(extra.gateway)),
  },
})

const responses = {
  InvalidIntent: problemResponse('The body is not an intent; `errors` points to each wrong field.', ['invalid_intent']),
  WrongQuery: problemResponse(
    'A parameter is missing or wrong, channels do not fit into one answer, or the caller came with a token.',
    ['invalid_intent'],
    { examples: { invalid_intent: noSuchParameter } },
  ),
  Unauthenticated: problemResponse('No valid proof of identity. One answer for every failure.', ['unauthenticated'], {
    headers: ['WWW-Authenticate'],
  }),
  AccessDenied: problemResponse('No grant allows all of it. An unknown channel looks the same.', ['access_denied']),
  AccessDeniedOrUnsigned: problemResponse(
    'No grant allows all of it. An unknown channel looks the same.',
    ['access_denied'],
    { gateway: 'Forbidden' },
  ),
  NoSuchLease: problemResponse('The lease is absent, ended, released or somebody else’s: all look the same.', [
    'not_found',
  ]),
  NotAcceptable: problemResponse('The endpoint answers `application/json`.', ['not_acceptable']),
  NotAcceptableAsFile: problemResponse('The endpoint answers these three.', ['not_acceptable'], {
    examples: { not_acceptable: noSuchFile },
  }),
  PayloadTooLarge: problemResponse(`A body has at most ${maximumBodyBytes} bytes.`, ['payload_too_large']),
  UnsupportedMediaType: problemResponse('Send `content-type: application/json`, in UTF-8.', ['unsupported_media_type']),
  LeaseCap: problemResponse('The principal holds as many leases as the policy allows.', ['rate_limited'], {
    headers: ['Retry-After'],
    gateway: 'Too Many Requests',
  }),
  Throttled: {
    description: 'API Gateway throttles the stage; it answers by itself.',
    content: gatewayAnswer('Too Many Requests'),
  },
  Internal: problemResponse('A fault of ours; nothing of it is on the wire.', ['internal']),
  NotReady: problemResponse(
    'The access on the cluster is being made, or Switchboard cannot decide right now.',
    ['credential_not_ready', 'unavailable'],
    { headers: ['Retry-After'] },
  ),
  Unavailable: problemResponse('Switchboard cannot decide right now.', ['unavailable'], { headers: ['Retry-After'] }),
}

const ok = (
  description: string,
  schema: string,
  headerNames: readonly HeaderName[],
  values: Readonly<Record<string, { readonly summary: string; readonly value: unknown }>>,
): Json => ({
  description,
  headers: headerRefs(...headerNames),
  content: { 'application/json': { schema: schemaRef(schema), ...examplesOf(values) } },
})

const intentBody = (names: readonly (keyof typeof intents)[]): Json => ({
  required: true,
  content: {
    'application/json': {
      schema: schemaRef('Intent'),
      ...examplesOf(Object.fromEntries(names.map((name) => [name, intents[name]]))),
    },
  },
})

const ifNoneMatch = {
  name: 'If-None-Match',
  in: 'header',
  description: 'With `lease` in the body: the ETag of the answer that the caller holds.',
  schema: { type: 'string' },
}

/** What makes an answer a file; JSON takes none of them. */
const fileParameters: readonly Json[] = [
  {
    name: 'cluster',
    in: 'query',
    description: 'Files only: which cluster, where the channels lie on several.',
    schema: { type: 'string' },
  },
  {
    name: 'role',
    in: 'query',
    description:
      'Files only: whose file, where the intent has both. `schema-registry`, with `application/vnd.librdkafka+json`: the object for the client of the schema registry.',
    schema: { enum: ['producer', 'consumer', 'schema-registry'] },
  },
  {
    name: 'auth',
    in: 'query',
    description:
      'Files only: how their client gets its tokens. Without it, `client_credentials` for a request with Basic, whose secret is then in the file. No Kafka client reads a token from its settings, so there is no third way.',
    schema: { enum: ['jwt-bearer', 'client_credentials'] },
  },
  {
    name: 'assertion_file',
    in: 'query',
    description: "With `auth=jwt-bearer`: where the client finds its workload's own token, an absolute path.",
    schema: { type: 'string', maxLength: 1024 },
  },
]

const problemsOfIntents = {
  '400': responseRef('InvalidIntent'),
  '401': responseRef('Unauthenticated'),
  '406': responseRef('NotAcceptable'),
  '413': responseRef('PayloadTooLarge'),
  '415': responseRef('UnsupportedMediaType'),
  '500': responseRef('Internal'),
}

const oauthResponse = (
  description: string,
  names: readonly (keyof typeof oauthErrors)[],
  more: readonly HeaderName[] = [],
): Json => ({
  description,
  headers: headerRefs(...tokenHeaders, ...more),
  content: {
    'application/json': {
      schema: schemaRef('OAuthError'),
      ...examplesOf(Object.fromEntries(names.map((name) => [name, oauthErrors[name]]))),
    },
  },
})

/** Without a body: there are clients that would read the next answer together with it. */
const askAgain = (description: string, more: readonly HeaderName[], gateway?: string): Json =>
  gateway === undefined
    ? { description: `${description} No body.`, headers: headerRefs(...tokenHeaders, ...more) }
    : {
        description: `${description} No body; API Gateway answers so by itself too, with one.`,
        headers: Object.fromEntries(
          [...tokenHeaders, ...more].map((name) => [name, { ...headers[name], required: false }]),
        ),
        content: gatewayAnswer(gateway),
      }

const tokenOperation: Json = {
  operationId: 'token',
  tags: ['leases'],
  summary: 'A token for one cluster, as OAuth 2.0 has it',
  description:
    'For Kafka clients that get and refresh their token by configuration alone; see `docs/token.md`. The token is good for all that the grants of the principal give on the cluster. Errors are those of RFC 6749 5.2.',
  security: [{ basic: [] }, {}],
  parameters: [
    {
      name: 'instance',
      in: 'query',
      description:
        'What stays the same over a restart; each has a lease of its own. Without it, the principal has one.',
      schema: { type: 'string', pattern: namePattern.source },
      example: 'pod-7f9c',
    },
  ],
  requestBody: {
    required: true,
    content: {
      'application/x-www-form-urlencoded': {
        schema: schemaRef('TokenRequest'),
        examples: tokenRequests,
      },
    },
  },
  responses: {
    '200': ok('A token.', 'TokenAnswer', tokenHeaders, { token: answers.token }),
    '400': oauthResponse('The request, the assertion or the scope is wrong.', [
      'invalid_request',
      'invalid_grant',
      'unsupported_grant_type',
      'invalid_scope',
    ]),
    '401': oauthResponse('No valid client id and secret.', ['invalid_client'], ['WWW-Authenticate']),
    '429': askAgain('The principal holds as many leases as the policy allows.', ['Retry-After'], 'Too Many Requests'),
    '500': askAgain('A fault of ours; nothing of it is on the wire.', []),
    '503': askAgain(
      'The access on the cluster is being made, or Switchboard cannot decide right now. Kafka clients ask again.',
      ['Retry-After'],
    ),
  },
}

/** What the token endpoint reads of a form; it ignores what else there is, and takes an empty value for none. */
const tokenRequestJsonSchema: Json = {
  type: 'object',
  properties: {
    grant_type: { enum: grantTypes },
    scope: {
      type: 'string',
      pattern: '^kafka:[a-z0-9-]{1,63}$',
      description: 'Which cluster. May be left out when the grants of the caller lead to one alone.',
    },
    assertion: { type: 'string', description: 'With `jwt-bearer`: a token of an issuer that the policy trusts.' },
    client_id: { type: 'string', description: 'With `client_credentials`, where no authorization header is sent.' },
    client_secret: { type: 'string' },
  },
  required: ['grant_type'],
}

const resolveOperation = (
  operationId: string,
  words: { readonly summary: string; readonly description: string },
  security: readonly Json[],
  examples: readonly ('produce' | 'pattern' | 'consume' | 'renewal' | 'moved')[],
  answered: readonly (keyof typeof answers)[],
  files: Readonly<Record<'java' | 'librdkafka', readonly (keyof typeof clientFiles)[]>>,
  denied: keyof typeof responses,
): Json => ({
  operationId,
  tags: ['leases'],
  ...words,
  security,
  parameters: [ifNoneMatch, ...fileParameters],
  requestBody: intentBody(examples),
  responses: {
    '200': {
      description: 'A lease, new or renewed.',
      headers: headerRefs(...leaseHeaders),
      content: {
        'application/json': {
          schema: schemaRef('ResolveAnswer'),
          ...examplesOf(Object.fromEntries(answered.map((name) => [name, answers[name]]))),
        },
        [javaType]: {
          schema: { type: 'string', description: 'As `java.util.Properties` reads it, ISO-8859-1.' },
          ...examplesOf(Object.fromEntries(files.java.map((name) => [name, clientFiles[name]]))),
        },
        [librdkafkaType]: {
          schema: schemaRef('LibrdkafkaSettings'),
          ...examplesOf(Object.fromEntries(files.librdkafka.map((name) => [name, clientFiles[name]]))),
        },
      },
    },
    '304': {
      description:
        'The lease was renewed, and what the caller holds is still right and lives past the next refresh. No body.',
      headers: headerRefs(...leaseHeaders),
    },
    ...problemsOfIntents,
    '406': responseRef('NotAcceptableAsFile'),
    '403': responseRef(denied),
    '404': responseRef('NoSuchLease'),
    '429': responseRef('LeaseCap'),
    '503': responseRef('NotReady'),
  },
})

const servicegwParameters: readonly Json[] = [
  {
    name: 'config_profile',
    in: 'query',
    required: true,
    description: 'A profile of the policy.',
    schema: { type: 'string' },
    example: 'balanced',
  },
  {
    name: 'config_profile.type',
    in: 'query',
    description: 'What the caller wants to do. Needed where the name of the profile is one of both roles.',
    schema: { enum: ['producer', 'consumer'] },
    example: 'consumer',
  },
  {
    name: 'channel',
    in: 'query',
    description: 'A channel without wildcards. Several are `channel[0]`, `channel[1]`, and so on, up to 100.',
    schema: { type: 'string', maxLength: 512 },
    example: 'kafka://payments.acme.com/orders/created',
  },
  {
    name: 'If-None-Match',
    in: 'header',
    description: 'The ETag of the answer that the caller holds.',
    schema: { type: 'string' },
  },
]

const servicegwHeaders: readonly HeaderName[] = [...noStore, 'ETag', 'Lease-Id']

const servicegwOperation: Json = {
  operationId: 'servicegw',
  tags: ['leases'],
  summary: 'Settings for clients of the ancestor',
  description:
    'For clients that ask about once a second and build their Kafka client anew when a byte differs; see `docs/ancestor.md`. The answer stays the same until the policy changes it, and its lease does not end by itself. Other parameters are accepted and mean nothing.',
  security: [{ basic: [] }],
  parameters: servicegwParameters,
  responses: {
    '200': ok('Settings of one client of one cluster.', 'ServicegwAnswer', servicegwHeaders, {
      servicegw: answers.servicegw,
    }),
    '304': { description: 'What the caller holds is still right. No body.', headers: headerRefs(...servicegwHeaders) },
    '400': responseRef('WrongQuery'),
    '401': responseRef('Unauthenticated'),
    '403': responseRef('AccessDenied'),
    '406': responseRef('NotAcceptable'),
    '429': responseRef('LeaseCap'),
    '500': responseRef('Internal'),
    '503': responseRef('NotReady'),
  },
}

const publicDocument = (
  operationId: string,
  summary: string,
  schema: string,
  example: keyof typeof answers,
  mayBeUnavailable: boolean,
): Json => ({
  get: {
    operationId,
    tags: ['issuer'],
    summary,
    security: [],
    responses: {
      '200': ok('The document.', schema, publicForAMinute, { [example]: answers[example] }),
      '429': responseRef('Throttled'),
      ...(mayBeUnavailable ? { '503': responseRef('Unavailable') } : {}),
    },
  },
})

const callers = [{ bearer: [] }, { basic: [] }]

/** The HTTP contract, from the schemas that requests are parsed with, those of the answers, and the table of problems. */
export const openApiDocument = (): Json => ({
  openapi: '3.1.1',
  info: {
    title: 'Switchboard',
    version: '1',
    summary: 'An intent in, a lease out.',
    description: [
      'A service says which channels it wants to produce and consume; the answer is a lease: bootstrap servers, topic',
      'names, a short-lived credential, tuned settings, and when to come back.',
      '',
      'Every error is a problem (RFC 9457) with a `code` of a closed set, explained in `docs/problems.md`; only',
      '`/v1/token` answers with those of OAuth. An unknown path',
      'is `not_found`, another method `method_not_allowed`, with `Allow`.',
    ].join('\n'),
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  servers: [
    {
      url: 'https://{host}',
      description: 'The stack of a platform team; the name it chose at deploy.',
      variables: { host: { default: 'switchboard.acme.com' } },
    },
  ],
  tags: [
    { name: 'leases', description: 'What services use.' },
    { name: 'issuer', description: 'What clusters use: our tokens and the keys that prove them.' },
    { name: 'health', description: 'What monitors use.' },
  ],
  paths: {
    '/v1/resolve': {
      post: resolveOperation(
        'resolve',
        {
          summary: 'Intent to lease',
          description:
            'Without `lease`: a new lease, or with `client.instance` the one that the same intent had. With `lease`: renews it; with `If-None-Match` besides, 304 when nothing changed.',
        },
        callers,
        ['produce', 'pattern', 'renewal', 'moved'],
        ['produce', 'pattern', 'stored'],
        { java: ['javaSecret', 'javaStored'], librdkafka: ['librdkafkaSecret', 'librdkafkaStored'] },
        'AccessDenied',
      ),
    },
    '/v1/aws/resolve': {
      post: resolveOperation(
        'resolveAsRole',
        {
          summary: 'Intent to lease, for a role of AWS IAM',
          description:
            'The same, for requests signed with SigV4 (service `execute-api`). API Gateway checks the signature and answers 403 by itself where it is wrong; the policy says which role is which principal.',
        },
        [{ sigV4: [] }],
        ['consume'],
        ['consume'],
        { java: ['javaAssertion'], librdkafka: ['librdkafkaAssertion'] },
        'AccessDeniedOrUnsigned',
      ),
    },
    '/v1/token': { post: tokenOperation },
    '/servicegw': { get: servicegwOperation },
    '/v1/explain': {
      post: {
        operationId: 'explain',
        tags: ['leases'],
        summary: 'Why an intent is decided as it is',
        description:
          'For the caller itself and with no more than its own grants say: which rule, grant, route, listener and limit decided, and which came close. Nothing is changed and nothing handed out.',
        security: callers,
        requestBody: intentBody(['produce']),
        responses: {
          '200': ok('Allowed or denied, and why.', 'Explanation', noStore, {
            allowed: answers.explainAllowed,
            denied: answers.explainDenied,
          }),
          ...problemsOfIntents,
          '429': responseRef('Throttled'),
          '503': responseRef('Unavailable'),
        },
      },
    },
    '/v1/leases/{id}': {
      delete: {
        operationId: 'release',
        tags: ['leases'],
        summary: 'Gives a lease back',
        description: 'Its credential lives to its end; the lease no longer counts for the cap and cannot be renewed.',
        security: callers,
        parameters: [
          {
            name: 'id',
            in: 'path',
            required: true,
            schema: { type: 'string', pattern: leaseIdPattern.source },
            example: answers.produce.value.lease.id,
          },
        ],
        responses: {
          '204': { description: 'Released.', headers: headerRefs(...noStore) },
          '401': responseRef('Unauthenticated'),
          '404': responseRef('NoSuchLease'),
          '429': responseRef('Throttled'),
          '500': responseRef('Internal'),
          '503': responseRef('Unavailable'),
        },
      },
    },
    '/v1/health': {
      get: {
        operationId: 'health',
        tags: ['health'],
        summary: 'Whether there is a policy to decide with and a key to sign with',
        security: [],
        responses: {
          '200': ok('Both.', 'Health', noStore, { health: answers.health }),
          '429': responseRef('Throttled'),
          '503': responseRef('Unavailable'),
        },
      },
    },
    '/.well-known/jwks.json': publicDocument(
      'keys',
      'The keys that our tokens are signed with',
      'KeySet',
      'keys',
      true,
    ),
    '/.well-known/openid-configuration': publicDocument(
      'openIdConfiguration',
      'Issuer metadata (OpenID Connect Discovery)',
      'Metadata',
      'metadata',
      false,
    ),
    '/.well-known/oauth-authorization-server': publicDocument(
      'authorizationServer',
      'Issuer metadata (RFC 8414)',
      'Metadata',
      'metadata',
      false,
    ),
  },
  components: {
    securitySchemes: {
      bearer: {
        type: 'http',
        scheme: 'bearer',
        bearerFormat: 'JWT',
        description: 'A token of an issuer that the policy trusts; see `docs/identity.md`.',
      },
      basic: {
        type: 'http',
        scheme: 'basic',
        description: 'A client id of the policy and its secret, for what has no identity of its own.',
      },
      sigV4: {
        type: 'apiKey',
        in: 'header',
        name: 'Authorization',
        description: 'AWS Signature Version 4 of an assumed role.',
        'x-amazon-apigateway-authtype': 'awsSigv4',
      },
    },
    headers,
    responses,
    schemas: {
      Intent: intentJsonSchema(),
      TokenRequest: tokenRequestJsonSchema,
      ...Object.fromEntries(Object.entries(answerSchemas).map(([name, schema]) => [name, jsonSchema(schema, true)])),
      GatewayMessage: { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] },
    },
  },
})

/** The committed file. */
export const openApiText = (): string => `${JSON.stringify(openApiDocument(), null, 2)}\n`
