import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import type { AssumeRoleCommandInput, STS } from '@aws-sdk/client-sts'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { createAssumeRole, createIamSessions } from '../../shared/clusters/msk/iam-session.ts'
import { parseSigningKeyTimes } from '../../shared/domain/signing-key.ts'
import { createAuthenticator } from '../../shared/identity/authenticator.ts'
import { createIssuerKeys } from '../../shared/identity/issuer-keys.ts'
import { createRegistryKeyReader } from '../../shared/secrets/confluent-slot-secrets.ts'
import { createRegistrySecrets } from '../../shared/secrets/registry-secrets.ts'
import { createSigningKeyCache } from '../../shared/secrets/signing-key-cache.ts'
import { createSigningKeyStore } from '../../shared/secrets/signing-key-store.ts'
import { createSlotSecretReaders } from '../../shared/secrets/slot-secret-readers.ts'
import { createAccessStore } from '../../shared/store/access-store.ts'
import { createClientDigests, createClientStore } from '../../shared/store/client-store.ts'
import { createCredentialStore } from '../../shared/store/credential-store.ts'
import { createDirectoryCache } from '../../shared/store/directory-cache.ts'
import { createDirectoryStore } from '../../shared/store/directory-store.ts'
import { createLeaseStore } from '../../shared/store/lease-store.ts'
import { createQueue } from '../../shared/store/queue.ts'
import { createTelemetry, metricNames } from '../../shared/telemetry.ts'
import { parseResolveEnv } from './env.ts'
import { createHandler } from './handler.ts'
import { createMskLogins } from './msk-logins.ts'
import { createRegistryLogins } from './registry-logins.ts'
import { createResolve } from './resolve.ts'
import { createRoutes } from './routes.ts'
import { createServicegw } from './servicegw.ts'
import { createStoredCredentials } from './stored-credentials.ts'
import { createIssueToken } from './token.ts'

const env = parseResolveEnv(process.env)
const clock = () => new Date()
const telemetry = createTelemetry('resolve', () => process.env._X_AMZN_TRACE_ID)
const client = {
  // without the last one the client only warns, and waits for as long as it takes
  requestHandler: { connectionTimeout: 500, requestTimeout: 1_000, throwOnRequestTimeout: true },
  maxAttempts: 3,
}
const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient(client), {
  marshallOptions: { removeUndefinedValues: true },
})
const onStale = (error: unknown) => {
  telemetry.count(metricNames.stale)
  telemetry.error('serving what is held', error)
}
const secrets = new SecretsManagerClient(client)
const signingKeys = createSigningKeyCache(
  createSigningKeyStore(secrets, env.SIGNING_KEY_SECRET_ARN),
  clock,
  onStale,
  parseSigningKeyTimes(env.SIGNING_KEY_TIMES).readEverySeconds,
)
// a stack that has nothing on MSK never loads it
let sts: STS | undefined
const assumeRole = async (input: AssumeRoleCommandInput) => {
  sts ??= new (await import('@aws-sdk/client-sts')).STS(client)
  return sts.assumeRole(input)
}
const leases = createLeaseStore(dynamo, env.LEASES_TABLE, env.CREDENTIALS_TABLE)
const queue = createQueue(new SQSClient(client), env.QUEUE_URL)
const issuing = {
  issuerUrl: env.ISSUER_URL,
  access: createAccessStore(dynamo, env.ACCESS_TABLE),
  leases,
  storedCredentials: createStoredCredentials({
    credentials: createCredentialStore(dynamo, env.CREDENTIALS_TABLE),
    secretsOf: createSlotSecretReaders(secrets, env.STACK_NAME),
    registryKeys: createRegistryKeyReader(secrets, env.STACK_NAME),
    queue,
    telemetry,
  }),
  queue,
  signingKeys,
  telemetry,
  clock,
}
const routes = createRoutes({
  issuerUrl: env.ISSUER_URL,
  directories: createDirectoryCache(createDirectoryStore(dynamo, env.DIRECTORY_TABLE), clock, onStale),
  authenticate: createAuthenticator({
    issuerKeys: createIssuerKeys({
      fetch,
      clock,
      development: env.DEVELOPMENT === 'true',
      onFailure: (issuer, error) => telemetry.error('issuer keys cannot be read', error, { issuer }),
    }),
    clientDigests: createClientDigests(createClientStore(dynamo, env.DIRECTORY_TABLE), clock),
    ownIssuer: env.ISSUER_URL,
    clock,
  }),
  resolve: createResolve({
    ...issuing,
    mskLogins: createMskLogins({
      sessions: createIamSessions(createAssumeRole(assumeRole, clock)),
      role: env.MSK_ROLE_ARN,
      telemetry,
    }),
    registryLogins: createRegistryLogins(createRegistrySecrets(secrets, clock), telemetry),
    random: Math.random,
  }),
  issueToken: createIssueToken(issuing),
  servicegw: createServicegw(issuing),
  telemetry,
  signingKeys,
  leases,
  clock,
})

export const handler = createHandler(routes, telemetry)
