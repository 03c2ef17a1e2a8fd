import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'
import type { RegistryLogin } from '../domain/registry-login.ts'
import { apiKeySchema, parseSecretJson } from './secret-json.ts'

/** Whom a schema registry lets in by HTTP Basic. Another version may be somebody else. */
export type RegistrySecret = RegistryLogin & { readonly versionId: string }

/**
 * By the name or ARN of its secret.
 * @throws RegistrySecretError, or what the client throws when Secrets Manager is throttled or down
 */
export type RegistrySecrets = (secretId: string) => Promise<RegistrySecret>

/** Names the secret, never its content. */
export class RegistrySecretError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RegistrySecretError'
  }
}

const text = z.string().min(1)
const secretSchema = z.union([
  // RFC 7617 2: what stands before the first colon is the user
  z.object({ username: text.regex(/^[^:]+$/), password: text }),
  apiKeySchema.extend({ apiKey: text.regex(/^[^:]+$/) }).transform(({ apiKey, apiSecret }) => ({
    username: apiKey,
    password: apiSecret,
  })),
])

/** How long another password stays unknown. */
const holdsMs = 60_000
const maximumSecrets = 1_000
const denials = ['AccessDeniedException', 'DecryptionFailure', 'InvalidRequestException', 'ValidationException']

const asSecretError = (cause: unknown, secretId: string): unknown => {
  const name = cause instanceof Error ? cause.name : 'unknown'
  if (cause instanceof ResourceNotFoundException)
    return new RegistrySecretError(`there is no secret \`${secretId}\``, { cause })
  return denials.includes(name)
    ? new RegistrySecretError(`the secret \`${secretId}\` cannot be read: ${name}`, { cause })
    : cause
}

/** Secrets of schema registries, each read at most once a minute. What is not there is asked for each time. */
export const createRegistrySecrets = (
  secrets: Pick<SecretsManagerClient, 'send'>,
  clock: () => Date,
): RegistrySecrets => {
  const held = new Map<string, { readonly secret: Promise<RegistrySecret>; readonly readAt: number }>()

  const read = async (secretId: string): Promise<RegistrySecret> => {
    const { SecretString = '', VersionId = '' } = await secrets
      .send(new GetSecretValueCommand({ SecretId: secretId }))
      .catch((error: unknown) => {
        throw asSecretError(error, secretId)
      })
    const parsed = secretSchema.safeParse(parseSecretJson(SecretString)).data
    if (parsed === undefined)
      throw new RegistrySecretError(
        `the secret \`${secretId}\` must be JSON with \`username\` and \`password\`, or \`apiKey\` and \`apiSecret\``,
      )
    return { ...parsed, versionId: VersionId }
  }

  return (secretId) => {
    const now = clock().getTime()
    const known = held.get(secretId)
    const age = known === undefined ? Number.NaN : now - known.readAt
    if (known !== undefined && age >= 0 && age < holdsMs) return known.secret
    if (held.size >= maximumSecrets) held.clear()
    const secret = read(secretId)
    held.set(secretId, { secret, readAt: now })
    secret.catch(() => {
      if (held.get(secretId)?.secret === secret) held.delete(secretId)
    })
    return secret
  }
}
