import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { createCredentialStore } from '../../shared/store/credential-store.ts'
import { createDirectoryStore } from '../../shared/store/directory-store.ts'
import { createQueue } from '../../shared/store/queue.ts'
import { awsEnvironment, trustAuthority } from '../emulator.ts'
import { nodeFile, root } from '../paths.ts'
import { cleanEnvironment } from '../processes.ts'
import type { StackState } from '../state.ts'

/** The stack as its operator reaches it: the command line, and the stores that the functions work on. */
export const createOperator = (state: StackState) => {
  trustAuthority(readFileSync(state.caFile, 'utf8'))
  const { aws, caFile, switchboard } = state
  const settings = {
    region: aws.region,
    endpoint: aws.endpointUrl,
    credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
  }
  const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient(settings), {
    marshallOptions: { removeUndefinedValues: true },
  })
  const sqs = new SQSClient(settings)
  /** Commands with more in their environment. */
  const commandWith =
    (env: Readonly<Record<string, string>>) =>
    /** @throws Error with what the command said when it does not end with 0 */
    async (...words: readonly string[]): Promise<string> => {
      const args = [join(root, 'cli/switchboard.ts'), ...words, '--stack', switchboard.stackName]
      const options = { cwd: root, env: cleanEnvironment({ ...awsEnvironment(aws, caFile), ...env }) }
      return (await promisify(execFile)(nodeFile, args, options)).stdout
    }
  return {
    settings,
    sqs,
    secrets: new SecretsManagerClient(settings),
    directories: createDirectoryStore(dynamo, switchboard.outputs.DirectoryTableName ?? ''),
    credentials: createCredentialStore(dynamo, switchboard.outputs.CredentialsTableName ?? ''),
    queue: createQueue(sqs, switchboard.outputs.QueueUrl ?? ''),
    command: commandWith({}),
    commandWith,
  }
}

export type Operator = ReturnType<typeof createOperator>
