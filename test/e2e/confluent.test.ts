import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { Producer } from '@platformatic/kafka'
import { type Connection, type Lease, openLease } from '@switchboard-kafka/client'
import { kafkajs } from '@switchboard-kafka/client/kafkajs'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseDocument } from 'yaml'
import type { ConfluentSetup } from '../../cli/confluent.ts'
import type { Check } from '../../cli/service/checks.ts'
import { confluentIds } from '../../local/confluent/process.ts'
import { awsEnvironment, trustAuthority } from '../../local/emulator.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { createAclAdmin } from '../../shared/clusters/kafka/acl-admin.ts'
import { compileDirectory } from '../../shared/domain/directory.ts'
import { policySchema } from '../../shared/domain/policy.ts'
import {
  askForFile,
  basic,
  createJavaClients,
  createPythonClients,
  javaFile,
  librdkafkaFile,
  toolsOf,
} from '../fixtures/stock-clients.ts'
import { until } from '../fixtures/until.ts'

// Tokens on Confluent Cloud: `confluent setup` against the simulated control plane, and a real Kafka listener behind it
// that asks for what Confluent Cloud asks for besides the token.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const ca = readFileSync(state.caFile, 'utf8')
trustAuthority(ca)
const { aws, switchboard, confluent } = state
const settings = {
  region: aws.region,
  endpoint: aws.endpointUrl,
  credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
}
const secrets = new SecretsManagerClient(settings)
const folder = mkdtempSync(join(tmpdir(), 'switchboard-confluent-'))
const run = randomUUID().slice(0, 8)
const principal = `cloud-${run}`
const neighbour = `cloud-neighbour-${run}`
const stock = 'legacy-billing'
const channel = 'kafka://cloud.acme.com/reports/daily'
const hidden = 'orders.created'
const topic = 'reports.daily'
/** So short that what is left of a token is at times little more than the second that brokers want between two logins. */
const leaseSeconds = 10

const readKey = async (id: string): Promise<{ readonly apiKey: string; readonly apiSecret: string }> =>
  JSON.parse((await secrets.send(new GetSecretValueCommand({ SecretId: id }))).SecretString ?? '')

const command = async (words: readonly string[], env: Record<string, string> = {}): Promise<string> => {
  const { stdout } = await promisify(execFile)(
    nodeFile,
    [join(root, 'cli/switchboard.ts'), ...words, '--stack', switchboard.stackName],
    { cwd: root, env: cleanEnvironment({ ...awsEnvironment(aws, state.caFile), ...env }) },
  )
  return stdout
}

/** @param granted without, the cluster stays and nobody gets there */
const writePolicy = (made: ConfluentSetup | undefined, granted: readonly string[]): string => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  policy.setIn(['clusters', 'confluent'], {
    provider: 'confluent',
    id: confluentIds.kafka,
    auth: ['jwt'],
    bootstrap: confluent.bootstrap,
    ca,
    admin: { secret: confluent.secrets.kafka },
    cloudKey: { secret: confluent.secrets.cloud },
    ...(made && { identityProvider: { id: made.identityProvider }, identityPools: made.identityPools }),
  })
  policy.addIn(['routes'], {
    channel: 'kafka://cloud.acme.com/reports/{name}',
    cluster: 'confluent',
    topic: 'reports.{name}',
  })
  if (granted.length > 0)
    policy.addIn(['grants'], {
      principals: [...granted],
      produce: ['kafka://cloud.acme.com/reports/**'],
      consume: ['kafka://cloud.acme.com/reports/**'],
      maxLease: `${leaseSeconds}s`,
    })
  const file = join(folder, 'policy.yaml')
  writeFileSync(file, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  return file
}

const setUp = async (file: string): Promise<ConfluentSetup> => {
  const { apiKey, apiSecret } = await readKey(confluent.secrets.cloud)
  const env = {
    CONFLUENT_CLOUD_API_KEY: apiKey,
    CONFLUENT_CLOUD_API_SECRET: apiSecret,
    CONFLUENT_ENDPOINT: confluent.url,
  }
  return JSON.parse(await command(['confluent', 'setup', file, '--json'], env))
}

const aclsOf = async (users: readonly string[]) => {
  const { directory } = compileDirectory(
    policySchema.parse(parseDocument(readFileSync(writePolicy(made, []), 'utf8')).toJS()),
    '',
  )
  const cluster = directory.clusters.get('confluent')
  if (cluster === undefined) throw new Error('expected the cluster of the policy')
  const { apiKey, apiSecret } = await readKey(confluent.secrets.kafka)
  const admin = createAclAdmin(cluster, { username: apiKey, password: apiSecret, mechanism: 'PLAIN' })
  try {
    return Object.fromEntries(await admin.describe(users))
  } finally {
    await admin.close()
  }
}

const all = [principal, neighbour, stock]
let made: ConfluentSetup
let lease: Lease

beforeAll(async () => {
  made = await setUp(writePolicy(undefined, all))
  await command(['apply', writePolicy(made, all)])
  lease = await openLease({
    url: switchboard.url,
    token: () => mintWorkloadToken(state, { principal }),
    intent: { produce: [channel] },
  })
})

afterAll(async () => {
  lease?.close()
  await command(['apply', writePolicy(made, [])])
  const pools = Object.values(made.identityPools)
  const nothing = Object.fromEntries(pools.map((pool) => [pool, []]))
  await vi.waitFor(async () => expect(await aclsOf(pools)).toEqual(nothing), { timeout: 60_000, interval: 500 })
  await command(['apply', state.policyFile])
  rmSync(folder, { recursive: true })
})

/** Why a record was not taken, or nothing. */
const write = async (connection: Connection, to = topic): Promise<string | undefined> => {
  const kafka = new Kafka({ ...kafkajs(connection).client, retry: { retries: 0 }, logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ ...kafkajs(connection).producer, retry: { retries: 0 }, idempotent: false })
  try {
    await producer.connect()
    await producer.send({ topic: to, messages: [{ value: run }] })
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : 'no error'
  } finally {
    await producer.disconnect()
  }
}

const withExtensions = (extensions: Readonly<Record<string, string>>): Connection => ({
  ...lease.connection(),
  extensions,
  token: () => lease.connection().token(),
})

describe('Confluent Cloud', () => {
  test('is set up once: a second time finds what is there', async () => {
    expect(await setUp(writePolicy(made, all))).toEqual(made)
    expect(Object.keys(made.identityPools)).toEqual([...all].sort())
  })

  test('gives the ACLs to the pool of a principal, and none to its name', async () => {
    const pool = made.identityPools[principal] ?? ''
    const found = await aclsOf([pool, `sb.${principal}`])
    expect(found[pool]?.map(({ resource, name }) => `${resource} ${name}`)).toContain('topic reports.daily')
    expect(found[`sb.${principal}`]).toEqual([])
  })

  test('takes a token with what the answer says, and only for what a grant gives', async () => {
    const connection = lease.connection()
    const identityPoolId = made.identityPools[principal] ?? ''
    expect(connection.extensions).toEqual({ logicalCluster: confluentIds.kafka, identityPoolId })
    expect(await write(connection)).toBeUndefined()
    expect(await write(connection, hidden)).toMatch(/not authorized|does not host|authorization/i)
  })

  test.each([
    ['no logicalCluster', (good: Readonly<Record<string, string>>) => ({ identityPoolId: good.identityPoolId ?? '' })],
    ['another logicalCluster', (good: Readonly<Record<string, string>>) => ({ ...good, logicalCluster: 'lkc-other' })],
    ['no extensions', () => ({})],
    [
      'the pool of somebody else',
      (good: Readonly<Record<string, string>>) => ({ ...good, identityPoolId: made.identityPools[neighbour] ?? '' }),
    ],
  ])('refuses a token with %s', async (_, change) => {
    expect(await write(withExtensions(change(lease.connection().extensions)))).toMatch(/extensions are invalid/)
  })

  test('has the pool named by doctor whose filter does not take our tokens, until setup puts that right', async () => {
    const pool = made.identityPools[principal] ?? ''
    const diagnose = async () => {
      const tokenFile = join(folder, 'workload.jwt')
      writeFileSync(tokenFile, await mintWorkloadToken(state, { principal }), { mode: 0o600 })
      const { stdout } = await promisify(execFile)(
        nodeFile,
        [join(root, 'cli/switchboard.ts'), 'doctor', '--json', '--produce', channel],
        { cwd: root, env: cleanEnvironment({ SWITCHBOARD_URL: switchboard.url, SWITCHBOARD_TOKEN_FILE: tokenFile }) },
      ).catch((failed: { readonly stdout: string }) => failed)
      const checks: readonly Check[] = JSON.parse(stdout)
      return checks.filter(({ outcome }) => outcome === 'failed')
    }
    expect(await diagnose()).toEqual([])
    const { apiKey, apiSecret } = await readKey(confluent.secrets.cloud)
    const changed = await fetch(
      `${confluent.url}/iam/v2/identity-providers/${made.identityProvider}/identity-pools/${pool}`,
      {
        method: 'PATCH',
        headers: { authorization: `Basic ${Buffer.from(`${apiKey}:${apiSecret}`).toString('base64')}` },
        body: JSON.stringify({ filter: 'claims.sub == "somebody else"' }),
      },
    )
    expect(changed.status).toBe(200)
    expect(await diagnose()).toMatchObject([
      { name: `confluent bootstrap ${confluent.bootstrap}`, next: expect.stringContaining(`\`${pool}\``) },
    ])
    expect(await setUp(writePolicy(made, all))).toEqual(made)
    expect(await diagnose()).toEqual([])
  })

  test('takes the access of a revoked principal off its pool, and gives it back', async () => {
    const pool = made.identityPools[neighbour] ?? ''
    const count = async () => (await aclsOf([pool]))[pool]?.length ?? 0
    const before = await count()
    expect(before).toBeGreaterThan(0)
    await command(['revoke', neighbour, '--cluster', 'confluent'])
    expect(await count()).toBe(0)
    await command(['restore', neighbour, '--cluster', 'confluent'])
    await vi.waitFor(async () => expect(await count()).toBe(before), { timeout: 60_000, interval: 500 })
  })

  test('lets the clients of the SDK go on for longer than their tokens live', async () => {
    const connection = lease.connection()
    const options = platformatic(connection)
    const producer = new Producer(options.producer)
    const client = kafkajs(connection)
    const other = new Kafka({ ...client.client, logLevel: logLevel.NOTHING }).producer(client.producer)
    await other.connect()
    const until = Date.now() + 3 * leaseSeconds * 1000
    let sent = 0
    try {
      while (Date.now() < until) {
        await producer.send({ messages: [{ topic, value: Buffer.from(run) }] })
        await other.send({ ...client.send, topic, messages: [{ value: run }] })
        sent++
        await delay(200)
      }
    } finally {
      await producer.close()
      await other.disconnect()
    }
    expect(sent).toBeGreaterThan(20)
  })

  const tools = toolsOf(state)
  const families = [
    { family: 'Java', accept: javaFile, clients: createJavaClients(tools, folder) },
    { family: 'librdkafka', accept: librdkafkaFile, clients: createPythonClients(tools, folder) },
  ] as const
  test.each(families)(
    'lets a stock client of $family in by the file alone',
    async ({ family, accept, clients }) => {
      const authorization = basic(state.clients[stock] ?? '')
      const file = await askForFile(state, { accept, authorization, intent: { produce: [channel] } })
      expect(file).toContain(confluentIds.kafka)
      const keys = Array.from({ length: 5 }, (_, at) => `${run}-${family}-${at}`)
      const producer = clients.producer(`confluent-${family}`, file, topic)
      for (const line of keys) producer.write(line)
      expect(await producer.end(), producer.complaints()).toBe(0)
      expect(producer.complaints()).not.toMatch(/ERROR|FATAL|FAIL|LOST/)
      const readFile = await askForFile(state, { accept, authorization, intent: { consume: [channel] } })
      const consumer = clients.consumer(`confluent-${family}-read`, readFile, topic)
      const missing = () => keys.filter((key) => !consumer.lines.includes(key))
      try {
        await until(
          () => `${missing().length} records; ${consumer.complaints()}`,
          () => missing().length === 0,
        )
      } finally {
        await consumer.stop()
      }
    },
    90_000,
  )
})
