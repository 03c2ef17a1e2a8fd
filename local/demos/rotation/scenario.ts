import { LocalError } from '../../errors.ts'
import { createTopics } from '../../kafka/cluster.ts'
import { allOrNone } from '../../processes.ts'
import type { StackState } from '../../state.ts'
import { type Account, createLedger } from '../ledger.ts'
import { createOperator, type Operator } from '../operator.ts'
import { atLeast, type Measure, none, type Outcome, within } from '../outcome.ts'
import { startSweeps } from '../sweeps.ts'
import { until } from '../until.ts'
import { type Authentications, readAuthentications } from './broker-metrics.ts'
import { breakThings, type Chaos } from './chaos.ts'
import { startUnderExec } from './exec-load.ts'
import { startKafkajsConsumer, startKafkajsProducer } from './kafkajs-load.ts'
import type { Load, LoadOptions } from './load.ts'
import {
  applyRotationPolicy,
  channels,
  chaosPrincipals,
  leaveRotationPolicy,
  mskDelayMs,
  principals,
  topics,
} from './policy.ts'
import { recordMeasures } from './record-measures.ts'
import { withFastRedelivery } from './redelivery.ts'
import { type Revocation, revokeUnderLoad } from './revocation.ts'
import { startConsumer, startProducer } from './sdk-load.ts'

export type ScenarioOptions = {
  readonly state: StackState
  /** Says what happens. */
  readonly report: (line: string) => void
  readonly signal: AbortSignal
}

const rotations = { sdk: 20, kafkajs: 10, exec: 3, msk: 10 } as const
/** For a machine that is busy with other things; a rotation takes 7 to 10 s on one that is not. */
const rotationMs = 60_000
const startMs = 300_000
const sweepEveryMs = 500

type Run = { readonly account: Account; readonly rebuilds: readonly number[] }

/** Runs clients until all have been made anew so often, then ends the producers, then those who read. */
const runLoad = async (
  name: keyof typeof rotations,
  { report, signal }: ScenarioOptions,
  options: LoadOptions,
  start: (options: LoadOptions) => Promise<{ readonly producer: Load; readonly consumers: readonly Load[] }>,
): Promise<Run> => {
  const wanted = rotations[name]
  const { producer, consumers } = await start(options)
  const loads = [producer, ...consumers]
  const rebuilds = (): readonly number[] => loads.map((load) => load.rebuilds())
  let reported = 0
  const haveRotated = (): boolean => {
    const done = Math.min(...rebuilds())
    if (done >= reported + 5) {
      reported = done
      report(`${name}: ${done} rotations, ${options.ledger.acknowledgedCount()} records`)
    }
    return done >= wanted
  }
  try {
    await until(`${wanted} rotations of ${name}`, haveRotated, { timeoutMs: startMs + wanted * rotationMs, signal })
  } finally {
    await producer.stop()
  }
  await until(`all records of ${name} are read`, options.ledger.isAllRead, { signal }).catch(() => {
    signal.throwIfAborted()
  })
  const seen = rebuilds()
  await Promise.all(consumers.map((consumer) => consumer.stop()))
  return { account: options.ledger.account(), rebuilds: seen }
}

const startSdk = (reader: string) => async (options: LoadOptions) => {
  const reading = { ...options, principal: reader }
  const consumers = await Promise.all([startConsumer(reading), startConsumer(reading)])
  return { producer: await startProducer(options), consumers }
}

const startKafkajs = async (options: LoadOptions) => {
  const consumers = [await startKafkajsConsumer(options)]
  return { producer: await startKafkajsProducer(options), consumers }
}

/** What reads is a client of the SDK, which is rotated as well. */
const startExec = async (options: LoadOptions) => {
  const consumers = [await startConsumer({ ...options, principal: principals.reader, group: principals.exec })]
  return { producer: await startUnderExec(options), consumers }
}

const setMskDelay = async ({ msk }: StackState): Promise<void> => {
  const response = await fetch(`${msk.url}/_simulated/propagation`, {
    method: 'PUT',
    body: JSON.stringify({ minMs: mskDelayMs, maxMs: mskDelayMs }),
  })
  if (!response.ok) throw new LocalError(`the simulated MSK does not take its delay: ${response.status}`)
}

/** Kafka's own word on who was taken and who was refused. */
const since = (before: Authentications, now: Authentications): Authentications => ({
  accepted: now.accepted - before.accepted,
  refused: now.refused - before.refused,
})

const under = <T>(options: ScenarioOptions, name: string, work: () => Promise<T>): Promise<T> => {
  options.report(`${name} begins`)
  return work().then((result) => {
    options.report(`${name} is done`)
    return result
  })
}

/** Clients on self-managed Kafka, a revocation among them, and then whatever breaks. */
const runPayments = async (options: ScenarioOptions, operator: Operator, failed: AbortController) => {
  const { state, signal } = options
  const load = (name: 'sdk' | 'kafkajs' | 'exec', principal: string, start: Parameters<typeof runLoad>[3]) =>
    under(options, name, () => {
      const ledger = createLedger()
      return runLoad(name, options, { state, principal, channel: channels[name], ledger }, start)
    })
  const before = await readAuthentications(state, 'payments')
  const execAndRevoke = async () => {
    const exec = await load('exec', principals.exec, startExec)
    // amid the steady load of the others
    const thief = { principal: principals.thief, channel: channels.thief }
    return { exec, revocation: await under(options, 'revoke', () => revokeUnderLoad(state, thief, operator, signal)) }
  }
  const [sdk, kafkajs, { exec, revocation }] = await allOrNone(failed, [
    load('sdk', principals.writer, startSdk(principals.reader)),
    load('kafkajs', principals.kafkajs, startKafkajs),
    execAndRevoke(),
  ])
  // before its broker is stopped, which begins to count anew
  const logins = since(before, await readAuthentications(state, 'payments'))
  const chaos = await under(options, 'chaos', () =>
    breakThings(
      { state, cluster: 'payments', principals: chaosPrincipals, channel: channels.chaos, operator, signal },
      { kills: 5, brokerAwayMs: 30_000 },
    ),
  )
  return { sdk, kafkajs, exec, revocation, logins, chaos }
}

/** The same clients on the simulated MSK, whose users come and go with its delay. */
const runMsk = async (options: ScenarioOptions) => {
  const { state } = options
  const before = await readAuthentications(state, 'analytics')
  const load = { state, principal: principals.mskWriter, channel: channels.msk, ledger: createLedger() }
  const msk = await under(options, 'msk', () => runLoad('msk', options, load, startSdk(principals.mskReader)))
  return { msk, logins: since(before, await readAuthentications(state, 'analytics')) }
}

const revocationMeasures = ({ afterTakenMs, afterCommandMs, limits, reconnects }: Revocation): readonly Measure[] => [
  within('revoke', 'first refusal after the message was taken', afterTakenMs, limits.afterTakenMs),
  within('revoke', 'first refusal after the command', afterCommandMs, limits.afterCommandMs),
  none('revoke', 'connections made meanwhile', reconnects),
]

const chaosMeasures = ({ killed, answers, refusals, convergedAfterSeconds, difference }: Chaos): readonly Measure[] => [
  atLeast('chaos', 'workers killed', killed, 5),
  atLeast('chaos', 'questions to resolve meanwhile', answers, 100),
  none('chaos', 'that were not answered with a lease', refusals),
  within('chaos', 'until everything was as it should be', 1_000 * convergedAfterSeconds, 90_000),
  none('chaos', 'left behind', difference.orphans),
  none('chaos', 'missing', difference.missing),
]

const loginMeasures = (part: string, { accepted, refused }: Authentications): readonly Measure[] => [
  atLeast(part, 'logins that its broker took', accepted, 50),
  none(part, 'logins that it refused', refused),
]

/**
 * Credentials rotate under running clients: everything that has to hold, counted. It changes the policy of the stack and
 * the simulated MSK's delay, and leaves the policy as it was.
 */
export const rotationScenario = async (given: ScenarioOptions): Promise<Outcome> => {
  const { state } = given
  const failed = new AbortController()
  const options = { ...given, signal: AbortSignal.any([given.signal, failed.signal]) }
  const operator = createOperator(state)
  await setMskDelay(state)
  for (const cluster of ['payments', 'analytics'] as const)
    await createTopics(state.clusters[cluster], topics[cluster], state.logDirectory)
  const sweeps = startSweeps(operator, sweepEveryMs)
  try {
    const [payments, analytics] = await withFastRedelivery(state, operator, async () => {
      await under(options, 'policy', () => applyRotationPolicy(state, operator, { granted: true }))
      return allOrNone(failed, [runPayments(options, operator, failed), runMsk(options)])
    })
    const { sdk, kafkajs, exec, revocation, chaos } = payments
    const runs = { sdk, kafkajs, exec, msk: analytics.msk }
    const measures = [
      ...Object.entries(runs).flatMap(([part, { account, rebuilds }]) =>
        recordMeasures(part, account, { rebuilds, wanted: rotations[part as keyof typeof runs] }),
      ),
      ...loginMeasures('kafka', payments.logins),
      ...loginMeasures('msk', analytics.logins),
      ...revocationMeasures(revocation),
      ...chaosMeasures(chaos),
    ]
    const total = (of: (run: Run) => number): number => Object.values(runs).reduce((sum, run) => sum + of(run), 0)
    return {
      measures,
      totals: {
        rotations: total(({ rebuilds }) => Math.min(...rebuilds)),
        'records acknowledged': total(({ account }) => account.acknowledged),
        lost: total(({ account }) => account.lost.length),
        duplicates: total(({ account }) => account.duplicates),
        'application errors': total(({ account }) => account.errors.length),
        'failed authentications': payments.logins.refused + analytics.logins.refused,
        'workers killed': chaos.killed,
        'left behind': chaos.difference.orphans.length,
      },
    }
  } finally {
    await leaveRotationPolicy(state, operator, given.signal)
    await sweeps.stop()
  }
}
