import { once } from 'node:events'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import type { Connection } from '@switchboard-kafka/client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseServiceArguments } from '../../../cli/service/arguments.ts'
import {
  type Check,
  checkClock,
  checkGroup,
  checkListener,
  checkToken,
  checkTopic,
  failed,
  hasFailed,
  ok,
  renderChecks,
  skipped,
} from '../../../cli/service/checks.ts'
import { type DoctorDeps, diagnose } from '../../../cli/service/doctor.ts'
import { parseAddresses, reachListener, textOf } from '../../../cli/service/reach.ts'
import { createAuthority } from '../../../local/certificates.ts'
import { anAnswer, created } from '../../../sdk/js/test/answers.ts'
import {
  problem,
  type Script,
  type SimulatedReply,
  type SimulatedSwitchboard,
  startSimulatedSwitchboard,
} from '../../../sdk/js/test/simulated-switchboard.ts'
import { aFolder, runHere } from './a-command.ts'

const now = new Date('2026-11-21T12:00:00.000Z')
const inSeconds = (seconds: number): number => now.getTime() / 1000 + seconds

const aToken = (claims: object, header: object = { alg: 'ES256' }): string =>
  [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
    .concat('.signature')
const claims = { iss: 'https://issuer.acme.com', aud: 'switchboard', sub: 'orders-api', exp: inSeconds(600) }

describe('a token', () => {
  test('that is good is told by what it says, and by who may read it', () => {
    const token = aToken(claims)
    const check = checkToken(`${token}\n`, 0o100600, now)
    expect(check).toEqual(
      ok('token', 'ends in 10 min; issuer `https://issuer.acme.com`, audience `switchboard`, subject `orders-api`'),
    )
    expect(checkToken(token, 0o100644, now).found).toContain('others may read the file (mode 0644)')
    expect(checkToken(token, undefined, now)).toEqual(check)
  })

  test.each([
    ['is empty', ' \n', 'it is empty'],
    ['is no JWT', 'hunter2', 'it is no JWT'],
    ['is no JWT with three parts', 'hunter2.hunter2.hunter2', 'it is no JWT'],
    ['is encrypted', 'a.b.c.d.e', 'it is no JWT'],
    ['has ended', aToken({ ...claims, exp: inSeconds(-30) }), 'it ended 30 s ago'],
    ['ends now', aToken({ ...claims, exp: inSeconds(0) }), 'it ended 0 s ago'],
    ['has no end', aToken({ ...claims, exp: undefined }), 'it has no end'],
    ['is for later', aToken({ ...claims, nbf: inSeconds(60) }), 'it is not valid yet'],
  ])('that %s fails, says what to do, and is not shown', (_, token, found) => {
    const check = checkToken(token, undefined, now)
    expect(check).toMatchObject({ outcome: 'failed', found: expect.stringContaining(found), next: expect.any(String) })
    expect(JSON.stringify(check)).not.toContain('hunter2')
    expect(JSON.stringify(check)).not.toContain('signature')
  })

  test('with claims of any type, or none, is no surprise', () => {
    for (const value of [null, 1, [], {}, 'a', ['switchboard', 'other']])
      expect(
        checkToken(aToken({ exp: inSeconds(60), iss: value, aud: value, sub: value }), undefined, now).outcome,
      ).toBe('ok')
    expect(checkToken(aToken({ exp: inSeconds(60) }), undefined, now).found).toContain('issuer none')
  })
})

test('a clock may be as far off as Switchboard forgives', () => {
  expect(checkClock(undefined).outcome).toBe('skipped')
  expect(checkClock(-30_000)).toEqual(ok('clock', 'within 30 s of Switchboard'))
  expect(checkClock(31_000)).toMatchObject({ outcome: 'failed', found: '31 s behind Switchboard' })
  expect(checkClock(-120_000)).toMatchObject({ outcome: 'failed', found: '120 s ahead of Switchboard' })
})

describe('a listener', () => {
  const at = { security: 'SASL_SSL', isAdvertised: true, credential: 'jwt' } as const

  test('is well when a client can log in there', () => {
    expect(checkListener('broker 1', { step: 'login' }, at)).toEqual(ok('broker 1', 'DNS, TCP, TLS, login'))
    expect(checkListener('broker 1', { step: 'login' }, { ...at, security: 'SASL_PLAINTEXT' }).found).toBe(
      'DNS, TCP, login',
    )
  })

  test.each([
    ['dns', 'ENOTFOUND', 'DNS of this machine', '--network'],
    ['tcp', 'ETIMEDOUT', 'firewalls', '--network'],
    ['tcp', 'ECONNREFUSED', 'nothing listens there', '--network'],
    ['tls', 'SELF_SIGNED_CERT_IN_CHAIN', 'not of an authority', '`ca` of the cluster'],
    ['tls', 'EPROTO', 'may not speak TLS', '`SASL_SSL`'],
    ['sasl', 'refused', 'refuses our token', 'trusts the issuer'],
    ['sasl', undefined, 'OAUTHBEARER', '`SASL_SSL`'],
  ] as const)('that fails at %s with %s has its own advice', (step, code, advice, hint) => {
    const check = checkListener('broker 1', { step, code, detail: code ?? 'closed' }, at)
    expect(check).toMatchObject({ outcome: 'failed', found: expect.stringContaining(code ?? 'closed') })
    expect(check.next).toContain(advice)
    expect(check.next).toContain(hint)
  })
})

describe('a listener of a provider', () => {
  test('on Confluent Cloud that refuses our token has the pool named whose filter does not take it', () => {
    const at = { security: 'SASL_SSL', isAdvertised: false, credential: 'jwt', identityPool: 'pool-3c4d' } as const
    const { next } = checkListener(
      'broker 1',
      { step: 'sasl', code: 'refused', detail: 'the broker refused the token' },
      at,
    )
    expect(next).toContain('`switchboard confluent setup`')
    expect(next).toContain('`pool-3c4d`')
    expect(checkListener('broker 1', { step: 'dns', code: 'ENOTFOUND', detail: 'ENOTFOUND' }, at).next).not.toContain(
      'pool',
    )
  })

  test('on MSK that refuses our token says what may deny the role, and nothing of our keys', () => {
    const at = { security: 'SASL_SSL', isAdvertised: false, credential: 'msk-iam' } as const
    const { next } = checkListener('broker 1', { step: 'sasl', code: 'refused', detail: 'refused' }, at)
    expect(next).toMatch(/takes IAM.*does not deny the role.*clocks/)
    expect(next).not.toMatch(/issuer|JWKS/)
  })
})

describe('a listener that takes stored credentials', () => {
  const at = { security: 'SASL_SSL', isAdvertised: false, credential: 'scram' } as const

  test.each([
    ['refused', '`switchboard credentials`'],
    [undefined, 'SCRAM-SHA-512'],
  ])('and fails at its login with %s has its own advice, which says nothing of tokens', (code, advice) => {
    const check = checkListener('broker 1', { step: 'sasl', code, detail: code ?? 'closed' }, at)
    expect(check.next).toContain(advice)
    expect(check.next).not.toMatch(/token|OAUTHBEARER|issuer/)
  })
})

describe('the access on the cluster', () => {
  const read = 1 << 3
  const write = 1 << 4

  test('is what the cluster itself says', () => {
    expect(checkTopic('t', ['write'], { errorCode: 0, operations: write })).toEqual(ok('t', 'may write'))
    expect(checkTopic('t', ['write', 'read'], { errorCode: 0, operations: read | write }).found).toBe(
      'may write and read',
    )
    expect(checkTopic('t', ['write', 'read'], { errorCode: 0, operations: read })).toMatchObject({
      outcome: 'failed',
      found: 'write is not allowed there',
    })
    expect(checkTopic('t', ['read'], { errorCode: 29, operations: 0 }).found).toBe('read is not allowed there')
    expect(checkTopic('t', ['read'], { errorCode: 3, operations: 0 }).next).toContain('makes the topic')
    expect(checkTopic('t', ['read'], { errorCode: 7, operations: read }).outcome).toBe('failed')
    // KIP-430: the broker did not say
    expect(checkTopic('t', ['read'], { errorCode: 0, operations: -2_147_483_648 }).outcome).toBe('failed')
  })

  test('is asked for a group as well', () => {
    expect(checkGroup('g', { errorCode: 0, operations: read }).outcome).toBe('ok')
    expect(checkGroup('g', { errorCode: 0, operations: write }).outcome).toBe('failed')
    expect(checkGroup('g', { errorCode: 30, operations: 0 }).found).toBe('joining is not allowed there')
  })
})

test('the table has what to do below each line that failed', () => {
  const checks = [ok('one', 'well'), failed('two', 'bad\u001b[31m', 'mend it'), skipped('three', 'later')]
  expect(renderChecks(checks)).toEqual([
    'CHECK  RESULT   FOUND',
    'one    ok       well',
    'two    failed   bad?[31m',
    '  next: mend it',
    'three  skipped  later',
    '',
    '1 ok, 1 failed, 1 skipped',
  ])
  expect(hasFailed(checks)).toBe(true)
  expect(hasFailed([ok('one', 'well'), skipped('three', 'later')])).toBe(false)
})

describe('the way to a listener', () => {
  const servers: Server[] = []
  const listening = async (server: Server): Promise<{ host: string; port: number }> => {
    // whoever looks and goes resets some connections
    server.on('connection', (socket) => socket.on('error', () => {}))
    servers.push(server.listen(0, '127.0.0.1'))
    await once(server, 'listening')
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  }
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })

  test('is open where somebody listens', async () => {
    expect(await reachListener(await listening(createServer()), undefined, 2_000)).toBeUndefined()
  })

  test('ends at DNS, at a closed port, or where nobody speaks TLS', async () => {
    expect(await reachListener({ host: 'nowhere.invalid', port: 1 }, undefined, 2_000)).toMatchObject({ step: 'dns' })
    const closed = createServer()
    const address = await listening(closed)
    closed.close()
    await once(closed, 'close')
    expect(await reachListener(address, undefined, 2_000)).toMatchObject({ step: 'tcp', code: 'ECONNREFUSED' })
    const plain = await listening(createServer((socket) => socket.end('no TLS here')))
    expect(await reachListener(plain, '', 2_000)).toMatchObject({ step: 'tls' })
    const silent = await listening(createServer())
    expect(await reachListener(silent, '', 200)).toMatchObject({ step: 'tls', code: 'ETIMEDOUT' })
  })

  test('asks for a certificate of the authority that the answer names', async () => {
    const [ours, theirs] = await Promise.all([createAuthority(), createAuthority()])
    const { key, certificate } = await ours.issue('localhost')
    const address = await listening(createTlsServer({ key, cert: certificate }))
    expect(await reachListener(address, ours.certificate, 2_000)).toBeUndefined()
    expect(await reachListener(address, theirs.certificate, 2_000)).toMatchObject({ step: 'tls' })
  })

  test('is read from bootstrap servers', () => {
    const addresses = parseAddresses('a.acme.com:9092, [2001:db8::1]:9093,')
    expect(addresses).toEqual([
      { host: 'a.acme.com', port: 9092 },
      { host: '2001:db8::1', port: 9093 },
    ])
    expect(addresses.map(textOf)).toEqual(['a.acme.com:9092', '[2001:db8::1]:9093'])
  })
})

describe('a diagnosis', () => {
  let switchboard: SimulatedSwitchboard
  let clock = () => new Date()
  let folder = ''
  let tokenFile = ''

  const health: SimulatedReply = { status: 200, body: { status: 'ok', revision: 1 } }
  /** Simulated: what each path answers, from a script. */
  const answering =
    (resolve: SimulatedReply, others: Readonly<Record<string, SimulatedReply>> = {}): Script =>
    ({ path = '', method }) =>
      others[path] ?? (path === '/v1/health' ? health : method === 'DELETE' ? { status: 204 } : resolve)
  const kafkaIsWell = {
    checkConnection: async () => [ok('payments broker 1', 'DNS, TCP, TLS, login')],
  }
  const diagnoseWith = (
    argv: readonly string[] = ['--produce', created],
    kafkaChecks: Awaited<ReturnType<DoctorDeps['loadKafkaChecks']>> = kafkaIsWell,
    readSecret: DoctorDeps['readSecret'] = () => Promise.reject(new Error('there is no secret')),
  ) =>
    diagnose(
      parseServiceArguments(
        'doctor',
        argv,
        { SWITCHBOARD_URL: switchboard.url, SWITCHBOARD_TOKEN_FILE: tokenFile },
        { host: 'pod', pid: 1 },
      ),
      { fetch, clock: () => new Date(), loadKafkaChecks: async () => kafkaChecks, readSecret },
    )
  const outcomes = (checks: readonly Check[]) => Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome]))
  const lineOf = (checks: readonly Check[], name: string) => checks.find((check) => check.name === name)

  beforeAll(async () => {
    switchboard = await startSimulatedSwitchboard(
      () => clock(),
      () => ({ status: 500 }),
    )
  })
  afterAll(() => switchboard.close())
  beforeEach(() => {
    clock = () => new Date()
    switchboard.requests.length = 0
    switchboard.follow(answering(anAnswer(new Date(), { consumer: undefined })))
    folder = aFolder()
    tokenFile = join(folder, 'token')
    writeFileSync(tokenFile, aToken({ ...claims, exp: Date.now() / 1000 + 600 }), { mode: 0o600 })
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  test('that finds everything well gives its lease back', async () => {
    expect(outcomes(await diagnoseWith())).toEqual({
      token: 'ok',
      switchboard: 'ok',
      clock: 'ok',
      identity: 'ok',
      lease: 'ok',
      'payments broker 1': 'ok',
    })
    expect(switchboard.requests.at(-1)).toMatchObject({ method: 'DELETE', path: '/v1/leases/lease_1' })
  })

  describe('of a cluster that hands out where its passwords are', () => {
    const user = { mechanism: 'SCRAM-SHA-512', username: 'sb.orders-api@a', slot: 'a' }
    const reference = {
      kind: 'reference',
      ...user,
      arn: 'arn:aws:secretsmanager:eu-west-1:1:secret:x',
      versionId: 'v1',
    }
    const logsIn = {
      checkConnection: async ({ credential, password }: Connection) => [
        ok(
          'payments broker 1',
          `${credential.kind} ${password() === 'the password' ? 'with' : 'without'} its password`,
        ),
      ],
    }
    beforeEach(() => {
      switchboard.follow(answering(anAnswer(new Date(), { consumer: undefined, credential: reference })))
    })

    test('reads the secret as a client would, and then tries the brokers', async () => {
      const secret = JSON.stringify({ a: { username: 'sb.orders-api@a', password: 'the password' } })
      const checks = await diagnoseWith(undefined, logsIn, async () => secret)
      expect(lineOf(checks, 'payments secret')).toMatchObject({ outcome: 'ok' })
      expect(lineOf(checks, 'payments broker 1')).toEqual(ok('payments broker 1', 'scram with its password'))
      expect(JSON.stringify(checks)).not.toContain('the password')
      expect(switchboard.requests.at(-1)).toMatchObject({ method: 'DELETE' })
    })

    test('says whose rights are missing when it cannot, and tries no broker', async () => {
      const denied = Object.assign(new Error('User: arn:aws:iam::1:user/x is not'), { name: 'AccessDeniedException' })
      const checks = await diagnoseWith(undefined, logsIn, () => Promise.reject(denied))
      expect(lineOf(checks, 'payments secret')).toMatchObject({
        outcome: 'failed',
        found: `${reference.arn} cannot be read: AccessDeniedException`,
        next: expect.stringContaining('secretsmanager:GetSecretValue'),
      })
      expect(lineOf(checks, 'payments brokers and topics')?.outcome).toBe('skipped')
      expect(outcomes(checks)).toMatchObject({ identity: 'ok', lease: 'ok' })
      expect(switchboard.requests.at(-1)).toMatchObject({ method: 'DELETE' })
    })
  })

  test('without a channel goes as far as it can', async () => {
    expect(outcomes(await diagnoseWith([]))).toMatchObject({ switchboard: 'ok', lease: 'skipped' })
  })

  test('of a token file that is not there goes on with what can still be known', async () => {
    rmSync(tokenFile)
    const checks = await diagnoseWith()
    expect(lineOf(checks, 'token')).toMatchObject({ outcome: 'failed', found: `cannot read \`${tokenFile}\` (ENOENT)` })
    expect(outcomes(checks)).toMatchObject({ switchboard: 'ok', clock: 'ok', identity: 'skipped', lease: 'failed' })
  })

  test('of somebody whom Switchboard does not know has the request id', async () => {
    switchboard.follow(answering(problem(401, 'unauthenticated')))
    const checks = await diagnoseWith()
    expect(outcomes(checks)).toMatchObject({ token: 'ok', identity: 'failed', lease: 'skipped' })
    expect(lineOf(checks, 'identity')?.next).toContain('`switchboard why req-1`')
  })

  test('of somebody without a grant names the channels and the reason that the caller may know', async () => {
    switchboard.follow(
      answering(problem(403, 'access_denied'), {
        '/v1/explain': {
          status: 200,
          body: { wishes: [{ action: 'produce', asked: created, outcome: 'denied', reason: 'no_grant' }] },
        },
      }),
    )
    const checks = await diagnoseWith()
    expect(outcomes(checks)).toMatchObject({ identity: 'ok', lease: 'failed' })
    expect(lineOf(checks, 'lease')?.found).toContain(`produce ${created}: no_grant`)
  })

  test('of a clock that is off says by how much, and judges the token by the time of Switchboard', async () => {
    clock = () => new Date(Date.now() + 700_000)
    const checks = await diagnoseWith()
    expect(lineOf(checks, 'clock')).toMatchObject({
      outcome: 'failed',
      found: expect.stringMatching(/^(699|700|701) s behind/),
    })
    expect(lineOf(checks, 'token')).toMatchObject({ outcome: 'failed', found: expect.stringContaining('it ended') })
  })

  test.each([
    ['somebody else answers', { status: 404, body: '<html>' }, 'base URL'],
    ['a proxy answers for it', { status: 200, body: '<html>' }, 'base URL'],
    ['it is not well', { status: 503, body: {} }, 'logs of resolve'],
    ['it hangs up', { status: 200, hangUp: true }, 'see that it is up'],
  ])('when %s', async (_, reply, advice) => {
    switchboard.follow(answering(problem(503, 'unavailable'), { '/v1/health': reply }))
    const checks = await diagnoseWith(['--produce', created, '--wait', '1'])
    expect(lineOf(checks, 'switchboard')).toMatchObject({ outcome: 'failed', next: expect.stringContaining(advice) })
    expect(outcomes(checks).lease).not.toBe('ok')
  })

  test('of a cluster that the Kafka part could not look at still says the rest', async () => {
    const broken = { checkConnection: () => Promise.reject(new Error('simulated')) }
    const checks = await diagnoseWith(undefined, broken)
    expect(outcomes(checks)).toMatchObject({ lease: 'ok', payments: 'failed' })
    expect(switchboard.requests.at(-1)?.method).toBe('DELETE')
  })

  test('ends with 1 when a line failed, as a table and as JSON, without the token', async () => {
    const env = { SWITCHBOARD_URL: switchboard.url, SWITCHBOARD_TOKEN_FILE: tokenFile }
    switchboard.follow(answering(problem(403, 'access_denied')))
    const table = await runHere('doctor', ['--produce', created], env)
    expect(table).toMatchObject({ code: 1, out: expect.stringMatching(/lease +failed .*\n {2}next: ask for a grant/) })
    const json = await runHere('doctor', ['--produce', created, '--json'], env)
    expect(json.code).toBe(1)
    expect(JSON.parse(json.out)).toContainEqual(expect.objectContaining({ name: 'lease', outcome: 'failed' }))
    expect(await runHere('doctor', [], env)).toMatchObject({ code: 0 })
    expect(table.out + json.out).not.toContain('signature')
  })

  test.skipIf(process.getuid?.() === 0)('of a token file that this user may not read', async () => {
    chmodSync(tokenFile, 0)
    expect(lineOf(await diagnoseWith(), 'token')?.next).toContain('may read it')
  })
})
