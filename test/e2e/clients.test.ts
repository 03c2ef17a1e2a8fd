import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Admin } from '@platformatic/kafka'
import { openLease } from '@switchboard-kafka/client'
import { kafkajs } from '@switchboard-kafka/client/kafkajs'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { trustAuthority } from '../../local/emulator.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { type AncestorMinute, createLeaseReader, runAncestorMinute } from '../fixtures/ancestor-minute.ts'
import {
  askForFile,
  basic,
  createJavaClients,
  createPythonClients,
  javaFile,
  librdkafkaFile,
  type StockClient,
  toolsOf,
} from '../fixtures/stock-clients.ts'
import {
  openTokenWindow,
  pauseMs,
  type Seen,
  type TokenWindow,
  tokenSeconds,
  windowMs,
} from '../fixtures/token-window.ts'
import { until } from '../fixtures/until.ts'

// Kafka clients that nobody wrote for Switchboard. What takes two minutes goes on while everything else here is tested,
// and is looked at last.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(state.caFile, 'utf8'))
const created = 'kafka://payments.acme.com/orders/created'
const topic = 'orders.created'
const folder = mkdtempSync(join(tmpdir(), 'switchboard-clients-'))
const tools = toolsOf(state)
let window: TokenWindow | undefined
let ancestor: Promise<AncestorMinute> | undefined

beforeAll(async () => {
  window = await openTokenWindow(state, folder)
  ancestor = runAncestorMinute(state, window.bystander)
  ancestor.catch(() => {})
})

afterAll(async () => {
  await ancestor?.catch(() => {})
  await window?.close()
  rmSync(folder, { recursive: true })
})

const keysOf = (count: number): string[] => {
  const run = randomUUID()
  return Array.from({ length: count }, (_, index) => `${run}-${index}`)
}

const families = [
  { family: 'Java', accept: javaFile, clients: createJavaClients(tools, folder) },
  { family: 'Python', accept: librdkafkaFile, clients: createPythonClients(tools, folder) },
] as const

const listeners = [
  { security: 'SASL_PLAINTEXT', network: 'vpc-local' },
  { security: 'SASL_SSL', network: 'public' },
] as const

const said = (client: StockClient): string => client.complaints() || 'nothing was said'

describe.each(families.flatMap((family) => listeners.map((listener) => ({ ...family, ...listener }))))(
  '$family over $security',
  ({ family, accept, clients, network, security }) => {
    const authorization = basic(state.clients['legacy-billing'] ?? '')
    const ask = (action: 'produce' | 'consume') =>
      askForFile(state, { accept, authorization, intent: { [action]: [created], network } })

    test('a stock producer writes and a stock consumer reads by the file alone', async () => {
      const wanted = keysOf(20)
      const producerFile = await ask('produce')
      expect(producerFile).toContain(security)

      const producer = clients.producer(`${family}-${network}-first`, producerFile, topic)
      for (const line of wanted) producer.write(line)
      expect(await producer.end(), said(producer)).toBe(0)

      const consumer = clients.consumer(`${family}-${network}-second`, await ask('consume'), topic)
      const missing = () => wanted.filter((line) => !consumer.lines.includes(line))
      try {
        await until(
          () => `${missing().length} records; ${said(consumer)}`,
          () => missing().length === 0,
        )
      } finally {
        await consumer.stop()
      }
      expect(`${producer.complaints()}${consumer.complaints()}`).not.toMatch(/ERROR|FATAL|LOST/)
    })
  },
)

describe.each(listeners)('kafkajs over $security', ({ network }) => {
  const open = async (intent: { readonly produce?: string[]; readonly consume?: string[] }) => {
    const lease = await openLease({
      url: state.switchboard.url,
      token: () => mintWorkloadToken(state, { principal: 'orders-api' }),
      intent: { ...intent, network },
    })
    const settings = kafkajs(lease.connection())
    return { lease, settings, kafka: new Kafka({ ...settings.client, logLevel: logLevel.NOTHING }) }
  }

  const write = async (keys: readonly string[]): Promise<void> => {
    const { lease, settings, kafka } = await open({ produce: [created] })
    const producer = kafka.producer(settings.producer)
    await producer.connect()
    try {
      const messages = keys.map((key) => ({ key, value: key }))
      await producer.send({ ...settings.send, topic: settings.topic(created), messages })
    } finally {
      await producer.disconnect()
      lease.close()
    }
  }

  const read = async (wanted: readonly string[]): Promise<readonly string[]> => {
    const { lease, settings, kafka } = await open({ consume: [created] })
    const consumer = kafka.consumer({ ...settings.consumer, sessionTimeout: 10_000 })
    const missing = new Set(wanted)
    await consumer.connect()
    try {
      await consumer.subscribe({ ...settings.subscribe, topics: [settings.topic(created)] })
      await consumer.run({ ...settings.run, eachMessage: async ({ message }) => void missing.delete(`${message.key}`) })
      await until(
        () => `${missing.size} records`,
        () => missing.size === 0,
      ).catch(() => {})
      return [...missing]
    } finally {
      await consumer.disconnect()
      lease.close()
    }
  }

  test('writes and reads with what its provider function gives', async () => {
    const keys = keysOf(20)

    await write(keys)

    expect(await read(keys)).toEqual([])
  })
})

describe('the lines of docs/clients.md', () => {
  const text = readFileSync(join(root, 'docs/clients.md'), 'utf8')
  const blocks = [...text.matchAll(/^```(\w+) ?([\w.]*)\n([\s\S]*?)^```$/gm)].map(
    ([, language = '', file = '', body = '']) => ({ language, file, body }),
  )
  // Node finds the packages of a file by the folders above it
  const place = join(state.runDirectory, 'clients-doc')

  /** Kafka's own scripts as its download has them, on the jars of the stack. */
  const installTools = (): void => {
    const bin = join(place, 'bin')
    mkdirSync(bin, { recursive: true })
    const script = (name: string, line: string) =>
      writeFileSync(join(bin, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 })
    const java = `exec "${tools.java}" ${tools.javaOptions.join(' ')} $KAFKA_OPTS -cp '${tools.classPath}'`
    script('kafka-console-producer.sh', `${java} org.apache.kafka.tools.ConsoleProducer "$@"`)
    script('kafka-console-consumer.sh', `${java} org.apache.kafka.tools.consumer.ConsoleConsumer "$@"`)
    script('python3', `exec "${tools.python}" "$@"`)
    script('node', `exec "${nodeFile}" "$@"`)
    const [jar = ''] = tools.classPath.split(':')
    symlinkSync(dirname(jar), join(place, 'libs'))
  }

  const offsetsOf = async (): Promise<bigint> => {
    const { mechanism, username, password } = state.clusters.payments.admin
    const sasl = { mechanism, username, password }
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [state.clusters.payments.inside], sasl })
    try {
      const partitions = [0, 1, 2].map((partitionIndex) => ({ partitionIndex, timestamp: -1n }))
      const [found] = await admin.listOffsets({ topics: [{ name: topic, partitions }] })
      return (found?.partitions ?? []).reduce((sum, { offset }) => sum + offset, 0n)
    } finally {
      await admin.close()
    }
  }

  afterAll(() => rmSync(place, { recursive: true, force: true }))

  test('are all run here, but for those of clients that this machine need not have', () => {
    const kinds = blocks
      .filter(({ file, language }) => file === '' && language !== 'sh')
      .map(({ language }) => language)
    expect(kinds).toEqual(['go', 'csharp', 'console'])
    expect(text.match(/^```\w/gm)).toHaveLength(blocks.length)
  })

  test('write a record with each client and read one with those that read', async () => {
    installTools()
    for (const { file, body } of blocks) if (file !== '') writeFileSync(join(place, file), body)
    const tokenFile = join(place, 'token')
    writeFileSync(tokenFile, await mintWorkloadToken(state, { principal: 'orders-api' }), { mode: 0o600 })
    const [id = '', secret = ''] = (state.clients['legacy-billing'] ?? '').split(':')
    const javaHome = tools.java.includes('/') ? [dirname(tools.java)] : []
    const before = await offsetsOf()

    const script = blocks.filter(({ language }) => language === 'sh').map(({ body }) => body)
    const { stdout, stderr } = await promisify(execFile)(
      'bash',
      ['--norc', '-euo', 'pipefail', '-c', script.join('\n')],
      {
        cwd: place,
        env: cleanEnvironment({
          PATH: [join(place, 'bin'), ...javaHome, process.env.PATH].join(':'),
          SWITCHBOARD_URL: state.switchboard.url,
          SWITCHBOARD_CLIENT_ID: id,
          SWITCHBOARD_CLIENT_SECRET: secret,
          TOKEN_FILE: tokenFile,
          KAFKAJS_NO_PARTITIONER_WARNING: '1',
        }),
        timeout: 90_000,
      },
    )

    expect(stderr).not.toMatch(/ERROR|error:/)
    expect(await offsetsOf()).toBe(before + 6n)
    expect(stdout.match(/\S+/g)?.length).toBeGreaterThanOrEqual(2)
    expect(statSync(join(place, 'producer.properties')).mode & 0o777).toBe(0o600)
  })
})

describe('a minute of two services of the ancestor, one poll a second', () => {
  let minute: AncestorMinute
  let leaseId: string
  const client = () => window?.bystander ?? expect.unreachable()

  const ask = (query: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) =>
    fetch(
      `${state.switchboard.url}/servicegw?${new URLSearchParams({
        config_profile: 'balanced',
        'config_profile.type': 'consumer',
        ...query,
      })}`,
      { headers: { authorization: basic(client().pair), ...headers } },
    )

  beforeAll(async () => {
    minute = (await ancestor) ?? expect.unreachable()
    leaseId = minute.consumer.asked[0]?.lease ?? ''
  })

  test('a service of the ancestor runs for a minute with what `/servicegw` tells it, and nothing is lost', () => {
    const { producer, consumer, topics } = minute

    expect([producer, consumer].map(({ exitCode, complaints }) => [exitCode, complaints])).toEqual([
      [0, ''],
      [0, ''],
    ])
    expect(producer.values.length).toBeGreaterThanOrEqual(50)
    expect(consumer.values.toSorted()).toEqual(producer.values.toSorted())
    expect(consumer.built).toEqual([{ event: 'built', topics }])
  })

  test('a consumer that asks once a second is never built anew, and hears the same every time', () => {
    const { asked, built } = minute.consumer

    expect(asked.length).toBeGreaterThanOrEqual(55)
    expect(built).toHaveLength(1)
    expect(new Set(asked.map(({ etag }) => etag)).size).toBe(1)
  })

  test('its one lease is as it was stored when it first asked, and does not end', () => {
    const { channels, before, after, consumer } = minute

    expect(new Set(consumer.asked.map(({ lease }) => lease)).size).toBe(1)
    expect(before).toMatchObject({
      principal: client().id,
      clusters: ['payments'],
      channels,
      expiresAt: '9999-12-31T23:59:59.999Z',
    })
    expect(after).toEqual(before)
  })

  test('the gateway lets the query through as it was written, and a tag is answered with 304', async () => {
    const [one = '', two = ''] = minute.channels
    const first = await ask({ 'channel[0]': two, 'channel[1]': one })
    const { etag = '' } = minute.consumer.asked[0] ?? {}

    expect(first.status).toBe(200)
    // the order of channels means nothing
    expect([first.headers.get('lease-id'), first.headers.get('etag')]).toEqual([leaseId, etag])

    const again = await ask({ 'channel[0]': one, 'channel[1]': two, 'a b': 'c+d' }, { 'if-none-match': etag })
    expect(again.status).toBe(304)
  })

  test('a channel that no grant allows is refused with a status that its client takes for a failure', async () => {
    const refused = await ask({ channel: 'kafka://payments.acme.com/payouts/settled' })

    expect(refused.status).toBe(403)
    expect(refused.headers.get('content-type')).toBe('application/problem+json')
    expect(await refused.json()).toMatchObject({ code: 'access_denied' })
  })

  test('services end their leases themselves when they are done', async () => {
    const readLease = createLeaseReader(state, client().id)
    for (const { asked } of [minute.consumer, minute.producer]) {
      const id = asked[0]?.lease ?? ''
      const released = await fetch(`${state.switchboard.url}/v1/leases/${id}`, {
        method: 'DELETE',
        headers: { authorization: basic(client().pair) },
      })
      expect(released.status).toBe(204)
      // what it was for stays readable for a day
      const { expiresAt } = (await readLease(id)) as { readonly expiresAt: string }
      expect(new Date(expiresAt).getTime()).toBeLessThanOrEqual(Date.now())
    }
  })
})

describe('two minutes with tokens of 30 s, on brokers that want a client to authenticate again within 20 s', () => {
  let seen: Seen
  beforeAll(async () => {
    seen = (await window?.seen) ?? expect.unreachable()
  })

  test('are such on this stack', () => {
    const propertiesFile = state.processes.find(({ name }) => name === 'kafka-payments')?.command.args.at(-1) ?? ''
    expect(readFileSync(propertiesFile, 'utf8')).toMatch(/outside\.oauthbearer\.connections\.max\.reauth\.ms=20000\n/)
  })

  test('end no client, and bring no error that a client cannot go on from', () => {
    const bad = seen.running.filter(({ process }) => /ERROR|FATAL|LOST/.test(process.complaints()))

    expect(bad.map(({ name, process }) => `${name}: ${process.complaints()}`)).toEqual([])
    expect([...seen.exits].filter(([, code]) => code !== 0)).toEqual([])
    expect(seen.errors).toEqual([])
  })

  test('give every client one token after another', () => {
    expect(seen.tokens.size).toBe(seen.running.length)
    expect(Math.min(...seen.tokens.values())).toBeGreaterThanOrEqual(windowMs / 1_000 / tokenSeconds)
  })

  test.each(['java-vpc-local', 'java-public', 'python-vpc-local', 'python-public'])(
    'lose no record that was acknowledged to any producer: %s reads them all',
    (name) => {
      const lines = new Set(seen.running.find((each) => each.name === `${name}-consumer`)?.process.lines)

      expect(seen.written.size).toBe(8)
      for (const [producer, acknowledged] of seen.written) {
        expect(acknowledged.length, producer).toBeGreaterThan(windowMs / pauseMs / 4)
        const lost = acknowledged.filter((line) => !lines.has(line))
        expect(lost, producer).toEqual([])
      }
    },
  )

  test.each(['java', 'python'])(
    'let a workload in %s change its token file and show the new token in time',
    (family) => {
      const { jtis, endOfFirst, first, second } =
        seen.assertions.find((each) => each.family === family) ?? expect.unreachable()

      expect(new Set(jtis).size).toBe(2)
      expect(first.length).toBeGreaterThan(0)
      expect(Math.min(...second)).toBeLessThan(endOfFirst)
      expect(Math.max(...first)).toBeLessThan(Math.min(...second))
      // it goes on at a time at which the first would be refused
      expect(Math.max(...second)).toBeGreaterThan(endOfFirst)
    },
  )
})
