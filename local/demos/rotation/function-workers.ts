import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { StackState } from '../../state.ts'

/** The processes in which the emulator runs rotate for this very stack: a worker lies below the stack's own folder. */
const rotateWorkers = async ({ runDirectory }: Pick<StackState, 'runDirectory'>): Promise<readonly number[]> => {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'pid=,command='])
  const folder = join(runDirectory, 'emulator', 'tmp', 'ministack-lambda-')
  return stdout.split('\n').flatMap((line) => {
    const [, pid, command = ''] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? []
    const at = command.indexOf(folder)
    return at >= 0 && /^[^/]*Rotate[^/]*\//.test(command.slice(at + folder.length)) ? [Number(pid)] : []
  })
}

/**
 * Ends them as a machine that fails does, without a word to anybody.
 * @returns how many there were
 */
export const killRotateWorkers = async (state: Pick<StackState, 'runDirectory'>): Promise<number> => {
  const workers = await rotateWorkers(state)
  const killed = workers.filter((pid) => {
    try {
      return process.kill(pid, 'SIGKILL')
    } catch {
      return false
    }
  })
  return killed.length
}
