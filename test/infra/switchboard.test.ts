import { CfnParameter, Duration } from 'aws-cdk-lib'
import { Match } from 'aws-cdk-lib/assertions'
import { ArnPrincipal } from 'aws-cdk-lib/aws-iam'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { describe, expect, it } from 'vitest'
import { inTime } from '../../functions/resolve/outage.ts'
import { parseCrawlMessage } from '../../shared/store/crawl-queue.ts'
import { parseMessage } from '../../shared/store/queue.ts'
import { aVpc, named, type Resource, rendered, type Synthesized, synthesize, walk } from './stack.ts'

const production = synthesize()
const development = synthesize({ development: true, issuerUrl: 'http://127.0.0.1:8080' })

const environments = (of: Synthesized): Record<string, Record<string, string>> =>
  Object.fromEntries(
    Object.entries(of.ofType('AWS::Lambda::Function')).map(([name, { Properties }]) => [
      name,
      Object.fromEntries(
        Object.entries(Properties.Environment.Variables).map(([key, value]) => [key, rendered(value)]),
      ),
    ]),
  )

const outputs = (of: Synthesized): Record<string, string> =>
  Object.fromEntries(
    Object.entries(of.template.toJSON().Outputs as Record<string, { Value: unknown }>).map(([name, { Value }]) => [
      name,
      rendered(Value),
    ]),
  )

describe('tables', () => {
  const tables = production.ofType('AWS::DynamoDB::GlobalTable')
  const keys = ({ Properties }: Resource) =>
    Properties.KeySchema.map(({ AttributeName, KeyType }: Record<string, string>) => `${KeyType} ${AttributeName}`)

  it('are the directory, the leases, the access, the credentials and the inventory, each with its keys', () => {
    expect(Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, keys(table)]))).toEqual({
      TablesDirectory: ['HASH pk', 'RANGE sk'],
      TablesLeases: ['HASH principal', 'RANGE lease'],
      TablesAccess: ['HASH cluster', 'RANGE principal'],
      TablesCredentials: ['HASH cluster', 'RANGE principal'],
      TablesInventory: ['HASH pk', 'RANGE sk'],
    })
    for (const { Properties } of Object.values(tables))
      for (const { AttributeType } of Properties.AttributeDefinitions) expect(AttributeType).toBe('S')
  })

  it('find what is due by a sparse index of keys alone', () => {
    const indexed = Object.entries(tables).filter(([, { Properties }]) => 'GlobalSecondaryIndexes' in Properties)
    expect(indexed.map(([name, { Properties }]) => [name, Properties.GlobalSecondaryIndexes])).toEqual([
      [
        'TablesCredentials',
        [
          {
            IndexName: 'due',
            KeySchema: [
              { AttributeName: 'shard', KeyType: 'HASH' },
              { AttributeName: 'dueAt', KeyType: 'RANGE' },
            ],
            Projection: { ProjectionType: 'KEYS_ONLY' },
          },
        ],
      ],
    ])
  })

  it('are all encrypted with a KMS key and paid by the request', () => {
    for (const { Properties } of Object.values(tables)) {
      expect(Properties.SSESpecification).toEqual({ SSEEnabled: true, SSEType: 'KMS' })
      expect(Properties.BillingMode).toBe('PAY_PER_REQUEST')
    }
  })

  it('find the credentials that are due by an index of those that wait, which holds no more than their keys', () => {
    expect(tables.TablesCredentials?.Properties.GlobalSecondaryIndexes).toEqual([
      {
        IndexName: 'due',
        KeySchema: [
          { AttributeName: 'shard', KeyType: 'HASH' },
          { AttributeName: 'dueAt', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ])
  })

  it('can be restored to any point in time where they hold what cannot be computed again', () => {
    const restorable = Object.entries(tables).filter(
      ([, { Properties }]) =>
        Properties.Replicas[0].PointInTimeRecoverySpecification?.PointInTimeRecoveryEnabled === true,
    )
    expect(restorable.map(([name]) => name)).toEqual([
      'TablesDirectory',
      'TablesAccess',
      'TablesInventory',
      'TablesCredentials',
    ])
  })

  it('let ended leases go, and nothing else', () => {
    const cleaned = Object.entries(tables).filter(([, { Properties }]) => 'TimeToLiveSpecification' in Properties)
    expect(cleaned.map(([name, { Properties }]) => [name, Properties.TimeToLiveSpecification])).toEqual([
      ['TablesLeases', { AttributeName: 'ttl', Enabled: true }],
    ])
  })

  it('cannot be deleted by accident but in development', () => {
    const protection = (of: Synthesized) =>
      Object.values(of.ofType('AWS::DynamoDB::GlobalTable')).map(
        ({ Properties }) => Properties.Replicas[0].DeletionProtectionEnabled,
      )
    expect(protection(production)).toEqual([true, true, true, true, true])
    expect(protection(development)).toEqual([false, false, false, false, false])
  })
})

describe('deleting the stack', () => {
  const policies = (of: Synthesized) =>
    Object.values(of.resources)
      .filter(({ DeletionPolicy }) => DeletionPolicy !== undefined)
      .map(({ Type, DeletionPolicy, UpdateReplacePolicy }) => [Type, DeletionPolicy, UpdateReplacePolicy])

  it('keeps tables, signing keys, their encryption key and logs; queues hold nothing that is not computed again', () => {
    const kept = new Map(policies(production).map(([type, ...both]) => [type, both]))
    expect(Object.fromEntries(kept)).toEqual({
      'AWS::DynamoDB::GlobalTable': ['Retain', 'Retain'],
      'AWS::KMS::Key': ['Retain', 'Retain'],
      'AWS::SecretsManager::Secret': ['Retain', 'Retain'],
      'AWS::Logs::LogGroup': ['Retain', 'Retain'],
      'AWS::SQS::Queue': ['Delete', 'Delete'],
    })
    expect(policies(production).filter(([, deletion]) => deletion === 'Retain')).toHaveLength(5 + 2 + 1 + 4)
  })

  it('leaves nothing behind in development', () => {
    expect(policies(development)).toHaveLength(policies(production).length)
    for (const [, deletion, replacement] of policies(development))
      expect([deletion, replacement]).toEqual(['Delete', 'Delete'])
  })
})

describe('signing keys', () => {
  it('are made by rotate: the deploy creates the secret without a value', () => {
    const Properties = production.properties('AWS::SecretsManager::Secret')
    expect(Object.keys(Properties).sort()).toEqual(['Description', 'KmsKeyId'])
  })

  it('are encrypted with a key of their own, which KMS rotates', () => {
    const Properties = production.properties('AWS::SecretsManager::Secret')
    expect(rendered(Properties.KmsKeyId)).toBe('<SigningKeyEncryptionKey.Arn>')
    for (const { Properties: key } of Object.values(production.ofType('AWS::KMS::Key')))
      expect(key.EnableKeyRotation).toBe(true)
  })

  it('and every other secret stay out of the template', () => {
    for (const [path, value] of walk(production.template.toJSON())) {
      expect(path).not.toMatch(/SecretString|GenerateSecretString|Password/i)
      if (typeof value === 'string') expect(value).not.toMatch(/resolve:secretsmanager|BEGIN [A-Z ]*PRIVATE KEY/)
    }
  })
})

describe('the queue', () => {
  const queues = production.ofType('AWS::SQS::Queue')
  const rotateTimeout = production.properties('AWS::Lambda::Function', 'RotateFunction').Timeout

  it('keeps order within a group, in the queue and among the dead letters', () => {
    const inOrder = Object.entries(queues).filter(([, { Properties }]) => Properties.FifoQueue === true)
    expect(inOrder.map(([name]) => name)).toEqual([
      'WorkDeadLetters',
      'WorkQueue',
      'CrawlWorkDeadLetters',
      'CrawlWorkQueue',
    ])
  })

  it('tells messages by their content where they have no id of their own, as the sweeps of the scheduler', () => {
    const told = Object.entries(queues).filter(([, { Properties }]) => Properties.ContentBasedDeduplication === true)
    expect(told.map(([name]) => name)).toEqual(['WorkQueue', 'CrawlWorkQueue'])
  })

  it('is encrypted and refuses requests without TLS', () => {
    for (const { Properties } of Object.values(queues)) expect(Properties.SqsManagedSseEnabled).toBe(true)
    const refusals = Object.values(production.ofType('AWS::SQS::QueuePolicy')).map(({ Properties }) => ({
      queues: Properties.Queues.map(rendered),
      statements: Properties.PolicyDocument.Statement.map(
        ({ Resource, ...statement }: Record<string, unknown>) => statement,
      ),
    }))
    const refuseWithoutTls = {
      Effect: 'Deny',
      Action: 'sqs:*',
      Principal: { AWS: '*' },
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    }
    expect(refusals).toEqual([
      { queues: ['<WorkDeadLetters>'], statements: [refuseWithoutTls] },
      { queues: ['<WorkQueue>'], statements: [refuseWithoutTls] },
      { queues: ['<WorkRevocations>'], statements: [refuseWithoutTls] },
      { queues: ['<CrawlWorkDeadLetters>'], statements: [refuseWithoutTls] },
      { queues: ['<CrawlWorkQueue>'], statements: [refuseWithoutTls] },
    ])
  })

  it('sets a message aside after ten tries and keeps it for two weeks', () => {
    const { deadLetterTargetArn, maxReceiveCount } = production.properties('AWS::SQS::Queue', 'WorkQueue').RedrivePolicy
    expect(rendered(deadLetterTargetArn)).toBe('<WorkDeadLetters.Arn>')
    expect(maxReceiveCount).toBe(10)
    expect(production.properties('AWS::SQS::Queue', 'WorkDeadLetters').MessageRetentionPeriod).toBe(14 * 24 * 3600)
  })

  it('hides a message for six times as long as rotate may take', () => {
    for (const name of ['WorkQueue', 'WorkRevocations'])
      expect(production.properties('AWS::SQS::Queue', name).VisibilityTimeout).toBeGreaterThanOrEqual(6 * rotateTimeout)
  })

  it('feeds rotate and crawl, a bounded number of groups at once, and takes back single messages', () => {
    const feeds = Object.values(production.ofType('AWS::Lambda::EventSourceMapping')).map(({ Properties }) => ({
      ...Properties,
      EventSourceArn: rendered(Properties.EventSourceArn),
      FunctionName: rendered(Properties.FunctionName),
    }))
    const mapping = (queue: string, most: number, consumer = '<RotateFunction>', batch = 10) => ({
      EventSourceArn: queue,
      FunctionName: consumer,
      BatchSize: batch,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: most },
    })
    // workers of its own: neither a cluster nor all of them hold up a revocation
    expect(feeds).toEqual([
      mapping('<WorkQueue.Arn>', 10),
      mapping('<WorkRevocations.Arn>', 5),
      // a message is a whole cluster
      mapping('<CrawlWorkQueue.Arn>', 10, '<CrawlFunction>', 1),
    ])
  })
})

describe('the schedule', () => {
  it('asks once a minute to look what is due, in a group of its own, each time with other words', () => {
    const { Target, ...schedule } = production.properties('AWS::Scheduler::Schedule', 'SweepSchedule')
    expect(schedule).toEqual({
      Description: expect.any(String),
      ScheduleExpression: 'rate(1 minute)',
      FlexibleTimeWindow: { Mode: 'OFF' },
    })
    expect({ ...Target, Arn: rendered(Target.Arn), RoleArn: rendered(Target.RoleArn) }).toEqual({
      Arn: '<WorkQueue.Arn>',
      RoleArn: '<SweepRole.Arn>',
      Input: '{"kind":"sweep","scheduledAt":"<aws.scheduler.scheduled-time>"}',
      SqsParameters: { MessageGroupId: 'sweep' },
      RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 60 },
    })
    expect(parseMessage(Target.Input)).toMatchObject({ kind: 'sweep' })
  })

  it('acts as a role that only the scheduler of this account may take', () => {
    const { Statement } = production.properties('AWS::IAM::Role', 'SweepRole').AssumeRolePolicyDocument
    expect(Statement).toEqual([
      {
        Effect: 'Allow',
        Action: 'sts:AssumeRole',
        Principal: { Service: 'scheduler.amazonaws.com' },
        Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
      },
    ])
  })
})

describe('functions', () => {
  const functions = production.ofType('AWS::Lambda::Function')

  it('are resolve, rotate and crawl, on Node 24 and arm64, traced', () => {
    expect(Object.keys(functions).sort()).toEqual(['CrawlFunction', 'ResolveFunction', 'RotateFunction'])
    for (const { Properties } of Object.values(functions)) {
      expect(Properties.Runtime).toBe('nodejs24.x')
      expect(Properties.Architectures).toEqual(['arm64'])
      expect(Properties.TracingConfig).toEqual({ Mode: 'Active' })
    }
  })

  it('each write JSON lines into a log group of their own', () => {
    for (const name of ['Resolve', 'Rotate', 'Crawl']) {
      const { LogFormat, LogGroup } = production.properties('AWS::Lambda::Function', `${name}Function`).LoggingConfig
      expect([LogFormat, rendered(LogGroup)]).toEqual(['JSON', `<${name}Logs>`])
    }
  })

  it('answer a client within ten seconds, or not at all', () => {
    expect(functions.ResolveFunction?.Properties.Timeout).toBe(10)
    // what answers for a function that is late must leave it time to be on time
    expect(10_000).toBeGreaterThanOrEqual(2 * inTime.timeoutEarlyInMillis)
  })

  it('are told what they need and nothing else', () => {
    const both = {
      STACK_NAME: '<AWS::StackName>',
      DIRECTORY_TABLE: '<TablesDirectory>',
      ACCESS_TABLE: '<TablesAccess>',
      LEASES_TABLE: '<TablesLeases>',
      CREDENTIALS_TABLE: '<TablesCredentials>',
      QUEUE_URL: '<WorkQueue>',
      ISSUER_URL: '<Api.ApiEndpoint>',
      SIGNING_KEY_SECRET_ARN: '<SigningKeySecret.Id>',
      SIGNING_KEY_TIMES: '{}',
      NODE_OPTIONS: '--enable-source-maps',
    }
    expect(environments(production)).toEqual({
      ResolveFunction: {
        ...both,
        DEVELOPMENT: 'false',
      },
      RotateFunction: {
        ...both,
        REVOCATIONS_URL: '<WorkRevocations>',
        CONFLUENT_URL: 'https://api.confluent.cloud',
        SLOT_SECRETS_KEY_ARN: '<SlotSecretsEncryptionKey.Arn>',
      },
      CrawlFunction: {
        DIRECTORY_TABLE: '<TablesDirectory>',
        INVENTORY_TABLE: '<TablesInventory>',
        LEASES_TABLE: '<TablesLeases>',
        ACCESS_TABLE: '<TablesAccess>',
        QUEUE_URL: '<CrawlWorkQueue>',
        ROTATE_QUEUE_URL: '<WorkQueue>',
        ACCOUNT_ID: '<AWS::AccountId>',
        CONFLUENT_URL: 'https://api.confluent.cloud',
        DEVELOPMENT: 'false',
        NODE_OPTIONS: '--enable-source-maps',
      },
    })
  })

  it('know when they run in development', () => {
    expect(environments(development).ResolveFunction?.DEVELOPMENT).toBe('true')
  })
})

describe('the API', () => {
  it('sends everything to resolve, and asks for SigV4 on one path only', () => {
    const routes = Object.values(production.ofType('AWS::ApiGatewayV2::Route')).map(({ Properties }) => [
      Properties.RouteKey,
      Properties.AuthorizationType,
      rendered(Properties.Target),
    ])
    expect(routes).toEqual([
      ['$default', 'NONE', 'integrations/<ApiEveryRequestFunction>'],
      ['POST /v1/aws/resolve', 'AWS_IAM', 'integrations/<ApiEveryRequestFunction>'],
      ['GET /servicegw', 'NONE', 'integrations/<ApiEveryRequestFunction>'],
    ])
    const integration = production.properties('AWS::ApiGatewayV2::Integration')
    expect([integration.PayloadFormatVersion, rendered(integration.IntegrationUri)]).toEqual([
      '2.0',
      '<ResolveFunction.Arn>',
    ])
  })

  it('has one stage without a name in its path, deployed by itself, with a limit on requests', () => {
    const { StageName, AutoDeploy, DefaultRouteSettings } = production.properties('AWS::ApiGatewayV2::Stage')
    expect([StageName, AutoDeploy]).toEqual(['$default', true])
    expect(DefaultRouteSettings).toEqual({ ThrottlingRateLimit: 2_000, ThrottlingBurstLimit: 1_000 })
  })

  it('limits those who poll by themselves, once their route is there', () => {
    const [stage] = Object.values(production.ofType('AWS::ApiGatewayV2::Stage'))
    expect(stage?.Properties.RouteSettings).toEqual({
      'GET /servicegw': { ThrottlingRateLimit: 500, ThrottlingBurstLimit: 500 },
    })
    expect(stage?.DependsOn?.map(named)).toContain('ApiPolledRequest')
  })

  it('logs every request without its query string and headers', () => {
    const { DestinationArn, Format } = production.properties('AWS::ApiGatewayV2::Stage').AccessLogSettings
    expect(rendered(DestinationArn)).toBe('<ApiAccessLogs.Arn>')
    expect(Object.values(JSON.parse(Format)).sort()).toEqual([
      '$context.httpMethod',
      '$context.identity.sourceIp',
      '$context.integrationLatency',
      '$context.integrationStatus',
      '$context.path',
      '$context.requestId',
      '$context.requestTimeEpoch',
      '$context.responseLatency',
      '$context.responseLength',
      '$context.status',
    ])
  })
})

describe('outputs', () => {
  it('are the names that the switchboard command reads', () => {
    expect(outputs(production)).toEqual({
      ApiUrl: '<Api.ApiEndpoint>',
      IssuerUrl: '<Api.ApiEndpoint>',
      DirectoryTableName: '<TablesDirectory>',
      LeasesTableName: '<TablesLeases>',
      AccessTableName: '<TablesAccess>',
      CredentialsTableName: '<TablesCredentials>',
      QueueUrl: '<WorkQueue>',
      RevocationsUrl: '<WorkRevocations>',
      DeadLetterQueueUrl: '<WorkDeadLetters>',
      CrawlDeadLetterQueueUrl: '<CrawlWorkDeadLetters>',
      InventoryTableName: '<TablesInventory>',
      CrawlQueueUrl: '<CrawlWorkQueue>',
      OperatorRoleArn: '<OperatorRole.Arn>',
      ResolveLogGroupName: '<ResolveLogs>',
      SigningKeySecretArn: '<SigningKeySecret.Id>',
      SigningKeyTimes: '{}',
    })
  })
})

describe('props', () => {
  const issuerUrl = 'https://switchboard.acme.com/kafka'

  it('put the issuer URL into resolve and the output, and leave the API where it is', () => {
    const named = synthesize({ issuerUrl })
    expect(outputs(named)).toMatchObject({ IssuerUrl: issuerUrl, ApiUrl: '<Api.ApiEndpoint>' })
    expect(environments(named)).toMatchObject({
      ResolveFunction: { ISSUER_URL: issuerUrl, DEVELOPMENT: 'false' },
    })
  })

  it('take an issuer URL that is known at deploy time only', () => {
    const late = synthesize((stack) => ({ issuerUrl: new CfnParameter(stack, 'Address').valueAsString }))
    expect(environments(late).ResolveFunction?.ISSUER_URL).toBe('<Address>')
  })

  it.each([
    'https://switchboard.acme.com/',
    'https://switchboard.acme.com/kafka/',
    'https://Switchboard.acme.com',
    'https://switchboard.acme.com:443',
    'https://switchboard.acme.com?a=b',
    'https://switchboard.acme.com#a',
    'https://user:password@switchboard.acme.com',
    'http://switchboard.acme.com',
    'http://127.0.0.1:8080',
    'switchboard.acme.com',
    '',
  ])('fail for the issuer URL `%s`', (wrong) => {
    expect(() => synthesize({ issuerUrl: wrong })).toThrow(`the issuer URL is \`${wrong}\``)
  })

  it('fail for an issuer URL without TLS that leaves the machine, in development too', () => {
    expect(() => synthesize({ issuerUrl: 'http://switchboard.acme.com', development: true })).toThrow('loopback')
    expect(() => synthesize({ issuerUrl: 'http://127.0.0.1.acme.com', development: true })).toThrow('loopback')
  })

  it('send crawl, and with it keys, to Confluent Cloud itself; in development alone to a simulated one', () => {
    const confluentUrl = 'http://127.0.0.1:8090'
    expect(environments(production).CrawlFunction?.CONFLUENT_URL).toBe('https://api.confluent.cloud')
    const local = environments(synthesize({ confluentUrl, development: true }))
    expect(local.CrawlFunction?.CONFLUENT_URL).toBe(confluentUrl)
    expect(() => synthesize({ confluentUrl })).toThrow(`\`confluentUrl\` is \`${confluentUrl}\``)
  })

  it('tell both functions the times of the signing keys, and only whole seconds', () => {
    const monthly = environments(synthesize({ signingKeys: { everySeconds: 2_592_000, brokerRefreshSeconds: 600 } }))
    for (const name of ['ResolveFunction', 'RotateFunction'])
      expect(JSON.parse(monthly[name]?.SIGNING_KEY_TIMES ?? '')).toEqual({
        everySeconds: 2_592_000,
        brokerRefreshSeconds: 600,
      })
    for (const wrong of [-1, 0.5, Number.NaN])
      expect(() => synthesize({ signingKeys: { everySeconds: wrong } })).toThrow('`signingKeys.everySeconds`')
  })

  it('put rotate into the VPC, with a group that a cluster can let in, and resolve not', () => {
    const inVpc = synthesize((stack) => ({ vpc: aVpc(stack) }))
    const functions = inVpc.ofType('AWS::Lambda::Function')
    expect(functions.ResolveFunction?.Properties).not.toHaveProperty('VpcConfig')
    expect(functions.RotateFunction?.Properties.VpcConfig).toEqual({
      SubnetIds: [
        { Ref: expect.stringContaining('VpcPrivateSubnet1') },
        { Ref: expect.stringContaining('VpcPrivateSubnet2') },
      ],
      SecurityGroupIds: [{ 'Fn::GetAtt': [expect.stringContaining('RotateFunctionSecurityGroup'), 'GroupId'] }],
    })
    inVpc.template.hasResourceProperties('AWS::EC2::SecurityGroup', Match.objectLike({ VpcId: Match.anyValue() }))
  })

  it('say how often clusters are looked at, by default every hour', () => {
    const rate = (of: Synthesized) => of.properties('AWS::Scheduler::Schedule', 'CrawlEverySchedule').ScheduleExpression
    expect(rate(production)).toBe('rate(60 minutes)')
    expect(rate(synthesize({ crawlEvery: Duration.minutes(15) }))).toBe('rate(15 minutes)')
    for (const crawlEvery of [Duration.minutes(4), Duration.seconds(330), Duration.days(2)])
      expect(() => synthesize({ crawlEvery })).toThrow('`crawlEvery` is')
    const { Target } = production.properties('AWS::Scheduler::Schedule', 'CrawlEverySchedule')
    expect(parseCrawlMessage(Target.Input)).toMatchObject({ kind: 'crawl' })
  })

  it('notes once a day what leases were for, before they are forgotten', () => {
    const { ScheduleExpression, Target } = production.properties('AWS::Scheduler::Schedule', 'CrawlEveryUses')
    expect(ScheduleExpression).toBe('rate(1440 minutes)')
    expect(parseCrawlMessage(Target.Input)).toMatchObject({ kind: 'note-uses' })
    expect(Target.SqsParameters).toEqual({ MessageGroupId: 'note-uses' })
  })

  it('trust the account with the operator role, or whom they name instead', () => {
    const trusted = ({ properties }: Synthesized) =>
      properties('AWS::IAM::Role', 'OperatorRole').AssumeRolePolicyDocument.Statement.map(
        ({ Action, Effect, Principal }: { Action: string; Effect: string; Principal: { AWS: unknown } }) => [
          Effect,
          Action,
          rendered(Principal.AWS),
        ],
      )
    expect(trusted(production)).toEqual([
      ['Allow', 'sts:AssumeRole', 'arn:<AWS::Partition>:iam::<AWS::AccountId>:root'],
    ])
    const platformTeam = 'arn:aws:iam::111122223333:role/platform-team'
    expect(trusted(synthesize({ operators: new ArnPrincipal(platformTeam) }))).toEqual([
      ['Allow', 'sts:AssumeRole', platformTeam],
    ])
  })

  it('say how long every log is kept, by default a year', () => {
    const kept = (of: Synthesized) =>
      Object.values(of.ofType('AWS::Logs::LogGroup')).map(({ Properties }) => Properties.RetentionInDays)
    expect(kept(production)).toEqual([365, 365, 365, 365])
    expect(kept(synthesize({ logRetention: RetentionDays.TWO_WEEKS }))).toEqual([14, 14, 14, 14])
  })
})
