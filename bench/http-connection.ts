import { connect } from 'node:net'

/** One kept connection that sends what it is given as it is and hands back the status; one request at a time. */
export type HttpConnection = { readonly send: (request: string) => Promise<number>; readonly close: () => void }

/**
 * HTTP as far as the bench's own server speaks it. The client of Node costs as much as the server that is measured, and
 * both share the machine.
 */
export const openConnection = (port: number): HttpConnection => {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1')
  let received = ''
  let waiting: { readonly resolve: (status: number) => void; readonly reject: (error: Error) => void } | undefined
  const fail = (error: Error): void => waiting?.reject(error)
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the server closed the connection')))
  socket.on('data', (chunk: string) => {
    received += chunk
    const end = received.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = received.slice(0, end)
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
    const isWhole =
      length === undefined ? received.endsWith('\r\n0\r\n\r\n') : received.length >= end + 4 + Number(length)
    if (!isWhole) return
    received = ''
    waiting?.resolve(Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length)))
  })
  return {
    send: (request) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject }
        socket.write(request)
      }),
    close: () => {
      waiting = undefined
      socket.destroy()
    },
  }
}
