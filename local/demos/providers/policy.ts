import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { type Document, parseDocument } from 'yaml'
import type { ConfluentSetup } from '../../../cli/confluent.ts'
import { confluentIds } from '../../confluent/process.ts'
import type { StackState } from '../../state.ts'
import type { Operator } from '../operator.ts'

/** Who takes part. */
export const principal = 'providers-app'

/** Where it is, by who runs the cluster. */
export const clusters = { kafka: 'payments', msk: 'analytics', confluent: 'confluent' } as const

export type ProviderName = keyof typeof clusters

/** One channel on each of the clusters; that of MSK moves to Confluent Cloud. */
export const channels = {
  kafka: 'kafka://payments.acme.com/orders/providers',
  msk: 'kafka://payments.acme.com/reports/providers',
  confluent: 'kafka://cloud.acme.com/providers',
} as const satisfies Record<ProviderName, string>

/** Where the channel of MSK leads after its move. */
export const movedTopic = 'cloud.reports'

/** They are made before the policy is applied. The two clusters with a provider are one Kafka here. */
export const topics = {
  payments: ['orders.providers'],
  analytics: ['reports.providers', 'cloud.providers', movedTopic],
} as const

/** What nobody granted: topics that are there, among them those of the other clusters, and somebody else's group. */
export const foreign = {
  kafka: { topics: ['orders.created', 'payouts.settled'], groups: ['billing'] },
  msk: { topics: ['reports.daily', 'cloud.providers', movedTopic], groups: ['billing'] },
  confluent: { topics: ['reports.daily', 'reports.providers'], groups: ['billing'] },
} as const satisfies Record<ProviderName, unknown>

/** Of every lease and token; whatever runs for a minute outlives several of them. */
export const tokenSeconds = 20

export type PolicyOptions = {
  /** Without, the clusters stay and nobody gets there. */
  readonly granted: boolean
  readonly moved: boolean
  /** What `confluent setup` has made; undefined: nothing yet. */
  readonly setup: ConfluentSetup | undefined
}

/** Weeks of a credential's life in seconds, for those that nobody gets as long as there are tokens. */
const rotation = {
  clock: {
    propagation: '3s',
    lookEvery: '1s',
    checkEvery: '10s',
    skew: '0s',
    firstRetry: '500ms',
    longestRetry: '2s',
    claim: '15s',
  },
} as const

const renderClusters = (
  policy: Document,
  { clusters: real, msk, confluent, caFile }: StackState,
  setup?: ConfluentSetup,
) => {
  const ca = readFileSync(caFile, 'utf8')
  policy.setIn(['clusters', clusters.kafka, 'auth'], policy.createNode(['jwt', 'scram']))
  policy.setIn(['clusters', clusters.kafka, 'rotation'], policy.createNode(rotation))
  policy.setIn(
    ['clusters', clusters.msk],
    policy.createNode({
      provider: 'msk',
      arn: msk.clusterArn,
      auth: ['msk-iam', 'scram'],
      listeners: [
        { name: 'iam', bootstrap: real.analytics.iam, auth: ['msk-iam'] },
        { name: 'users', bootstrap: real.analytics.outside, auth: ['scram'] },
      ],
      ca,
      admin: { secret: real.analytics.admin.secretArn },
      rotation,
    }),
  )
  policy.setIn(
    ['clusters', clusters.confluent],
    policy.createNode({
      provider: 'confluent',
      id: confluentIds.kafka,
      environment: confluentIds.environment,
      auth: ['jwt', 'api-key'],
      bootstrap: confluent.bootstrap,
      ca,
      admin: { secret: confluent.secrets.kafka },
      cloudKey: { secret: confluent.secrets.cloud },
      rotation,
      ...(setup && {
        identityProvider: { id: setup.identityProvider },
        identityPools: setup.identityPools,
        serviceAccounts: setup.serviceAccounts,
      }),
    }),
  )
}

/** The example's policy with clusters of all three kinds. */
const writePolicy = (state: StackState, { granted, moved, setup }: PolicyOptions): string => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  renderClusters(policy, state, setup)
  policy.addIn(
    ['routes'],
    policy.createNode({ channel: channels.confluent, cluster: clusters.confluent, topic: 'cloud.providers' }),
  )
  if (moved) {
    const elsewhere = policy.createNode({ channel: channels.msk, cluster: clusters.confluent, topic: movedTopic })
    // the first rule that matches decides
    const routes = policy.get('routes') as { items: unknown[] }
    routes.items.unshift(elsewhere)
  }
  if (granted) {
    const all = Object.values(channels)
    const groups = [`${principal}-*`]
    const maxLease = `${tokenSeconds}s`
    policy.addIn(
      ['grants'],
      policy.createNode({ principals: [principal], produce: [...all], consume: [...all], groups, maxLease }),
    )
  }
  const file = join(state.runDirectory, 'providers-demo-policy.yaml')
  writeFileSync(file, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  return file
}

export const applyProvidersPolicy = async (
  state: StackState,
  { command }: Operator,
  options: PolicyOptions,
): Promise<void> => {
  await command('apply', writePolicy(state, options))
}

/** Makes the simulated Confluent Cloud trust our tokens, with a pool and a service account for the principal. */
export const setUpConfluent = async (
  state: StackState,
  { secrets, commandWith }: Operator,
): Promise<ConfluentSetup> => {
  const { SecretString = '' } = await secrets.send(
    new GetSecretValueCommand({ SecretId: state.confluent.secrets.cloud }),
  )
  const { apiKey, apiSecret } = JSON.parse(SecretString)
  const command = commandWith({
    CONFLUENT_CLOUD_API_KEY: apiKey,
    CONFLUENT_CLOUD_API_SECRET: apiSecret,
    CONFLUENT_ENDPOINT: state.confluent.url,
  })
  const file = writePolicy(state, { granted: true, moved: false, setup: undefined })
  return JSON.parse(await command('confluent', 'setup', file, '--json'))
}
