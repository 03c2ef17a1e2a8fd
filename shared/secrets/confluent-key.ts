import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { apiKeySchema, parseSecretJson } from './secret-json.ts'

/**
 * A Cloud API key.
 * @throws Error naming the secret, never its content
 */
export const readConfluentKey = async (
  secrets: Pick<SecretsManagerClient, 'send'>,
  secretId: string,
): Promise<{ readonly key: string; readonly secret: string }> => {
  const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: secretId }))
  const parsed = apiKeySchema.safeParse(parseSecretJson(SecretString))
  if (!parsed.success) throw new Error(`the secret \`${secretId}\` must be JSON with \`apiKey\` and \`apiSecret\``)
  return { key: parsed.data.apiKey, secret: parsed.data.apiSecret }
}
