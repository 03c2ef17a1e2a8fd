import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { expect, test } from 'vitest'
import { readForm } from '../../shared/http/form.ts'

const read = (body: string) =>
  readForm({
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
    isBase64Encoded: false,
  } as unknown as APIGatewayProxyEventV2)

// what librdkafka 2.16.0 puts on the wire for `sasl.oauthbearer.assertion.file`
const sent = (end: string) => `grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=a-1.b_2.c${end}`

test.each(['', '\n', '\r\n'])(
  'an assertion ends where its token does, whatever line break %j its file ends in',
  (end) => {
    for (const more of ['', '&scope=kafka:payments']) {
      const form = read(sent(end) + more)
      expect(form.ok && form.value.get('assertion')).toBe('a-1.b_2.c')
    }
  },
)

test.each(['\n\n', '\nx', '\n.d', ' '])('%j after an assertion is no line break of its file', (end) => {
  expect(read(sent(end))).toMatchObject({ ok: false })
})

test('a line break after anything else is refused', () => {
  expect(read('grant_type=client_credentials\n')).toMatchObject({ ok: false })
})
