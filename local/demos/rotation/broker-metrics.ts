import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { LocalError } from '../../errors.ts'
import { root } from '../../paths.ts'
import { cleanEnvironment, javaCommand } from '../../processes.ts'
import { readStackState, type StackState } from '../../state.ts'

/** What a broker counted since it started, by its own metrics. */
export type Authentications = { readonly accepted: number; readonly refused: number }

const program = join(root, 'local/demos/rotation/authentications.java')

/** Asks the broker's own process (JMX), for what no client can see: whether anybody was refused. */
export const readAuthentications = async (
  { stateFile }: Pick<StackState, 'stateFile'>,
  cluster: 'payments' | 'analytics',
): Promise<Authentications> => {
  const broker = readStackState(stateFile).processes.find(({ name }) => name === `kafka-${cluster}`)
  if (broker === undefined) throw new LocalError(`the stack has no broker of \`${cluster}\``)
  const { stdout } = await promisify(execFile)(javaCommand(), [program, String(broker.pid)], {
    env: cleanEnvironment({}),
  })
  const counts = new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]),
  )
  const count = (name: string): number => {
    const found = counts.get(name)
    if (found === undefined || Number.isNaN(found))
      throw new LocalError(`the broker of \`${cluster}\` has no \`${name}\``)
    return found
  }
  return {
    accepted: count('successful-authentication-total'),
    refused: count('failed-authentication-total') + count('failed-reauthentication-total'),
  }
}
