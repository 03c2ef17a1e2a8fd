import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openLease, SwitchboardProblem } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import { isMap, isScalar, isSeq, parseDocument } from 'yaml'
import { createScramAdmin } from '../../../shared/clusters/kafka/scram-admin.ts'
import { LocalError } from '../../errors.ts'
import { mintWorkloadToken } from '../../issuer.ts'
import { randomPassword } from '../../kafka/cluster.ts'
import { clusterOf, withAdmin } from '../admin.ts'
import { atLeast, type Measure, none } from '../outcome.ts'
import { differences, type Login, placesOf, type Rights, tryRights } from '../rights.ts'
import { groups, makeAcls, removeAcls, topics, users } from './hand-made.ts'
import type { Stage } from './stage.ts'

const part = 'take over'

/** As somebody does who begins with the clusters that Switchboard has a login for; the others come later. */
const leaveOutUnfinished = (file: string): void => {
  const policy = parseDocument(readFileSync(file, 'utf8'))
  const clusters = policy.get('clusters')
  const routes = policy.get('routes')
  if (!isMap(clusters) || !isSeq(routes)) throw new LocalError('init wrote no policy', file)
  const isUnfinished = (name: unknown): boolean => !policy.hasIn(['clusters', name, 'admin'])
  routes.items = routes.items.filter((route) => isMap(route) && !isUnfinished(route.get('cluster')))
  clusters.items = clusters.items.filter(({ key }) => !isUnfinished(isScalar(key) ? key.value : key))
  writeFileSync(file, policy.toString({ lineWidth: 0 }))
}

/** How a workload of this name logs in now; undefined: nothing is granted to it. */
const loginThrough = async (
  { state, signal }: Stage,
  principal: string,
  channels: readonly string[],
): Promise<Login | undefined> => {
  const intents = channels.flatMap((channel) => [{ produce: [channel] }, { consume: [channel] }])
  for (const intent of intents)
    try {
      const lease = await openLease({
        url: state.switchboard.url,
        token: () => mintWorkloadToken(state, { principal }),
        intent: { ...intent, network: 'vpc-local' },
        signal,
      })
      const { bootstrapBrokers, sasl } = platformatic(lease.connection()).client
      lease.close()
      return { bootstrapBrokers: bootstrapBrokers ?? [], ...(sasl && { sasl }) }
    } catch (error) {
      if (!(error instanceof SwitchboardProblem) || error.code !== 'access_denied') throw error
    }
  return undefined
}

/** A policy made of users and ACLs that grew on a cluster: with it they may do what they could, and nothing else. */
export const takeOver = async (stage: Stage): Promise<readonly Measure[]> => {
  const { state, operator, commands, report } = stage
  const { payments } = state.clusters
  const scram = createScramAdmin(clusterOf(payments), payments.admin)
  const passwords = new Map(users.map((user) => [user, randomPassword()]))
  const file = join(state.runDirectory, 'first-policy.yaml')
  rmSync(file, { force: true })
  try {
    await withAdmin(payments, async (admin) => {
      await admin.createTopics({ topics: [...topics], partitions: 1, replicas: 1 })
      await makeAcls(admin)
    })
    await scram.upsert([...passwords].map(([name, password]) => ({ name, password })))
    const places = await withAdmin(payments, (admin) => placesOf(admin, topics))
    const questions = { topics, groups }
    const direct = new Map<string, Rights>()
    for (const [username, password] of passwords) {
      const sasl = { mechanism: 'SCRAM-SHA-512' as const, username, password }
      direct.set(username, await tryRights({ bootstrapBrokers: [payments.inside], sasl }, questions, places))
    }
    const allowed = [...direct.values()].flatMap((rights) => [...rights.values()])
    report(
      `${users.length} users, made by hand: ${allowed.length} things tried, ${allowed.filter(Boolean).length} allowed`,
    )

    await commands.crawl('--cluster', 'payments')
    await operator.command('init', '--from-inventory', '--out', file)
    leaveOutUnfinished(file)
    await operator.command('apply', file)
    const rows = await commands.catalog('sales')
    const channels = rows.flatMap(({ channel, cluster }) => (cluster === 'payments' && channel ? [channel] : []))
    const differing: string[] = []
    let admitted = 0
    for (const [user, before] of direct) {
      const login = await loginThrough(stage, user, channels)
      if (login !== undefined) admitted++
      const after =
        login === undefined
          ? new Map([...before.keys()].map((key) => [key, false]))
          : await tryRights(login, questions, places)
      differing.push(...differences(before, after).map((question) => `${user} ${question}`))
    }
    report(`the policy that init made of them: ${admitted} of them may ask, ${differing.length} rights differ`)
    return [
      atLeast(part, 'rights of hand-made users', allowed.filter(Boolean).length, 1),
      atLeast(part, 'refusals of hand-made users', allowed.filter((each) => !each).length, 1),
      atLeast(part, 'users that Switchboard lets in', admitted, users.length - 1),
      none(part, 'rights that differ', differing),
    ]
  } finally {
    await operator.command('apply', state.policyFile)
    await withAdmin(payments, async (admin) => {
      await removeAcls(admin)
      await admin.deleteTopics({ topics: [...topics] })
    })
    await scram.remove(users)
    await scram.close()
  }
}
