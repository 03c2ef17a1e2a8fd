import { CfnOutput, Duration, Stack, Validations } from 'aws-cdk-lib'
import type { IVpc } from 'aws-cdk-lib/aws-ec2'
import { AccountRootPrincipal, type IPrincipal, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import type { ResolveEnv } from '../functions/resolve/env.ts'
import type { RotateEnv } from '../functions/rotate/env.ts'
import { Api } from './api.ts'
import { SwitchboardFunction } from './function.ts'
import { WorkQueue } from './queue.ts'
import { SigningKey } from './signing-key.ts'
import { Tables } from './tables.ts'

export type SwitchboardProps = {
  /**
   * What our tokens carry as `iss` and brokers are told to trust, without a slash at the end. Brokers remember it: use a
   * custom domain.
   * @default - the API's own URL
   */
  readonly issuerUrl?: string
  /**
   * Where rotate runs, so that it reaches clusters with private addresses.
   * @default - outside of any VPC
   */
  readonly vpc?: IVpc
  /**
   * Who may assume the operator role that the `switchboard` command uses.
   * @default - principals of this account that IAM allows to
   */
  readonly operators?: IPrincipal
  /**
   * How long logs are kept; the audit trail is in them.
   * @default RetentionDays.ONE_YEAR
   */
  readonly logRetention?: RetentionDays
  /**
   * Believes identity issuers on http at loopback, and leaves nothing behind when the stack is deleted. Never in production.
   * @default false
   */
  readonly development?: boolean
}

const rotateTimeout = Duration.seconds(60)
/** Workers at once; each owns the clusters of its messages. */
const rotateConcurrency = 10

/** Everything Switchboard is in AWS. Each permission stands beside what needs it. */
export class Switchboard extends Construct {
  constructor(scope: Construct, id: string, props: SwitchboardProps = {}) {
    super(scope, id)
    const { vpc, operators = new AccountRootPrincipal() } = props
    const { logRetention = RetentionDays.ONE_YEAR, development = false } = props
    const common = { logRetention, development }

    const tables = new Tables(this, 'Tables', { development })
    const signingKey = new SigningKey(this, 'SigningKey', { development })
    const { queue, deadLetterQueue } = new WorkQueue(this, 'Work', { consumerTimeout: rotateTimeout })
    const api = new Api(this, 'Api', common)
    const issuerUrl = props.issuerUrl ?? api.url

    const resolve = new SwitchboardFunction<ResolveEnv>(this, 'Resolve', {
      ...common,
      entry: 'functions/resolve/index.ts',
      description: 'Switchboard: intent -> lease',
      memorySize: 1_024,
      timeout: Duration.seconds(10),
      environment: {
        ISSUER_URL: issuerUrl,
        DIRECTORY_TABLE: tables.directory.tableName,
        LEASES_TABLE: tables.leases.tableName,
        ACCESS_TABLE: tables.access.tableName,
        QUEUE_URL: queue.queueUrl,
        SIGNING_KEY_SECRET_ARN: signingKey.secretArn,
        DEVELOPMENT: development ? 'true' : 'false',
      },
    })
    resolve.allow(['dynamodb:GetItem', 'dynamodb:Query'], [tables.directory.tableArn])
    resolve.allow(['dynamodb:PutItem'], [tables.leases.tableArn])
    resolve.allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], [tables.access.tableArn])
    resolve.allow(['sqs:SendMessage'], [queue.queueArn])
    signingKey.grantRead(resolve.role)
    api.routeTo(resolve.function)

    const rotate = new SwitchboardFunction<RotateEnv>(this, 'Rotate', {
      ...common,
      entry: 'functions/rotate/index.ts',
      description: 'Switchboard: access on clusters, signing keys',
      memorySize: 512,
      timeout: rotateTimeout,
      vpc,
      environment: {
        ISSUER_URL: issuerUrl,
        DIRECTORY_TABLE: tables.directory.tableName,
        ACCESS_TABLE: tables.access.tableName,
        SIGNING_KEY_SECRET_ARN: signingKey.secretArn,
      },
    })
    rotate.allow(['dynamodb:GetItem', 'dynamodb:Query'], [tables.directory.tableArn])
    rotate.allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], [tables.access.tableArn])
    const { partition, region, account } = Stack.of(this)
    const adminSecrets = `arn:${partition}:secretsmanager:${region}:${account}:secret:switchboard/clusters/*`
    rotate.allow(['secretsmanager:GetSecretValue'], [adminSecrets])
    Validations.of(rotate.role).acknowledge({
      id: 'AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/clusters/*]',
      reason: 'admin secrets of clusters are made by the platform team, under this name, whenever it adds a cluster',
    })
    signingKey.grantReadAndWrite(rotate.role)
    rotate.function.addEventSource(
      new SqsEventSource(queue, { batchSize: 10, reportBatchItemFailures: true, maxConcurrency: rotateConcurrency }),
    )

    const operator = new Role(this, 'Operator', {
      assumedBy: operators,
      description: 'What the switchboard command may do',
      maxSessionDuration: Duration.hours(1),
    })
    operator.addToPolicy(
      new PolicyStatement({
        actions: ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
        resources: [tables.directory.tableArn],
      }),
    )
    operator.addToPolicy(
      new PolicyStatement({ actions: ['dynamodb:GetItem', 'dynamodb:Query'], resources: [tables.access.tableArn] }),
    )
    operator.addToPolicy(new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [queue.queueArn] }))

    const outputs = {
      ApiUrl: api.url,
      IssuerUrl: issuerUrl,
      DirectoryTableName: tables.directory.tableName,
      LeasesTableName: tables.leases.tableName,
      AccessTableName: tables.access.tableName,
      QueueUrl: queue.queueUrl,
      DeadLetterQueueUrl: deadLetterQueue.queueUrl,
      OperatorRoleArn: operator.roleArn,
      SigningKeySecretArn: signingKey.secretArn,
    }
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value }).overrideLogicalId(name)
  }
}
