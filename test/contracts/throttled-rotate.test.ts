import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { CreateTableCommand, DeleteTableCommand, DynamoDBClient, waitUntilTableExists } from '@aws-sdk/client-dynamodb'
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { Context, SQSRecord } from 'aws-lambda'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApplyAccess } from '../../functions/rotate/apply-access.ts'
import { createCensus } from '../../functions/rotate/census.ts'
import { createHandler } from '../../functions/rotate/handler.ts'
import { createInForce } from '../../functions/rotate/in-force.ts'
import { createPace } from '../../functions/rotate/pace.ts'
import { createRevokeAccess } from '../../functions/rotate/revoke-access.ts'
import { createRotateCredentials } from '../../functions/rotate/rotate-credential.ts'
import { createSweep } from '../../functions/rotate/sweep.ts'
import { trustAuthority } from '../../local/emulator.ts'
import { readStackState } from '../../local/state.ts'
import type { Revocation } from '../../shared/domain/revocation.ts'
import { slotNames } from '../../shared/domain/rotation.ts'
import { parseSigningKeyTimes } from '../../shared/domain/signing-key.ts'
import { readAdminSecret } from '../../shared/secrets/admin-secret.ts'
import { createSlotSecrets, slotSecretName } from '../../shared/secrets/slot-secrets.ts'
import { createAccessStore } from '../../shared/store/access-store.ts'
import { createCredentialStore } from '../../shared/store/credential-store.ts'
import { createDirectoryStore } from '../../shared/store/directory-store.ts'
import { createLeaseStore } from '../../shared/store/lease-store.ts'
import { createQueue, type Message } from '../../shared/store/queue.ts'
import { type AwsCall, type AwsFault, failingAws } from '../fixtures/failing-aws.ts'
import { aCluster, aPolicy, now, revoked } from '../fixtures/policies.ts'
import { recordTelemetry } from '../fixtures/recorded-telemetry.ts'
import { simulateKafka } from '../fixtures/simulated-kafka.ts'
import { simulateScram } from '../fixtures/simulated-scram.ts'

// Every call that rotate makes to AWS fails in turn: once, for a while, and as one whose answer is lost. DynamoDB,
// Secrets Manager and SQS are the emulator's, behind the clients that rotate has; the cluster is simulated, so that a
// rotation takes no time. What comes of it must be what comes of a run without faults.

const { aws, caFile } = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(caFile, 'utf8'))
const settings = {
  endpoint: aws.endpointUrl,
  region: aws.region,
  credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
}
/** What rotate uses, and what only looks and cleans up. */
const clientsOf = () => ({
  base: new DynamoDBClient(settings),
  secrets: new SecretsManagerClient(settings),
  sqs: new SQSClient(settings),
})
const ours = clientsOf()
const plain = clientsOf()
const failing = failingAws([ours.base, ours.secrets, ours.sqs])
const document = (client: DynamoDBClient) =>
  DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } })

const run = randomUUID().slice(0, 8)
const stack = `throttled-${run}`
const principal = 'billing'
const hour = 3_600
const adminSecret = `switchboard/${stack}/clusters/main`
const tables = {
  directory: `${stack}-directory`,
  access: `${stack}-access`,
  leases: `${stack}-leases`,
  credentials: `${stack}-credentials`,
}
let queueUrl = ''

const createTable = async (TableName: string, partition: string, sort: string): Promise<void> => {
  const isCredentials = TableName === tables.credentials
  const attribute = (AttributeName: string) => ({ AttributeName, AttributeType: 'S' as const })
  await plain.base.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [
        { AttributeName: partition, KeyType: 'HASH' },
        { AttributeName: sort, KeyType: 'RANGE' },
      ],
      AttributeDefinitions: [partition, sort, ...(isCredentials ? ['shard', 'dueAt'] : [])].map(attribute),
      ...(isCredentials && {
        GlobalSecondaryIndexes: [
          {
            IndexName: 'due',
            KeySchema: [
              { AttributeName: 'shard', KeyType: 'HASH' },
              { AttributeName: 'dueAt', KeyType: 'RANGE' },
            ],
            Projection: { ProjectionType: 'KEYS_ONLY' },
          },
        ],
      }),
    }),
  )
  await waitUntilTableExists({ client: plain.base, maxWaitTime: 30, minDelay: 1 }, { TableName })
}

beforeAll(async () => {
  await createTable(tables.directory, 'pk', 'sk')
  await createTable(tables.access, 'cluster', 'principal')
  await createTable(tables.leases, 'principal', 'lease')
  await createTable(tables.credentials, 'cluster', 'principal')
  const { QueueUrl = '' } = await plain.sqs.send(
    new CreateQueueCommand({ QueueName: `${stack}.fifo`, Attributes: { FifoQueue: 'true' } }),
  )
  queueUrl = QueueUrl
  await plain.secrets.send(
    new CreateSecretCommand({ Name: adminSecret, SecretString: JSON.stringify({ username: 'admin', password: 'x' }) }),
  )
})

afterAll(async () => {
  for (const TableName of Object.values(tables)) await plain.base.send(new DeleteTableCommand({ TableName }))
  await plain.sqs.send(new DeleteQueueCommand({ QueueUrl: queueUrl }))
  await plain.secrets.send(new DeleteSecretCommand({ SecretId: adminSecret, ForceDeleteWithoutRecovery: true }))
  for (const client of [...Object.values(ours), ...Object.values(plain)]) client.destroy()
})

/** A stack with a cluster of its own; time passes only as it is told to. */
const aWorld = async () => {
  const cluster = `c-${randomUUID().slice(0, 8)}`
  const kafka = simulateKafka(['orders.created'])
  const scram = simulateScram()
  const telemetry = recordTelemetry()
  let time = now.getTime()
  const clock = (): Date => new Date(time)

  const dynamo = document(ours.base)
  const directories = createDirectoryStore(dynamo, tables.directory)
  const access = createAccessStore(dynamo, tables.access)
  const credentials = createCredentialStore(dynamo, tables.credentials)
  const queue = createQueue(ours.sqs, queueUrl)
  const inForce = createInForce(directories)
  const withAdmin = async <T>(open: () => Promise<T>): Promise<T> => {
    await readAdminSecret(ours.secrets, adminSecret)
    return open()
  }
  const openAdmin = () => withAdmin(kafka.open)
  const applyAccess = createApplyAccess({
    directories,
    access,
    credentials,
    openAdmin,
    openQuotas: () => withAdmin(kafka.openQuotas),
    telemetry,
    clock,
  })
  const handler = createHandler({
    applyAccess,
    revokeAccess: createRevokeAccess({ inForce, access, openAdmin, telemetry, clock }),
    rotateCredentials: createRotateCredentials({
      inForce,
      access,
      credentials,
      leases: createLeaseStore(dynamo, tables.leases),
      secretsOf: () => createSlotSecrets(ours.secrets, stack),
      openBackend: () => withAdmin(scram.open),
      applyAccess,
      pace: createPace(
        1_000,
        10,
        () => time,
        async () => {},
      ),
      telemetry,
      clock,
      wait: async (milliseconds) => {
        time += milliseconds
      },
      createId: randomUUID,
    }),
    sweep: createSweep({ credentials, queue, telemetry, clock }),
    census: createCensus({ inForce, credentials, times: parseSigningKeyTimes('{}'), telemetry, clock }),
    // their own calls fail in test/functions/rotate/rotate-signing-keys.property.test.ts
    signingKeys: { ensure: async () => false, remind: async () => {}, run: async () => {}, replace: async () => {} },
    queue,
    telemetry,
  })

  /** What the queue would give again. */
  let returned: readonly SQSRecord[] = []

  const recordOf = (body: string, receiptHandle = 'none'): SQSRecord => ({
    messageId: randomUUID(),
    receiptHandle,
    body,
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: '0',
      SenderId: 'x',
      ApproximateFirstReceiveTimestamp: '0',
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:eu-west-1:000000000000:work.fifo',
    awsRegion: aws.region,
  })

  const received = async (): Promise<readonly SQSRecord[]> => {
    const { Messages = [] } = await plain.sqs.send(
      new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10 }),
    )
    for (const { ReceiptHandle } of Messages)
      await plain.sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle }))
    return Messages.map(({ Body = '', ReceiptHandle }) => recordOf(Body, ReceiptHandle))
  }

  const deliver = async (records: readonly SQSRecord[]): Promise<void> => {
    if (records.length === 0) return
    const { batchItemFailures = [] } = (await handler({ Records: [...records] }, {} as Context)) ?? {}
    const failed = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
    returned = [...returned, ...records.filter(({ messageId }) => failed.includes(messageId))]
  }

  /** Everything that waits, and what came back, once each. */
  const work = async (messages: readonly Message[] = []): Promise<void> => {
    const again = returned
    returned = []
    await deliver([...again, ...messages.map((message) => recordOf(JSON.stringify(message)))])
    await deliver(await received())
  }

  const sweepFor = async (seconds: number): Promise<void> => {
    const end = time + seconds * 1000
    while (time < end) {
      await work([{ kind: 'sweep' }])
      await expectSound()
      const due = (await looking.read(cluster, principal))?.dueAt?.getTime() ?? end
      time = Math.max(time + 60_000, returned.length > 0 ? 0 : Math.min(end, due))
    }
  }

  // what looks does not fail
  const looking = createCredentialStore(document(plain.base), tables.credentials)
  const settingUp = createDirectoryStore(document(plain.base), tables.directory)

  const setPolicy = async (denied: readonly Revocation[] = []): Promise<void> => {
    const policy = aPolicy({
      clusters: { [cluster]: aCluster({ auth: ['scram'], rotation: { every: '2h' } }) },
      grants: [{ principals: [principal], produce: ['kafka://acme/orders/**'], maxLease: '10m' }],
      routes: [{ channel: 'kafka://acme/orders/{event}', cluster, topic: 'orders.{event}' }],
    })
    const { revision } = await settingUp.readPointer()
    const hash = await settingUp.writePolicy(policy)
    await settingUp.swapPointer(revision, { policy: hash, facts: undefined, next: undefined, denied })
  }

  const secretName = slotSecretName(stack, cluster, principal)
  /** Undefined where there is none, or one that waits for its deletion. */
  const secretText = (): Promise<string | undefined> =>
    plain.secrets.send(new GetSecretValueCommand({ SecretId: secretName })).then(
      ({ SecretString }) => SecretString,
      () => undefined,
    )

  let isRevoked = false

  /** What is handed out works at every moment, whatever failed. */
  const expectSound = async (): Promise<void> => {
    if (isRevoked) return
    const { slots } = (await looking.read(cluster, principal))?.credential ?? {}
    const active = slotNames.filter((name) => slots?.[name].state === 'active')
    if (active.length === 0) return
    const held = JSON.parse((await secretText()) ?? '{}')
    for (const slot of active) {
      expect(held[slot].generation).toBe(slots?.[slot].generation)
      expect(scram.users.get(`sb.${principal}@${slot}`)).toBe(held[slot].password)
      expect(kafka.acls().some((acl) => acl.startsWith(`sb.${principal}@${slot} `))).toBe(true)
    }
  }

  /** All there is of it anywhere, without what is made at random. */
  const everything = async () => {
    const stored = await looking.read(cluster, principal)
    const held = JSON.parse((await secretText()) ?? '{}')
    return {
      slots: stored && slotNames.map((name) => `${stored.credential.slots[name].state}`),
      failures: stored?.credential.failures,
      users: [...scram.users.keys()].sort(),
      acls: kafka.acls(),
      // a password of nobody's stays until the next one replaces it, and a rotation has one
      secrets: slotNames.filter((name) => held[name] !== undefined && scram.users.has(`sb.${principal}@${name}`)),
      waiting: returned.length,
    }
  }

  const forget = async (): Promise<void> => {
    const stored = await looking.read(cluster, principal)
    if (stored !== undefined) await looking.remove(cluster, principal, stored.version)
    await received()
    await plain.secrets
      .send(new DeleteSecretCommand({ SecretId: secretName, ForceDeleteWithoutRecovery: true }))
      .catch(() => {})
  }

  await setPolicy()
  return {
    work: async (kind: 'access' | 'credential' = 'access') => {
      await work([{ kind, cluster, principal }])
      await expectSound()
    },
    sweepFor,
    revoke: () => {
      isRevoked = true
      return setPolicy([revoked(principal)])
    },
    pass: (seconds: number) => {
      time += seconds * 1000
    },
    clock,
    telemetry,
    everything,
    forget,
  }
}

type World = Awaited<ReturnType<typeof aWorld>>

type Story = {
  readonly before: (world: World) => Promise<void>
  readonly run: (world: World) => Promise<void>
  readonly after: Readonly<Record<string, unknown>>
}

const acl = (slot: string): string => `sb.${principal}@${slot} topic:literal:write:orders.created`
const nothing = { users: [], acls: [], secrets: [], failures: undefined, waiting: 0 }
const only = (slot: string) => ({ ...nothing, users: [`sb.${principal}@${slot}`], acls: [acl(slot)], secrets: [slot] })

const stories: Readonly<Record<string, Story>> = {
  'the first credential': {
    before: async () => {},
    run: (world) => world.work(),
    after: { slots: ['active', 'absent'], ...only('a') },
  },
  'a rotation': {
    before: async (world) => {
      await world.work()
      world.pass(1.4 * hour)
    },
    run: (world) => world.sweepFor(0.75 * hour),
    after: { slots: ['absent', 'active'], ...only('b') },
  },
  'a revocation': {
    before: async (world) => {
      await world.work()
      await world.revoke()
    },
    run: (world) => world.work(),
    after: { slots: ['absent', 'absent'], ...nothing },
  },
}

const throttling: Readonly<Record<string, string>> = {
  DynamoDB: 'ProvisionedThroughputExceededException',
  SecretsManager: 'ThrottlingException',
  SQS: 'RequestThrottled',
}
/** Of faults, and of what comes after them: longer than the longest wait after a failure. */
const faultMs = 600_000
const aWhile = 1_800

const isRead = ({ command }: AwsCall): boolean => /^(Get|Query)/.test(command)
const isSame = (one: AwsCall, other: AwsCall): boolean => one.service === other.service && one.command === other.command

/** A story in which `faultOf` has its way, until long after which sweeps go on. */
const tell = async (
  story: Story,
  faultOf: (world: World) => (call: AwsCall, at: number) => AwsFault | undefined,
): Promise<World> => {
  const world = await aWorld()
  await story.before(world)
  failing.start(faultOf(world))
  await story.run(world)
  await world.sweepFor(aWhile)
  failing.stop()
  return world
}

describe.each(Object.entries(stories))('%s', { timeout: 300_000 }, (_, story) => {
  let calls: readonly AwsCall[]

  beforeAll(async () => {
    const world = await aWorld()
    await story.before(world)
    failing.start(() => undefined)
    await story.run(world)
    calls = [...failing.calls]
    failing.stop()
    await world.sweepFor(aWhile)
    expect(await world.everything()).toEqual(story.after)
    await world.forget()
  })

  const first = (call: AwsCall): number => calls.findIndex((each) => isSame(each, call))
  const last = (call: AwsCall): number => calls.findLastIndex((each) => isSame(each, call))
  const kinds = () => calls.filter((call, at) => first(call) === at)

  // those between are like one of these two; a worker that ends at each of them is in rotate-crash.test.ts
  test('comes to its end when the first or the last call of a kind is throttled, or its answer is lost', async () => {
    for (const kind of ['refused', 'lost'] as const)
      for (const [position, call] of calls.entries()) {
        if (position !== first(call) && position !== last(call)) continue
        // a read that nobody hears of is one that was refused
        if (kind === 'lost' && isRead(call)) continue
        const error = kind === 'lost' ? 'TimeoutError' : (throttling[call.service] ?? '')
        const world = await tell(story, () => (_call, at) => (at === position ? { kind, error } : undefined))
        expect(await world.everything(), `${kind}: ${call.service} ${call.command}, call ${position}`).toEqual(
          story.after,
        )
        await world.forget()
      }
  })

  test('comes to its end when all calls of a kind are throttled for ten minutes', async () => {
    for (const throttled of kinds()) {
      const error = throttling[throttled.service] ?? ''
      const world = await tell(story, ({ clock }) => {
        const end = clock().getTime() + faultMs
        return (call) => (isSame(call, throttled) && clock().getTime() < end ? { kind: 'refused', error } : undefined)
      })
      expect(await world.everything(), `${throttled.service} ${throttled.command}`).toEqual(story.after)
      await world.forget()
    }
  })
})
