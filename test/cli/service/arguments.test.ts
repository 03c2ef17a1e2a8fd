import { describe, expect, test } from 'vitest'
import { parseServiceArguments, type ServiceCommand } from '../../../cli/service/arguments.ts'

const created = 'kafka://payments.acme.com/orders/created'
const url = 'https://switchboard.acme.com'
const withToken = { SWITCHBOARD_URL: url, SWITCHBOARD_TOKEN_FILE: '/run/token' }
const machine = { host: 'pod-7f9c', pid: 42 }

const parse = (command: ServiceCommand, argv: readonly string[], env: Record<string, string> = withToken) =>
  parseServiceArguments(command, argv, env, machine)

const refusal = (command: ServiceCommand, argv: readonly string[], env: Record<string, string> = withToken): Error => {
  try {
    parse(command, argv, env)
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('nothing was refused')
}

describe('what is asked for', () => {
  test('is channels, and whatever else an intent may have', () => {
    const argv = ['--produce', created, '--produce', 'kafka://a/b', '--consume', 'kafka://a/**', '--group', 'billing']
    const { intent } = parse('resolve', [...argv, '--network', 'vpc-1'])
    expect(intent).toEqual({
      produce: [created, 'kafka://a/b'],
      consume: ['kafka://a/**'],
      group: 'billing',
      network: 'vpc-1',
    })
  })

  test('has a profile for each role that is asked for, or for the role that is named', () => {
    const profileOf = (...argv: string[]) => parse('resolve', argv).intent.profile
    expect(profileOf('--produce', created, '--profile', 'latency')).toEqual({ producer: 'latency' })
    expect(profileOf('--produce', created, '--consume', created, '--profile', 'latency')).toEqual({
      producer: 'latency',
      consumer: 'latency',
    })
    expect(
      profileOf('--produce', created, '--consume', created, '--profile', 'latency', '--profile', 'consumer=throughput'),
    ).toEqual({ producer: 'latency', consumer: 'throughput' })
    expect(profileOf('--produce', created)).toBeUndefined()
  })

  test('is at least one channel, but for the doctor', () => {
    expect(refusal('resolve', []).message).toBe('name at least one channel with --produce or --consume')
    expect(refusal('exec', ['--', 'true']).message).toContain('at least one channel')
    expect(parse('doctor', []).intent).toEqual({})
  })

  test.each([
    ['resolve', ['--format', 'yaml'], '--format is one of `json`, `java`, `librdkafka`, `kcat`, got `yaml`'],
    ['resolve', ['--role', 'admin'], '--role is one of `producer`, `consumer`, got `admin`'],
    ['resolve', ['--wait', '0'], '--wait takes a whole number from 1, got `0`'],
    ['resolve', ['--json'], '`resolve` has no --json; `doctor` has'],
    ['exec', ['--out', 'x', '--', 'true'], '`exec` has no --out; `resolve` has'],
    ['doctor', ['--format', 'java'], '`doctor` has no --format; `resolve` has'],
    ['resolve', ['--', 'true'], '`resolve` runs no command'],
    ['exec', [], 'say what to run after `--`: switchboard exec [options] -- <command>'],
    ['exec', ['--'], 'say what to run after `--`: switchboard exec [options] -- <command>'],
  ] as const)('of %s, %j is refused', (command, argv, message) => {
    const end = argv.map(String).indexOf('--')
    const options = ['--produce', created]
    const all = end < 0 ? [...argv, ...options] : [...argv.slice(0, end), ...options, ...argv.slice(end)]
    expect(refusal(command, all)).toMatchObject({ exitCode: 2, message })
  })

  test.each(['java', 'librdkafka', 'kcat'])('is no %s file for somebody whose token is in no file', (format) => {
    const env = { SWITCHBOARD_URL: url, SWITCHBOARD_TOKEN: 'hunter2' }
    const error = refusal('resolve', ['--produce', created, '--format', format], env)
    expect(error).toMatchObject({ exitCode: 2, message: expect.stringContaining('takes --token-file') })
    expect(parse('resolve', ['--produce', created, '--format', 'json'], env).format).toBe('json')
  })

  test('leaves everything after `--` to the command', () => {
    const { words, url: asked } = parse('exec', ['--produce', created, '--', 'run', '--url', 'x', '--', '--help'])
    expect(words).toEqual(['run', '--url', 'x', '--', '--help'])
    expect(asked).toBe(url)
  })
})

describe('where to ask', () => {
  test('is the option before the variable, without a slash at its end', () => {
    expect(parse('doctor', ['--url', 'https://other.acme.com/base/']).url).toBe('https://other.acme.com/base')
    expect(parse('doctor', []).url).toBe(url)
    expect(parse('doctor', ['--url', 'http://127.0.0.1:8080']).url).toBe('http://127.0.0.1:8080')
  })

  test.each([
    ['nothing', {}, 'say where Switchboard is'],
    ['an empty variable', { SWITCHBOARD_URL: '' }, 'say where Switchboard is'],
    ['plain http to another machine', { SWITCHBOARD_URL: 'http://switchboard.acme.com' }, 'https, or http on this'],
    ['words', { SWITCHBOARD_URL: 'switchboard' }, 'no absolute URL'],
    ['a password', { SWITCHBOARD_URL: 'https://me:hunter2@switchboard.acme.com' }, 'a user or a password'],
  ])('is not %s, and nothing of a password comes back', (_, env, message) => {
    const error = refusal('doctor', [], { SWITCHBOARD_TOKEN: 'a', ...env })
    expect(error).toMatchObject({ exitCode: 2 })
    expect(error.message).toContain(message)
    expect(error.message).not.toContain('hunter2')
  })
})

describe('who asks', () => {
  const callerIn = (env: Record<string, string>, argv: readonly string[] = []) =>
    parse('doctor', argv, { SWITCHBOARD_URL: url, ...env }).caller

  test('is a token file, a token, or a client with its secret', () => {
    expect(callerIn({ SWITCHBOARD_TOKEN_FILE: '/run/token' })).toEqual({ kind: 'token-file', file: '/run/token' })
    expect(callerIn({ SWITCHBOARD_TOKEN: 'a.b.c\n' })).toEqual({ kind: 'token', token: 'a.b.c' })
    expect(callerIn({ SWITCHBOARD_CLIENT_ID: 'legacy', SWITCHBOARD_CLIENT_SECRET: 's:s' })).toEqual({
      kind: 'client',
      id: 'legacy',
      secret: 's:s',
    })
  })

  test('is the option before every variable', () => {
    expect(callerIn({ SWITCHBOARD_TOKEN: 'a.b.c' }, ['--token-file', '/run/other'])).toEqual({
      kind: 'token-file',
      file: '/run/other',
    })
  })

  test.each([
    ['nobody', {}, 'say who asks with one of'],
    ['two at once', { SWITCHBOARD_TOKEN: 'hunter2', SWITCHBOARD_TOKEN_FILE: '/run/token' }, 'more than one'],
    ['a client without a secret', { SWITCHBOARD_CLIENT_ID: 'legacy' }, 'SWITCHBOARD_CLIENT_SECRET is missing'],
    ['a secret without a client', { SWITCHBOARD_CLIENT_SECRET: 'hunter2' }, 'SWITCHBOARD_CLIENT_ID is missing'],
    [
      'a client with a colon',
      { SWITCHBOARD_CLIENT_ID: 'a:b', SWITCHBOARD_CLIENT_SECRET: 'hunter2' },
      'SWITCHBOARD_CLIENT_ID has a colon',
    ],
  ])('is not %s, and no secret comes back', (_, env, message) => {
    const error = refusal('doctor', [], { SWITCHBOARD_URL: url, ...env })
    expect(error).toMatchObject({ exitCode: 2 })
    expect(error.message).toContain(message)
    expect(error.message).not.toContain('hunter2')
  })

  test.each(['--token', '--client-secret', '--password', '--client-id'])('is never said with %s', (option) => {
    expect(refusal('resolve', ['--produce', created, option, 'hunter2'])).toMatchObject({
      code: 'ERR_PARSE_ARGS_UNKNOWN_OPTION',
    })
  })
})

describe('an instance', () => {
  const instanceOf = (command: ServiceCommand, host: string, argv: readonly string[] = []) =>
    parseServiceArguments(
      command,
      ['--produce', created, ...argv, ...(command === 'exec' ? ['--', 'true'] : [])],
      withToken,
      { host, pid: 4_194_304 },
    ).instance

  test('is this machine for what is only printed, and this process for what holds a lease of its own', () => {
    expect(instanceOf('resolve', 'pod-7f9c')).toBe('pod-7f9c')
    expect(instanceOf('exec', 'pod-7f9c')).toBe('pod-7f9c-exec-4194304')
    expect(instanceOf('doctor', 'pod-7f9c')).toBe('pod-7f9c-doctor-4194304')
    expect(instanceOf('exec', 'pod-7f9c', ['--instance', 'mine'])).toBe('mine')
  })

  test.each(['', '-a', 'köln', 'x'.repeat(300), 'a b', '...'])(
    'is a name that an intent may have on a machine called %j',
    (host) => {
      for (const command of ['resolve', 'exec', 'doctor'] as const)
        expect(instanceOf(command, host)).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
    },
  )
})
