import { type DynamoDBClient, UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb'
import {
  GetSecretValueCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'

/**
 * Every difference between the emulator (MiniStack 1.5.33) and AWS that the local stack works around. The product's own
 * code knows none of them.
 */

/**
 * Its defaults listen on every interface, persist nothing useful and start servers that nobody asked for; its function
 * workers inherit its whole environment. IAM is evaluated only with `AUTH`.
 */
export const emulatorSettings = ({
  port,
  region,
  accountId,
  folder,
}: {
  readonly port: number
  readonly region: string
  readonly accountId: string
  readonly folder: string
}): Record<string, string> => ({
  GATEWAY_PORT: String(port),
  BIND_HOST: '127.0.0.1',
  MINISTACK_HOST: '127.0.0.1',
  MINISTACK_REGION: region,
  MINISTACK_ACCOUNT_ID: accountId,
  AUTH: 'true',
  PERSIST_STATE: '0',
  STATE_DIR: `${folder}/state`,
  S3_PERSIST: '0',
  S3_DATA_DIR: `${folder}/s3`,
  SFTP_ENABLED: '0',
  IOT_MTLS_ENABLED: '0',
  // Each concurrent invocation is a Node process of about 70 MB here; AWS would start as many as it takes.
  LAMBDA_ACCOUNT_CONCURRENCY: '12',
})

/**
 * With `AUTH` the CDK's uploads are signed in a way that it accepts over TLS only, and its own certificate maker needs
 * the `openssl` program and one TMPDIR a stack: it gets a certificate from us. Its function workers are Node processes
 * that call it back, so they have to trust the same authority.
 */
export const emulatorTls = ({
  certificateFile,
  keyFile,
  caFile,
}: {
  readonly certificateFile: string
  readonly keyFile: string
  readonly caFile: string
}): Record<string, string> => ({
  USE_SSL: '1',
  MINISTACK_SSL_CERT: certificateFile,
  MINISTACK_SSL_KEY: keyFile,
  NODE_EXTRA_CA_CERTS: caFile,
})

/**
 * Its function workers are CommonJS files below its TMPDIR, which lies in this project; without this note beside them
 * Node reads them as ES modules, as the project's own package.json says, and they end without a word.
 */
export const workerPackage = { name: 'package.json', content: '{ "type": "commonjs" }\n' } as const

/** An API has no host name of its own, only this path, so the front adds it to what a client asked for. */
export const apiPathPrefix = (apiId: string): string => `/_aws/execute-api/${apiId}`

/** The access key that the emulator always takes for the account's root user. */
export const rootCredentials = { accessKeyId: 'test', secretAccessKey: 'test' } as const

const sendMessage = 'sqs:SendMessage'

/** It asks for an action of this name to take ten messages at once; on AWS the one for a single message is enough. */
export const allowBatches = (template: string): string =>
  JSON.stringify(
    JSON.parse(template, (name, value: unknown) => {
      if (name !== 'Action' || ![value].flat().includes(sendMessage)) return value
      return [value, `${sendMessage}Batch`].flat()
    }),
  )

/** `TimeToLiveSpecification` is ignored when CloudFormation creates a table. */
export const enableTimeToLive = async (client: DynamoDBClient, leasesTable: string): Promise<void> => {
  await client.send(
    new UpdateTimeToLiveCommand({
      TableName: leasesTable,
      TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
    }),
  )
}

/**
 * A secret that a template makes without a value gets a first version with an empty text, where AWS makes none: reading
 * it then succeeds with nothing in place of failing with `ResourceNotFoundException`. The label is taken off again.
 */
export const forgetEmptyVersion = async (client: SecretsManagerClient, secretId: string): Promise<void> => {
  const { SecretString, VersionId } = await client.send(new GetSecretValueCommand({ SecretId: secretId }))
  if (SecretString !== '' || VersionId === undefined) return
  await client.send(
    new UpdateSecretVersionStageCommand({
      SecretId: secretId,
      VersionStage: 'AWSCURRENT',
      RemoveFromVersionId: VersionId,
    }),
  )
}
