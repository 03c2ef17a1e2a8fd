import { hostname } from 'node:os'
import { type Environment, parseServiceArguments, type ServiceCommand } from './arguments.ts'
import { hasFailed, renderChecks } from './checks.ts'
import { asLine, toCommandError } from './failure.ts'

/** Where a command runs, and what it says there. */
export type Surroundings = {
  readonly env: Environment
  readonly write: (text: string) => void
  /** A line for whoever watches; what is written stays clean. */
  readonly complain: (line: string) => void
  readonly isInputTerminal: boolean
  readonly isOutputTerminal: boolean
}

/**
 * What a service does with its own identity.
 * @returns the exit code
 * @throws CommandError
 */
export const runService = async (
  command: ServiceCommand,
  argv: readonly string[],
  { env, write, isInputTerminal, isOutputTerminal, ...surroundings }: Surroundings,
): Promise<number> => {
  const complain = (line: string): void => surroundings.complain(asLine(line))
  const asked = parseServiceArguments(command, argv, env, { host: hostname(), pid: process.pid })
  try {
    if (command === 'resolve') {
      const { resolve } = await import('./resolve.ts')
      await resolve(asked, { fetch, isTerminal: isOutputTerminal, write, complain })
      return 0
    }
    if (command === 'exec') {
      const { exec } = await import('./exec.ts')
      return await exec(asked, { fetch, env, isTerminal: isInputTerminal, complain })
    }
    const [{ diagnose }, { readSecret }] = await Promise.all([import('./doctor.ts'), import('./read-secret.ts')])
    const checks = await diagnose(asked, {
      fetch,
      clock: () => new Date(),
      readSecret,
      loadKafkaChecks: () => import('./kafka-checks.ts'),
    })
    if (asked.json) write(`${JSON.stringify(checks, null, 2)}\n`)
    else write(`${renderChecks(checks).join('\n')}\n`)
    return hasFailed(checks) ? 1 : 0
  } catch (error) {
    throw toCommandError(error)
  }
}
