import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CommandError } from '../../../cli/command-error.ts'
import type { ServiceCommand } from '../../../cli/service/arguments.ts'
import { runService } from '../../../cli/service/run.ts'
import { nodeFile, root } from '../../../local/paths.ts'

export const switchboardCommand = join(root, 'cli/switchboard.ts')

export const aFolder = (): string => mkdtempSync(join(tmpdir(), 'switchboard-cli-'))

export type Ended = {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

/** The command as a process of its own, with an environment that holds nothing but what is given. */
export const startCommand = (argv: readonly string[], env: Readonly<Record<string, string>>) => {
  const child = spawn(nodeFile, [switchboardCommand, ...argv], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  const ended = once(child, 'close').then(([code, signal]): Ended => ({ code, signal, out, err }))
  return {
    pid: child.pid ?? 0,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    out: () => out,
    err: () => err,
    ended,
  }
}

/** The command in this process: ten times as fast as one of its own. */
export const runHere = async (
  command: ServiceCommand,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  { isTerminal = false }: { readonly isTerminal?: boolean } = {},
): Promise<Omit<Ended, 'signal'>> => {
  const out: string[] = []
  const err: string[] = []
  const ended = (code: number) => ({ code, out: out.join(''), err: err.join('') })
  try {
    const code = await runService(command, argv, {
      env,
      write: (text) => out.push(text),
      complain: (line) => err.push(`switchboard: ${line}\n`),
      isInputTerminal: isTerminal,
      isOutputTerminal: isTerminal,
    })
    return ended(code)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    err.push(`${error.message}\n`)
    return ended(error.exitCode)
  }
}
