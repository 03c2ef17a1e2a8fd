import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { SchemaRegistryClient } from '@confluentinc/schemaregistry'
import { Producer } from '@platformatic/kafka'
import { type Connection, keepClient, type Lease, openLease } from '@switchboard-kafka/client'
import { kafkajs } from '@switchboard-kafka/client/kafkajs'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { schemaRegistry } from '@switchboard-kafka/client/schemaregistry'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseDocument } from 'yaml'
import * as z from 'zod'
import type { ConfluentSetup } from '../../cli/confluent.ts'
import { confluentIds } from '../../local/confluent/process.ts'
import { awsEnvironment, trustAuthority } from '../../local/emulator.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { createManagementApi } from '../../shared/clusters/confluent/management-api.ts'
import { createAclAdmin } from '../../shared/clusters/kafka/acl-admin.ts'
import { tryLogins } from '../../shared/clusters/kafka/try-logins.ts'
import { compileDirectory } from '../../shared/domain/directory.ts'
import { policySchema } from '../../shared/domain/policy.ts'
import { createConfluentSlotSecretReader } from '../../shared/secrets/confluent-slot-secrets.ts'
import { createCredentialStore } from '../../shared/store/credential-store.ts'
import { createQueue } from '../../shared/store/queue.ts'
import {
  askForFile,
  basic,
  createJavaClients,
  createPythonClients,
  javaFile,
  librdkafkaFile,
  toolsOf,
} from '../fixtures/stock-clients.ts'

// API keys of Confluent Cloud on the deployed functions: the simulated control plane makes them and tells the brokers late,
// and a listener of a real Kafka takes them by SASL/PLAIN. The clock of the cluster is scaled by its policy.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const ca = readFileSync(state.caFile, 'utf8')
trustAuthority(ca)
const { aws, switchboard, confluent } = state
const { outputs, stackName } = switchboard
const settings = {
  region: aws.region,
  endpoint: aws.endpointUrl,
  credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
}
const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient(settings), {
  marshallOptions: { removeUndefinedValues: true },
})
const credentials = createCredentialStore(dynamo, outputs.CredentialsTableName ?? '')
const queue = createQueue(new SQSClient(settings), outputs.QueueUrl ?? '', outputs.RevocationsUrl ?? '')
const secrets = new SecretsManagerClient(settings)
const slotSecrets = createConfluentSlotSecretReader(secrets, stackName)

const folder = mkdtempSync(join(tmpdir(), 'switchboard-api-keys-'))
const run = randomUUID().slice(0, 8)
const principal = `keys-${run}`
const stock = 'legacy-billing'
const channel = 'kafka://cloud.acme.com/reports/daily'
const topic = 'reports.daily'
const hidden = 'orders.created'
const registry = { url: confluent.registryUrl, id: confluentIds.registry }
const subject = `reports.keys-${run}-value`
const schema = JSON.stringify({ type: 'record', name: 'Report', fields: [{ name: 'id', type: 'string' }] })

const readText = async (id: string, versionId?: string): Promise<string> =>
  (await secrets.send(new GetSecretValueCommand({ SecretId: id, VersionId: versionId }))).SecretString ?? ''
const readKey = async (id: string): Promise<{ readonly apiKey: string; readonly apiSecret: string }> =>
  JSON.parse(await readText(id))

const command = async (words: readonly string[], env: Record<string, string> = {}): Promise<string> => {
  const { stdout } = await promisify(execFile)(
    nodeFile,
    [join(root, 'cli/switchboard.ts'), ...words, '--stack', stackName],
    { cwd: root, env: cleanEnvironment({ ...awsEnvironment(aws, state.caFile), ...env }) },
  )
  return stdout
}

const simulate = async (what: 'faults' | 'propagation', value: unknown): Promise<void> => {
  const { ok } = await fetch(`${confluent.url}/_simulated/${what}`, { method: 'PUT', body: JSON.stringify(value) })
  expect(ok).toBe(true)
}

/** The principal may use the schema registry of the cluster and the stock client may not. */
const writePolicy = (
  made: ConfluentSetup | undefined,
  granted: readonly string[],
  changes: Readonly<Record<string, unknown>> = {},
  schemas: 'of keys' | 'none' = 'of keys',
): string => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  policy.setIn(['clusters', 'confluent'], {
    provider: 'confluent',
    id: confluentIds.kafka,
    environment: confluentIds.environment,
    auth: ['api-key'],
    bootstrap: confluent.bootstrap,
    ca,
    admin: { secret: confluent.secrets.kafka },
    cloudKey: { secret: confluent.secrets.cloud },
    ...(made && { serviceAccounts: made.serviceAccounts }),
    ...(schemas === 'of keys' && { schemaRegistry: registry }),
    rotation: {
      every: '6s',
      clock: {
        propagation: '3s',
        lookEvery: '500ms',
        checkEvery: '2s',
        skew: '0s',
        firstRetry: '500ms',
        longestRetry: '1s',
        claim: '5s',
      },
    },
    ...changes,
  })
  policy.addIn(['routes'], {
    channel: 'kafka://cloud.acme.com/reports/{name}',
    cluster: 'confluent',
    topic: 'reports.{name}',
  })
  for (const name of granted)
    policy.addIn(['grants'], {
      principals: [name],
      produce: ['kafka://cloud.acme.com/reports/**'],
      // a slot drains for as long as leases can be
      maxLease: '3s',
      schemas: name === principal && schemas === 'of keys',
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

const cloudApi = async () => {
  const { apiKey: key, apiSecret: secret } = await readKey(confluent.secrets.cloud)
  return createManagementApi({ fetch, url: confluent.url, key: { key, secret }, wait: delay })
}

const keysOf = async (name: string, resource?: string): Promise<readonly string[]> => {
  const found = await (await cloudApi()).list(
    `/iam/v2/api-keys?spec.owner=${made.serviceAccounts[name]}${resource === undefined ? '' : `&spec.resource=${resource}`}`,
    z.object({ id: z.string() }),
  )
  return found.map(({ id }) => id)
}

const clusterInPolicy = () => {
  const policy = policySchema.parse(parseDocument(readFileSync(writePolicy(made, []), 'utf8')).toJS())
  const cluster = compileDirectory(policy, '').directory.clusters.get('confluent')
  if (cluster === undefined) throw new Error('expected the cluster of the policy')
  return cluster
}

const aclsOf = async (users: readonly string[]) => {
  const cluster = clusterInPolicy()
  const { apiKey, apiSecret } = await readKey(confluent.secrets.kafka)
  const admin = createAclAdmin(cluster, { username: apiKey, password: apiSecret, mechanism: 'PLAIN' })
  try {
    return Object.fromEntries(await admin.describe(users))
  } finally {
    await admin.close()
  }
}

const read = async (name = principal) => (await credentials.read('confluent', name))?.credential
const statesOf = async (name: string) => Object.values((await read(name))?.slots ?? {}).map(({ state: of }) => of)
const generations = async (name = principal): Promise<number> => {
  const { slots } = (await read(name)) ?? {}
  return (slots?.a.generation ?? 0) + (slots?.b.generation ?? 0)
}

/** Sweeps again and again, as the schedule does, until it is so. */
const sweepUntil = (check: () => Promise<void>): Promise<void> =>
  vi.waitFor(
    async () => {
      await queue.send({ kind: 'sweep' })
      await check()
    },
    { timeout: 60_000, interval: 300 },
  )

const open = (readSecret?: (secret: { readonly arn: string; readonly versionId: string }) => Promise<string>) =>
  openLease({
    url: switchboard.url,
    token: () => mintWorkloadToken(state, { principal }),
    intent: { produce: [channel] },
    ...(readSecret && { readSecret }),
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

type Login = { readonly username: string; readonly password: string }

/** What the schema registry answers to who shows this login. */
const askRegistry = async ({ username, password }: Login): Promise<number> => {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  return (await fetch(`${confluent.registryUrl}/subjects`, { headers: { authorization } })).status
}

/** The API key of the registry that the lease has now. */
const registryLogin = (): Login => {
  const found = lease.connection().schemaRegistry
  if (found?.credential.kind !== 'basic') throw new Error('expected an API key of the registry')
  return { username: found.credential.username, password: found.password() }
}

const registryClient = () => SchemaRegistryClient.newClient({ ...schemaRegistry(lease.connection()), maxRetries: 0 })

const all = [principal, stock]
let made: ConfluentSetup
let lease: Lease

beforeAll(async () => {
  await simulate('propagation', { minMs: 300, maxMs: 800 })
  made = await setUp(writePolicy(undefined, all))
  await command(['apply', writePolicy(made, all)])
  lease = await open()
})

afterAll(async () => {
  lease?.close()
  await simulate('faults', [])
  await command(['apply', writePolicy(made, [])])
  for (const name of all) await sweepUntil(async () => expect(await statesOf(name)).toEqual(['absent', 'absent']))
  for (const name of all) expect(await keysOf(name)).toEqual([])
  await command(['apply', state.policyFile])
  await simulate('propagation', { minMs: 500, maxMs: 2_000 })
  rmSync(folder, { recursive: true })
})

describe('API keys of Confluent Cloud', () => {
  test('are those of a service account that is set up once', async () => {
    expect(Object.keys(made.serviceAccounts)).toEqual([...all].sort())
    expect(made).not.toHaveProperty('identityProvider')
    expect(await setUp(writePolicy(made, all))).toEqual(made)
  })

  test('let in by SASL/PLAIN as the service account, whose rights are those of the grant', async () => {
    const { credential, properties } = lease.connection()
    expect(credential).toMatchObject({ kind: 'api-key', mechanism: 'PLAIN', slot: expect.stringMatching(/^[ab]$/) })
    expect(properties['sasl.mechanism']).toBe('PLAIN')
    expect(await write(lease.connection())).toBeUndefined()
    expect(await write(lease.connection(), hidden)).toMatch(/not authorized|does not host|authorization/i)
    const account = made.serviceAccounts[principal] ?? ''
    const found = await aclsOf([account, `sb.${principal}`, `sb.${principal}@a`])
    expect(found[account]?.map(({ resource, name }) => `${resource} ${name}`)).toContain(`topic ${topic}`)
    expect([found[`sb.${principal}`], found[`sb.${principal}@a`]]).toEqual([[], []])
  })

  test('have their secrets in the shape that Secrets Manager rotates', async () => {
    const { credential } = lease.connection()
    if (!('slot' in credential)) throw new Error('expected a stored credential')
    const slot = credential.slot === 'a' ? 'a' : 'b'
    const name = `switchboard/${stackName}/credentials/confluent/${principal}/slot-${slot}`
    expect(Object.keys(JSON.parse(await readText(name))).sort()).toEqual([
      'apiKey',
      'apiSecret',
      'environmentId',
      'resourceId',
      'serviceAccountId',
    ])
    expect((await slotSecrets.read('confluent', principal, slot))?.username).toBeDefined()
  })

  test('come with one of the schema registry, for whom a grant says so', async () => {
    const client = registryClient()
    const id = await client.register(subject, { schemaType: 'AVRO', schema }, false)
    expect(await client.getBySubjectAndId(subject, id)).toMatchObject({ schema })
    const { credential } = lease.connection()
    if (!('slot' in credential)) throw new Error('expected a stored credential')
    const ofCluster = await slotSecrets.read('confluent', principal, credential.slot === 'a' ? 'a' : 'b')
    expect(ofCluster && (await askRegistry(ofCluster))).toBe(401)
    const atCluster = await tryLogins(clusterInPolicy(), [{ name: principal, ...registryLogin() }], 'PLAIN')
    expect(atCluster.get(principal)).toEqual({ outcome: 'refused' })

    const java = await askForFile(state, {
      accept: javaFile,
      authorization: basic(state.clients[stock] ?? ''),
      intent: { produce: [channel] },
    })
    expect(java).toContain('PlainLoginModule')
    expect(java).not.toContain('schema.registry.url')
  })

  const savedKeys = async (): Promise<readonly (string | undefined)[]> =>
    Promise.all(
      (['a', 'b'] as const).map(async (slot) => (await slotSecrets.read('confluent', principal, slot))?.username),
    )

  test('rotate under a running client, and an orphan of a worker that never heard of its key is gone', async () => {
    let opened = 0
    const errors: unknown[] = []
    const kept = await keepClient(lease, {
      open: (connection) => {
        opened += 1
        return new Producer(platformatic(connection).producer)
      },
      close: (producer) => producer.close(),
      onError: (error) => errors.push(error),
    })
    const send = () => kept.use((producer) => producer.send({ messages: [{ topic, value: Buffer.from(run) }] }))
    let sent = 0
    let isOver = false
    const sending = (async () => {
      while (!isOver) {
        await send().then(
          () => sent++,
          (error: unknown) => errors.push(error),
        )
        await delay(50)
      }
    })()
    const seen = new Set<string>()
    const saved = new Set<string | undefined>()
    const orphans = () => [...seen].filter((id) => !saved.has(id))
    const first = await generations()
    const [client, before] = [registryClient(), registryLogin()]
    try {
      // the key is made and whoever made it never learns its secret
      await simulate('faults', [{ kind: 'answer-lost', where: 'POST /iam/v2/api-keys', calls: 2 }])
      await sweepUntil(async () => {
        for (const id of await keysOf(principal, confluentIds.kafka)) seen.add(id)
        for (const id of await savedKeys()) saved.add(id)
        expect(await generations()).toBeGreaterThan(first + 1)
      })
    } finally {
      isOver = true
      await sending
      await kept.close()
    }
    expect(errors).toEqual([])
    expect(sent).toBeGreaterThan(50)
    expect(opened).toBeGreaterThan(1)
    expect(orphans()).not.toEqual([])
    // what was made a moment ago is saved a moment later
    await sweepUntil(async () => {
      for (const id of await savedKeys()) saved.add(id)
      const there = await keysOf(principal)
      expect(orphans().filter((id) => there.includes(id))).toEqual([])
      expect(there).not.toContain(before.username)
    })
    // its key of the registry was replaced with it, and the client has never been told
    expect(await client.getAllSubjects()).toContain(subject)
    expect(registryLogin().username).not.toBe(before.username)
    await expect.poll(() => askRegistry(before)).toBe(401)
  })

  test('that somebody deletes are replaced at once', async () => {
    const before = await generations()
    const { credential } = lease.connection()
    if (!('slot' in credential) || credential.username === undefined) throw new Error('expected an API key')
    const lost = (await keysOf(principal))[0] ?? ''
    await (await cloudApi()).remove(`/iam/v2/api-keys/${lost}`)
    await sweepUntil(async () => {
      expect(await generations()).toBeGreaterThan(before)
      expect(await statesOf(principal)).toContain('active')
      expect(await keysOf(principal)).not.toContain(lost)
    })
    const fresh = await open()
    try {
      await vi.waitFor(async () => expect(await write(fresh.connection())).toBeUndefined(), {
        timeout: 60_000,
        interval: 500,
      })
    } finally {
      fresh.close()
    }
  })

  const tools = toolsOf(state)
  const families = [
    { family: 'Java', accept: javaFile, clients: createJavaClients(tools, folder), says: /PlainLoginModule required/ },
    { family: 'librdkafka', accept: librdkafkaFile, clients: createPythonClients(tools, folder), says: /"PLAIN"/ },
  ] as const
  test.each(families)(
    'let a stock client of $family in by the file alone',
    async ({ family, accept, clients, says }) => {
      // a slot is not to be taken back while the client starts
      await command(['apply', writePolicy(made, all, { rotation: {} })])
      const file = await askForFile(state, {
        accept,
        authorization: basic(state.clients[stock] ?? ''),
        intent: { produce: [channel] },
      })
      expect(file).toMatch(says)
      const producer = clients.producer(`api-keys-${family}`, file, topic)
      producer.write(`${run}-${family}`)
      expect(await producer.end(), producer.complaints()).toBe(0)
      expect(producer.complaints()).not.toMatch(/ERROR|FATAL|FAIL|LOST/)
    },
    90_000,
  )

  test('are checked by `doctor`, and are in the files of `exec`', async () => {
    const [id = '', secret = ''] = (state.clients[stock] ?? '').split(/:(.*)/)
    const env = cleanEnvironment({
      SWITCHBOARD_URL: switchboard.url,
      SWITCHBOARD_CLIENT_ID: id,
      SWITCHBOARD_CLIENT_SECRET: secret,
    })
    const ask = async (...words: readonly string[]) =>
      (await promisify(execFile)(nodeFile, [join(root, 'cli/switchboard.ts'), ...words], { env })).stdout
    const checks: readonly { readonly outcome: string; readonly found: string }[] = JSON.parse(
      await ask('doctor', '--json', '--produce', channel),
    )
    expect(checks.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    expect(checks.map(({ found }) => found).join('\n')).toMatch(/API key `[A-Z0-9]+`, slot [ab]/)
    const file = await ask('exec', '--produce', channel, '--', 'sh', '-c', 'cat "$SWITCHBOARD_PROPERTIES_FILE"')
    expect(file).toMatch(/sasl\.mechanism=PLAIN[\s\S]*PlainLoginModule required username="[A-Z0-9]+"/)
  })

  test('can be handed out as references, which the SDK reads', async () => {
    // keys of a registry have no reference; what is left of them goes with their slots
    const file = writePolicy(made, all, { credential: 'reference', rotation: {} }, 'none')
    await command(['apply', file])
    await vi.waitFor(
      async () => {
        const held = await open(({ arn, versionId }) => readText(arn, versionId))
        try {
          expect(held.connection().credential).toMatchObject({ kind: 'api-key', mechanism: 'PLAIN' })
          expect(await write(held.connection())).toBeUndefined()
        } finally {
          held.close()
        }
        const unread = await open()
        expect(unread.connection().credential).toMatchObject({ kind: 'reference', mechanism: 'PLAIN' })
        unread.close()
      },
      { timeout: 60_000, interval: 1_000 },
    )
  })

  test('go with the rights of their service account when the principal is revoked', async () => {
    const account = made.serviceAccounts[principal] ?? ''
    const held =
      (await slotSecrets.read('confluent', principal, 'a')) ?? (await slotSecrets.read('confluent', principal, 'b'))
    expect(held).toBeDefined()
    await command(['revoke', principal, '--cluster', 'confluent'])
    expect((await aclsOf([account]))[account]).toEqual([])
    await sweepUntil(async () => expect(await keysOf(principal)).toEqual([]))
    await command(['restore', principal, '--cluster', 'confluent'])
  })
})
