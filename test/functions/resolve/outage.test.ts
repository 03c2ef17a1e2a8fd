import {
  ConditionalCheckFailedException,
  InternalServerError,
  ProvisionedThroughputExceededException,
  ResourceNotFoundException,
  TransactionCanceledException,
} from '@aws-sdk/client-dynamodb'
import type { APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { describe, expect, it, vi } from 'vitest'
import { createHandler } from '../../../functions/resolve/handler.ts'
import type { Endpoint } from '../../../functions/resolve/routes.ts'
import { recordTelemetry } from '../../fixtures/recorded-telemetry.ts'
import { eventOf } from './a-switchboard.ts'

const said = { message: 'the table leases-7 of 111122223333', $metadata: { httpStatusCode: 400 } }

const cancelled = (...codes: readonly string[]) =>
  new TransactionCanceledException({ ...said, CancellationReasons: codes.map((Code) => ({ Code })) })

const named = (name: string) => Object.assign(new Error(said.message), { name })
const coded = (code: string) => Object.assign(new Error(said.message), { code })

const outages: readonly (readonly [string, Error])[] = [
  ['is over its capacity', new ProvisionedThroughputExceededException(said)],
  ['is throttled', named('ThrottlingException')],
  ['cancels a transaction because it is throttled', cancelled('None', 'ThrottlingError')],
  ['cancels a transaction because it is over its capacity', cancelled('ProvisionedThroughputExceeded', 'None')],
  ['cancels a transaction because of another, again and again', cancelled('TransactionConflict')],
  ['does not answer in time', named('TimeoutError')],
  ['has a fault', new InternalServerError({ ...said, $metadata: { httpStatusCode: 500 } })],
  ['is down', coded('ECONNREFUSED')],
  ['hangs up', coded('ECONNRESET')],
  ['has no address', coded('ENOTFOUND')],
]

const faults: readonly (readonly [string, unknown])[] = [
  ['a table that is not there', new ResourceNotFoundException(said)],
  ['a permission that is missing', Object.assign(named('AccessDeniedException'), { $metadata: said.$metadata })],
  ['a condition that nobody expected to fail', new ConditionalCheckFailedException(said)],
  ['a transaction that is not valid', cancelled('None', 'ValidationError')],
  ['an error of the program', new TypeError(said.message)],
  ['something that is no error', said.message],
]

const health = eventOf({ method: 'GET', path: '/v1/health' })

const answerOf = async (endpoint: () => Promise<APIGatewayProxyStructuredResultV2>, context = {} as Context) => {
  const telemetry = recordTelemetry()
  const answers: Endpoint = endpoint
  const handler = createHandler({ '/v1/health': { GET: answers } }, telemetry)
  const answer = (await handler(health, context)) as APIGatewayProxyStructuredResultV2
  return { answer, telemetry, code: JSON.parse(answer.body ?? '').code }
}

const failingWith = (error: unknown) =>
  answerOf(async () => {
    throw error
  })

describe('a store that', () => {
  it.each(outages)('%s is a 503 that says when to come back and not why', async (_, error) => {
    const { answer, telemetry, code } = await failingWith(error)
    expect([answer.statusCode, code, answer.headers?.['retry-after']]).toEqual([503, 'unavailable', '2'])
    expect(JSON.stringify(answer)).not.toContain('leases-7')
    expect(telemetry.text()).toContain('leases-7')
    expect(telemetry.counted).toContain('Failed')
  })
})

describe('a fault of ours', () => {
  it.each(faults)('such as %s stays one', async (_, error) => {
    const { answer, telemetry, code } = await failingWith(error)
    expect([answer.statusCode, code]).toEqual([500, 'internal'])
    expect(telemetry.counted).toContain('Failed')
  })
})

describe('a request', () => {
  const never = () => new Promise<APIGatewayProxyStructuredResultV2>(() => {})

  it('that finds no answer is given up while 5 s are left to say so', async () => {
    const context = { getRemainingTimeInMillis: () => 5_010 } as Context
    vi.useFakeTimers()
    const answering = answerOf(never, context)
    await vi.advanceTimersByTimeAsync(10)
    vi.useRealTimers()
    const { answer, code } = await answering
    expect([answer.statusCode, code, answer.headers?.['retry-after']]).toEqual([503, 'unavailable', '2'])
  })
})
