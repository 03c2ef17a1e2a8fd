import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import type { Check } from '../../cli/service/checks.ts'
import { awsEnvironment } from '../../local/emulator.ts'
import { mintWorkloadToken, type TokenRequest } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment, runCommand } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { createPythonClients, toolsOf } from '../fixtures/stock-clients.ts'
import { until } from '../fixtures/until.ts'

// The commands for services against the stack and its brokers.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const tools = toolsOf(state)
const created = 'kafka://payments.acme.com/orders/created'
const topic = 'orders.created'
const { inside, outside } = state.clusters.payments
const folder = mkdtempSync(join(tmpdir(), 'switchboard-commands-'))
const principal = `doctor-${randomUUID().slice(0, 8)}`
const command = join(root, 'cli/switchboard.ts')
const processes: ChildProcess[] = []
const servers: Server[] = []

const apply = (policyFile: string): Promise<void> =>
  runCommand({
    name: 'switchboard apply',
    file: nodeFile,
    args: [command, 'apply', policyFile, '--stack', state.switchboard.stackName],
    env: cleanEnvironment(awsEnvironment(state.aws, state.caFile)),
    cwd: root,
    log: join(state.logDirectory, 'cli-services-apply.log'),
  })

beforeAll(async () => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  policy.addIn(['grants'], { principals: [principal], produce: [created], consume: [created] })
  const policyFile = join(state.runDirectory, 'cli-services-policy.yaml')
  writeFileSync(policyFile, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  await apply(policyFile)
})

afterAll(async () => {
  for (const child of processes) child.kill('SIGKILL')
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true })
  await apply(state.policyFile)
})

const tokenFile = async (name: string, request: Partial<TokenRequest> = {}): Promise<string> => {
  const file = join(folder, `token-${randomUUID()}`)
  writeFileSync(file, `${await mintWorkloadToken(state, { principal: name, ...request })}\n`, { mode: 0o600 })
  return file
}

/** As `legacy-billing`, which has a secret. */
const asClient = (): Record<string, string> => {
  const [id = '', secret = ''] = (state.clients['legacy-billing'] ?? '').split(/:(.*)/)
  return { SWITCHBOARD_CLIENT_ID: id, SWITCHBOARD_CLIENT_SECRET: secret }
}

const start = (argv: readonly string[], env: Readonly<Record<string, string>>) => {
  const child = spawn(nodeFile, [command, ...argv], {
    env: cleanEnvironment({ SWITCHBOARD_URL: state.switchboard.url, ...env }),
    stdio: 'pipe',
  })
  processes.push(child)
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    err += chunk
  })
  child.stdin.on('error', () => {})
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }))
  return { child, ended, out: () => out, err: () => err }
}

const run = (argv: readonly string[], env: Readonly<Record<string, string>>) => start(argv, env).ended

/** Kafka's own tool as its scripts start it. */
const consoleProducer = [
  'sh',
  '-c',
  'exec "$JAVA" $KAFKA_OPTS -cp "$CLASS_PATH" org.apache.kafka.tools.ConsoleProducer' +
    ' --bootstrap-server "$SWITCHBOARD_BOOTSTRAP_SERVERS" --command-config "$SWITCHBOARD_PROPERTIES_FILE"' +
    ' --topic "$SWITCHBOARD_TOPIC"',
]
const pythonConsumer = ['sh', '-c', 'exec "$PYTHON" "$SCRIPT" "$SWITCHBOARD_LIBRDKAFKA_FILE" "$SWITCHBOARD_TOPIC"']

describe('exec', () => {
  test.each(['vpc-local', 'public'])('runs stock clients of Java and Python in the network %s', async (network) => {
    const id = randomUUID()
    const lines = Array.from({ length: 10 }, (_, index) => `${id}-${index}`)
    const producer = start(['exec', '--produce', created, '--network', network, '--', ...consoleProducer], {
      SWITCHBOARD_TOKEN_FILE: await tokenFile('orders-api'),
      JAVA: tools.java,
      CLASS_PATH: tools.classPath,
      KAFKA_OPTS: tools.javaOptions.join(' '),
    })
    producer.child.stdin.end(lines.map((line) => `${line}\n`).join(''))
    expect(await producer.ended).toMatchObject({ code: 0 })

    const consumer = start(['exec', '--consume', created, '--network', network, '--', ...pythonConsumer], {
      ...asClient(),
      PYTHON: tools.python,
      SCRIPT: join(root, 'test/fixtures/confluent-kafka/consume.py'),
    })
    const missing = () => lines.filter((line) => !consumer.out().includes(line))
    await until(
      () => `${missing().length} records; ${consumer.err()}`,
      () => missing().length === 0,
    )
    consumer.child.kill('SIGTERM')
    const { code, err } = await consumer.ended
    expect(code).toBe(0)
    expect(err).not.toContain(asClient().SWITCHBOARD_CLIENT_SECRET)
  })

  test('gives its lease back, so that the next one has all leases of the principal again', async () => {
    const look = ['sh', '-c', 'echo "$SWITCHBOARD_PROPERTIES_FILE"; exec sleep 60']
    const running = start(['exec', '--produce', created, '--', ...look], {
      SWITCHBOARD_TOKEN_FILE: await tokenFile(principal),
    })
    const leases = async (): Promise<readonly { readonly instance?: string }[]> => {
      const { stdout } = await new Promise<{ stdout: string }>((resolve, reject) => {
        const args = [command, 'leases', '--principal', principal, '--json', '--stack', state.switchboard.stackName]
        const env = cleanEnvironment(awsEnvironment(state.aws, state.caFile))
        execFile(nodeFile, args, { env }, (error, text) => (error === null ? resolve({ stdout: text }) : reject(error)))
      })
      return JSON.parse(stdout)
    }
    await until(
      () => `a command that runs; ${running.err()}`,
      () => running.out().includes('.properties'),
    )
    expect((await leases()).map(({ instance }) => instance)).toEqual([
      expect.stringContaining(`-exec-${running.child.pid}`),
    ])
    running.child.kill('SIGTERM')
    expect((await running.ended).code).toBe(143)
    expect(existsSync(running.out().trim())).toBe(false)
    expect(await leases()).toEqual([])
  })
})

test('resolve writes what kcat reads: librdkafka takes each of its lines and writes with them', async () => {
  const out = join(folder, 'kcat.conf')
  const { code } = await run(
    ['resolve', '--produce', created, '--network', 'public', '--format', 'kcat', '--out', out],
    {
      SWITCHBOARD_TOKEN_FILE: await tokenFile('orders-api'),
    },
  )
  expect(code).toBe(0)
  expect(statSync(out).mode & 0o777).toBe(0o600)
  const config = Object.fromEntries(
    readFileSync(out, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
  expect(config['ssl.ca.location']).toBe(`${out}.ca.pem`)
  const producer = createPythonClients(tools, folder).producer('kcat', JSON.stringify(config), topic)
  producer.write('as kcat would')
  expect(await producer.end(), producer.complaints()).toBe(0)
})

describe('doctor', () => {
  const diagnose = async (argv: readonly string[], env: Readonly<Record<string, string>>) => {
    // a process of its own trusts the system's authorities and nobody whom the tests trust
    const { code, out } = await run(['doctor', '--json', ...argv], env)
    const checks: readonly Check[] = JSON.parse(out)
    return {
      code,
      checks,
      failed: checks.filter(({ outcome }) => outcome === 'failed'),
      found: (name: string) => checks.find((check) => check.name === name)?.found,
    }
  }

  test.each(['vpc-local', 'public'] as const)('finds nothing wrong in the network %s', async (network) => {
    const { code, failed, checks, found } = await diagnose(
      ['--produce', created, '--consume', 'kafka://payments.acme.com/orders/**', '--network', network],
      { SWITCHBOARD_TOKEN_FILE: await tokenFile('orders-api') },
    )
    const address = network === 'public' ? outside : inside
    expect({ code, failed }).toEqual({ code: 0, failed: [] })
    expect(checks.every(({ outcome }) => outcome === 'ok')).toBe(true)
    expect(found(`payments broker 1 at ${address}`)).toBe(
      network === 'public' ? 'DNS, TCP, TLS, login' : 'DNS, TCP, login',
    )
    expect(found(`payments topic ${topic}`)).toBe('may write')
    expect(found('payments group orders-api')).toBe('may be joined')
  })

  test('finds nothing wrong with a client and its secret, and shows no secret', async () => {
    const { code, checks } = await diagnose(['--consume', created, '--network', 'vpc-local'], asClient())
    expect(code).toBe(0)
    expect(JSON.stringify(checks)).not.toContain(asClient().SWITCHBOARD_CLIENT_SECRET)
  })

  test('finds a token that has ended, and that Switchboard then knows nobody', async () => {
    const { code, failed } = await diagnose(['--produce', created], {
      SWITCHBOARD_TOKEN_FILE: await tokenFile('orders-api', { expiresInSeconds: -120 }),
    })
    expect(code).toBe(1)
    expect(failed.map(({ name }) => name)).toEqual(['token', 'identity'])
    expect(failed[1]?.next).toMatch(/`switchboard why [\w=-]+`/)
  })

  test('finds a token that is for somebody else, and says for whom it is', async () => {
    const { code, failed, found } = await diagnose(['--produce', created], {
      SWITCHBOARD_TOKEN_FILE: await tokenFile('orders-api', { audience: 'elsewhere' }),
    })
    expect(code).toBe(1)
    expect(failed.map(({ name }) => name)).toEqual(['identity'])
    expect(found('token')).toContain('audience `elsewhere`')
  })

  test('finds that nobody granted it', async () => {
    const { code, failed } = await diagnose(['--produce', created], {
      SWITCHBOARD_TOKEN_FILE: await tokenFile('stranger'),
    })
    expect(code).toBe(1)
    expect(failed.map(({ name }) => name)).toEqual(['lease'])
    expect(failed[0]?.found).toContain(`produce ${created}: no_grant`)
  })

  test('finds that nobody is there', async () => {
    const { code, failed } = await diagnose(['--produce', created, '--url', `http://127.0.0.1:${await closedPort()}`], {
      SWITCHBOARD_TOKEN_FILE: await tokenFile('orders-api'),
    })
    expect(code).toBe(1)
    expect(failed.map(({ name }) => name)).toEqual(['switchboard'])
    expect(failed[0]).toMatchObject({ found: expect.stringContaining('ECONNREFUSED') })
  })

  test('finds that a bootstrap address leads nowhere', async () => {
    const nowhere = `127.0.0.1:${await closedPort()}`
    const { code, failed } = await diagnose(
      [
        '--produce',
        created,
        '--network',
        'vpc-local',
        '--url',
        await rewritingSwitchboard((text) => text.replaceAll(inside, nowhere)),
      ],
      { SWITCHBOARD_TOKEN_FILE: await tokenFile('orders-api') },
    )
    expect(code).toBe(1)
    expect(failed).toEqual([
      expect.objectContaining({ name: `payments bootstrap ${nowhere}`, found: 'no connection: ECONNREFUSED' }),
    ])
  })

  test.each([
    [
      'the broker does not believe the token',
      (text: string) => text.replace(/("token":"[\w-]+\.[\w-]+\.)[\w-]{8}/, '$1AAAAAAAA'),
      inside,
      'no login: the broker refused the token',
      'the platform team sees that it trusts the issuer and the keys',
    ],
    [
      'the policy forgot that the listener speaks TLS',
      (text: string) => text.replaceAll(inside, outside),
      outside,
      'no login: the connection was closed',
      'this listener is `SASL_PLAINTEXT`, as the policy says',
    ],
    [
      'the policy believes that the listener speaks TLS',
      (text: string) => text.replaceAll('SASL_PLAINTEXT', 'SASL_SSL'),
      inside,
      'no TLS: ',
      'it may not speak TLS',
    ],
    [
      'the policy has the authority of somebody else',
      (text: string) => text.replaceAll(inside, outside).replaceAll('SASL_PLAINTEXT', 'SASL_SSL'),
      outside,
      'no TLS: ',
      'not of an authority that is trusted here; the platform team sees that `ca`',
    ],
  ])('finds that %s', async (_, rewrite, address, seen, advice) => {
    const { code, failed } = await diagnose(
      ['--produce', created, '--network', 'vpc-local', '--url', await rewritingSwitchboard(rewrite)],
      { SWITCHBOARD_TOKEN_FILE: await tokenFile('orders-api') },
    )
    expect(code).toBe(1)
    expect(failed).toEqual([
      {
        name: `payments bootstrap ${address}`,
        outcome: 'failed',
        found: expect.stringContaining(seen),
        next: expect.stringContaining(advice),
      },
    ])
  })

  test('finds that the bootstrap answers and a listener that the broker advertises is closed', async () => {
    const closed = await closedPort()
    const bootstrap = `127.0.0.1:${await rewritingBroker(inside, closed)}`
    const { code, failed, found } = await diagnose(
      [
        '--produce',
        created,
        '--network',
        'vpc-local',
        '--url',
        await rewritingSwitchboard((text) => text.replaceAll(inside, bootstrap)),
      ],
      { SWITCHBOARD_TOKEN_FILE: await tokenFile('orders-api') },
    )
    expect(code).toBe(1)
    expect(found(`payments bootstrap ${bootstrap}`)).toBe('DNS, TCP, login')
    expect(failed).toEqual([
      expect.objectContaining({
        name: `payments broker 1 at 127.0.0.1:${closed}`,
        found: 'no connection: ECONNREFUSED',
        next: expect.stringContaining('brokers advertise this address'),
      }),
    ])
  })

  test('finds that the cluster does not allow what Switchboard granted', async () => {
    const env = { SWITCHBOARD_TOKEN_FILE: await tokenFile(principal) }
    const argv = ['--produce', created, '--consume', created, '--network', 'vpc-local']
    expect((await diagnose(argv, env)).failed).toEqual([])

    const { admin } = state.clusters.payments
    const kafka = new Admin({
      clientId: 'cli-services',
      bootstrapBrokers: [inside],
      sasl: { mechanism: admin.mechanism, username: admin.username, password: admin.password },
    })
    const remove = (resourceType: 2 | 3, operation: 3 | 4) =>
      kafka.deleteAcls({
        filters: [
          {
            resourceType,
            resourceName: null,
            resourcePatternType: ResourcePatternTypes.ANY,
            principal: `User:sb.${principal}`,
            host: null,
            operation,
            permissionType: AclPermissionTypes.ALLOW,
          },
        ],
      })
    try {
      await remove(ResourceTypes.TOPIC, AclOperations.WRITE)
      await remove(ResourceTypes.GROUP, AclOperations.READ)
    } finally {
      await kafka.close()
    }
    const named = async () => (await diagnose(argv, env)).failed.map(({ name, found }) => `${name}: ${found}`)
    const wanted = [
      `payments topic ${topic}: write is not allowed there`,
      `payments group ${principal}: joining is not allowed there`,
    ]
    // the broker's authorizer follows within a moment
    expect(await until('a doctor that sees it', named, (seen) => seen.length >= wanted.length)).toEqual(wanted)
  })
})

const listening = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const closedPort = async (): Promise<number> => {
  const server = createServer()
  const port = await listening(server)
  server.close()
  await once(server, 'close')
  return port
}

/** The stack's Switchboard, whose answers are changed on the way. */
const rewritingSwitchboard = async (rewrite: (text: string) => string): Promise<string> => {
  const server = createHttpServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { authorization, 'content-type': type } = request.headers
    const answer = await fetch(`${state.switchboard.url}${request.url}`, {
      method: request.method ?? 'GET',
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        ...(type === undefined ? {} : { 'content-type': type }),
      },
      ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
    })
    const text = rewrite(await answer.text())
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' })
    response.end(text)
  })
  servers.push(server)
  return `http://127.0.0.1:${await listening(server)}`
}

/** A broker of the stack, which advertises another port: as one that is behind a firewall. */
const rewritingBroker = async (address: string, advertised: number): Promise<number> => {
  const [host = '', port = ''] = address.split(':')
  const inMetadata = (to: number): Buffer => {
    const bytes = Buffer.alloc(host.length + 5)
    bytes.writeUInt8(host.length + 1)
    bytes.write(host, 1)
    bytes.writeInt32BE(to, host.length + 1)
    return bytes
  }
  const wanted = inMetadata(Number(port))
  const server = createServer((client) => {
    const broker = connect(Number(port), host)
    let held = Buffer.alloc(0)
    client.on('error', () => broker.destroy()).on('close', () => broker.destroy())
    broker.on('error', () => client.destroy()).on('close', () => client.destroy())
    client.pipe(broker)
    // whole answers, so that nothing is cut in two
    broker.on('data', (chunk) => {
      held = Buffer.concat([held, chunk])
      while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
        const answer = Buffer.from(held.subarray(0, 4 + held.readInt32BE(0)))
        held = held.subarray(answer.length)
        const at = answer.indexOf(wanted)
        if (at >= 0) inMetadata(advertised).copy(answer, at)
        client.write(answer)
      }
    })
  })
  servers.push(server)
  return listening(server)
}
