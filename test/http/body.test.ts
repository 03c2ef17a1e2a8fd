import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SwitchboardError, type SwitchboardErrorCode } from '../../shared/domain/errors.ts'
import { parseIntent } from '../../shared/domain/intent.ts'
import { maximumBodyBytes, readJsonBody, requireAcceptsJson } from '../../shared/http/request.ts'
import { aWorld, bearer } from '../fixtures/example-world.ts'

const json = { 'content-type': 'application/json' }
const created = 'kafka://payments.acme.com/orders/created'
const intent = JSON.stringify({ produce: [created] })

const anEvent = (
  body: string | undefined,
  headers: Readonly<Record<string, string>> = json,
  isBase64Encoded = false,
): APIGatewayProxyEventV2 => ({ headers, body, isBase64Encoded }) as unknown as APIGatewayProxyEventV2

const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64')

const refusal = (act: () => unknown): SwitchboardError => {
  try {
    act()
  } catch (error) {
    if (error instanceof SwitchboardError) return error
    throw error
  }
  throw new Error('it was taken')
}

const expectRefusal = (
  act: () => unknown,
  code: SwitchboardErrorCode,
  detail: string | RegExp,
  pointers: readonly string[] = [],
): void => {
  const error = refusal(act)
  expect(error.code).toBe(code)
  expect(error.detail).toMatch(detail)
  expect(error.errors.map(({ pointer }) => pointer)).toEqual(pointers)
}

describe('a body', () => {
  it('is read as text or base64', () => {
    expect(readJsonBody(anEvent(intent))).toEqual({ produce: [created] })
    expect(readJsonBody(anEvent(base64(intent), json, true))).toEqual({ produce: [created] })
    expect(readJsonBody(anEvent(base64('{"a":"ü€😀"}'), json, true))).toEqual({ a: 'ü€😀' })
  })

  it.each([
    ['nothing', undefined, 'the body is empty'],
    ['an empty text', '', 'the body is empty'],
    ['a byte order mark', `\ufeff${intent}`, 'the body begins with a byte order mark'],
    ['a lone surrogate that is not escaped', '{"a":"\ud800"}', 'the body is not UTF-8'],
    ['no JSON', '{produce:[]}', 'the body is not JSON'],
    ['half of it', intent.slice(0, -1), 'the body is not JSON'],
    ['two of it', `${intent}${intent}`, 'the body is not JSON'],
    ['a comment', `/* */${intent}`, 'the body is not JSON'],
    ['NaN', '{"a":NaN}', 'the body is not JSON'],
    ['a form', 'produce=kafka://a/b', 'the body is not JSON'],
    ['brackets to the end', '['.repeat(maximumBodyBytes), 'the body is not JSON'],
  ])('is refused when it is %s', (_, body, detail) => {
    expectRefusal(() => readJsonBody(anEvent(body)), 'invalid_intent', detail, [''])
    if (body?.isWellFormed())
      expectRefusal(() => readJsonBody(anEvent(base64(body), json, true)), 'invalid_intent', detail, [''])
  })

  it.each(['null', '[]', '"kafka://a/b"', '1e999', 'true'])('is no intent when it is `%s`', (body) => {
    expect(refusal(() => parseIntent(readJsonBody(anEvent(body)))).errors).toEqual([
      { pointer: '', detail: 'must be a JSON object' },
    ])
  })

  it('is refused when it is lists to the end', () => {
    const body = '['.repeat(32_000) + ']'.repeat(32_000)
    expect(refusal(() => readJsonBody(anEvent(body))).errors).toEqual([
      { pointer: '/0'.repeat(8), detail: 'at most 8 deep' },
    ])
  })

  it.each([
    ['an overlong encoding', [0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]],
    ['an encoded surrogate', [0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]],
    ['a cut sequence', [0x7b, 0x22, 0xe2, 0x82, 0x22, 0x3a, 0x31, 0x7d]],
    ['UTF-16 with its mark', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
  ])('is refused when it is no UTF-8: %s', (_, bytes) => {
    const event = anEvent(base64(Uint8Array.from(bytes)), json, true)
    expectRefusal(() => readJsonBody(event), 'invalid_intent', 'the body is not UTF-8', [''])
  })

  it('has at most 64 KiB, counted in bytes', () => {
    const fill = (bytes: number): string => `{"a":"${'€'.repeat(100)}${'x'.repeat(bytes - 308)}"}`
    expect(Buffer.byteLength(fill(maximumBodyBytes))).toBe(maximumBodyBytes)
    for (const [body, isBase64] of [
      [fill(maximumBodyBytes), false],
      [base64(fill(maximumBodyBytes)), true],
    ] as const)
      expect(readJsonBody(anEvent(body, json, isBase64))).toHaveProperty('a')
    for (const [body, isBase64] of [
      [fill(maximumBodyBytes + 1), false],
      [base64(fill(maximumBodyBytes + 1)), true],
    ] as const)
      expectRefusal(
        () => readJsonBody(anEvent(body, json, isBase64)),
        'payload_too_large',
        'the body has 65537 bytes, allowed are 65536',
      )
  })

  it.each([
    ['{"produce":["kafka://a/b"],"produce":["kafka://a/c"]}', '/produce'],
    ['{"produce":["kafka://a/b"],"\\u0070roduce":[]}', ''],
    ['{"produce":["kafka://a/b"],"client":{"family":"java","family":"java"}}', '/client/family'],
    [`{"a":${'['.repeat(8)}${']'.repeat(8)}}`, '/a/0/0/0/0/0/0/0'],
  ])('is refused where two readers would differ or it is too deep: %s', (body, pointer) => {
    expectRefusal(() => readJsonBody(anEvent(body)), 'invalid_intent', 'read in more than one way', [pointer])
  })

  it.each([
    ['__proto__', '{"produce":["kafka://a/b"],"__proto__":{"lease":"x"}}', ''],
    ['__proto__ alone', '{"__proto__":{"produce":["kafka://a/b"]}}', ''],
    ['constructor', '{"produce":["kafka://a/b"],"constructor":{"prototype":{}}}', ''],
    ['__proto__ inside', '{"produce":["kafka://a/b"],"client":{"__proto__":{"family":"java"}}}', '/client'],
  ])('gives nothing to who sends %s: it is a name that no member has', (_, body, pointer) => {
    const error = refusal(() => parseIntent(readJsonBody(anEvent(body))))
    expect(error.errors[0]).toMatchObject({ pointer, detail: expect.stringMatching(/^no member has the name `/) })
    expect(({} as { produce?: unknown; family?: unknown }).produce).toBeUndefined()
  })

  it.each([
    ['channels', (at: number) => `kafka://acme/${at}`],
    ['texts that are no channels', (at: number) => `${at}`],
    ['numbers', (at: number) => at],
  ])('with 1,000 %s gets one clear error', (_, make) => {
    const body = JSON.stringify({ produce: Array.from({ length: 1_000 }, (_each, at) => make(at)) })
    const { code, errors } = refusal(() => parseIntent(readJsonBody(anEvent(body))))
    expect([code, errors]).toEqual(['invalid_intent', [{ pointer: '/produce', detail: 'at most 100 channels' }]])
  })

  it('gets its own hostile names back short and in ASCII', () => {
    const body = JSON.stringify({ produce: [created], ['\u202e\n\u001b[31m'.repeat(500)]: 1 })
    const [error] = refusal(() => parseIntent(readJsonBody(anEvent(body)))).errors
    expect(error?.detail).toMatch(/^[ -~…]{1,900}$/)
  })

  it('is read in microseconds', () => {
    const body = JSON.stringify({
      produce: [created, 'kafka://payments.acme.com/orders/shipped'],
      consume: ['kafka://payments.acme.com/orders/**'],
      group: 'orders-api',
      client: { instance: 'orders-api-7f9c8d6b5-x2x4z', family: 'java' },
      network: 'vpc-0a1b',
      lease: 'lease_7338c284c5d3e1a284d6b8d865f61229',
    })
    const event = anEvent(body)
    const microseconds = (act: () => void): number => {
      const rounds = Array.from({ length: 20 }, () => {
        const { user, system } = process.cpuUsage()
        for (let at = 0; at < 1_000; at++) act()
        const spent = process.cpuUsage({ user, system })
        return (spent.user + spent.system) / 1_000
      })
      return Math.min(...rounds)
    }
    microseconds(() => readJsonBody(event))
    // a ratio, since machines differ: it is 2.7 here
    expect(microseconds(() => readJsonBody(event)) / microseconds(() => JSON.parse(body))).toBeLessThan(8)
  })
})

describe('the type of a body', () => {
  it.each([
    'application/json',
    'Application/JSON',
    ' application/json ; charset=utf-8',
    'application/json;charset="UTF-8"',
    'application/json; charset=utf8',
    'application/json; profile="x"',
    'application/json;',
  ])('may be `%s`', (type) => {
    expect(readJsonBody(anEvent(intent, { 'content-type': type }))).toEqual({ produce: [created] })
  })

  it.each([
    [undefined, 'send `content-type: application/json`'],
    ['', 'send `content-type: application/json`'],
    ['text/plain', 'send `content-type: application/json`'],
    ['application/jsonp', 'send `content-type: application/json`'],
    ['application/x-www-form-urlencoded', 'send `content-type: application/json`'],
    ['application/json, application/json', 'send `content-type: application/json`'],
    ['application/json\0', 'send `content-type: application/json`'],
    ['application/json; charset=iso-8859-1', 'a body is read as `charset=utf-8`'],
    ['application/json; charset=utf-16', 'a body is read as `charset=utf-8`'],
    ['application/json; charset=', 'a body is read as `charset=utf-8`'],
    ['application/json; charset=utf-8; charset=latin1', 'a body is read as `charset=utf-8`'],
    ['application/json; charset=utf-8, text/plain', 'a body is read as `charset=utf-8`'],
  ])('may not be `%s`', (type, detail) => {
    const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
    expectRefusal(() => readJsonBody(anEvent(intent, headers)), 'unsupported_media_type', detail)
  })

  it('is not what is inside a compression', () => {
    expectRefusal(
      () => readJsonBody(anEvent(intent, { ...json, 'content-encoding': 'gzip' })),
      'unsupported_media_type',
      'send the body without `content-encoding`',
    )
    expect(readJsonBody(anEvent(intent, { ...json, 'content-encoding': 'identity' }))).toEqual({ produce: [created] })
  })
})

describe('what a caller accepts', () => {
  const accept = (value: string | undefined) => () =>
    requireAcceptsJson(anEvent(intent, value === undefined ? {} : { accept: value }))

  it.each([
    undefined,
    '*/*',
    'application/json',
    'text/html, application/*;q=0.1',
    'Application/JSON;q=0.001',
    'a,,*/*',
  ])('has JSON among it: `%s`', (value) => {
    expect(accept(value)).not.toThrow()
  })

  it.each(['', 'text/html', 'application/json;q=0', '*/*; q=0.0', 'application/jsonx', ','.repeat(8_000)])(
    'has no JSON among it: `%s`',
    (value) => {
      expectRefusal(accept(value), 'not_acceptable', 'answers `application/json`')
    },
  )
})

it('answers every request with a status of its own, whatever its headers and its body hold', async () => {
  const { send } = await aWorld()
  const authorization = await bearer('orders-api', 'payments')
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(
      '',
      '\0',
      '\r\nx-injected: 1',
      'a'.repeat(10_000),
      ','.repeat(10_000),
      ';'.repeat(10_000),
      '"'.repeat(10_000),
      'charset='.repeat(1_000),
      `application/json;${' '.repeat(10_000)}charset`,
      '__proto__',
      'W/"x", *',
      'Bearer a.b.c',
      'Basic ====',
    ),
  )
  const headers = fc.record(
    {
      authorization: fc.oneof(fc.constant(authorization), hostile),
      'content-type': fc.oneof(fc.constant('application/json'), hostile),
      accept: fc.oneof(fc.constant('*/*'), hostile),
      'if-none-match': hostile,
      'content-encoding': hostile,
      ['__proto__']: hostile,
    },
    { requiredKeys: [] },
  )
  const bodies = fc.oneof(fc.constant(intent), fc.json(), hostile)
  const statuses = new Set<number>()
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('/v1/resolve', '/v1/explain'), headers, bodies, async (path, some, body) => {
      const answer = await send({ method: 'POST', path, headers: some, body })
      statuses.add(answer.status)
      expect([200, 400, 401, 406, 415]).toContain(answer.status)
      for (const value of Object.values(answer.headers)) expect(value).toMatch(/^[ -~]+$/)
      expect(answer.headers['x-injected']).toBeUndefined()
    }),
    { numRuns: 1_000 },
  )
  expect([...statuses].sort()).toEqual([200, 400, 401, 406, 415])
})
