// The whole of resolve behind node:http, in a process whose CPU and memory are its own. It says what it took when asked.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { LeaseStore } from '../shared/store/lease-store.ts'
import { accessOf, eventOf, startResolveHandler } from './resolve-handler.ts'

/** Says yes and keeps nothing, as a database does in the memory of a function. */
const simulatedLeases: LeaseStore = {
  create: async () => 'created',
  keep: async () => 'kept',
  renew: async () => 'renewed',
  renewUnchanged: async () => true,
  read: async () => undefined,
  slotHeldUntil: async () => undefined,
  listHolders: async () => [],
  release: async () => true,
  list: async () => [],
  listAll: async () => [],
  readAll: async function* () {},
}

const [issuer = ''] = process.argv.slice(2)
const send = await startResolveHandler(issuer, {
  access: { read: async (_, principal) => accessOf(principal), request: async () => false },
  leases: simulatedLeases,
})

const server = createServer(async (request, response) => {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk)
  const token = request.headers.authorization?.slice('Bearer '.length) ?? ''
  const {
    statusCode = 500,
    headers,
    body,
  } = await send(eventOf(`Bearer ${token}`, Buffer.concat(chunks).toString('utf8')))
  response.writeHead(statusCode, headers as Record<string, string>).end(body)
})

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  const rssMb = process.memoryUsage().rss / 1e6
  // what is really held, after everything that can go has gone
  globalThis.gc?.()
  process.send?.({ cpuUs: user + system, rssMb, heapMb: process.memoryUsage().heapUsed / 1e6 })
})
process.on('disconnect', () => process.exit())
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
