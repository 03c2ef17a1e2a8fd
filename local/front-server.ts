// The process that gives the API a base URL that is known before the deploy: it passes every request on as it came.
import { readFileSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent, request as send } from 'node:https'
import { apiPathPrefix } from './emulator-differences.ts'

const { FRONT_PORT = '', FRONT_TARGET_FILE = '', FRONT_EMULATOR_URL = '', FRONT_CA_FILE = '' } = process.env
const emulator = new URL(FRONT_EMULATOR_URL)
const agent = new Agent({ keepAlive: true, ca: readFileSync(FRONT_CA_FILE), maxSockets: 64 })

// They belong to one connection, and each side has its own.
const connectionHeaders = new Set(['connection', 'keep-alive', 'proxy-connection', 'upgrade', 'expect'])
const passedOn = (rawHeaders: readonly string[]): string[] =>
  rawHeaders.flatMap((value, index) => {
    const name = index % 2 === 0 ? value : rawHeaders[index - 1]
    return name === undefined || connectionHeaders.has(name.toLowerCase()) ? [] : [value]
  })

let target: { readonly readAt: number; readonly apiId: string } | undefined
const apiId = (): string | undefined => {
  try {
    const { mtimeMs } = statSync(FRONT_TARGET_FILE)
    if (target?.readAt !== mtimeMs) {
      target = { readAt: mtimeMs, apiId: JSON.parse(readFileSync(FRONT_TARGET_FILE, 'utf8')).apiId }
    }
    return target.apiId
  } catch {
    return undefined
  }
}

const answerProblem = (response: ServerResponse, status: 502 | 503, detail: string): void => {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...(status === 503 && { 'retry-after': '1' }),
  })
  response.end(
    JSON.stringify({
      type: 'about:blank',
      title: status === 502 ? 'Bad Gateway' : 'Service Unavailable',
      status,
      detail,
      code: 'unavailable',
      retryable: true,
    }),
  )
}

const forward = (request: IncomingMessage, response: ServerResponse): void => {
  const id = apiId()
  if (id === undefined) {
    request.resume()
    answerProblem(response, 503, 'the stack is not deployed yet')
    return
  }
  const upstream = send(
    {
      agent,
      host: emulator.hostname,
      port: emulator.port,
      method: request.method,
      path: `${apiPathPrefix(id)}${request.url ?? '/'}`,
      headers: passedOn(request.rawHeaders),
      setHost: false,
      setDefaultHeaders: false,
    },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, passedOn(answer.rawHeaders))
      answer.pipe(response)
      answer.on('error', () => response.destroy())
    },
  )
  upstream.on('error', () => answerProblem(response, 502, 'the emulated AWS does not answer'))
  response.on('close', () => upstream.destroy())
  request.pipe(upstream)
}

createServer(forward).listen(Number(FRONT_PORT), '127.0.0.1')
