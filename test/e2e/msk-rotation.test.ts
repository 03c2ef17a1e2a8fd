import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  BatchAssociateScramSecretCommand,
  BatchDisassociateScramSecretCommand,
  KafkaClient,
  paginateListScramSecrets,
} from '@aws-sdk/client-kafka'
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseDocument } from 'yaml'
import { awsEnvironment, trustAuthority } from '../../local/emulator.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { mskInFrontOf } from '../../local/msk/process.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { createAclAdmin } from '../../shared/clusters/kafka/acl-admin.ts'
import { createScramAdmin } from '../../shared/clusters/kafka/scram-admin.ts'
import { mskSecretName, mskSecretPrefix } from '../../shared/domain/msk-secret-name.ts'
import { mayKeep, type SlotName, slotNames, slotToHandOut } from '../../shared/domain/rotation.ts'
import { createMskSlotSecrets } from '../../shared/secrets/msk-slot-secrets.ts'
import { createCredentialStore } from '../../shared/store/credential-store.ts'
import { createDirectoryStore } from '../../shared/store/directory-store.ts'
import { createQueue } from '../../shared/store/queue.ts'
import { canLogIn } from '../fixtures/kafka-login.ts'

// Stored credentials on MSK: the deployed functions, the emulator's Secrets Manager, the simulated control plane with half
// a second of delay, and real logins on the Kafka behind it. The clock of the cluster is scaled by its policy.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const ca = readFileSync(state.caFile, 'utf8')
trustAuthority(ca)
const { aws, switchboard, clusters, msk } = state
const { outputs, stackName } = switchboard
const credentialsOfAws = { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey }
const settings = { region: aws.region, endpoint: aws.endpointUrl, credentials: credentialsOfAws }
const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient(settings), {
  marshallOptions: { removeUndefinedValues: true },
})
const directories = createDirectoryStore(dynamo, outputs.DirectoryTableName ?? '')
const credentials = createCredentialStore(dynamo, outputs.CredentialsTableName ?? '')
const queue = createQueue(new SQSClient(settings), outputs.QueueUrl ?? '', outputs.RevocationsUrl ?? '')
const secrets = new SecretsManagerClient(settings)
const slotSecrets = createMskSlotSecrets(secrets, stackName)
const kafka = new KafkaClient({ region: aws.region, endpoint: msk.url, credentials: credentialsOfAws })
const simulated = mskInFrontOf(clusters.analytics, ca)
const users = createScramAdmin(simulated.kafka.cluster, simulated.kafka.admin)
const acls = createAclAdmin(simulated.kafka.cluster, simulated.kafka.admin)
const bootstrap = clusters.analytics.inside

const principal = `msk-${randomUUID().slice(0, 8)}`
const neighbour = `${principal}-abcdef`
const usersOf = (name: string): readonly string[] => slotNames.map((slot) => `sb.${name}@${slot}`)
type Login = { readonly username: string; readonly password: string }

const customerKey = `arn:aws:kms:${aws.region}:${aws.accountId}:key/0d0c0b0a-1111-2222-3333-444455556666`

const simulate = async (what: 'faults' | 'propagation', value: unknown): Promise<void> => {
  const { ok } = await fetch(`${msk.url}/_simulated/${what}`, { method: 'PUT', body: JSON.stringify(value) })
  expect(ok).toBe(true)
}

const apply = async (file: string): Promise<void> => {
  const words = [join(root, 'cli/switchboard.ts'), 'apply', file, '--stack', stackName]
  await promisify(execFile)(nodeFile, words, { cwd: root, env: cleanEnvironment(awsEnvironment(aws, state.caFile)) })
}

const mskPolicy = (principals: readonly string[]): string => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  const path = ['clusters', 'analytics']
  policy.setIn([...path, 'provider'], 'msk')
  policy.setIn([...path, 'arn'], msk.clusterArn)
  policy.setIn([...path, 'auth'], ['scram'])
  policy.setIn([...path, 'rotation'], {
    every: '4s',
    clock: {
      propagation: '1s',
      lookEvery: '500ms',
      checkEvery: '2s',
      skew: '0s',
      firstRetry: '500ms',
      longestRetry: '1s',
    },
  })
  for (const name of principals)
    policy.addIn(['grants'], {
      principals: [name],
      produce: ['kafka://payments.acme.com/reports/**'],
      // a slot drains for as long as leases can be
      maxLease: '2s',
    })
  const file = join(state.runDirectory, 'msk-policy.yaml')
  writeFileSync(file, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  return file
}

const read = async (name = principal) => (await credentials.read('analytics', name))?.credential

const statesOf = async (name: string) => Object.values((await read(name))?.slots ?? {}).map((slot) => slot.state)

const generations = async (): Promise<number> => {
  const { slots } = (await read()) ?? {}
  return (slots?.a.generation ?? 0) + (slots?.b.generation ?? 0)
}

/** What is handed out right now logs in, unless it was taken back while it was tried. */
const expectActiveToWork = async (name = principal): Promise<SlotName | undefined> => {
  const before = await read(name)
  const slot = before && slotToHandOut(before)
  if (before === undefined || slot === undefined) return undefined
  const { generation } = before.slots[slot]
  const secret = await slotSecrets.read('analytics', name, slot)
  const works = secret?.generation === generation && (await canLogIn({ bootstrap, ...secret }))
  const after = await read(name)
  const isKept = after !== undefined && mayKeep(after, slot) && after.slots[slot].generation === generation
  if (isKept) expect(works, `slot ${slot} of generation ${generation}`).toBe(true)
  return slot
}

/** Sweeps again and again, as the schedule does, until it is so. */
const sweepUntil = async <T>(check: () => Promise<T>, wanted: T): Promise<void> => {
  await vi.waitFor(
    async () => {
      await queue.send({ kind: 'sweep' })
      expect(await check()).toEqual(wanted)
    },
    { timeout: 60_000, interval: 300 },
  )
}

const associated = async (): Promise<readonly string[]> => {
  const found: string[] = []
  for await (const { SecretArnList = [] } of paginateListScramSecrets(
    { client: kafka },
    { ClusterArn: msk.clusterArn },
  ))
    found.push(...SecretArnList)
  return found.sort()
}

const allUsers = async (): Promise<readonly string[]> => [...(await users.describe()).keys()].sort()

/** Secrets, and users, of others, which look as much like ours as others' can. */
const strangers = [
  { name: `AmazonMSK_${principal}`, username: `${principal}@a` },
  {
    name: mskSecretName(`${stackName}-2`, { cluster: 'analytics', principal, slot: 'a' }),
    username: `sb2.${principal}@a`,
  },
]
const strangeUser = { name: `sb.${principal}@c`, password: 'of somebody' }
const strange = new Map<string, string | undefined>()

const deny = async (denied: readonly string[]): Promise<void> => {
  const { revision, policy, facts, next } = await directories.readPointer()
  const list = denied.map((name) => ({ principal: name, cluster: undefined }))
  expect(await directories.swapPointer(revision, { policy, facts, next, denied: list })).toBe(true)
}

let before: { readonly associated: readonly string[]; readonly users: readonly string[] }

beforeAll(async () => {
  await simulate('propagation', { minMs: 500, maxMs: 500 })
  for (const { name, username } of strangers) {
    const { ARN = '', VersionId } = await secrets.send(
      new CreateSecretCommand({
        Name: name,
        KmsKeyId: customerKey,
        SecretString: JSON.stringify({ username, password: 'of a stranger' }),
      }),
    )
    strange.set(ARN, VersionId)
  }
  await kafka.send(
    new BatchAssociateScramSecretCommand({ ClusterArn: msk.clusterArn, SecretArnList: [...strange.keys()] }),
  )
  await users.upsert([strangeUser])
  await vi.waitFor(
    async () => {
      for (const { username } of strangers)
        expect(await canLogIn({ bootstrap, username, password: 'of a stranger' })).toBe(true)
    },
    { timeout: 60_000, interval: 200 },
  )
  before = { associated: await associated(), users: await allUsers() }
})

afterAll(async () => {
  await simulate('faults', [])
  await deny([])
  await apply(mskPolicy([]))
  for (const name of [principal, neighbour]) await sweepUntil(() => statesOf(name), ['absent', 'absent'])
  await apply(state.policyFile)
  await kafka.send(
    new BatchDisassociateScramSecretCommand({ ClusterArn: msk.clusterArn, SecretArnList: [...strange.keys()] }),
  )
  for (const SecretId of strange.keys())
    await secrets.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true }))
  await users.remove([strangeUser.name])
  await vi.waitFor(
    async () => expect(await users.describe(strangers.map(({ username }) => username))).toEqual(new Map()),
    {
      timeout: 60_000,
      interval: 200,
    },
  )
  await simulate('propagation', { minMs: 500, maxMs: 2_000 })
  await users.close()
  await acls.close()
})

describe('a stored credential on MSK', () => {
  test('gets its first slot although MSK does not see a new secret at first', async () => {
    await simulate('faults', [{ kind: 'secret-not-yet-visible', calls: 2 }])
    const reasons = new Set<string>()
    let isApplied = false
    const applied = apply(mskPolicy([principal, neighbour])).finally(() => {
      isApplied = true
    })
    while (!isApplied) {
      const reason = (await read())?.failures?.reason
      if (reason !== undefined) reasons.add(reason)
      await delay(50)
    }
    await applied

    await sweepUntil(() => expectActiveToWork(), 'a')
    expect([...reasons]).toEqual(['secret_unseen'])
    await sweepUntil(() => expectActiveToWork(neighbour), 'a')
    await simulate('faults', [])
  })

  test('is a secret as MSK reads it, under the key of the stack, that MSK may read', async () => {
    const SecretId = mskSecretName(stackName, { cluster: 'analytics', principal, slot: 'a' })

    const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId }))
    const { ARN = '', KmsKeyId } = await secrets.send(new DescribeSecretCommand({ SecretId }))

    expect(Object.keys(JSON.parse(SecretString)).sort()).toEqual(['password', 'username'])
    expect(KmsKeyId).toMatch(/^arn:aws:kms:[^:]+:\d{12}:key\//)
    expect(await associated()).toContain(ARN)
  })

  test('is rotated by sweeps, and what is handed out works all the while', async () => {
    const from = await generations()
    const seen = new Set<string>()

    const deadline = Date.now() + 90_000
    while ((await generations()) < from + 3 && Date.now() < deadline) {
      await queue.send({ kind: 'sweep' })
      const slot = await expectActiveToWork()
      if (slot !== undefined) seen.add(slot)
      await delay(300)
    }

    expect(await generations()).toBeGreaterThanOrEqual(from + 3)
    expect([...seen].sort()).toEqual(['a', 'b'])
  })

  test('goes on working while MSK takes no calls, and rotates when it does again', async () => {
    await simulate('faults', [{ kind: 'throttled' }])
    await sweepUntil(async () => (await read())?.failures?.reason, 'cluster_unavailable')
    expect(await expectActiveToWork()).toBeDefined()
    const from = await generations()

    await simulate('faults', [])

    await sweepUntil(async () => (await generations()) > from, true)
    expect(await expectActiveToWork()).toBeDefined()
  })

  // its lease holds the slot from here on
  test('is handed out by resolve', async () => {
    const token = await mintWorkloadToken(state, { principal, claims: {} })
    const response = await fetch(`${switchboard.url}/v1/resolve`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ produce: ['kafka://payments.acme.com/reports/daily'], network: 'vpc-local' }),
    })

    const answer = (await response.json()) as { readonly connections: readonly { readonly credential: Login }[] }
    expect(answer).toMatchObject({
      connections: [{ cluster: { name: 'analytics', provider: 'msk' }, credential: { kind: 'scram' } }],
    })
    const login = answer.connections[0]?.credential ?? expect.unreachable()
    expect(await canLogIn({ ...login, bootstrap })).toBe(true)
  })

  test('that is revoked leaves nothing anywhere, and everybody else alone', async () => {
    await deny([principal])

    await sweepUntil(async () => {
      await queue.send({ kind: 'access', cluster: 'analytics', principal })
      return statesOf(principal)
    }, ['absent', 'absent'])
    await apply(mskPolicy([principal]))
    await sweepUntil(() => statesOf(neighbour), ['absent', 'absent'])

    expect(await associated()).toEqual(before.associated)
    await expect.poll(allUsers).toEqual(before.users)
    for (const name of [principal, neighbour]) {
      for (const found of (await acls.describe(usersOf(name))).values()) expect(found).toEqual([])
      for (const slot of slotNames) expect(await slotSecrets.read('analytics', name, slot)).toBeUndefined()
    }
  })

  test('touched no secret and no user of strangers', async () => {
    for (const [SecretId, VersionId] of strange)
      expect((await secrets.send(new GetSecretValueCommand({ SecretId }))).VersionId).toBe(VersionId)
    for (const { username } of strangers)
      expect(await canLogIn({ bootstrap, username, password: 'of a stranger' })).toBe(true)
    expect(await canLogIn({ bootstrap, username: strangeUser.name, password: strangeUser.password })).toBe(true)
    expect(strangers.some(({ name }) => name.startsWith(mskSecretPrefix(stackName)))).toBe(false)
  })
})
