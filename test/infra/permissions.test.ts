import { describe, expect, it } from 'vitest'
import { mskSecretPrefix } from '../../shared/domain/msk-secret-name.ts'
import { aVpc, rendered, type Synthesized, synthesize, walk } from './stack.ts'

type Statement = {
  readonly Effect: string
  readonly Action: string | readonly string[]
  readonly Resource: unknown
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

const listed = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T])

const conditions = (of: Statement['Condition'] = {}) =>
  Object.fromEntries(
    Object.entries(of).map(([operator, keys]) => [
      operator,
      Object.fromEntries(Object.entries(keys).map(([key, value]) => [key, rendered(value)])),
    ]),
  )

/** role -> resource -> actions, as far as they are allowed */
const allowed = ({ ofType }: Synthesized) => {
  const table: Record<string, Record<string, string[]>> = {}
  for (const { Properties } of Object.values(ofType('AWS::IAM::Policy')))
    for (const role of Properties.Roles.map(rendered))
      for (const statement of Properties.PolicyDocument.Statement as Statement[]) {
        if (statement.Effect !== 'Allow') continue
        for (const resource of listed(statement.Resource).map(rendered)) {
          table[role] ??= {}
          table[role][resource] = [...(table[role][resource] ?? []), ...listed(statement.Action)].sort()
        }
      }
  return table
}

const slotSecrets =
  'arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/<AWS::StackName>/credentials/*'

// INVARIANT: this is all that anything in the stack may do. A new action, a wider resource or a new role fails here.
const permissions = {
  '<ResolveRole>': {
    '<ResolveLogs.Arn>': ['logs:CreateLogStream', 'logs:PutLogEvents'],
    // X-Ray has no resources to name
    '*': ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'],
    '<TablesDirectory.Arn>': ['dynamodb:GetItem', 'dynamodb:Query'],
    '<TablesLeases.Arn>': [
      'dynamodb:DeleteItem',
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:Query',
      'dynamodb:UpdateItem',
    ],
    '<TablesAccess.Arn>': ['dynamodb:GetItem', 'dynamodb:UpdateItem'],
    '<TablesCredentials.Arn>': ['dynamodb:ConditionCheckItem', 'dynamodb:GetItem', 'dynamodb:PutItem'],
    '<WorkQueue.Arn>': ['sqs:SendMessage'],
    '<SigningKeySecret.Id>': ['secretsmanager:GetSecretValue'],
    '<SigningKeyEncryptionKey.Arn>': ['kms:Decrypt'],
    [slotSecrets]: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
    '<SlotSecretsEncryptionKey.Arn>': ['kms:Decrypt'],
    'arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/<AWS::StackName>/registries/*':
      ['secretsmanager:GetSecretValue'],
  },
  '<RotateRole>': {
    '<RotateLogs.Arn>': ['logs:CreateLogStream', 'logs:PutLogEvents'],
    '*': ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'],
    '<TablesDirectory.Arn>': ['dynamodb:GetItem', 'dynamodb:Query'],
    '<TablesAccess.Arn>': ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem'],
    '<TablesLeases.Arn>': ['dynamodb:Query'],
    '<TablesCredentials.Arn>': ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Scan'],
    '<TablesCredentials.Arn>/index/due': ['dynamodb:Query'],
    '<WorkQueue.Arn>': [
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      'sqs:ReceiveMessage',
      'sqs:SendMessage',
    ],
    '<WorkRevocations.Arn>': [
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      'sqs:ReceiveMessage',
    ],
    '<SigningKeySecret.Id>': ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue'],
    '<SigningKeyEncryptionKey.Arn>': ['kms:Decrypt', 'kms:GenerateDataKey'],
    'arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/<AWS::StackName>/clusters/*':
      ['secretsmanager:GetSecretValue'],
    [slotSecrets]: [
      'secretsmanager:CreateSecret',
      'secretsmanager:DeleteSecret',
      'secretsmanager:GetSecretValue',
      'secretsmanager:PutSecretValue',
      'secretsmanager:RestoreSecret',
      'secretsmanager:TagResource',
    ],
    '<SlotSecretsEncryptionKey.Arn>': ['kms:Decrypt', 'kms:GenerateDataKey'],
  },
  // it changes nothing but the inventory
  '<CrawlRole>': {
    // what leases were for is noted once a day
    '<TablesLeases.Arn>': ['dynamodb:Scan'],
    '<CrawlLogs.Arn>': ['logs:CreateLogStream', 'logs:PutLogEvents'],
    // neither have these of MSK any
    '*': ['kafka:GetBootstrapBrokers', 'kafka:ListClustersV2', 'xray:PutTelemetryRecords', 'xray:PutTraceSegments'],
    '<TablesDirectory.Arn>': ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query', 'dynamodb:UpdateItem'],
    '<TablesAccess.Arn>': ['dynamodb:Query'],
    '<WorkQueue.Arn>': ['sqs:SendMessage'],
    '<TablesInventory.Arn>': [
      'dynamodb:DeleteItem',
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:Query',
      'dynamodb:UpdateItem',
    ],
    '<CrawlWorkQueue.Arn>': [
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      'sqs:ReceiveMessage',
      'sqs:SendMessage',
    ],
    'arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/<AWS::StackName>/clusters/*':
      ['secretsmanager:GetSecretValue'],
    'arn:<AWS::Partition>:kafka:*:<AWS::AccountId>:cluster/*': [
      'kafka-cluster:Connect',
      'kafka:DescribeClusterV2',
      'kafka:ListNodes',
      'kafka:ListScramSecrets',
      'kafka:ListTopics',
    ],
    'arn:<AWS::Partition>:kafka:*:<AWS::AccountId>:topic/*': [
      'kafka-cluster:DescribeTopic',
      'kafka-cluster:DescribeTopicDynamicConfiguration',
      'kafka:DescribeTopic',
    ],
  },
  '<CrawlEveryRole>': { '<CrawlWorkQueue.Arn>': ['sqs:SendMessage'] },
  '<SweepRole>': { '<WorkQueue.Arn>': ['sqs:SendMessage'] },
  '<OperatorRole>': {
    '<TablesDirectory.Arn>': [
      'dynamodb:DeleteItem',
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:Query',
      'dynamodb:UpdateItem',
    ],
    '<TablesLeases.Arn>': [
      'dynamodb:BatchGetItem',
      'dynamodb:DeleteItem',
      'dynamodb:GetItem',
      'dynamodb:Query',
      'dynamodb:Scan',
      'dynamodb:UpdateItem',
    ],
    '<TablesCredentials.Arn>': ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:Scan'],
    '<WorkDeadLetters.Arn>': ['sqs:DeleteMessage', 'sqs:ReceiveMessage'],
    '<ResolveLogs.Arn>': ['logs:FilterLogEvents'],
    'arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:<ResolveLogs>': ['logs:FilterLogEvents'],
    '<TablesAccess.Arn>': ['dynamodb:GetItem', 'dynamodb:Query'],
    '<WorkQueue.Arn>': ['sqs:SendMessage'],
    '<WorkRevocations.Arn>': ['sqs:SendMessage'],
    '<TablesInventory.Arn>': ['dynamodb:GetItem', 'dynamodb:Query'],
    '<CrawlWorkQueue.Arn>': ['sqs:SendMessage'],
    '<CrawlWorkDeadLetters.Arn>': ['sqs:DeleteMessage', 'sqs:ReceiveMessage'],
  },
}

const joinVpc = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
]

const production = synthesize()
const development = synthesize({ development: true, issuerUrl: 'http://127.0.0.1:8080' })
const mskCluster = 'arn:aws:kafka:eu-west-1:111122223333:cluster/main/0d0c0b0a-1111-2222-3333-444455556666-7'
const onMsk = synthesize({ mskClusters: [mskCluster] })
const inVpc = synthesize((stack) => ({ vpc: aVpc(stack) }))

describe('permissions', () => {
  it('allow each role exactly the actions that its code calls, on exactly these resources', () => {
    expect(allowed(production)).toEqual(permissions)
  })

  it('are the same in development', () => {
    expect(allowed(development)).toEqual(permissions)
  })

  it('come from inline policies of the stack only, never from managed ones', () => {
    const roles = production.ofType('AWS::IAM::Role')
    expect(Object.keys(roles).map((name) => `<${name}>`)).toEqual(expect.arrayContaining(Object.keys(permissions)))
    expect(Object.keys(roles)).toHaveLength(Object.keys(permissions).length)
    for (const { Properties } of Object.values(roles)) {
      expect(Properties).not.toHaveProperty('ManagedPolicyArns')
      expect(Properties).not.toHaveProperty('Policies')
    }
    expect(production.ofType('AWS::IAM::ManagedPolicy')).toEqual({})
    expect(production.ofType('AWS::IAM::User')).toEqual({})
  })

  it('never allow an action by a wildcard', () => {
    for (const resources of Object.values(allowed(production)))
      for (const actions of Object.values(resources)) for (const action of actions) expect(action).not.toContain('*')
  })

  it('let the encryption keys be used through Secrets Manager only, each for its own secrets', () => {
    const uses = Object.values(production.ofType('AWS::IAM::Policy'))
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[])
      .filter(({ Action }) => listed(Action).some((action) => action.startsWith('kms:')))
    const throughSecretsManager = { 'kms:ViaService': 'secretsmanager.<AWS::Region>.amazonaws.com' }
    const context = 'kms:EncryptionContext:SecretARN'
    const ofSigningKeys = { StringEquals: { ...throughSecretsManager, [context]: '<SigningKeySecret.Id>' } }
    const ofSlots = { StringEquals: throughSecretsManager, StringLike: { [context]: slotSecrets } }
    const found = uses.map(({ Resource, Condition }) => [rendered(Resource), conditions(Condition)])
    expect(found.sort(([a], [b]) => String(a).localeCompare(String(b)))).toEqual([
      ['<SigningKeyEncryptionKey.Arn>', ofSigningKeys],
      ['<SigningKeyEncryptionKey.Arn>', ofSigningKeys],
      ['<SlotSecretsEncryptionKey.Arn>', ofSlots],
      ['<SlotSecretsEncryptionKey.Arn>', ofSlots],
    ])
  })

  it('let API Gateway invoke resolve for this API only, and nobody else invoke anything', () => {
    const grants = Object.values(production.ofType('AWS::Lambda::Permission')).map(({ Properties }) => ({
      ...Properties,
      FunctionName: rendered(Properties.FunctionName),
      SourceArn: rendered(Properties.SourceArn),
    }))
    expect(grants).toEqual([
      {
        Action: 'lambda:InvokeFunction',
        FunctionName: '<ResolveFunction.Arn>',
        Principal: 'apigateway.amazonaws.com',
        SourceArn: 'arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<Api>/*/*',
      },
      {
        Action: 'lambda:InvokeFunction',
        FunctionName: '<ResolveFunction.Arn>',
        Principal: 'apigateway.amazonaws.com',
        SourceArn: 'arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<Api>/*/*/v1/aws/resolve',
      },
      {
        Action: 'lambda:InvokeFunction',
        FunctionName: '<ResolveFunction.Arn>',
        Principal: 'apigateway.amazonaws.com',
        SourceArn: 'arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<Api>/*/*/servicegw',
      },
    ])
  })

  it('name `*` as a resource for X-Ray, two actions of MSK and in the policies of the encryption keys only', () => {
    const everything = [...walk(production.resources)].filter(
      ([path, value]) => /\/Resource(\/\d+)?$/.test(path) && value === '*',
    )
    expect(everything.map(([path]) => path.replace(/[0-9A-F]{8}(?=\/)/, '').replace(/\/\d+/g, ''))).toEqual([
      '/SwitchboardSigningKeyEncryptionKey/Properties/KeyPolicy/Statement/Resource',
      '/SwitchboardSlotSecretsEncryptionKey/Properties/KeyPolicy/Statement/Resource',
      '/SwitchboardResolveRoleDefaultPolicy/Properties/PolicyDocument/Statement/Resource',
      '/SwitchboardRotateRoleDefaultPolicy/Properties/PolicyDocument/Statement/Resource',
      '/SwitchboardCrawlRoleDefaultPolicy/Properties/PolicyDocument/Statement/Resource',
      '/SwitchboardCrawlRoleDefaultPolicy/Properties/PolicyDocument/Statement/Resource',
    ])
  })

  it('on MSK grow by secrets of the stack’s own names, and by who is let in to the clusters that it names', () => {
    const secrets = `arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${mskSecretPrefix('<AWS::StackName>')}*`
    const key = '<SlotSecretsEncryptionKey.Arn>'
    expect(allowed(onMsk)).toEqual({
      ...permissions,
      '<ResolveRole>': {
        ...permissions['<ResolveRole>'],
        [secrets]: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
        [key]: ['kms:Decrypt', 'kms:Decrypt'],
      },
      '<RotateRole>': {
        ...permissions['<RotateRole>'],
        [secrets]: [
          'secretsmanager:CreateSecret',
          'secretsmanager:DeleteSecret',
          'secretsmanager:DescribeSecret',
          'secretsmanager:GetSecretValue',
          'secretsmanager:PutSecretValue',
          'secretsmanager:RestoreSecret',
          'secretsmanager:TagResource',
        ],
        [key]: ['kms:CreateGrant', 'kms:Decrypt', 'kms:Decrypt', 'kms:GenerateDataKey', 'kms:GenerateDataKey'],
        [mskCluster]: [
          'kafka:BatchAssociateScramSecret',
          'kafka:BatchDisassociateScramSecret',
          'kafka:ListScramSecrets',
        ],
      },
    })
  })

  it('on MSK use the key for these secrets only, and give its use on to services of AWS alone', () => {
    const ofKey = Object.values(onMsk.ofType('AWS::IAM::Policy'))
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[])
      .filter(({ Resource, Condition }) => rendered(Resource) === '<SlotSecretsEncryptionKey.Arn>' && Condition)
      .map(({ Condition }) => conditions(Condition))
    const through = (name: string) => ({
      StringEquals: { 'kms:ViaService': 'secretsmanager.<AWS::Region>.amazonaws.com' },
      StringLike: {
        'kms:EncryptionContext:SecretARN': `arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${name}`,
      },
    })
    const [ours, msk] = [
      through('switchboard/<AWS::StackName>/credentials/*'),
      through('AmazonMSK_switchboard_<AWS::StackName>_*'),
    ]
    expect(ofKey).toEqual([ours, msk, ours, msk, { Bool: { 'kms:GrantIsForAWSResource': 'true' } }])
  })

  it.each(['*', 'main', 'arn:aws:kafka:eu-west-1:111122223333:cluster/*', `${mskCluster}x*`])(
    'on MSK are not for `%s`',
    (wrong) => {
      expect(() => synthesize({ mskClusters: [wrong] })).toThrow(`an MSK cluster is \`${wrong}\``)
    },
  )

  it('of rotate and crawl in a VPC grow by what joining it takes, which its code is denied', () => {
    expect(allowed(inVpc)).toEqual({
      ...permissions,
      '<RotateRole>': {
        ...permissions['<RotateRole>'],
        '*': [...joinVpc, ...permissions['<RotateRole>']['*']],
      },
      '<CrawlRole>': {
        ...permissions['<CrawlRole>'],
        '*': [...joinVpc, ...permissions['<CrawlRole>']['*']],
      },
    })
    const denials = Object.values(inVpc.ofType('AWS::IAM::Policy')).flatMap(({ Properties }) =>
      (Properties.PolicyDocument.Statement as Statement[])
        .filter(({ Effect }) => Effect === 'Deny')
        .map(({ Action, Resource, Condition }) => ({
          role: rendered(Properties.Roles[0]),
          actions: [...listed(Action)].sort(),
          resource: Resource,
          conditions: conditions(Condition),
        })),
    )
    expect(denials).toEqual(
      ['<RotateRole>', '<CrawlRole>'].map((role) => ({
        role,
        actions: joinVpc,
        resource: '*',
        conditions: {
          ArnLike: {
            'lambda:SourceFunctionArn': 'arn:<AWS::Partition>:lambda:<AWS::Region>:<AWS::AccountId>:function:*',
          },
        },
      })),
    )
  })

  it('of crawl in the directory are for the pointer and for facts, whatever policies lie there', () => {
    const writing = Object.values(production.ofType('AWS::IAM::Policy'))
      .filter(({ Properties }) => rendered(Properties.Roles[0]) === '<CrawlRole>')
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[])
      .filter(
        ({ Action, Resource }) =>
          rendered(Resource) === '<TablesDirectory.Arn>' && listed(Action).includes('dynamodb:PutItem'),
      )
    expect(writing.map(({ Condition }) => Condition)).toEqual([
      { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['pointer', 'facts#*'] } },
    ])
  })

  it('of crawl grow by the roles that the deploy names, and by no pattern of roles', () => {
    const crawlRoles = ['arn:aws:iam::444455556666:role/switchboard-crawl']
    const allowedToCrawl = allowed(synthesize({ crawlRoles }))['<CrawlRole>'] ?? {}
    expect(allowedToCrawl).toEqual({
      ...permissions['<CrawlRole>'],
      'arn:aws:iam::444455556666:role/switchboard-crawl': ['sts:AssumeRole'],
    })
    for (const role of ['*', 'arn:aws:iam::*:role/switchboard-crawl', 'arn:aws:iam::444455556666:role/crawl-*'])
      expect(() => synthesize({ crawlRoles: [role] })).toThrow(`\`crawlRoles\` has \`${role}\``)
  })
})
