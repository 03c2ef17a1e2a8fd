import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * Answers of a schema registry that has one subject with one schema, for whoever says the authorization that is good, and
 * what it was sent. It is for what a client sends.
 */
export const startSimulatedRegistry = async () => {
  let good: string | undefined
  let schema = ''
  const sent: string[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk
    const { authorization, 'target-sr-cluster': target, 'confluent-identity-pool-id': pool } = request.headers
    sent.push([authorization, target, pool].join(','))
    if (request.method === 'POST') schema = JSON.parse(text).schema
    const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1')
    const [status, body] =
      authorization !== good
        ? [401, { error_code: 401, message: 'Unauthorized' }]
        : pathname === '/subjects'
          ? [200, ['orders.created-value']]
          : [200, { id: 1, schema }]
    response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
    response.end(JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Authorization, registry and pool of each request. */
    sent,
    /** From now on this authorization, and no other, is good. */
    take: (authorization: string): void => {
      good = authorization
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export type SimulatedRegistry = Awaited<ReturnType<typeof startSimulatedRegistry>>
