import { renameSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { nodeFile, root } from './paths.ts'
import {
  cleanEnvironment,
  restartNamedProcess,
  startProcess,
  stopNamedProcess,
  waitFor,
  waitUntilReady,
} from './processes.ts'
import type { StackState } from './state.ts'

const name = 'front'
const startMs = 15_000
const targetFile = (runDirectory: string): string => join(runDirectory, 'front.json')

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })

/** Starts the front; until it is told the API's id it answers 503. */
export const launchFront = async ({
  runDirectory,
  logDirectory,
  port,
  emulatorUrl,
  caFile,
  signal,
}: {
  readonly runDirectory: string
  readonly logDirectory: string
  readonly port: number
  readonly emulatorUrl: string
  readonly caFile: string
  readonly signal: AbortSignal
}): Promise<void> => {
  const started = startProcess(runDirectory, {
    name,
    file: nodeFile,
    args: [join(root, 'local/front-server.ts')],
    env: cleanEnvironment({
      FRONT_PORT: String(port),
      FRONT_TARGET_FILE: targetFile(runDirectory),
      FRONT_EMULATOR_URL: emulatorUrl,
      FRONT_CA_FILE: caFile,
    }),
    cwd: runDirectory,
    log: join(logDirectory, 'front.log'),
  })
  await waitUntilReady(started, () => accepts(port), { timeoutMs: startMs, signal })
}

/** Tells the front where the API is. */
export const pointFrontAt = (runDirectory: string, apiId: string): void => {
  const path = targetFile(runDirectory)
  writeFileSync(`${path}.next`, JSON.stringify({ apiId }))
  renameSync(`${path}.next`, path)
}

/** Takes Switchboard away from everybody: its address refuses connections, Kafka goes on. */
export const stopFront = async (state: StackState): Promise<void> => {
  await stopNamedProcess(state.runDirectory, name)
  // the last threads of a process that has ended may hold its socket for a moment
  const port = Number(new URL(state.switchboard.url).port)
  await waitFor('the front refuses connections', async () => !(await accepts(port)), { timeoutMs: startMs })
}

/** Brings Switchboard back under the same address. */
export const startFront = async (state: StackState): Promise<void> => {
  const started = restartNamedProcess(state.runDirectory, name)
  const port = Number(new URL(state.switchboard.url).port)
  await waitUntilReady(started, () => accepts(port), { timeoutMs: startMs })
}
