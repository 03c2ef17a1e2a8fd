import type { Operator } from './operator.ts'
import { until } from './until.ts'

/**
 * Sweeps until nobody has a user on a cluster. An MSK cluster has to come to that before the policy has it as Kafka's own:
 * users would be looked for where they were not made.
 */
export const usersGone = async (operator: Operator, cluster: string, signal: AbortSignal): Promise<void> => {
  const areGone = async (): Promise<boolean> => {
    await operator.queue.send({ kind: 'sweep' })
    const stored = await operator.credentials.list(cluster)
    return stored.every(({ credential }) => Object.values(credential.slots).every(({ state }) => state === 'absent'))
  }
  await until(`nobody has a user on ${cluster}`, areGone, { everyMs: 1_000, signal })
}
