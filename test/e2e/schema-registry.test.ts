import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import { AvroSerializer, SchemaRegistryClient, SerdeType } from '@confluentinc/schemaregistry'
import { type Lease, openLease } from '@switchboard-kafka/client'
import { schemaRegistry } from '@switchboard-kafka/client/schemaregistry'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseDocument } from 'yaml'
import type { ClustersReport } from '../../cli/clusters.ts'
import type { ConfluentSetup } from '../../cli/confluent.ts'
import type { Check } from '../../cli/service/checks.ts'
import { confluentIds } from '../../local/confluent/process.ts'
import { awsEnvironment, trustAuthority } from '../../local/emulator.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment } from '../../local/processes.ts'
import { type SchemaRegistry, startSchemaRegistry } from '../../local/schema-registry/registry.ts'
import { readStackState } from '../../local/state.ts'
import { askForFile, basic, javaFile, librdkafkaFile, start, toolsOf } from '../fixtures/stock-clients.ts'

// Credentials of schema registries in leases, used by real clients of registries: that of a self-managed cluster, which
// takes a user and a password, and the simulated one of Confluent Cloud, which asks for our token, its pool and a role.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const ca = readFileSync(state.caFile, 'utf8')
trustAuthority(ca)
const { aws, switchboard, confluent } = state
const secrets = new SecretsManagerClient({
  region: aws.region,
  endpoint: aws.endpointUrl,
  credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
})
const folder = mkdtempSync(join(tmpdir(), 'switchboard-schemas-'))
const run = randomUUID().slice(0, 8)
const principal = `schemas-${run}`
const stranger = `schemas-stranger-${run}`
/** Whom nobody made a secret for. */
const forgotten = `schemas-forgotten-${run}`
const stock = 'legacy-billing'
const self = 'kafka://schemas.acme.com/orders/created'
const cloud = 'kafka://cloud.acme.com/reports/daily'
const subject = 'reports.daily-value'
const leaseSeconds = 10
const secretOf = (name: string): string => `switchboard/${switchboard.stackName}/registries/payments-${run}/${name}`
const crawlSecret = `switchboard/${switchboard.stackName}/clusters/payments-registry-${run}`
const passwords = new Map<string, string>()
const users = new Map([
  [principal, secretOf(principal)],
  [stock, secretOf(stock)],
  ['crawl', crawlSecret],
])
const order = (name: string) => JSON.stringify({ type: 'record', name, fields: [{ name: 'id', type: 'string' }] })

const command = async (words: readonly string[], env: Record<string, string> = {}): Promise<string> => {
  const { stdout } = await promisify(execFile)(
    nodeFile,
    [join(root, 'cli/switchboard.ts'), ...words, '--stack', switchboard.stackName],
    { cwd: root, env: cleanEnvironment({ ...awsEnvironment(aws, state.caFile), ...env }) },
  )
  return stdout
}

let registry: SchemaRegistry

/** @param isGranted without, the cluster stays and nobody gets there */
const writePolicy = (made: ConfluentSetup | undefined, isGranted = true): string => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  policy.setIn(['clusters', 'payments', 'schemaRegistry'], {
    url: registry.url,
    secret: secretOf('{principal}'),
    crawl: { secret: crawlSecret },
  })
  policy.setIn(['clusters', 'confluent'], {
    provider: 'confluent',
    id: confluentIds.kafka,
    auth: ['jwt'],
    bootstrap: confluent.bootstrap,
    ca,
    admin: { secret: confluent.secrets.kafka },
    schemaRegistry: { url: confluent.registryUrl, id: confluentIds.registry },
    ...(made && { identityProvider: { id: made.identityProvider }, identityPools: made.identityPools }),
  })
  policy.addIn(['routes'], {
    channel: 'kafka://cloud.acme.com/reports/{name}',
    cluster: 'confluent',
    topic: 'reports.{name}',
  })
  policy.addIn(['routes'], {
    channel: 'kafka://schemas.acme.com/orders/{name}',
    cluster: 'payments',
    topic: 'orders.{name}',
    shared: true,
  })
  const channels = ['kafka://cloud.acme.com/reports/**', 'kafka://schemas.acme.com/orders/**']
  const grant = { produce: channels, maxLease: `${leaseSeconds}s` }
  if (isGranted) {
    policy.addIn(['grants'], { principals: [principal, stock, forgotten], ...grant, schemas: true })
    policy.addIn(['grants'], { principals: [stranger], ...grant })
  }
  const file = join(folder, 'policy.yaml')
  writeFileSync(file, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  return file
}

const setUp = async (file: string): Promise<ConfluentSetup> => {
  const found = await secrets.send(new GetSecretValueCommand({ SecretId: confluent.secrets.cloud }))
  const { apiKey, apiSecret } = JSON.parse(found.SecretString ?? '')
  const env = {
    CONFLUENT_CLOUD_API_KEY: apiKey,
    CONFLUENT_CLOUD_API_SECRET: apiSecret,
    CONFLUENT_ENDPOINT: confluent.url,
  }
  return JSON.parse(await command(['confluent', 'setup', file, '--json'], env))
}

const tokenFileOf = async (name: string): Promise<string> => {
  const file = join(folder, `${name}.jwt`)
  writeFileSync(file, await mintWorkloadToken(state, { principal: name }), { mode: 0o600 })
  return file
}

const leases: Lease[] = []
const open = async (channel: string, name = principal): Promise<Lease> => {
  const token = () => mintWorkloadToken(state, { principal: name })
  const lease = await openLease({ url: switchboard.url, token, intent: { produce: [channel] }, startTimeoutMs: 30_000 })
  leases.push(lease)
  return lease
}

const clientOf = (lease: Lease) =>
  SchemaRegistryClient.newClient({ ...schemaRegistry(lease.connection()), maxRetries: 0 })

/** What a client in Python is told, for one schema a line. */
const inPython = async (channel: string, name: string, schemas: readonly string[]): Promise<readonly unknown[]> => {
  const client = start(
    toolsOf(state).python,
    [join(root, 'test/fixtures/confluent-kafka/schemas.py'), switchboard.url, await tokenFileOf(name), channel],
    { PYTHONPATH: join(root, 'sdk/python') },
  )
  for (const schema of schemas) client.write(schema)
  expect(await client.end(), client.complaints()).toBe(0)
  return client.lines.map((line) => JSON.parse(line))
}

let made: ConfluentSetup

beforeAll(async () => {
  registry = await startSchemaRegistry({
    admit: async ({ authorization = '' }) => {
      const [name = '', password] = Buffer.from(authorization.slice('Basic '.length), 'base64').toString().split(':')
      return passwords.has(name) && passwords.get(name) === password ? 'admitted' : 'unknown'
    },
  })
  for (const [name, secret] of users) {
    const password = randomUUID()
    passwords.set(`user-of-${name}`, password)
    const SecretString = JSON.stringify({ username: `user-of-${name}`, password })
    await secrets.send(new CreateSecretCommand({ Name: secret, SecretString }))
  }
  made = await setUp(writePolicy(undefined))
  await command(['apply', writePolicy(made)])
})

afterAll(async () => {
  for (const lease of leases) lease.close()
  await command(['apply', writePolicy(made, false)])
  await command(['apply', state.policyFile])
  for (const SecretId of users.values())
    await secrets.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true }))
  await registry?.stop()
  rmSync(folder, { recursive: true })
})

describe('the registry of a self-managed cluster', () => {
  test('takes what a lease says, from JavaScript and from Python', async () => {
    const client = clientOf(await open(self))
    const id = await client.register('orders.created-value', { schemaType: 'AVRO', schema: order('Created') }, false)
    expect(await client.getBySubjectAndId('orders.created-value', id)).toMatchObject({ schema: order('Created') })
    expect(await inPython(self, principal, [order('Created'), order('Changed')])).toEqual([
      { id, schema: order('Created') },
      { id: id + 1, schema: order('Changed') },
    ])
    await expect(client.getLatestSchemaMetadata('orders.absent-value')).rejects.toMatchObject({ status: 404 })
  })

  test('is in the file of a Java client, and in none of librdkafka', async () => {
    const authorization = basic(state.clients[stock] ?? '')
    const ask = (accept: typeof javaFile | typeof librdkafkaFile) =>
      askForFile(state, { accept, authorization, intent: { produce: [self] } })
    const java = await ask(javaFile)
    expect(java).toContain(`\nschema.registry.url=${registry.url}\n`)
    expect(java).toMatch(/^basic\.auth\.credentials\.source=USER_INFO$/m)
    const [, userInfo = ''] = /^basic\.auth\.user\.info=(.+)$/m.exec(java) ?? []
    const headers = { authorization: `Basic ${Buffer.from(userInfo).toString('base64')}` }
    expect((await fetch(`${registry.url}/subjects`, { headers })).status).toBe(200)
    expect(await ask(librdkafkaFile)).not.toMatch(/registry|user-of/)
  })

  test('is nothing that a lease without such a grant knows', async () => {
    expect((await open(self, stranger)).connection().schemaRegistry).toBeUndefined()
    expect(await inPython(self, stranger, [order('Created')])).toEqual([{ refused: 'unsupported' }])
    expect((await fetch(`${registry.url}/subjects`)).status).toBe(401)
  })

  test('is found by a crawl with what is in it', async () => {
    const inRegistry = async () => clientOf(await open(self)).getAllSubjects()
    expect(await inRegistry()).toContain('orders.created-value')
    await command(['crawl', '--source', 'kafka'])
    const { clusters }: ClustersReport = JSON.parse(await command(['clusters', '--json']))
    const found = clusters.find(({ source, name }) => source === 'kafka' && name === 'payments')
    expect(found?.counts?.subjects).toBe((await inRegistry()).length)
  })

  test('whose secret is not there is a 503, of which the platform team finds the reason', async () => {
    const response = await fetch(`${switchboard.url}/v1/resolve`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await mintWorkloadToken(state, { principal: forgotten })}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ produce: [self] }),
    })
    const body = (await response.json()) as Readonly<Record<string, unknown>>
    expect(response.status).toBe(503)
    expect(body).toMatchObject({ code: 'unavailable', retryable: true, detail: expect.stringContaining('registry') })
    const requestId = String(body.instance).split(/[/:]/).at(-1) ?? ''
    expect(await command(['why', requestId])).toContain(`there is no secret \`${secretOf(forgotten)}\``)
  })
})

describe('the registry of Confluent Cloud', () => {
  test('takes the tokens of a lease for longer than they live, from JavaScript and from Python', async () => {
    const lease = await open(cloud)
    const { schemaRegistry: found } = lease.connection()
    const pool = made.identityPools[principal]
    expect(found).toMatchObject({ logicalCluster: confluentIds.registry, identityPoolId: pool })
    const client = clientOf(lease)
    const id = await client.register(subject, { schemaType: 'AVRO', schema: order('Report') }, false)
    const [first] = await inPython(cloud, principal, [order('Report')])
    expect(first).toMatchObject({ id, schema: order('Report') })

    const tokens = new Set<string>()
    await vi.waitFor(
      async () => {
        tokens.add((await found?.token()) ?? '')
        expect(await client.getAllSubjects()).toContain(subject)
        expect(tokens.size).toBeGreaterThanOrEqual(3)
      },
      { timeout: 60_000, interval: 500 },
    )
    const serializer = new AvroSerializer(client, SerdeType.VALUE, { useLatestVersion: true })
    const record = await serializer.serialize('reports.daily', { id: 'r-1' })
    // the wire format of Confluent: a zero, then the id of the schema
    expect([record.readUInt8(0), record.readUInt32BE(1)]).toEqual([0, id])
  })

  test('takes a client in Python that has nothing of ours but its object', async () => {
    const intent = { produce: [cloud] }
    const authorization = basic(state.clients[stock] ?? '')
    const ask = { accept: librdkafkaFile, authorization, intent, query: '?role=schema-registry' } as const
    const file = join(folder, 'registry.json')
    writeFileSync(file, await askForFile(state, ask), { mode: 0o600 })
    const client = start(toolsOf(state).python, [join(root, 'test/fixtures/confluent-kafka/registry.py'), file])
    client.write(order('Report'))
    expect(await client.end(), client.complaints()).toBe(0)
    expect(client.lines.map((line) => JSON.parse(line))).toMatchObject([{ schema: order('Report') }])
  })

  test('refuses who has no such grant, though its token is one for the cluster', async () => {
    const connection = (await open(cloud, stranger)).connection()
    expect(connection.schemaRegistry).toBeUndefined()
    const ask = async (pool: string | undefined) => {
      const headers = {
        authorization: `Bearer ${await connection.token()}`,
        'target-sr-cluster': confluentIds.registry,
        'confluent-identity-pool-id': pool ?? '',
      }
      return (await fetch(`${confluent.registryUrl}/subjects`, { headers })).status
    }
    expect(await ask(made.identityPools[stranger])).toBe(403)
    expect(await ask(made.identityPools[principal])).toBe(401)
  })

  test('is found to be well by doctor, and said by explain', async () => {
    const { stdout } = await promisify(execFile)(
      nodeFile,
      [join(root, 'cli/switchboard.ts'), 'doctor', '--json', '--produce', cloud],
      {
        cwd: root,
        env: cleanEnvironment({
          SWITCHBOARD_URL: switchboard.url,
          SWITCHBOARD_TOKEN_FILE: await tokenFileOf(principal),
        }),
      },
    )
    const checks: readonly Check[] = JSON.parse(stdout)
    expect(checks.find(({ name }) => name === 'confluent schema registry')).toMatchObject({ outcome: 'ok' })
    expect(await command(['explain', '--as', principal, '--produce', self])).toContain(
      `schema registry ${registry.url} by grants[`,
    )
  })
})
