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
import { until } from '../../fixtures/until.ts'
import { aFolder, startCommand } from './a-command.ts'

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

const start = (
  words: readonly string[],
  env: Record<string, string> = { SWITCHBOARD_TOKEN_FILE: tokenFile },
  options: readonly string[] = [],
) =>
  startCommand(['exec', '--url', switchboard.url, '--produce', created, ...options, '--', ...words], {
    TMPDIR: folder,
    ...env,
  })

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

test('a command has the object for the client of the schema registry, where that gets in', async () => {
  const url = 'https://registry.acme.com'
  const answerWith = (credential: object, members: object = {}) =>
    switchboard.follow(answering(() => produceOnly({ schemaRegistry: { url, ...members, credential } })))
  const show = script(`
    import { readFileSync } from 'node:fs'
    console.log(readFileSync(process.env.SWITCHBOARD_SCHEMA_REGISTRY_FILE ?? '/dev/null', 'utf8'))
  `)
  const shown = async (env?: Record<string, string>) => (await start(show, env).ended).out.trim()

  answerWith({ kind: 'basic', username: 'orders-api', password: 'p' })
  expect(JSON.parse(await shown())).toEqual({ url, 'basic.auth.user.info': 'orders-api:p' })
  const token = { kind: 'jwt', token: 'a.b.c', expiresAt: new Date(Date.now() + 600_000).toISOString() }
  answerWith(token, { logicalCluster: 'lsrc-1', identityPoolId: 'pool-1' })
  expect(await shown()).toBe('')
  const asClient = { SWITCHBOARD_CLIENT_ID: 'legacy', SWITCHBOARD_CLIENT_SECRET: 'hunter2' }
  expect(JSON.parse(await shown(asClient))).toMatchObject({
    url,
    'bearer.auth.credentials.source': 'OAUTHBEARER',
    'bearer.auth.client.id': 'legacy',
    'bearer.auth.logical.cluster': 'lsrc-1',
  })
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

describe('when the stored credential is replaced', () => {
  const inSlot = (slot: 'a' | 'b', password = `password-of-${slot}`, bootstrap = 'kafka-1.acme.com:9093') =>
    produceOnly({
      lifeSeconds: 2,
      properties: {
        ...aConnection(now()).properties,
        'sasl.mechanism': 'SCRAM-SHA-512',
        'bootstrap.servers': bootstrap,
      },
      credential: {
        kind: 'scram',
        mechanism: 'SCRAM-SHA-512',
        username: `sb.orders-api.${slot}`,
        password,
        slot,
      },
    })
  /** Says what its file says, and then goes on until SIGTERM, of which it says that it came. */
  const service = script(`
    import { readFileSync } from 'node:fs'
    const { 'sasl.username': user } = JSON.parse(readFileSync(process.env.SWITCHBOARD_LIBRDKAFKA_FILE, 'utf8'))
    process.on('SIGTERM', () => { console.log('ended ' + user); process.exit(9) })
    process.on('SIGHUP', () => console.log('read again'))
    console.log('started ' + user)
    setTimeout(() => {}, 30_000)`)
  const stubborn = script(`
    process.on('SIGTERM', () => console.log('no'))
    console.log('started')
    setTimeout(() => {}, 30_000)`)
  const asFile = () => ({ SWITCHBOARD_TOKEN_FILE: tokenFile })
  const moves = (): readonly unknown[] =>
    switchboard.requests.flatMap(({ body }) => (body.moved === undefined ? [] : [body.moved]))
  const countOf = (text: string, part: string): number => text.split(part).length - 1

  test('its files keep the user that it started with, and follow in everything else', async () => {
    switchboard.follow(answering((index) => (index === 0 ? inSlot('a') : inSlot('b', undefined, 'kafka-9.acme.com:1'))))
    const running = start(goOn)
    await until('the command runs', () => running.out().includes('.properties'))
    const file = running.out().trim()
    await until('the file follows', () => readFileSync(file, 'utf8').includes('kafka-9.acme.com:1'))
    await until('another renewal', () => switchboard.requests.length >= 4)
    expect(readFileSync(file, 'utf8')).toMatch(/username="sb\.orders-api\.a" password="password-of-a"/)
    expect(running.err()).toContain('there is another credential for `payments`; the command keeps what it has')
    expect(moves()).toEqual([])
    running.kill('SIGTERM')
    expect((await running.ended).code).toBe(143)
  })

  test('it is ended and started with the next user, and Switchboard is told, each time', async () => {
    let slot: 'a' | 'b' = 'a'
    switchboard.follow(answering(() => inSlot(slot)))
    const running = start(service, asFile(), ['--restart'])
    for (const next of ['b', 'a', 'b'] as const) {
      const before = slot
      await until('it runs', () => running.out().trimEnd().endsWith(`started sb.orders-api.${before}`))
      slot = next
      await until('it was told', () => (moves().at(-1) as { payments?: string } | undefined)?.payments === next)
    }
    await until('it runs', () => countOf(running.out(), 'started') === 4)
    running.kill('SIGHUP')
    await until('its signals reach it', () => running.out().includes('read again'))
    expect(readdirSync(join(folder, foldersLeft()[0] ?? ''))).toEqual(['4'])
    running.kill('SIGTERM')
    const { code, out, err } = await running.ended
    expect(code).toBe(9)
    expect(out.trim().split('\n')).toEqual(
      ['a', 'b', 'a', 'b'].flatMap((each, at) => [
        `started sb.orders-api.${each}`,
        ...(at === 3 ? ['read again'] : []),
        `ended sb.orders-api.${each}`,
      ]),
    )
    expect(moves()).toEqual([{ payments: 'b' }, { payments: 'a' }, { payments: 'b' }])
    expect(out + err).not.toContain('password-of')
    expect(foldersLeft()).toEqual([])
    expect(released()).toBe(true)
  })

  test('it is also started anew when its slot has another password, as after a long outage', async () => {
    switchboard.follow(answering((index) => inSlot('a', index === 0 ? 'first' : 'second')))
    const running = start(service, asFile(), ['--restart'])
    await until('it runs again', () => countOf(running.out(), 'started') === 2)
    running.kill('SIGTERM')
    expect((await running.ended).code).toBe(9)
  })

  test('it is killed when it does not end, and started all the same', async () => {
    switchboard.follow(answering((index) => inSlot(index === 0 ? 'a' : 'b')))
    const running = start(stubborn, asFile(), ['--restart', '--stop-timeout', '1'])
    await until('it runs again', () => countOf(running.out(), 'started') === 2)
    expect(running.out()).toBe('started\nno\nstarted\n')
    expect(running.err()).toContain('the command did not end within 1 s of SIGTERM and is killed')
    running.kill('SIGINT')
    expect((await running.ended).code).toBe(130)
  })

  test('it is not told to have moved before it has ended', async () => {
    switchboard.follow(answering((index) => inSlot(index === 0 ? 'a' : 'b')))
    const running = start(stubborn, asFile(), ['--restart', '--stop-timeout', '4'])
    await until('it is asked to end', () => running.out().includes('no'))
    const asked = switchboard.requests.length
    await until('two renewals', () => switchboard.requests.length >= asked + 2)
    expect(moves()).toEqual([])
    await until('it is told', () => moves().length > 0)
    expect(running.err()).toContain('is killed')
    running.kill('SIGINT')
    await running.ended
  })

  test.each(['SIGTERM', 'SIGHUP'] as const)('it is not started again when %s comes while it ends', async (signal) => {
    const polite = script(`
        process.on('SIGTERM', () => { console.log('ending'); setTimeout(() => process.exit(5), 1_500) })
        process.on('SIGHUP', () => {})
        console.log('started')
        setTimeout(() => {}, 30_000)`)
    switchboard.follow(answering((index) => inSlot(index === 0 ? 'a' : 'b')))
    const running = start(polite, asFile(), ['--restart'])
    await until('it ends', () => running.out().includes('ending'))
    running.kill(signal)
    const { code, out } = await running.ended
    expect(code).toBe(5)
    expect(countOf(out, 'started')).toBe(1)
    expect(foldersLeft()).toEqual([])
  })

  test('it is not started again when it was told to end before', async () => {
    const slow = script(`
      process.on('SIGTERM', () => { setTimeout(() => process.exit(5), 3_000) })
      console.log('started')
      setTimeout(() => {}, 30_000)`)
    switchboard.follow(answering((index) => inSlot(index === 0 ? 'a' : 'b')))
    const running = start(slow, asFile(), ['--restart'])
    await until('it runs', () => running.out().includes('started'))
    running.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ code: 5, out: 'started\n' })
    expect(running.err()).toContain('there is another credential')
  })

  test('it is not started again when it has ended by itself', async () => {
    switchboard.follow(answering((index) => inSlot(index === 0 ? 'a' : 'b')))
    const brief = script("console.log('started'); setTimeout(() => process.exit(6), 500)")
    const running = start(brief, asFile(), ['--restart'])
    expect(await running.ended).toMatchObject({ code: 6, out: 'started\n' })
  })

  test('it goes on as it is when the next files cannot be written, until they can', async () => {
    let slot: 'a' | 'b' = 'a'
    let isRenewed = true
    switchboard.follow(
      answering(() => {
        if (!isRenewed) return { status: 503 }
        isRenewed = slot === 'a'
        return inSlot(slot)
      }),
    )
    const running = start(service, asFile(), ['--restart'])
    await until('it runs', () => running.out().includes('started'))
    const home = join(folder, foldersLeft()[0] ?? '')
    // in the place of the folder of its next life, and of the one after it: a renewal is two events, and each tries
    for (const name of ['2', '3']) writeFileSync(join(home, name), '')
    slot = 'b'
    await until('it is told', () => running.err().includes('files not renewed'))
    expect(running.out()).toBe('started sb.orders-api.a\n')
    expect(moves()).toEqual([])
    switchboard.follow(answering(() => inSlot('b')))
    await until('it is started anew', () => running.out().includes('started sb.orders-api.b'))
    running.kill('SIGTERM')
    expect((await running.ended).code).toBe(9)
  })
})
