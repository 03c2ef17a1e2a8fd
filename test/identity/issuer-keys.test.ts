import { gzipSync } from 'node:zlib'
import type { FlattenedJWSInput, JWTHeaderParameters } from 'jose'
import { afterEach, expect, test } from 'vitest'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { createIssuerKeys, type TrustedKeys } from '../../shared/identity/issuer-keys.ts'
import { now } from '../fixtures/policies.ts'
import { discoveryPath, json, keysPath, type LoopbackIssuer, startIssuer } from './loopback-issuer.ts'
import { createKey } from './workload-key.ts'

const key = createKey('ES256', 'one')
const header: JWTHeaderParameters = { alg: 'ES256', kid: 'one' }
const token: FlattenedJWSInput = { payload: '', signature: '' }
const issuers: LoopbackIssuer[] = []

afterEach(async () => {
  for (const issuer of issuers.splice(0)) await issuer.close()
})

const anIssuer = async (): Promise<LoopbackIssuer> => {
  const issuer = await startIssuer([key.jwk])
  issuers.push(issuer)
  return issuer
}

const createKeys = ({ development = true }: { readonly development?: boolean } = {}) => {
  let time = now
  const asked: string[] = []
  const failures: unknown[] = []
  const keysOf = createIssuerKeys({
    fetch: (input, init) => {
      asked.push(String(input))
      return fetch(input, init)
    },
    clock: () => time,
    development,
    onFailure: (issuer, error) => failures.push({ issuer, error }),
  })
  return {
    keysOf: (issuer: string, jwksUri?: string): Promise<TrustedKeys> => keysOf({ issuer, jwksUri }),
    asked,
    failures,
    setTime: (seconds: number) => {
      time = new Date(now.getTime() + seconds * 1000)
    },
  }
}

const expectUnavailable = async (answer: Promise<unknown>): Promise<void> => {
  const error = await answer.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(SwitchboardError)
  expect(error).toMatchObject({ code: 'unavailable', retryAfterSeconds: 5, detail: undefined })
}

test('finds the keys by discovery', async () => {
  const issuer = await anIssuer()

  const { getKey } = await createKeys().keysOf(issuer.url)

  expect(await getKey(header, token)).toMatchObject({ type: 'public' })
  expect(issuer.requests).toEqual([discoveryPath, keysPath])
})

test('finds the metadata of an issuer whose name has a path and ends in a slash', async () => {
  const issuer = await anIssuer()
  const name = `${issuer.url}/realms/acme/`
  issuer.answer(`/realms/acme${discoveryPath}`, json({ issuer: name, jwks_uri: `${issuer.url}${keysPath}` }))

  const { getKey } = await createKeys().keysOf(name)

  expect(await getKey(header, token)).toMatchObject({ type: 'public' })
})

test('asks the address that the policy names and no other, also on another origin', async () => {
  const issuer = await anIssuer()
  const keyServer = await anIssuer()

  const { getKey } = await createKeys().keysOf(issuer.url, `${keyServer.url}${keysPath}`)

  expect(await getKey(header, token)).toMatchObject({ type: 'public' })
  expect(issuer.requests).toEqual([])
  expect(keyServer.requests).toEqual([keysPath])
})

test('refuses a `jwks_uri` on another origin unless the policy names it, and never asks there', async () => {
  const issuer = await anIssuer()
  const other = await anIssuer()
  issuer.answer(discoveryPath, json({ issuer: issuer.url, jwks_uri: `${other.url}${keysPath}` }))

  await expectUnavailable(createKeys().keysOf(issuer.url))

  expect(other.requests).toEqual([])
})

test.each([
  { problem: 'names another issuer', change: { issuer: 'https://login.acme.com' } },
  { problem: 'names the issuer with a slash too many', change: (url: string) => ({ issuer: `${url}/` }) },
  { problem: 'has no `jwks_uri`', change: { jwks_uri: undefined } },
  { problem: 'has a `jwks_uri` that is no URL', change: { jwks_uri: 'keys' } },
  { problem: 'has a `jwks_uri` that is a file', change: { jwks_uri: 'file:///etc/passwd' } },
  { problem: 'has a `jwks_uri` that is no text', change: { jwks_uri: { toString: 'x' } } },
])('refuses metadata that $problem', async ({ change }) => {
  const issuer = await anIssuer()
  const metadata = { issuer: issuer.url, jwks_uri: `${issuer.url}${keysPath}` }
  issuer.answer(discoveryPath, json({ ...metadata, ...(typeof change === 'function' ? change(issuer.url) : change) }))

  await expectUnavailable(createKeys().keysOf(issuer.url))

  expect(issuer.requests).toEqual([discoveryPath])
})

test.each([301, 302, 303, 307, 308])('follows no redirect: %i', async (status) => {
  const target = await anIssuer()
  for (const path of [discoveryPath, keysPath]) {
    const issuer = await anIssuer()
    issuer.answer(path, (_, response) => response.writeHead(status, { location: `${target.url}${path}` }).end())

    await expectUnavailable(createKeys().keysOf(issuer.url))

    expect(issuer.requests.at(-1)).toBe(path)
  }
  expect(target.requests).toEqual([])
})

test.each([
  'http://attacker.example',
  'http://10.0.0.1',
  'http://127.0.0.1.attacker.example',
  'http://localhost.attacker.example',
  'http://[::2]',
  'ftp://127.0.0.1',
  'data:application/json,{}',
])('asks nobody at `%s`, not even when developing', async (name) => {
  const { keysOf, asked } = createKeys()

  await expectUnavailable(keysOf(name))
  await expectUnavailable(keysOf('https://login.acme.com', `${name}/keys`))

  expect(asked).toEqual([])
})

test('asks no http issuer outside development, not even on this machine', async () => {
  const issuer = await anIssuer()
  const { keysOf, failures } = createKeys({ development: false })

  await expectUnavailable(keysOf(issuer.url))
  await expectUnavailable(keysOf('https://login.acme.com', `${issuer.url}${keysPath}`))

  expect(issuer.requests).toEqual([])
  expect(failures).toHaveLength(2)
})

test('gives up on every kind of slowness after 2 s', async () => {
  const slow: readonly ((issuer: LoopbackIssuer) => void)[] = [
    (issuer) => issuer.answer(discoveryPath, () => {}),
    (issuer) => issuer.answer(keysPath, () => {}),
    (issuer) => issuer.answer(keysPath, (_, response) => response.writeHead(200).flushHeaders()),
    (issuer) =>
      issuer.answer(keysPath, (_, response) => {
        const drip = setInterval(() => response.write(' '), 50)
        response.on('close', () => clearInterval(drip))
      }),
  ]
  await Promise.all(
    slow.map(async (makeSlow) => {
      const issuer = await anIssuer()
      makeSlow(issuer)
      const started = performance.now()

      await expectUnavailable(createKeys().keysOf(issuer.url))

      const seconds = (performance.now() - started) / 1000
      expect(seconds).toBeGreaterThan(1.5)
    }),
  )
})

test('reads no more than 64 KB of an answer that has no end', async () => {
  const issuer = await anIssuer()
  let written = 0
  const closed = new Promise<void>((resolve) =>
    issuer.answer(keysPath, (_, response) => {
      const chunk = Buffer.alloc(16_384, ' ')
      const pour = (): void => {
        while (!response.destroyed && response.write(chunk)) written += chunk.length
      }
      response.on('drain', pour).on('close', resolve)
      pour()
    }),
  )

  await expectUnavailable(createKeys().keysOf(issuer.url))
  await closed

  // what the socket's buffers hold is sent before the reader hangs up
  expect(written).toBeLessThan(16_000_000)
})

test('counts the bytes after decompression', async () => {
  const issuer = await anIssuer()
  const bomb = gzipSync(`${JSON.stringify({ keys: [key.jwk] })}${' '.repeat(10_000_000)}`)
  issuer.answer(keysPath, (_, response) =>
    response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb),
  )

  await expectUnavailable(createKeys().keysOf(issuer.url))
})

test.each([
  { what: 'a page', body: '<html>keys</html>' },
  { what: 'nothing', body: '' },
  { what: 'half an answer', body: '{"keys":[' },
  { what: 'a list', body: '[]' },
  { what: 'null', body: 'null' },
  { what: 'keys that are no list', body: '{"keys":"one"}' },
  { what: 'keys that are no objects', body: '{"keys":["one"]}' },
  { what: 'keys without a type', body: '{"keys":[{"kid":"one"}]}' },
  { what: 'more than 100 keys', body: JSON.stringify({ keys: Array(101).fill(key.jwk) }) },
])('refuses $what where keys belong', async ({ body }) => {
  const issuer = await anIssuer()
  issuer.answer(keysPath, (_, response) => response.writeHead(200).end(body))

  await expectUnavailable(createKeys().keysOf(issuer.url))
})

test.each([201, 204, 400, 401, 404, 429, 500, 503])('takes no keys from an answer with status %i', async (status) => {
  const issuer = await anIssuer()
  const body = JSON.stringify({ keys: [key.jwk] })
  issuer.answer(keysPath, (_, response) => response.writeHead(status).end(status === 204 ? '' : body))

  await expectUnavailable(createKeys().keysOf(issuer.url))
})

test('asks once when 200 callers arrive before the keys are there', async () => {
  const issuer = await anIssuer()
  const { keysOf } = createKeys()

  await Promise.all(Array.from({ length: 200 }, () => keysOf(issuer.url)))

  expect(issuer.requests).toEqual([discoveryPath, keysPath])
})

test('asks an issuer that failed again after 30 s and not before', async () => {
  const issuer = await anIssuer()
  issuer.answer(discoveryPath, (_, response) => response.writeHead(500).end())
  const { keysOf, setTime, failures } = createKeys()
  await expectUnavailable(keysOf(issuer.url))
  issuer.answer(discoveryPath, json({ issuer: issuer.url, jwks_uri: `${issuer.url}${keysPath}` }))

  setTime(29.9)
  await expectUnavailable(keysOf(issuer.url))
  expect(issuer.requests).toEqual([discoveryPath])

  setTime(30)
  await expect(keysOf(issuer.url)).resolves.toBeDefined()
  expect(failures).toHaveLength(1)
  expect(failures[0]).toMatchObject({ issuer: issuer.url })
})

test('keeps keys for 10 minutes, then looks again', async () => {
  const issuer = await anIssuer()
  const { keysOf, setTime } = createKeys()
  const { generation } = await keysOf(issuer.url)
  issuer.publish([createKey('ES256', 'two').jwk])

  setTime(599)
  expect((await keysOf(issuer.url)).generation).toBe(generation)
  expect(issuer.requests).toHaveLength(2)

  setTime(600)
  expect((await keysOf(issuer.url)).generation).not.toBe(generation)
  expect(issuer.requests).toHaveLength(4)
})

test('has the same generation for the same keys, however often they are fetched', async () => {
  const issuer = await anIssuer()
  const { keysOf, setTime } = createKeys()
  const { generation } = await keysOf(issuer.url)

  setTime(600)
  expect((await keysOf(issuer.url)).generation).toBe(generation)
})

test('goes on for an hour with the keys of an issuer that is down, tried every 30 s, and then stops', async () => {
  const issuer = await anIssuer()
  const { keysOf, setTime, failures } = createKeys()
  await keysOf(issuer.url)
  issuer.answer(keysPath, (_, response) => response.writeHead(503).end())

  setTime(3_000)
  const { getKey } = await keysOf(issuer.url)
  expect(await getKey(header, token)).toMatchObject({ type: 'public' })
  setTime(3_029)
  await keysOf(issuer.url)
  expect(failures).toHaveLength(1)

  setTime(3_600)
  await expectUnavailable(keysOf(issuer.url))

  issuer.publish([key.jwk])
  setTime(3_630)
  await expect(keysOf(issuer.url)).resolves.toBeDefined()
})

test('is not kept from one issuer by another that hangs', async () => {
  const [good, slow] = [await anIssuer(), await anIssuer()]
  slow.answer(discoveryPath, () => {})
  const { keysOf } = createKeys()
  const hanging = expectUnavailable(keysOf(slow.url))

  const first = await Promise.race([hanging.then(() => 'the slow one'), keysOf(good.url).then(() => 'the good one')])

  expect(first).toBe('the good one')
  await slow.close()
  await hanging
})
