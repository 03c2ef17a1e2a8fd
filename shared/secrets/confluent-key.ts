import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'

/** @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/mes-partner-ConfluentCloudApiKey.html */
const keySchema = z.object({ apiKey: z.string().min(1), apiSecret: z.string().min(1) })

/**
 * An API key of Confluent Cloud, in the shape in which Secrets Manager itself rotates them.
 * @throws Error naming the secret, never its content
 */
export const readConfluentKey = async (
  secrets: Pick<SecretsManagerClient, 'send'>,
  secretId: string,
): Promise<{ readonly key: string; readonly secret: string }> => {
  const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: secretId }))
  let value: unknown
  try {
    value = JSON.parse(SecretString)
  } catch {
    value = undefined
  }
  const parsed = keySchema.safeParse(value)
  if (!parsed.success) throw new Error(`the secret \`${secretId}\` must be JSON with \`apiKey\` and \`apiSecret\``)
  return { key: parsed.data.apiKey, secret: parsed.data.apiSecret }
}
