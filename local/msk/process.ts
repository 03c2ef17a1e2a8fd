import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { knownCluster } from '../kafka/known-cluster.ts'
import { nodeFile, root } from '../paths.ts'
import { cleanEnvironment, startProcess, waitUntilReady } from '../processes.ts'
import type { KafkaCluster, StackState } from '../state.ts'
import { clusterArn, type ProvisionedCluster } from './clusters.ts'
import type { MskControlPlaneOptions } from './control-plane.ts'
import type { Propagation } from './scram-secrets.ts'

/** One of the stack's Kafka clusters, shown as MSK: SCRAM in its own VPC, as its listener `outside` has it, and IAM. */
export const mskInFrontOf = ({ name, outside, iam, admin }: KafkaCluster, ca: string): ProvisionedCluster => ({
  type: 'provisioned',
  name,
  bootstrapBrokers: {
    BootstrapBrokerStringSaslScram: outside,
    ...(iam !== undefined && { BootstrapBrokerStringSaslIam: iam }),
  },
  clientAuthentication: {
    Sasl: { Scram: { Enabled: true }, Iam: { Enabled: iam !== undefined } },
    Tls: { Enabled: false, CertificateAuthorityArnList: [] },
    Unauthenticated: { Enabled: false },
  },
  kafka: {
    admin,
    cluster: {
      ...knownCluster(name, outside),
      auth: [],
      listeners: [{ name: 'outside', network: undefined, bootstrap: outside, security: 'SASL_SSL' }],
      ca,
    },
  },
})

export type GeneratedClusters = NonNullable<MskControlPlaneOptions['generated']>

const answers = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1000) })).ok
  } catch {
    return false
  }
}

/** Starts the control plane as a process of a stack; resolves with its URL and the ARN of the cluster when it answers. */
export const launchMskControlPlane = async ({
  runDirectory,
  logDirectory,
  signal,
  port,
  caFile,
  aws,
  cluster,
  propagation,
  generated,
}: {
  readonly runDirectory: string
  readonly logDirectory: string
  readonly signal: AbortSignal
  readonly port: number
  readonly caFile: string
  readonly aws: StackState['aws']
  readonly cluster: KafkaCluster
  readonly propagation: Propagation
  /** Made-up clusters beside the real one. @default - none */
  readonly generated?: GeneratedClusters
}): Promise<{ readonly url: string; readonly clusterArn: string }> => {
  const simulated = mskInFrontOf(cluster, readFileSync(caFile, 'utf8'))
  const optionsFile = join(runDirectory, 'msk-options.json')
  // People look at topics right after they made them.
  const options = { aws, clusters: [simulated], propagation, port, maxInventoryAgeMs: 1_000, generated }
  writeFileSync(optionsFile, JSON.stringify(options), { mode: 0o600 })
  const started = startProcess(runDirectory, {
    name: 'msk-control-plane',
    file: nodeFile,
    args: [join(root, 'local/msk/control-plane-server.ts')],
    env: cleanEnvironment({ MSK_OPTIONS_FILE: optionsFile, NODE_EXTRA_CA_CERTS: caFile }),
    cwd: runDirectory,
    log: join(logDirectory, 'msk-control-plane.log'),
  })
  const url = `http://127.0.0.1:${port}`
  await waitUntilReady(started, () => answers(`${url}/_simulated/faults`), { timeoutMs: 15_000, signal })
  return { url, clusterArn: clusterArn(simulated, aws) }
}
