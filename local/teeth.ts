import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { nodeFile, root } from './paths.ts'

/** Runs the script that shows what the tests notice; it is a test itself, so nothing here imports it. */
export const runTeeth = (args: readonly string[]): Promise<number> =>
  new Promise((resolve) => {
    const child = spawn(nodeFile, [join(root, 'test/teeth/teeth.ts'), ...args], {
      cwd: root,
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    })
    // It stops what it started, and only then ends.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
    process.on('disconnect', () => child.kill('SIGTERM'))
    child.on('error', () => resolve(1))
    child.on('exit', (code) => resolve(code ?? 1))
  })
