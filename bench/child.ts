import { fork } from 'node:child_process'

export type ChildOptions = {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly execArgv?: readonly string[]
}

/**
 * Runs a file in a process of its own and takes the one message it sends; its stdout goes nowhere.
 * @throws Error when it ends without one
 */
export const messageFrom = <T>(file: string, { args = [], env = {}, execArgv = [] }: ChildOptions = {}): Promise<T> =>
  new Promise((resolve, reject) => {
    let message: T | undefined
    const child = fork(file, args, {
      env: { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR, ...env },
      execArgv: [...execArgv],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    child.on('message', (sent: T) => {
      message = sent
    })
    child.on('error', reject)
    child.on('exit', (code) => {
      if (message !== undefined && code === 0) resolve(message)
      else reject(new Error(`\`${file} ${args.join(' ')}\` ended with \`${code}\` and no answer`))
    })
  })
