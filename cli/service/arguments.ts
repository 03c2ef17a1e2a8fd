import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Intent } from '@switchboard-kafka/client'
import { CommandError } from '../command-error.ts'
import { wholeNumber } from '../whole-number.ts'

export type ServiceCommand = 'resolve' | 'exec' | 'doctor'

/** Who asks. Secrets come from files and the environment alone: everybody on a machine sees its command lines. */
export type Caller =
  | { readonly kind: 'token-file'; readonly file: string }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'client'; readonly id: string; readonly secret: string }

export type Role = 'producer' | 'consumer'
export type Format = 'json' | 'java' | 'librdkafka' | 'kcat'

export type ServiceArguments = {
  readonly url: string
  readonly caller: Caller
  readonly intent: Intent
  readonly instance: string
  readonly cluster: string | undefined
  readonly role: Role | undefined
  /** Undefined: a table on a terminal, else JSON. */
  readonly format: Format | undefined
  readonly out: string | undefined
  readonly waitSeconds: number
  readonly json: boolean
  /** Whether `exec` starts its command anew when its credential is replaced. */
  readonly restart: boolean
  /** From SIGTERM to SIGKILL. */
  readonly stopTimeoutSeconds: number
  /** What `exec` runs, and its arguments. */
  readonly words: readonly string[]
}

/** What of this process is part of a request. */
export type Machine = { readonly host: string; readonly pid: number }

export type Environment = Readonly<Record<string, string | undefined>>

const formats: readonly Format[] = ['json', 'java', 'librdkafka', 'kcat']
const roles: readonly Role[] = ['producer', 'consumer']

/** As long as Kubernetes gives a container. */
const defaultStopSeconds = 30

const oneOf = <T extends string>(option: string, text: string | undefined, allowed: readonly T[]): T | undefined => {
  if (text === undefined) return undefined
  const found = allowed.find((value) => value === text)
  if (found !== undefined) return found
  throw new CommandError(`${option} is one of ${allowed.map((value) => `\`${value}\``).join(', ')}, got \`${text}\``, 2)
}

const parseUrl = (text: string | undefined): string => {
  if (text === undefined) throw new CommandError('say where Switchboard is with --url or SWITCHBOARD_URL', 2)
  const url = URL.parse(text)
  if (url === null) throw new CommandError('the URL of Switchboard (--url or SWITCHBOARD_URL) is no absolute URL', 2)
  if (url.username !== '' || url.password !== '')
    throw new CommandError('the URL of Switchboard has a user or a password; leave them out', 2)
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback))
    throw new CommandError(`the URL of Switchboard is https, or http on this machine, got \`${url.origin}\``, 2)
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

const waysToSay = [
  '--token-file or SWITCHBOARD_TOKEN_FILE',
  'SWITCHBOARD_TOKEN',
  'SWITCHBOARD_CLIENT_ID with SWITCHBOARD_CLIENT_SECRET',
] as const

const parseCaller = (tokenFile: string | undefined, env: Environment): Caller => {
  // an empty variable says as little as none
  const set = (name: string): string | undefined => env[name] || undefined
  const id = set('SWITCHBOARD_CLIENT_ID')
  const secret = set('SWITCHBOARD_CLIENT_SECRET')
  const token = set('SWITCHBOARD_TOKEN')?.trim()
  const file = tokenFile ?? set('SWITCHBOARD_TOKEN_FILE')
  if (tokenFile !== undefined) return { kind: 'token-file', file: resolve(tokenFile) }
  const given = [file, token, id ?? secret].filter((value) => value !== undefined).length
  if (given === 0) throw new CommandError(`say who asks with one of: ${waysToSay.join('; ')}`, 2)
  if (given > 1) throw new CommandError(`more than one says who asks; keep one of: ${waysToSay.join('; ')}`, 2)
  if (file !== undefined) return { kind: 'token-file', file: resolve(file) }
  if (token !== undefined) return { kind: 'token', token }
  if (id === undefined || secret === undefined)
    throw new CommandError(
      `SWITCHBOARD_CLIENT_${id === undefined ? 'ID' : 'SECRET'} is missing; a client has both an id and a secret`,
      2,
    )
  // RFC 7617 2: the first colon ends the id
  if (id.includes(':')) throw new CommandError('SWITCHBOARD_CLIENT_ID has a colon, which no client id has', 2)
  return { kind: 'client', id, secret }
}

const parseProfile = (texts: readonly string[] = []): Intent['profile'] => {
  const profile: { producer?: string; consumer?: string } = {}
  for (const text of texts) {
    const at = text.indexOf('=')
    if (at < 0) Object.assign(profile, { producer: text, consumer: text })
    else {
      const role = oneOf('--profile <role>=<name>: the role', text.slice(0, at), roles)
      if (role !== undefined) profile[role] = text.slice(at + 1)
    }
  }
  return profile
}

/** A name that an intent may have for an instance: made of what this process is called. */
const instanceOf = (command: ServiceCommand, { host, pid }: Machine): string => {
  const name = host.replaceAll(/[^A-Za-z0-9._-]/g, '-').replace(/^[^A-Za-z0-9]+/, '') || 'switchboard'
  // two commands side by side must not end each other's lease; one that only prints may renew what it printed before
  const end = command === 'resolve' ? '' : `-${command}-${pid}`
  return `${name.slice(0, 63 - end.length)}${end}`
}

/**
 * @throws CommandError with exit code 2 when something is missing or not allowed
 * @throws TypeError `ERR_PARSE_ARGS_*` for unknown options
 */
export const parseServiceArguments = (
  command: ServiceCommand,
  argv: readonly string[],
  env: Environment,
  machine: Machine,
): ServiceArguments => {
  const end = argv.indexOf('--')
  const { values } = parseArgs({
    args: end < 0 ? [...argv] : argv.slice(0, end),
    options: {
      url: { type: 'string' },
      'token-file': { type: 'string' },
      produce: { type: 'string', multiple: true },
      consume: { type: 'string', multiple: true },
      group: { type: 'string' },
      network: { type: 'string' },
      profile: { type: 'string', multiple: true },
      instance: { type: 'string' },
      cluster: { type: 'string' },
      role: { type: 'string' },
      format: { type: 'string' },
      out: { type: 'string' },
      wait: { type: 'string', default: '60' },
      json: { type: 'boolean', default: false },
      restart: { type: 'boolean', default: false },
      'stop-timeout': { type: 'string' },
    },
  })
  const only = (
    option: 'format' | 'out' | 'role' | 'json' | 'restart' | 'stop-timeout',
    commands: readonly ServiceCommand[],
  ): void => {
    if (values[option] !== undefined && values[option] !== false && !commands.includes(command))
      throw new CommandError(`\`${command}\` has no --${option}; \`${commands.join('` and `')}\` has`, 2)
  }
  only('format', ['resolve'])
  only('out', ['resolve'])
  only('role', ['resolve', 'exec'])
  only('json', ['doctor'])
  only('restart', ['exec'])
  only('stop-timeout', ['exec'])
  const stopTimeout = values['stop-timeout']
  if (stopTimeout !== undefined && !values.restart)
    throw new CommandError('--stop-timeout is how long --restart waits for the command to end; use both', 2)
  const words = end < 0 ? [] : argv.slice(end + 1)
  if (command === 'exec' && words.length === 0)
    throw new CommandError('say what to run after `--`: switchboard exec [options] -- <command>', 2)
  if (command !== 'exec' && words.length > 0) throw new CommandError(`\`${command}\` runs no command`, 2)

  const { produce = [], consume = [], group, network } = values
  if (command !== 'doctor' && produce.length + consume.length === 0)
    throw new CommandError('name at least one channel with --produce or --consume', 2)
  const caller = parseCaller(values['token-file'], env)
  const format = oneOf('--format', values.format, formats)
  if (command === 'resolve' && format !== undefined && format !== 'json' && caller.kind === 'token')
    throw new CommandError(
      `the client of a \`${format}\` file gets its own tokens, which takes --token-file or a client's secret`,
      2,
    )
  const profile = parseProfile(values.profile)
  return {
    url: parseUrl(values.url ?? (env.SWITCHBOARD_URL || undefined)),
    caller,
    intent: {
      ...(produce.length === 0 ? {} : { produce }),
      ...(consume.length === 0 ? {} : { consume }),
      ...(group === undefined ? {} : { group }),
      ...(network === undefined ? {} : { network }),
      ...(values.profile === undefined || profile === undefined
        ? {}
        : {
            profile: {
              // a role that was not asked for has no profile
              ...(produce.length > 0 && profile.producer !== undefined ? { producer: profile.producer } : {}),
              ...(consume.length > 0 && profile.consumer !== undefined ? { consumer: profile.consumer } : {}),
            },
          }),
    },
    instance: values.instance ?? instanceOf(command, machine),
    cluster: values.cluster,
    role: oneOf('--role', values.role, roles),
    format,
    out: values.out,
    waitSeconds: wholeNumber('--wait', values.wait),
    json: values.json,
    restart: values.restart,
    stopTimeoutSeconds: stopTimeout === undefined ? defaultStopSeconds : wholeNumber('--stop-timeout', stopTimeout),
    words,
  }
}
