import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { OperationName } from '../../local/msk/routes.ts'

/** The errors that the service model declares for an operation, as the SDK's own documentation names them. */
export const declaredErrors = (operation: OperationName): readonly string[] => {
  const entry = createRequire(import.meta.url).resolve('@aws-sdk/client-kafka')
  const file = join(dirname(entry), '../dist-types/commands', `${operation}Command.d.ts`)
  return [...readFileSync(file, 'utf8').matchAll(/@throws \{@link (\w+)\}/g)].map(([, name]) => name ?? '')
}
