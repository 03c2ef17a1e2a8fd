import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maximumBodyBytes, readJsonBody, requireAcceptsJson } from '../../shared/http/request.ts'

const anEvent = (changes: { body?: string; isBase64Encoded?: boolean; headers?: Record<string, string> }) =>
  ({ isBase64Encoded: false, headers: { 'content-type': 'application/json' }, ...changes }) as APIGatewayProxyEventV2

const codeOf = (read: () => unknown): unknown => {
  try {
    read()
  } catch (error) {
    return (error as { code?: unknown }).code
  }
  return 'read'
}
const reading = (body: string, isBase64Encoded = false) =>
  codeOf(() => readJsonBody(anEvent({ body, isBase64Encoded })))

describe('the body of a request', () => {
  it('is what JSON says, as text or in base64', () => {
    fc.assert(
      // a member's name with an escape is refused, so no `"` or `\\` here
      fc.property(fc.jsonValue({ stringUnit: fc.constantFrom(...'az09_ {}[]:,/~ü€😀') }), (value) => {
        const body = JSON.stringify(value)
        const parsed = JSON.parse(body)
        expect(readJsonBody(anEvent({ body }))).toEqual(parsed)
        expect(readJsonBody(anEvent({ body: Buffer.from(body).toString('base64'), isBase64Encoded: true }))).toEqual(
          parsed,
        )
      }),
    )
  })

  it.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON ;charset=UTF-8'])(
    'is read as %s',
    (type) => {
      expect(readJsonBody(anEvent({ body: '1', headers: { 'content-type': type } }))).toBe(1)
    },
  )

  it.each(['', 'text/json', 'application/jsonp', 'application/x-www-form-urlencoded', 'multipart/form-data'])(
    'is not read as %j',
    (type) => {
      expect(codeOf(() => readJsonBody(anEvent({ body: '1', headers: { 'content-type': type } })))).toBe(
        'unsupported_media_type',
      )
    },
  )

  it('is not read without a type', () => {
    expect(codeOf(() => readJsonBody(anEvent({ body: '1', headers: {} })))).toBe('unsupported_media_type')
  })

  it('may have 64 KB and not a byte more, counted as bytes and after base64', () => {
    const full = `"${'x'.repeat(maximumBodyBytes - 2)}"`
    expect(reading(full)).toBe('read')
    expect(reading(`${full} `)).toBe('payload_too_large')
    expect(reading(`"${'ä'.repeat(maximumBodyBytes / 2)}"`)).toBe('payload_too_large')
    expect(reading(Buffer.from(full).toString('base64'), true)).toBe('read')
    expect(reading(Buffer.from(`${full} `).toString('base64'), true)).toBe('payload_too_large')
  })

  it.each(['', '{', 'undefined', "{'a':1}", '{"a":1}{"b":2}', '\ufeff\ufeff1', 'NaN'])(
    'is refused when it is no JSON: %j',
    (body) => {
      expect(reading(body)).toBe('invalid_intent')
    },
  )

  it('is refused when it is no UTF-8', () => {
    expect(reading(Buffer.from([0x22, 0xff, 0x22]).toString('base64'), true)).toBe('invalid_intent')
  })

  it('is refused, never a crash, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(['read', 'invalid_intent']).toContain(reading(Buffer.from(bytes).toString('base64'), true))
      }),
    )
  })
})

describe('who takes JSON', () => {
  it.each([undefined, '*/*', 'application/*', 'application/json', 'text/html, */*;q=0.1', 'APPLICATION/JSON;q=0.9'])(
    'is %s',
    (accept) => {
      const headers: Record<string, string> = accept === undefined ? {} : { accept }
      expect(codeOf(() => requireAcceptsJson(anEvent({ headers })))).toBe('read')
    },
  )

  it.each(['text/html', 'application/xml', 'application/jsonx', ''])('is not %j', (accept) => {
    expect(codeOf(() => requireAcceptsJson(anEvent({ headers: { accept } })))).toBe('not_acceptable')
  })
})
