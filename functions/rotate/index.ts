import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { createAclAdmin } from '../../shared/clusters/kafka/acl-admin.ts'
import { readAdminSecret } from '../../shared/secrets/admin-secret.ts'
import { createSigningKeyStore } from '../../shared/secrets/signing-key-store.ts'
import { createAccessStore } from '../../shared/store/access-store.ts'
import { createDirectoryStore } from '../../shared/store/directory-store.ts'
import { createQueue } from '../../shared/store/queue.ts'
import { createTelemetry } from '../../shared/telemetry.ts'
import { createApplyAccess } from './apply-access.ts'
import { parseRotateEnv } from './env.ts'
import { createHandler } from './handler.ts'

const env = parseRotateEnv(process.env)
const clock = () => new Date()
const telemetry = createTelemetry('rotate', () => process.env._X_AMZN_TRACE_ID)
const client = {
  // without the last one the client only warns, and waits for as long as it takes
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
  maxAttempts: 4,
}
const secrets = new SecretsManagerClient(client)
const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient(client), {
  marshallOptions: { removeUndefinedValues: true },
})

export const handler = createHandler({
  applyAccess: createApplyAccess({
    directories: createDirectoryStore(dynamo, env.DIRECTORY_TABLE),
    access: createAccessStore(dynamo, env.ACCESS_TABLE),
    openAdmin: async (cluster) => {
      if (cluster.adminSecret === undefined)
        throw new Error(`the cluster \`${cluster.name}\` has no \`admin.secret\`; its access cannot be managed`)
      return createAclAdmin(cluster, await readAdminSecret(secrets, cluster.adminSecret))
    },
    telemetry,
    clock,
  }),
  signingKeys: createSigningKeyStore(secrets, env.SIGNING_KEY_SECRET_ARN),
  queue: createQueue(new SQSClient(client), env.QUEUE_URL),
  telemetry,
  clock,
})
