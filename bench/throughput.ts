import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Figure } from './figure.ts'
import { openConnection } from './http-connection.ts'
import { startLoopbackIssuer } from './loopback-issuer.ts'
import { createRandom } from './random.ts'
import { bodyOf, teamOf } from './resolve-handler.ts'

const tokens = 50_000
/** Concurrency and how many requests; the last one is where memory is looked at on the way. */
const phases = [
  { concurrency: 1, requests: 10_000 },
  { concurrency: 8, requests: 20_000 },
  { concurrency: 64, requests: 70_000 },
  { concurrency: 64, requests: 100_000 },
]

type Sample = { readonly cpuUs: number; readonly rssMb: number; readonly heapMb: number }

export const measure = async (): Promise<readonly Figure[]> => {
  const issuer = await startLoopbackIssuer()
  const server = fork(fileURLToPath(new URL('throughput-server.ts', import.meta.url)), [issuer.issuer], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const [{ port }] = (await once(server, 'message')) as [{ port: number }]
  const sample = async (): Promise<Sample> => {
    server.send('sample')
    return ((await once(server, 'message')) as [Sample])[0]
  }
  const requestOf = (caller: number): string => {
    const body = bodyOf({ caller, instance: 'one' })
    const token = issuer.mint({ sub: `service-${caller}`, team: teamOf(caller) })
    const headers = [
      'POST /v1/resolve HTTP/1.1',
      'host: 127.0.0.1',
      `authorization: Bearer ${token}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
    ]
    return `${headers.join('\r\n')}\r\n\r\n${body}`
  }
  const requests = Array.from({ length: tokens }, (_, caller) => requestOf(caller))
  const random = createRandom(7)
  let sent = 0
  /** Every token once, in their order, and then whichever. */
  const next = (): string => requests[sent < tokens ? sent++ : Math.floor(random() * tokens)] ?? ''

  const figures: Figure[] = []
  const samples: Sample[] = [await sample()]
  for (const { concurrency, requests: count } of phases) {
    let left = count
    const startedAt = performance.now()
    const work = async (): Promise<void> => {
      const connection = openConnection(port)
      while (left-- > 0) {
        const status = await connection.send(next())
        if (status !== 200) throw new Error(`resolve answered \`${status}\``)
      }
      connection.close()
    }
    await Promise.all(Array.from({ length: concurrency }, work))
    const seconds = (performance.now() - startedAt) / 1000
    const before = samples.at(-1)
    const after = await sample()
    samples.push(after)
    const name = `throughput, ${concurrency} at once, ${count} requests`
    figures.push(
      { name, value: count / seconds, unit: 'requests/s' },
      { name: `${name}, CPU`, value: (after.cpuUs - (before?.cpuUs ?? 0)) / count, unit: 'us/request' },
    )
  }
  server.disconnect()
  issuer.close()
  const [middle, last] = samples.slice(-2)
  if (middle === undefined || last === undefined) throw new Error('the server was not asked')
  const total = phases.reduce((sum, phase) => sum + phase.requests, 0)
  const half = total - (phases.at(-1)?.requests ?? 0)
  return [
    ...figures,
    { name: `RSS after ${total} requests of ${tokens} tokens`, value: last.rssMb, unit: 'MB' },
    { name: `RSS after ${total} / ${half} requests`, value: last.rssMb / middle.rssMb, unit: 'x', limit: 1.1 },
    {
      name: `heap in use after ${total} / ${half} requests`,
      value: last.heapMb / middle.heapMb,
      unit: 'x',
      limit: 1.05,
    },
  ]
}
