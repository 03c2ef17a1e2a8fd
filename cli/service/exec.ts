import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Connection, Lease, LeaseEvent } from '@switchboard-kafka/client'
import type { Environment, Role, ServiceArguments } from './arguments.ts'
import { loginOf, rolesOf, selectConnection, selectRole } from './client-files.ts'
import { type Command, codeAfter, startCommand } from './command.ts'
import { commandEnvironment, type ExecPlan, planExec } from './exec-plan.ts'
import { writePrivateFile } from './private-file.ts'
import { readSecret } from './read-secret.ts'
import { open, release } from './switchboard-calls.ts'

export type ExecDeps = {
  readonly fetch: typeof globalThis.fetch
  readonly env: Environment
  readonly complain: (line: string) => void
  /** Whether the keys of a terminal reach the command by themselves. */
  readonly isTerminal: boolean
}

type Signal = NodeJS.Signals

/** A terminal sends SIGINT and SIGQUIT to the command itself; a second one would make many programs give up. */
const forwarded = (isTerminal: boolean): readonly Signal[] => [
  'SIGTERM',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  ...(isTerminal ? [] : (['SIGINT', 'SIGQUIT'] as const)),
]
const ignored = (isTerminal: boolean): readonly Signal[] => (isTerminal ? ['SIGINT', 'SIGQUIT'] : [])

/** What asks for an end. SIGHUP may as well ask a service to read its files again, and then it goes on. */
const ending: readonly Signal[] = ['SIGTERM', 'SIGINT', 'SIGQUIT']

/** One life of the command; it logs in as the same user from its start to its end. */
type Life = {
  readonly connection: Connection
  readonly folder: string
  /** @param settings of the same cluster, as they are by now */
  readonly plan: (settings: Connection) => ExecPlan
  /** Path -> text of the files as they are. */
  readonly written: Map<string, string>
  /** Nobody logs in with its credential any more. */
  readonly letGo: () => void
}

const write = async ({ written }: Life, { files }: ExecPlan): Promise<void> => {
  for (const { path, text } of files) {
    if (written.get(path) === text) continue
    await writePrivateFile(path, text)
    written.set(path, text)
  }
}

const prepare = async (life: Life): Promise<void> => {
  await mkdir(life.folder, { mode: 0o700 })
  await write(life, life.plan(life.connection))
}

const forget = async ({ folder, letGo }: Life): Promise<void> => {
  letGo()
  await rm(folder, { recursive: true, force: true })
}

const rolesFor = (connection: Connection, role: Role | undefined): readonly Role[] =>
  role === undefined ? rolesOf(connection) : [selectRole(connection, role)]

/**
 * Runs a command with client files that are there and good for as long as it runs. Kafka ends a connection that becomes
 * another user, and a command may read its files at any time: so the user in them stays the same until the command ends,
 * and the lease is told to keep it. With `restart` the command is ended and started anew when there is another user.
 * @returns the exit code of the command, or 128 + the signal that ended it
 * @throws CommandError, SwitchboardProblem or SwitchboardError when there is nothing to start it with
 */
export const exec = async (asked: ServiceArguments, deps: ExecDeps): Promise<number> => {
  const { fetch, env, complain, isTerminal } = deps
  const { restart, stopTimeoutSeconds } = asked
  const stopping = new AbortController()
  let command: Command | undefined
  let stoppedBy: Signal | undefined
  let life: Life | undefined
  /** What begins when the command has ended. */
  let nextLife: Life | undefined
  let isToldToEnd = false
  const onSignal = (signal: Signal): void => {
    if (ending.includes(signal) || (signal === 'SIGHUP' && nextLife !== undefined)) isToldToEnd = true
    if (command !== undefined) command.kill(signal)
    else {
      stoppedBy ??= signal
      stopping.abort()
    }
  }
  const onKeys = (signal: Signal): void => {
    isToldToEnd = true
    if (command === undefined) onSignal(signal)
  }
  const handlers = [
    ...forwarded(isTerminal).map((signal) => [signal, onSignal] as const),
    ...ignored(isTerminal).map((signal) => [signal, onKeys] as const),
  ]
  for (const [signal, handler] of handlers) process.on(signal, handler)

  let lease: Lease | undefined
  let home: string | undefined
  let isRestartDue = false
  let working = Promise.resolve()
  /** One after the other; what failed is tried again after the next renewal. */
  const later = (work: () => Promise<void>): void => {
    working = working.then(work).catch((error: Error) => complain(`files not renewed: ${error.message}`))
  }
  try {
    let follow = (): Promise<void> => Promise.resolve()
    const onEvent = (event: LeaseEvent): void => {
      if (event.type === 'waiting') complain(`waiting: ${event.error.message}`)
      else if (event.type === 'renewal_failed')
        complain(`not renewed, going on with what is held: ${event.error.message}`)
      else {
        if (event.type === 'replaced' && event.cluster === (nextLife ?? life)?.connection.cluster.name) {
          isRestartDue = restart
          const what = restart ? 'the command is restarted' : 'the command keeps what it has (see --restart)'
          complain(`there is another credential for \`${event.cluster}\`; ${what}`)
        }
        later(() => follow())
      }
    }
    lease = await open(asked, { fetch, signal: stopping.signal, onEvent, readSecret })
    const held = lease
    const roles = rolesFor(selectConnection(held.connections, asked.cluster), asked.role)
    const place = await mkdtemp(join(tmpdir(), 'switchboard-'))
    home = place
    const tokenFile = join(place, 'workload-token')
    if (asked.caller.kind === 'token') await writePrivateFile(tokenFile, asked.caller.token)

    let lives = 0
    const newLife = (): Life => {
      const connection = selectConnection(held.connections, asked.cluster)
      const login = loginOf(connection, { ...asked, tokenFile })
      const folder = join(place, String(++lives))
      return {
        connection,
        folder,
        plan: (settings) => planExec(settings, roles, login, folder, env.KAFKA_OPTS),
        written: new Map(),
        letGo: held.hold(connection),
      }
    }

    const refresh = async (current: Life): Promise<void> => {
      const { cluster, credential } = current.connection
      const settings = held.connections.find(
        (each) => each.cluster.name === cluster.name && each.credential.kind === credential.kind,
      )
      if (settings !== undefined) await write(current, current.plan(settings))
    }

    /** The files come first: a command that cannot be started again is not stopped. */
    const endFor = async (next: Life, running: Command): Promise<void> => {
      try {
        await prepare(next)
      } catch (error) {
        await forget(next)
        throw error
      }
      isRestartDue = false
      // what was told to end, or has ended by itself, has no next life
      if (isToldToEnd || running.hasEnded()) return forget(next)
      const outdated = nextLife
      nextLife = next
      if (outdated === undefined) running.stop(stopTimeoutSeconds)
      else await forget(outdated)
    }

    let current = newLife()
    life = current
    await prepare(current)
    stopping.signal.throwIfAborted()
    for (;;) {
      const running = startCommand(asked.words, commandEnvironment(env, current.plan(current.connection)), complain)
      command = running
      follow = () => (isRestartDue ? endFor(newLife(), running) : refresh(nextLife ?? current))
      const code = await running.ended
      if (nextLife === undefined || isToldToEnd) return code
      const ended = current
      current = nextLife
      life = current
      nextLife = undefined
      later(() => forget(ended))
    }
  } catch (error) {
    if (stoppedBy !== undefined) return codeAfter(stoppedBy)
    throw error
  } finally {
    lease?.close()
    await working
    if (home !== undefined) await rm(home, { recursive: true, force: true })
    if (lease !== undefined) await release(asked, lease.id, fetch)
    for (const [signal, handler] of handlers) process.off(signal, handler)
  }
}
