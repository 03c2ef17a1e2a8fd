import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SQSClient } from '@aws-sdk/client-sqs'
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import * as z from 'zod'
import { parseSigningKeyTimes } from '../shared/domain/signing-key.ts'
import { createAccessStore } from '../shared/store/access-store.ts'
import { createClientStore } from '../shared/store/client-store.ts'
import { createCrawlQueue, parseCrawlMessage } from '../shared/store/crawl-queue.ts'
import { createCredentialStore } from '../shared/store/credential-store.ts'
import { createDirectoryStore } from '../shared/store/directory-store.ts'
import { createInventoryStore } from '../shared/store/inventory-store.ts'
import { createLeaseStore } from '../shared/store/lease-store.ts'
import { createDeadLetters, createQueue, parseMessage } from '../shared/store/queue.ts'
import { createUseStore } from '../shared/store/use-store.ts'
import { CommandError } from './command-error.ts'
import { meterDynamo } from './dynamo-cost.ts'

const outputsSchema = z.object({
  IssuerUrl: z.string(),
  DirectoryTableName: z.string(),
  LeasesTableName: z.string(),
  AccessTableName: z.string(),
  CredentialsTableName: z.string(),
  QueueUrl: z.string(),
  RevocationsUrl: z.string(),
  DeadLetterQueueUrl: z.string(),
  InventoryTableName: z.string(),
  CrawlQueueUrl: z.string(),
  CrawlDeadLetterQueueUrl: z.string(),
  OperatorRoleArn: z.string(),
  ResolveLogGroupName: z.string(),
  SigningKeyTimes: z.string(),
})

/**
 * The deployed stack, reached with the operator role that it made: the caller's own credentials only read the stack's
 * outputs and assume the role.
 */
export const openStack = async (stackName: string) => {
  const found = await new CloudFormationClient({})
    .send(new DescribeStacksCommand({ StackName: stackName }))
    .catch((error: Error) => {
      throw new CommandError(
        `cannot read the stack \`${stackName}\` (${error.message}); deploy it or name it with --stack`,
      )
    })
  const outputs = outputsSchema.safeParse(
    Object.fromEntries(
      (found.Stacks?.[0]?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]),
    ),
  )
  if (!outputs.success)
    throw new CommandError(`the stack \`${stackName}\` is no Switchboard of this version; deploy it again`)
  const {
    IssuerUrl,
    DirectoryTableName,
    LeasesTableName,
    AccessTableName,
    CredentialsTableName,
    QueueUrl,
    RevocationsUrl,
    DeadLetterQueueUrl,
    InventoryTableName,
    CrawlQueueUrl,
    CrawlDeadLetterQueueUrl,
    OperatorRoleArn,
    ResolveLogGroupName,
    SigningKeyTimes,
  } = outputs.data
  const credentials = fromTemporaryCredentials({
    params: { RoleArn: OperatorRoleArn, RoleSessionName: 'switchboard-cli' },
  })
  const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({ credentials }), {
    marshallOptions: { removeUndefinedValues: true },
  })
  const sqs = new SQSClient({ credentials })
  return {
    issuerUrl: IssuerUrl,
    cost: meterDynamo(dynamo),
    directories: createDirectoryStore(dynamo, DirectoryTableName),
    access: createAccessStore(dynamo, AccessTableName),
    credentials: createCredentialStore(dynamo, CredentialsTableName),
    leases: createLeaseStore(dynamo, LeasesTableName),
    logs: new CloudWatchLogsClient({ credentials }),
    resolveLogGroupName: ResolveLogGroupName,
    signingKeyTimes: parseSigningKeyTimes(SigningKeyTimes),
    clients: createClientStore(dynamo, DirectoryTableName),
    queue: createQueue(sqs, QueueUrl, RevocationsUrl),
    deadLetters: createDeadLetters(sqs, DeadLetterQueueUrl, parseMessage),
    inventory: createInventoryStore(dynamo, InventoryTableName),
    uses: createUseStore(dynamo, InventoryTableName),
    crawlQueue: createCrawlQueue(sqs, CrawlQueueUrl),
    crawlDeadLetters: createDeadLetters(sqs, CrawlDeadLetterQueueUrl, parseCrawlMessage),
  }
}

export type Stack = Awaited<ReturnType<typeof openStack>>
