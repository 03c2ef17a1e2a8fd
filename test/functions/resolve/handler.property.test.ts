import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { aSwitchboard, created, eventOf, tokenFor } from './a-switchboard.ts'

const anyHeaderText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('application/json', '*/*', 'Bearer a.b.c', 'Basic bGVnYWN5OnMzY3JldA==', '"etag"'),
)

const anyPath = fc.oneof(
  fc.constantFrom(
    '/v1/resolve',
    '/v1/aws/resolve',
    '/v1/explain',
    '/v1/leases/lease_0',
    '/v1/leases/{id}',
    '/v1/health',
    '/.well-known/jwks.json',
    '/__proto__',
  ),
  fc.string({ unit: 'binary' }),
)

/** What API Gateway could hand over, however odd: texts are any texts, and what may be left out is. */
const anyEvent = (authorization: string) =>
  fc
    .record({
      method: fc.constantFrom('POST', 'GET', 'DELETE', 'PUT', '__proto__', ''),
      path: anyPath,
      headers: fc.record(
        {
          authorization: fc.oneof(fc.constant(authorization), anyHeaderText),
          'content-type': anyHeaderText,
          accept: anyHeaderText,
          'if-none-match': anyHeaderText,
          other: anyHeaderText,
        },
        { requiredKeys: [] },
      ),
      body: fc.option(
        fc.oneof(
          fc.constantFrom(JSON.stringify({ produce: [created] }), '{', '', 'null', '[]', '{"__proto__":{"produce":1}}'),
          fc.json(),
          fc.string({ unit: 'binary' }),
        ),
        { nil: undefined },
      ),
      base64: fc.boolean(),
      roleArn: fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
    })
    .map(({ body, roleArn, headers, ...request }) =>
      eventOf({
        ...request,
        headers: headers as Record<string, string>,
        ...(body === undefined ? {} : { body }),
        ...(roleArn === undefined ? {} : { roleArn }),
      }),
    )

it('whatever comes in, an answer or a problem goes out', async () => {
  const { answerTo, prepare } = await aSwitchboard()
  await prepare('orders-api')
  const authorization = `Bearer ${await tokenFor('orders-api')}`
  await fc.assert(
    fc.asyncProperty(anyEvent(authorization), async (event) => {
      const { status, headers, body } = await answerTo(event)
      expect(headers['x-request-id']).toBe('request-1')
      if (status < 400) return
      expect(headers).toMatchObject({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
      expect(body).toMatchObject({
        type: expect.stringContaining(`#${body.code}`),
        title: expect.any(String),
        status,
        instance: 'urn:switchboard:request:request-1',
        retryable: expect.any(Boolean),
      })
      // what a caller sends is never our failure
      expect(status).not.toBe(500)
    }),
    { numRuns: 400 },
  )
})

it('an event that API Gateway would never send is answered too', async () => {
  const { answerTo } = await aSwitchboard()
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.jsonValue(), fc.object(), fc.constant(undefined)), async (event) => {
      expect((await answerTo(event)).status).toBeGreaterThanOrEqual(400)
    }),
  )
})
