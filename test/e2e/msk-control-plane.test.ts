import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  BatchAssociateScramSecretCommand,
  BatchDisassociateScramSecretCommand,
  DescribeTopicCommand,
  KafkaClient,
  ListClustersV2Command,
  ListNodesCommand,
  ListScramSecretsCommand,
  paginateDescribeTopicPartitions,
  paginateListScramSecrets,
  paginateListTopics,
} from '@aws-sdk/client-kafka'
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetResourcePolicyCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { trustAuthority } from '../../local/emulator.ts'
import { thisProcess } from '../../local/lock.mjs'
import { type MskControlPlane, startMskControlPlane } from '../../local/msk/control-plane.ts'
import { launchMskControlPlane, mskInFrontOf } from '../../local/msk/process.ts'
import { freePorts, stopNamedProcess } from '../../local/processes.ts'
import { readStackState, writeStackRecord } from '../../local/state.ts'
import { createScramAdmin, type ScramAdmin } from '../../shared/clusters/kafka/scram-admin.ts'
import { canLogIn, stayLoggedIn, untilLogin } from '../fixtures/kafka-login.ts'

// The simulated MSK control plane in front of the stack's real Kafka and of the emulator's Secrets Manager.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const ca = readFileSync(state.caFile, 'utf8')
trustAuthority(ca)
const { payments } = state.clusters
const { endpointUrl, region, accountId, accessKeyId, secretAccessKey } = state.aws
const credentials = { accessKeyId, secretAccessKey }
const secrets = new SecretsManagerClient({ region, endpoint: endpointUrl, credentials })
const customerKey = `arn:aws:kms:${region}:${accountId}:key/0d0c0b0a-1111-2222-3333-444455556666`
const minMs = 3_000
const maxMs = 4_000

let msk: MskControlPlane
let kafka: KafkaClient
let clusterArn: string
let admin: ScramAdmin
const secretArns: string[] = []
const users: string[] = []
const reports: string[] = []

beforeAll(async () => {
  const cluster = mskInFrontOf(payments, ca)
  msk = await startMskControlPlane({
    aws: state.aws,
    clusters: [cluster],
    propagation: { minMs, maxMs },
    pageSize: 3,
    maxUsers: 12,
    maxInventoryAgeMs: 0,
    report: (line) => reports.push(line),
  })
  clusterArn = msk.clusterArns.payments ?? ''
  process.env.AWS_ENDPOINT_URL_KAFKA = msk.url
  kafka = new KafkaClient({ region, credentials, maxAttempts: 1 })
  admin = createScramAdmin(cluster.kafka.cluster, cluster.kafka.admin)
})

afterEach(async () => {
  msk.faults.clear()
  for (const secretArn of await associated()) await disassociate(secretArn)
})

afterAll(async () => {
  delete process.env.AWS_ENDPOINT_URL_KAFKA
  await msk.stop()
  for (const SecretId of secretArns) {
    await secrets.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true })).catch(() => {})
  }
  await admin.remove(users)
  await admin.close()
})

const some = (name: string): string => {
  const unique = `${name}-${randomUUID().slice(0, 8)}`
  users.push(unique)
  return unique
}

const login = (username: string, password: string) => ({ bootstrap: payments.inside, username, password })

const createSecret = async (
  username: string,
  password: string,
  { prefix = 'AmazonMSK_', value = '' } = {},
): Promise<string> => {
  const { ARN = '' } = await secrets.send(
    new CreateSecretCommand({
      Name: `${prefix}${username}`,
      SecretString: value || JSON.stringify({ username, password }),
      KmsKeyId: customerKey,
    }),
  )
  secretArns.push(ARN)
  return ARN
}

const associate = async (...SecretArnList: string[]) => {
  const { UnprocessedScramSecrets, ClusterArn } = await kafka.send(
    new BatchAssociateScramSecretCommand({ ClusterArn: clusterArn, SecretArnList }),
  )
  expect(ClusterArn).toBe(clusterArn)
  return UnprocessedScramSecrets
}

const disassociate = async (...SecretArnList: string[]) => {
  const { UnprocessedScramSecrets } = await kafka.send(
    new BatchDisassociateScramSecretCommand({ ClusterArn: clusterArn, SecretArnList }),
  )
  return UnprocessedScramSecrets
}

const associated = async (): Promise<string[]> => {
  const found: string[] = []
  for await (const { SecretArnList = [] } of paginateListScramSecrets({ client: kafka }, { ClusterArn: clusterArn })) {
    found.push(...SecretArnList)
  }
  return found
}

describe('the life of a user', () => {
  test('it logs in after the delay, not before, and is refused the delay after it was disassociated', async () => {
    const username = some('life')
    const secretArn = await createSecret(username, 'first')

    const associatedAt = performance.now()
    expect(await associate(secretArn)).toEqual([])

    expect(await canLogIn(login(username, 'first'))).toBe(false)
    expect(await associated()).toEqual([secretArn])
    await untilLogin(login(username, 'first'), true)
    const joinedMs = performance.now() - associatedAt
    expect(joinedMs).toBeGreaterThanOrEqual(minMs)
    const open = await stayLoggedIn(login(username, 'first'))

    const disassociatedAt = performance.now()
    expect(await disassociate(secretArn)).toEqual([])

    expect(await canLogIn(login(username, 'first'))).toBe(true)
    expect(await associated()).toEqual([])
    await untilLogin(login(username, 'first'), false)
    const leftMs = performance.now() - disassociatedAt
    expect(leftMs).toBeGreaterThanOrEqual(minMs)
    expect(await open.isAlive()).toBe(true)
    await open.close()
    expect(reports).toEqual([])
  })

  test('a new version of the secret arrives after the delay; until then the old password works', async () => {
    const username = some('rotated')
    const secretArn = await createSecret(username, 'old')
    await associate(secretArn)
    await untilLogin(login(username, 'old'), true)

    const SecretString = JSON.stringify({ username, password: 'new' })
    await secrets.send(new PutSecretValueCommand({ SecretId: secretArn, SecretString }))

    expect(await canLogIn(login(username, 'new'))).toBe(false)
    expect(await canLogIn(login(username, 'old'))).toBe(true)
    await untilLogin(login(username, 'new'), true)
    await untilLogin(login(username, 'old'), false)
  })

  test('a new version with another username takes the old user away', async () => {
    const [before, after] = [some('before'), some('after')]
    const secretArn = await createSecret(before, 'p')
    await associate(secretArn)
    await untilLogin(login(before, 'p'), true)

    const SecretString = JSON.stringify({ username: after, password: 'p' })
    await secrets.send(new PutSecretValueCommand({ SecretId: secretArn, SecretString }))

    await untilLogin(login(after, 'p'), true)
    await untilLogin(login(before, 'p'), false)
  })

  test('associated again before it was gone, it stays', async () => {
    const username = some('again')
    const secretArn = await createSecret(username, 'p')
    await associate(secretArn)
    await untilLogin(login(username, 'p'), true)

    await disassociate(secretArn)
    await associate(secretArn)

    const until = Date.now() + maxMs + 500
    while (Date.now() < until) {
      expect(await canLogIn(login(username, 'p'))).toBe(true)
      await delay(100)
    }
  })

  test('disassociated before it arrived, it never arrives', async () => {
    const username = some('never')
    const secretArn = await createSecret(username, 'p')
    await associate(secretArn)

    await disassociate(secretArn)

    const until = Date.now() + maxMs + 500
    while (Date.now() < until) {
      expect(await canLogIn(login(username, 'p'))).toBe(false)
      await delay(200)
    }
  })

  test('users that others made are left alone', async () => {
    const [foreign, ours] = [some('foreign'), some('ours')]
    await admin.upsert([{ name: foreign, password: 'theirs' }])
    const secretArn = await createSecret(ours, 'p')
    await associate(secretArn)
    await untilLogin(login(ours, 'p'), true)

    await disassociate(secretArn)
    await untilLogin(login(ours, 'p'), false)

    expect(await canLogIn(login(foreign, 'theirs'))).toBe(true)
    expect((await admin.describe()).has('admin')).toBe(true)
  })
})

describe('a secret that MSK does not take comes back unprocessed with status 200', () => {
  const messageOf = async (secretArn: string): Promise<string> => {
    const [refused, ...rest] = (await associate(secretArn)) ?? []
    expect(rest).toEqual([])
    expect(refused).toMatchObject({ ErrorCode: 'InvalidSecretArn', SecretArn: secretArn })
    expect(await associated()).toEqual([])
    return refused?.ErrorMessage ?? ''
  }

  test('a name without the prefix', async () => {
    const secretArn = await createSecret(some('plain'), 'p', { prefix: 'msk/' })

    expect(await messageOf(secretArn)).toBe(
      "The provided secret arn cannot be used with Amazon MSK. Secret names must have the prefix 'AmazonMSK_'.",
    )
  })

  test.each([{ kmsKeyId: undefined }, { kmsKeyId: 'alias/aws/secretsmanager' }])(
    'the default key: $kmsKeyId',
    async ({ kmsKeyId }) => {
      const username = some('key')
      const { ARN = '' } = await secrets.send(
        new CreateSecretCommand({
          Name: `AmazonMSK_${username}`,
          SecretString: JSON.stringify({ username, password: 'p' }),
          ...(kmsKeyId !== undefined && { KmsKeyId: kmsKeyId }),
        }),
      )
      secretArns.push(ARN)

      expect(await messageOf(ARN)).toMatch(/default AWS KMS key/)
    },
  )

  test('another region, another account, no ARN at all', async () => {
    const secretArn = await createSecret(some('place'), 'p')

    expect(await messageOf(secretArn.replace(region, 'us-east-1'))).toMatch(/same account and region/)
    expect(await messageOf(secretArn.replace(accountId, '111111111111'))).toMatch(/same account and region/)
    expect(await messageOf('AmazonMSK_place')).toMatch(/not the arn/)
  })

  test.each(['not JSON', '{"user":"a"}', '{"username":"","password":"p"}', '[]'])(
    'a value that is no credential: %s',
    async (value) => {
      expect(await messageOf(await createSecret(some('value'), 'p', { value }))).toMatch(/username and a password/)
    },
  )

  test('a secret that is not there, or is to be deleted', async () => {
    const secretArn = await createSecret(some('gone'), 'p')
    await secrets.send(new DeleteSecretCommand({ SecretId: secretArn, RecoveryWindowInDays: 7 }))

    expect(await messageOf(secretArn)).toBe("Amazon MSK wasn't able to access the provided secret.")
    expect(await messageOf(`arn:aws:secretsmanager:${region}:${accountId}:secret:AmazonMSK_nowhere-abc123`)).toBe(
      "Amazon MSK wasn't able to access the provided secret.",
    )
  })

  test('the name of the cluster’s own admin', async () => {
    const value = JSON.stringify({ username: 'admin', password: 'mine' })

    expect(await messageOf(await createSecret(some('takeover'), 'p', { value }))).toMatch(/reserved/)
  })

  test('one bad secret takes no good one along', async () => {
    const good = await createSecret(some('good'), 'p')
    const bad = await createSecret(some('bad'), 'p', { prefix: 'x' })

    expect(await associate(bad, good)).toMatchObject([{ SecretArn: bad }])

    expect(await associated()).toEqual([good])
  })

  test('an association that is not there cannot be ended', async () => {
    const secretArn = await createSecret(some('none'), 'p')

    expect(await disassociate(secretArn)).toMatchObject([{ ErrorCode: 'InvalidSecretArn', SecretArn: secretArn }])
  })

  test('the user beyond the limit', async () => {
    const all = await Promise.all(Array.from({ length: 13 }, (_, at) => createSecret(some(`many-${at}`), 'p')))
    expect(await associate(...all.slice(0, 10))).toEqual([])

    const refused = await associate(...all.slice(10))

    expect(refused).toMatchObject([{ ErrorCode: 'LimitExceeded' }])
    expect((await associated()).toSorted()).toEqual(all.filter((arn) => arn !== refused?.[0]?.SecretArn).toSorted())
  })
})

describe('what can be switched on', () => {
  test('MSK cannot read a new secret at first: transient `InvalidSecretArn`', async () => {
    msk.faults.inject({ kind: 'secret-not-yet-visible', calls: 2 })
    const [one, two] = [await createSecret(some('one'), 'p'), await createSecret(some('two'), 'p')]
    const unreadable = { ErrorMessage: "Amazon MSK wasn't able to access the provided secret." }

    expect(await associate(one, two)).toMatchObject([unreadable, unreadable])
    expect(await associate(one)).toMatchObject([unreadable])
    expect(await associate(one, two)).toMatchObject([{ ...unreadable, SecretArn: two }])
    expect(await associate(two)).toEqual([])
    expect((await associated()).toSorted()).toEqual([one, two].toSorted())
  })

  test('the caller may not grant the use of the key', async () => {
    msk.faults.inject({ kind: 'kms-access-denied', calls: 1 })
    const secretArn = await createSecret(some('kms'), 'p')

    expect(await associate(secretArn)).toMatchObject([
      { ErrorCode: 'InvalidSecretArn', ErrorMessage: expect.stringMatching(/CreateGrant/) },
    ])
    expect(await associate(secretArn)).toEqual([])
  })

  test('nothing propagates while the sync is stalled, and all does afterwards', async () => {
    msk.faults.inject({ kind: 'sync-stalled' })
    const username = some('stalled')
    await associate(await createSecret(username, 'p'))
    await delay(maxMs + 500)
    expect(await canLogIn(login(username, 'p'))).toBe(false)

    msk.faults.clear()

    await untilLogin(login(username, 'p'), true)
  })
})

test('secrets are listed in pages, and associating twice changes nothing', async () => {
  const all = await Promise.all(Array.from({ length: 7 }, (_, at) => createSecret(some(`page-${at}`), 'p')))

  expect(await associate(...all)).toEqual([])
  expect(await associate(...all)).toEqual([])

  expect((await associated()).toSorted()).toEqual(all.toSorted())
  const { SecretArnList, NextToken } = await kafka.send(
    new ListScramSecretsCommand({ ClusterArn: clusterArn, MaxResults: 6 }),
  )
  expect(SecretArnList).toHaveLength(6)
  const last = await kafka.send(new ListScramSecretsCommand({ ClusterArn: clusterArn, NextToken }))
  expect(last.SecretArnList).toHaveLength(1)
  expect(last.NextToken).toBeUndefined()
})

test('MSK attaches a policy of its own to the secret', async () => {
  const secretArn = await createSecret(some('policy'), 'p')

  await associate(secretArn)

  const { ResourcePolicy = '' } = await secrets.send(new GetResourcePolicyCommand({ SecretId: secretArn }))
  expect(JSON.parse(ResourcePolicy).Statement[0].Principal).toEqual({ Service: 'kafka.amazonaws.com' })
})

test('topics, partitions and nodes are those of the real cluster', async () => {
  const topics: string[] = []
  for await (const page of paginateListTopics(
    { client: kafka, pageSize: 2 },
    { ClusterArn: clusterArn, TopicNameFilter: 'orders.' },
  )) {
    expect(page.Topics?.length).toBeLessThanOrEqual(2)
    for (const topic of page.Topics ?? []) {
      topics.push(topic.TopicName ?? '')
      expect(topic).toMatchObject({ ReplicationFactor: 1, OutOfSyncReplicaCount: 0 })
    }
  }
  expect(topics).toEqual(expect.arrayContaining(['orders.created', 'orders.shipped']))

  const place = { ClusterArn: clusterArn, TopicName: 'orders.created' }
  const described = await kafka.send(new DescribeTopicCommand(place))
  expect(described).toMatchObject({
    TopicName: 'orders.created',
    PartitionCount: 3,
    ReplicationFactor: 1,
    Status: 'ACTIVE',
  })
  expect(described.TopicArn).toBe(`${clusterArn.replace(':cluster/', ':topic/')}/orders.created`)
  // properties in base64, of what was set on the topic itself: nothing
  expect(described.Configs).toBe('')
  const partitions = []
  for await (const page of paginateDescribeTopicPartitions({ client: kafka, pageSize: 2 }, place)) {
    partitions.push(...(page.Partitions ?? []))
  }
  expect(partitions).toEqual([0, 1, 2].map((Partition) => ({ Partition, Leader: 1, Replicas: [1], Isr: [1] })))

  const { NodeInfoList } = await kafka.send(new ListNodesCommand({ ClusterArn: clusterArn }))
  expect(NodeInfoList).toMatchObject([
    { NodeType: 'BROKER', BrokerNodeInfo: { BrokerId: 1, Endpoints: ['127.0.0.1'] } },
  ])
  await expect(kafka.send(new DescribeTopicCommand({ ...place, TopicName: 'no.such.topic' }))).rejects.toMatchObject({
    name: 'NotFoundException',
    InvalidParameter: 'topicName',
  })
})

test('it runs as a process of a stack, told by a file that nobody else can read', async () => {
  const runDirectory = mkdtempSync(join(tmpdir(), 'msk-'))
  writeStackRecord({ version: 1, status: 'starting', runDirectory, owner: thisProcess(), processes: [] })
  const [port = 0] = await freePorts(1)
  try {
    const launched = await launchMskControlPlane({
      runDirectory,
      logDirectory: runDirectory,
      signal: AbortSignal.timeout(20_000),
      port,
      caFile: state.caFile,
      aws: state.aws,
      cluster: payments,
      propagation: { minMs, maxMs },
    })

    const { ClusterInfoList } = await new KafkaClient({ region, credentials, endpoint: launched.url }).send(
      new ListClustersV2Command({}),
    )
    expect(ClusterInfoList?.map(({ ClusterArn }) => ClusterArn)).toEqual([launched.clusterArn])
    expect(statSync(join(runDirectory, 'msk-options.json')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(runDirectory, 'msk-control-plane.log'), 'utf8')).toBe('')
  } finally {
    await stopNamedProcess(runDirectory, 'msk-control-plane')
    rmSync(runDirectory, { recursive: true })
  }
})
