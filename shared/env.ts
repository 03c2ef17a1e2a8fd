import type * as z from 'zod'

/** Reads a function's environment at cold start and fails with every missing name at once, without the values. */
export const parseEnv = <T>(functionName: string, schema: z.ZodType<T>, env: NodeJS.ProcessEnv): T => {
  const parsed = schema.safeParse(env)
  if (parsed.success) return parsed.data
  const names = [...new Set(parsed.error.issues.map((issue) => issue.path.join('.')))]
  throw new Error(`the ${functionName} function lacks a valid value for: ${names.join(', ')}`)
}
