import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { LocalError } from './errors.ts'
import { isRunning, type ProcessIdentity, processStart } from './lock.mjs'
import { type ManagedProcess, readStackRecord, stateFileOf, writeStackRecord } from './state.ts'

export type ProcessSpec = {
  readonly name: string
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly log: string
}

const pollMs = 40
const stopPatienceMs = 10_000

/** What a child gets instead of our environment, which may hold a person's real AWS account or proxies. */
export const cleanEnvironment = (extra: Readonly<Record<string, string>>): Record<string, string> => {
  const kept = ['PATH', 'HOME', 'LANG', 'JAVA_HOME', 'USER', 'LOGNAME']
  const inherited = kept.flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return { ...Object.fromEntries(inherited), ...extra }
}

/** The end of a log, for an error that has to explain itself. */
export const logTail = (log: string, lines = 12): string => {
  try {
    return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  } catch {
    return ''
  }
}

const launch = (spec: ProcessSpec): ProcessIdentity => {
  mkdirSync(dirname(spec.log), { recursive: true })
  const descriptor = openSync(spec.log, 'a', 0o600)
  try {
    // Its own process group: the terminal's Ctrl-C must not reach it before we stop things in order.
    const child = spawn(spec.file, spec.args, {
      cwd: spec.cwd,
      env: spec.env,
      detached: true,
      stdio: ['ignore', descriptor, descriptor],
    })
    child.on('error', () => {})
    child.unref()
    const { pid } = child
    const startedAt = pid === undefined ? undefined : processStart(pid)
    if (pid === undefined || startedAt === undefined) {
      throw new LocalError(`${spec.name} does not start: \`${spec.file}\``, spec.log)
    }
    return { pid, startedAt }
  } finally {
    closeSync(descriptor)
  }
}

/** Starts a process that outlives this call and notes it in the state file of its stack. */
export const startProcess = (runDirectory: string, spec: ProcessSpec): ManagedProcess => {
  const { name, file, args, env, cwd, log } = spec
  const state = readStackRecord(stateFileOf(runDirectory))
  if (state === undefined) throw new LocalError(`\`${runDirectory}\` has no state file to note ${name} in`)
  const started: ManagedProcess = { ...launch(spec), name, command: { file, args: [...args], env, cwd }, log }
  writeStackRecord({ ...state, processes: [...state.processes.filter((entry) => entry.name !== name), started] })
  return started
}

const signalGroup = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-pid, signal)
  } catch {}
}

/** Asks, waits, and ends what did not listen, together with whatever it started itself. */
export const stopProcess = async (identity: ProcessIdentity, patienceMs = stopPatienceMs): Promise<void> => {
  if (isRunning(identity)) {
    try {
      process.kill(identity.pid, 'SIGTERM')
    } catch {}
    const deadline = Date.now() + patienceMs
    while (isRunning(identity) && Date.now() < deadline) await delay(pollMs)
    signalGroup(identity.pid, 'SIGKILL')
    while (isRunning(identity)) await delay(pollMs)
  }
}

/** Takes one process of a stack away; everything else stays. */
export const stopNamedProcess = async (runDirectory: string, name: string): Promise<void> => {
  const found = readStackRecord(stateFileOf(runDirectory))?.processes.find((entry) => entry.name === name)
  if (found === undefined) throw new LocalError(`this stack has no process \`${name}\``)
  await stopProcess(found)
}

/** Starts a process of a stack again, as it was started before. */
export const restartNamedProcess = (runDirectory: string, name: string): ManagedProcess => {
  const found = readStackRecord(stateFileOf(runDirectory))?.processes.find((entry) => entry.name === name)
  if (found === undefined) throw new LocalError(`this stack has no process \`${name}\``)
  return startProcess(runDirectory, { name, ...found.command, log: found.log })
}

/** Polls until a started process is ready; fails at once when it has ended. */
export const waitUntilReady = async (
  started: ManagedProcess,
  isReady: () => boolean | Promise<boolean>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<void> => {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    signal?.throwIfAborted()
    if (await isReady()) return
    if (!isRunning(started)) throw new LocalError(`${started.name} ended early:\n${logTail(started.log)}`, started.log)
    if (Date.now() > deadline) {
      throw new LocalError(`${started.name} is not ready after ${timeoutMs / 1000} s`, started.log)
    }
    await delay(pollMs)
  }
}

/** Polls a condition that belongs to no single process. */
export const waitFor = async (
  what: string,
  isTrue: () => Promise<boolean>,
  { timeoutMs, signal, log }: { readonly timeoutMs: number; readonly signal?: AbortSignal; readonly log?: string },
): Promise<void> => {
  const deadline = Date.now() + timeoutMs
  while (!(await isTrue())) {
    signal?.throwIfAborted()
    if (Date.now() > deadline) throw new LocalError(`${what}: not after ${timeoutMs / 1000} s`, log)
    await delay(pollMs)
  }
}

/** Waits for all; the first failure aborts the others, which have no purpose any more, and is thrown when they ended. */
export const allOrNone = async <T extends readonly unknown[]>(
  failed: AbortController,
  work: { readonly [K in keyof T]: Promise<T[K]> },
): Promise<T> => {
  for (const promise of work) promise.catch((error: unknown) => failed.abort(error))
  await Promise.allSettled(work)
  failed.signal.throwIfAborted()
  return (await Promise.all(work)) as unknown as T
}

/** Runs a command to its end with everything it says in a log; an abort ends its whole process group. */
export const runCommand = async (spec: ProcessSpec, signal?: AbortSignal): Promise<void> => {
  const code = await runToExit(spec, signal)
  if (code !== 0) {
    throw new LocalError(`\`${spec.name}\` ended with ${code}:\n${logTail(spec.log)}`, spec.log)
  }
}

/** The exit code of a command, for callers to whom a failure is an answer. */
export const runToExit = async (spec: ProcessSpec, signal?: AbortSignal): Promise<number> => {
  signal?.throwIfAborted()
  mkdirSync(dirname(spec.log), { recursive: true })
  const descriptor = openSync(spec.log, 'a', 0o600)
  const child = spawn(spec.file, spec.args, {
    cwd: spec.cwd,
    env: spec.env,
    detached: true,
    stdio: ['ignore', descriptor, descriptor],
  })
  closeSync(descriptor)
  const { pid } = child
  const abort = () => {
    if (pid !== undefined) signalGroup(pid, 'SIGKILL')
  }
  signal?.addEventListener('abort', abort)
  try {
    return await new Promise<number>((resolve) => {
      child.on('error', () => resolve(127))
      child.on('exit', (status) => resolve(status ?? 1))
    })
  } finally {
    signal?.removeEventListener('abort', abort)
    signal?.throwIfAborted()
  }
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.on('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })

// Below what Linux and macOS take for outgoing connections, so that no client's own port lands on one of them between
// here and the moment the server binds. They are given in turn, so that nobody in this process gets one twice before it
// is bound, and from a random one on, so that two processes hardly ever meet.
const lowestPort = 20_000
const portCount = 12_000
let nextPort = Math.floor(Math.random() * portCount)

/** Distinct loopback ports that nobody listens on, and that no other call was given. */
export const freePorts = async (count: number): Promise<number[]> => {
  const ports: number[] = []
  while (ports.length < count) {
    const port = lowestPort + nextPort
    nextPort = (nextPort + 1) % portCount
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

export const javaCommand = (): string => {
  const home = process.env.JAVA_HOME
  return home ? `${home}/bin/java` : 'java'
}
