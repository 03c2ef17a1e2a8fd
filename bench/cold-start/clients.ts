import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'

/** The AWS clients that resolve constructs, and nothing else of it. */
const client = {
  requestHandler: { connectionTimeout: 500, requestTimeout: 1_000, throwOnRequestTimeout: true },
  maxAttempts: 3,
}
export const clients = [
  DynamoDBDocumentClient.from(new DynamoDBClient(client), { marshallOptions: { removeUndefinedValues: true } }),
  new SecretsManagerClient(client),
  new SQSClient(client),
]

export const handler = async () => ({ statusCode: 200 })
