import * as z from 'zod'
import type { SwitchboardErrorCode } from '../../shared/domain/errors.ts'
import { explanationSchema } from '../../shared/domain/explanation.ts'
import { intentSchema, leaseIdPattern } from '../../shared/domain/intent.ts'
import { healthSchema, metadataSchema, problemSchema, resolveAnswerSchema } from '../../shared/http/answers.ts'
import { problems } from '../../shared/http/problem.ts'
import { maximumBodyBytes } from '../../shared/http/request.ts'
import { jwksSchema } from '../../shared/secrets/jwks.ts'
import { answers, intents, problemExamples } from './examples.ts'

type Json = { readonly [name: string]: unknown }

/** What the document calls the body of each kind of answer. */
export const answerSchemas: Readonly<Record<string, z.ZodType>> = {
  ResolveAnswer: resolveAnswerSchema,
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
const leaseHeaders: readonly HeaderName[] = [...noStore, 'ETag', 'Lease-Refresh-After', 'Lease-Expires-At']

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
  extra: { readonly headers?: readonly HeaderName[]; readonly gateway?: string } = {},
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
          codes.map((code) => [code, { summary: problems[code].title, value: problemExamples[code] }]),
        ),
      ),
    },
    ...(extra.gateway === undefined ? {} : gatewayAnswer(extra.gateway)),
  },
})

const responses = {
  InvalidIntent: problemResponse('The body is not an intent; `errors` points to each wrong field.', ['invalid_intent']),
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

const problemsOfIntents = {
  '400': responseRef('InvalidIntent'),
  '401': responseRef('Unauthenticated'),
  '406': responseRef('NotAcceptable'),
  '413': responseRef('PayloadTooLarge'),
  '415': responseRef('UnsupportedMediaType'),
  '500': responseRef('Internal'),
}

const resolveOperation = (
  operationId: string,
  words: { readonly summary: string; readonly description: string },
  security: readonly Json[],
  examples: readonly ('produce' | 'pattern' | 'consume' | 'renewal')[],
  denied: keyof typeof responses,
): Json => ({
  operationId,
  tags: ['leases'],
  ...words,
  security,
  parameters: [ifNoneMatch],
  requestBody: intentBody(examples),
  responses: {
    '200': ok(
      'A lease, new or renewed.',
      'ResolveAnswer',
      leaseHeaders,
      Object.fromEntries(examples.flatMap((name) => (name === 'renewal' ? [] : [[name, answers[name]]]))),
    ),
    '304': {
      description:
        'The lease was renewed, and what the caller holds is still right and lives past the next refresh. No body.',
      headers: headerRefs(...leaseHeaders),
    },
    ...problemsOfIntents,
    '403': responseRef(denied),
    '404': responseRef('NoSuchLease'),
    '429': responseRef('LeaseCap'),
    '503': responseRef('NotReady'),
  },
})

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
      'Every error is a problem (RFC 9457) with a `code` of a closed set, explained in `docs/problems.md`. An unknown path',
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
        ['produce', 'pattern', 'renewal'],
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
        'AccessDeniedOrUnsigned',
      ),
    },
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
      ...Object.fromEntries(Object.entries(answerSchemas).map(([name, schema]) => [name, jsonSchema(schema, true)])),
      GatewayMessage: { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] },
    },
  },
})

/** The committed file. */
export const openApiText = (): string => `${JSON.stringify(openApiDocument(), null, 2)}\n`
