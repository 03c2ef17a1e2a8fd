import { setTimeout as delay } from 'node:timers/promises'
import {
  CloudWatchLogsClient,
  paginateDescribeLogGroups,
  paginateFilterLogEvents,
} from '@aws-sdk/client-cloudwatch-logs'
import { Producer, stringSerializers } from '@platformatic/kafka'
import { platformatic } from '@switchboard-kafka/client/platformatic'
import type { StackState } from '../../state.ts'
import type { Operator } from '../operator.ts'
import { until } from '../until.ts'
import { openDemoLease } from './load.ts'

/** What a revocation did to a connection that was in use. */
export type Revocation = {
  /** From the function's taking the message until the first refusal. */
  readonly afterTakenMs: number
  /** From the start of the command until the first refusal. */
  readonly afterCommandMs: number
  readonly limits: RevocationLimits
  /** Connections that the client made after the message was taken: with one it would be no live connection that was refused. */
  readonly reconnects: number
}

type RevocationLimits = { readonly afterTakenMs: number; readonly afterCommandMs: number }

/**
 * 1 s and 5 s, where a command that only reads takes 1 s. Tests run side by side, and where that takes longer, so does all
 * the rest.
 */
const revocationLimits = async (read: () => Promise<unknown>): Promise<RevocationLimits> => {
  const startedAt = Date.now()
  await read()
  const readingMs = Math.max(1_000, Date.now() - startedAt)
  return { afterTakenMs: readingMs, afterCommandMs: 5 * readingMs }
}

type Taken = { readonly work: 'revoked' | 'applied'; readonly at: number }

/** When rotate took messages about somebody in hand, by its own log: of two queues each has one that can do it. */
const takenSince = async (
  principal: string,
  cluster: string,
  since: number,
  { settings }: Operator,
): Promise<readonly Taken[]> => {
  const client = new CloudWatchLogsClient(settings)
  const taken: Taken[] = []
  for await (const { logGroups = [] } of paginateDescribeLogGroups({ client }, {}))
    for (const { logGroupName } of logGroups.filter(({ logGroupName: name = '' }) => name.includes('Rotate')))
      for await (const { events = [] } of paginateFilterLogEvents({ client }, { logGroupName, startTime: since }))
        for (const { message = '' } of events) {
          const work = /"access (revoked|applied)"/.exec(message)?.[1]
          if ((work !== 'revoked' && work !== 'applied') || !message.includes(`"${principal}"`)) continue
          const line: { timestamp: string; milliseconds: number; cluster: string } = JSON.parse(message)
          const at = new Date(line.timestamp).getTime() - line.milliseconds
          if (line.cluster === cluster && at >= since) taken.push({ work, at })
        }
  return taken
}

const isRefusal = (error: unknown): boolean =>
  error instanceof Error &&
  (('apiId' in error && error.apiId === 'TOPIC_AUTHORIZATION_FAILED') ||
    [error.cause, ...(error instanceof AggregateError ? error.errors : [])].some(isRefusal))

/** Revokes a principal whose producer is connected and sends without a pause. */
export const revokeUnderLoad = async (
  state: StackState,
  { principal, channel }: { readonly principal: string; readonly channel: string },
  operator: Operator,
  signal: AbortSignal,
): Promise<Revocation> => {
  const lease = await openDemoLease({ state, principal }, { produce: [channel] })
  const kafka = platformatic(lease.connection())
  const release = lease.hold(lease.connection())
  const producer = new Producer({ ...kafka.producer, retries: 0, idempotent: false, serializers: stringSerializers })
  const topic = kafka.topic(channel)
  const connectedAt: number[] = []
  let sent = 0
  let refusedAt: number | undefined
  let isStopped = false
  producer.on('client:broker:connect', () => {
    connectedAt.push(Date.now())
  })
  const loop = (async () => {
    // once refused it is over: trying on, it would log in again when its user is gone, and count as one who was refused that
    while (!isStopped && refusedAt === undefined) {
      try {
        await producer.send({ messages: [{ topic, key: principal, value: String(sent) }] })
        sent += 1
      } catch (error) {
        if (isRefusal(error)) refusedAt ??= Date.now()
      }
      await delay(5)
    }
    await producer.close()
  })()
  try {
    await until('records of the one who is revoked', () => sent > 20, { signal })
    const limits = await revocationLimits(() => operator.command('revoked'))
    const startedAt = Date.now()
    await operator.command('revoke', principal)
    await until('a refusal', () => refusedAt !== undefined, { signal })
    const refused = refusedAt ?? Number.POSITIVE_INFINITY
    let taken: readonly Taken[] = []
    const isLogged = async (): Promise<boolean> => {
      taken = await takenSince(principal, 'payments', startedAt, operator)
      return taken.some(({ work }) => work === 'revoked')
    }
    await until('a line of rotate about it', isLogged, { signal, everyMs: 250 })
    // what was taken after the refusal did not bring it, and of what was taken before the last one saw who is revoked
    const cause = Math.max(startedAt, ...taken.map(({ at }) => at).filter((at) => at <= refused))
    return {
      afterTakenMs: refused - cause,
      afterCommandMs: refused - startedAt,
      limits,
      reconnects: connectedAt.filter((at) => at > cause && at <= refused).length,
    }
  } finally {
    isStopped = true
    await loop
    release()
    lease.close()
    await operator.command('restore', principal)
  }
}
