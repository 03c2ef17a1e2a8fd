import type { Context, SQSEvent } from 'aws-lambda'
import { describe, expect, it, vi } from 'vitest'
import { createHandler } from '../../../functions/rotate/handler.ts'
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
const revocation = (cluster: string, principal: string): string =>
  JSON.stringify({ kind: 'revocation', cluster, principal })
const credential = (cluster: string, principal: string): string =>
  JSON.stringify({ kind: 'credential', cluster, principal })
const credentials = (cluster: string, principals: readonly string[]): string =>
  JSON.stringify({ kind: 'credentials', cluster, principals })
const sweep = JSON.stringify({ kind: 'sweep' })
const census = JSON.stringify({ kind: 'census', scheduledAt: '2026-11-21T12:00:00Z' })
const ensureKeys = JSON.stringify({ kind: 'ensure-keys' })

const aRotate = (
  failing: readonly string[] = [],
  options: { postponeFails?: boolean; delay?: (cluster: string) => Promise<void> } = {},
) => {
  const applied: [string, readonly string[]][] = []
  const revoked: [string, readonly string[]][] = []
  const rotated: [string, readonly string[]][] = []
  const postponed: [string, number][] = []
  let swept = 0
  let counted = 0
  let ensured = 0
  const keySteps: string[] = []
  const telemetry = recordTelemetry()
  const handler = createHandler({
    applyAccess: async (cluster, principals) => {
      applied.push([cluster, principals])
      await options.delay?.(cluster)
      if (failing.includes(cluster)) throw new Error(`the cluster ${cluster} is down`)
    },
    revokeAccess: async (cluster, principals) => {
      revoked.push([cluster, principals])
      if (failing.includes(`revocations of ${cluster}`)) throw new Error('the cluster is down')
    },
    rotateCredentials: async (cluster, principals) => {
      rotated.push([cluster, principals])
      if (failing.includes(`credentials of ${cluster}`)) throw new Error('the table cannot be read')
    },
    sweep: async () => {
      swept++
      if (failing.includes('sweep')) throw new Error('the table cannot be read')
    },
    census: async () => {
      counted++
      if (failing.includes('census')) throw new Error('the table cannot be read')
    },
    signingKeys: {
      ensure: async () => {
        ensured++
        if (failing.includes('keys')) throw new Error('the secret is not there')
        return true
      },
      remind: async () => void keySteps.push('remind'),
      run: async () => void keySteps.push('run'),
      replace: async (kids, atOnce) => void keySteps.push(`${kids.join()} ${atOnce}`),
    },
    queue: {
      postpone: async ({ receiptHandle }, seconds) => {
        if (options.postponeFails === true) throw new Error('throttled')
        postponed.push([receiptHandle, seconds])
      },
    },
    telemetry,
  })
  return {
    applied,
    revoked,
    rotated,
    swept: () => swept,
    counted: () => counted,
    postponed,
    telemetry,
    ensured: () => ensured,
    keySteps,
    run: async (bodies: readonly string[], receiveCount?: number) => {
      const { batchItemFailures } = await handler(aBatch(bodies, receiveCount), {} as Context)
      return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
    },
  }
}

describe('a revocation', () => {
  it('is done beside what its cluster has to do, and is not held up by it', async () => {
    let end = (): void => {}
    const slow = new Promise<void>((resolve) => {
      end = resolve
    })
    const { run, revoked } = aRotate([], { delay: () => slow })
    const batch = run([access('a', 'x'), revocation('a', 'y'), revocation('a', 'z'), revocation('b', 'y')])
    await vi.waitFor(() => expect(revoked).toHaveLength(2))
    expect(revoked).toEqual([
      ['a', ['y', 'z']],
      ['b', ['y']],
    ])
    end()
    expect(await batch).toEqual([])
  })

  it('that fails comes back, and nothing else of its cluster does', async () => {
    const { run, applied, postponed } = aRotate(['revocations of a'])
    expect(await run([revocation('a', 'y'), access('a', 'x')])).toEqual(['message-0'])
    expect(applied).toEqual([['a', ['x']]])
    expect(postponed).toEqual([['handle-0', 2]])
  })
})

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

  it('does the work of a cluster while another one is slow, so that a revocation there does not wait', async () => {
    let goOn = (): void => undefined
    const isSlow = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const { run, applied, rotated } = aRotate([], { delay: async (cluster) => (cluster === 'a' ? isSlow : undefined) })
    const done = run([access('a', 'x'), access('b', 'x')])
    await vi.waitFor(() => expect(rotated).toEqual([['b', ['x']]]))
    expect(applied).toHaveLength(2)
    goOn()
    expect(await done).toEqual([])
    expect(rotated).toHaveLength(2)
  })

  it('tells what failed and counts it', async () => {
    const { run, telemetry } = aRotate(['a'])
    await run([access('a', 'x')])
    expect(telemetry.counted).toEqual(['MessageFailed'])
    expect(telemetry.lines).toMatchObject([{ level: 'error', fields: { errorMessage: 'the cluster a is down' } }])
  })

  it('makes the signing key once, however often it is asked to', async () => {
    const { run, ensured } = aRotate()
    expect(await run([ensureKeys, ensureKeys])).toEqual([])
    expect(ensured()).toBe(1)
  })

  it('takes the rotation of the signing keys on as one job, and asks no cluster about it', async () => {
    const { run, keySteps, applied, rotated } = aRotate()
    expect(await run([credential('@signing-keys', '@issuer'), credentials('@signing-keys', ['@issuer'])])).toEqual([])
    expect(keySteps).toEqual(['run'])
    expect([...applied, ...rotated]).toEqual([])
  })

  it('replaces the signing keys that it is told, and refuses to replace nothing', async () => {
    const { run, keySteps } = aRotate()
    const replace = (...kids: string[]) => JSON.stringify({ kind: 'rotate-keys', kids, atOnce: true })
    expect(await run([replace('one', 'two'), replace()])).toEqual(['message-1'])
    expect(keySteps).toEqual(['one,two true'])
  })

  it('sees at every sweep to it that the signing keys rotate, whatever else is due', async () => {
    const { run, keySteps } = aRotate()
    await run([sweep])
    expect(keySteps).toEqual(['remind'])
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

describe('stored credentials', () => {
  it('are looked at after the access of their cluster, each principal once', async () => {
    const { run, applied, rotated } = aRotate()
    const batch = [access('a', 'x'), credential('a', 'x'), credential('a', 'y'), credentials('a', ['y', 'z'])]
    expect(await run(batch)).toEqual([])
    expect(applied).toEqual([['a', ['x']]])
    expect(rotated).toEqual([['a', ['x', 'y', 'z']]])
  })

  it('are no matter of access when nobody asks for that', async () => {
    const { run, applied, rotated } = aRotate()
    await run([credentials('a', ['x'])])
    expect(applied).toEqual([])
    expect(rotated).toEqual([['a', ['x']]])
  })

  it('that cannot be looked at return all messages of their cluster and no other', async () => {
    const { run } = aRotate(['credentials of a'])
    expect(await run([credential('a', 'x'), credential('b', 'x'), access('a', 'y')])).toEqual([
      'message-0',
      'message-2',
    ])
  })

  it('are swept once for several sweeps that meet', async () => {
    const { run, swept } = aRotate()
    expect(await run([sweep, sweep])).toEqual([])
    expect(swept()).toBe(1)
  })

  it('are swept again when a sweep fails', async () => {
    const { run } = aRotate(['sweep'])
    expect(await run([sweep])).toEqual(['message-0'])
  })

  it('are counted once for several censuses that meet, and by no sweep', async () => {
    const { run, counted, swept } = aRotate()
    expect(await run([census, sweep, census])).toEqual([])
    expect([counted(), swept()]).toEqual([1, 1])
  })

  it('are counted again when a census fails, and nothing else is done again for it', async () => {
    const { run } = aRotate(['census'])
    expect(await run([census, sweep])).toEqual(['message-0'])
  })
})
