import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeFile, root } from '../paths.ts'
import { cleanEnvironment, startProcess, waitUntilReady } from '../processes.ts'
import type { KafkaCluster } from '../state.ts'
import type { ConfluentKey } from './control-plane.ts'

/** What the process is told: its file holds the keys and the password of the cluster's admin. */
export type ConfluentProcessOptions = {
  readonly port: number
  readonly registryPort: number
  readonly cluster: KafkaCluster
  /** Where clients of Confluent Cloud connect. */
  readonly bootstrap: string
  /** Where the brokers read the identity pools. */
  readonly poolsFile: string
  /** Where they read the API keys. */
  readonly keysFile: string
  readonly keys: ConfluentKeys
}

/** A key for each of what Confluent Cloud opens by itself. */
export type ConfluentKeys = {
  readonly cloud: ConfluentKey
  readonly kafka: ConfluentKey
  readonly registry: ConfluentKey
}

/** How the simulated organisation calls what it has. */
export const confluentIds = { environment: 'env-local', kafka: 'lkc-local', registry: 'lsrc-local' } as const

/** What a policy may call the cluster: its brokers take tokens for these audiences. */
export const confluentNames: readonly string[] = ['analytics', 'confluent']

/** Of the topics that the stack itself makes. */
export const registrySubjects: readonly string[] = ['reports.daily-key', 'reports.daily-value']

/** Where the control plane notes identity pools for the brokers. */
export const poolsFileOf = (runDirectory: string): string => join(runDirectory, 'confluent-pools.json')

/** Where it notes API keys for them. */
export const keysFileOf = (runDirectory: string): string => join(runDirectory, 'confluent-keys.json')

const isUp = async (url: string): Promise<boolean> => {
  try {
    // without a key nothing is shown, but somebody is there
    return (await fetch(url, { signal: AbortSignal.timeout(1000) })).status === 401
  } catch {
    return false
  }
}

/** Starts control plane and schema registry as one process of a stack; resolves with their URLs when both answer. */
export const launchConfluent = async ({
  runDirectory,
  logDirectory,
  signal,
  ...options
}: ConfluentProcessOptions & {
  readonly runDirectory: string
  readonly logDirectory: string
  readonly signal: AbortSignal
}): Promise<{ readonly url: string; readonly registryUrl: string }> => {
  const optionsFile = join(runDirectory, 'confluent-options.json')
  writeFileSync(optionsFile, JSON.stringify(options satisfies ConfluentProcessOptions), { mode: 0o600 })
  const started = startProcess(runDirectory, {
    name: 'confluent-control-plane',
    file: nodeFile,
    args: [join(root, 'local/confluent/control-plane-server.ts')],
    env: cleanEnvironment({ CONFLUENT_OPTIONS_FILE: optionsFile }),
    cwd: runDirectory,
    log: join(logDirectory, 'confluent-control-plane.log'),
  })
  const url = `http://127.0.0.1:${options.port}`
  const registryUrl = `http://127.0.0.1:${options.registryPort}`
  const bothAnswer = async () => (await isUp(`${url}/org/v2/environments`)) && isUp(`${registryUrl}/subjects`)
  await waitUntilReady(started, bothAnswer, { timeoutMs: 15_000, signal })
  return { url, registryUrl }
}
