import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import type { StackState } from '../../state.ts'
import type { Operator } from '../operator.ts'
import { usersGone } from '../users-gone.ts'

/** Who takes part, by what the parts are called below. */
export const principals = {
  writer: 'rotation-writer',
  reader: 'rotation-reader',
  kafkajs: 'rotation-kafkajs',
  exec: 'rotation-exec',
  thief: 'rotation-thief',
  mskWriter: 'rotation-msk-writer',
  mskReader: 'rotation-msk-reader',
} as const

const channelOf = (name: string): string => `kafka://payments.acme.com/orders/${name}`

export const channels = {
  sdk: channelOf('rotation-sdk'),
  kafkajs: channelOf('rotation-kafkajs'),
  exec: channelOf('rotation-exec'),
  thief: channelOf('rotation-thief'),
  chaos: channelOf('rotation-chaos'),
  msk: 'kafka://payments.acme.com/reports/rotation-msk',
} as const

/** Whose credentials are rotated while workers are killed and their broker is away. */
export const chaosPrincipals: readonly string[] = Array.from({ length: 6 }, (_, at) => `rotation-chaos-${at}`)

/** They are made before the policy is applied, so that it grants what is there. */
export const topics = {
  payments: ['sdk', 'kafkajs', 'exec', 'thief', 'chaos'].map((name) => `orders.rotation-${name}`),
  analytics: ['reports.rotation-msk'],
} as const

/** Weeks of a credential's life in seconds; the code has no other clock than this. */
const rotation = {
  every: '5s',
  clock: {
    propagation: '1s',
    lookEvery: '500ms',
    checkEvery: '10s',
    skew: '0s',
    firstRetry: '500ms',
    longestRetry: '2s',
    claim: '15s',
  },
} as const

/** The delay of the simulated MSK, and a clock that looks when it is over: a login before that is one that is refused. */
export const mskDelayMs = 5_000
const mskRotation = {
  every: '6s',
  clock: { ...rotation.clock, propagation: '6s', lookEvery: '6s' },
} as const

/** Short enough that a client hears of its next slot in seconds, long enough for a renewal on a machine that is busy. */
const maxLease = '8s'

const consumerProfile = {
  role: 'consumer',
  properties: { 'auto.offset.reset': 'earliest', 'heartbeat.interval.ms': 500, 'session.timeout.ms': 10_000 },
} as const

/** The example's policy with stored credentials on both clusters, which live for seconds. */
export const applyRotationPolicy = async (
  state: StackState,
  { command }: Operator,
  { granted }: { readonly granted: boolean },
): Promise<void> => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  const auth = policy.createNode(['scram'])
  policy.setIn(['clusters', 'payments', 'auth'], auth)
  policy.setIn(['clusters', 'payments', 'rotation'], policy.createNode(rotation))
  policy.setIn(['clusters', 'analytics', 'auth'], auth.clone())
  policy.setIn(['clusters', 'analytics', 'provider'], 'msk')
  policy.setIn(['clusters', 'analytics', 'arn'], state.msk.clusterArn)
  policy.setIn(['clusters', 'analytics', 'rotation'], policy.createNode(mskRotation))
  policy.setIn(['profiles', 'steady'], policy.createNode(consumerProfile))
  const grant = (principal: string, access: Readonly<Record<string, readonly string[]>>): void => {
    if (granted) policy.addIn(['grants'], policy.createNode({ principals: [principal], ...access, maxLease }))
  }
  grant(principals.writer, { produce: [channels.sdk] })
  grant(principals.reader, { consume: [channels.sdk, channels.exec], groups: [principals.reader, principals.exec] })
  grant(principals.kafkajs, { produce: [channels.kafkajs], consume: [channels.kafkajs] })
  grant(principals.exec, { produce: [channels.exec] })
  grant(principals.thief, { produce: [channels.thief] })
  grant(principals.mskWriter, { produce: [channels.msk] })
  grant(principals.mskReader, { consume: [channels.msk] })
  for (const principal of chaosPrincipals) grant(principal, { produce: [channels.chaos] })
  const file = join(state.runDirectory, 'rotation-demo-policy.yaml')
  writeFileSync(file, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  await command('apply', file)
}

/** Takes the grants back while the cluster is MSK's. */
export const leaveRotationPolicy = async (
  state: StackState,
  operator: Operator,
  signal: AbortSignal,
): Promise<void> => {
  await applyRotationPolicy(state, operator, { granted: false })
  await usersGone(operator, 'analytics', signal)
  await operator.command('apply', state.policyFile)
}
