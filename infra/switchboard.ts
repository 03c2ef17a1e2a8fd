import { ArnFormat, Aws, CfnOutput, Duration, Stack, Token, Validations } from 'aws-cdk-lib'
import type { IVpc } from 'aws-cdk-lib/aws-ec2'
import type { IPrincipal } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { type LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import type { ResolveEnv } from '../functions/resolve/env.ts'
import type { RotateEnv, SigningKeyTimes } from '../functions/rotate/env.ts'
import { Alarms } from './alarms.ts'
import { Api } from './api.ts'
import { loadedWhenNeeded } from './bundling.ts'
import { Crawl, checkedCrawlEvery, checkedCrawlRoles } from './crawl.ts'
import { SwitchboardFunction } from './function.ts'
import { allowMskRoles, allowMskUsers, MskClientRole } from './msk.ts'
import { OperatorRole } from './operator-role.ts'
import { allow } from './permissions.ts'
import { RotateQueues } from './queue.ts'
import { SigningKey } from './signing-key.ts'
import { SlotSecrets } from './slot-secrets.ts'
import { Sweep } from './sweep.ts'
import { Tables } from './tables.ts'

export type SwitchboardProps = {
  /**
   * The address under which clients and brokers reach the API, without a trailing slash. It is the issuer of every
   * Kafka token and brokers are configured with it, so it should be a name of your own that you can keep.
   *
   * @default - the execute-api address of the API that this construct makes; it changes when the API is made anew
   */
  readonly issuerUrl?: string
  /**
   * The network in which rotate runs, when it cannot reach the clusters from the internet. Its private subnets need a
   * way to DynamoDB, Secrets Manager and the clusters. Resolve talks to no cluster and stays outside.
   *
   * @default - rotate runs outside any VPC and reaches clusters by their public addresses
   */
  readonly vpc?: IVpc
  /**
   * Deleting the stack deletes everything in it, and an issuer may be `http` on loopback addresses. Never for a stack
   * that real clients use.
   *
   * @default false - tables, signing keys and logs outlive the stack, and tables cannot be deleted by accident
   */
  readonly development?: boolean
  /**
   * When the signing keys of the issuer are replaced, and what bounds how fast that may go, in seconds. `everySeconds`
   * is the age at which the next key takes over (0: never by itself), `brokerRefreshSeconds` the longest
   * `sasl.oauthbearer.jwks.endpoint.refresh.ms` of a cluster. shared/domain/signing-key.ts says what follows from them.
   *
   * @default - every 90 days, for brokers with Kafka's default of one hour
   */
  readonly signingKeys?: Partial<SigningKeyTimes>
  /**
   * Roles of other accounts that crawl may assume there. A policy names them too, as the way to its clusters; but no
   * operator can send crawl into an account by a policy alone. Each must trust the role of `crawl` and allow what
   * docs/crawl.md lists.
   *
   * @default - none: crawl sees the clusters of this account
   */
  readonly crawlRoles?: readonly string[]
  /**
   * How often all clusters are looked at, in whole minutes from 5 minutes to a day. Each look is a call per topic of an
   * MSK cluster.
   *
   * @default Duration.hours(1)
   */
  readonly crawlEvery?: Duration
  /**
   * Where the API of Confluent Cloud answers, for a simulated one: taken in development alone.
   *
   * @default 'https://api.confluent.cloud'
   */
  readonly confluentUrl?: string
  /**
   * ARNs of the MSK clusters whose SASL/SCRAM users rotate keeps, in this account and region: MSK takes secrets from
   * nowhere else. docs/msk.md
   *
   * @default - none, and nothing in the stack may call MSK
   */
  readonly mskClusters?: readonly string[]
  /**
   * ARNs of the MSK clusters, provisioned or serverless, that principals log in to by IAM: the stack makes one role for
   * them all, which resolve alone may be. docs/msk.md
   *
   * @default - none, and there is no such role
   */
  readonly mskIamClusters?: readonly string[]
  /**
   * ARNs of other roles that principals may be on MSK clusters, as `iam.role` of a policy names them, with `*` where it says
   * `{principal}`. Each must trust the role of `resolve`, for `sts:AssumeRole` and `sts:TagSession`.
   *
   * @default - none
   */
  readonly mskRoles?: readonly string[]
  /**
   * Who may assume the operator role, and so change what is in force.
   *
   * @default - every principal of this account that its own policies let assume the role
   */
  readonly operators?: IPrincipal
  /**
   * How long logs are kept, the audit of decisions among them.
   *
   * @default RetentionDays.ONE_YEAR
   */
  readonly logRetention?: RetentionDays
  /**
   * Told when an alarm of the stack goes off and when it is over. docs/operations.md says what to do then.
   *
   * @default - the alarms are there and tell nobody
   */
  readonly alarmTopic?: ITopic
}

/**
 * A whole Switchboard: the map of what there is and who may touch what. The `switchboard` command finds it by the
 * outputs of its stack, so there is one to a stack.
 *
 * @example
 * new Switchboard(stack, 'Switchboard', { issuerUrl: 'https://switchboard.acme.com' })
 */
export class Switchboard extends Construct {
  /**
   * The function that reaches the clusters. With a VPC, let its `connections` into their security groups; where an
   * admin secret has a key of its own, let it decrypt with that key.
   */
  readonly rotate: IFunction
  /** The function that looks at clusters. In a VPC it needs what rotate needs, and a way to the control planes. */
  readonly crawl: IFunction

  constructor(scope: Construct, id: string, props: SwitchboardProps = {}) {
    super(scope, id)
    const { development = false, logRetention = RetentionDays.ONE_YEAR, vpc, operators, alarmTopic } = props
    const common = { development, logRetention }
    const confluentUrl = checkedConfluentUrl(props.confluentUrl, development)

    const api = new Api(this, 'Api', common)
    const signingKeyTimes = JSON.stringify(checkedTimes(props.signingKeys ?? {}))
    const issuerUrl = props.issuerUrl === undefined ? api.url : checkedIssuerUrl(props.issuerUrl, development)
    const tables = new Tables(this, 'Tables', { development })
    const { directory, leases, access, credentials, inventory } = tables
    const signingKey = new SigningKey(this, 'SigningKey', { development })
    const slotSecrets = new SlotSecrets(this, 'SlotSecrets', { development })
    const rotateTimeout = Duration.seconds(60)
    const work = new RotateQueues(this, 'Work', { consumerTimeout: rotateTimeout })

    const {
      function: resolve,
      role: resolveRole,
      logs: resolveLogs,
    } = new SwitchboardFunction<ResolveEnv>(this, 'Resolve', {
      ...common,
      description: 'Switchboard: turns an intent into a lease',
      entry: 'functions/resolve/index.ts',
      loadedWhenNeeded,
      memorySize: 1_024,
      timeout: Duration.seconds(10),
      environment: {
        STACK_NAME: Aws.STACK_NAME,
        ISSUER_URL: issuerUrl,
        DIRECTORY_TABLE: directory.tableName,
        LEASES_TABLE: leases.tableName,
        ACCESS_TABLE: access.tableName,
        CREDENTIALS_TABLE: credentials.tableName,
        QUEUE_URL: work.queue.queueUrl,
        SIGNING_KEY_SECRET_ARN: signingKey.secretArn,
        SIGNING_KEY_TIMES: signingKeyTimes,
        DEVELOPMENT: development ? 'true' : 'false',
      },
    })
    api.sendEverythingTo(resolve)
    allow(resolve, directory.tableArn, ['dynamodb:GetItem', 'dynamodb:Query'])
    allow(resolve, leases.tableArn, [
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:UpdateItem',
      'dynamodb:DeleteItem',
      'dynamodb:Query',
    ])
    allow(resolve, access.tableArn, ['dynamodb:GetItem', 'dynamodb:UpdateItem'])
    // a lease that names a slot is written only while the slot is handed out
    allow(resolve, credentials.tableArn, ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:ConditionCheckItem'])
    slotSecrets.allow(resolve, ['secretsmanager:GetSecretValue', 'secretsmanager:DescribeSecret'], ['kms:Decrypt'])
    allow(resolve, namedSecrets(this, 'registries'), ['secretsmanager:GetSecretValue'])
    Validations.of(resolveRole).acknowledge({
      id: `AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/<AWS::StackName>/registries/*]`,
      reason:
        'The policy document, not the deploy, names schema registries and who may use them; their secrets share this prefix.',
    })
    allow(resolve, work.queue.queueArn, ['sqs:SendMessage'])
    const { mskIamClusters = [], mskRoles = [] } = props
    if (mskIamClusters.length > 0) {
      const { role } = new MskClientRole(this, 'MskClients', { clusters: mskIamClusters, resolve: resolveRole })
      resolve.addEnvironment('MSK_ROLE_ARN' satisfies keyof ResolveEnv, role.roleArn)
    }
    allowMskRoles(resolveRole, mskRoles)
    signingKey.allow(resolve, ['secretsmanager:GetSecretValue'], ['kms:Decrypt'])

    this.rotate = new SwitchboardFunction<RotateEnv>(this, 'Rotate', {
      ...common,
      description: 'Switchboard: makes clusters and signing keys match the directory',
      entry: 'functions/rotate/index.ts',
      memorySize: 512,
      timeout: rotateTimeout,
      vpc,
      files: ['node_modules/@platformatic/wasm-utils/dist/native.wasm'],
      environment: {
        STACK_NAME: Aws.STACK_NAME,
        DIRECTORY_TABLE: directory.tableName,
        ACCESS_TABLE: access.tableName,
        LEASES_TABLE: leases.tableName,
        CREDENTIALS_TABLE: credentials.tableName,
        SLOT_SECRETS_KEY_ARN: slotSecrets.keyArn,
        QUEUE_URL: work.queue.queueUrl,
        REVOCATIONS_URL: work.revocations.queueUrl,
        SIGNING_KEY_SECRET_ARN: signingKey.secretArn,
        SIGNING_KEY_TIMES: signingKeyTimes,
        ISSUER_URL: issuerUrl,
        CONFLUENT_URL: confluentUrl,
      },
    }).function
    // each running copy is a set of admin connections to brokers
    work.feed(this.rotate, 10)
    allow(this.rotate, directory.tableArn, ['dynamodb:GetItem', 'dynamodb:Query'])
    for (const { queueArn } of [work.queue, work.revocations])
      allow(this.rotate, queueArn, ['sqs:ChangeMessageVisibility'])
    allow(this.rotate, access.tableArn, ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem'])
    // a census reads them all
    allow(this.rotate, credentials.tableArn, ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Scan'])
    allow(this.rotate, `${credentials.tableArn}/index/due`, ['dynamodb:Query'])
    // who still has a slot that is to be taken away
    allow(this.rotate, leases.tableArn, ['dynamodb:Query'])
    slotSecrets.allow(
      this.rotate,
      [
        'secretsmanager:CreateSecret',
        'secretsmanager:GetSecretValue',
        'secretsmanager:PutSecretValue',
        'secretsmanager:DeleteSecret',
        'secretsmanager:RestoreSecret',
        'secretsmanager:TagResource',
      ],
      ['kms:Decrypt', 'kms:GenerateDataKey'],
    )
    const { mskClusters = [] } = props
    if (mskClusters.length > 0)
      allowMskUsers({ clusters: mskClusters, resolve, rotate: this.rotate, keyArn: slotSecrets.keyArn })
    // what a sweep finds
    allow(this.rotate, work.queue.queueArn, ['sqs:SendMessage'])
    new Sweep(this, 'Sweep', { queue: work.queue })
    signingKey.allow(
      this.rotate,
      ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue'],
      ['kms:Decrypt', 'kms:GenerateDataKey'],
    )
    allow(this.rotate, namedSecrets(this, 'clusters'), ['secretsmanager:GetSecretValue'])
    Validations.of(this.rotate.role ?? this.rotate).acknowledge({
      id: `AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/<AWS::StackName>/clusters/*]`,
      reason: 'The policy document, not the deploy, names the clusters; their admin secrets share this prefix.',
    })

    const crawlEvery = checkedCrawlEvery(props.crawlEvery ?? Duration.hours(1))
    const crawl = new Crawl(this, 'Crawl', {
      ...common,
      tables,
      rotateQueue: work.queue,
      secrets: namedSecrets(this, 'clusters'),
      roles: checkedCrawlRoles(props.crawlRoles ?? []),
      every: crawlEvery,
      confluentUrl,
      vpc,
    })
    this.crawl = crawl.function
    Validations.of(this.crawl.role ?? this.crawl).acknowledge({
      id: `AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/<AWS::StackName>/clusters/*]`,
      reason:
        'The policy document, not the deploy, names clusters and control planes; their secrets share this prefix.',
    })

    const { queue, deadLetters, revocations } = work
    new Alarms(this, 'Alarms', {
      resolve,
      rotate: this.rotate,
      queue,
      deadLetters,
      revocations,
      crawlDeadLetters: crawl.deadLetters,
      crawlEvery,
      topic: alarmTopic,
    })

    const operator = new OperatorRole(this, 'Operator', { operators }).role
    allow(operator, directory.tableArn, [
      'dynamodb:GetItem',
      'dynamodb:Query',
      'dynamodb:PutItem',
      'dynamodb:UpdateItem',
      'dynamodb:DeleteItem',
    ])
    // a lease ends together with its count
    allow(operator, leases.tableArn, [
      'dynamodb:GetItem',
      'dynamodb:BatchGetItem',
      'dynamodb:Query',
      'dynamodb:Scan',
      'dynamodb:UpdateItem',
      'dynamodb:DeleteItem',
    ])
    allow(operator, credentials.tableArn, ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:Scan'])
    // AWS reads the group's ARN with `:*` at its end in some places and without it in others
    for (const group of [resolveLogs.logGroupArn, logGroupArnWithoutStar(resolveLogs)])
      allow(operator, group, ['logs:FilterLogEvents'])
    allow(operator, access.tableArn, ['dynamodb:GetItem', 'dynamodb:Query'])
    for (const { queueArn } of [work.queue, work.revocations]) allow(operator, queueArn, ['sqs:SendMessage'])
    for (const { queueArn } of [work.deadLetters, crawl.deadLetters])
      allow(operator, queueArn, ['sqs:ReceiveMessage', 'sqs:DeleteMessage'])
    allow(operator, inventory.tableArn, ['dynamodb:GetItem', 'dynamodb:Query'])
    allow(operator, crawl.queue.queueArn, ['sqs:SendMessage'])

    this.#output('ApiUrl', api.url, 'Where the API answers')
    this.#output('IssuerUrl', issuerUrl, 'The issuer of Kafka tokens; brokers trust its JWKS')
    this.#output('DirectoryTableName', directory.tableName, 'What is in force')
    this.#output('LeasesTableName', leases.tableName, 'What was handed out')
    this.#output('AccessTableName', access.tableName, 'What principals have on their clusters')
    this.#output('CredentialsTableName', credentials.tableName, 'How far stored credentials are')
    this.#output('QueueUrl', work.queue.queueUrl, 'Work for rotate')
    this.#output('RevocationsUrl', work.revocations.queueUrl, 'Revocations for rotate')
    this.#output('DeadLetterQueueUrl', work.deadLetters.queueUrl, 'Work that rotate could not do')
    this.#output('InventoryTableName', inventory.tableName, 'What was found')
    this.#output('CrawlQueueUrl', crawl.queue.queueUrl, 'Work for crawl')
    this.#output('CrawlDeadLetterQueueUrl', crawl.deadLetters.queueUrl, 'Work that crawl could not do')
    this.#output('OperatorRoleArn', operator.roleArn, 'What the switchboard command acts as')
    this.#output('ResolveLogGroupName', resolveLogs.logGroupName, 'The audit trail')
    this.#output('SigningKeyTimes', signingKeyTimes, 'When the signing keys are replaced')
    this.#output('SigningKeySecretArn', signingKey.secretArn, 'Where the signing keys are kept')
  }

  /** The command reads outputs by these names, so they must not carry the construct's path. */
  #output(name: string, value: string, description: string): void {
    new CfnOutput(this, name, { value, description }).overrideLogicalId(name)
  }
}

const logGroupArnWithoutStar = (group: LogGroup): string =>
  Stack.of(group).formatArn({
    service: 'logs',
    resource: 'log-group',
    resourceName: group.logGroupName,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  })

/** Those that the platform team makes for the stack, each kind below a name of its own. */
const namedSecrets = (scope: Construct, kind: 'clusters' | 'registries'): string =>
  Stack.of(scope).formatArn({
    service: 'secretsmanager',
    resource: 'secret',
    resourceName: `switchboard/${Aws.STACK_NAME}/${kind}/*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  })

/** A function would only refuse a wrong one when it starts. */
const checkedTimes = (times: Partial<SigningKeyTimes>): Partial<SigningKeyTimes> => {
  for (const [name, seconds] of Object.entries(times))
    if (!Number.isInteger(seconds) || seconds < 0)
      throw new Error(`\`signingKeys.${name}\` is \`${seconds}\`; allowed are whole seconds from 0`)
  return times
}

/** A token's `iss` is compared byte by byte, so an address that could be written in two ways is refused. */
const checkedIssuerUrl = (issuerUrl: string, development: boolean): string => {
  if (Token.isUnresolved(issuerUrl)) return issuerUrl
  const url = URL.canParse(issuerUrl) ? new URL(issuerUrl) : undefined
  const isSafe = url?.protocol === 'https:' || (development && url?.protocol === 'http:' && loopback.test(url.hostname))
  if (url === undefined || !isSafe || `${url.origin}${url.pathname.replace(/\/+$/, '')}` !== issuerUrl)
    throw new Error(
      `the issuer URL is \`${issuerUrl}\`; allowed is \`https://<host>[:<port>][/<path>]\` in lower case without a ` +
        'trailing slash, and in development also `http` on a loopback address',
    )
  return issuerUrl
}

const confluentCloud = 'https://api.confluent.cloud'

/** Crawl sends keys of Confluent Cloud there. */
const checkedConfluentUrl = (url: string | undefined, development: boolean): string => {
  if (url !== undefined && !development) throw new Error(`\`confluentUrl\` is \`${url}\`; allowed in development alone`)
  return url ?? confluentCloud
}

const loopback = /^(127(\.\d+){3}|localhost|\[::1\])$/
