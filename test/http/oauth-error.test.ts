import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { OAuthError, renderOAuthError, renderProblemAsOAuth } from '../../shared/http/oauth-error.ts'
import { problems } from '../../shared/http/problem.ts'

const bodyOf = (error: OAuthError) => JSON.parse(renderOAuthError(error, 'request-1').body ?? '')

describe('an error of OAuth', () => {
  test('describes itself in the characters that RFC 6749 5.2 allows, whatever it is about', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (detail) => {
        const { error, error_description } = bodyOf(new OAuthError('invalid_request', { detail }))
        expect(error).toBe('invalid_request')
        expect(error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
      }),
    )
    expect(bodyOf(new OAuthError('invalid_scope', { detail: 'no "scope" \\ of M\u00fcnchen\r\n' }))).toEqual({
      error: 'invalid_scope',
      error_description: 'no ?scope? ? of M?nchen?? (request request-1)',
    })
  })

  test('challenges whoever could not prove who it is, and nobody else', () => {
    const challenge = (code: 'invalid_client' | 'invalid_grant') =>
      renderOAuthError(new OAuthError(code, { detail: 'no' }), 'request-1')
    expect(challenge('invalid_client')).toMatchObject({
      statusCode: 401,
      headers: { 'www-authenticate': 'Basic realm="switchboard"' },
    })
    expect(challenge('invalid_grant').statusCode).toBe(400)
    expect(challenge('invalid_grant').headers).not.toHaveProperty('www-authenticate')
  })

  const ofOtherEndpoints = ['channel_fenced', 'unauthenticated', 'not_found', 'method_not_allowed', 'not_acceptable']
  test.each((Object.keys(problems) as (keyof typeof problems)[]).filter((code) => !ofOtherEndpoints.includes(code)))(
    'for `%s` has a status that Kafka clients retry if that may help, and then no body',
    (code) => {
      const answer = renderProblemAsOAuth(
        new SwitchboardError(code, { detail: 'no', reason: 'hunter2', retryAfterSeconds: 7 }),
        'request-1',
      )
      // librdkafka 2.16 retries these; Java 4.3.1 these and all that is no 4xx, 501 or 505
      expect([408, 425, 429, 500, 502, 503, 504].includes(answer.statusCode ?? 0)).toBe(problems[code].retryable)
      expect(answer.body === undefined).toBe(problems[code].retryable)
      expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', pragma: 'no-cache' })
      expect(answer.headers?.['retry-after']).toBe(problems[code].retryable ? '7' : undefined)
      expect(JSON.stringify(answer)).not.toContain('hunter2')
    },
  )
})
