import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SwitchboardError, SwitchboardProblem } from '../src/errors.ts'
import type { Lease, LeaseEvent, LeaseOptions } from '../src/lease.ts'
import { openLease } from '../src/open-lease.ts'
import { aConnection, anAnswer, created, orders } from './answers.ts'
import { createManualClock, type ManualClock, until } from './manual-clock.ts'
import { problem, type Script, type SimulatedSwitchboard, startSimulatedSwitchboard } from './simulated-switchboard.ts'

const workloadToken = 'workload.token.secret'

let clock: ManualClock
let switchboard: SimulatedSwitchboard
let events: LeaseEvent[]
let opened: Lease[]

beforeEach(() => {
  clock = createManualClock()
  events = []
  opened = []
})

afterEach(async () => {
  for (const lease of opened) lease.close()
  await switchboard?.close()
})

const start = async (script: Script): Promise<void> => {
  switchboard = await startSimulatedSwitchboard(clock.now, script)
}

const open = async (options: Partial<LeaseOptions> = {}): Promise<Lease> => {
  const lease = await openLease({
    url: switchboard.url,
    token: workloadToken,
    intent: { produce: [created] },
    instance: 'pod-1',
    clock,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    ...options,
  })
  opened.push(lease)
  return lease
}

/** Opens in the background and hands the outcome over when it is there. */
const opening = (options: Partial<LeaseOptions> = {}): { lease?: Lease; error?: unknown } => {
  const state: { lease?: Lease; error?: unknown } = {}
  open(options).then(
    (lease) => {
      state.lease = lease
    },
    (error) => {
      state.error = error
    },
  )
  return state
}

const eventsOf = <T extends LeaseEvent['type']>(type: T) =>
  events.filter((event): event is Extract<LeaseEvent, { type: T }> => event.type === type)

const happened = (type: LeaseEvent['type'], times: number): Promise<void> =>
  until(() => eventsOf(type).length >= times, `${times} x ${type}`)

const failure = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('expected a failure')
}

describe('the first answer', () => {
  test('sends the intent, the instance and the workload token once', async () => {
    await start(() => anAnswer(clock.now()))

    const lease = await open({
      intent: { produce: [created], consume: [orders], group: 'g', profile: { producer: 'durable' }, network: 'vpc-1' },
    })

    expect(switchboard.requests).toHaveLength(1)
    expect(switchboard.requests[0]).toMatchObject({ method: 'POST', path: '/v1/resolve' })
    expect(switchboard.requests[0]?.headers.authorization).toBe(`Bearer ${workloadToken}`)
    expect(switchboard.requests[0]?.body).toEqual({
      produce: [created],
      consume: [orders],
      group: 'g',
      profile: { producer: 'durable' },
      network: 'vpc-1',
      client: { instance: 'pod-1', family: 'javascript' },
    })
    expect(lease.id).toBe('lease_1')
    expect(lease.connection().token()).toBe('kafka-token-1')
  })

  test('keeps the path of the base URL', async () => {
    await start(() => anAnswer(clock.now()))
    await open({ url: `${switchboard.url}/stage/` })
    expect(switchboard.requests[0]?.path).toBe('/stage/v1/resolve')
  })

  test('names one instance per process when none is given', async () => {
    await start(() => anAnswer(clock.now()))
    const { instance: _, ...options } = { url: switchboard.url, token: workloadToken, clock, instance: 'unused' }
    opened.push(await openLease({ ...options, intent: { produce: [created] } }))
    opened.push(await openLease({ ...options, intent: { consume: [created] } }))
    const [first, second] = switchboard.requests.map(({ body }) => body.client as { instance: string })
    expect(first?.instance).toMatch(/^js-[0-9a-f-]{36}$/)
    expect(second?.instance).toBe(first?.instance)
  })

  test('numbers the leases of one intent, which Switchboard would take for one, and gives a number back', async () => {
    await start(() => anAnswer(clock.now()))
    const first = await open()
    await open()
    first.close()
    await open()
    const names = switchboard.requests.map(({ body }) => (body.client as { instance: string }).instance)
    expect(names).toEqual(['pod-1', 'pod-1--2', 'pod-1'])
  })

  test('reads a token file that ends with a line break', async () => {
    await start(() => anAnswer(clock.now()))
    await open({ token: async () => `${workloadToken}\n` })
    expect(switchboard.requests[0]?.headers.authorization).toBe(`Bearer ${workloadToken}`)
  })

  test('waits through credential_not_ready for as long as Retry-After says', async () => {
    await start((_, index) =>
      index === 0 ? problem(503, 'credential_not_ready', { headers: { 'retry-after': '2' } }) : anAnswer(clock.now()),
    )

    const outcome = opening({ random: () => 0 })
    await happened('waiting', 1)
    clock.advance(1_999)
    expect(switchboard.requests).toHaveLength(1)
    clock.advance(1)
    await until(() => outcome.lease !== undefined, 'the lease')

    expect(switchboard.requests).toHaveLength(2)
    expect(eventsOf('waiting')[0]).toMatchObject({ retryInMs: 2_000, error: { code: 'credential_not_ready' } })
  })

  test.each([
    ['429 with seconds', 429, 'rate_limited', () => '7', 7_000],
    ['503 with an HTTP date', 503, 'unavailable', () => new Date(clock.now().getTime() + 9_000).toUTCString(), 9_000],
    ['503 with a date in the past', 503, 'unavailable', () => new Date(0).toUTCString(), 0],
    ['503 with nonsense', 503, 'unavailable', () => '-5', 250],
    ['503 with a fraction', 503, 'unavailable', () => '2.5', 250],
    ['503 without it', 503, 'unavailable', () => undefined, 250],
  ] as [string, number, string, () => string | undefined, number][])(
    'obeys %s',
    async (_, status, code, header, retryInMs) => {
      await start((_request, index) => {
        const value = header()
        if (index > 0) return anAnswer(clock.now())
        return problem(status, code, value === undefined ? {} : { headers: { 'retry-after': value } })
      })
      const outcome = opening({ random: () => 0 })
      await happened('waiting', 1)
      expect(eventsOf('waiting')[0]?.retryInMs).toBe(retryInMs)
      clock.advance(retryInMs)
      await until(() => outcome.lease !== undefined, 'the lease')
    },
  )

  test('gives up at once when Retry-After reaches past the start-up deadline', async () => {
    await start(() => problem(503, 'unavailable', { headers: { 'retry-after': '61' } }))
    const error = await failure(open())
    expect(error).toMatchObject({ code: 'start_timeout', retryable: true, cause: { code: 'unavailable' } })
    expect((error as Error).message).toContain('start-up deadline of `60000` ms')
    expect(switchboard.requests).toHaveLength(1)
  })

  test('gives up at the deadline when Switchboard cannot be reached, with growing and bounded pauses', async () => {
    await start(() => ({ status: 200, hangUp: true }))
    const outcome = opening({ startTimeoutMs: 120_000, random: () => 0.999 })
    for (let count = 1; outcome.error === undefined; count += 1) {
      await until(() => eventsOf('waiting').length >= count || outcome.error !== undefined, 'the next pause or the end')
      clock.advance(eventsOf('waiting')[count - 1]?.retryInMs ?? 0)
    }
    const pauses = eventsOf('waiting').map(({ retryInMs }) => retryInMs)
    expect(outcome.error).toMatchObject({ code: 'start_timeout', cause: { code: 'request_failed' } })
    expect(pauses.slice(0, 4).map(Math.round)).toEqual([500, 1000, 1999, 3998])
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000)
    expect(pauses.reduce((sum, pause) => sum + pause, 0)).toBe(120_000)
  })

  test('gives a request 3 seconds', async () => {
    await start((_, index) => ({
      ...anAnswer(clock.now()),
      ...(index === 0 ? { until: new Promise<void>(() => {}) } : {}),
    }))
    const outcome = opening()
    await until(() => switchboard.requests.length === 1, 'the first request')
    clock.advance(2_999)
    expect(events).toHaveLength(0)
    clock.advance(1)
    await happened('waiting', 1)
    expect(eventsOf('waiting')[0]?.error).toMatchObject({ code: 'request_timeout', retryable: true })
    clock.advance(30_000)
    await until(() => outcome.lease !== undefined, 'the lease')
  })

  test('gives the function that reads the workload token the same 3 seconds', async () => {
    await start(() => anAnswer(clock.now()))
    let calls = 0
    const outcome = opening({ token: () => (calls++ === 0 ? new Promise(() => {}) : workloadToken) })
    await until(() => calls === 1, 'the first call')
    clock.advance(3_000)
    await happened('waiting', 1)
    expect(eventsOf('waiting')[0]?.error).toMatchObject({ code: 'request_timeout' })
    clock.advance(30_000)
    await until(() => outcome.lease !== undefined, 'the lease')
  })

  test('a refusal becomes a SwitchboardProblem and is not tried again', async () => {
    await start(() => problem(403, 'access_denied', { detail: 'no grant allows this' }))
    const error = await failure(open())
    expect(error).toBeInstanceOf(SwitchboardProblem)
    expect(error).toMatchObject({
      code: 'access_denied',
      status: 403,
      detail: 'no grant allows this',
      requestId: 'req-1',
      retryable: false,
      message: 'switchboard answered 403 `access_denied`: no grant allows this: request `req-1`',
    })
    expect(switchboard.requests).toHaveLength(1)
  })

  test('a wrong intent is told with a pointer to each field', async () => {
    await start(() =>
      problem(400, 'invalid_intent', { errors: [{ pointer: '/produce/0', detail: 'is no channel' }, 7] }),
    )
    expect(await failure(open())).toMatchObject({
      code: 'invalid_intent',
      errors: [{ pointer: '/produce/0', detail: 'is no channel' }],
      message: expect.stringContaining('`/produce/0` is no channel'),
    })
  })

  test.each([
    [403, false],
    [502, true],
  ])('an answer %i from something in between is an unexpected answer', async (status, retryable) => {
    await start(() => ({ status, headers: { 'content-type': 'text/html' }, body: '<html>proxy</html>' }))
    const outcome = opening()
    await until(() => outcome.error !== undefined || events.length > 0, 'a refusal or a pause')
    expect(outcome.error ?? eventsOf('waiting')[0]?.error).toMatchObject({
      code: 'unexpected_answer',
      status,
      retryable,
    })
  })

  test('a redirect is not followed', async () => {
    await start((_, index) =>
      index === 0 ? { status: 307, headers: { location: '/elsewhere' }, body: {} } : anAnswer(clock.now()),
    )
    opening()
    await happened('waiting', 1)
    expect(switchboard.requests.map(({ path }) => path)).toEqual(['/v1/resolve'])
  })

  test('a 401 reads the workload token again and tries once with the new one', async () => {
    await start((request) =>
      request.headers.authorization === 'Bearer new' ? anAnswer(clock.now()) : problem(401, 'unauthenticated'),
    )
    const tokens = ['old', 'new']
    const lease = await open({ token: () => tokens.shift() ?? 'none' })
    expect(lease.id).toBe('lease_1')
    expect(switchboard.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new'])
  })

  test('a 401 for a token that is still the newest is the answer', async () => {
    await start(() => problem(401, 'unauthenticated'))
    let reads = 0
    const token = (): string => {
      reads += 1
      return workloadToken
    }
    expect(await failure(open({ token }))).toMatchObject({ code: 'unauthenticated', status: 401 })
    expect(switchboard.requests).toHaveLength(1)
    expect(reads).toBe(2)
  })

  test('a workload token that cannot be had is said at once', async () => {
    await start(() => anAnswer(clock.now()))
    const cause = new Error('no such file')
    const token = () => Promise.reject(cause)
    expect(await failure(open({ token }))).toMatchObject({ code: 'token_unavailable', cause })
    expect(await failure(open({ token: '' }))).toMatchObject({ code: 'token_unavailable' })
    expect(switchboard.requests).toHaveLength(0)
  })

  test('the signal ends the wait', async () => {
    await start(() => problem(503, 'unavailable', { headers: { 'retry-after': '30' } }))
    const controller = new AbortController()
    const outcome = opening({ signal: controller.signal })
    await happened('waiting', 1)
    controller.abort()
    await until(() => outcome.error !== undefined, 'the end')
    expect(outcome.error).toMatchObject({ code: 'lease_closed' })
    expect(clock.delays()).toEqual([])
    expect(switchboard.requests).toHaveLength(1)
  })

  test('allows plain http on loopback only, and refuses an intent without a channel', async () => {
    await start(() => anAnswer(clock.now()))
    for (const url of [
      'http://switchboard.acme.com',
      'switchboard',
      'https://user:pw@acme.com',
      'http://127.0.0.1.acme.com',
    ])
      expect(await failure(open({ url }))).toBeInstanceOf(TypeError)
    expect(await failure(open({ intent: {} }))).toBeInstanceOf(TypeError)
    expect(switchboard.requests).toHaveLength(0)
  })
})

describe('a malformed answer', () => {
  const good = (): { lease: object; connections: object[] } =>
    anAnswer(clock.now()).body as { lease: object; connections: object[] }
  const withConnection = (members: object) => ({ ...good(), connections: [aConnection(clock.now(), { ...members })] })
  const credential = (members: object) =>
    withConnection({ credential: { ...aConnection(clock.now()).credential, ...members } })

  test.each([
    ['text that is no JSON', () => '<html>', '/'],
    ['null', () => null, '/'],
    ['a list', () => [], '/'],
    ['no lease', () => ({ ...good(), lease: undefined }), '/lease'],
    ['a lease without an id', () => ({ ...good(), lease: { ...good().lease, id: '' } }), '/lease/id'],
    [
      'a time that is none',
      () => ({ ...good(), lease: { ...good().lease, refreshAfter: 'soon' } }),
      '/lease/refreshAfter',
    ],
    [
      'a time in seconds',
      () => ({ ...good(), lease: { ...good().lease, expiresAt: 1_764_000_000 } }),
      '/lease/expiresAt',
    ],
    ['no connection', () => ({ ...good(), connections: [] }), '/connections'],
    [
      'a cluster twice',
      () => ({ ...good(), connections: [aConnection(clock.now()), aConnection(clock.now())] }),
      '/connections',
    ],
    [
      'a topic that is a number',
      () => withConnection({ topics: { [created]: 1 } }),
      `/connections/0/topics/${created}`,
    ],
    ['a setting that is an object', () => withConnection({ producer: { acks: {} } }), '/connections/0/producer/acks'],
    [
      'a pattern that is no expression',
      () => withConnection({ patterns: { [orders]: '(' } }),
      `/connections/0/patterns/${orders}`,
    ],
    ['a token that is no text', () => credential({ token: 4_711 }), '/connections/0/credential/token'],
    ['a token with a line break', () => credential({ token: 'kafka\r\nx: y' }), '/connections/0/credential/token'],
    ['a credential without an end', () => credential({ expiresAt: undefined }), '/connections/0/credential/expiresAt'],
  ])('with %s is refused with the place', async (_, body, place) => {
    await start(() => ({ status: 200, body: body() }))
    const error = await failure(open())
    expect(error).toBeInstanceOf(SwitchboardError)
    expect(error).toMatchObject({ code: 'malformed_answer', message: expect.stringContaining(`at \`${place}\``) })
    expect(switchboard.requests).toHaveLength(1)
  })

  test('with a credential that is already over is refused', async () => {
    await start(() => anAnswer(clock.now(), { lifeSeconds: 1 }))
    expect(await failure(open())).toMatchObject({
      code: 'malformed_answer',
      message: expect.stringContaining('ends at'),
    })
  })

  test('with a credential of another kind is unsupported', async () => {
    await start(() => ({ status: 200, body: credential({ kind: 'certificate' }) }))
    expect(await failure(open())).toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('`certificate`'),
    })
  })

  test('that does not end is cut off', async () => {
    await start(() => ({ status: 200, body: 'x'.repeat(1_100_000) }))
    expect(await failure(open())).toMatchObject({
      code: 'malformed_answer',
      message: expect.stringContaining('1048576'),
    })
  })
})

describe('renewal', () => {
  test.each([
    [0, 270_000],
    [0.999, 299_970],
  ])('comes before refreshAfter, up to a tenth earlier (random %d)', async (random, expected) => {
    await start(() => anAnswer(clock.now(), { lifeSeconds: 600 }))
    await open({ random: () => random })
    const [delay = 0] = clock.delays('background')
    expect(delay).toBe(expected)
    expect(delay).toBeLessThan(300_000)
  })

  test('names the lease and its ETag and hands out the new token once it is there', async () => {
    await start((_, index) => anAnswer(clock.now(), { token: `kafka-token-${index + 1}`, etag: '"a"' }))
    const lease = await open()
    const connection = lease.connection()
    expect(switchboard.requests[0]?.body.lease).toBeUndefined()
    expect(switchboard.requests[0]?.headers['if-none-match']).toBeUndefined()

    clock.next()
    await happened('renewed', 1)

    // half of the life is over: what is left is too short for a 304, so a fresh token is asked for
    expect(switchboard.requests[1]?.body).toMatchObject({ lease: 'lease_1', produce: [created] })
    expect(switchboard.requests[1]?.headers['if-none-match']).toBeUndefined()
    expect(connection.token()).toBe('kafka-token-2')
    expect(eventsOf('renewed')).toEqual([{ type: 'renewed', changed: false, expiresAt: lease.expiresAt }])
  })

  const longLived = (index: number) => {
    const answer = anAnswer(clock.now(), { token: `kafka-token-${index + 1}`, etag: '"a"', lifeSeconds: 600 })
    const body = answer.body as { lease: { refreshAfter: string } }
    body.lease.refreshAfter = new Date(clock.now().getTime() + 120_000).toISOString()
    return answer
  }

  test('keeps settings and token on 304, and asks for a fresh token before the one held is over', async () => {
    await start((request, index) =>
      request.headers['if-none-match'] === '"a"' ? { status: 304, headers: { etag: '"a"' } } : longLived(index),
    )
    const lease = await open({ random: () => 1 })
    const { connections } = lease
    const conditional: boolean[] = []
    for (let count = 1; count <= 4; count += 1) {
      clock.next()
      await happened('renewed', count)
      conditional.push(switchboard.requests.at(-1)?.headers['if-none-match'] !== undefined)
      expect(switchboard.requests.at(-1)?.body.lease).toBe('lease_1')
      if (count <= 3) expect(lease.connections).toBe(connections)
    }
    expect(conditional).toEqual([true, true, true, false])
    expect(lease.connection().token()).toBe('kafka-token-5')
  })

  test('a 304 that was not asked for is refused', async () => {
    await start((_, index) => (index === 0 ? anAnswer(clock.now()) : { status: 304 }))
    await open()
    clock.next()
    await happened('renewal_failed', 1)
    expect(eventsOf('renewal_failed')[0]?.error).toMatchObject({ code: 'unexpected_answer', status: 304 })
  })

  test('tells when something but tokens changed, and shows the new settings', async () => {
    await start((_, index) => anAnswer(clock.now(), { topics: { [created]: `orders.created.v${index}` } }))
    const lease = await open()
    const before = lease.connection()
    clock.next()
    await happened('renewed', 1)
    expect(eventsOf('renewed')[0]?.changed).toBe(true)
    expect(before.topic(created)).toBe('orders.created.v0')
    expect(lease.connection().topic(created)).toBe('orders.created.v1')
  })

  test('keeps the last good token while the new one is under way and through an outage', async () => {
    await start(() => anAnswer(clock.now(), { lifeSeconds: 600 }))
    const lease = await open()
    const { token } = lease.connection()
    switchboard.follow(() => ({ status: 200, hangUp: true }))

    clock.next()
    expect(token()).toBe('kafka-token-1')
    await happened('renewal_failed', 1)
    for (let count = 2; count <= 8; count += 1) {
      clock.next()
      await happened('renewal_failed', count)
      expect(token()).toBe('kafka-token-1')
    }
    switchboard.follow(() => anAnswer(clock.now(), { token: 'kafka-token-2' }))
    clock.next()
    await happened('renewed', 1)
    expect(token()).toBe('kafka-token-2')

    switchboard.follow(() => ({ status: 200, hangUp: true }))
    clock.next()
    await happened('renewal_failed', 9)
    expect(eventsOf('renewal_failed')[8]?.retryInMs).toBeLessThanOrEqual(500)
  })

  test('tries again with growing pauses that stay between a quarter of a second and 30 seconds', async () => {
    await start((_, index) =>
      index === 0 ? anAnswer(clock.now(), { lifeSeconds: 3600 }) : { status: 200, hangUp: true },
    )
    let turn = 0
    await open({ random: () => (turn++ % 3 === 0 ? 0 : 0.999) })
    clock.next()
    for (let count = 1; count <= 12; count += 1) {
      await happened('renewal_failed', count)
      clock.next()
    }
    const pauses = eventsOf('renewal_failed').map(({ retryInMs }) => retryInMs)
    expect(pauses[0]).toBeLessThanOrEqual(500)
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(250)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000)
    expect(Math.min(...pauses.slice(7))).toBeGreaterThanOrEqual(15_000)
    expect(new Set(pauses.slice(7)).size).toBeGreaterThan(1)
  })

  test.each([
    ['20', 21_000],
    ['86400', 315_000],
  ])('obeys Retry-After %s, but not for longer than 5 minutes', async (value, retryInMs) => {
    await start((_, index) =>
      index === 0 ? anAnswer(clock.now()) : problem(429, 'rate_limited', { headers: { 'retry-after': value } }),
    )
    await open()
    clock.next()
    await happened('renewal_failed', 1)
    expect(eventsOf('renewal_failed')[0]?.retryInMs).toBe(retryInMs)
  })

  test.each([
    ['a malformed answer', () => ({ status: 200, body: {} }), 'malformed_answer'],
    ['a refusal', () => problem(403, 'access_denied'), 'access_denied'],
    ['a dead credential', () => anAnswer(clock.now(), { token: 'dead', lifeSeconds: 0 }), 'malformed_answer'],
  ])('keeps what it holds after %s and goes on trying', async (_, reply, code) => {
    await start((_request, index) => (index === 0 ? anAnswer(clock.now()) : reply()))
    const lease = await open()
    clock.next()
    await happened('renewal_failed', 1)
    expect(eventsOf('renewal_failed')[0]?.error).toMatchObject({ code })
    expect(lease.connection().token()).toBe('kafka-token-1')
    clock.next()
    await happened('renewal_failed', 2)
  })

  test('re-reads the workload token, and survives a function that fails for a while', async () => {
    await start(() => anAnswer(clock.now()))
    let reads = 0
    const token = () => {
      reads += 1
      if (reads === 2) throw new Error('no such file')
      return `workload-${reads}`
    }
    await open({ token })
    clock.next()
    await happened('renewal_failed', 1)
    expect(eventsOf('renewal_failed')[0]?.error).toMatchObject({ code: 'token_unavailable' })
    clock.next()
    await happened('renewed', 1)
    expect(switchboard.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer workload-1',
      'Bearer workload-3',
    ])
  })

  test('asks for a new lease when the old one is gone', async () => {
    await start((request) => (request.body.lease ? problem(404, 'not_found') : anAnswer(clock.now())))
    await open()
    clock.next()
    await happened('renewed', 1)
    expect(switchboard.requests.map(({ body }) => body.lease)).toEqual([undefined, 'lease_1', undefined])
  })

  test('is not ended by a listener that throws', async () => {
    await start(() => anAnswer(clock.now()))
    const warnings: string[] = []
    const listen = (warning: Error) => warnings.push(warning.message)
    process.on('warning', listen)
    await open({
      onEvent: (event) => {
        events.push(event)
        throw new Error('listener')
      },
    })
    clock.next()
    await happened('renewed', 1)
    clock.next()
    await happened('renewed', 2)
    await until(() => warnings.length === 2, 'two warnings')
    process.off('warning', listen)
    expect(warnings[0]).toContain('listener')
  })

  test('does not keep the process alive, the wait for the first answer does', async () => {
    await start((_, index) => (index === 0 ? problem(503, 'unavailable') : anAnswer(clock.now())))
    const outcome = opening()
    await happened('waiting', 1)
    expect(clock.delays('background')).toEqual([])
    expect(clock.delays()).toHaveLength(1)
    clock.advance(1_000)
    await until(() => outcome.lease !== undefined, 'the lease')
    expect(clock.delays('background')).toHaveLength(1)
    expect(clock.delays()).toHaveLength(1)
  })

  test('goes by the clock of Switchboard when the own one is wrong', async () => {
    const ahead = 3_600_000
    const serverNow = () => new Date(clock.now().getTime() + ahead)
    switchboard = await startSimulatedSwitchboard(serverNow, (_, index) =>
      anAnswer(serverNow(), { token: `kafka-token-${index + 1}`, lifeSeconds: 600 }),
    )
    const lease = await open({ random: () => 1 })
    expect(clock.delays('background')).toEqual([300_000])
    clock.jump(299_999)
    expect(lease.connection().token()).toBe('kafka-token-1')
    expect(switchboard.requests).toHaveLength(1)
    clock.next()
    await happened('renewed', 1)
    expect(lease.connection().token()).toBe('kafka-token-2')
  })
})

describe('a token', () => {
  test('that is over is never handed out: callers wait for one renewal together', async () => {
    await start((_, index) => anAnswer(clock.now(), { token: `kafka-token-${index + 1}`, lifeSeconds: 600 }))
    let calls = 0
    const counting: typeof fetch = (...request) => {
      calls += 1
      return fetch(...request)
    }
    const lease = await open({ fetch: counting })
    const { token } = lease.connection()
    clock.jump(600_000)

    const tokens = await Promise.all(Array.from({ length: 50 }, () => token()))

    expect(new Set(tokens)).toEqual(new Set(['kafka-token-2']))
    expect(calls).toBe(2)
  })

  test('is over two seconds before its end', async () => {
    await start((_, index) => anAnswer(clock.now(), { token: `kafka-token-${index + 1}`, lifeSeconds: 600 }))
    const lease = await open()
    const { token } = lease.connection()
    switchboard.follow(() => ({ status: 200, hangUp: true }))
    clock.jump(597_999)
    expect(token()).toBe('kafka-token-1')
    await happened('renewal_failed', 1)
    clock.jump(1)
    const waiting = token()
    expect(waiting).toBeInstanceOf(Promise)
    clock.advance(4_000)
    expect(await failure(Promise.resolve(waiting))).toMatchObject({ code: 'credential_ended' })
  })

  test('that is over and cannot be renewed is an error with the reason, after at most 4 seconds', async () => {
    await start((_, index) =>
      index === 0 ? anAnswer(clock.now()) : { status: 200, until: new Promise<void>(() => {}) },
    )
    const lease = await open()
    clock.jump(600_000)
    const waiting = failure(Promise.resolve(lease.connection().token()))
    await until(() => switchboard.requests.length === 2, 'the renewal')
    clock.advance(3_000)
    const error = await waiting
    expect(error).toMatchObject({ code: 'credential_ended', retryable: true, cause: { code: 'request_timeout' } })
    expect((error as Error).message).toContain('`payments` ended at `2026-11-21T10:10:00.000Z`')
  })

  test('is not asked for more often than the backoff allows, however often clients want one', async () => {
    await start((_, index) => (index === 0 ? anAnswer(clock.now()) : { status: 200, hangUp: true }))
    const lease = await open()
    const { token } = lease.connection()
    clock.jump(600_000)
    await failure(Promise.resolve(token()))
    expect(switchboard.requests).toHaveLength(2)
    const waiting = Array.from({ length: 100 }, () => failure(Promise.resolve(token())))
    expect(switchboard.requests).toHaveLength(2)
    clock.next()
    await Promise.all(waiting)
    expect(switchboard.requests).toHaveLength(3)
  })

  test('that is over is an error at once when the next renewal is further away than a client waits', async () => {
    await start((_, index) =>
      index === 0
        ? anAnswer(clock.now())
        : problem(429, 'rate_limited', { headers: { 'retry-after': '60' }, detail: 'slow down' }),
    )
    const lease = await open()
    clock.jump(600_000)
    await failure(Promise.resolve(lease.connection().token()))
    const error = await failure(Promise.resolve(lease.connection().token()))
    expect(error).toMatchObject({ code: 'credential_ended', cause: { code: 'rate_limited' } })
    expect((error as Error).message).toContain('slow down')
    expect(switchboard.requests).toHaveLength(2)
  })

  test('comes at once while good, and starts a renewal when the timer is late', async () => {
    await start((_, index) => anAnswer(clock.now(), { token: `kafka-token-${index + 1}`, lifeSeconds: 600 }))
    const lease = await open()
    clock.jump(400_000)
    expect(lease.connection().token()).toBe('kafka-token-1')
    await happened('renewed', 1)
    expect(lease.connection().token()).toBe('kafka-token-2')
    expect(switchboard.requests).toHaveLength(2)
  })

  test('of a cluster that the channels moved away from is good until its end and is not asked for after', async () => {
    await start((_, index) =>
      index === 0
        ? anAnswer(clock.now())
        : anAnswer(clock.now(), { cluster: { name: 'payments-2', provider: 'kafka' } }),
    )
    const lease = await open()
    const old = lease.connection('payments')
    clock.next()
    await happened('renewed', 1)
    expect(old.token()).toBe('kafka-token-1')
    expect(lease.connection().cluster.name).toBe('payments-2')
    clock.jump(315_000)
    expect(await failure(Promise.resolve(old.token()))).toMatchObject({ code: 'unknown_cluster' })
    expect(switchboard.requests).toHaveLength(2)
  })

  test('is never over, whatever the order of outages, waits and calls', async () => {
    // a small linear congruential generator: the same 400 steps every time
    let seed = 42
    const random = () => {
      seed = (seed * 1_664_525 + 1_013_904_223) % 2 ** 32
      return seed / 2 ** 32
    }
    const ends = new Map<string, number>()
    let up = true
    await start((_, index) => {
      if (!up) return problem(503, 'unavailable')
      const lifeSeconds = 20 + Math.floor(random() * 100)
      ends.set(`kafka-token-${index}`, clock.now().getTime() + lifeSeconds * 1000)
      return anAnswer(clock.now(), { token: `kafka-token-${index}`, lifeSeconds })
    })
    const lease = await open({ random })
    const outcomes = { token: 0, refused: 0 }
    for (let step = 0; step < 400; step += 1) {
      up = random() > 0.4
      if (random() > 0.3) clock.advance(random() * 40_000)
      else clock.jump(random() * 40_000)
      const waiting = Promise.resolve(lease.connection().token()).then(
        (token) => {
          outcomes.token += 1
          expect(ends.get(token)).toBeGreaterThan(clock.now().getTime())
        },
        (error: SwitchboardError) => {
          outcomes.refused += 1
          expect(error.code).toBe('credential_ended')
        },
      )
      let done = false
      void waiting.finally(() => {
        done = true
      })
      const before = clock.delays().length
      await until(() => {
        // nothing under way and still waiting: time has to pass
        if (!done && clock.delays().length <= before) clock.advance(500)
        return done
      }, 'an outcome')
      await waiting
    }
    expect(outcomes.token).toBeGreaterThan(100)
    expect(outcomes.refused).toBeGreaterThan(10)
  })
})

describe('close', () => {
  test('stops every timer, and the token held stays good until its end', async () => {
    await start(() => anAnswer(clock.now()))
    const lease = await open()
    const { token } = lease.connection()
    lease.close()
    lease.close()
    expect(clock.delays()).toEqual([])
    expect(token()).toBe('kafka-token-1')
    clock.advance(600_000)
    expect(await failure(Promise.resolve(token()))).toMatchObject({ code: 'lease_closed' })
    expect(switchboard.requests).toHaveLength(1)
  })

  test('ends a renewal under way and the calls that wait for it', async () => {
    await start((_, index) =>
      index === 0 ? anAnswer(clock.now()) : { status: 200, until: new Promise<void>(() => {}) },
    )
    const lease = await open()
    clock.jump(600_000)
    const waiting = failure(Promise.resolve(lease.connection().token()))
    await until(() => switchboard.requests.length === 2, 'the renewal')
    lease.close()
    expect(await waiting).toMatchObject({ code: 'lease_closed' })
    await until(() => clock.delays().length === 0, 'no timer left')
    expect(events).toEqual([])
  })

  test('comes with the signal too', async () => {
    await start(() => anAnswer(clock.now()))
    const controller = new AbortController()
    await open({ signal: controller.signal })
    controller.abort()
    expect(clock.delays()).toEqual([])
  })
})

describe('look-ups', () => {
  test('give the topic of a channel and the topics of a pattern', async () => {
    await start(() =>
      anAnswer(clock.now(), { patterns: { [orders]: '^orders\\.[^.]+$', 'kafka://acme/x/*': ['x.a', 'x.b'] } }),
    )
    const connection = (await open()).connection()
    expect(connection.topic(created)).toBe('orders.created')
    expect(connection.topicsOf(orders, ['orders.created', 'orders.a.b', 'my.orders.x'])).toEqual(['orders.created'])
    expect(connection.topicsOf('kafka://acme/x/*', [])).toEqual(['x.a', 'x.b'])
  })

  test('name what the lease has when it is not what was asked', async () => {
    await start(() => anAnswer(clock.now()))
    const lease = await open()
    expect(() => lease.connection().topic('kafka://acme/other')).toThrowError(
      `no channel \`kafka://acme/other\` on cluster \`payments\`; the lease has \`${created}\``,
    )
    expect(() => lease.connection().topic('constructor')).toThrowError('no channel `constructor`')
    expect(() => lease.connection().topicsOf(created, [])).toThrowError(`no channel pattern \`${created}\``)
    expect(() => lease.connection('analytics')).toThrowError('no cluster `analytics`; the lease has `payments`')
  })

  test('want the name of the cluster when there are several', async () => {
    await start(() =>
      anAnswer(clock.now(), {
        connections: [
          aConnection(clock.now()),
          aConnection(clock.now(), { cluster: { name: 'analytics', provider: 'kafka' } }),
        ],
      }),
    )
    const lease = await open()
    expect(() => lease.connection()).toThrowError('no cluster was named; the lease has `payments`, `analytics`')
    expect(lease.connection('analytics').cluster.name).toBe('analytics')
  })
})

describe('secrets', () => {
  const show = (value: unknown): string =>
    [
      inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true }),
      JSON.stringify(value),
      String(value),
      value instanceof Error ? `${value.stack} ${JSON.stringify(value, Object.getOwnPropertyNames(value))}` : '',
    ].join('\n')
  const secrets = /kafka-token|workload\.token/

  test('are not part of a lease, a connection or an event', async () => {
    await start(() => anAnswer(clock.now()))
    const lease = await open()
    clock.next()
    await happened('renewed', 1)
    expect(show(lease)).toContain('orders.created')
    for (const value of [lease, lease.connection(), lease.connections, events]) expect(show(value)).not.toMatch(secrets)
  })

  test('are not part of an error, even when the answer echoes them', async () => {
    const echo = `you sent ${workloadToken}`
    const replies = [
      problem(403, 'access_denied', {
        detail: echo,
        instance: `urn:${workloadToken}`,
        errors: [{ pointer: echo, detail: echo }],
      }),
      problem(403, workloadToken, { title: echo }),
      { status: 200, body: { lease: workloadToken } },
      {
        status: 200,
        body: {
          ...(anAnswer(clock.now()).body as object),
          connections: [aConnection(clock.now(), { token: 'kafka-token a' })],
        },
      },
      anAnswer(clock.now(), { lifeSeconds: 0 }),
      { status: 500, body: echo },
    ]
    for (const reply of replies) {
      await start(() => reply)
      const error = await failure(open({ startTimeoutMs: 0 }))
      expect(show(error)).not.toMatch(secrets)
      await switchboard.close()
    }
    const headerInjection = await failure(open({ url: 'http://127.0.0.1:1', token: `${workloadToken}\nx: y` }))
    expect(headerInjection).toMatchObject({ code: 'token_unavailable' })
    expect(show(headerInjection)).not.toMatch(secrets)
    await start(() => ({ status: 200, hangUp: true }))
    const network = await failure(open({ startTimeoutMs: 0 }))
    expect(network).toMatchObject({ cause: { code: 'request_failed' } })
    expect(show(network)).not.toMatch(secrets)
  })
})
