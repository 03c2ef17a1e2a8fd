import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import {
  CloudWatchLogsClient,
  paginateDescribeLogGroups,
  paginateFilterLogEvents,
} from '@aws-sdk/client-cloudwatch-logs'
import { PurgeQueueCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { findErrorBy, Producer, stringSerializers } from '@platformatic/kafka'
import { type Lease, openLease } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Document, parseDocument } from 'yaml'
import type { CredentialReport } from '../../cli/credentials.ts'
import { awsEnvironment, trustAuthority } from '../../local/emulator.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { createQueue } from '../../shared/store/queue.ts'
import { canLogIn } from '../fixtures/kafka-login.ts'
import { until } from '../fixtures/until.ts'

// Somebody must be out: what a revocation does to a producer that is connected and under load, and to its neighbour.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(state.caFile, 'utf8'))
const { aws, switchboard } = state
const created = 'kafka://payments.acme.com/orders/created'
const daily = 'kafka://payments.acme.com/reports/daily'
const run = randomUUID().slice(0, 8)
const thief = `thief-${run}`
const neighbour = `neighbour-${run}`

const command = async (...words: readonly string[]): Promise<string> => {
  const options = { cwd: root, env: cleanEnvironment(awsEnvironment(aws, state.caFile)) }
  const args = [join(root, 'cli/switchboard.ts'), ...words, '--stack', switchboard.stackName]
  return (await promisify(execFile)(nodeFile, args, options)).stdout
}

type Answer = {
  readonly status: number
  readonly code?: string
  readonly lease?: { readonly id: string }
  readonly connections?: readonly { readonly credential: { readonly username?: string; readonly password?: string } }[]
}

const ask = async (principal: string, intent: Record<string, unknown>): Promise<Answer> => {
  const response = await fetch(`${switchboard.url}/v1/resolve`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await mintWorkloadToken(state, { principal })}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(intent),
  })
  return { status: response.status, ...Object(await response.json()) }
}

const leases: Lease[] = []
const loads: { readonly stop: () => Promise<void> }[] = []

type Attempt = { readonly at: number; readonly refusedBy: string | undefined }

/** A producer of the SDK that sends without a pause, one record at a time. */
const startLoad = async (principal: string) => {
  const lease = await openLease({
    url: switchboard.url,
    token: () => mintWorkloadToken(state, { principal }),
    intent: { produce: [created] },
  })
  leases.push(lease)
  const kafka = platformatic(lease.connection())
  const producer = new Producer({ ...kafka.producer, retries: 0, serializers: stringSerializers })
  const topic = kafka.topic(created)
  const attempts: Attempt[] = []
  let connections = 0
  producer.on('client:broker:connect', () => {
    connections += 1
  })
  let isStopped = false
  const send = async (): Promise<void> => {
    let refusedBy: string | undefined
    try {
      await producer.send({ messages: [{ topic, key: principal, value: String(attempts.length) }] })
    } catch (error) {
      const refusal = findErrorBy(error as Error, 'apiId', 'TOPIC_AUTHORIZATION_FAILED')
      refusedBy = refusal === null || refusal === undefined ? String(error) : 'TOPIC_AUTHORIZATION_FAILED'
    }
    attempts.push({ at: Date.now(), refusedBy })
  }
  const loop = (async () => {
    while (!isStopped) {
      await send()
      await delay(5)
    }
  })()
  const load = {
    attempts,
    connections: () => connections,
    stop: async () => {
      isStopped = true
      await loop
      await producer.close()
    },
  }
  loads.push(load)
  await until(
    'load',
    async () => attempts.filter(({ refusedBy }) => refusedBy === undefined).length,
    (sent) => sent > 20,
  )
  return load
}

type LogLine = { readonly timestamp: string; readonly milliseconds?: number; readonly cluster: string }

/** Lines of rotate's log about `payments` that have all of these words, and when each was written. */
const linesAfter = async (
  since: number,
  ...words: readonly string[]
): Promise<readonly (LogLine & { at: number })[]> => {
  const logs = new CloudWatchLogsClient({
    region: aws.region,
    endpoint: aws.endpointUrl,
    credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
  })
  const lines: (LogLine & { at: number })[] = []
  for await (const { logGroups = [] } of paginateDescribeLogGroups({ client: logs }, {}))
    for (const { logGroupName = '' } of logGroups.filter(({ logGroupName: name = '' }) => name.includes('Rotate')))
      for await (const { events = [] } of paginateFilterLogEvents({ client: logs }, { logGroupName, startTime: since }))
        for (const { message = '' } of events) {
          if (!message.includes('"cluster":"payments"') || !words.every((word) => message.includes(word))) continue
          const line: LogLine = JSON.parse(message)
          lines.push({ ...line, at: new Date(line.timestamp).getTime() })
        }
  return lines
}

/** When rotate took the first message about the principal's access to `payments` in hand, by its own log. */
const takenAfter = async (principal: string, since: number): Promise<number> => {
  const lines = await linesAfter(since, '"access applied"', `"${principal}"`)
  return Math.min(...lines.map(({ at, milliseconds = 0 }) => at - milliseconds).filter((at) => at >= since))
}

/** A policy like the one of the stack, in which these two may do what the tests ask of them. */
const policyOf = (change: (policy: Document) => void): string => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  for (const principal of [thief, neighbour])
    policy.addIn(['grants'], { principals: [principal], produce: [created], consume: [daily] })
  policy.setIn(['clusters', 'analytics', 'auth'], ['scram'])
  const clock = { propagation: '1s', lookEvery: '200ms', skew: '1s' }
  policy.setIn(['clusters', 'analytics', 'rotation'], policy.createNode({ clock }))
  change(policy)
  const policyFile = join(state.runDirectory, 'revoke-policy.yaml')
  writeFileSync(policyFile, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  return policyFile
}

beforeAll(async () => {
  await command(
    'apply',
    policyOf(() => {}),
  )
  await until(
    'the policy in force',
    () => ask(neighbour, { produce: [created] }),
    ({ status }) => status === 200,
  )
})

afterAll(async () => {
  await Promise.all(loads.map(({ stop }) => stop()))
  for (const lease of leases) lease.close()
  for (const principal of [thief, neighbour]) await command('restore', principal)
  await command('apply', state.policyFile)
})

test('a producer under load is refused on its live connection at once, its neighbour is not, and a restore brings it back', async () => {
  const [out, calm] = await Promise.all([startLoad(thief), startLoad(neighbour)])
  const connections = out.connections()
  const calmBefore = calm.attempts.length
  expect(out.attempts.every(({ refusedBy }) => refusedBy === undefined)).toBe(true)

  const told = await command('revoke', thief)

  const firstRefusal = async () => out.attempts.find(({ refusedBy }) => refusedBy !== undefined)
  const refused = await until('a refusal', firstRefusal, (attempt) => attempt !== undefined)
  expect(refused?.refusedBy).toBe('TOPIC_AUTHORIZATION_FAILED')
  expect(connections).toBeGreaterThan(0)
  expect(out.connections()).toBe(connections)
  expect(told).toMatch(new RegExp(`^\`${thief}\` is revoked: new requests are refused within 5 s`))
  expect(told).toMatch(/payments: access gone, also for live connections, after \d\.\d s/)
  expect(told).toMatch(/payments: tokens end by 20\d\d-/)

  // nothing gets through any more, and what the command said of new requests is so
  const since = out.attempts.length
  expect(await ask(thief, { produce: [created] })).toMatchObject({ status: 403, code: 'access_denied' })
  await until(
    'more attempts',
    async () => out.attempts.length,
    (count) => count > since + 20,
  )
  expect(out.attempts.slice(since).filter(({ refusedBy }) => refusedBy === undefined)).toEqual([])

  expect(calm.attempts.length).toBeGreaterThan(calmBefore + 100)
  expect(calm.attempts.filter(({ refusedBy }) => refusedBy !== undefined)).toEqual([])
  expect(await command('revoked')).toContain(thief)

  const restored = await command('restore', thief)

  expect(restored).toMatch(/payments: access as the grants say after/)
  const back = out.attempts.length
  await until('records of the restored producer', async () =>
    out.attempts.slice(back).some(({ refusedBy }) => refusedBy === undefined),
  )
  await until(
    'an answer for the restored principal',
    () => ask(thief, { produce: [created] }),
    ({ status }) => status === 200,
  )
  expect(calm.attempts.filter(({ refusedBy }) => refusedBy !== undefined)).toEqual([])
  expect(await command('revoked')).not.toContain(thief)
})

test('somebody who is revoked on one cluster is refused there alone', async () => {
  await until(
    'access on the other cluster',
    () => ask(neighbour, { consume: [daily] }),
    ({ status }) => status === 200,
  )

  const told = await command('revoke', neighbour, '--cluster', 'analytics')

  expect(told).toContain('analytics: access gone')
  expect(told).not.toContain('payments:')
  expect(await ask(neighbour, { consume: [daily] })).toMatchObject({ status: 403, code: 'access_denied' })
  expect(await ask(neighbour, { produce: [created] })).toMatchObject({ status: 200 })
  await command('restore', neighbour, '--cluster', 'analytics')
  await until(
    'access again',
    () => ask(neighbour, { consume: [daily] }),
    ({ status }) => status === 200,
  )
})

test('somebody whose credential is stored loses its user too, and gets another after a restore', async () => {
  const wish = { consume: [daily], network: 'vpc-local' }
  const getLogin = async () => {
    const { connections = [] } = await until(
      'a stored credential',
      () => ask(thief, wish),
      ({ status }) => status === 200,
    )
    const { username = '', password = '' } = connections[0]?.credential ?? {}
    return { bootstrap: state.clusters.analytics.inside, username, password }
  }
  const login = await getLogin()
  expect(await canLogIn(login)).toBe(true)
  expect(await command('credentials', '--principal', thief)).toMatch(/analytics +\S+ +a +active /)
  expect(await command('leases', '--slot', `${thief}@a`)).toContain('analytics@a')

  const told = await command('revoke', thief)

  expect(told).toMatch(/analytics: access gone, also for live connections, after \d/)
  expect(told).toMatch(/analytics: users gone after \d/)
  expect(await canLogIn(login)).toBe(false)
  expect(await ask(thief, wish)).toMatchObject({ status: 403, code: 'access_denied' })

  expect(await command('restore', thief)).toContain('stored credentials are made anew')

  const again = await getLogin()
  expect(again.password).not.toBe(login.password)
  expect(await canLogIn(again)).toBe(true)
})

test('what rotate gave up is queued again by the command, and what is not ours stays', async () => {
  const sqs = new SQSClient({
    region: aws.region,
    endpoint: aws.endpointUrl,
    credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
  })
  const QueueUrl = switchboard.outputs.DeadLetterQueueUrl ?? ''
  const bury = (MessageBody: string) =>
    sqs.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody,
        MessageGroupId: MessageBody,
        MessageDeduplicationId: randomUUID(),
      }),
    )
  const principal = `buried-${run}`
  await bury(run)
  await bury(JSON.stringify({ kind: 'access', cluster: 'payments', principal }))
  const startedAt = Date.now()

  const told = await command('redrive')

  expect(told).toContain(principal)
  expect(told).toMatch(/1 left: no messages of this version/)
  await until('the work', () => takenAfter(principal, startedAt), Number.isFinite)
  await sqs.send(new PurgeQueueCommand({ QueueUrl }))
})

test('a lease that an operator ends is off the record', async () => {
  const { lease } = await ask(neighbour, { produce: [created] })
  const id = lease?.id ?? ''
  expect(await command('leases', '--principal', neighbour)).toContain(id)

  expect(await command('leases', '--end', id, '--principal', neighbour)).toContain('has ended')

  expect(await command('leases', '--principal', neighbour)).not.toContain(id)
})

test('a producer is refused while its cluster rotates the credentials of forty others', async () => {
  const queue = createQueue(
    new SQSClient({
      region: aws.region,
      endpoint: aws.endpointUrl,
      credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
    }),
    switchboard.outputs.QueueUrl ?? '',
  )
  const others = Array.from({ length: 40 }, (_, at) => `other-${run}-${at}`)
  const sweep = () => queue.send({ kind: 'sweep', scheduledAt: new Date().toISOString() })
  await command(
    'apply',
    policyOf((policy) => {
      policy.setIn(['clusters', 'payments', 'auth'], ['jwt', 'scram'])
      // so that there is always one to rotate, and a run of the worker still ends
      const clock = { propagation: '0s', lookEvery: '100ms', skew: '0s', longestRetry: '1s', firstRetry: '1s' }
      policy.setIn(['clusters', 'payments', 'rotation'], policy.createNode({ every: '5s', clock }))
      policy.addIn(['grants'], { principals: others, produce: [created], maxLease: '1s' })
    }),
    '--wait',
    '300',
  )
  const out = await startLoad(thief)
  const startedWork = Date.now()
  const sweeping = setInterval(() => void sweep().catch(() => {}), 500)
  loads.push({ stop: async () => clearInterval(sweeping) })
  /** How many secrets the others have had together. */
  const progress = async (): Promise<number> => {
    const found: readonly CredentialReport[] = JSON.parse(
      await command('credentials', '--cluster', 'payments', '--json'),
    )
    return found
      .filter(({ principal }) => others.includes(principal))
      .reduce((sum, { slots }) => sum + slots.a.generation + slots.b.generation, 0)
  }
  const before = await progress()
  await until('the rotation of the others', progress, (now) => now > before, 120_000)

  const startedAt = Date.now()
  const told = await command('revoke', thief, '--wait', '200')

  const refused = await until(
    'a refusal',
    () => out.attempts.find(({ at, refusedBy }) => at >= startedAt && refusedBy !== undefined),
    (attempt) => attempt !== undefined,
  )
  expect(refused?.refusedBy).toBe('TOPIC_AUTHORIZATION_FAILED')
  expect(told).toMatch(/payments: access gone, also for live connections, after \d\.\d s/)
  // the others were at it before and after; a run is logged when it ends
  const stepsOfOthers = async () => (await linesAfter(startedWork, '"credential step"', '"other-')).map(({ at }) => at)
  const steps = await until('more steps', stepsOfOthers, (found) => found.some((at) => at > (refused?.at ?? 0)))
  expect(steps.some((at) => at < startedAt)).toBe(true)
}, 300_000)
