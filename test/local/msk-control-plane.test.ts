import {
  BatchAssociateScramSecretCommand,
  BatchDisassociateScramSecretCommand,
  DescribeClusterCommand,
  DescribeClusterV2Command,
  DescribeTopicCommand,
  DescribeTopicPartitionsCommand,
  GetBootstrapBrokersCommand,
  type GetBootstrapBrokersResponse,
  KafkaClient,
  ListClustersCommand,
  ListClustersV2Command,
  ListNodesCommand,
  ListScramSecretsCommand,
  ListTagsForResourceCommand,
  ListTopicsCommand,
  paginateListClustersV2,
} from '@aws-sdk/client-kafka'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type MskControlPlane, startMskControlPlane } from '../../local/msk/control-plane.ts'
import { aMskCluster, aServerlessMskCluster } from './an-msk.ts'
import { declaredErrors } from './msk-declared-errors.ts'

// Everything that needs neither a broker nor Secrets Manager, through the SDK's own client.

const region = 'eu-west-1'
const accountId = '000000000000'
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
const aws = { endpointUrl: 'http://127.0.0.1:1', region, accountId, ...credentials }

const fields = [
  'BootstrapBrokerString',
  'BootstrapBrokerStringTls',
  'BootstrapBrokerStringSaslScram',
  'BootstrapBrokerStringSaslIam',
  'BootstrapBrokerStringPublicTls',
  'BootstrapBrokerStringPublicSaslScram',
  'BootstrapBrokerStringPublicSaslIam',
  'BootstrapBrokerStringVpcConnectivityTls',
  'BootstrapBrokerStringVpcConnectivitySaslScram',
  'BootstrapBrokerStringVpcConnectivitySaslIam',
  'BootstrapBrokerStringIpv6',
  'BootstrapBrokerStringTlsIpv6',
  'BootstrapBrokerStringSaslScramIpv6',
  'BootstrapBrokerStringSaslIamIpv6',
] as const
const everyWay: GetBootstrapBrokersResponse = Object.fromEntries(
  fields.map((name, at) => [name, `b-1.all:${9000 + at}`]),
)

const clusters = [
  aMskCluster({ tags: { Team: 'payments' } }),
  aMskCluster({ name: 'payments-all', bootstrapBrokers: everyWay }),
  aMskCluster({ name: 'analytics', kafkaVersion: '3.9.x' }),
  aMskCluster({ name: 'creating', state: 'CREATING' }),
  aMskCluster({
    name: 'iam-only',
    clientAuthentication: { Sasl: { Scram: { Enabled: false }, Iam: { Enabled: true } } },
  }),
  aServerlessMskCluster(),
]

let msk: MskControlPlane
let kafka: KafkaClient
const clientOf = (changes: object = {}) =>
  new KafkaClient({ region, endpoint: msk.url, credentials, maxAttempts: 1, ...changes })
const arnOf = (name: string): string => msk.clusterArns[name] ?? ''
const unknownArn = `arn:aws:kafka:${region}:${accountId}:cluster/nobody/00000000-0000-0000-0000-000000000000-1`

beforeAll(async () => {
  msk = await startMskControlPlane({ aws, clusters, propagation: { minMs: 100, maxMs: 200 }, report: () => {} })
  kafka = clientOf()
})
afterEach(() => msk.faults.clear())
afterAll(() => msk.stop())

describe('clusters', () => {
  test('version 2 lists both kinds, version 1 provisioned ones alone', async () => {
    const names = (list: readonly { readonly ClusterName?: string | undefined }[] = []) =>
      list.map(({ ClusterName }) => ClusterName)
    const two = await kafka.send(new ListClustersV2Command({}))
    const one = await kafka.send(new ListClustersCommand({}))
    const serverless = await kafka.send(new ListClustersV2Command({ ClusterTypeFilter: 'SERVERLESS' }))
    const prefixed = await kafka.send(new ListClustersV2Command({ ClusterNameFilter: 'pay' }))

    expect(names(two.ClusterInfoList)).toEqual([
      'analytics',
      'creating',
      'events',
      'iam-only',
      'payments',
      'payments-all',
    ])
    expect(names(one.ClusterInfoList)).not.toContain('events')
    expect(names(serverless.ClusterInfoList)).toEqual(['events'])
    expect(names(prefixed.ClusterInfoList)).toEqual(['payments', 'payments-all'])
  })

  test('pages hold as many as asked for and together hold all', async () => {
    const pages: number[] = []
    const names = new Set<string>()
    for await (const { ClusterInfoList = [] } of paginateListClustersV2({ client: kafka, pageSize: 4 }, {})) {
      pages.push(ClusterInfoList.length)
      for (const { ClusterName = '' } of ClusterInfoList) names.add(ClusterName)
    }

    expect(pages).toEqual([4, 2])
    expect(names.size).toBe(clusters.length)
  })

  test('a provisioned cluster is described in both versions', async () => {
    const ClusterArn = arnOf('payments')
    const { ClusterInfo: one } = await kafka.send(new DescribeClusterCommand({ ClusterArn }))
    const { ClusterInfo: two } = await kafka.send(new DescribeClusterV2Command({ ClusterArn }))

    expect(one).toMatchObject({ ClusterArn, ClusterName: 'payments', State: 'ACTIVE', Tags: { Team: 'payments' } })
    expect(one?.CreationTime).toBeInstanceOf(Date)
    expect(one?.ClientAuthentication?.Sasl?.Scram?.Enabled).toBe(true)
    expect(two).toMatchObject({ ClusterArn, ClusterType: 'PROVISIONED', Tags: { Team: 'payments' } })
    expect(two?.Serverless).toBeUndefined()
    expect(two?.Provisioned?.BrokerNodeGroupInfo?.ConnectivityInfo?.NetworkType).toBe('IPV4')
    expect(two?.Provisioned?.EncryptionInfo?.EncryptionInTransit?.ClientBroker).toBe('TLS')
  })

  test('a serverless cluster knows IAM only, and version 1 does not know it', async () => {
    const ClusterArn = arnOf('events')
    const { ClusterInfo } = await kafka.send(new DescribeClusterV2Command({ ClusterArn }))

    expect(ClusterArn).toMatch(/-s1$/)
    expect(ClusterInfo).toMatchObject({ ClusterType: 'SERVERLESS' })
    expect(ClusterInfo?.Serverless?.ClientAuthentication?.Sasl?.Iam?.Enabled).toBe(true)
    expect(ClusterInfo?.Provisioned).toBeUndefined()
    for (const command of [
      new DescribeClusterCommand({ ClusterArn }),
      new ListScramSecretsCommand({ ClusterArn }),
      new BatchAssociateScramSecretCommand({ ClusterArn, SecretArnList: ['a'] }),
      new ListTopicsCommand({ ClusterArn }),
      new ListNodesCommand({ ClusterArn }),
    ]) {
      await expect(kafka.send(command as ListNodesCommand)).rejects.toMatchObject({ name: 'BadRequestException' })
    }
  })

  test('all 14 bootstrap fields, and only those that the cluster has', async () => {
    const all = await kafka.send(new GetBootstrapBrokersCommand({ ClusterArn: arnOf('payments-all') }))
    const one = await kafka.send(new GetBootstrapBrokersCommand({ ClusterArn: arnOf('payments') }))
    const { $metadata: _all, ...allFields } = all
    const { $metadata: _one, ...oneField } = one

    expect(allFields).toEqual(everyWay)
    expect(oneField).toEqual({ BootstrapBrokerStringSaslScram: 'b-1.payments:9096' })
  })

  test('tags of a resource', async () => {
    const { Tags } = await kafka.send(new ListTagsForResourceCommand({ ResourceArn: arnOf('payments') }))

    expect(Tags).toEqual({ Team: 'payments' })
  })
})

describe('refusals', () => {
  const aSecret = `arn:aws:secretsmanager:${region}:${accountId}:secret:AmazonMSK_a-abc123`
  const associate = (name: string, SecretArnList: string[]) =>
    kafka.send(new BatchAssociateScramSecretCommand({ ClusterArn: arnOf(name), SecretArnList }))

  test.each([
    { operation: 'DescribeCluster', command: new DescribeClusterCommand({ ClusterArn: unknownArn }) },
    { operation: 'DescribeClusterV2', command: new DescribeClusterV2Command({ ClusterArn: unknownArn }) },
    { operation: 'GetBootstrapBrokers', command: new GetBootstrapBrokersCommand({ ClusterArn: unknownArn }) },
    { operation: 'ListNodes', command: new ListNodesCommand({ ClusterArn: unknownArn }) },
    { operation: 'ListTopics', command: new ListTopicsCommand({ ClusterArn: unknownArn }) },
    { operation: 'DescribeTopic', command: new DescribeTopicCommand({ ClusterArn: unknownArn, TopicName: 't' }) },
    {
      operation: 'DescribeTopicPartitions',
      command: new DescribeTopicPartitionsCommand({ ClusterArn: unknownArn, TopicName: 't' }),
    },
    { operation: 'ListScramSecrets', command: new ListScramSecretsCommand({ ClusterArn: unknownArn }) },
    {
      operation: 'BatchAssociateScramSecret',
      command: new BatchAssociateScramSecretCommand({ ClusterArn: unknownArn, SecretArnList: ['a'] }),
    },
    {
      operation: 'BatchDisassociateScramSecret',
      command: new BatchDisassociateScramSecretCommand({ ClusterArn: unknownArn, SecretArnList: ['a'] }),
    },
    { operation: 'ListTagsForResource', command: new ListTagsForResourceCommand({ ResourceArn: unknownArn }) },
  ] as const)(
    '$operation of a cluster that is not there: an error that its model declares',
    async ({ operation, command }) => {
      const error = await kafka.send(command as ListNodesCommand).catch((refusal: unknown) => refusal)

      expect(declaredErrors(operation)).toContain(Object(error).name)
      expect(error).toMatchObject({ InvalidParameter: expect.stringMatching(/^(cluster|resource)Arn$/) })
      expect(Object(error).$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/)
    },
  )

  test('from 1 to 10 secrets a call', async () => {
    const refusal = { name: 'BadRequestException', InvalidParameter: 'secretArnList', $response: expect.anything() }

    await expect(associate('payments', [])).rejects.toMatchObject(refusal)
    await expect(
      associate(
        'payments',
        Array.from({ length: 11 }, (_, at) => `${aSecret}${at}`),
      ),
    ).rejects.toMatchObject(refusal)
    await expect(
      kafka.send(
        new BatchDisassociateScramSecretCommand({
          ClusterArn: arnOf('payments'),
          SecretArnList: Array.from({ length: 11 }, () => aSecret),
        }),
      ),
    ).rejects.toMatchObject(refusal)
  })

  test('a cluster without SCRAM, and one that is not active', async () => {
    await expect(associate('iam-only', [aSecret])).rejects.toMatchObject({ name: 'BadRequestException' })
    await expect(associate('creating', [aSecret])).rejects.toThrow(/CREATING/)
    await expect(kafka.send(new GetBootstrapBrokersCommand({ ClusterArn: arnOf('creating') }))).rejects.toMatchObject({
      name: 'ConflictException',
    })
  })

  test('an ARN of something else', async () => {
    await expect(kafka.send(new DescribeClusterV2Command({ ClusterArn: 'payments' }))).rejects.toMatchObject({
      name: 'BadRequestException',
      InvalidParameter: 'clusterArn',
    })
  })

  test.each([0, 101, -1, 1.5])('%s results a page', async (MaxResults) => {
    await expect(kafka.send(new ListClustersV2Command({ MaxResults }))).rejects.toMatchObject({
      name: 'BadRequestException',
      InvalidParameter: 'maxResults',
    })
  })

  test('page tokens that were not given for this very call', async () => {
    const { NextToken = '' } = await kafka.send(new ListClustersV2Command({ MaxResults: 1 }))
    const refused = { name: 'BadRequestException', InvalidParameter: 'nextToken' }

    await expect(kafka.send(new ListClustersV2Command({ NextToken: 'x' }))).rejects.toMatchObject(refused)
    await expect(kafka.send(new ListClustersV2Command({ NextToken: `A${NextToken}` }))).rejects.toMatchObject(refused)
    await expect(kafka.send(new ListClustersCommand({ NextToken }))).rejects.toMatchObject(refused)
    await expect(
      kafka.send(new ListClustersV2Command({ NextToken, ClusterTypeFilter: 'SERVERLESS' })),
    ).rejects.toMatchObject(refused)
    expect((await kafka.send(new ListClustersV2Command({ NextToken, MaxResults: 1 }))).ClusterInfoList).toHaveLength(1)
  })

  test('Kafka or Secrets Manager that do not answer are an internal error', async () => {
    const fails = { name: 'InternalServerErrorException', $metadata: { httpStatusCode: 500 } }

    await expect(associate('payments', [aSecret])).rejects.toMatchObject(fails)
  })
})

describe('signatures', () => {
  const ask = async (headers: Record<string, string>) => {
    const response = await fetch(`${msk.url}/api/v2/clusters`, { headers })
    return { status: response.status, type: response.headers.get('x-amzn-errortype') }
  }
  const sixtyFour = 'a'.repeat(64)
  const signed = (scope: string, signature = `, SignedHeaders=host;x-amz-date, Signature=${sixtyFour}`) => ({
    authorization: `AWS4-HMAC-SHA256 Credential=AKIA/${scope}/aws4_request${signature}`,
    'x-amz-date': '20261121T080000Z',
  })

  test('an unsigned request is refused as AWS refuses it', async () => {
    expect(await ask({})).toEqual({ status: 403, type: 'MissingAuthenticationTokenException' })
  })

  test('one that has the shape is taken; the signature itself is not verified', async () => {
    expect(await ask(signed('20261121/eu-west-1/kafka'))).toEqual({ status: 200, type: null })
  })

  test.each([
    { what: 'another service', headers: signed('20261121/eu-west-1/dynamodb') },
    { what: 'another region', headers: signed('20261121/us-east-1/kafka') },
    { what: 'another day', headers: signed('20261120/eu-west-1/kafka') },
    { what: 'no signature', headers: signed('20261121/eu-west-1/kafka', ', SignedHeaders=host;x-amz-date') },
    {
      what: 'headers left out',
      headers: signed('20261121/eu-west-1/kafka', `, SignedHeaders=host, Signature=${sixtyFour}`),
    },
    { what: 'a bearer token', headers: { authorization: 'Bearer abc' } },
  ])('signed for $what', async ({ headers }) => {
    expect(await ask(headers)).toEqual({ status: 403, type: 'InvalidSignatureException' })
  })

  test('the client of another region is told so', async () => {
    await expect(clientOf({ region: 'us-east-1' }).send(new ListClustersV2Command({}))).rejects.toMatchObject({
      name: 'InvalidSignatureException',
      $metadata: { httpStatusCode: 403 },
    })
  })
})

describe('faults', () => {
  const list = () => kafka.send(new ListClustersV2Command({}))

  test('throttling ends after as many calls as asked for', async () => {
    msk.faults.inject({ kind: 'throttled', calls: 2 })

    for (const _ of [1, 2]) {
      await expect(list()).rejects.toMatchObject({
        name: 'TooManyRequestsException',
        $metadata: { httpStatusCode: 429 },
      })
    }
    expect(await list()).toMatchObject({ $metadata: { httpStatusCode: 200 } })
    expect(msk.faults.active()).toEqual([])
  })

  test('the SDK tries again by itself when it is throttled', async () => {
    msk.faults.inject({ kind: 'throttled', calls: 2 })

    const { $metadata } = await clientOf({ maxAttempts: 3 }).send(new ListClustersV2Command({}))

    expect($metadata.attempts).toBe(3)
  })

  test.each([
    { kind: 'internal-error', name: 'InternalServerErrorException', httpStatusCode: 500 },
    { kind: 'unavailable', name: 'ServiceUnavailableException', httpStatusCode: 503 },
    { kind: 'forbidden', name: 'ForbiddenException', httpStatusCode: 403 },
  ] as const)('$kind, until it is cleared', async ({ kind, name, httpStatusCode }) => {
    msk.faults.inject({ kind })

    for (const _ of [1, 2, 3]) await expect(list()).rejects.toMatchObject({ name, $metadata: { httpStatusCode } })
    msk.faults.clear()
    await list()
  })

  test('for a while', async () => {
    msk.faults.inject({ kind: 'internal-error', forMs: 150 })
    const startedAt = performance.now()

    while ((await list().catch(() => undefined)) === undefined)
      expect(performance.now() - startedAt).toBeLessThan(5_000)

    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(140)
  })

  test('only the operations that are named', async () => {
    msk.faults.inject({ kind: 'forbidden', operations: ['DescribeClusterV2'] })

    await list()
    await expect(kafka.send(new DescribeClusterV2Command({ ClusterArn: arnOf('payments') }))).rejects.toMatchObject({
      name: 'ForbiddenException',
    })
  })

  test('slow answers', async () => {
    msk.faults.inject({ kind: 'slow', delayMs: 200, calls: 1 })
    const startedAt = performance.now()

    await list()

    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(195)
  })

  test('a page token that is not taken any more', async () => {
    const { NextToken } = await kafka.send(new ListClustersV2Command({ MaxResults: 1 }))
    msk.faults.inject({ kind: 'next-token-refused', calls: 1 })

    await expect(kafka.send(new ListClustersV2Command({ NextToken }))).rejects.toMatchObject({
      InvalidParameter: 'nextToken',
    })
    await kafka.send(new ListClustersV2Command({ NextToken }))
  })

  test('another process switches them over HTTP, unsigned', async () => {
    const url = `${msk.url}/_simulated/faults`
    const put = (body: unknown) => fetch(url, { method: 'PUT', body: JSON.stringify(body) })

    expect((await put([{ kind: 'throttled', calls: 1 }])).status).toBe(204)
    expect(await (await fetch(url)).json()).toMatchObject([{ kind: 'throttled', calls: 1 }])
    expect((await put([{ kind: 'invented' }])).status).toBe(400)
    await expect(list()).rejects.toMatchObject({ name: 'TooManyRequestsException' })
    expect((await put([{ kind: 'unavailable' }])).status).toBe(204)
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(204)
    await list()
  })
})

test('the SDK finds it by `AWS_ENDPOINT_URL_KAFKA`', async () => {
  process.env.AWS_ENDPOINT_URL_KAFKA = msk.url
  try {
    const { ClusterInfoList } = await new KafkaClient({ region, credentials }).send(new ListClustersV2Command({}))
    expect(ClusterInfoList).toHaveLength(clusters.length)
  } finally {
    delete process.env.AWS_ENDPOINT_URL_KAFKA
  }
})

test('an operation that is not there says so', async () => {
  const response = await fetch(`${msk.url}/v1/clusters`, { method: 'POST', body: '{}' })

  expect(response.status).toBe(404)
  expect(response.headers.get('x-amzn-errortype')).toBe('UnknownOperationException')
})

test.each([
  { minMs: 99, maxMs: 1_000 },
  { minMs: 100, maxMs: 600_001 },
  { minMs: 500, maxMs: 400 },
  { minMs: Number.NaN, maxMs: 400 },
])('a propagation that MSK does not have is refused: $minMs to $maxMs ms', async (propagation) => {
  await expect(startMskControlPlane({ aws, clusters: [], propagation })).rejects.toThrow(RangeError)
})

test('how long a change takes is read and set over HTTP; what MSK does not have changes nothing', async () => {
  const url = `${msk.url}/_simulated/propagation`
  const read = async () => (await fetch(url)).json()
  const put = async (body: unknown) => (await fetch(url, { method: 'PUT', body: JSON.stringify(body) })).status

  expect(await read()).toEqual({ minMs: 100, maxMs: 200 })
  expect(await put({ minMs: 100, maxMs: 150 })).toBe(204)
  expect(await put({ minMs: 99, maxMs: 150 })).toBe(400)
  expect(await put({ minMs: 100 })).toBe(400)
  expect(await read()).toEqual({ minMs: 100, maxMs: 150 })
  expect((await fetch(url, { method: 'DELETE' })).status).toBe(405)
})

test('a cluster moves to other addresses and back over HTTP, and says so to those who ask where it is', async () => {
  const url = `${msk.url}/_simulated/bootstrap-brokers`
  const clusterArn = arnOf('payments')
  const put = async (bootstrapBrokers: unknown) =>
    (await fetch(url, { method: 'PUT', body: JSON.stringify({ clusterArn, bootstrapBrokers }) })).status
  const read = async () => {
    const { $metadata: _, ...found } = await kafka.send(new GetBootstrapBrokersCommand({ ClusterArn: clusterArn }))
    return found
  }
  const before = await read()

  expect(await put({ BootstrapBrokerStringSaslScram: 'b-9.acme.com:9096' })).toBe(204)
  expect(await read()).toEqual({ BootstrapBrokerStringSaslScram: 'b-9.acme.com:9096' })
  expect(await put({ anything: 'b-9.acme.com:9096' })).toBe(400)
  expect(await put(null)).toBe(204)
  expect(await read()).toEqual(before)
})
