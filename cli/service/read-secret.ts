import type { SecretReference } from '@switchboard-kafka/client'

/** With the AWS credentials of the environment. The client is loaded for who needs it alone. */
export const readSecret = async ({ arn, versionId }: SecretReference): Promise<string> => {
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager')
  // arn:<partition>:secretsmanager:<region>:<account>:secret:<name>
  const region = arn.split(':')[3] ?? ''
  const client = new SecretsManagerClient({ region, maxAttempts: 2 })
  try {
    const { SecretString = '' } = await client.send(new GetSecretValueCommand({ SecretId: arn, VersionId: versionId }))
    return SecretString
  } finally {
    client.destroy()
  }
}
