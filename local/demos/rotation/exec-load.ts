import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LocalError } from '../../errors.ts'
import { mintWorkloadToken } from '../../issuer.ts'
import { nodeFile, root } from '../../paths.ts'
import { cleanEnvironment } from '../../processes.ts'
import type { Load, LoadOptions } from './load.ts'

const program = join(root, 'local/demos/rotation/numbered_records.py')
const tokenSeconds = 3600

/** The Python that the stack itself runs with; it has `confluent-kafka`. */
const pythonOf = ({ state }: LoadOptions): string => {
  const emulator = state.processes.find(({ name }) => name === 'emulator')
  if (emulator === undefined) throw new LocalError('the stack has no process `emulator`')
  return emulator.command.file
}

/** A client of librdkafka that `switchboard exec --restart` ends and starts again whenever its user is another. */
export const startUnderExec = async (options: LoadOptions): Promise<Load> => {
  const { state, principal, channel, ledger } = options
  const tokenFile = join(state.runDirectory, 'rotation-exec-token')
  const journal = join(state.runDirectory, 'rotation-exec-journal')
  const token = await mintWorkloadToken(state, { principal, expiresInSeconds: tokenSeconds })
  writeFileSync(tokenFile, token, { mode: 0o600 })
  writeFileSync(journal, '')
  const words = ['exec', '--produce', channel, '--network', 'vpc-local', '--restart', '--', pythonOf(options), program]
  const child = spawn(nodeFile, [join(root, 'cli/switchboard.ts'), ...words, journal], {
    cwd: root,
    env: cleanEnvironment({ SWITCHBOARD_URL: state.switchboard.url, SWITCHBOARD_TOKEN_FILE: tokenFile }),
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  const ended = once(child, 'close').then(([code]) => Number(code))
  const complaints: string[] = []
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    complaints.push(...chunk.split('\n').filter((line) => line !== ''))
  })
  // the program says so when it can be ended: before, a Python that is asked to end has no time to send what it has
  const restarts = (): number => complaints.filter((line) => line.startsWith('begins with')).length - 1
  return {
    rebuilds: restarts,
    stop: async () => {
      child.kill('SIGTERM')
      const code = await ended
      // a Python that was asked to end ends with 0
      if (code !== 0) ledger.fail(`\`switchboard exec\` ended with ${code}`)
      for (const line of complaints) if (/^(error|LOST|Traceback)/.test(line)) ledger.fail(line)
      for (const line of readFileSync(journal, 'utf8').split('\n')) if (line !== '') ledger.acknowledge(Number(line))
    },
  }
}
