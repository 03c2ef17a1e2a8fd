import type { CredentialKey, CredentialStore } from '../../shared/store/credential-store.ts'
import type { Queue } from '../../shared/store/queue.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'

/** Finds what is due and tells the clusters' workers; what it misses the next one finds. */
export type Sweep = () => Promise<void>

export type SweepDeps = {
  readonly credentials: Pick<CredentialStore, 'due'>
  readonly queue: Pick<Queue, 'send'>
  readonly telemetry: Telemetry
  readonly clock: () => Date
}

/** More are left for the next minute; a credential that waits in a queue is found again meanwhile. */
const maximumDue = 5_000
/** Principals in one message: what a worker takes on in a run when it gets ten of them. */
const messageSize = 100
const parallelSends = 10

const byCluster = (keys: readonly CredentialKey[]): ReadonlyMap<string, readonly string[]> => {
  const clusters = new Map<string, string[]>()
  for (const { cluster, principal } of keys) {
    const principals = clusters.get(cluster) ?? []
    clusters.set(cluster, principals)
    principals.push(principal)
  }
  return clusters
}

export const createSweep =
  ({ credentials, queue, telemetry, clock }: SweepDeps): Sweep =>
  async () => {
    const due = await credentials.due(clock(), maximumDue)
    const messages = [...byCluster(due)].flatMap(([cluster, principals]) =>
      Array.from({ length: Math.ceil(principals.length / messageSize) }, (_, at) => ({
        kind: 'credentials' as const,
        cluster,
        principals: principals.slice(at * messageSize, (at + 1) * messageSize),
      })),
    )
    const rest = messages.values()
    await Promise.all(
      Array.from({ length: parallelSends }, async () => {
        for (const message of rest) await queue.send(message)
      }),
    )
    telemetry.count(metricNames.swept)
    if (due.length > 0) telemetry.info('credentials are due', { count: due.length, messages: messages.length })
  }
