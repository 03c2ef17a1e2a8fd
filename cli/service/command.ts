import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Environment } from './arguments.ts'

/** A command that was started. */
export type Command = {
  /** Its exit code, as a shell says it: 128 + the signal that ended it, 127 or 126 when it could not be started. */
  readonly ended: Promise<number>
  readonly hasEnded: () => boolean
  readonly kill: (signal: NodeJS.Signals) => void
  /** Asks it to end, and ends it when it does not. */
  readonly stop: (timeoutSeconds: number) => void
}

export const codeAfter = (signal: NodeJS.Signals): number => 128 + constants.signals[signal]

/** As a shell says it: 127 when there is no such command, 126 when it cannot be run. */
const startFailure = (word: string, error: Error, complain: (line: string) => void): number => {
  const code = 'code' in error ? String(error.code) : 'unknown'
  complain(code === 'ENOENT' ? `there is no command \`${word}\`` : `cannot run \`${word}\` (${code})`)
  return code === 'ENOENT' ? 127 : 126
}

export const startCommand = (
  [word = '', ...words]: readonly string[],
  env: Environment,
  complain: (line: string) => void,
): Command => {
  const child = spawn(word, words, { stdio: 'inherit', env })
  let hasEnded = false
  let cancelKill = (): void => undefined
  const ended = new Promise<number>((done) => {
    const end = (code: number): void => {
      hasEnded = true
      cancelKill()
      done(code)
    }
    child.once('error', (error) => end(startFailure(word, error, complain)))
    child.once('exit', (code, signal) => end(signal === null ? (code ?? 1) : codeAfter(signal)))
  })
  return {
    ended,
    hasEnded: () => hasEnded,
    kill: (signal) => void child.kill(signal),
    stop: (timeoutSeconds) => {
      child.kill('SIGTERM')
      const timer = setTimeout(() => {
        complain(`the command did not end within ${timeoutSeconds} s of SIGTERM and is killed`)
        child.kill('SIGKILL')
      }, timeoutSeconds * 1000)
      cancelKill = () => clearTimeout(timer)
    },
  }
}
