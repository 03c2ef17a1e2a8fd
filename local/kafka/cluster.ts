import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Admin } from '@platformatic/kafka'
import type { Authority } from '../certificates.ts'
import { LocalError } from '../errors.ts'
import { root } from '../paths.ts'
import { cleanEnvironment, javaCommand, runCommand, startProcess, waitUntilReady } from '../processes.ts'
import type { KafkaCluster, ManagedProcess } from '../state.ts'
import { allowedUrlsOption, type ClusterConfig, renderServerProperties } from './server-properties.ts'

/** A cluster whose storage is formatted: it can boot as soon as the JWKS answers. */
export type FormattedCluster = {
  readonly config: ClusterConfig
  readonly propertiesFile: string
  readonly folder: string
}

/** What every Java process of the stack runs with; one class archive fits them all because the flags are the same. */
export type KafkaRuntime = { readonly classPath: string; readonly classArchive: string | undefined }

const bootMs = 90_000
const memory = ['-Xmx128m', '-Xms64m', '-XX:MaxDirectMemorySize=64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
const logging = `-Dlog4j2.configurationFile=${join(root, 'local/kafka/log4j2.properties')}`

export const randomPassword = (): string => randomBytes(24).toString('base64url')

const javaArgs = ({ classPath, classArchive }: KafkaRuntime, extra: readonly string[]): string[] => [
  ...memory,
  ...(classArchive === undefined ? [] : [`-XX:SharedArchiveFile=${classArchive}`]),
  // A stale archive only costs time: the JVM says so and goes on without it.
  '-Xshare:auto',
  logging,
  ...extra,
  '-cp',
  classPath,
]

// Kafka reads an id that starts with `-` as an option.
const clusterId = (): string => {
  const id = randomBytes(16).toString('base64url')
  return id.startsWith('-') ? clusterId() : id
}

/** Writes the configuration and the certificates and formats the storage with the admin's SCRAM user in it. */
export const formatCluster = async (
  runtime: KafkaRuntime,
  folder: string,
  config: Omit<ClusterConfig, 'dataDirectory' | 'keystoreFile' | 'truststoreFile'>,
  { authority, log, signal }: { readonly authority: Authority; readonly log: string; readonly signal?: AbortSignal },
): Promise<FormattedCluster> => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { key, certificate } = await authority.issue(`kafka-${config.name}`)
  const whole: ClusterConfig = {
    ...config,
    dataDirectory: join(folder, 'data'),
    keystoreFile: join(folder, 'keystore.pem'),
    truststoreFile: join(folder, 'truststore.pem'),
  }
  const propertiesFile = join(folder, 'server.properties')
  writeFileSync(whole.keystoreFile, `${key}${certificate}${authority.certificate}`, { mode: 0o600 })
  writeFileSync(whole.truststoreFile, authority.certificate, { mode: 0o600 })
  writeFileSync(propertiesFile, renderServerProperties(whole), { mode: 0o600 })
  await runCommand(
    {
      name: `format the storage of ${config.name}`,
      file: javaCommand(),
      args: [
        ...javaArgs(runtime, []),
        'kafka.tools.StorageTool',
        'format',
        ...['-t', clusterId(), '-c', propertiesFile],
        ...['--add-scram', `SCRAM-SHA-512=[name=admin,password=${config.passwords.admin}]`],
      ],
      env: cleanEnvironment({}),
      cwd: folder,
      log,
    },
    signal,
  )
  return { config: whole, propertiesFile, folder }
}

/** Boots a formatted cluster; the JWKS of its issuer has to answer, else the broker ends at once. */
export const startCluster = async (
  runtime: KafkaRuntime,
  runDirectory: string,
  { config, propertiesFile, folder }: FormattedCluster,
  {
    log,
    signal,
    jvmOptions = [],
  }: {
    readonly log: string
    readonly signal?: AbortSignal
    readonly jvmOptions?: readonly string[]
  },
): Promise<ManagedProcess> => {
  const started = startProcess(runDirectory, {
    name: `kafka-${config.name}`,
    file: javaCommand(),
    args: [...javaArgs(runtime, [allowedUrlsOption(config.issuerUrl), ...jvmOptions]), 'kafka.Kafka', propertiesFile],
    env: cleanEnvironment({}),
    cwd: folder,
    log,
  })
  const hasStarted = () => readFileSync(log, 'utf8').includes('Kafka Server started')
  await waitUntilReady(started, hasStarted, { timeoutMs: bootMs, ...(signal && { signal }) })
  return started
}

/** Makes the topics that the example policy's routes lead to. */
export const createTopics = async (
  { name, inside, admin }: KafkaCluster,
  topics: readonly string[],
  log: string,
): Promise<void> => {
  const client = new Admin({
    clientId: 'local-stack',
    bootstrapBrokers: [inside],
    sasl: { mechanism: admin.mechanism, username: admin.username, password: admin.password },
    retries: 5,
  })
  try {
    const present = new Set(await client.listTopics())
    const missing = topics.filter((topic) => !present.has(topic))
    if (missing.length > 0) await client.createTopics({ topics: missing, partitions: 3, replicas: 1 })
  } catch (error) {
    throw new LocalError(`the topics of ${name} cannot be made: ${error instanceof Error ? error.message : ''}`, log)
  } finally {
    await client.close()
  }
}
