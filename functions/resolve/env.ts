import * as z from 'zod'
import { parseEnv } from '../../shared/env.ts'

const resolveEnvSchema = z.object({
  /** Whose secrets of stored credentials these are. */
  STACK_NAME: z.string().min(1),
  ISSUER_URL: z.url(),
  DIRECTORY_TABLE: z.string().min(1),
  LEASES_TABLE: z.string().min(1),
  ACCESS_TABLE: z.string().min(1),
  CREDENTIALS_TABLE: z.string().min(1),
  QUEUE_URL: z.url(),
  SIGNING_KEY_SECRET_ARN: z.string().min(1),
  /** JSON: shared/domain/signing-key.ts */
  SIGNING_KEY_TIMES: z.string().min(1),
  /** ARN of the role that principals are on MSK clusters by IAM; left out: the stack has none. */
  MSK_ROLE_ARN: z.string().min(1).exactOptional(),
  DEVELOPMENT: z.enum(['true', 'false']),
})

/** What the resolve function is told by its deployment; `infra` must set every one of them. */
export type ResolveEnv = z.infer<typeof resolveEnvSchema>

/** @throws Error naming every variable that is missing or malformed */
export const parseResolveEnv = (env: NodeJS.ProcessEnv): ResolveEnv => parseEnv('resolve', resolveEnvSchema, env)
