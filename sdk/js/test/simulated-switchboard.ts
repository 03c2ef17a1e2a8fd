import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type SimulatedRequest = {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: { readonly [name: string]: unknown }
}

/** What the next request gets; the last reply of the script answers all that follow. */
export type SimulatedReply = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Keeps the reply back until it resolves. */
  readonly until?: Promise<void>
  /** Closes the connection instead of answering. */
  readonly hangUp?: boolean
}

export type Script = (request: SimulatedRequest, index: number) => SimulatedReply

/**
 * A real HTTP server that answers `POST /v1/resolve` from a script. It knows nothing about grants or keys: it is for
 * what a client does with answers. Its `Date` header comes from the test's clock.
 */
export const startSimulatedSwitchboard = async (now: () => Date, script: Script) => {
  const requests: SimulatedRequest[] = []
  let current = script
  const answer = async (request: SimulatedRequest, index: number, response: ServerResponse): Promise<void> => {
    const reply = current(request, index)
    await reply.until
    if (reply.hangUp) {
      response.destroy()
      return
    }
    const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body)
    response.writeHead(reply.status, {
      'content-type': 'application/json',
      date: now().toUTCString(),
      ...reply.headers,
    })
    response.end(reply.body === undefined ? undefined : text)
  }
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const request = {
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
        body: JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}'),
      }
      requests.push(request)
      void answer(request, requests.length - 1, response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    follow: (next: Script) => {
      current = next
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export type SimulatedSwitchboard = Awaited<ReturnType<typeof startSimulatedSwitchboard>>

export const problem = (
  status: number,
  code: string,
  extra: { readonly headers?: Readonly<Record<string, string>>; readonly [name: string]: unknown } = {},
): SimulatedReply => {
  const { headers, ...members } = extra
  return {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
    body: {
      type: `https://switchboard.invalid/problems/${code}`,
      title: code,
      status,
      code,
      retryable: [429, 503].includes(status),
      instance: 'urn:request:req-1',
      ...members,
    },
  }
}
