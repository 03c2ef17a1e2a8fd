import { execFile } from 'node:child_process'
import { createPrivateKey, randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { type Intent, type Lease, openLease } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import * as z from 'zod'
import { confluentIds } from '../../local/confluent/process.ts'
import { awsEnvironment, trustAuthority } from '../../local/emulator.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { ensureIdentityProvider } from '../../shared/clusters/confluent/identity-providers.ts'
import { createManagementApi } from '../../shared/clusters/confluent/management-api.ts'
import { signingKeys } from '../../shared/domain/signing-key.ts'
import { readConfluentKey } from '../../shared/secrets/confluent-key.ts'
import { signKafkaToken } from '../../shared/secrets/kafka-token.ts'
import { createQueue } from '../../shared/store/queue.ts'
import { until } from '../fixtures/until.ts'

// The keys of the deployed issuer are replaced under clients that run, with the real brokers reading them, and the simulated
// Confluent Cloud when it is told to. The stack of the tests has the times of the keys scaled, and its brokers read them every
// 5 s in place of every hour.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(state.caFile, 'utf8'))
const { aws, switchboard, clusters, confluent } = state
const created = 'kafka://payments.acme.com/orders/created'
const principal = `keys-${randomUUID().slice(0, 8)}`
const asRoot = {
  region: aws.region,
  endpoint: aws.endpointUrl,
  credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
}
const secrets = new SecretsManagerClient(asRoot)
const queue = createQueue(new SQSClient(asRoot), switchboard.outputs.QueueUrl ?? '')

const command = async (...args: string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)(
    nodeFile,
    [join(root, 'cli/switchboard.ts'), ...args, '--stack', switchboard.stackName],
    { cwd: root, env: cleanEnvironment(awsEnvironment(aws, state.caFile)) },
  )
  return stdout.trim()
}

const openConfluent = async () =>
  createManagementApi({
    fetch,
    url: confluent.url,
    key: await readConfluentKey(secrets, confluent.secrets.cloud),
    wait: delay,
  })

const providerSchema = z.object({ issuer: z.string(), keys: z.array(z.object({ kid: z.string() })) })

/** The keys that Confluent Cloud has of ours. */
const kidsAtConfluent = async (): Promise<readonly string[]> => {
  const providers = await (await openConfluent()).list('/iam/v2/identity-providers', providerSchema)
  return providers.flatMap(({ issuer, keys }) => (issuer === switchboard.url ? keys.map(({ kid }) => kid) : []))
}

beforeAll(async () => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  const jwksUri = `${switchboard.url}/.well-known/jwks.json`
  const { id } = await ensureIdentityProvider(await openConfluent(), { issuerUrl: switchboard.url, jwksUri })
  policy.setIn(['clusters', 'confluent'], {
    ...{ provider: 'confluent', id: confluentIds.kafka, auth: ['jwt'], bootstrap: confluent.bootstrap },
    admin: { secret: confluent.secrets.kafka },
    cloudKey: { secret: confluent.secrets.cloud },
    identityProvider: { id },
  })
  policy.addIn(['grants'], { principals: [principal], produce: [created], consume: [created], maxLease: '10s' })
  const file = join(state.runDirectory, 'signing-key-policy.yaml')
  writeFileSync(file, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  await command('apply', file)
})

afterAll(() => command('apply', state.policyFile))

type StoredKey = { readonly kid: string; readonly privateKey: string }

const readSecret = async (): Promise<{ readonly active: StoredKey; readonly kids: readonly string[] }> => {
  const SecretId = switchboard.outputs.SigningKeySecretArn
  const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId }))
  const { active, keys }: { active: string; keys: readonly StoredKey[] } = JSON.parse(SecretString)
  const found = keys.find(({ kid }) => kid === active)
  if (found === undefined) throw new Error('the secret holds no active key')
  return { active: found, kids: keys.map(({ kid }) => kid) }
}

/** The schedule, scaled. */
const sweepUntil = async (isDone: () => Promise<boolean>, what: string): Promise<void> => {
  const deadline = Date.now() + 90_000
  while (!(await isDone())) {
    if (Date.now() > deadline) throw new Error(`not within 90 s: ${what}`)
    await queue.send({ kind: 'credential', ...signingKeys })
    await delay(1_000)
  }
}

const open = (intent: Intent): Promise<Lease> =>
  openLease({ url: switchboard.url, token: () => mintWorkloadToken(state, { principal }), intent, random: () => 0 })

const kidOf = async (lease: Lease): Promise<string> =>
  decodeProtectedHeader(await lease.connection().token()).kid ?? 'none'

/** Whether the broker takes a token of this key that is right in everything else. */
const brokerTakes = async ({ kid, privateKey }: StoredKey): Promise<boolean> => {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: switchboard.url, aud: `${switchboard.url}/clusters/payments`, sub: `sb.${principal}` }
  const key = createPrivateKey(privateKey)
  const token = signKafkaToken({ kid, privateKey: key } as Parameters<typeof signKafkaToken>[0], {
    ...{ ...claims, iat: now, exp: now + 60, jti: randomUUID(), lease: 'lease_of_a_test' },
  })
  const admin = new Admin({
    ...{ clientId: 'keys', bootstrapBrokers: [clusters.payments.inside], retries: 0 },
    sasl: {
      mechanism: 'OAUTHBEARER',
      token,
      authBytesValidator: (bytes, callback) =>
        callback(bytes.length > 0 && bytes.toString() !== '\u0001' ? new Error('refused') : null, bytes),
    },
  })
  try {
    await admin.metadata({ topics: [] })
    return true
  } catch {
    return false
  } finally {
    await admin.close()
  }
}

test('keys rotate three times under a producer and a consumer, who see nothing; the old keys are then refused', async () => {
  const writing = await open({ produce: [created] })
  const reading = await open({ consume: [created] })
  const errors: unknown[] = []
  const kafka = platformatic(writing.connection())
  // one attempt: a single failure has to show
  const producer = new Producer({ ...kafka.producer, idempotent: false, retries: 0, serializers: stringSerializers })
  const consumer = new Consumer({ ...platformatic(reading.connection()).consumer, deserializers: stringDeserializers })
  const stream = await consumer.consume({ topics: [kafka.topic(created)], mode: 'latest', autocommit: true })
  const read = new Set<string>()
  stream.on('data', ({ key }) => void read.add(key))
  stream.on('error', (error) => void errors.push(error))

  let reauthenticated = 0
  const cuts: string[] = []
  for (const client of [producer, consumer]) {
    client.on('client:broker:sasl:authentication:extended', () => {
      reauthenticated += 1
    })
    // a broker that refuses a token ends the connection
    for (const event of ['client:broker:disconnect', 'client:broker:failed'] as const)
      client.on(event, () => void cuts.push(event))
  }
  const written: string[] = []
  let isOver = false
  const load = (async () => {
    for (let at = 0; !isOver; at++) {
      const key = `${principal}-${at}`
      await producer
        .send({ messages: [{ topic: kafka.topic(created), key, value: key }] })
        .then(() => written.push(key))
        .catch((error: unknown) => errors.push(error))
      await delay(50)
    }
  })()

  const old: StoredKey[] = []
  const signed = new Set<string>([await kidOf(writing)])
  for (let rotation = 0; rotation < 3; rotation++) {
    const { active, kids } = await readSecret()
    expect(kids).toEqual([active.kid])
    old.push(active)
    expect(await command('rotate-keys')).toContain('nobody')
    await sweepUntil(
      async () => {
        signed.add(await kidOf(writing))
        const now = await readSecret()
        // it is told before the key signs, and never asks by itself
        if (now.active.kid !== active.kid) expect(await kidsAtConfluent()).toContain(now.active.kid)
        return now.active.kid !== active.kid && !now.kids.includes(active.kid)
      },
      `rotation ${rotation + 1}`,
    )
  }
  const { active } = await readSecret()
  await sweepUntil(async () => (await kidOf(writing)) === active.kid, 'a token of the last key')
  isOver = true
  await load
  await sweepUntil(async () => written.every((key) => read.has(key)), 'every record is read')
  expect(errors).toEqual([])
  expect(cuts).toEqual([])
  expect(reauthenticated).toBeGreaterThan(10)
  expect(written.length).toBeGreaterThan(500)
  expect([...signed, active.kid]).toEqual(expect.arrayContaining(old.map(({ kid }) => kid)))
  await stream.close()
  await Promise.all([consumer.close(), producer.close()])
  await Promise.all([writing.close(), reading.close()])

  expect(await brokerTakes(active)).toBe(true)
  for (const key of old) await until('a key that brokers refuse', async () => !(await brokerTakes(key)))
}, 300_000)

test('a key that somebody else may have is replaced at once, and clients go on with the next', async () => {
  const { active: stolen } = await readSecret()
  expect(await brokerTakes(stolen)).toBe(true)
  await command('rotate-keys', '--now')
  const { active, kids } = await readSecret()
  expect(kids).toEqual([active.kid])
  expect(active.kid).not.toBe(stolen.kid)
  const isOver = async () => !(await brokerTakes(stolen)) && (await brokerTakes(active))
  await until('brokers that refuse the key that was stolen', isOver)
  await expect.poll(kidsAtConfluent).toEqual([active.kid])
  const lease = await open({ produce: [created] })
  expect(await kidOf(lease)).toBe(active.kid)
  await lease.close()
})
