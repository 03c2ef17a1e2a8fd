import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SwitchboardError, type SwitchboardErrorCode } from '../../shared/domain/errors.ts'
import { asSwitchboardError, problems, renderProblem } from '../../shared/http/problem.ts'

const codes = Object.keys(problems) as SwitchboardErrorCode[]
const bodyOf = (error: SwitchboardError) => JSON.parse(renderProblem(error, 'request-1').body ?? '')

describe('a problem', () => {
  it.each(codes)('%s has its status, a title and whether retrying can help', (code) => {
    const answer = renderProblem(new SwitchboardError(code), 'request-1')
    expect(answer.statusCode).toBe(problems[code].status)
    expect(answer.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-request-id': 'request-1',
    })
    expect(bodyOf(new SwitchboardError(code))).toEqual({
      type: expect.stringMatching(new RegExp(`^https://.*/problems\\.md#${code}$`)),
      title: problems[code].title,
      status: problems[code].status,
      instance: 'urn:switchboard:request:request-1',
      code,
      retryable: problems[code].retryable,
    })
  })

  it.each(codes)('%s has a heading in the document that its type leads to', (code) => {
    expect(readFileSync('docs/problems.md', 'utf8')).toMatch(new RegExp(`^#+ .*\`?${code}\`?`, 'm'))
  })

  it('has the field errors and when to come back', () => {
    const errors = [{ pointer: '/produce/0', detail: 'x' }]
    const error = new SwitchboardError('invalid_intent', { errors, retryAfterSeconds: 7, detail: 'd' })
    expect(bodyOf(error)).toMatchObject({ errors, detail: 'd' })
    expect(renderProblem(error, 'r').headers).toMatchObject({ 'retry-after': '7' })
  })

  it('never shows the true reason or the cause', () => {
    fc.assert(
      fc.property(fc.constantFrom(...codes), fc.uuid(), fc.uuid(), (code, reason, cause) => {
        const answer = renderProblem(new SwitchboardError(code, { reason, cause: new Error(cause) }), 'request-1')
        expect(JSON.stringify(answer)).not.toContain(reason)
        expect(JSON.stringify(answer)).not.toContain(cause)
      }),
    )
  })

  it('of anything that is not ours is `internal` and says nothing', () => {
    const thrown = fc.oneof(
      fc.uuid().map((text) => new Error(text)),
      fc.uuid().map((text) => Object.assign(new TypeError(text), { code: 'access_denied', detail: text })),
      fc.uuid(),
      fc.anything(),
    )
    fc.assert(
      fc.property(thrown, (error) => {
        const answer = renderProblem(asSwitchboardError(error), 'request-1')
        expect(answer.statusCode).toBe(500)
        expect(Object.keys(JSON.parse(answer.body ?? '')).sort()).toEqual([
          'code',
          'instance',
          'retryable',
          'status',
          'title',
          'type',
        ])
      }),
    )
  })
})
