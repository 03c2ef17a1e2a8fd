import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

/** Another address of a broker, which can be taken away from it. */
export type SecondAddress = {
  readonly address: string
  /** Nobody answers there until `up`. */
  readonly down: () => Promise<void>
  readonly up: () => Promise<void>
}

/** Passes bytes on to `target` (`host:port`), and so whatever is spoken there. */
export const openSecondAddress = async (target: string): Promise<SecondAddress> => {
  const at = target.lastIndexOf(':')
  const [host, port] = [target.slice(0, at), Number(target.slice(at + 1))]
  const sockets = new Set<Socket>()
  const server = createServer((incoming) => {
    const outgoing = connect({ host, port })
    for (const [socket, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  })
  const listen = (on: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(on, '127.0.0.1', resolve)
    })
  await listen(0)
  const own = (server.address() as AddressInfo).port
  return {
    address: `127.0.0.1:${own}`,
    up: () => listen(own),
    down: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
