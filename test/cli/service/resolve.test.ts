import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { anAnswer, created } from '../../../sdk/js/test/answers.ts'
import {
  problem,
  type SimulatedSwitchboard,
  startSimulatedSwitchboard,
} from '../../../sdk/js/test/simulated-switchboard.ts'
import { aFolder, runHere, startCommand } from './a-command.ts'

// The command against a Switchboard that is simulated: it answers from a script.

const now = () => new Date()
let switchboard: SimulatedSwitchboard
let folder = ''
let tokenFile = ''

beforeAll(async () => {
  switchboard = await startSimulatedSwitchboard(now, () => anAnswer(now()))
})
afterAll(() => switchboard.close())
beforeEach(() => {
  switchboard.follow(() => anAnswer(now(), { consumer: undefined }))
  switchboard.requests.length = 0
  folder = aFolder()
  tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, 'workload-token-1\n')
})
afterEach(() => rmSync(folder, { recursive: true }))

const environment = () => ({ SWITCHBOARD_URL: switchboard.url, SWITCHBOARD_TOKEN_FILE: tokenFile })
const resolve = (...argv: string[]) => runHere('resolve', ['--produce', created, ...argv], environment())

test('what is piped is the answer, with all that it has', async () => {
  const argv = ['resolve', '--produce', created, '--instance', 'pod-1', '--network', 'vpc-1']
  const { code, out, err } = await startCommand(argv, environment()).ended
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(JSON.parse(out)).toMatchObject({
    lease: { id: 'lease_1' },
    connections: [{ topics: { [created]: 'orders.created' }, credential: { token: 'kafka-token-1' } }],
    directory: 'sha256:00',
  })
  expect(switchboard.requests).toHaveLength(1)
  expect(switchboard.requests[0]).toMatchObject({
    method: 'POST',
    path: '/v1/resolve',
    headers: { authorization: 'Bearer workload-token-1' },
    body: { produce: [created], network: 'vpc-1', client: { instance: 'pod-1' } },
  })
})

test('a terminal shows what the lease gives, and no token', async () => {
  const { out } = await runHere('resolve', ['--produce', created], environment(), { isTerminal: true })
  expect(out).toMatch(/^lease lease_1, until /)
  expect(out).toContain('orders.created')
  expect(out).toContain('kafka-1.acme.com:9093')
  expect(out).not.toMatch(/kafka-token-1|workload-token-1|BEGIN CERTIFICATE/)
})

test('a client proves itself with its id and secret', async () => {
  const { code } = await runHere('resolve', ['--produce', created], {
    SWITCHBOARD_URL: switchboard.url,
    SWITCHBOARD_CLIENT_ID: 'legacy',
    SWITCHBOARD_CLIENT_SECRET: 'pässword:1',
  })
  expect(code).toBe(0)
  expect(switchboard.requests[0]?.headers.authorization).toBe(
    `Basic ${Buffer.from('legacy:pässword:1').toString('base64')}`,
  )
})

describe('a file', () => {
  const out = () => join(folder, 'client.conf')

  test('for Java, for its owner alone', async () => {
    const { code, out: printed } = await resolve('--format', 'java', '--out', out())
    expect({ code, printed }).toEqual({ code: 0, printed: '' })
    expect(statSync(out()).mode & 0o777).toBe(0o600)
    const text = readFileSync(out(), 'utf8')
    expect(text).toContain(`allowed.files=${tokenFile}`)
    expect(text).toContain('bootstrap.servers=kafka-1.acme.com:9093,kafka-2.acme.com:9093\n')
    expect(text).toContain('sasl.oauthbearer.scope=kafka:payments\n')
    expect(text).not.toMatch(/workload-token-1|kafka-token-1/)
    expect(readdirSync(folder).sort()).toEqual(['client.conf', 'token'])
  })

  test('for librdkafka, in its own names', async () => {
    const { out: printed } = await resolve('--format', 'librdkafka')
    expect(JSON.parse(printed)).toMatchObject({
      'sasl.oauthbearer.method': 'oidc',
      'sasl.oauthbearer.assertion.file': tokenFile,
      'ssl.ca.pem': expect.stringContaining('BEGIN CERTIFICATE'),
    })
  })

  test('for kcat has its certificates beside it', async () => {
    const { code } = await resolve('--format', 'kcat', '--out', out())
    expect(code).toBe(0)
    expect(readFileSync(out(), 'utf8')).toContain(`ssl.ca.location=${out()}.ca.pem\n`)
    expect(readFileSync(`${out()}.ca.pem`, 'utf8')).toContain('BEGIN CERTIFICATE')
    expect(statSync(`${out()}.ca.pem`).mode & 0o777).toBe(0o600)
  })

  test('stays as it was when Switchboard refuses, and when there is no place for it', async () => {
    writeFileSync(out(), 'old')
    switchboard.follow(() => problem(403, 'access_denied'))
    expect((await resolve('--format', 'java', '--out', out())).code).toBe(1)
    expect(readFileSync(out(), 'utf8')).toBe('old')

    switchboard.follow(() => anAnswer(now(), { consumer: undefined }))
    mkdirSync(join(folder, 'inner'))
    const { code, err } = await resolve('--format', 'java', '--out', join(folder, 'inner'))
    expect({ code, err }).toEqual({ code: 1, err: `\`${join(folder, 'inner')}\` is no file\n` })
    expect(readdirSync(folder).sort()).toEqual(['client.conf', 'inner', 'token'])
  })

  test('is for one role and one cluster, which have to be named when there are several', async () => {
    switchboard.follow(() => anAnswer(now()))
    expect(await resolve('--format', 'java')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--role producer'),
    })
    expect((await resolve('--format', 'java', '--role', 'consumer')).out).toContain('group.id=orders-api\n')

    const { body } = anAnswer(now(), { consumer: undefined })
    const { connections, ...rest } = body as { connections: { cluster: object }[] }
    const other = { ...connections[0], cluster: { name: 'analytics', provider: 'kafka' } }
    switchboard.follow(() => ({ status: 200, body: { ...rest, connections: [...connections, other] } }))
    expect(await resolve('--format', 'java')).toMatchObject({
      code: 2,
      err: expect.stringContaining('name it with --cluster: `payments`, `analytics`'),
    })
    expect((await resolve('--format', 'java', '--cluster', 'analytics')).out).toContain('scope=kafka:analytics\n')
    expect((await resolve('--format', 'java', '--cluster', 'none')).code).toBe(2)
  })
})

describe('one line says what to do', () => {
  test('when the access is not there yet: it waits as asked, and not longer than --wait', async () => {
    switchboard.follow((_, index) =>
      index === 0
        ? problem(503, 'credential_not_ready', { headers: { 'retry-after': '1' } })
        : anAnswer(now(), { consumer: undefined }),
    )
    expect(await resolve()).toMatchObject({ code: 0, err: expect.stringMatching(/^switchboard: waiting: .*503/) })

    switchboard.follow(() => problem(503, 'credential_not_ready', { headers: { 'retry-after': '30' } }))
    const { code, err } = await resolve('--wait', '2')
    expect(code).toBe(1)
    expect(err).toMatch(/`2000` ms.*wait longer with --wait.*switchboard why req-1/)
  })

  test.each([
    [problem(401, 'unauthenticated'), /alive and made for Switchboard.*`switchboard why req-1`/],
    [problem(403, 'access_denied'), /ask for a grant.*`switchboard why req-1`/],
    [{ status: 404, body: '<html>' }, /--url is the base URL/],
    [{ status: 200, body: { lease: {} } }, /malformed answer/],
  ])('when it answers %j', async (reply, line) => {
    switchboard.follow(() => reply)
    const { code, out, err } = await resolve()
    expect({ code, out, lines: err.trimEnd().split('\n').length }).toEqual({ code: 1, out: '', lines: 1 })
    expect(err).toMatch(line)
  })

  test('when there is no token file, naming it, and no token is repeated that is none', async () => {
    rmSync(tokenFile)
    expect(await resolve()).toMatchObject({
      code: 1,
      err: `cannot read the token file \`${tokenFile}\` (ENOENT); mend that and try again\n`,
    })
    writeFileSync(tokenFile, 'hunter2 hunter2')
    const { code, err } = await resolve()
    expect(code).toBe(1)
    expect(err).not.toContain('hunter2')
  })

  test('when nobody answers', async () => {
    const gone = await startSimulatedSwitchboard(now, () => ({ status: 200 }))
    await gone.close()
    const { code, err } = await resolve('--url', gone.url, '--wait', '1')
    expect(code).toBe(1)
    expect(err).toMatch(/ECONNREFUSED|nothing listens there/)
  })
})

test('an answer that speaks to the terminal is not obeyed', async () => {
  const detail = 'gone\u001b[2J\r\nall is well\u009b31m'
  switchboard.follow((_, index) =>
    index === 0
      ? problem(503, 'unavailable', { detail, headers: { 'retry-after': '0' } })
      : problem(403, 'access_denied', { detail }),
  )
  const { err } = await resolve()
  expect(err.match(/gone\?\[2J\?\?all is well\?31m/g)).toHaveLength(2)
  expect(err.replaceAll('\n', '')).not.toMatch(/\p{C}/u)
  expect(err.trimEnd().split('\n')).toHaveLength(2)
})

test('an answer that echoes the token or the secret does not bring it to the terminal', async () => {
  const secret = 'hunter2-hunter2'
  const proof = Buffer.from(`legacy:${secret}`).toString('base64')
  switchboard.follow(({ headers }) => problem(401, 'unauthenticated', { detail: `bad ${headers.authorization}` }))
  const { err } = await runHere('resolve', ['--produce', created], {
    SWITCHBOARD_URL: switchboard.url,
    SWITCHBOARD_CLIENT_ID: 'legacy',
    SWITCHBOARD_CLIENT_SECRET: secret,
  })
  expect(err).toContain('[token]')
  expect(err).not.toContain(secret)
  expect(err).not.toContain(proof)
  expect((await resolve()).err).not.toContain('workload-token-1')
})
