import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JWK } from 'jose'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** An OpenID Connect issuer that really is asked, on this machine; a test decides how well it behaves. */
export type LoopbackIssuer = {
  readonly url: string
  /** The paths that were asked for, in order. */
  readonly requests: readonly string[]
  readonly publish: (keys: readonly JWK[]) => void
  readonly answer: (path: string, answer: Answer) => void
  readonly close: () => Promise<void>
}

export const discoveryPath = '/.well-known/openid-configuration'
export const keysPath = '/keys'

export const json =
  (body: unknown): Answer =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }

export const startIssuer = async (keys: readonly JWK[] = []): Promise<LoopbackIssuer> => {
  const requests: string[] = []
  const answers = new Map<string, Answer>()
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    requests.push(path)
    const answer = answers.get(path)
    if (answer === undefined) response.writeHead(404).end()
    else answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const publish = (published: readonly JWK[]) => answers.set(keysPath, json({ keys: published }))
  publish(keys)
  answers.set(discoveryPath, json({ issuer: url, jwks_uri: `${url}${keysPath}` }))
  return {
    url,
    requests,
    publish,
    answer: (path, answer) => answers.set(path, answer),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
