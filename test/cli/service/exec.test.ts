import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { nodeFile, root } from '../../../local/paths.ts'
import { aConnection, anAnswer, created } from '../../../sdk/js/test/answers.ts'
import {
  problem,
  type Script,
  type SimulatedReply,
  type SimulatedSwitchboard,
  startSimulatedSwitchboard,
} from '../../../sdk/js/test/simulated-switchboard.ts'
import { aFolder, startCommand, until } from './a-command.ts'

// The command as its own process against a Switchboard that is simulated: it answers from a script.

const now = () => new Date()
let switchboard: SimulatedSwitchboard
let folder = ''
let tokenFile = ''

/** A DELETE is not part of a script's count. */
const answering = (resolve: (index: number) => SimulatedReply): Script => {
  let index = 0
  return ({ method }) => (method === 'DELETE' ? { status: 204 } : resolve(index++))
}
const produceOnly = (changes: object = {}) => anAnswer(now(), { consumer: undefined, ...changes })

beforeAll(async () => {
  switchboard = await startSimulatedSwitchboard(now, () => ({ status: 500 }))
})
afterAll(() => switchboard.close())
beforeEach(() => {
  switchboard.follow(answering(() => produceOnly()))
  switchboard.requests.length = 0
  folder = aFolder()
  tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, 'workload-token-1\n')
})
afterEach(() => rmSync(folder, { recursive: true }))

const start = (words: readonly string[], env: Record<string, string> = { SWITCHBOARD_TOKEN_FILE: tokenFile }) =>
  startCommand(['exec', '--url', switchboard.url, '--produce', created, '--', ...words], { TMPDIR: folder, ...env })

const script = (text: string): readonly string[] => [nodeFile, '--input-type=module', '--eval', text]
const printEnvironment = script('console.log(JSON.stringify(process.env))')
/** Says where its files are, and then runs until a signal ends it, or half a minute when none does. */
const goOn = script('console.log(process.env.SWITCHBOARD_PROPERTIES_FILE); setTimeout(() => {}, 30_000)')

const released = (): boolean =>
  switchboard.requests.some(({ method, path }) => method === 'DELETE' && path === '/v1/leases/lease_1')
const foldersLeft = (): readonly string[] => readdirSync(folder).filter((name) => name !== 'token')

test('a command finds its files, for it alone, and afterwards they and the lease are gone', async () => {
  const look = script(`
    import { readFileSync, statSync } from 'node:fs'
    import { dirname } from 'node:path'
    const { SWITCHBOARD_PROPERTIES_FILE: file, SWITCHBOARD_LIBRDKAFKA_FILE: json, SWITCHBOARD_CHANNELS_FILE: channels } = process.env
    const mode = (path) => (statSync(path).mode & 0o777).toString(8)
    console.log(JSON.stringify({
      modes: [file, json, channels, dirname(file)].map(mode),
      properties: readFileSync(file, 'utf8'),
      librdkafka: JSON.parse(readFileSync(json, 'utf8')),
      channels: JSON.parse(readFileSync(channels, 'utf8')),
      env: process.env,
    }))
    process.exitCode = 7`)
  const { code, out, err } = await start(look, {
    SWITCHBOARD_TOKEN_FILE: tokenFile,
    KAFKA_OPTS: '-Xmx64m',
    OWN: 'kept',
  }).ended
  expect({ code, err }).toEqual({ code: 7, err: '' })
  const seen = JSON.parse(out)
  expect(seen.modes).toEqual(['600', '600', '600', '700'])
  expect(seen.properties).toContain('bootstrap.servers=kafka-1.acme.com:9093,kafka-2.acme.com:9093\n')
  expect(seen.librdkafka).toMatchObject({ 'sasl.oauthbearer.assertion.file': tokenFile })
  expect(seen.channels.topics).toEqual({ [created]: 'orders.created' })
  expect(seen.env).toMatchObject({
    SWITCHBOARD_TOPIC: 'orders.created',
    SWITCHBOARD_BOOTSTRAP_SERVERS: 'kafka-1.acme.com:9093,kafka-2.acme.com:9093',
    SWITCHBOARD_PRODUCER_PROPERTIES_FILE: seen.env.SWITCHBOARD_PROPERTIES_FILE,
    OWN: 'kept',
  })
  expect(seen.env.KAFKA_OPTS).toBe(`-Xmx64m ${seen.env.SWITCHBOARD_JAVA_OPTS}`)
  expect(seen.properties.split('\n')[0]).toBe(`# ${seen.env.SWITCHBOARD_JAVA_OPTS}`)
  expect(foldersLeft()).toEqual([])
  expect(released()).toBe(true)
})

test('a command that does both has a file for each, and none that could be the wrong one', async () => {
  switchboard.follow(answering(() => anAnswer(now())))
  const { out } = await start(printEnvironment, {
    SWITCHBOARD_TOKEN_FILE: tokenFile,
    // of an exec around this one
    SWITCHBOARD_PROPERTIES_FILE: '/outer/producer.properties',
  }).ended
  const names = Object.keys(JSON.parse(out)).filter((name) => name.endsWith('_FILE'))
  expect(names.sort()).toEqual([
    'SWITCHBOARD_CHANNELS_FILE',
    'SWITCHBOARD_CONSUMER_LIBRDKAFKA_FILE',
    'SWITCHBOARD_CONSUMER_PROPERTIES_FILE',
    'SWITCHBOARD_PRODUCER_LIBRDKAFKA_FILE',
    'SWITCHBOARD_PRODUCER_PROPERTIES_FILE',
    'SWITCHBOARD_TOKEN_FILE',
  ])
})

describe('a secret', () => {
  const secret = 'hunter2-hunter2'
  const asClient = { SWITCHBOARD_CLIENT_ID: 'legacy', SWITCHBOARD_CLIENT_SECRET: secret }

  test('is in the file, and neither in the environment of the command nor in the list of processes', async () => {
    const running = start(goOn, asClient)
    await until('the command runs', () => running.out().includes('.properties'))
    const text = readFileSync(running.out().trim(), 'utf8')
    const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    running.kill('SIGTERM')
    const { code, out, err } = await running.ended
    expect(code).toBe(143)
    expect(text).toContain(secret)
    expect(processes).toContain(`--produce ${created}`)
    expect(processes).not.toContain(secret)
    expect(out + err).not.toContain(secret)

    const { out: environment } = await start(printEnvironment, asClient).ended
    expect(environment).toContain('"SWITCHBOARD_CLIENT_ID":"legacy"')
    expect(environment).not.toContain(secret)
  })

  test('that is a token in the environment becomes a file, which is gone afterwards', async () => {
    const token = 'aaaa.bbbb.cccc'
    const copy = script(`
      import { readFileSync } from 'node:fs'
      const { 'sasl.oauthbearer.assertion.file': file } = JSON.parse(readFileSync(process.env.SWITCHBOARD_LIBRDKAFKA_FILE, 'utf8'))
      console.log(JSON.stringify({ file, text: readFileSync(file, 'utf8'), env: process.env.SWITCHBOARD_TOKEN ?? null }))`)
    const { out } = await start(copy, { SWITCHBOARD_TOKEN: token }).ended
    const seen = JSON.parse(out)
    expect(seen).toMatchObject({ text: token, env: null })
    expect(existsSync(seen.file)).toBe(false)
  })
})

describe('the end of a command', () => {
  const notExecutable = join(root, 'package.json')

  test.each([
    [
      'there is no such command',
      ['switchboard-no-such-command'],
      127,
      'there is no command `switchboard-no-such-command`',
    ],
    ['it cannot be run', [notExecutable], 126, `cannot run \`${notExecutable}\` (EACCES)`],
    ['a signal ends it', ['sh', '-c', 'kill -KILL $$'], 137, ''],
  ])('is told as a shell does when %s', async (_, words, code, line) => {
    const ended = await start(words).ended
    expect(ended.code).toBe(code)
    expect(ended.err).toContain(line)
    expect(foldersLeft()).toEqual([])
    expect(released()).toBe(true)
  })

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const)('may be what it makes of %s', async (signal) => {
    const polite = script(`
      process.on('${signal}', () => { console.log('got it'); process.exit(3) })
      console.log('ready')
      setTimeout(() => {}, 30_000)`)
    const running = start(polite)
    await until('the command runs', () => running.out().includes('ready'))
    running.kill(signal)
    const { code, out } = await running.ended
    expect({ code, out }).toEqual({ code: 3, out: 'ready\ngot it\n' })
    expect(foldersLeft()).toEqual([])
  })

  test('comes before its beginning when a signal does', async () => {
    switchboard.follow(answering(() => problem(503, 'credential_not_ready', { headers: { 'retry-after': '20' } })))
    const running = start(goOn)
    await until('it waits', () => running.err().includes('waiting'))
    running.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ code: 143, out: '' })
    expect(foldersLeft()).toEqual([])
  })

  test('is 1, and nothing was run, when Switchboard refuses', async () => {
    switchboard.follow(answering(() => problem(403, 'access_denied')))
    const { code, out, err } = await start(goOn).ended
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain('`switchboard why req-1`')
    expect(foldersLeft()).toEqual([])
  })
})

describe('while a command runs', () => {
  const moved = (index: number) =>
    produceOnly({
      lifeSeconds: 4,
      properties: { ...aConnection(now()).properties, 'bootstrap.servers': `kafka-${index}.acme.com:9093` },
    })

  test('its files follow what Switchboard says, also after an outage', async () => {
    switchboard.follow(answering((index) => (index === 1 ? { status: 500, body: 'down' } : moved(index))))
    const running = start(goOn)
    await until('the command runs', () => running.out().includes('.properties'))
    const file = running.out().trim()
    expect(readFileSync(file, 'utf8')).toContain('bootstrap.servers=kafka-0.acme.com:9093\n')
    await until('the outage is told', () => running.err().includes('not renewed, going on with what is held'))
    expect(readFileSync(file, 'utf8')).toContain('bootstrap.servers=kafka-0.acme.com:9093\n')
    await until('the file follows', () => !readFileSync(file, 'utf8').includes('kafka-0.acme.com'))
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const there = ['channels.json', 'producer.librdkafka.json', 'producer.properties']
    // a next file is beside them for as long as it is being written
    await until('only its files are there', () => `${readdirSync(dirname(file)).sort()}` === `${there}`)
    running.kill('SIGTERM')
    expect((await running.ended).code).toBe(143)
  })

  test('its files stay when Switchboard says that nothing changed', async () => {
    switchboard.follow(
      answering((index) => {
        const { body, ...rest } = produceOnly({ etag: '"one"', lifeSeconds: 60 })
        const lease = {
          id: 'lease_1',
          refreshAfter: new Date(Date.now() + 1_000),
          expiresAt: new Date(Date.now() + 60_000),
        }
        return index === 0
          ? { ...rest, body: { ...(body as object), lease } }
          : { status: 304, headers: { etag: '"one"' } }
      }),
    )
    const running = start(goOn)
    await until('the command runs', () => running.out().includes('.properties'))
    const file = running.out().trim()
    const before = statSync(file)
    await until('two renewals', () => switchboard.requests.length >= 3)
    expect(switchboard.requests[2]).toMatchObject({ headers: { 'if-none-match': '"one"' }, body: { lease: 'lease_1' } })
    expect(statSync(file)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs })
    running.kill('SIGTERM')
    await running.ended
  })

  test('another one beside it has its own files and its own instance', async () => {
    const both = [start(goOn), start(goOn)]
    await until('both run', () => both.every((running) => running.out().includes('.properties')))
    const [one, other] = both.map((running) => running.out().trim())
    expect(one).not.toBe(other)
    const instances = switchboard.requests.map(({ body }) => (body.client as { instance: string }).instance)
    expect(new Set(instances).size).toBe(2)
    both[0]?.kill('SIGTERM')
    await both[0]?.ended
    expect(existsSync(one ?? '')).toBe(false)
    expect(existsSync(other ?? '')).toBe(true)
    both[1]?.kill('SIGTERM')
    await both[1]?.ended
    expect(foldersLeft()).toEqual([])
  })
})
