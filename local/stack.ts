import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { SigningKeyTimes } from '../shared/domain/signing-key.ts'
import { apiIdOf, bootstrap, type CdkPlace, deploy, stackName, synthesize } from './cdk.ts'
import { createAuthority } from './certificates.ts'
import type { ConfluentKey } from './confluent/control-plane.ts'
import {
  type ConfluentKeys,
  confluentIds,
  confluentNames,
  keysFileOf,
  launchConfluent,
  poolsFileOf,
} from './confluent/process.ts'
import { awsEnvironment, sessionsFileOf, startEmulator, trustAuthority } from './emulator.ts'
import { enableTimeToLive, forgetEmptyVersion, rootCredentials } from './emulator-differences.ts'
import { LocalError } from './errors.ts'
import { launchFront, pointFrontAt } from './front.ts'
import { saveFunctionLogs } from './function-logs.ts'
import { installKafka, installPython, installSimulatedProviders } from './install.ts'
import { startIssuer, workloadAudience } from './issuer.ts'
import { makeClassArchive } from './kafka/class-archive.ts'
import { createTopics, formatCluster, type KafkaRuntime, randomPassword, startCluster } from './kafka/cluster.ts'
import { type ClusterConfig, clusterAudience } from './kafka/server-properties.ts'
import { thisProcess } from './lock.mjs'
import { clusterArn } from './msk/clusters.ts'
import { type GeneratedClusters, launchMskControlPlane } from './msk/process.ts'
import type { Propagation } from './msk/scram-secrets.ts'
import { nodeFile, root } from './paths.ts'
import { clientsOf, renderPolicy } from './policy.ts'
import { allOrNone, cleanEnvironment, freePorts, runCommand, stopProcess, waitFor } from './processes.ts'
import {
  type KafkaCluster,
  readStackRecord,
  removeStackRecord,
  type StackState,
  stateFileOf,
  writeStackRecord,
} from './state.ts'
import type { Terminal } from './terminal.mjs'

const region = 'eu-west-1'
const accountId = '000000000000'
const portsPerCluster = 4
const topics = {
  // `payouts.settled` is there to be refused: no grant reaches it.
  payments: ['orders.created', 'orders.shipped', 'payouts.settled'],
  analytics: ['reports.daily'],
} as const

const examplePolicy = join(root, 'examples/policy.yaml')
const logFolder = 'logs'
/** Patience of people; on MSK it is up to 10 minutes. */
const mskPropagation: Propagation = { minMs: 500, maxMs: 2_000 }
/** Enough to look like an account; a crawl of them takes seconds. */
const fewGeneratedMsk: GeneratedClusters = { count: 20, topicsPerCluster: 20 }

/** A secret that a platform team makes for what is its own; `rotate` and `crawl` may read it because of its name. */
const createClusterSecret = async (
  client: SecretsManagerClient,
  name: string,
  value: Readonly<Record<string, string>>,
): Promise<string> => {
  const { ARN } = await client.send(
    new CreateSecretCommand({
      Name: `switchboard/${stackName}/clusters/${name}`,
      SecretString: JSON.stringify(value),
    }),
  )
  if (ARN === undefined) throw new LocalError(`the secret of ${name} has no ARN`)
  return ARN
}

const createAdminSecret = (client: SecretsManagerClient, name: string, password: string): Promise<string> =>
  createClusterSecret(client, name, { username: 'admin', password, mechanism: 'SCRAM-SHA-512' })

const confluentKey = (): ConfluentKey => ({ key: randomPassword().slice(0, 16), secret: randomPassword() })

const createKeySecret = (client: SecretsManagerClient, name: string, { key, secret }: ConfluentKey): Promise<string> =>
  createClusterSecret(client, `confluent-${name}`, { apiKey: key, apiSecret: secret })

const awsClients = ({ endpointUrl, accessKeyId, secretAccessKey }: StackState['aws']) => {
  const settings = { region, endpoint: endpointUrl, credentials: { accessKeyId, secretAccessKey } }
  return { dynamo: new DynamoDBClient(settings), secrets: new SecretsManagerClient(settings) }
}

const commandFile = join(root, 'cli/switchboard.ts')

/** Runs the project's own command line as an operator would. */
const switchboard = (
  args: readonly string[],
  { aws, caFile, logDirectory, runDirectory, signal }: CdkPlace,
): Promise<void> =>
  runCommand(
    {
      name: `switchboard ${args[0] ?? ''}`,
      file: nodeFile,
      args: [commandFile, ...args],
      env: cleanEnvironment(awsEnvironment(aws, caFile)),
      cwd: runDirectory,
      log: join(logDirectory, `switchboard-${args[0] ?? ''}.log`),
    },
    signal,
  )

/** What `switchboard client add` prints: `id:secret`. It goes into no log. */
const addClient = async (id: string, { aws, caFile, runDirectory, signal }: CdkPlace): Promise<string> => {
  const env = cleanEnvironment(awsEnvironment(aws, caFile))
  const { stdout } = await promisify(execFile)(nodeFile, [commandFile, 'client', 'add', id], {
    cwd: runDirectory,
    env,
    signal,
  })
  return stdout.trim()
}

/** Those that have no secret yet get one; the others keep theirs. */
const addClients = async (known: StackState['clients'], place: CdkPlace): Promise<StackState['clients']> => {
  const missing = clientsOf(readFileSync(examplePolicy, 'utf8')).filter((id) => !Object.hasOwn(known, id))
  const added = await Promise.all(missing.map(async (id) => [id, await addClient(id, place)] as const))
  return { ...known, ...Object.fromEntries(added) }
}

const isOk = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok
  } catch {
    return false
  }
}

/** Stops everything that a state file of this folder names, the last started first, and forgets the stack's secrets. */
export const takeDown = async (runDirectory: string): Promise<void> => {
  const record = readStackRecord(stateFileOf(runDirectory))
  // an emulator that hangs, or never came up, must not keep anything from being stopped
  if (record !== undefined)
    await saveFunctionLogs(record, join(runDirectory, logFolder, 'functions.log')).catch(() => {})
  for (const started of record?.processes.toReversed() ?? []) await stopProcess(started)
  removeStackRecord(runDirectory)
  // Logs stay to be read; the next start removes them.
  for (const entry of readEntries(runDirectory)) {
    if (entry !== logFolder) rmSync(join(runDirectory, entry), { recursive: true, force: true })
  }
}

const readEntries = (folder: string): string[] => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/**
 * Brings a whole stack up in its folder. The order is the order of trust: emulator, front, deploy, signing key, and only
 * then the clusters, which do not boot before our keys can be read. What does not depend on another runs beside it.
 */
export const bringUp = async (
  terminal: Terminal,
  {
    runDirectory,
    signal: outer,
    maxReauthMs,
    signingKeys = {},
    generatedMsk = fewGeneratedMsk,
  }: {
    readonly runDirectory: string
    readonly signal: AbortSignal
    /** @default - what a cluster of people would have */
    readonly maxReauthMs?: number
    /** @default - what a stack of people would have */
    readonly signingKeys?: Partial<SigningKeyTimes>
    /** Clusters that MSK shows beside the real one, with nothing behind them. @default - 20 with 20 topics each */
    readonly generatedMsk?: GeneratedClusters
  },
): Promise<StackState> => {
  const failed = new AbortController()
  const signal = AbortSignal.any([outer, failed.signal])
  rmSync(runDirectory, { recursive: true, force: true })
  const logDirectory = join(runDirectory, logFolder)
  mkdirSync(logDirectory, { recursive: true, mode: 0o700 })
  writeStackRecord({ version: 1, status: 'starting', runDirectory, owner: thisProcess(), processes: [] })

  const ports = await freePorts(8 + 2 * portsPerCluster)
  const [emulatorPort = 0, frontPort = 0, issuerPort = 0, mskPort = 0, iamPort = 0, ...others] = ports
  const [confluentPort = 0, registryPort = 0, confluentKafkaPort = 0, ...kafkaPorts] = others
  const authority = await createAuthority()
  const caFile = join(runDirectory, 'ca.pem')
  writeFileSync(caFile, authority.certificate, { mode: 0o600 })
  trustAuthority(authority.certificate)
  const aws = { endpointUrl: `https://127.0.0.1:${emulatorPort}`, region, accountId, ...rootCredentials }
  const url = `http://127.0.0.1:${frontPort}`
  const issuer = { url: `http://127.0.0.1:${issuerPort}`, audience: workloadAudience }
  const place: CdkPlace = { runDirectory, logDirectory, aws, caFile, signal }
  const common = { runDirectory, logDirectory, signal }
  const mskClusterArn = clusterArn({ name: 'analytics', type: 'provisioned' }, aws)
  const confluentUrl = `http://127.0.0.1:${confluentPort}`
  const confluentBootstrap = `127.0.0.1:${confluentKafkaPort}`
  const confluentKeys: ConfluentKeys = { cloud: confluentKey(), kafka: confluentKey(), registry: confluentKey() }
  const adminPassword = randomPassword()

  const prepareKafka = async () => {
    const classPath = await installKafka(terminal, signal)
    const classArchive = await makeClassArchive(terminal, classPath, common)
    const simulatedProviders = await installSimulatedProviders(terminal, signal)
    // behind the others, so that the archive still fits
    const runtime: KafkaRuntime = { classPath: `${classPath}:${simulatedProviders}`, classArchive }
    const format = (
      name: string,
      [inside = 0, outside = 0, internal = 0, controller = 0]: readonly number[],
      simulated: Pick<ClusterConfig, 'mskIam' | 'confluent'> = {},
    ) =>
      formatCluster(
        runtime,
        join(runDirectory, 'kafka', name),
        {
          name,
          ports: { inside, outside, internal, controller },
          passwords: { broker: randomPassword(), admin: adminPassword },
          issuerUrl: url,
          ...(maxReauthMs !== undefined && { maxReauthMs }),
          ...simulated,
          ...(signingKeys.brokerRefreshSeconds !== undefined && {
            jwksRefreshMs: signingKeys.brokerRefreshSeconds * 1000,
          }),
        },
        { authority, signal, log: join(logDirectory, `kafka-${name}-format.log`) },
      )
    return terminal.step('Kafka storage of two clusters', async () => {
      const [payments, analytics] = await Promise.all([
        format('payments', kafkaPorts.slice(0, portsPerCluster)),
        format('analytics', kafkaPorts.slice(portsPerCluster), {
          mskIam: { port: iamPort, clusterArn: mskClusterArn, sessionsFile: sessionsFileOf(runDirectory) },
          confluent: {
            port: confluentKafkaPort,
            clusterId: confluentIds.kafka,
            poolsFile: poolsFileOf(runDirectory),
            keysFile: keysFileOf(runDirectory),
            key: confluentKeys.kafka,
            audiences: confluentNames.map((name) => clusterAudience(url, name)),
          },
        }),
      ])
      return { runtime, payments, analytics }
    })
  }

  const deployStack = async () => {
    const pythonFile = await installPython(terminal, signal)
    await terminal.step('AWS emulator, IAM enforced', () =>
      startEmulator({
        ...{ ...common, pythonFile, authority, aws, port: emulatorPort, caFile },
        mskUrl: `http://127.0.0.1:${mskPort}`,
      }),
    )
    await terminal.step('front with the API’s base URL', () =>
      launchFront({ ...common, port: frontPort, emulatorUrl: aws.endpointUrl, caFile }),
    )
    await allOrNone(failed, [terminal.step('cdk bootstrap', () => bootstrap(place)), synthesis])
    const outputs = await terminal.step('cdk deploy', () => deploy(place))
    const { dynamo, secrets } = awsClients(aws)
    const secretArns = await terminal.step('secrets of the clusters', async () => {
      const [payments, analytics, cloud, kafka, registry] = await Promise.all([
        createAdminSecret(secrets, 'payments', adminPassword),
        createAdminSecret(secrets, 'analytics', adminPassword),
        createKeySecret(secrets, 'cloud', confluentKeys.cloud),
        createKeySecret(secrets, 'cluster', confluentKeys.kafka),
        createKeySecret(secrets, 'registry', confluentKeys.registry),
        enableTimeToLive(dynamo, outputs.LeasesTableName ?? ''),
        forgetEmptyVersion(secrets, outputs.SigningKeySecretArn ?? ''),
      ])
      return { payments, analytics, confluent: { cloud, kafka, registry } }
    })
    const apiId = apiIdOf(outputs.ApiUrl ?? '')
    pointFrontAt(runDirectory, apiId)
    await terminal.step('signing key, made by rotate', async () => {
      await switchboard(['ensure-keys'], place)
      const log = join(logDirectory, 'emulator.log')
      await waitFor('our key set answers', () => isOk(`${url}/.well-known/jwks.json`), {
        timeoutMs: 30_000,
        signal,
        log,
      })
    })
    return { outputs, apiId, secretArns }
  }

  const launchIssuer = () =>
    terminal.step('OIDC issuer of the workloads', () => startIssuer({ ...common, port: issuerPort }))

  // The longest step of all needs nothing but the source, so it is the first to start.
  const synthesis = terminal.step('cdk synth', () =>
    synthesize(place, { issuerUrl: url, mskClusterArn, confluentUrl, signingKeys }),
  )
  const [kafka, deployed] = await allOrNone(failed, [prepareKafka(), deployStack(), launchIssuer(), synthesis])
  const cluster = (name: 'payments' | 'analytics'): KafkaCluster => ({
    name,
    inside: `127.0.0.1:${kafka[name].config.ports.inside}`,
    outside: `127.0.0.1:${kafka[name].config.ports.outside}`,
    admin: {
      username: 'admin',
      password: adminPassword,
      mechanism: 'SCRAM-SHA-512',
      secretArn: deployed.secretArns[name],
    },
  })
  const clusters = {
    payments: cluster('payments'),
    analytics: { ...cluster('analytics'), iam: `127.0.0.1:${iamPort}` },
  }
  const boot = (name: 'payments' | 'analytics') =>
    terminal.step(`Kafka cluster ${name}`, async () => {
      const log = join(logDirectory, `kafka-${name}.log`)
      await startCluster(kafka.runtime, runDirectory, kafka[name], { log, signal })
      await createTopics(clusters[name], topics[name], log)
    })
  const makeClients = terminal.step('secrets of the example’s clients', () => addClients({}, place))
  const bootBehindControlPlanes = async () => {
    await boot('analytics')
    return terminal.step('simulated MSK and Confluent Cloud in front of analytics', () =>
      Promise.all([
        launchMskControlPlane({
          ...{ ...common, port: mskPort, caFile, aws },
          cluster: clusters.analytics,
          propagation: mskPropagation,
          generated: generatedMsk,
        }),
        launchConfluent({
          ...{ ...common, port: confluentPort, registryPort, keys: confluentKeys },
          cluster: clusters.analytics,
          bootstrap: confluentBootstrap,
          poolsFile: poolsFileOf(runDirectory),
          keysFile: keysFileOf(runDirectory),
        }),
      ]),
    )
  }
  const [clients, , [msk, confluent]] = await allOrNone(failed, [
    makeClients,
    boot('payments'),
    bootBehindControlPlanes(),
  ])

  const state: StackState = {
    version: 1,
    status: 'ready',
    runDirectory,
    stateFile: stateFileOf(runDirectory),
    logDirectory,
    policyFile: join(runDirectory, 'policy.yaml'),
    caFile,
    owner: thisProcess(),
    processes: readStackRecord(stateFileOf(runDirectory))?.processes ?? [],
    aws,
    switchboard: { url, stackName, apiId: deployed.apiId, outputs: deployed.outputs },
    issuer,
    clusters,
    msk,
    confluent: { ...confluent, bootstrap: confluentBootstrap, secrets: deployed.secretArns.confluent },
    clients,
  }
  await terminal.step('example policy', () => applyExamplePolicy(state, signal))
  writeStackRecord(state)
  return state
}

const placeOf = ({ runDirectory, logDirectory, aws, caFile }: StackState, signal: AbortSignal): CdkPlace => ({
  runDirectory,
  logDirectory,
  aws,
  caFile,
  signal,
})

/** Renders the example policy for this stack and applies it through the command line. */
export const applyExamplePolicy = async (state: StackState, signal: AbortSignal): Promise<void> => {
  const certificate = readFileSync(state.caFile, 'utf8')
  const policy = renderPolicy(readFileSync(examplePolicy, 'utf8'), { ...state, certificate })
  writeFileSync(state.policyFile, policy, { mode: 0o600 })
  await switchboard(['apply', state.policyFile], placeOf(state, signal))
}

/** Deploys what the working tree holds now into a stack that is up. Without a change it changes nothing. */
export const deployAgain = async (terminal: Terminal, state: StackState, signal: AbortSignal): Promise<void> => {
  const place = placeOf(state, signal)
  await terminal.step('cdk synth', () =>
    synthesize(place, {
      issuerUrl: state.switchboard.url,
      mskClusterArn: state.msk.clusterArn,
      confluentUrl: state.confluent.url,
    }),
  )
  await terminal.step('cdk deploy', () => deploy(place))
  await terminal.step('example policy', () => applyExamplePolicy(state, signal))
  const clients = await terminal.step('secrets of the example’s clients', () => addClients(state.clients, place))
  writeStackRecord({ ...state, clients })
}
