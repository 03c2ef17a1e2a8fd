import { setTimeout as delay } from 'node:timers/promises'
import { LocalError } from './errors.ts'
import { isRunning, type ProcessIdentity, tryLock } from './lock.mjs'
import { startFolder } from './paths.ts'
import { openSession, reportFailure, type Session, wasStopped } from './session.ts'
import { bringUp, deployAgain, takeDown } from './stack.ts'
import { readStackRecord, type StackState, stateFileOf } from './state.ts'
import { createTerminal, renderSeconds, type Terminal } from './terminal.mjs'

/** The stack of this folder, when it is up and whoever started it lives. */
export const runningStack = (runDirectory: string): StackState | undefined => {
  const state = readStackRecord(stateFileOf(runDirectory))
  return state?.status === 'ready' && isRunning(state.owner) ? state : undefined
}

const doMainJob = async (terminal: Terminal, state: StackState): Promise<void> => {
  const { runDemo } = await import('./demo.ts')
  terminal.line()
  await terminal.step('the main job', () => runDemo(state, terminal.line))
}

const body = `{"produce":["kafka://payments.acme.com/orders/created"],"network":"vpc-local"}`

const showEnd = (terminal: Terminal, state: StackState): void => {
  terminal.line()
  terminal.line(`Switchboard is at ${state.switchboard.url}`)
  terminal.line('Ask it, from this folder:')
  terminal.line()
  terminal.line(`curl -sS ${state.switchboard.url}/v1/resolve \\`)
  terminal.line(`  -H "authorization: Bearer $(npm run -s local -- token orders-api)" \\`)
  terminal.line(`  -H 'content-type: application/json' -d '${body}'`)
  terminal.line()
}

const joinRunning = async (terminal: Terminal, { pid }: ProcessIdentity, { signal }: Session): Promise<void> => {
  terminal.line(`A stack is already up or coming up, held by process ${pid}: this run uses it and leaves it running.`)
  const state = await terminal.step('the running stack is ready', async () => {
    for (;;) {
      signal.throwIfAborted()
      const found = runningStack(startFolder)
      if (found !== undefined) return found
      const record = readStackRecord(stateFileOf(startFolder))
      if (record !== undefined && !isRunning(record.owner)) throw new LocalError(`process ${pid} has ended: try again`)
      await delay(200)
    }
  })
  await deployAgain(terminal, state, signal)
  await doMainJob(terminal, state)
  showEnd(terminal, state)
  terminal.line(`The stack is held by process ${pid}; it stops when that process stops.`)
}

export type StartOptions = {
  /** Not held after the main job. */
  readonly once: boolean
  /** That the simulated MSK shows beside the real one. @default - a few */
  readonly mskClusters?: number
}

const topicsPerMskCluster = 20

const holdStack = async (
  terminal: Terminal,
  { once, mskClusters }: StartOptions,
  { signal, stopped }: Session,
): Promise<void> => {
  const startedAt = Date.now()
  const state = await bringUp(terminal, {
    runDirectory: startFolder,
    signal,
    ...(mskClusters !== undefined && { generatedMsk: { count: mskClusters, topicsPerCluster: topicsPerMskCluster } }),
  })
  signal.throwIfAborted()
  await Promise.race([doMainJob(terminal, state), stopped.then(() => signal.throwIfAborted())])
  showEnd(terminal, state)
  terminal.line(`Ready in ${renderSeconds(Date.now() - startedAt)}.`)
  if (once) return
  terminal.line(
    'Ctrl-C stops everything. `npm run -s local -- env` prints addresses, `npm run demo` does the job again.',
  )
  const awake = setInterval(() => {}, 3_600_000)
  await stopped
  clearInterval(awake)
  signal.throwIfAborted()
}

/** Brings the stack up, does the main job, and holds the stack until it is told to stop; resolves to the exit code. */
export const start = async (options: StartOptions): Promise<number> => {
  const terminal = createTerminal()
  const session = openSession()
  const lock = tryLock(`${startFolder}.lock`)
  if (lock.holder !== undefined) {
    try {
      await joinRunning(terminal, lock.holder, session)
      return 0
    } catch (error) {
      if (wasStopped(session)) return 130
      reportFailure(terminal, error)
      if (!isRunning(lock.holder)) terminal.line('  Whoever held the stack has ended meanwhile: run `npm start` again.')
      return 1
    }
  }
  let code = 0
  try {
    if (readStackRecord(stateFileOf(startFolder)) !== undefined) {
      await terminal.step('what an earlier run left behind', () => takeDown(startFolder))
    }
    await holdStack(terminal, options, session)
  } catch (error) {
    // Ctrl-C is how a stack that is up ends; one that is not up has missed its purpose.
    const isUp = runningStack(startFolder) !== undefined
    code = wasStopped(session) ? (isUp && !options.once ? 0 : 130) : 1
    if (code === 1) reportFailure(terminal, error)
  } finally {
    terminal.line()
    await terminal.step('stop everything', () => takeDown(startFolder))
    lock.release()
  }
  return code
}
