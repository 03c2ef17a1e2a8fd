import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { type Lease, openLease } from '@switchboard-kafka/client'
import { kafkajs } from '@switchboard-kafka/client/kafkajs'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installPython } from '../../local/install.ts'
import { root } from '../../local/paths.ts'
import { javaCommand } from '../../local/processes.ts'
import { createTerminal } from '../../local/terminal.mjs'
import { type IamSession, signMskToken } from '../../shared/clusters/msk/iam-token.ts'
import type { ClientFamily } from '../../shared/domain/intent.ts'
import { inDialect } from '../../shared/http/client-file.ts'
import {
  arnOn,
  type MskIamBroker,
  mskClusterArn,
  mskPlace,
  type Statement,
  startMskIamBroker,
} from '../fixtures/msk-iam-broker.ts'
import { createJavaClients, type StockClient, start } from '../fixtures/stock-clients.ts'
import { until } from '../fixtures/until.ts'

// Clients of Amazon MSK that IAM lets in, against a real Kafka that checks their tokens as MSK does. Switchboard itself is
// played by a few lines here; the whole way is in test/e2e.

const channel = 'kafka://payments.acme.com/orders/created'
const topic = 'orders.created'
const foreign = 'payouts.settled'
const tokenSeconds = 12
const windowMs = 40_000

const folder = mkdtempSync(join(tmpdir(), 'msk-iam-'))
const tokenFile = join(folder, 'workload.jwt')
let broker: MskIamBroker
let server: Server
let sdkJar: string
let python: string
let session: IamSession
/** Tokens that were handed out, by the instance that asked. */
const tokens = new Map<string, string[]>()

const connects: Statement = { Action: ['kafka-cluster:Connect'], Resource: [mskClusterArn] }
const produces: Statement = {
  Action: ['kafka-cluster:DescribeTopic', 'kafka-cluster:WriteData'],
  Resource: [arnOn('topic', topic)],
}
const consumes: Statement = {
  Action: ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'],
  Resource: [arnOn('topic', topic)],
}
const groups: Statement = {
  Action: ['kafka-cluster:DescribeGroup', 'kafka-cluster:AlterGroup'],
  Resource: [arnOn('group', 'orders-api-*')],
}
const idempotently: Statement = { Action: ['kafka-cluster:WriteDataIdempotently'], Resource: [mskClusterArn] }

const tokenOf = (from: IamSession, lifeSeconds = tokenSeconds): string => {
  const now = new Date()
  return signMskToken(from, mskPlace, now, new Date(now.getTime() + lifeSeconds * 1_000))
}

type Asked = {
  readonly produce?: readonly string[]
  readonly client: { readonly instance: string; readonly family: ClientFamily }
}

const answerTo = ({ produce, client: { instance, family } }: Asked) => {
  const token = tokenOf(session)
  tokens.set(instance, [...(tokens.get(instance) ?? []), token])
  const expiresAt = new Date(Math.floor(Date.now() / 1_000 + tokenSeconds) * 1_000).toISOString()
  const settings = inDialect(
    {
      cluster: { name: 'analytics', provider: 'msk' },
      topics: { [channel]: topic },
      properties: {
        'bootstrap.servers': broker.bootstrap,
        'security.protocol': 'SASL_SSL',
        'sasl.mechanism': 'OAUTHBEARER',
        'client.id': instance,
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.certificates': broker.certificate,
      },
      ...(produce === undefined
        ? { consumer: { 'group.id': `orders-api-${instance}`, 'auto.offset.reset': 'earliest' } }
        : { producer: { acks: 'all', 'enable.idempotence': true } }),
    },
    family,
  )
  return {
    lease: {
      id: `lease_${instance}`,
      refreshAfter: new Date(Date.now() + tokenSeconds * 600).toISOString(),
      expiresAt,
    },
    connections: [{ ...settings, credential: { kind: 'msk-iam', token, expiresAt } }],
    directory: 'sha256:00',
  }
}

const url = (): string => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

/** Its tests and its jar, as whoever builds it makes them. */
const buildJavaSdk = async (): Promise<string> => {
  const pom = join(root, 'sdk/java/pom.xml')
  await promisify(execFile)('mvn', ['-B', '-q', '-f', pom, 'package', `-Dsdk.build=${join(folder, 'sdk')}`])
  return join(folder, 'sdk/switchboard-kafka-client.jar')
}

beforeAll(async () => {
  writeFileSync(tokenFile, 'workload.token\n', { mode: 0o600 })
  python = await installPython(createTerminal(process.stderr), new AbortController().signal)
  broker = await startMskIamBroker(join(folder, 'run'), [topic, foreign])
  session = broker.assume('sb.orders-api', [connects, produces, consumes, groups, idempotently])
  server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    const isKnown = request.headers.authorization === 'Bearer workload.token'
    response.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' })
    response.end(JSON.stringify(isKnown ? answerTo(JSON.parse(body)) : {}))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  sdkJar = await buildJavaSdk()
})

afterAll(async () => {
  server?.close()
  await broker?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const clientWith = (token: () => string, more: Readonly<Record<string, unknown>> = {}) => ({
  clientId: 'test',
  bootstrapBrokers: [broker.bootstrap],
  sasl: { mechanism: 'OAUTHBEARER' as const, token },
  tls: { ca: broker.certificate },
  retries: 0,
  ...more,
})

const producerWith = (from: IamSession, idempotent = false) =>
  new Producer({ ...clientWith(() => tokenOf(from)), serializers: stringSerializers, idempotent })

/** Everything that an error says, those below it included. */
const saidBy = (error: unknown): string =>
  error instanceof Error
    ? [
        error.message,
        'apiId' in error ? String(error.apiId) : '',
        saidBy(error.cause),
        ...(error instanceof AggregateError ? error.errors.map(saidBy) : []),
      ].join(' ')
    : ''

const outcomeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
    return 'ok'
  } catch (error) {
    return saidBy(error)
  }
}

const sendOnce = async (producer: Producer<string, string, string, string>, to: string): Promise<string> => {
  try {
    return await outcomeOf(producer.send({ messages: [{ topic: to, value: 'test' }], acks: -1 }))
  } finally {
    await producer.close()
  }
}

describe('a broker that checks IAM', () => {
  test('lets a session write what its policy says, without any ACL', async () => {
    expect(await sendOnce(producerWith(session), topic)).toBe('ok')
    expect(await sendOnce(producerWith(session, true), topic)).toBe('ok')
    const { mechanism, username, password } = broker.cluster.admin
    const sasl = { mechanism, username, password }
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [broker.cluster.inside], sasl })
    const acls = await admin.describeAcls({
      filter: { resourceType: 1, resourcePatternType: 1, operation: 1, permissionType: 1 },
    } as never)
    await admin.close()
    expect(acls).toEqual([])
  })

  test('refuses another topic, and each right that the policy does not have', async () => {
    expect(await sendOnce(producerWith(session), foreign)).toContain('TOPIC_AUTHORIZATION_FAILED')
    const reader = broker.assume('sb.reader', [connects, consumes, groups])
    expect(await sendOnce(producerWith(reader), topic)).toContain('TOPIC_AUTHORIZATION_FAILED')
    const plain = broker.assume('sb.plain', [connects, produces])
    expect(await sendOnce(producerWith(plain), topic)).toBe('ok')
    expect(await sendOnce(producerWith(plain, true), topic)).toContain('CLUSTER_AUTHORIZATION_FAILED')
  })

  test('gives two sessions of one name what each of their policies says', async () => {
    const other = broker.assume('sb.orders-api', [connects, { ...produces, Resource: [arnOn('topic', foreign)] }])
    expect(await sendOnce(producerWith(other), foreign)).toBe('ok')
    expect(await sendOnce(producerWith(other), topic)).toContain('TOPIC_AUTHORIZATION_FAILED')
    expect(await sendOnce(producerWith(session), topic)).toBe('ok')
  })

  test('lets nobody in by a token that has ended, is altered, is of no session or may not connect', async () => {
    const ended = tokenOf(session, 1)
    await delay(1_500)
    const altered = tokenOf({ ...session, secretAccessKey: 'another' })
    const unknown = tokenOf({ ...session, accessKeyId: 'ASIAUNKNOWN000000000' })
    const unconnected = tokenOf(broker.assume('sb.unconnected', [produces]))
    for (const token of [ended, altered, unknown, unconnected, 'not-a-token']) {
      const admin = new Admin(clientWith(() => token))
      expect(await outcomeOf(admin.metadata({ topics: [] }))).toMatch(/auth|SASL/i)
      await admin.close()
    }
  })

  test('refuses a group of another name', async () => {
    const consumer = new Consumer({
      ...clientWith(() => tokenOf(session)),
      groupId: 'billing',
      deserializers: stringDeserializers,
    })
    expect(await outcomeOf(consumer.consume({ topics: [topic] }))).toContain('GROUP_AUTHORIZATION_FAILED')
    await consumer.close(true)
  })

  test('refuses another session name on a connection that authenticates again, and takes a new session of the same', async () => {
    let current = session
    const admin = new Admin(clientWith(() => tokenOf(current)))
    await admin.metadata({ topics: [] })
    const connections = [...(await admin.connectToBrokers()).values()]
    current = broker.assume('sb.orders-api', [connects, produces])
    for (const connection of connections) connection.reauthenticate()
    await delay(1_000)
    await admin.metadata({ topics: [], forceUpdate: true })
    const changes = (): number => readFileSync(broker.log, 'utf8').split('Cannot change principals').length - 1
    expect(changes()).toBe(0)
    current = broker.assume('sb.orders-api-2', [connects, produces])
    for (const connection of connections) connection.reauthenticate()
    await until('the broker said nothing', () => changes() > 0)
    await admin.close()
  })
})

describe('clients that run for longer than three tokens live', () => {
  type Writer = {
    readonly name: string
    readonly write: (line: string) => Promise<unknown>
    readonly close: () => Promise<unknown>
  }
  type Reader = {
    readonly name: string
    readonly lines: () => readonly string[]
    readonly close: () => Promise<unknown>
  }

  const leases: Lease[] = []
  const lease = async (name: string, intent: { readonly produce?: string[]; readonly consume?: string[] }) => {
    const opened = await openLease({ url: url(), token: 'workload.token', intent, instance: name })
    leases.push(opened)
    return opened.connection()
  }

  const javaProperties = (role: 'producer' | 'consumer', name: string): string =>
    [
      `bootstrap.servers=${broker.bootstrap}`,
      'security.protocol=SASL_SSL',
      'ssl.truststore.type=PEM',
      `ssl.truststore.certificates=${broker.certificate.trimEnd().replaceAll('\n', '\\n')}`,
      'sasl.mechanism=OAUTHBEARER',
      'sasl.login.callback.handler.class=switchboard.kafka.client.SwitchboardLoginCallbackHandler',
      `sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required url="${url()}" tokenFile="${tokenFile}" ${role === 'producer' ? 'produce' : 'consume'}="${channel}" instance="${name}";`,
      ...(role === 'consumer' ? [`group.id=orders-api-${name}`, 'auto.offset.reset=earliest'] : []),
      '',
    ].join('\n')

  const processWriter = (name: string, client: StockClient): Writer & { readonly client: StockClient } => ({
    name,
    client,
    write: async (line) => client.write(line),
    close: () => client.end(),
  })

  test('lose nothing, log no error and authenticate with new tokens', async () => {
    const tools = {
      java: javaCommand(),
      javaOptions: ['-Xmx128m', '-XX:TieredStopAtLevel=1'],
      classPath: `${broker.classPath}:${sdkJar}`,
      python,
    }
    const java = createJavaClients(tools, folder)
    const env = { PYTHONPATH: join(root, 'sdk/python') }
    const leased = (role: string): StockClient =>
      start(python, [join(root, 'test/fixtures/confluent-kafka/leased.py'), url(), tokenFile, role, channel], env)

    const read = { kafkajs: [] as string[], platformatic: [] as string[] }
    const kafkajsProducer = kafkajs(await lease('kafkajs-producer', { produce: [channel] }))
    const kafkajsConsumer = kafkajs(await lease('kafkajs-consumer', { consume: [channel] }))
    const first = new Kafka({ ...kafkajsProducer.client, logLevel: logLevel.NOTHING }).producer(
      kafkajsProducer.producer,
    )
    const second = new Kafka({ ...kafkajsConsumer.client, logLevel: logLevel.NOTHING }).consumer(
      kafkajsConsumer.consumer,
    )
    await first.connect()
    await second.connect()
    await second.subscribe({ ...kafkajsConsumer.subscribe, topics: [topic] })
    await second.run({
      ...kafkajsConsumer.run,
      eachMessage: async ({ message }) => void read.kafkajs.push(String(message.value)),
    })
    const producer = new Producer({
      ...platformatic(await lease('platformatic-producer', { produce: [channel] })).producer,
      serializers: stringSerializers,
    })
    const consuming = platformatic(await lease('platformatic-consumer', { consume: [channel] }))
    const consumer = new Consumer({ ...consuming.consumer, deserializers: stringDeserializers })
    const stream = await consumer.consume({ ...consuming.consume, topics: [topic] })
    stream.on('data', ({ value }) => void read.platformatic.push(value))

    const processes = {
      javaProducer: java.producer('java-producer', javaProperties('producer', 'java-producer'), topic),
      javaConsumer: java.consumer('java-consumer', javaProperties('consumer', 'java-consumer'), topic),
      pythonProducer: leased('producer'),
      pythonConsumer: leased('consumer'),
    }
    const writers: readonly Writer[] = [
      {
        name: 'kafkajs',
        write: (line) => first.send({ ...kafkajsProducer.send, topic, messages: [{ value: line }] }),
        close: () => first.disconnect(),
      },
      {
        name: 'platformatic',
        write: (line) => producer.send({ messages: [{ topic, value: line }] }),
        close: () => producer.close(),
      },
      processWriter('java', processes.javaProducer),
      processWriter('python', processes.pythonProducer),
    ]
    const readers: readonly Reader[] = [
      { name: 'kafkajs', lines: () => read.kafkajs, close: () => second.disconnect() },
      { name: 'platformatic', lines: () => read.platformatic, close: () => consumer.close(true) },
      { name: 'java', lines: () => processes.javaConsumer.lines, close: () => processes.javaConsumer.stop() },
      { name: 'python', lines: () => processes.pythonConsumer.lines, close: () => processes.pythonConsumer.stop() },
    ]

    const written: string[] = []
    const sending: Promise<unknown>[] = []
    const end = Date.now() + windowMs
    for (let count = 0; Date.now() < end; count += 1) {
      for (const { name, write } of writers) {
        const line = `${name} ${count}`
        written.push(line)
        sending.push(write(line))
      }
      await delay(250)
    }
    const outcomes = await Promise.allSettled(sending)
    const exits = await Promise.all([processes.javaProducer.end(), processes.pythonProducer.end()])
    const missing = (): readonly string[] =>
      readers.flatMap(({ name, lines }) => {
        const seen = new Set(lines())
        return written.filter((line) => !seen.has(line)).map((line) => `${name} has not read ${line}`)
      })
    const complaints = () =>
      Object.values(processes)
        .map((client) => client.complaints())
        .join('\n')
    await until(
      () => `${missing().length}: ${missing().slice(0, 5).join(', ')}\n${complaints().slice(-3_000)}`,
      () => missing().length === 0,
    )
    await Promise.all([...readers.map(({ close }) => close()), first.disconnect(), producer.close()])
    for (const each of leases) each.close()

    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([])
    expect(exits).toEqual([0, 0])
    expect(complaints()).not.toMatch(/ERROR|FATAL|LOST|Exception/)
    for (const family of ['kafkajs', 'platformatic', 'java', 'python'])
      for (const role of ['producer', 'consumer'])
        expect(new Set(tokens.get(`${family}-${role}`)).size, `${family}-${role}`).toBeGreaterThanOrEqual(3)
  })
})
