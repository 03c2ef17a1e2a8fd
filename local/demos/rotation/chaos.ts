import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { slotNames, slotToHandOut } from '../../../shared/domain/rotation.ts'
import { mintWorkloadToken } from '../../issuer.ts'
import { restartNamedProcess, stopNamedProcess, waitUntilReady } from '../../processes.ts'
import type { StackState } from '../../state.ts'
import type { Operator } from '../operator.ts'
import { until } from '../until.ts'
import { killRotateWorkers } from './function-workers.ts'
import { compare, type Difference } from './leftovers.ts'

/** Answers of resolve while things break, and what was there when they were over. */
export type Chaos = {
  readonly killed: number
  readonly answers: number
  /** Answers that were no lease of a slot that may be used. */
  readonly refusals: readonly string[]
  readonly convergedAfterSeconds: number
  readonly difference: Difference
}

type Options = {
  readonly state: StackState
  readonly cluster: 'payments'
  readonly principals: readonly string[]
  readonly channel: string
  readonly operator: Operator
  readonly signal: AbortSignal
}

/** Asks for a new lease again and again. */
const askSteadily = ({ state, principals, channel }: Options) => {
  const refusals: string[] = []
  let answers = 0
  let isStopped = false
  const ask = async (principal: string): Promise<void> => {
    const response = await fetch(`${state.switchboard.url}/v1/resolve`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await mintWorkloadToken(state, { principal })}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ produce: [channel], client: { instance: 'chaos' } }),
    })
    answers += 1
    if (!response.ok) refusals.push(`${principal}: ${response.status} ${await response.text()}`)
    else await response.arrayBuffer()
  }
  const loop = (async () => {
    for (let at = 0; !isStopped; at++) {
      const principal = principals[at % principals.length] ?? ''
      await ask(principal).catch((error: Error) => refusals.push(`${principal}: ${error.message}`))
      await delay(100)
    }
  })()
  return async () => {
    isStopped = true
    await loop
    return { answers, refusals }
  }
}

const generationsOf = async ({ operator, cluster, principals }: Options): Promise<number> => {
  const stored = await Promise.all(principals.map((principal) => operator.credentials.read(cluster, principal)))
  return stored.reduce(
    (sum, found) => sum + slotNames.reduce((all, slot) => all + (found?.credential.slots[slot].generation ?? 0), 0),
    0,
  )
}

/** Kills the workers of rotate at random moments while credentials rotate. */
const killWorkers = async (options: Options, kills: number): Promise<number> => {
  let killed = 0
  while (killed < kills) {
    await delay(500 + Math.random() * 2_500, undefined, { signal: options.signal })
    killed += await killRotateWorkers(options.state)
  }
  return killed
}

const brokerAway = async ({ state, cluster, signal }: Options, milliseconds: number): Promise<void> => {
  const name = `kafka-${cluster}`
  await stopNamedProcess(state.runDirectory, name)
  await delay(milliseconds, undefined, { signal })
  const log = state.processes.find((each) => each.name === name)?.log ?? ''
  const before = readFileSync(log, 'utf8').length
  const started = restartNamedProcess(state.runDirectory, name)
  const isUp = () => readFileSync(log, 'utf8').slice(before).includes('Kafka Server started')
  await waitUntilReady(started, isUp, { timeoutMs: 90_000, signal })
}

/** Whether every credential has a slot that works, no failure, and no step of it is under way. */
const isCalm = async ({ operator, cluster }: Options): Promise<boolean> => {
  const stored = await operator.credentials.list(cluster)
  return stored.every(
    ({ credential }) =>
      credential.failures === undefined &&
      credential.claim === undefined &&
      (!credential.wanted || slotToHandOut(credential) !== undefined) &&
      slotNames.every((slot) => !['created', 'fenced'].includes(credential.slots[slot].state)),
  )
}

/** Everything that may break does; what must hold is that nothing is lost by it, and that clients do not notice. */
export const breakThings = async (
  options: Options,
  { kills, brokerAwayMs }: { readonly kills: number; readonly brokerAwayMs: number },
): Promise<Chaos> => {
  const { state, cluster, operator, signal } = options
  const stop = askSteadily(options)
  try {
    const killed = await killWorkers(options, kills)
    await Promise.all([brokerAway(options, brokerAwayMs), killWorkers(options, 1)])
    const startedAt = Date.now()
    const before = await generationsOf(options)
    let difference: Difference = { orphans: [], missing: [] }
    const hasConverged = async (): Promise<boolean> => {
      if ((await generationsOf(options)) < before + options.principals.length || !(await isCalm(options))) return false
      difference = await compare(state, cluster, operator)
      return difference.orphans.length + difference.missing.length === 0 && (await isCalm(options))
    }
    await until('everything converges', hasConverged, { everyMs: 250, signal }).catch((error: unknown) => {
      signal.throwIfAborted()
      if (difference.orphans.length + difference.missing.length === 0) throw error
    })
    const { answers, refusals } = await stop()
    return {
      killed: killed + 1,
      answers,
      refusals,
      convergedAfterSeconds: (Date.now() - startedAt) / 1000,
      difference,
    }
  } finally {
    await stop()
  }
}
