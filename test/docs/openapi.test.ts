import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answerSchemas, openApiText } from '../../docs/api/openapi.ts'
import { javaType, librdkafkaType } from '../../functions/resolve/client-form.ts'
import { parseIntent } from '../../shared/domain/intent.ts'
import { maximumBodyBytes } from '../../shared/http/request.ts'
import { tokenPath } from '../../shared/http/token-answer.ts'
import {
  type Answer,
  aWorld,
  bearer,
  clientSecret,
  type Request,
  type WorldOptions,
} from '../fixtures/example-world.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const text = readFileSync(join(root, 'docs/api/openapi.json'), 'utf8')

type Examples = Readonly<Record<string, { readonly value: unknown }>>
type Media = {
  readonly schema: { readonly $ref?: string }
  readonly examples?: Examples
}
type Response = {
  readonly headers?: Readonly<Record<string, unknown>>
  readonly content?: Readonly<Record<string, Media>>
}
type Operation = {
  readonly responses: Readonly<Record<string, unknown>>
  readonly requestBody?: { readonly content: Readonly<Partial<Record<string, { readonly examples: Examples }>>> }
}

const document: { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> } = JSON.parse(text)

const pointerOf = (...names: readonly string[]): string =>
  `#/${names.map((name) => name.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`

/** What stands in the document at a reference, and where it really is. */
const follow = (pointer: string): { readonly at: string; readonly value: unknown } => {
  const value = pointer
    .slice(2)
    .split('/')
    .reduce<unknown>(
      (node, part) => (node as Record<string, unknown>)[part.replaceAll('~1', '/').replaceAll('~0', '~')],
      document,
    )
  const target = (value as { $ref?: string }).$ref
  return target === undefined ? { at: pointer, value } : follow(target)
}

const ajv = new Ajv2020({ strict: false, allErrors: true })
addFormats.default(ajv)
ajv.addSchema(document, 'openapi.json')

const schemaAt = (pointer: string): ValidateFunction => {
  const validate = ajv.getSchema(`openapi.json${encodeURI(pointer)}`)
  if (validate === undefined) throw new Error(`there is no schema at ${pointer}`)
  return validate
}

const problemsAt = (pointer: string, value: unknown): readonly string[] => {
  const validate = schemaAt(pointer)
  return validate(value)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${pointer}${instancePath} ${message}`)
}

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    name: `${method.toUpperCase()} ${path}`,
    path,
    method,
    operation,
  })),
)
const operationOf = (name: string) => {
  const found = operations.find((each) => each.name === name)
  if (found === undefined) throw new Error(`\`${name}\` is not in the document`)
  return found
}

const responseOf = (name: string, status: number): { readonly at: string; readonly value: Response } => {
  const { path, method } = operationOf(name)
  const { at, value } = follow(pointerOf('paths', path, method, 'responses', String(status)))
  return { at, value: value as Response }
}

/** API Gateway answers these by itself; no code here does. */
const isOfGateway = ({ schema }: Media): boolean => schema.$ref === '#/components/schemas/GatewayMessage'

const withoutUs = (media: Readonly<Record<string, Media>> = {}) =>
  Object.entries(media).filter(([, each]) => !isOfGateway(each))

type Scenario = {
  readonly operation: string
  readonly status: number
  /** The name of the documented answer. */
  readonly example?: string
  readonly world?: WorldOptions
  /** What was asked before, in the same world. */
  readonly before?: Partial<Request>
  readonly request?: Partial<Request>
  /** Asks again for the lease of what was asked before, with its ETag. */
  readonly renews?: true
}

const documentedIntent = (operation: string, example: string): string =>
  JSON.stringify(operationOf(operation).operation.requestBody?.content['application/json']?.examples[example]?.value)

const orders = { authorization: await bearer('orders-api', 'payments') }
const billing = { authorization: await bearer('billing', 'finance') }
const intruder = { authorization: await bearer('intruder', 'none') }
const client = { authorization: `Basic ${Buffer.from(`legacy-billing:${clientSecret}`).toString('base64')}` }
const json = { 'content-type': 'application/json' }
const role = 'arn:aws:sts::111122223333:assumed-role/svc-billing/pod-1'
const resolve = 'POST /v1/resolve'
const asRole = 'POST /v1/aws/resolve'
const explain = 'POST /v1/explain'
const release = 'DELETE /v1/leases/{id}'
const nobodysLease = 'lease_ffffffffffffffffffffffffffffffff'
const created = 'kafka://payments.acme.com/orders/created'
const bodyOf = (intent: Record<string, unknown>): Partial<Request> => ({ body: JSON.stringify(intent) })

const produce = documentedIntent(resolve, 'produce')
const renewal = documentedIntent(resolve, 'renewal')

const token = 'POST /v1/token'
const form = { 'content-type': 'application/x-www-form-urlencoded' }
const formExamples =
  operationOf(token).operation.requestBody?.content['application/x-www-form-urlencoded']?.examples ?? {}
const formOf = (parameters: Record<string, string>): Partial<Request> => ({
  headers: { ...form, ...('assertion' in parameters || 'client_id' in parameters ? {} : client) },
  body: new URLSearchParams(parameters).toString(),
})
/** As it is in the document, but with a token that is one. */
const documentedForm = (example: string): Partial<Request> => {
  const parameters = formExamples[example]?.value as Record<string, string>
  const assertion = billing.authorization.slice('Bearer '.length)
  return formOf('assertion' in parameters ? { ...parameters, assertion } : parameters)
}

const servicegw = 'GET /servicegw'
const servicegwQuery = (parameters: Record<string, string>): Partial<Request> => ({
  query: new URLSearchParams({
    config_profile: 'balanced',
    'config_profile.type': 'consumer',
    ...parameters,
  }).toString(),
})
const twoChannels = servicegwQuery({
  'channel[0]': created,
  'channel[1]': 'kafka://payments.acme.com/orders/shipped',
  'kafka.env': 'prod',
})

/** How each endpoint is asked when nothing is wrong. */
const asked: Readonly<Record<string, Partial<Request>>> = {
  [resolve]: { headers: { ...orders, ...json }, body: produce },
  [asRole]: { headers: json, roleArn: role, body: documentedIntent(asRole, 'consume') },
  [token]: documentedForm('clientCredentials'),
  [explain]: { headers: { ...orders, ...json }, body: produce },
  [servicegw]: { headers: client, ...twoChannels },
  [release]: { headers: orders, path: '/v1/leases/lease_7338c284c5d3e1a284d6b8d865f61229' },
}

const wrongBodies = [resolve, asRole, explain].flatMap((operation): readonly Scenario[] => {
  const headers = asked[operation]?.headers
  return [
    { operation, status: 400, example: 'invalid_intent', request: bodyOf({ produce: ['orders'] }) },
    { operation, status: 406, example: 'not_acceptable', request: { headers: { ...headers, accept: 'text/html' } } },
    {
      operation,
      status: 413,
      example: 'payload_too_large',
      request: { body: ' '.repeat(maximumBodyBytes + 1) },
    },
    {
      operation,
      status: 415,
      example: 'unsupported_media_type',
      request: { headers: { ...headers, 'content-type': 'text/plain' } },
    },
  ]
})

const scenarios: readonly Scenario[] = [
  { operation: resolve, status: 200, example: 'produce' },
  { operation: resolve, status: 200, example: 'produce', before: {}, request: { body: renewal } },
  { operation: resolve, status: 200, example: 'pattern', request: { body: documentedIntent(resolve, 'pattern') } },
  {
    operation: resolve,
    status: 200,
    request: { headers: { ...client, ...json }, ...bodyOf({ consume: [created] }) },
  },
  ...(
    [
      [resolve, 'javaSecret', javaType],
      [resolve, 'librdkafkaSecret', librdkafkaType],
      [asRole, 'javaAssertion', javaType],
      [asRole, 'librdkafkaAssertion', librdkafkaType],
    ] as const
  ).map(
    ([operation, example, accept]): Scenario => ({
      operation,
      status: 200,
      example,
      request: {
        headers: { ...(operation === resolve ? client : {}), ...json, accept },
        query: operation === resolve ? '' : 'auth=jwt-bearer&assertion_file=/var/run/secrets/tokens/kafka',
      },
    }),
  ),
  { operation: resolve, status: 200, example: 'stored', world: { stored: true } },
  {
    operation: resolve,
    status: 200,
    example: 'stored',
    world: { stored: true },
    before: {},
    request: { body: documentedIntent(resolve, 'moved') },
  },
  ...(
    [
      ['javaStored', javaType],
      ['librdkafkaStored', librdkafkaType],
    ] as const
  ).map(
    ([example, accept]): Scenario => ({
      operation: resolve,
      status: 200,
      example,
      world: { stored: true },
      request: { headers: { ...client, ...json, accept } },
    }),
  ),
  { operation: resolve, status: 304, before: {}, renews: true },
  { operation: asRole, status: 304, before: {}, renews: true },
  { operation: asRole, status: 200, example: 'consume' },
  ...Object.keys(formExamples).map(
    (name): Scenario => ({ operation: token, status: 200, example: 'token', request: documentedForm(name) }),
  ),
  ...Object.entries({
    invalid_request: { scope: 'kafka:payments' },
    invalid_grant: { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: 'e30.e30.e30' },
    unsupported_grant_type: { grant_type: 'password' },
    invalid_scope: { grant_type: 'client_credentials', scope: 'kafka:nowhere' },
  }).map(
    ([example, parameters]): Scenario => ({
      operation: token,
      status: 400,
      example,
      request: formOf(parameters as Record<string, string>),
    }),
  ),
  { operation: token, status: 401, example: 'invalid_client', request: { headers: form } },
  {
    operation: token,
    status: 429,
    world: { leasesPerPrincipal: 1 },
    before: {},
    request: { query: 'instance=another' },
  },
  { operation: token, status: 500, world: { broken: true } },
  { operation: token, status: 503, world: { ready: false } },
  { operation: token, status: 503, world: { applied: false } },
  ...wrongBodies,
  { operation: servicegw, status: 200, example: 'servicegw' },
  { operation: servicegw, status: 304, before: {}, renews: true },
  { operation: servicegw, status: 400, example: 'invalid_intent', request: servicegwQuery({}) },
  { operation: servicegw, status: 400, request: { headers: orders } },
  { operation: servicegw, status: 401, example: 'unauthenticated', request: { headers: {} } },
  {
    operation: servicegw,
    status: 403,
    example: 'access_denied',
    request: servicegwQuery({ channel: 'kafka://payments.acme.com/reports/daily' }),
  },
  {
    operation: servicegw,
    status: 406,
    example: 'not_acceptable',
    request: { headers: { ...client, accept: 'text/html' } },
  },
  {
    operation: servicegw,
    status: 429,
    example: 'rate_limited',
    world: { leasesPerPrincipal: 1 },
    before: {},
    request: servicegwQuery({ channel: created }),
  },
  { operation: servicegw, status: 500, example: 'internal', world: { broken: true } },
  { operation: servicegw, status: 503, example: 'credential_not_ready', world: { ready: false } },
  { operation: servicegw, status: 503, example: 'unavailable', world: { applied: false } },
  ...[resolve, explain, release].map(
    (operation): Scenario => ({ operation, status: 401, example: 'unauthenticated', request: { headers: json } }),
  ),
  {
    operation: asRole,
    status: 401,
    example: 'unauthenticated',
    request: { roleArn: 'arn:aws:sts::111122223333:assumed-role/nobody/pod-1' },
  },
  {
    operation: resolve,
    status: 403,
    example: 'access_denied',
    request: { headers: { ...intruder, ...json } },
  },
  { operation: asRole, status: 403, example: 'access_denied', request: bodyOf({ produce: [created] }) },
  {
    operation: resolve,
    status: 404,
    example: 'not_found',
    request: bodyOf({ produce: [created], lease: nobodysLease }),
  },
  {
    operation: asRole,
    status: 404,
    example: 'not_found',
    request: bodyOf({ consume: [created], lease: nobodysLease }),
  },
  { operation: release, status: 404, example: 'not_found' },
  ...[resolve, asRole].flatMap((operation): readonly Scenario[] => [
    {
      operation,
      status: 429,
      example: 'rate_limited',
      world: { leasesPerPrincipal: 1 },
      before: {},
      request: bodyOf({ consume: [created], client: { instance: 'another' } }),
    },
    { operation, status: 503, example: 'credential_not_ready', world: { ready: false } },
  ]),
  ...[resolve, explain, release].map(
    (operation): Scenario => ({
      operation,
      status: 500,
      example: 'internal',
      world: { broken: true },
      request: { headers: { ...client, ...json } },
    }),
  ),
  { operation: asRole, status: 500, example: 'internal', world: { broken: true } },
  ...[resolve, asRole, explain, release, 'GET /v1/health'].map(
    (operation): Scenario => ({ operation, status: 503, example: 'unavailable', world: { applied: false } }),
  ),
  { operation: explain, status: 200, example: 'allowed' },
  { operation: explain, status: 200, example: 'denied', request: { headers: { ...billing, ...json } } },
  { operation: release, status: 204, before: { method: 'POST', path: '/v1/resolve', ...asked[resolve] } },
  { operation: 'GET /v1/health', status: 200, example: 'health' },
  { operation: 'GET /.well-known/jwks.json', status: 200, example: 'keys' },
  { operation: 'GET /.well-known/jwks.json', status: 503, example: 'unavailable', world: { hasKeys: false } },
  { operation: 'GET /.well-known/openid-configuration', status: 200, example: 'metadata' },
  { operation: 'GET /.well-known/oauth-authorization-server', status: 200, example: 'metadata' },
]

const play = async ({ operation, world, before, request, renews }: Scenario): Promise<Answer> => {
  const { send } = await aWorld(world)
  const { path, method } = operationOf(operation)
  const ordinary: Request = { method: method.toUpperCase(), path, ...asked[operation] }
  const first = before === undefined ? undefined : await send({ ...ordinary, ...before })
  if (first !== undefined) expect(first.status, first.body).toBe(200)
  if (renews === undefined || first === undefined) return send({ ...ordinary, ...request })
  if (ordinary.body === undefined)
    return send({ ...ordinary, headers: { ...ordinary.headers, 'if-none-match': first.headers.etag ?? '' } })
  const intent = { ...JSON.parse(ordinary.body), lease: JSON.parse(first.body).lease.id }
  const headers = { ...ordinary.headers, 'if-none-match': first.headers.etag ?? '' }
  return send({ ...ordinary, headers, ...bodyOf(intent) })
}

/** What is another each time, as the document shows it; everything else has to be equal. */
const asDocumented = (body: unknown, documented: unknown): unknown => {
  if (Array.isArray(body))
    return body.map((each, index) => asDocumented(each, Array.isArray(documented) ? documented[index] : undefined))
  if (body === null || typeof body !== 'object') return body
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => {
      const shown = (documented as Record<string, unknown> | undefined)?.[name]
      const isAnother =
        (name === 'directory' && /^sha256:[0-9a-f]{64}$/.test(value)) ||
        ((name === 'token' || name === 'access_token') &&
          /^eyJhbGciOiJFUzI1NiIs[\w-]*\.[\w-]+\.[\w-]{86}$/.test(value)) ||
        ((name === 'x' || name === 'y') && /^[\w-]{43}$/.test(value))
      return [name, isAnother ? shown : asDocumented(value, shown)]
    }),
  )
}

const typeOf = ({ headers }: Answer): string => headers['content-type'] ?? ''

describe('the document', () => {
  test('is what `node docs/api/generate.ts` writes, but for white space', () => {
    expect(`${JSON.stringify(JSON.parse(text), null, 2)}\n`).toBe(openApiText())
  })

  const lint = async (source: string): Promise<readonly string[]> => {
    const config = await createConfig({ extends: ['recommended-strict'] })
    return (await lintFromString({ source, config })).map(({ ruleId, message }) => `${ruleId}: ${message}`)
  }

  test('has nothing that a linter complains about', async () => {
    expect(await lint(text)).toEqual([])
  })

  test.each([
    ['an example that is not of its schema', '"refreshAfter": "2026', '"refreshAfter": "x2026', 'no-invalid'],
    ['a reference to nothing', '#/components/headers/ETag', '#/components/headers/Etag', 'no-unresolved-refs'],
    ['a scheme that nobody defined', '"sigV4": []', '"sigV5": []', 'security-defined'],
  ])('would not pass with %s', async (_, from, to, rule) => {
    expect(text).toContain(from)
    expect((await lint(text.replace(from, to))).join('\n')).toContain(rule)
  })

  test('describes what resolve serves, no more and no less', () => {
    const source = readFileSync(join(root, 'functions/resolve/routes.ts'), 'utf8').replace(
      '[tokenPath]',
      `'${tokenPath}'`,
    )
    const served = [...source.matchAll(/^ {4}'(\/[^']+)': \{\s*(GET|POST|DELETE|PUT|PATCH):/gm)]
    expect(operations.map(({ name }) => name).sort()).toEqual(
      served.map(([, path, method]) => `${method} ${path}`).sort(),
    )
  })

  test('takes every intent that resolve takes', () => {
    const channel = fc.oneof(
      {
        weight: 9,
        arbitrary: fc.constantFrom(created, 'kafka://a/b', 'kafka://payments.acme.com/orders/**', 'kafka://a/*/c'),
      },
      fc.stringMatching(/^kafka:\/\/[a-z0-9.-]{1,8}(\/[A-Za-z0-9._*{}-]{0,6}){0,3}$/),
    )
    const name = fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom('n', 'orders-api', 'A.b_c') },
      fc.stringMatching(/^[A-Za-z0-9._*-]{0,8}$/),
    )
    const intent = fc.record(
      {
        produce: fc.uniqueArray(channel, { maxLength: 3 }),
        consume: fc.uniqueArray(channel, { maxLength: 3 }),
        group: name,
        profile: fc.record({ producer: name, consumer: name }, { requiredKeys: [] }),
        client: fc.record(
          { instance: name, family: fc.constantFrom('java', 'librdkafka', 'javascript') },
          { requiredKeys: [] },
        ),
        network: name,
      },
      { requiredKeys: [] },
    )
    let taken = 0
    fc.assert(
      fc.property(intent, (body) => {
        try {
          parseIntent(body)
        } catch {
          return
        }
        taken++
        expect(problemsAt('#/components/schemas/Intent', body)).toEqual([])
      }),
      { numRuns: 2_000 },
    )
    expect(taken).toBeGreaterThan(200)
  })

  test.each([
    ['no channel', { produce: [] }],
    ['a channel twice', { produce: [created, created] }],
    ['a member of no meaning', { produce: [created], colour: 'red' }],
    ['another scheme', { produce: ['http://payments.acme.com/orders'] }],
    ['101 channels', { produce: Array.from({ length: 101 }, (_, at) => `kafka://a/${at}`) }],
  ])('refuses an intent with %s, as resolve does', (_, body) => {
    expect(problemsAt('#/components/schemas/Intent', body)).not.toEqual([])
    expect(() => parseIntent(body)).toThrow()
  })

  test('names no code that the table of problems has not, and has all of them', () => {
    const { value } = follow('#/components/schemas/Problem/properties/code')
    const docs = readFileSync(join(root, 'docs/problems.md'), 'utf8')
    const headings = [...docs.matchAll(/^#{2,} (.*)$/gm)].map(([, heading]) => heading)
    expect((value as { enum: readonly string[] }).enum.toSorted()).toEqual(headings.toSorted())
  })
})

describe('resolve answers as documented', () => {
  test.each(scenarios)('$operation: $status $example', async (scenario) => {
    const answer = await play(scenario)

    expect(answer.status, answer.body).toBe(scenario.status)
    const { at, value: response } = responseOf(scenario.operation, scenario.status)
    const promised = Object.keys(response.headers ?? {})
    expect(Object.keys(answer.headers).filter((name) => name !== 'content-type')).toEqual(
      expect.arrayContaining(promised.map((name) => name.toLowerCase())),
    )
    expect(promised.map((name) => name.toLowerCase())).toEqual(
      expect.arrayContaining(Object.keys(answer.headers).filter((name) => name !== 'content-type')),
    )
    for (const name of promised) {
      const header = follow(`${at}/headers/${name}`).at
      expect(problemsAt(`${header}/schema`, answer.headers[name.toLowerCase()])).toEqual([])
    }

    const ours = withoutUs(response.content)
    if (ours.length === 0) {
      expect([typeOf(answer), answer.body]).toEqual(['', ''])
      return
    }
    const [type, media] = ours.find(([each]) => typeOf(answer).split(';')[0] === each) ?? expect.unreachable()
    if (type === javaType) {
      expect(answer.body).toBe(media.examples?.[scenario.example ?? '']?.value)
      return
    }
    expect(typeOf(answer)).toBe(type)
    const body = JSON.parse(answer.body)
    expect(problemsAt(`${at}/content/${type.replaceAll('/', '~1')}/schema`, body)).toEqual([])
    const schema = answerSchemas[media.schema.$ref?.split('/').at(-1) ?? 'Problem']
    expect(schema?.safeParse(body)).toMatchObject({ success: true })
    if (scenario.example === undefined) return
    const documented = media.examples?.[scenario.example]?.value
    expect(asDocumented(body, documented)).toEqual(documented)
  })

  test('and every answer and example in the document was among these', () => {
    const documented = operations.flatMap(({ name, operation }) =>
      Object.keys(operation.responses).flatMap((status) => {
        const { content } = responseOf(name, Number(status)).value
        const ours = withoutUs(content)
        if (ours.length === 0) return content === undefined ? [`${name} ${status} -`] : []
        return ours.flatMap(([, { examples = {} }]) => {
          const names = Object.keys(examples)
          expect(names).not.toEqual([])
          return names.map((example) => `${name} ${status} ${example}`)
        })
      }),
    )
    const played = scenarios.map(({ operation, status, example }) => `${operation} ${status} ${example ?? '-'}`)
    expect(documented.filter((each) => !played.includes(each))).toEqual([])
  })

  test('and every request in the document was sent', () => {
    const sent = new Set(
      scenarios.flatMap(({ operation, status, request }) =>
        status < 400 ? [`${operation} ${request?.body ?? asked[operation]?.body}`] : [],
      ),
    )
    for (const { name, operation } of operations)
      for (const { value } of Object.values(operation.requestBody?.content['application/json']?.examples ?? {}))
        expect(sent).toContain(`${name} ${JSON.stringify(value)}`)
    for (const name of Object.keys(formExamples)) expect(sent).toContain(`${token} ${documentedForm(name).body}`)
    expect(Object.keys(formExamples)).not.toEqual([])
  })
})

test('resolve loads none of the schemas of answers', () => {
  const seen = new Set<string>()
  const visit = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export)\s(?!type\s)[^'"]*?['"](\.[^'"]+)['"]/gm)
    for (const [, target = ''] of imports) visit(join(dirname(file), target))
  }
  visit(join(root, 'functions/resolve/index.ts'))
  const loaded = [...seen].map((file) => relative(root, file))
  expect(loaded).toContain('shared/domain/intent.ts')
  expect(
    loaded.filter((file) =>
      ['shared/http/answers.ts', 'shared/domain/explanation.ts', 'shared/secrets/jwks.ts'].includes(file),
    ),
  ).toEqual([])
})
