import * as z from 'zod'
import { parseEnv } from '../../shared/env.ts'

export type { SigningKeyTimes } from '../../shared/domain/signing-key.ts'

const rotateEnvSchema = z.object({
  /** Whose secrets of stored credentials these are. */
  STACK_NAME: z.string().min(1),
  DIRECTORY_TABLE: z.string().min(1),
  ACCESS_TABLE: z.string().min(1),
  LEASES_TABLE: z.string().min(1),
  CREDENTIALS_TABLE: z.string().min(1),
  /** What the passwords of stored credentials are encrypted with. */
  SLOT_SECRETS_KEY_ARN: z.string().min(1),
  QUEUE_URL: z.url(),
  REVOCATIONS_URL: z.url(),
  SIGNING_KEY_SECRET_ARN: z.string().min(1),
  /** JSON: shared/domain/signing-key.ts */
  SIGNING_KEY_TIMES: z.string().min(1),
  /** Where brokers read the keys. */
  ISSUER_URL: z.url(),
  /** Where Confluent Cloud is told to read them again. */
  CONFLUENT_URL: z.url(),
})

/** What the rotate function is told by its deployment; `infra` must set every one of them. */
export type RotateEnv = z.infer<typeof rotateEnvSchema>

/** @throws Error naming every variable that is missing or malformed */
export const parseRotateEnv = (env: NodeJS.ProcessEnv): RotateEnv => parseEnv('rotate', rotateEnvSchema, env)
