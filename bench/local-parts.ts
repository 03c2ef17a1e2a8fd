import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { createAuthority } from '../local/certificates.ts'
import { startEmulator, trustAuthority } from '../local/emulator.ts'
import { rootCredentials } from '../local/emulator-differences.ts'
import { installKafka, installPython } from '../local/install.ts'
import { makeClassArchive } from '../local/kafka/class-archive.ts'
import { formatCluster, randomPassword, startCluster } from '../local/kafka/cluster.ts'
import { jwksUrl } from '../local/kafka/server-properties.ts'
import { thisProcess } from '../local/lock.mjs'
import { freePorts, stopProcess } from '../local/processes.ts'
import { openSession } from '../local/session.ts'
import { readStackRecord, stateFileOf, writeStackRecord } from '../local/state.ts'
import { createTerminal, type Terminal } from '../local/terminal.mjs'
import type { AdminCredential } from '../shared/domain/cluster.ts'
import { withFolder } from './bundler.ts'
import { startLoopbackIssuer } from './loopback-issuer.ts'

type Place = {
  readonly terminal: Terminal
  readonly runDirectory: string
  readonly logDirectory: string
  readonly signal: AbortSignal
}

/** What `use` starts is stopped whatever happens, Ctrl-C included. */
const withPlace = <T>(use: (place: Place) => Promise<T>): Promise<T> =>
  withFolder(async (runDirectory) => {
    const { signal, stopped } = openSession()
    const logDirectory = join(runDirectory, 'logs')
    mkdirSync(logDirectory)
    writeStackRecord({ version: 1, status: 'starting', runDirectory, owner: thisProcess(), processes: [] })
    const whenStopped = stopped.then((): never => {
      throw signal.reason
    })
    try {
      const place = { terminal: createTerminal(process.stderr), runDirectory, logDirectory, signal }
      return await Promise.race([use(place), whenStopped])
    } finally {
      for (const started of readStackRecord(stateFileOf(runDirectory))?.processes ?? []) await stopProcess(started)
    }
  })

export type RealKafka = { readonly bootstrap: string; readonly admin: AdminCredential }

/** What a broker needs that holds ten thousand principals; the local stack's are made to boot fast and hold ten. */
const jvmOptions = ['-Xmx512m', '-XX:TieredStopAtLevel=4']

/** A broker of the local stack, without the stack. */
export const withKafka = <T>(use: (kafka: RealKafka) => Promise<T>): Promise<T> =>
  withPlace(async ({ terminal, runDirectory, logDirectory, signal }) => {
    const issuer = await startLoopbackIssuer(new URL(jwksUrl('http://issuer')).pathname)
    try {
      const classPath = await installKafka(terminal, signal)
      const classArchive = await makeClassArchive(terminal, classPath, { runDirectory, logDirectory, signal })
      const [inside = 0, outside = 0, internal = 0, controller = 0] = await freePorts(4)
      const password = randomPassword()
      const formatted = await formatCluster(
        { classPath, classArchive },
        join(runDirectory, 'kafka'),
        {
          name: 'bench',
          ports: { inside, outside, internal, controller },
          passwords: { broker: randomPassword(), admin: password },
          issuerUrl: issuer.issuer,
        },
        { authority: await createAuthority(), log: join(logDirectory, 'format.log'), signal },
      )
      const log = join(logDirectory, 'kafka.log')
      await startCluster({ classPath, classArchive }, runDirectory, formatted, { log, signal, jvmOptions })
      const admin: AdminCredential = { username: 'admin', password, mechanism: 'SCRAM-SHA-512' }
      return await use({ bootstrap: `127.0.0.1:${inside}`, admin })
    } finally {
      issuer.close()
    }
  })

/** The AWS emulator of the local stack, without the stack and with nothing in it. Its pages end at 1 MB as DynamoDB's do. */
export const withDynamo = <T>(use: (dynamo: DynamoDBClient) => Promise<T>): Promise<T> =>
  withPlace(async ({ terminal, runDirectory, logDirectory, signal }) => {
    const pythonFile = await installPython(terminal, signal)
    const authority = await createAuthority()
    const caFile = join(runDirectory, 'ca.pem')
    writeFileSync(caFile, authority.certificate)
    trustAuthority(authority.certificate)
    const [port = 0] = await freePorts(1)
    const region = 'eu-west-1'
    const endpointUrl = `https://127.0.0.1:${port}`
    const aws = { endpointUrl, region, accountId: '000000000000', ...rootCredentials }
    const mskUrl = endpointUrl
    await startEmulator({ runDirectory, logDirectory, pythonFile, authority, aws, port, caFile, mskUrl, signal })
    const dynamo = new DynamoDBClient({ region, endpoint: endpointUrl, credentials: rootCredentials })
    try {
      return await use(dynamo)
    } finally {
      dynamo.destroy()
    }
  })
