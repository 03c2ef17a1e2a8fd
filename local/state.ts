import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'

const identity = z.object({ pid: z.number().int().positive(), startedAt: z.string().min(1) })

const managedProcess = identity.extend({
  name: z.string(),
  /** How it was started, so that a test can take it away and bring it back. */
  command: z.object({
    file: z.string(),
    args: z.array(z.string()),
    env: z.record(z.string(), z.string()),
    cwd: z.string(),
  }),
  log: z.string(),
})

const kafkaCluster = z.object({
  name: z.string(),
  /** SASL_PLAINTEXT, the policy's network `vpc-local`. */
  inside: z.string(),
  /** SASL_SSL with the private CA, the policy's network `public`. */
  outside: z.string(),
  /** SASL_SSL with the private CA, for whoever IAM lets in; of the cluster that MSK shows. */
  iam: z.string().exactOptional(),
  admin: z.object({
    username: z.string(),
    password: z.string(),
    mechanism: z.literal('SCRAM-SHA-512'),
    secretArn: z.string(),
  }),
})

const record = z.object({
  version: z.literal(1),
  runDirectory: z.string(),
  owner: identity,
  processes: z.array(managedProcess),
})

const ready = record.extend({
  status: z.literal('ready'),
  stateFile: z.string(),
  logDirectory: z.string(),
  policyFile: z.string(),
  caFile: z.string(),
  aws: z.object({
    endpointUrl: z.string(),
    region: z.string(),
    accountId: z.string(),
    /** The emulator's root user, which passes every permission check: it deploys, and assumes roles. */
    accessKeyId: z.string(),
    secretAccessKey: z.string(),
  }),
  switchboard: z.object({
    /** The API's base URL, which is also the issuer of the tokens that the clusters trust. */
    url: z.string(),
    stackName: z.string(),
    apiId: z.string(),
    outputs: z.record(z.string(), z.string()),
  }),
  /** The OIDC issuer of the workloads. */
  issuer: z.object({ url: z.string(), audience: z.string() }),
  clusters: z.object({ payments: kafkaCluster, analytics: kafkaCluster }),
  /** The simulated MSK control plane, and the ARN under which it shows the cluster `analytics`. */
  msk: z.object({ url: z.string(), clusterArn: z.string() }),
  /** The simulated Confluent Cloud, which has the cluster `analytics` too, and the ARNs of the secrets with its keys. */
  confluent: z.object({
    url: z.string(),
    /** SASL_SSL with the private CA: tokens with the extensions of Confluent Cloud, and API keys. */
    bootstrap: z.string(),
    registryUrl: z.string(),
    secrets: z.object({ cloud: z.string(), kafka: z.string(), registry: z.string() }),
  }),
  /** `id:secret` of the example policy's callers that have one. */
  clients: z.record(z.string(), z.string()).default({}),
})

const stackFile = z.discriminatedUnion('status', [ready, record.extend({ status: z.literal('starting') })])

export type ManagedProcess = z.infer<typeof managedProcess>
export type KafkaCluster = z.infer<typeof kafkaCluster>
/** What the state file holds while the stack comes up: enough to stop what was started. */
export type StackRecord = z.infer<typeof stackFile>
/** Everything about a stack that is up. */
export type StackState = z.infer<typeof ready>

export const stateFileOf = (runDirectory: string): string => join(runDirectory, 'state.json')

/** @throws Error when the text is no state of this version */
export const parseStackRecord = (text: string): StackRecord => stackFile.parse(JSON.parse(text))

/** Undefined when there is no state file; one that cannot be read counts as none, for nothing can be known from it. */
export const readStackRecord = (stateFile: string): StackRecord | undefined => {
  try {
    return parseStackRecord(readFileSync(stateFile, 'utf8'))
  } catch {
    return undefined
  }
}

/** @throws Error when the stack of this state file is not up */
export const readStackState = (stateFile: string): StackState => {
  const state = readStackRecord(stateFile)
  if (state?.status !== 'ready') throw new Error(`no stack is up according to \`${stateFile}\``)
  return state
}

/** Readers see the old or the new file, never half of one, and only this user sees it. */
export const writeStackRecord = (state: StackRecord): void => {
  const path = stateFileOf(state.runDirectory)
  const next = `${path}.${process.pid}`
  writeFileSync(next, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 })
  chmodSync(next, 0o600)
  renameSync(next, path)
}

export const removeStackRecord = (runDirectory: string): void => rmSync(stateFileOf(runDirectory), { force: true })
