import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseDocument } from 'yaml'
import { awsEnvironment, trustAuthority } from '../../local/emulator.ts'
import { knownCluster } from '../../local/kafka/known-cluster.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { createAclAdmin } from '../../shared/clusters/kafka/acl-admin.ts'
import { createScramAdmin } from '../../shared/clusters/kafka/scram-admin.ts'
import { mayKeep, type SlotName, slotNames, slotToHandOut } from '../../shared/domain/rotation.ts'
import { createSlotSecrets } from '../../shared/secrets/slot-secrets.ts'
import { createCredentialStore } from '../../shared/store/credential-store.ts'
import { createDirectoryStore } from '../../shared/store/directory-store.ts'
import { createQueue } from '../../shared/store/queue.ts'
import { canLogIn } from '../fixtures/kafka-login.ts'

// A stored credential on the deployed stack with real Kafka, from the apply that gives it to the revocation that takes
// it away; the clock of the cluster is scaled by its policy.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(state.caFile, 'utf8'))
const { aws, switchboard, clusters } = state
const { outputs } = switchboard
const settings = {
  region: aws.region,
  endpoint: aws.endpointUrl,
  credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
}
const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient(settings), {
  marshallOptions: { removeUndefinedValues: true },
})
const directories = createDirectoryStore(dynamo, outputs.DirectoryTableName ?? '')
const credentials = createCredentialStore(dynamo, outputs.CredentialsTableName ?? '')
const queue = createQueue(new SQSClient(settings), outputs.QueueUrl ?? '')
const slotSecrets = createSlotSecrets(new SecretsManagerClient(settings), switchboard.stackName)

const principal = `rotating-${randomUUID().slice(0, 8)}`
const neighbour = `${principal}-too`
const usersOf = (name: string): readonly string[] => slotNames.map((slot) => `sb.${name}@${slot}`)
const { inside, admin } = clusters.payments
const cluster = knownCluster('payments', inside)
const users = createScramAdmin(cluster, admin)
const acls = createAclAdmin(cluster, admin)

const apply = async (file: string): Promise<void> => {
  const words = [join(root, 'cli/switchboard.ts'), 'apply', file, '--stack', switchboard.stackName]
  await promisify(execFile)(nodeFile, words, {
    cwd: root,
    env: cleanEnvironment(awsEnvironment(aws, state.caFile)),
  })
}

const rotatingPolicy = (): string => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  policy.setIn(['clusters', 'payments', 'auth'], ['jwt', 'scram'])
  policy.setIn(['clusters', 'payments', 'rotation'], {
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
  // a slot drains for as long as leases can be
  for (const name of [principal, neighbour])
    policy.addIn(['grants'], {
      principals: [name],
      produce: ['kafka://payments.acme.com/orders/**'],
      maxLease: '1s',
    })
  const file = join(state.runDirectory, 'rotation-policy.yaml')
  writeFileSync(file, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  return file
}

const read = async (name = principal) => (await credentials.read('payments', name))?.credential

const generations = async (name = principal): Promise<number> => {
  const { slots } = (await read(name)) ?? {}
  return (slots?.a.generation ?? 0) + (slots?.b.generation ?? 0)
}

/** What is handed out right now logs in, unless it was taken back while it was tried. */
const expectActiveToWork = async (name = principal): Promise<SlotName | undefined> => {
  const before = await read(name)
  const slot = before && slotToHandOut(before)
  if (before === undefined || slot === undefined) return undefined
  const { generation } = before.slots[slot]
  const secret = await slotSecrets.read('payments', name, slot)
  const works =
    secret?.generation === generation &&
    (await canLogIn({ bootstrap: inside, username: secret.username, password: secret.password }))
  const after = await read(name)
  const isKept = after !== undefined && mayKeep(after, slot) && after.slots[slot].generation === generation
  if (isKept) expect(works, `slot ${slot} of generation ${generation}`).toBe(true)
  return slot
}

const deny = async (denied: readonly string[]): Promise<void> => {
  const { revision, policy, next } = await directories.readPointer()
  const list = denied.map((name) => ({ principal: name, cluster: undefined }))
  expect(await directories.swapPointer(revision, { policy, facts: undefined, next, denied: list })).toBe(true)
}

beforeAll(() => apply(rotatingPolicy()))

afterAll(async () => {
  await deny([])
  await apply(state.policyFile)
  const ours = [...usersOf(principal), ...usersOf(neighbour)]
  await vi.waitFor(async () => expect(await users.describe(ours)).toEqual(new Map()), {
    timeout: 60_000,
    interval: 500,
  })
  await users.close()
  await acls.close()
})

describe('a stored credential', () => {
  test('is there when the apply is done, or seconds after it', async () => {
    await expect.poll(() => expectActiveToWork()).toBe('a')
    await expect.poll(() => expectActiveToWork(neighbour)).toBe('a')

    const found = await acls.describe([`sb.${principal}@a`])
    expect(found.get(`sb.${principal}@a`)).toContainEqual(
      expect.objectContaining({ resource: 'topic', operation: 'write' }),
    )
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
    expect((await read())?.failures).toBeUndefined()
  })

  test('that is revoked leaves nothing on Kafka or in Secrets Manager, and its neighbour alone', async () => {
    await deny([principal])

    await queue.send({ kind: 'access', cluster: 'payments', principal })

    await expect
      .poll(async () => Object.values((await read())?.slots ?? {}).map((slot) => slot.state))
      .toEqual(['absent', 'absent'])
    expect(await users.describe(usersOf(principal))).toEqual(new Map())
    for (const found of (await acls.describe(usersOf(principal))).values()) expect(found).toEqual([])
    for (const slot of ['a', 'b'] as const) expect(await slotSecrets.read('payments', principal, slot)).toBeUndefined()
    expect(await expectActiveToWork(neighbour)).toBeDefined()
  })

  test('that is restored gets a new password', async () => {
    const before = await generations()
    await deny([])

    await queue.send({ kind: 'access', cluster: 'payments', principal })

    await expect
      .poll(
        async () => {
          await queue.send({ kind: 'sweep' })
          return expectActiveToWork()
        },
        { interval: 500 },
      )
      .toBeDefined()
    expect(await generations()).toBeGreaterThan(before)
  })
})
