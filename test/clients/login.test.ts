import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { javaOptions, renderJavaProperties, renderLibrdkafka, type TokenSource } from '../../shared/http/client-file.ts'
import { type Client, startJavaClient, startLibrdkafkaClient } from './ask.ts'

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const tokenNamed = (jti: string): string => {
  const now = Math.floor(Date.now() / 1000)
  return `${part({ alg: 'ES256', kid: 'k' })}.${part({ sub: 'sb.orders-api', iat: now, exp: now + 600, jti })}.c2lnbmF0dXJl`
}

type Asked = { readonly authorization: string | undefined; readonly url: string | undefined; readonly form: unknown }

let java: Client
let librdkafka: Client
let server: Server
let folder: string
let asked: Asked[] = []
const issued = tokenNamed('issued')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'login-'))
  java = await startJavaClient()
  librdkafka = await startLibrdkafkaClient()
  server = createServer(async (request, response) => {
    const chunks = await request.toArray()
    const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()))
    asked.push({ authorization: request.headers.authorization, url: request.url, form })
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ access_token: issued, token_type: 'Bearer', expires_in: 600 }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(() => {
  asked = []
})

afterAll(async () => {
  await java?.stop()
  await librdkafka?.stop()
  server?.close()
  rmSync(folder, { recursive: true, force: true })
})

const settings = {
  cluster: { name: 'main', provider: 'kafka' },
  topics: {},
  properties: {
    'bootstrap.servers': '127.0.0.1:1',
    'security.protocol': 'SASL_PLAINTEXT',
    'sasl.mechanism': 'OAUTHBEARER',
  },
  producer: { acks: 'all' },
}

const endpoint = () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the token endpoint has no port')
  return { tokenEndpointUrl: `http://127.0.0.1:${address.port}/v1/token?instance=pod-1`, scope: 'kafka:main' }
}

const bySecret = (): TokenSource => ({
  kind: 'client_credentials',
  ...endpoint(),
  clientId: 'legacy-billing',
  clientSecret: 'abc-DEF_123',
})

const byAssertion = (): TokenSource & { readonly kind: 'jwt-bearer' } => ({
  kind: 'jwt-bearer',
  ...endpoint(),
  assertionFile: join(folder, 'workload.jwt'),
})

const login = (source: TokenSource, options = javaOptions(source)): Promise<unknown> =>
  java.ask({
    ask: 'login',
    file: Buffer.from(renderJavaProperties(settings, source), 'latin1').toString('base64'),
    options,
  })

const basic = `Basic ${Buffer.from('legacy-billing:abc-DEF_123').toString('base64')}`
const secretForm = { grant_type: 'client_credentials', scope: 'kafka:main' }
const assertionForm = (assertion: string) => ({
  grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
  scope: 'kafka:main',
  assertion,
})

describe("Kafka's own login, with the file and the JVM options that it names", () => {
  it('asks the token endpoint with the client id and its secret', async () => {
    expect(await login(bySecret())).toEqual({ token: issued })
    expect(asked).toEqual([{ url: '/v1/token?instance=pod-1', authorization: basic, form: secretForm }])
  })

  it("presents the workload's token from its file, and the new one when the file was replaced", async () => {
    const source = byAssertion()
    for (const name of ['first', 'second']) {
      const assertion = tokenNamed(name)
      writeFileSync(source.assertionFile, assertion)
      expect(await login(source)).toEqual({ token: issued })
      expect(asked.at(-1)).toEqual({
        url: '/v1/token?instance=pod-1',
        authorization: undefined,
        form: assertionForm(assertion),
      })
    }
  })

  it('takes a token that somebody keeps in a file', async () => {
    const tokenFile = join(folder, 'kafka+1=a@b.jwt')
    const kept = tokenNamed('kept')
    writeFileSync(tokenFile, kept)
    expect(await login({ kind: 'token-file', tokenFile })).toEqual({ token: kept })
    expect(asked).toEqual([])
  })

  it('refuses without the options, which is why the file names them', async () => {
    writeFileSync(byAssertion().assertionFile, tokenNamed('unread'))
    for (const source of [bySecret(), byAssertion()])
      expect(await login(source, {})).toEqual({ error: expect.stringContaining('restrictions') })
    expect(asked).toEqual([])
  })
})

describe("librdkafka's own login, with the object alone", () => {
  it('asks the token endpoint with the client id and its secret', async () => {
    await librdkafka.ask({ ask: 'keep', settings: renderLibrdkafka(settings, bySecret()) })
    await vi.waitFor(
      () => expect(asked).toContainEqual({ url: '/v1/token?instance=pod-1', authorization: basic, form: secretForm }),
      { timeout: 60_000 },
    )
  })

  it("presents the workload's token from its file", async () => {
    const source = byAssertion()
    const assertion = tokenNamed('librdkafka')
    writeFileSync(source.assertionFile, assertion)
    await librdkafka.ask({ ask: 'keep', settings: renderLibrdkafka(settings, source) })
    await vi.waitFor(
      () =>
        expect(asked).toContainEqual({
          url: '/v1/token?instance=pod-1',
          authorization: undefined,
          form: assertionForm(assertion),
        }),
      { timeout: 60_000 },
    )
  })
})
