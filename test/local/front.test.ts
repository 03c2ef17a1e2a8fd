import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAuthority } from '../../local/certificates.ts'
import { launchFront, pointFrontAt, startFront, stopFront } from '../../local/front.ts'
import { thisProcess } from '../../local/lock.mjs'
import { freePorts } from '../../local/processes.ts'
import { takeDown } from '../../local/stack.ts'
import { type StackState, writeStackRecord } from '../../local/state.ts'
import { aStack } from './a-stack.ts'

type Seen = { method: string; url: string; rawHeaders: string[]; body: string }
type Answer = { status: number; headers: IncomingMessage['headers']; rawHeaders: string[]; body: string }

const folder = mkdtempSync(join(tmpdir(), 'front-'))
const seen: Seen[] = []
let emulator: Server
let state: StackState

const read = async (message: IncomingMessage): Promise<string> => {
  let text = ''
  for await (const chunk of message.setEncoding('utf8')) text += chunk
  return text
}

const ask = async (path: string, { method = 'GET', headers = [] as string[], body = '' } = {}): Promise<Answer> => {
  const { port } = new URL(state.switchboard.url)
  const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false, setHost: false })
  sent.end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  const { statusCode = 0, rawHeaders } = answer
  return { status: statusCode, headers: answer.headers, rawHeaders, body: await read(answer) }
}

beforeAll(async () => {
  const authority = await createAuthority()
  const caFile = join(folder, 'ca.pem')
  writeFileSync(caFile, authority.certificate)
  const { key, certificate } = await authority.issue('emulator')
  emulator = createServer({ key, cert: certificate }, async (message, response) => {
    const { method = '', url = '', rawHeaders } = message
    seen.push({ method, url, rawHeaders, body: await read(message) })
    response.writeHead(403, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Case', 'Kept'])
    response.end('refused')
  })
  emulator.listen(0, '127.0.0.1')
  await once(emulator, 'listening')
  const emulatorUrl = `https://127.0.0.1:${(emulator.address() as AddressInfo).port}`
  const [port = 0] = await freePorts(1)
  state = { ...aStack(), runDirectory: folder, owner: thisProcess(), processes: [] }
  state = { ...state, switchboard: { ...state.switchboard, url: `http://127.0.0.1:${port}` } }
  const logDirectory = join(folder, 'logs')
  mkdirSync(logDirectory)
  writeStackRecord(state)
  const { signal } = new AbortController()
  await launchFront({ runDirectory: folder, logDirectory, port, emulatorUrl, caFile, signal })
})

afterAll(async () => {
  emulator.closeAllConnections()
  emulator.close()
  await takeDown(folder)
  rmSync(folder, { recursive: true, force: true })
})

test('before the deploy every request is answered with a problem that can be retried', async () => {
  const { status, headers, body } = await ask('/v1/resolve', { method: 'POST', headers: ['Host', 'x'], body: '{}' })
  expect(status).toBe(503)
  expect(headers).toMatchObject({ 'content-type': 'application/problem+json', 'retry-after': '1' })
  expect(JSON.parse(body)).toMatchObject({ status: 503, code: 'unavailable', retryable: true })
  expect(seen).toEqual([])
})

test('path, query, headers and body arrive as they were sent, and so does the answer', async () => {
  pointFrontAt(folder, '0a1b2c3d')
  const headers = ['Host', 'switchboard.test', 'X-Twice', 'one', 'x-twice', 'two', 'Content-Length', '5']
  const path = '/a%2Fb/../c//d?channel[0]=x&channel[0]=y&empty&plus=a+b%20c'
  const answer = await ask(path, { method: 'PUT', headers, body: 'hello' })
  const [request] = seen.splice(0)
  expect(request).toMatchObject({ method: 'PUT', url: `/_aws/execute-api/0a1b2c3d${path}`, body: 'hello' })
  expect(request?.rawHeaders.slice(0, headers.length)).toEqual(headers)
  expect(answer).toMatchObject({ status: 403, body: 'refused' })
  expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2'])
  expect(answer.rawHeaders).toContain('X-Case')
})

test('Switchboard can be taken away and brought back under the same address', async () => {
  await stopFront(state)
  await expect(ask('/v1/health', { headers: ['Host', 'x'] })).rejects.toThrow('ECONNREFUSED')
  await startFront(state)
  expect((await ask('/v1/health', { headers: ['Host', 'x'] })).status).toBe(403)
})

test('an emulator that does not answer is a problem, not a hanging request', async () => {
  emulator.closeAllConnections()
  emulator.close()
  const { status, body } = await ask('/v1/health', { headers: ['Host', 'x'] })
  expect(status).toBe(502)
  expect(JSON.parse(body)).toMatchObject({ code: 'unavailable', retryable: true })
})
