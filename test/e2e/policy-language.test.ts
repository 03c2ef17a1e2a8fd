import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, rootCertificates } from 'node:tls'
import { promisify } from 'node:util'
import { Admin, Consumer, findErrorBy, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { type Connection, type Lease, openLease } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { awsEnvironment, trustAuthority } from '../../local/emulator.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { explanationSchema } from '../../shared/domain/explanation.ts'
import { until } from '../fixtures/until.ts'

// What a policy can say and the example does not, said to a real stack: each through what a client then can and cannot do.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const certificate = readFileSync(state.caFile, 'utf8')
trustAuthority(certificate)
const { aws, switchboard, clusters } = state
const created = 'kafka://payments.acme.com/orders/created'
const orders = 'kafka://payments.acme.com/orders/*'
const shipped = 'kafka://payments.acme.com/orders/shipped'
const daily = 'kafka://payments.acme.com/reports/daily'
const settled = 'kafka://payments.acme.com/moving/settled'
/** A name of this run, so that nobody's access is there from before. */
const worker = `worker-${randomUUID().slice(0, 8)}`
const mover = `mover-${randomUUID().slice(0, 8)}`
const seeker = `seeker-${randomUUID().slice(0, 8)}`
const readTimeoutMs = 20_000

type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string }

/** The command under the operator role that it assumes. */
const command = async (...args: string[]): Promise<Ran> => {
  const words = [join(root, 'cli/switchboard.ts'), ...args, '--stack', switchboard.stackName]
  const options = { cwd: root, env: cleanEnvironment(awsEnvironment(aws, state.caFile)) }
  return promisify(execFile)(nodeFile, words, options).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  )
}

const succeeds = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await command(...args)
  if (code !== 0) throw new Error(`switchboard ${args[0]} ended with ${code}: ${stderr}`)
  return stdout
}

/** The policy of this file, with the route of what moves leading to a cluster. */
const policyLeadingTo = (cluster: string): string => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  policy.addIn(['grants'], {
    principals: [worker],
    produce: [created, daily],
    consume: [orders, daily],
    groups: [`${worker}-*`],
    transactionalIds: [`${worker}-*`],
  })
  policy.addIn(['grants'], { principals: [mover], produce: [settled] })
  policy.addIn(['grants'], { principals: [seeker], produce: ['kafka://payments.acme.com/versions/*'] })
  const versions = 'kafka://payments.acme.com/versions/{event}'
  policy.addIn(['routes'], { channel: versions, cluster: 'payments', topic: 'orders-{event}-v1' })
  policy.addIn(['routes'], { channel: 'kafka://payments.acme.com/moving/*', cluster, topic: 'moving', shared: true })
  const file = join(state.runDirectory, `language-policy-${cluster}.yaml`)
  writeFileSync(file, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  return file
}

type Headers = Readonly<Record<string, string>>

const send = async (path: string, body: unknown, principal: string, headers: Headers = {}, method = 'POST') => {
  const authorization = `Bearer ${await mintWorkloadToken(state, { principal })}`
  const response = await fetch(`${switchboard.url}${path}`, {
    method,
    headers: { authorization, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: text === '' ? {} : JSON.parse(text) }
}
type Answer = Awaited<ReturnType<typeof send>>

const resolve = (principal: string, intent: unknown, headers?: Headers): Promise<Answer> =>
  send('/v1/resolve', intent, principal, headers)

const opened: Lease[] = []
const open = async (intent: Parameters<typeof openLease>[0]['intent']): Promise<Lease> => {
  const token = () => mintWorkloadToken(state, { principal: worker })
  const lease = await openLease({ url: switchboard.url, token, intent, startTimeoutMs: 15_000 })
  opened.push(lease)
  return lease
}

const write = async (connection: Connection, channel: string): Promise<string> => {
  const key = randomUUID()
  const kafka = platformatic(connection)
  const producer = new Producer({ ...kafka.producer, retries: 2, serializers: stringSerializers })
  try {
    await producer.send({ messages: [{ topic: kafka.topic(channel), key, value: key }] })
  } finally {
    await producer.close()
  }
  return key
}

const reads = async (connection: Connection, channel: string, wanted: string): Promise<boolean> =>
  readsFrom(connection, [connection.topic(channel)], wanted)

const readsFrom = async (connection: Connection, topics: string[], wanted: string): Promise<boolean> => {
  const kafka = platformatic(connection)
  const consumer = new Consumer({ ...kafka.consumer, sessionTimeout: 10_000, deserializers: stringDeserializers })
  try {
    const stream = await consumer.consume({ ...kafka.consume, topics })
    const timer = setTimeout(() => stream.destroy(new Error(`${wanted} was not read in time`)), readTimeoutMs)
    try {
      for await (const { key } of stream) if (key === wanted) return true
    } finally {
      clearTimeout(timer)
    }
    return false
  } finally {
    await consumer.close(true)
  }
}

beforeAll(async () => {
  await succeeds('apply', policyLeadingTo('payments'))
  // a policy is seen within 5 s
  await until(
    'the policy in force',
    () => resolve(worker, { produce: [created] }),
    ({ status }) => status === 200,
  )
})

afterEach(() => {
  for (const lease of opened.splice(0)) lease.close()
})

afterAll(async () => {
  await succeeds('apply', state.policyFile)
  // resolve looks at the pointer every 5 s; after them no worker knows the names that this policy gave
  await delay(5_000)
})

describe('the network that a caller says it is in', () => {
  const both = { produce: [created], consume: [created] }

  test('decides the listener, and what is written by one is read by the other', async () => {
    const inside = (await open({ ...both, network: 'vpc-local' })).connection()
    const outside = (await open({ ...both, network: 'public' })).connection()

    expect(inside.properties).toMatchObject({
      'bootstrap.servers': clusters.payments.inside,
      'security.protocol': 'SASL_PLAINTEXT',
    })
    expect(outside.properties).toMatchObject({
      'bootstrap.servers': clusters.payments.outside,
      'security.protocol': 'SASL_SSL',
    })
    expect(await reads(outside, created, await write(inside, created))).toBe(true)
    expect(await reads(inside, created, await write(outside, created))).toBe(true)
  })

  test('outside is TLS that only the certificate in the answer makes believable', async () => {
    const { properties } = (await open({ produce: [created], network: 'public' })).connection()
    const [host, port] = String(properties['bootstrap.servers']).split(':')
    const meet = (ca: string): Promise<string> =>
      new Promise((done) => {
        const socket = connect({ host, port: Number(port), ca })
        socket.once('secureConnect', () => socket.end(() => done('trusted')))
        socket.once('error', ({ code }: NodeJS.ErrnoException) => done(String(code)))
      })

    expect(await meet(String(properties['ssl.truststore.certificates']))).toBe('trusted')
    expect(await meet(rootCertificates[0] ?? '')).toMatch(/CERT|VERIFY/)
  })

  test('is refused where the cluster has no listener, with a pointer to it', async () => {
    const { status, json } = await resolve(worker, { produce: [created], network: 'vpc-elsewhere' })

    expect(status).toBe(400)
    expect(json).toMatchObject({ code: 'invalid_intent', errors: [{ pointer: '/network' }] })
  })
})

test('channels of two clusters are two connections of one lease, and each leads to its own brokers', async () => {
  const lease = await open({ produce: [created, daily], consume: [created, daily] })

  const names = lease.connections.map(({ cluster }) => cluster.name)
  expect([...names].sort()).toEqual(['analytics', 'payments'])
  for (const [cluster, channel] of [
    ['payments', created],
    ['analytics', daily],
  ] as const) {
    const connection = lease.connection(cluster)
    expect(connection.properties['bootstrap.servers']).toBe(clusters[cluster].outside)
    expect(await reads(connection, channel, await write(connection, channel))).toBe(true)
  }
})

test('a pattern stands for the topics of its channels, read in a group that a grant gives', async () => {
  const group = `${worker}-readers`
  const lease = await open({ produce: [created], consume: [orders], group })
  const connection = lease.connection()
  const admin = new Admin(platformatic(connection).client)
  const existing = await admin.listTopics().finally(() => admin.close())
  const topics = connection.topicsOf(orders, [...existing, 'payouts.settled'])

  expect([...topics].sort()).toEqual(['orders.created', 'orders.shipped'])
  expect(connection.consumer).toMatchObject({ 'group.id': group })
  expect(await readsFrom(connection, [...topics], await write(connection, created))).toBe(true)
})

describe('a transactional producer', () => {
  // @platformatic/kafka cannot: it speaks a version of AddPartitionsToTxn that Kafka keeps for brokers (KIP-890)
  const commit = async (transactionalId: string, connection: Connection): Promise<string> => {
    const key = randomUUID()
    const kafka = new Kafka({
      brokers: [String(connection.properties['bootstrap.servers'])],
      ssl: { ca: String(connection.properties['ssl.truststore.certificates']) },
      sasl: {
        mechanism: 'oauthbearer',
        oauthBearerProvider: async () => ({ value: await connection.token() }),
      },
      logLevel: logLevel.NOTHING,
    })
    const producer = kafka.producer({
      transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      retry: { retries: 2 },
    })
    await producer.connect()
    try {
      const transaction = await producer.transaction()
      await transaction.send({ topic: connection.topic(created), messages: [{ key, value: key }] })
      await transaction.commit()
    } finally {
      await producer.disconnect()
    }
    return key
  }

  test('with an id that a grant gives commits what a reader of committed records reads', async () => {
    const lease = await open({ produce: [created], consume: [created] })
    const key = await commit(`${worker}-1`, lease.connection())

    expect(await reads(lease.connection(), created, key)).toBe(true)
  })

  test('with an id of somebody else is refused by Kafka', async () => {
    const kafka = platformatic((await open({ produce: [created] })).connection())
    const begin = async (transactionalId: string): Promise<unknown> => {
      const producer = new Producer({ ...kafka.producer, retries: 2, idempotent: true, transactionalId })
      try {
        await producer.beginTransaction()
        return undefined
      } catch (error) {
        return error
      } finally {
        await producer.close()
      }
    }
    const refused = await begin(`${mover}-1`)

    expect(findErrorBy(refused as Error, 'apiId', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED')).toMatchObject({
      apiCode: 53,
    })
    expect(await begin(`${worker}-2`)).toBeUndefined()
  })
})

describe('a token where it does not belong', () => {
  /** Logs in at a cluster and asks for what anybody may see. */
  const logIn = async (connection: Connection, token: string): Promise<unknown> => {
    const { client } = platformatic(connection)
    const sasl = { mechanism: 'OAUTHBEARER' as const, ...client.sasl, token }
    const admin = new Admin({ ...client, sasl, retries: false })
    try {
      return await admin.listTopics()
    } finally {
      await admin.close()
    }
  }

  test('opens no cluster: neither an identity nor a token for another cluster', async () => {
    const lease = await open({ produce: [created, daily] })
    const [payments, analytics] = [lease.connection('payments'), lease.connection('analytics')]
    const identity = await mintWorkloadToken(state, { principal: worker })

    expect(await logIn(payments, await payments.token())).toContain('orders.created')
    await expect(logIn(payments, identity)).rejects.toThrow()
    await expect(logIn(payments, await analytics.token())).rejects.toThrow()
  })

  test('proves no identity: Switchboard does not take back what it made for Kafka', async () => {
    const lease = await open({ produce: [created] })
    const authorization = `Bearer ${await lease.connection().token()}`

    expect(await resolve(worker, { produce: [created] }, { authorization })).toMatchObject({
      status: 401,
      json: { code: 'unauthenticated' },
    })
  })
})

describe('explain', () => {
  test('tells a caller which rules let it through, by which listener and until when', async () => {
    const { status, json } = await send('/v1/explain', { produce: [created], network: 'vpc-local' }, worker)
    const explanation = explanationSchema.parse(json)

    expect(status).toBe(200)
    expect(explanation).toMatchObject({
      principal: { name: worker },
      identityRule: 0,
      outcome: 'allow',
      wishes: [
        { pointer: '/produce/0', outcome: 'allowed', routes: [{ cluster: 'payments', topics: 'orders.created' }] },
      ],
      clusters: [{ cluster: 'payments', network: 'vpc-local', security: 'SASL_PLAINTEXT', credential: 'jwt' }],
      lease: { limit: expect.any(String) },
    })
  })

  test('tells a caller which of its grants nearly did, and nothing of the routes behind them', async () => {
    const { json } = await send('/v1/explain', { produce: [shipped] }, worker)
    const explanation = explanationSchema.parse(json)

    expect(explanation).toMatchObject({ outcome: 'deny', rule: 2, reason: 'no_grant' })
    expect(explanation.wishes[0]?.nearMisses).toMatchObject([{ because: 'it allows the other action' }])
    expect(explanation.wishes[0]?.routes).toEqual([])
  })
})

describe('why', () => {
  const reasonOf = ({ headers }: Answer): Promise<string> => succeeds('why', headers.get('x-request-id') ?? '')

  test('finds the true reason behind a 403', async () => {
    const answer = await resolve(worker, { produce: [shipped] })

    expect(answer.status).toBe(403)
    expect(await reasonOf(answer)).toMatch(/rule=2 reason=no_grant/)
  })

  test('finds the true reason behind a 503', async () => {
    const stranger = `stranger-${randomUUID().slice(0, 8)}`
    const token = await mintWorkloadToken(state, { principal: stranger, claims: { team: 'finance' } })
    const answer = await resolve(stranger, { consume: [created] }, { authorization: `Bearer ${token}` })

    expect(answer.status).toBe(503)
    expect(await reasonOf(answer)).toContain(`access of \`${stranger}\` on \`payments\` is not applied yet`)
  })
})

test('a granted channel whose topic does not exist is worth waiting for until rotate has looked, and then refused', async () => {
  const absent = 'kafka://payments.acme.com/versions/absent'
  const first = await resolve(seeker, { produce: [absent] })
  const last = await until(
    'an answer that is final',
    () => resolve(seeker, { produce: [absent] }),
    ({ status }) => status !== 503,
  )

  expect(first.status).toBe(503)
  expect(last).toMatchObject({ status: 403, json: { code: 'access_denied' } })
  expect(await succeeds('why', last.headers.get('x-request-id') ?? '')).toContain('orders-absent-v1')
})

test('a renewal of what did not change is a 304 that moves the end, and after its release the lease is no one’s', async () => {
  const instance = randomUUID()
  const intent = { produce: [created], client: { instance } }
  const first = await resolve(worker, intent)
  const { id, expiresAt } = first.json.lease
  const etag = first.headers.get('etag') ?? ''
  const renew = (as = worker) => resolve(as, { ...intent, lease: id }, { 'if-none-match': etag })
  const isLater = ({ headers }: Answer) => Date.parse(headers.get('lease-expires-at') ?? '') > Date.parse(expiresAt)
  const renewed = await until('a later lease', renew, isLater)

  expect(first.status).toBe(200)
  expect(renewed).toMatchObject({ status: 304, text: '' })
  expect(renewed.headers.get('etag')).toBe(etag)
  expect(isLater(renewed)).toBe(true)
  expect((await send(`/v1/leases/${id}`, undefined, mover, {}, 'DELETE')).status).toBe(404)
  expect((await send(`/v1/leases/${id}`, undefined, worker, {}, 'DELETE')).status).toBe(204)
  expect((await renew()).status).toBe(404)
})

describe('a route that leads elsewhere', () => {
  const clusterOf = ({ json }: Answer): string => json.connections?.[0]?.cluster.name ?? ''
  const ask = () => resolve(mover, { produce: [settled], client: { instance: 'one' } })
  const moved = policyLeadingTo('analytics')

  test('is shown by plan, with who moves and the access that comes and goes, and nothing is done', async () => {
    expect(clusterOf(await ask())).toBe('payments')

    const plan = JSON.parse(await succeeds('plan', moved, '--json'))
    const stopped = await command('plan', moved, '--fail-on', 'moves')

    expect(plan.rules).toMatchObject([{ change: 'changed', about: expect.stringContaining('moving') }])
    expect(plan.moves.moves).toMatchObject([{ principal: mover, change: 'moves', leases: 1, asked: settled }])
    const { access }: { readonly access: readonly { readonly cluster: string; readonly principal: string }[] } = plan
    const concerned = access.filter(({ principal }) => principal === mover).map(({ cluster }) => cluster)
    expect(concerned.sort()).toEqual(['analytics', 'payments'])
    expect(stopped.code).toBe(1)
    expect(stopped.stdout).toContain(mover)
    expect(clusterOf(await ask())).toBe('payments')
  })

  test('is followed once it is applied, and followed back after a rollback', async () => {
    await succeeds('apply', moved)
    expect(
      clusterOf(await until('the cluster of the policy', ask, (answer) => clusterOf(answer) === 'analytics')),
    ).toBe('analytics')

    expect(await succeeds('rollback')).toContain('is in force')
    expect(
      clusterOf(await until('the cluster of the policy before', ask, (answer) => clusterOf(answer) === 'payments')),
    ).toBe('payments')
  })
})
