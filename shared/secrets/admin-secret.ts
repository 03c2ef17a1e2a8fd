import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'
import type { AdminCredential } from '../domain/cluster.ts'
import { apiKeySchema, parseSecretJson } from './secret-json.ts'

const adminSchema = z.union([
  z.object({
    username: z.string().min(1),
    password: z.string().min(1),
    mechanism: z.enum(['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN']).default('SCRAM-SHA-512'),
  }),
  apiKeySchema.transform(
    ({ apiKey, apiSecret }): AdminCredential => ({
      username: apiKey,
      password: apiSecret,
      mechanism: 'PLAIN',
    }),
  ),
])

/** @throws Error naming the secret, never its content */
export const readAdminSecret = async (secrets: SecretsManagerClient, secretId: string): Promise<AdminCredential> => {
  const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: secretId }))
  const parsed = adminSchema.safeParse(parseSecretJson(SecretString))
  if (!parsed.success)
    throw new Error(
      `the admin secret \`${secretId}\` must be JSON with \`username\` and \`password\`, or \`apiKey\` and \`apiSecret\``,
    )
  return parsed.data
}
