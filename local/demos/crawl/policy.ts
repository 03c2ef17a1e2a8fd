import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import type { StackState } from '../../state.ts'
import type { Operator } from '../operator.ts'
import { usersGone } from '../users-gone.ts'

/** Who takes part. */
export const principals = { writer: 'crawl-writer', reporter: 'crawl-reporter' } as const

/** ACLs know no `*` in the middle of a name, so each topic behind it needs an ACL of its own. */
export const pattern = 'kafka://payments.acme.com/orders/*/eu'
export const channelOf = (name: string): string => `kafka://payments.acme.com/orders/${name}/eu`
export const topicOf = (name: string): string => `orders.${name}.eu`

export const reports = 'kafka://payments.acme.com/reports/daily'

/** A third cluster of the policy, which the scenario can take away: `payments` under another address. */
export const standby = 'standby'

/** The clock of the simulated MSK, whose delay is seconds. */
const mskClock = {
  propagation: '3s',
  lookEvery: '1s',
  checkEvery: '10s',
  skew: '0s',
  firstRetry: '500ms',
  longestRetry: '2s',
  claim: '15s',
} as const

/** Short enough that a client asks anew in seconds. */
const maxLease = '8s'

/** The example's policy with a cluster that takes its listeners from the crawl, and one that can go away. */
export const applyCrawlPolicy = async (
  state: StackState,
  { command }: Operator,
  { address, granted }: { readonly address: string; readonly granted: boolean },
): Promise<void> => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  const analytics = ['clusters', 'analytics']
  policy.setIn([...analytics, 'provider'], 'msk')
  policy.setIn([...analytics, 'arn'], state.msk.clusterArn)
  policy.setIn([...analytics, 'auth'], policy.createNode(['scram']))
  policy.setIn([...analytics, 'rotation'], policy.createNode({ clock: mskClock }))
  policy.deleteIn([...analytics, 'listeners'])
  policy.setIn(
    ['clusters', standby],
    policy.createNode({
      provider: 'kafka',
      auth: ['jwt'],
      admin: { secret: state.clusters.payments.admin.secretArn },
      listeners: [{ name: 'inside', network: 'vpc-local', bootstrap: address, security: 'SASL_PLAINTEXT' }],
    }),
  )
  if (granted) {
    policy.addIn(['grants'], policy.createNode({ principals: [principals.writer], produce: [pattern], maxLease }))
    policy.addIn(['grants'], policy.createNode({ principals: [principals.reporter], produce: [reports], maxLease }))
  }
  const file = join(state.runDirectory, 'crawl-demo-policy.yaml')
  writeFileSync(file, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  await command('apply', file)
}

/** Takes the grants back while the cluster is MSK's. */
export const leaveCrawlPolicy = async (
  state: StackState,
  operator: Operator,
  { address, signal }: { readonly address: string; readonly signal: AbortSignal },
): Promise<void> => {
  await applyCrawlPolicy(state, operator, { address, granted: false })
  await usersGone(operator, 'analytics', signal)
  await operator.command('apply', state.policyFile)
}
