import type { Context, SQSEvent } from 'aws-lambda'
import { describe, expect, it } from 'vitest'
import { createHandler } from '../../../functions/rotate/handler.ts'
import { now } from '../../fixtures/policies.ts'
import { recordTelemetry } from '../../fixtures/recorded-telemetry.ts'

const aBatch = (bodies: readonly string[], receiveCount = 1): SQSEvent => ({
  Records: bodies.map((body, index) => ({
    messageId: `message-${index}`,
    receiptHandle: `handle-${index}`,
    body,
    attributes: {
      ApproximateReceiveCount: String(receiveCount),
      SentTimestamp: '0',
      SenderId: 'x',
      ApproximateFirstReceiveTimestamp: '0',
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:eu-west-1:111122223333:access.fifo',
    awsRegion: 'eu-west-1',
  })),
})

const access = (cluster: string, principal: string): string => JSON.stringify({ kind: 'access', cluster, principal })
const ensureKeys = JSON.stringify({ kind: 'ensure-keys' })

const aRotate = (failing: readonly string[] = [], options: { postponeFails?: boolean; hasKey?: boolean } = {}) => {
  const applied: [string, readonly string[]][] = []
  const postponed: [string, number][] = []
  let ensured = 0
  const telemetry = recordTelemetry()
  const handler = createHandler({
    applyAccess: async (cluster, principals) => {
      applied.push([cluster, principals])
      if (failing.includes(cluster)) throw new Error(`the cluster ${cluster} is down`)
    },
    signingKeys: {
      ensure: async () => {
        ensured++
        if (failing.includes('keys')) throw new Error('the secret is not there')
        return options.hasKey !== true
      },
    },
    queue: {
      postpone: async (handle, seconds) => {
        if (options.postponeFails === true) throw new Error('throttled')
        postponed.push([handle, seconds])
      },
    },
    telemetry,
    clock: () => now,
  })
  return {
    applied,
    postponed,
    telemetry,
    ensured: () => ensured,
    run: async (bodies: readonly string[], receiveCount?: number) => {
      const { batchItemFailures } = await handler(aBatch(bodies, receiveCount), {} as Context)
      return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
    },
  }
}

describe('a batch of messages', () => {
  it('is one job a cluster, so that its ACLs go in one request', async () => {
    const { run, applied } = aRotate()
    expect(await run([access('a', 'x'), access('b', 'x'), access('a', 'y')])).toEqual([])
    expect(applied).toEqual([
      ['a', ['x', 'y']],
      ['b', ['x']],
    ])
  })

  it.each([
    '',
    'no json',
    '{}',
    'null',
    '[]',
    '{"kind":"access"}',
    '{"kind":"access","cluster":"","principal":"x"}',
    '{"kind":"drop-everything"}',
  ])('goes on past a message that is not ours, and only that one fails: %s', async (poison) => {
    const { run, applied } = aRotate()
    expect(await run([access('a', 'x'), poison, access('b', 'x')])).toEqual(['message-1'])
    expect(applied.map(([cluster]) => cluster).sort()).toEqual(['a', 'b'])
  })

  it('fails with all messages of a cluster that is down, in their order, and with no other', async () => {
    const { run } = aRotate(['a'])
    expect(await run([access('a', 'x'), access('b', 'x'), access('a', 'y'), ensureKeys])).toEqual([
      'message-0',
      'message-2',
    ])
  })

  it('tells what failed and counts it', async () => {
    const { run, telemetry } = aRotate(['a'])
    await run([access('a', 'x')])
    expect(telemetry.counted).toEqual(['MessageFailed'])
    expect(telemetry.lines).toMatchObject([{ level: 'error', fields: { errorMessage: 'the cluster a is down' } }])
  })

  it('makes the signing key once, however often it is asked to', async () => {
    const { run, ensured, telemetry } = aRotate()
    expect(await run([ensureKeys, ensureKeys])).toEqual([])
    expect(ensured()).toBe(1)
    expect(telemetry.counted).toEqual(['SigningKeyCreated'])
  })

  it('says nothing of a key that is already there', async () => {
    const { run, telemetry } = aRotate([], { hasKey: true })
    await run([ensureKeys])
    expect(telemetry.counted).toEqual([])
  })
})

describe('a message that failed', () => {
  it.each([
    [1, 2],
    [2, 4],
    [5, 32],
    [6, 60],
    [500, 60],
  ])('for the %i. time comes back after %i s', async (receiveCount, seconds) => {
    const { run, postponed } = aRotate(['a'])
    await run([access('a', 'x')], receiveCount)
    expect(postponed).toEqual([['handle-0', seconds]])
  })

  it('is reported as failed even when it cannot be postponed, and what succeeded is not repeated', async () => {
    const { run } = aRotate(['a'], { postponeFails: true })
    expect(await run([access('a', 'x'), access('b', 'x')])).toEqual(['message-0'])
  })
})
