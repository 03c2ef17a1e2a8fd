import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Connection, Lease, LeaseEvent } from '@switchboard-kafka/client'
import { type ClientLogin, renderJavaProperties, renderLibrdkafka } from '../../shared/http/client-file.ts'
import type { Environment, Role, ServiceArguments } from './arguments.ts'
import {
  appendJavaOptions,
  javaOptionsIn,
  loginOf,
  rolesOf,
  selectConnection,
  selectRole,
  settingsFor,
} from './client-files.ts'
import { writePrivateFile } from './private-file.ts'
import { open, release } from './switchboard-calls.ts'

export type ExecDeps = {
  readonly fetch: typeof globalThis.fetch
  readonly env: Environment
  readonly complain: (line: string) => void
  /** Whether the keys of a terminal reach the command by themselves. */
  readonly isTerminal: boolean
}

/** Everything that `exec` gives a command, before it is anywhere. */
export type ExecPlan = {
  readonly files: readonly { readonly path: string; readonly text: string }[]
  /** Added to the environment of the command. */
  readonly variables: Readonly<Record<string, string>>
}

const variablePrefix = { producer: 'SWITCHBOARD_PRODUCER', consumer: 'SWITCHBOARD_CONSUMER' } as const

const filesOf = (folder: string, role: Role) => ({
  properties: join(folder, `${role}.properties`),
  librdkafka: join(folder, `${role}.librdkafka.json`),
})

const variablesFor = (prefix: string, files: ReturnType<typeof filesOf>): Readonly<Record<string, string>> => ({
  [`${prefix}_PROPERTIES_FILE`]: files.properties,
  [`${prefix}_LIBRDKAFKA_FILE`]: files.librdkafka,
})

/** What lies in the folder and stands in the environment; the plain names are there when only one role is. */
export const planExec = (
  connection: Connection,
  roles: readonly Role[],
  source: ClientLogin,
  folder: string,
  kafkaOpts: string | undefined,
): ExecPlan => {
  const channels = join(folder, 'channels.json')
  const { topics, patterns, properties } = connection
  const [topic, ...otherTopics] = Object.values(topics)
  const [role, ...otherRoles] = roles
  const clients = roles.map((each) => {
    const settings = settingsFor(connection, each)
    return {
      files: filesOf(folder, each),
      properties: renderJavaProperties(settings, source),
      librdkafka: `${JSON.stringify(renderLibrdkafka(settings, source), null, 2)}\n`,
    }
  })
  const options = [...new Set(clients.flatMap((client) => javaOptionsIn(client.properties)))]
  return {
    files: [
      ...clients.flatMap((client) => [
        { path: client.files.properties, text: client.properties },
        { path: client.files.librdkafka, text: client.librdkafka },
      ]),
      { path: channels, text: `${JSON.stringify({ topics, patterns }, null, 2)}\n` },
    ],
    variables: {
      ...Object.assign({}, ...roles.map((each) => variablesFor(variablePrefix[each], filesOf(folder, each)))),
      ...(role !== undefined && otherRoles.length === 0 ? variablesFor('SWITCHBOARD', filesOf(folder, role)) : {}),
      SWITCHBOARD_CHANNELS_FILE: channels,
      SWITCHBOARD_BOOTSTRAP_SERVERS: String(properties['bootstrap.servers'] ?? ''),
      ...(topic !== undefined && otherTopics.length === 0 ? { SWITCHBOARD_TOPIC: topic } : {}),
      KAFKA_OPTS: appendJavaOptions(kafkaOpts, options),
      SWITCHBOARD_JAVA_OPTS: appendJavaOptions(undefined, options),
    },
  }
}

/** The command has files; what the files are made of would only lie around in its environment and its dumps. */
const secretVariables = ['SWITCHBOARD_TOKEN', 'SWITCHBOARD_CLIENT_SECRET']

/** What an `exec` around this one set must not be taken for ours. */
const isOfExec = (name: string): boolean =>
  /^SWITCHBOARD_((PRODUCER_|CONSUMER_)?(PROPERTIES|LIBRDKAFKA)_FILE|CHANNELS_FILE|TOPIC)$/.test(name)

export const commandEnvironment = (env: Environment, { variables }: ExecPlan): Environment => ({
  ...Object.fromEntries(Object.entries(env).filter(([name]) => !secretVariables.includes(name) && !isOfExec(name))),
  ...variables,
})

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

const codeAfter = (signal: Signal): number => 128 + constants.signals[signal]

/** As a shell says it: 127 when there is no such command, 126 when it cannot be run. */
const startFailure = (word: string, error: Error, complain: (line: string) => void): number => {
  const code = 'code' in error ? String(error.code) : 'unknown'
  complain(code === 'ENOENT' ? `there is no command \`${word}\`` : `cannot run \`${word}\` (${code})`)
  return code === 'ENOENT' ? 127 : 126
}

/**
 * Runs a command with client files that are there and good for as long as it runs.
 * @returns the exit code of the command, or 128 + the signal that ended it
 * @throws CommandError, SwitchboardProblem or SwitchboardError when there is nothing to start it with
 */
export const exec = async (asked: ServiceArguments, deps: ExecDeps): Promise<number> => {
  const { fetch, env, complain, isTerminal } = deps
  const stopping = new AbortController()
  let child: ChildProcess | undefined
  let stoppedBy: Signal | undefined
  const onSignal = (signal: Signal): void => {
    if (child !== undefined) child.kill(signal)
    else {
      stoppedBy ??= signal
      stopping.abort()
    }
  }
  const onKeys = (signal: Signal): void => {
    if (child === undefined) onSignal(signal)
  }
  const handlers = [
    ...forwarded(isTerminal).map((signal) => [signal, onSignal] as const),
    ...ignored(isTerminal).map((signal) => [signal, onKeys] as const),
  ]
  for (const [signal, handler] of handlers) process.on(signal, handler)

  let lease: Lease | undefined
  let folder: string | undefined
  let writing = Promise.resolve()
  try {
    let keepFiles = (): Promise<void> => Promise.resolve()
    const onEvent = (event: LeaseEvent): void => {
      if (event.type === 'waiting') complain(`waiting: ${event.error.message}`)
      else if (event.type === 'renewal_failed')
        complain(`not renewed, going on with what is held: ${event.error.message}`)
      else writing = writing.then(keepFiles).catch((error: Error) => complain(`files not renewed: ${error.message}`))
    }
    lease = await open(asked, { fetch, signal: stopping.signal, onEvent })
    const held = lease
    const roles = rolesFor(selectConnection(held.connections, asked.cluster), asked.role)
    const home = await mkdtemp(join(tmpdir(), 'switchboard-'))
    folder = home
    const tokenFile = join(home, 'workload-token')
    const plan = (): ExecPlan => {
      const connection = selectConnection(held.connections, asked.cluster)
      const source = loginOf(connection, { ...asked, tokenFile })
      return planExec(connection, roles, source, home, env.KAFKA_OPTS)
    }
    const written = new Map<string, string>()
    const write = async ({ files }: ExecPlan): Promise<void> => {
      for (const { path, text } of files) {
        if (written.get(path) === text) continue
        await writePrivateFile(path, text)
        written.set(path, text)
      }
    }
    if (asked.caller.kind === 'token') await writePrivateFile(tokenFile, asked.caller.token)
    const first = plan()
    await write(first)
    keepFiles = async () => write(plan())

    const [word = '', ...words] = asked.words
    stopping.signal.throwIfAborted()
    const started = spawn(word, words, { stdio: 'inherit', env: commandEnvironment(env, first) })
    child = started
    return await new Promise<number>((done) => {
      started.once('error', (error) => done(startFailure(word, error, complain)))
      started.once('exit', (code, signal) => done(signal === null ? (code ?? 1) : codeAfter(signal)))
    })
  } catch (error) {
    if (stoppedBy !== undefined) return codeAfter(stoppedBy)
    throw error
  } finally {
    lease?.close()
    await writing
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
    if (lease !== undefined) await release(asked, lease.id, fetch)
    for (const [signal, handler] of handlers) process.off(signal, handler)
  }
}

const rolesFor = (connection: Connection, role: Role | undefined): readonly Role[] =>
  role === undefined ? rolesOf(connection) : [selectRole(connection, role)]
