import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { cached, contentHash } from '../cache.ts'
import { createAuthority } from '../certificates.ts'
import { javaIdentity } from '../install.ts'
import { freePorts, stopProcess } from '../processes.ts'
import type { Terminal } from '../terminal.mjs'
import { formatCluster, randomPassword, startCluster } from './cluster.ts'

/** A key set that no token is ever signed for: a broker only boots when there is one to read. */
const serveTrainingKeys = async () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = { ...publicKey.export({ format: 'jwk' }), kid: 'training', alg: 'ES256', use: 'sig' }
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ keys: [key] }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the training key set has no port')
  return { url: `http://127.0.0.1:${address.port}`, close: () => server.close() }
}

/** The JVM's archive of loaded classes (AppCDS), recorded once from a broker that boots and stops: it halves each boot. */
export const makeClassArchive = async (
  terminal: Terminal,
  classPath: string,
  {
    runDirectory,
    logDirectory,
    signal,
  }: {
    readonly runDirectory: string
    readonly logDirectory: string
    readonly signal: AbortSignal
  },
): Promise<string> => {
  const hash = contentHash(classPath, javaIdentity())
  const folder = await cached(
    terminal,
    { name: 'kafka-classes', title: 'Kafka class archive', hash },
    async (target) => {
      const scratch = join(runDirectory, 'training')
      mkdirSync(scratch, { recursive: true })
      const log = join(logDirectory, 'kafka-class-archive.log')
      const runtime = { classPath, classArchive: undefined }
      const keys = await serveTrainingKeys()
      try {
        const [inside = 0, outside = 0, internal = 0, controller = 0] = await freePorts(4)
        const formatted = await formatCluster(
          runtime,
          scratch,
          {
            name: 'training',
            ports: { inside, outside, internal, controller },
            passwords: { broker: randomPassword(), admin: randomPassword() },
            issuerUrl: keys.url,
          },
          { authority: await createAuthority(), log, signal },
        )
        const jvmOptions = [`-XX:ArchiveClassesAtExit=${join(target, 'kafka.jsa')}`]
        await stopProcess(await startCluster(runtime, runDirectory, formatted, { log, signal, jvmOptions }), 60_000)
      } finally {
        keys.close()
      }
    },
  )
  return join(folder, 'kafka.jsa')
}
