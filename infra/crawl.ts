import { ArnFormat, Aws, Duration, Stack, Token, Validations } from 'aws-cdk-lib'
import type { IVpc } from 'aws-cdk-lib/aws-ec2'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { IQueue, Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { CrawlEnv } from '../functions/crawl/env.ts'
import { SwitchboardFunction } from './function.ts'
import { allow } from './permissions.ts'
import { WorkQueue } from './queue.ts'
import { Schedule } from './schedule.ts'
import type { Tables } from './tables.ts'

export type CrawlProps = {
  readonly tables: Pick<Tables, 'directory' | 'inventory' | 'leases' | 'access'>
  /** What rotate works on. */
  readonly rotateQueue: IQueue
  /** ARN of the secrets that the policy may name. */
  readonly secrets: string
  readonly roles: readonly string[]
  readonly every: Duration
  readonly confluentUrl: string
  readonly vpc: IVpc | undefined
  readonly development: boolean
  readonly logRetention: RetentionDays
}

class CrawlSchedule extends Schedule {
  constructor(scope: Construct, id: string, queue: Queue, every: Duration) {
    super(scope, id, { queue, description: 'EventBridge Scheduler asks crawl to look at every cluster' })
    this.send('Schedule', 'crawl', 'Switchboard: clusters are looked at', every)
    // a lease stays for a day after its end, so what is noted once a day misses none
    this.send('Uses', 'note-uses', 'Switchboard: what leases were for is noted', Duration.days(1))
  }
}

/** The function that looks at clusters, what asks it to, and all it may read. It changes nothing but the inventory. */
export class Crawl extends Construct {
  readonly function: IFunction
  readonly queue: Queue
  readonly deadLetters: Queue

  constructor(scope: Construct, id: string, props: CrawlProps) {
    super(scope, id)
    const { tables, rotateQueue, secrets, roles, every, confluentUrl, vpc, development, logRetention } = props
    // a cluster of thousands of topics, each asked for by itself from a control plane that slows us down
    const timeout = Duration.minutes(5)
    const work = new WorkQueue(this, 'Work', { consumerTimeout: timeout })
    this.queue = work.queue
    this.deadLetters = work.deadLetters
    this.function = new SwitchboardFunction<CrawlEnv>(this, 'Crawl', {
      description: 'Switchboard: finds out which clusters there are, and what they have',
      entry: 'functions/crawl/index.ts',
      memorySize: 512,
      timeout,
      vpc,
      development,
      logRetention,
      files: ['node_modules/@platformatic/wasm-utils/dist/native.wasm'],
      environment: {
        DIRECTORY_TABLE: tables.directory.tableName,
        INVENTORY_TABLE: tables.inventory.tableName,
        LEASES_TABLE: tables.leases.tableName,
        ACCESS_TABLE: tables.access.tableName,
        QUEUE_URL: work.queue.queueUrl,
        ROTATE_QUEUE_URL: rotateQueue.queueUrl,
        ACCOUNT_ID: Aws.ACCOUNT_ID,
        CONFLUENT_URL: confluentUrl,
        DEVELOPMENT: development ? 'true' : 'false',
      },
    }).function
    // a message is a cluster: one that takes long, or more memory than there is, takes no other with it
    work.feed(this.function, 10, 1)
    new CrawlSchedule(this, 'Every', work.queue, every)

    allow(this.function, tables.directory.tableArn, ['dynamodb:GetItem', 'dynamodb:Query'])
    // where clients connect is its to publish; what the policy says is not
    allow(this.function, tables.directory.tableArn, ['dynamodb:PutItem', 'dynamodb:UpdateItem'], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['pointer', 'facts#*'] },
    })
    allow(this.function, tables.access.tableArn, ['dynamodb:Query'])
    allow(this.function, rotateQueue.queueArn, ['sqs:SendMessage'])
    allow(this.function, tables.inventory.tableArn, [
      'dynamodb:GetItem',
      'dynamodb:Query',
      'dynamodb:PutItem',
      'dynamodb:UpdateItem',
      'dynamodb:DeleteItem',
    ])
    allow(this.function, tables.leases.tableArn, ['dynamodb:Scan'])
    allow(this.function, work.queue.queueArn, ['sqs:SendMessage', 'sqs:ChangeMessageVisibility'])
    allow(this.function, secrets, ['secretsmanager:GetSecretValue'])
    for (const role of roles) allow(this.function, role, ['sts:AssumeRole'])
    this.#allowMsk()
  }

  /**
   * Of this account, in the regions that a policy will name; other accounts give the same to the role that is assumed.
   * @see https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonmanagedstreamingforapachekafka.html
   */
  #allowMsk(): void {
    const arn = (resource: string): string =>
      Stack.of(this).formatArn({
        service: 'kafka',
        region: '*',
        resource,
        resourceName: '*',
        arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      })
    // these two have no resources to name
    allow(this.function, '*', ['kafka:ListClustersV2', 'kafka:GetBootstrapBrokers'])
    allow(this.function, arn('cluster'), [
      'kafka:DescribeClusterV2',
      'kafka:ListNodes',
      'kafka:ListScramSecrets',
      'kafka:ListTopics',
      // the topic APIs ask for what a client would need, too
      'kafka-cluster:Connect',
    ])
    allow(this.function, arn('topic'), [
      'kafka:DescribeTopic',
      'kafka-cluster:DescribeTopic',
      'kafka-cluster:DescribeTopicDynamicConfiguration',
    ])
    for (const resource of ['cluster', 'topic'])
      Validations.of(this.function.role ?? this.function).acknowledge({
        id: `AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:kafka:*:<AWS::AccountId>:${resource}/*]`,
        reason: 'Which clusters there are is what it has to find out; all of these actions only read.',
      })
  }
}

const roleArn = /^arn:aws[a-z-]*:iam::\d{12}:role\/(?:[\w+=,.@-]+\/)*[\w+=,.@-]{1,64}$/

/** IAM itself would take any text, and `*` would be every role. */
export const checkedCrawlRoles = (roles: readonly string[]): readonly string[] => {
  for (const role of roles)
    if (!Token.isUnresolved(role) && !roleArn.test(role))
      throw new Error(`\`crawlRoles\` has \`${role}\`; allowed is the ARN of one role`)
  return roles
}

export const checkedCrawlEvery = (every: Duration): Duration => {
  const minutes = every.toMinutes({ integral: false })
  if (!Number.isInteger(minutes) || minutes < 5 || minutes > 1_440)
    throw new Error(`\`crawlEvery\` is ${minutes} minutes; allowed are whole minutes from 5 to 1440`)
  return every
}
