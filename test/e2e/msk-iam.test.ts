import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { type Lease, openLease } from '@switchboard-kafka/client'
import { kafkajs } from '@switchboard-kafka/client/kafkajs'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { awsEnvironment, sessionsFileOf, trustAuthority } from '../../local/emulator.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { knownCluster } from '../../local/kafka/known-cluster.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { createAclAdmin } from '../../shared/clusters/kafka/acl-admin.ts'
import { createJavaClients, type StockClient, start, toolsOf } from '../fixtures/stock-clients.ts'
import { until } from '../fixtures/until.ts'

// MSK by IAM: the deployed resolve assumes the role that the deploy made and signs; the Kafka behind the simulated MSK checks
// signature and session policy with what the emulator's STS gave out.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const ca = readFileSync(state.caFile, 'utf8')
trustAuthority(ca)
const { aws, switchboard, clusters, msk } = state
const folder = mkdtempSync(join(tmpdir(), 'switchboard-msk-iam-'))
const tokenFile = join(folder, 'workload.jwt')
const run = randomUUID().slice(0, 8)
const principal = `iam-${run}`
const reader = `iam-reader-${run}`
const channel = 'kafka://payments.acme.com/reports/daily'
const topic = 'reports.daily'
const foreign = `foreign-${run}`
const tokenSeconds = 15
const windowMs = 50_000
const { inside, admin } = clusters.analytics
const acls = createAclAdmin({ ...knownCluster('analytics', inside), auth: ['jwt'] }, admin)

const command = async (...words: string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)(
    nodeFile,
    [join(root, 'cli/switchboard.ts'), ...words, '--stack', switchboard.stackName],
    { cwd: root, env: cleanEnvironment(awsEnvironment(aws, state.caFile)) },
  )
  return stdout
}

const applyPolicy = async (): Promise<void> => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  policy.setIn(['clusters', 'analytics'], {
    provider: 'msk',
    arn: msk.clusterArn,
    auth: ['msk-iam'],
    bootstrap: clusters.analytics.iam,
    ca,
  })
  const maxLease = `${tokenSeconds}s`
  const groups = [`${principal}-*`]
  policy.addIn(['grants'], { principals: [principal], produce: [channel], consume: [channel], groups, maxLease })
  policy.addIn(['grants'], { principals: [reader], consume: [channel], maxLease })
  const file = join(folder, 'policy.yaml')
  writeFileSync(file, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  await command('apply', file)
}

const leases: Lease[] = []

const lease = async (
  name: string,
  intent: { readonly produce?: string[]; readonly consume?: string[]; readonly group?: string },
  by = principal,
) => {
  const token = () => mintWorkloadToken(state, { principal: by })
  const opened = await openLease({ url: switchboard.url, token, intent, instance: name })
  leases.push(opened)
  return opened.connection()
}

const buildJavaSdk = async (): Promise<string> => {
  const pom = join(root, 'sdk/java/pom.xml')
  const build = join(folder, 'sdk')
  await promisify(execFile)('mvn', ['-B', '-q', '-f', pom, 'package', '-Dmaven.test.skip', `-Dsdk.build=${build}`])
  return join(build, 'switchboard-kafka-client.jar')
}

let sdkJar = ''

beforeAll(async () => {
  await applyPolicy()
  writeFileSync(tokenFile, await mintWorkloadToken(state, { principal, expiresInSeconds: 600 }), { mode: 0o600 })
  sdkJar = await buildJavaSdk()
})

afterAll(async () => {
  for (const each of leases) each.close()
  await acls.close()
  await command('apply', state.policyFile)
  rmSync(folder, { recursive: true, force: true })
})

/** What the broker was told of sessions whose role sessions have this name. */
const sessionsOf = (name: string): readonly { readonly arn: string; readonly sessionPolicies: unknown }[] =>
  readFileSync(sessionsFileOf(state.runDirectory), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ arn }) => arn.endsWith(`/${name}`))

const saidBy = (error: unknown): string =>
  error instanceof Error
    ? [
        error.message,
        'apiId' in error ? String(error.apiId) : '',
        saidBy(error.cause),
        ...(error instanceof AggregateError ? error.errors.map(saidBy) : []),
      ].join(' ')
    : ''

const sendOnce = async (producer: Producer<string, string, string, string>, to: string): Promise<string> => {
  try {
    await producer.send({ messages: [{ topic: to, value: 'test' }] })
    return 'ok'
  } catch (error) {
    return saidBy(error)
  } finally {
    await producer.close()
  }
}

describe('a principal that IAM lets in', () => {
  test('gets a token, and settings that say how to log in with it', async () => {
    const connection = await lease('settings', { produce: [channel] })
    expect(connection.cluster).toMatchObject({ name: 'analytics', provider: 'msk' })
    expect(connection.credential.kind).toBe('msk-iam')
    expect(connection.properties).toMatchObject({
      'bootstrap.servers': clusters.analytics.iam,
      'security.protocol': 'SASL_SSL',
      'sasl.mechanism': 'OAUTHBEARER',
    })
    const url = new URL(Buffer.from(await connection.token(), 'base64url').toString())
    expect(url.host).toBe(`kafka.${aws.region}.amazonaws.com`)
    expect(Number(url.searchParams.get('X-Amz-Expires'))).toBeLessThanOrEqual(tokenSeconds)
  })

  test('writes where its grants let it, and nowhere else', async () => {
    const settings = platformatic(await lease('writes', { produce: [channel] })).producer
    const producer = () => new Producer({ ...settings, retries: 0, serializers: stringSerializers })
    expect(await sendOnce(producer(), topic)).toBe('ok')
    expect(await sendOnce(producer(), foreign)).toMatch(/TOPIC_AUTHORIZATION_FAILED|UNKNOWN_TOPIC/)
    const reading = platformatic(await lease('reads', { consume: [channel] }, reader)).client
    const foreigner = new Producer({ ...reading, retries: 0, serializers: stringSerializers })
    expect(await sendOnce(foreigner, topic)).toContain('TOPIC_AUTHORIZATION_FAILED')
  })

  test('has no ACL, one session name, and a policy of its own', async () => {
    const [first, ...others] = sessionsOf(principal)
    const users = [`sb.${principal}`, `sb.${reader}`, first?.arn ?? '']
    expect([...(await acls.describe(users)).values()].flat()).toEqual([])
    expect(first?.arn).toMatch(new RegExp(`^arn:aws:sts::${aws.accountId}:assumed-role/[^/]+/${principal}$`))
    for (const { arn } of others) expect(arn).toBe(first?.arn)
    expect(JSON.stringify(first?.sessionPolicies)).toContain(topic)
    const readers = sessionsOf(reader).map(({ sessionPolicies }) => JSON.stringify(sessionPolicies))
    expect(readers).not.toEqual([])
    for (const policy of readers) expect(policy).not.toContain('WriteData')
    expect(statSync(sessionsFileOf(state.runDirectory)).mode & 0o777).toBe(0o600)
  })

  test('is told why', async () => {
    const response = await fetch(`${switchboard.url}/v1/explain`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await mintWorkloadToken(state, { principal })}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ produce: [channel] }),
    })
    expect(await response.text()).toContain('msk-iam')
  })
})

test('all four clients run for longer than three tokens live, and lose nothing', async () => {
  const tools = toolsOf(state)
  const java = createJavaClients({ ...tools, classPath: `${tools.classPath}:${sdkJar}` }, folder)
  const python = (role: string, group = ''): StockClient =>
    start(
      tools.python,
      [
        join(root, 'test/fixtures/confluent-kafka/leased.py'),
        ...[switchboard.url, tokenFile, role, channel, ...(group === '' ? [] : [group])],
      ],
      { PYTHONPATH: join(root, 'sdk/python') },
    )
  const groupOf = (name: string): string => `${principal}-${name}`
  const javaProperties = (role: 'producer' | 'consumer'): string =>
    [
      `bootstrap.servers=${clusters.analytics.iam}`,
      'security.protocol=SASL_SSL',
      'ssl.truststore.type=PEM',
      `ssl.truststore.certificates=${ca.trimEnd().replaceAll('\n', '\\n')}`,
      'sasl.mechanism=OAUTHBEARER',
      'sasl.login.callback.handler.class=switchboard.kafka.client.SwitchboardLoginCallbackHandler',
      `sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required url="${switchboard.url}" tokenFile="${tokenFile}" instance="java-${role}" ${role === 'producer' ? `produce="${channel}"` : `consume="${channel}" group="${groupOf('java')}"`};`,
      ...(role === 'consumer' ? [`group.id=${groupOf('java')}`, 'auto.offset.reset=earliest'] : []),
      '',
    ].join('\n')

  const read = { kafkajs: [] as string[], platformatic: [] as string[] }
  const writing = kafkajs(await lease('kafkajs-producer', { produce: [channel] }))
  const reading = kafkajs(await lease('kafkajs-consumer', { consume: [channel], group: groupOf('kafkajs') }))
  const first = new Kafka({ ...writing.client, logLevel: logLevel.NOTHING }).producer(writing.producer)
  const second = new Kafka({ ...reading.client, logLevel: logLevel.NOTHING }).consumer(reading.consumer)
  await first.connect()
  await second.connect()
  await second.subscribe({ topics: [topic], fromBeginning: true })
  await second.run({
    ...reading.run,
    eachMessage: async ({ message }) => void read.kafkajs.push(String(message.value)),
  })
  const producer = new Producer({
    ...platformatic(await lease('platformatic-producer', { produce: [channel] })).producer,
    serializers: stringSerializers,
  })
  const consuming = platformatic(
    await lease('platformatic-consumer', { consume: [channel], group: groupOf('platformatic') }),
  )
  const consumer = new Consumer({ ...consuming.consumer, deserializers: stringDeserializers })
  const stream = await consumer.consume({ mode: 'committed', fallbackMode: 'earliest', topics: [topic] })
  stream.on('data', ({ value }) => void read.platformatic.push(value))
  const processes = {
    javaProducer: java.producer('java-producer', javaProperties('producer'), topic),
    javaConsumer: java.consumer('java-consumer', javaProperties('consumer'), topic),
    pythonProducer: python('producer'),
    pythonConsumer: python('consumer', groupOf('python')),
  }
  const readers: readonly (readonly [string, () => readonly string[]])[] = [
    ['kafkajs', () => read.kafkajs],
    ['platformatic', () => read.platformatic],
    ['java', () => processes.javaConsumer.lines],
    ['python', () => processes.pythonConsumer.lines],
  ]
  const complaints = () =>
    Object.values(processes)
      .map((client) => client.complaints())
      .join('\n')

  const written: string[] = []
  const sending: Promise<unknown>[] = []
  const write = (writer: string, line: string): unknown => {
    if (writer === 'kafkajs') return first.send({ ...writing.send, topic, messages: [{ value: line }] })
    if (writer === 'platformatic') return producer.send({ messages: [{ topic, value: line }] })
    return (writer === 'java' ? processes.javaProducer : processes.pythonProducer).write(line)
  }
  const end = Date.now() + windowMs
  for (let count = 0; Date.now() < end; count += 1) {
    for (const writer of ['kafkajs', 'platformatic', 'java', 'python']) {
      const line = `${run} ${writer} ${count}`
      written.push(line)
      sending.push(Promise.resolve(write(writer, line)))
    }
    await delay(250)
  }
  const outcomes = await Promise.allSettled(sending)
  const exits = await Promise.all([processes.javaProducer.end(), processes.pythonProducer.end()])
  const missing = (): readonly string[] =>
    readers.flatMap(([name, lines]) => {
      const seen = new Set(lines())
      return written.filter((line) => !seen.has(line)).map((line) => `${name} has not read ${line}`)
    })
  await until(
    () => `${missing().length}: ${missing().slice(0, 5).join(', ')}\n${complaints().slice(-3_000)}`,
    () => missing().length === 0,
  )
  await Promise.all([first.disconnect(), second.disconnect(), producer.close(), consumer.close(true)])
  await Promise.all([processes.javaConsumer.stop(), processes.pythonConsumer.stop()])
  expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([])
  expect(exits).toEqual([0, 0])
  expect(complaints()).not.toMatch(/ERROR|FATAL|LOST|Exception/)
})
