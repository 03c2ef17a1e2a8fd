import { lookup } from 'node:dns/promises'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Reach } from './checks.ts'

export type Address = { readonly host: string; readonly port: number }

/** `host:port` and `[v6]:port`, as `bootstrap.servers` has them. */
export const parseAddresses = (bootstrap: string): readonly Address[] =>
  bootstrap
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => {
      const at = text.lastIndexOf(':')
      return { host: text.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(at + 1)) }
    })

export const textOf = ({ host, port }: Address): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

const timedOut = (): Error => Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })

const settled = (socket: Socket, event: 'connect' | 'secureConnect', timeoutMs: number): Promise<void> =>
  new Promise<void>((resolve, reject) => {
    socket.setTimeout(timeoutMs, () => reject(timedOut()))
    socket.once('error', reject)
    socket.once(event, () => resolve())
  }).finally(() => {
    socket.on('error', () => undefined)
    socket.destroy()
  })

type Missed = Exclude<Reach, { readonly step: 'login' }>

const attempt = async (step: Missed['step'], work: () => Promise<unknown>): Promise<Missed | undefined> => {
  try {
    await work()
    return undefined
  } catch (error) {
    const code = codeOf(error)
    return { step, code, detail: code ?? (error instanceof Error ? error.message : 'failed') }
  }
}

/**
 * How far a connection without Kafka in it comes; undefined when all of it works.
 * @param ca undefined without TLS; empty for the authorities that the system trusts
 */
export const reachListener = async (
  { host, port }: Address,
  ca: string | undefined,
  timeoutMs: number,
): Promise<Missed | undefined> =>
  (await attempt('dns', () => lookup(host))) ??
  (await attempt('tcp', () => settled(connect({ host, port }), 'connect', timeoutMs))) ??
  (ca === undefined
    ? undefined
    : await attempt('tls', () =>
        settled(
          connectTls({ host, port, ...(ca === '' ? {} : { ca }), ...(isIP(host) === 0 ? { servername: host } : {}) }),
          'secureConnect',
          timeoutMs,
        ),
      ))
