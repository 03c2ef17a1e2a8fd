import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseDocument } from 'yaml'
import type { Check } from '../../cli/service/checks.ts'
import { awsEnvironment, trustAuthority } from '../../local/emulator.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment, runCommand } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { slotNames } from '../../shared/domain/rotation.ts'
import { createCredentialStore } from '../../shared/store/credential-store.ts'
import { createQueue } from '../../shared/store/queue.ts'
import { toolsOf } from '../fixtures/stock-clients.ts'
import { until } from '../fixtures/until.ts'

// Clients that know nothing of Switchboard, under `exec`, on a cluster whose users rotate.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(state.caFile, 'utf8'))
const { aws, switchboard } = state
const tools = toolsOf(state)
const command = join(root, 'cli/switchboard.ts')
const folder = mkdtempSync(join(tmpdir(), 'switchboard-restart-'))
const processes: ChildProcess[] = []
const principal = `stored-${randomUUID().slice(0, 8)}`
const channel = 'kafka://stored.acme.com/orders/created'
/** The brokers of `payments` under another name, so that nothing else of the stack sees a change. */
const cluster = 'payments-stored'
const settings = {
  region: aws.region,
  endpoint: aws.endpointUrl,
  credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
}
const credentials = createCredentialStore(
  DynamoDBDocumentClient.from(new DynamoDBClient(settings)),
  switchboard.outputs.CredentialsTableName ?? '',
)

const queue = createQueue(new SQSClient(settings), switchboard.outputs.QueueUrl ?? '')

const apply = (policyFile: string): Promise<void> =>
  runCommand({
    name: 'switchboard apply',
    file: nodeFile,
    args: [command, 'apply', policyFile, '--stack', switchboard.stackName],
    env: cleanEnvironment(awsEnvironment(aws, state.caFile)),
    cwd: root,
    log: join(state.logDirectory, 'exec-restart-apply.log'),
  })

const policyWith = (members: Readonly<Record<string, unknown>>, { isUsed = true } = {}): string => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  const { clusters } = policy.toJS()
  policy.setIn(['clusters', cluster], {
    ...clusters.payments,
    auth: ['scram'],
    rotation: {
      every: '4s',
      clock: {
        propagation: '1s',
        lookEvery: '500ms',
        checkEvery: '2s',
        skew: '0s',
        firstRetry: '500ms',
        longestRetry: '1s',
      },
    },
    ...members,
  })
  if (isUsed)
    policy.addIn(['grants'], { principals: [principal], produce: [channel], consume: [channel], maxLease: '6s' })
  if (isUsed) policy.addIn(['routes'], { channel, cluster, topic: 'orders.created' })
  const file = join(state.runDirectory, 'exec-restart-policy.yaml')
  writeFileSync(file, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  return file
}

const patience = { timeout: 60_000, interval: 250 }
/** The stack sweeps once a minute, which is long for a credential that lives four seconds. */
const sweeping = setInterval(() => void queue.send({ kind: 'sweep' }), 500)

let tokenFile = ''
beforeAll(async () => {
  await apply(policyWith({}))
  tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, await mintWorkloadToken(state, { principal }), { mode: 0o600 })
})

afterAll(async () => {
  for (const child of processes) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
  // a cluster goes when nobody has anything there any more
  await apply(policyWith({}, { isUsed: false }))
  await vi.waitFor(async () => {
    const found = await slots()
    expect(slotNames.map((slot) => found?.[slot].state)).toEqual(['absent', 'absent'])
  }, patience)
  clearInterval(sweeping)
  await vi.waitFor(() => apply(state.policyFile), { timeout: 60_000, interval: 1_000 })
})

const start = (argv: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  const child = spawn(nodeFile, [command, ...argv], {
    env: cleanEnvironment({
      SWITCHBOARD_URL: switchboard.url,
      SWITCHBOARD_TOKEN_FILE: tokenFile,
      PYTHON: tools.python,
      FIXTURES: join(root, 'test/fixtures/confluent-kafka'),
      ...env,
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  processes.push(child)
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    err += chunk
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }))
  return { child, ended, lines: () => out.split('\n').filter((line) => line !== ''), out: () => out, err: () => err }
}

const python = (script: string): readonly string[] => [
  'sh',
  '-c',
  `exec "$PYTHON" "$FIXTURES/${script}" "$SWITCHBOARD_LIBRDKAFKA_FILE" "$SWITCHBOARD_TOPIC"`,
]

const slots = async () => (await credentials.read(cluster, principal))?.credential.slots
const generations = async (): Promise<number> => {
  const found = await slots()
  return slotNames.reduce((sum, slot) => sum + (found?.[slot].generation ?? 0), 0)
}

describe('a command under exec', () => {
  test('with --restart loses nothing while its user is replaced three times, and lets go of each', async () => {
    const consumer = start([
      'exec',
      '--consume',
      channel,
      '--network',
      'vpc-local',
      '--restart',
      '--',
      ...python('consume.py'),
    ])
    const producer = start([
      'exec',
      '--produce',
      channel,
      '--network',
      'vpc-local',
      '--restart',
      '--',
      ...python('numbers.py'),
    ])
    const lives = (): readonly string[] => producer.err().match(/^as .*$/gm) ?? []
    await until(
      () => `four lives; ${producer.err()}`,
      () => lives().length >= 4,
      Boolean,
      90_000,
    )
    // a slot becomes another generation only when nobody's lease names it any more
    expect(await generations()).toBeGreaterThanOrEqual(4)
    const restartsOfConsumer = consumer.err().match(/there is another credential/g)?.length
    expect(restartsOfConsumer).toBeGreaterThanOrEqual(2)
    producer.child.kill('SIGTERM')
    expect((await producer.ended).code).toBe(0)

    const written = producer.lines()
    const missing = (): readonly string[] => {
      const read = new Set(consumer.lines())
      return written.filter((line) => !read.has(line))
    }
    await until(
      () => `${missing().length} of ${written.length} records; ${consumer.err()}`,
      () => missing().length === 0,
    )
    consumer.child.kill('SIGTERM')
    expect((await consumer.ended).code).toBe(0)
    expect(written.length).toBeGreaterThan(500)
    expect(new Set(written).size).toBe(written.length)
    expect(new Set(written.map((line) => line.split('/')[1])).size).toBeGreaterThanOrEqual(4)
    expect(new Set(lives()).size).toBe(2)
    expect(producer.err() + consumer.err()).not.toMatch(/LOST|FATAL|error /)
  })

  test('without it keeps its user until it ends, and draining waits for it', async () => {
    const look = ['sh', '-c', 'echo "$SWITCHBOARD_LIBRDKAFKA_FILE"; exec sleep 90']
    const running = start(['exec', '--produce', channel, '--network', 'vpc-local', '--', ...look])
    await until(
      () => `a command that runs; ${running.err()}`,
      () => running.out().includes('.json'),
    )
    const userIn = (): string => JSON.parse(readFileSync(running.out().trim(), 'utf8'))['sasl.username']
    const user = userIn()
    const own = user.endsWith('@a') ? 'a' : 'b'
    await vi.waitFor(async () => expect((await slots())?.[own].state).toBe('draining'), patience)
    await until(
      () => `exec to say so; ${running.err()}`,
      () => running.err().includes('the command keeps what it has'),
    )
    const { since, generation } = (await slots())?.[own] ?? expect.unreachable()
    // longer than a lease and all of the cluster's clock together
    await until('fifteen seconds', () => Date.now() - since.getTime() > 15_000)
    expect((await slots())?.[own]).toMatchObject({ state: 'draining', generation })
    expect(userIn()).toBe(user)
    running.child.kill('SIGTERM')
    expect((await running.ended).code).toBe(143)
    await vi.waitFor(async () => expect((await slots())?.[own].generation).toBe(generation + 1), patience)
  })
})

describe('doctor', () => {
  test('logs in with the slot that is handed out, and finds nothing wrong', async () => {
    const { code, out } = await start(['doctor', '--json', '--produce', channel, '--network', 'vpc-local']).ended
    const checks: readonly Check[] = JSON.parse(out)
    expect({ code, failed: checks.filter(({ outcome }) => outcome === 'failed') }).toEqual({ code: 0, failed: [] })
    expect(checks.find(({ name }) => name === `${cluster} credential`)?.found).toMatch(
      new RegExp(`^user \`sb\\.${principal}@[ab]\`, slot [ab]$`),
    )
    expect(checks.find(({ name }) => name === `${cluster} topic orders.created`)?.outcome).toBe('ok')
  })
})

describe('a cluster that hands out where its passwords are', () => {
  const asked = ['--produce', channel, '--network', 'vpc-local']
  const withRights = cleanEnvironment(awsEnvironment(aws, state.caFile))

  const answered = async () => {
    const { code, out, err } = await start(['resolve', ...asked, '--format', 'json']).ended
    expect({ code, err }).toMatchObject({ code: 0 })
    return JSON.parse(out).connections[0].credential
  }

  beforeAll(async () => {
    await apply(policyWith({ credential: 'reference' }))
    // workers of resolve go on with the policy they know for some seconds, each for its own
    await vi.waitFor(async () => expect((await answered()).kind).toBe('reference'), patience)
  })

  test('answers with the secret and its version, and no file', async () => {
    await vi.waitFor(
      async () =>
        expect(await answered()).toEqual({
          kind: 'reference',
          mechanism: 'SCRAM-SHA-512',
          arn: expect.stringContaining(`/${cluster}/${principal}/`),
          versionId: expect.stringMatching(/^[0-9a-f-]{32,64}$/),
          username: expect.stringMatching(/@[ab]$/),
          slot: expect.stringMatching(/^[ab]$/),
        }),
      patience,
    )
    const answer = await fetch(`${switchboard.url}/v1/resolve`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${readFileSync(tokenFile, 'utf8')}`,
        'content-type': 'application/json',
        accept: 'text/x-java-properties',
      },
      body: JSON.stringify({ produce: [channel], network: 'vpc-local' }),
    })
    expect([answer.status, ((await answer.json()) as { readonly detail: string }).detail]).toEqual([
      400,
      expect.stringContaining('`switchboard resolve`'),
    ])
  })

  test('lets a command run for who may read the secret', async () => {
    const producer = start(['exec', ...asked, '--', ...python('numbers.py')], withRights)
    await until(
      () => `records; ${producer.err()}`,
      () => producer.lines().length > 10,
    )
    producer.child.kill('SIGTERM')
    const { code, err } = await producer.ended
    expect(code).toBe(0)
    expect(err).not.toMatch(/LOST|FATAL|error /)
    const { code: diagnosis, out } = await start(['doctor', '--json', ...asked], withRights).ended
    const checks: readonly Check[] = JSON.parse(out)
    expect({ diagnosis, failed: checks.filter(({ outcome }) => outcome === 'failed') }).toEqual({
      diagnosis: 0,
      failed: [],
    })
    expect(checks.map(({ name }) => name)).toContain(`${cluster} secret`)
  })

  test('tells who may not what is missing', async () => {
    const { code, out } = await start(['doctor', '--json', ...asked], { AWS_EC2_METADATA_DISABLED: 'true' }).ended
    const checks: readonly Check[] = JSON.parse(out)
    expect(code).toBe(1)
    expect(checks.filter(({ outcome }) => outcome === 'failed')).toMatchObject([
      { name: `${cluster} secret`, next: expect.stringContaining('secretsmanager:GetSecretValue') },
    ])
  })
})
