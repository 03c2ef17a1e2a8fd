import * as z from 'zod'
import { parseEnv } from '../../shared/env.ts'

const rotateEnvSchema = z.object({
  DIRECTORY_TABLE: z.string().min(1),
  ACCESS_TABLE: z.string().min(1),
  QUEUE_URL: z.url(),
  SIGNING_KEY_SECRET_ARN: z.string().min(1),
})

/** What the rotate function is told by its deployment; `infra` must set every one of them. */
export type RotateEnv = z.infer<typeof rotateEnvSchema>

/** @throws Error naming every variable that is missing or malformed */
export const parseRotateEnv = (env: NodeJS.ProcessEnv): RotateEnv => parseEnv('rotate', rotateEnvSchema, env)
