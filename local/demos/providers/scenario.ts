import { setTimeout as delay } from 'node:timers/promises'
import { type Lease, openLease, SwitchboardProblem } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import type { ConfluentSetup } from '../../../cli/confluent.ts'
import { createAclAdmin } from '../../../shared/clusters/kafka/acl-admin.ts'
import { mintWorkloadToken } from '../../issuer.ts'
import { createTopics } from '../../kafka/cluster.ts'
import type { StackState } from '../../state.ts'
import { clusterOf, withAdmin } from '../admin.ts'
import type { Account } from '../ledger.ts'
import { createOperator, type Operator } from '../operator.ts'
import { atLeast, type Measure, none, type Outcome, within } from '../outcome.ts'
import { placesOf, tryRights } from '../rights.ts'
import { startSweeps } from '../sweeps.ts'
import { patienceMs, until } from '../until.ts'
import { usersGone } from '../users-gone.ts'
import { askWhy } from './explained.ts'
import {
  applyProvidersPolicy,
  channels,
  clusters,
  foreign,
  type ProviderName,
  principal,
  setUpConfluent,
  tokenSeconds,
  topics,
} from './policy.ts'
import { type Logins, startTraffic, type Traffic } from './traffic.ts'

export type ScenarioOptions = {
  readonly state: StackState
  /** Says what happens. */
  readonly report: (line: string) => void
  readonly signal: AbortSignal
}

const providers = Object.keys(clusters) as readonly ProviderName[]
const kinds = { kafka: 'jwt', msk: 'msk-iam', confluent: 'jwt' } as const satisfies Record<ProviderName, string>
const wantedTokens = 3
/** A client hears of it at its next refresh, after at most 0.6 of its lease, from a worker that looks every 5 s. */
const reachMs = (0.6 * tokenSeconds + 5) * 1_000 + 3_000
/** A minute in a stack of people. */
const sweepEveryMs = 1_000

/** What a worker that has not heard of the policy yet refuses is asked again. */
const openWhenGranted = async ({ state, report, signal }: ScenarioOptions): Promise<Lease> => {
  const all = Object.values(channels)
  let lease: Lease | undefined
  const isOpen = async (): Promise<boolean> => {
    try {
      lease = await openLease({
        url: state.switchboard.url,
        token: () => mintWorkloadToken(state, { principal }),
        intent: { produce: all, consume: all },
        startTimeoutMs: patienceMs,
        signal,
        onEvent: (event) => {
          if (event.type === 'renewal_failed') report(`a renewal failed: ${event.error.message}`)
        },
      })
      return true
    } catch (error) {
      if (error instanceof SwitchboardProblem && error.code === 'access_denied') return false
      throw error
    }
  }
  await until('resolve knows the policy', isOpen, { everyMs: 500, signal })
  return lease as Lease
}

/** Everything that no grant gives, tried for real with the credential of each connection. */
const tryForeign = async (lease: Lease, { state, report }: ScenarioOptions): Promise<readonly Measure[]> => {
  const measures: Measure[] = []
  for (const provider of providers) {
    const real = state.clusters[provider === 'kafka' ? 'payments' : 'analytics']
    const places = await withAdmin(real, (admin) => placesOf(admin, foreign[provider].topics))
    const { bootstrapBrokers, sasl, tls } = platformatic(lease.connection(clusters[provider])).client
    const login = { bootstrapBrokers, ...(sasl && { sasl }), ...(tls && { tls }) }
    const tried = [...(await tryRights(login, foreign[provider], places))]
    const allowed = tried.filter(([, isAllowed]) => isAllowed).map(([what]) => what)
    report(
      `${clusters[provider]}: ${tried.length} things that no grant gives, ${tried.length - allowed.length} refused`,
    )
    measures.push(
      atLeast(clusters[provider], 'tried beyond the grants', tried.length, 5),
      none(clusters[provider], 'of that not refused', allowed),
    )
  }
  return measures
}

const answerMeasures = (lease: Lease): readonly Measure[] => {
  const wrong = providers.flatMap((provider) => {
    const found = lease.connections.filter(({ cluster }) => cluster.name === clusters[provider])
    const [{ credential } = { credential: undefined }] = found
    return found.length === 1 && credential?.kind === kinds[provider]
      ? []
      : [`${clusters[provider]}: ${credential?.kind}`]
  })
  return [
    atLeast('answer', 'connections in it', lease.connections.length, providers.length),
    none('answer', 'clusters with another credential than theirs', wrong),
  ]
}

/** Each credential has its reason, and what else the cluster takes. */
const explainMeasures = async ({ state, report }: ScenarioOptions): Promise<readonly Measure[]> => {
  const { clusters: explained } = await askWhy(state)
  for (const { cluster, credential, because, passedOver = [] } of explained) {
    const others = passedOver.map((other) => `, not by ${other.credential}: ${other.because}`)
    report(`${cluster}: by ${credential}: ${because}${others.join('')}`)
  }
  const unexplained = providers.filter((provider) => {
    const found = explained.find(({ cluster }) => cluster === clusters[provider])
    const isExplained =
      found?.credential === kinds[provider] &&
      found.because === 'tokens come before stored credentials' &&
      found.passedOver?.length === 1
    return !isExplained
  })
  return [none('explain', 'clusters whose credential has another reason', unexplained)]
}

const trafficMeasures = (part: string, { acknowledged, lost, duplicates, readAgain, errors }: Account) => [
  atLeast(part, 'records acknowledged', acknowledged, 200),
  none(part, 'acknowledged and never read', lost.length),
  none(part, 'in a topic twice', duplicates),
  none(part, 'read again', readAgain),
  none(part, 'errors of the application', errors),
]

const tokensOf = (logins: Logins, provider: ProviderName): number => logins.get(clusters[provider])?.size ?? 0

/** Moves the channel of MSK to Confluent Cloud while it is written to and read. */
const moveChannel = async (
  options: ScenarioOptions,
  operator: Operator,
  { lease, traffic, setup }: { readonly lease: Lease; readonly traffic: Traffic; readonly setup: ConfluentSetup },
): Promise<readonly Measure[]> => {
  const { state, report, signal } = options
  const { msk, confluent } = clusters
  await applyProvidersPolicy(state, operator, { granted: true, moved: true, setup })
  const appliedAt = Date.now()
  const isThere = (): boolean => lease.connectionOf(channels.msk).cluster.name === confluent
  await until('the client hears of it', isThere, { signal })
  const reachedMs = Date.now() - appliedAt
  report(
    `${channels.msk} is ${lease.connectionOf(channels.msk).topic(channels.msk)} on ${confluent} ${reachedMs} ms later`,
  )
  const before = traffic.writtenOn(confluent)
  await until('both clients are there', () => traffic.readOn(confluent) > before + 100, {
    signal,
  })
  const onMsk = traffic.writtenOn(msk)
  // for longer than the token that was the last for MSK
  await delay(tokenSeconds * 1_000, undefined, { signal })
  const left = lease.connections.filter(({ cluster }) => cluster.name === msk).length
  report(`${onMsk} records were written to ${msk}, ${traffic.writtenOn(confluent)} to ${confluent} since`)
  return [
    within('move', 'from the apply to the client', reachedMs, reachMs),
    atLeast('move', 'records on MSK before', onMsk, 100),
    atLeast('move', 'records on Confluent Cloud after', traffic.writtenOn(confluent), 100),
    none('move', 'records on MSK after', traffic.writtenOn(msk) - onMsk),
    none('move', 'connections to MSK in the answer', left),
  ]
}

/** Takes the grants back while the clusters are there: ACLs of a cluster that is gone from the policy would stay. */
const leaveProvidersPolicy = async (
  state: StackState,
  operator: Operator,
  setup: ConfluentSetup,
  signal: AbortSignal,
): Promise<void> => {
  await applyProvidersPolicy(state, operator, { granted: false, moved: false, setup })
  const { analytics } = state.clusters
  const acls = createAclAdmin(clusterOf(analytics), analytics.admin)
  const users = [...Object.values(setup.identityPools), ...Object.values(setup.serviceAccounts)]
  const areGone = async (): Promise<boolean> =>
    [...(await acls.describe(users)).values()].every((found) => found.length === 0)
  try {
    await until('nobody has ACLs there', areGone, { everyMs: 500, signal })
  } finally {
    await acls.close()
  }
  for (const cluster of [clusters.msk, clusters.confluent]) await usersGone(operator, cluster, signal)
  await operator.command('apply', state.policyFile)
}

/**
 * One principal with one intent on three kinds of clusters, each by its own best credential, for longer than the tokens live;
 * then one of its channels moves. It changes the policy of the stack and leaves it as it was.
 */
export const providersScenario = async (options: ScenarioOptions): Promise<Outcome> => {
  const { state, report, signal } = options
  const operator = createOperator(state)
  for (const cluster of ['payments', 'analytics'] as const)
    await createTopics(state.clusters[cluster], topics[cluster], state.logDirectory)
  const setup = await setUpConfluent(state, operator)
  report(`Confluent Cloud trusts our tokens: ${setup.identityPools[principal]} is ${principal}`)
  const sweeps = startSweeps(operator, sweepEveryMs)
  const running: Traffic[] = []
  let lease: Lease | undefined
  try {
    await applyProvidersPolicy(state, operator, { granted: true, moved: false, setup })
    report('the policy is applied')
    const opened = await openWhenGranted(options)
    lease = opened
    const answered = answerMeasures(opened)
    const count = opened.connections.length
    for (const { cluster, credential } of opened.connections)
      report(`${cluster.name} (${cluster.provider}): ${credential.kind} until ${credential.expiresAt?.toISOString()}`)
    const explained = await explainMeasures(options)
    const logins: Logins = new Map()
    const start = async (provider: ProviderName): Promise<Traffic> => {
      const traffic = await startTraffic(opened, channels[provider], { logins, signal })
      running.push(traffic)
      return traffic
    }
    const [kafka, msk, confluent] = await Promise.all([start('kafka'), start('msk'), start('confluent')])
    report('it writes to and reads from all of them')
    const refused = await tryForeign(opened, options)
    const haveOutlived = (): boolean => providers.every((provider) => tokensOf(logins, provider) >= wantedTokens)
    await until('the clients outlive their tokens', haveOutlived, { signal })
    report(`each has logged in with ${wantedTokens} tokens`)
    const moved = await moveChannel(options, operator, { lease: opened, traffic: msk, setup })
    const accounts = {
      [clusters.kafka]: await kafka.stop(),
      [clusters.confluent]: await confluent.stop(),
      move: await msk.stop(),
    }
    running.length = 0
    const all = Object.values(accounts)
    const total = (of: (account: Account) => number): number => all.reduce((sum, account) => sum + of(account), 0)
    return {
      measures: [
        ...answered,
        ...explained,
        ...refused,
        ...providers.map((provider) =>
          atLeast(clusters[provider], 'tokens that it logged in with', tokensOf(logins, provider), wantedTokens),
        ),
        ...moved,
        ...Object.entries(accounts).flatMap(([part, account]) => trafficMeasures(part, account)),
      ],
      totals: {
        connections: count,
        'records acknowledged': total(({ acknowledged }) => acknowledged),
        lost: total(({ lost }) => lost.length),
        'application errors': total(({ errors }) => errors.length),
        tokens: providers.reduce((sum, provider) => sum + tokensOf(logins, provider), 0),
      },
    }
  } finally {
    await Promise.allSettled(running.map((traffic) => traffic.stop()))
    lease?.close()
    await leaveProvidersPolicy(state, operator, setup, signal).finally(sweeps.stop)
  }
}
