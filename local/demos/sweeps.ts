import { setTimeout as delay } from 'node:timers/promises'
import type { Operator } from './operator.ts'

/** The schedule, which looks once a minute at what is due: as much faster as the policy's times are shorter. */
export const startSweeps = ({ queue }: Operator, everyMs: number): { readonly stop: () => Promise<void> } => {
  let isStopped = false
  const loop = (async () => {
    while (!isStopped) {
      await queue.send({ kind: 'sweep' })
      await delay(everyMs)
    }
  })()
  // a stack that ends first is said by whoever asks it something
  loop.catch(() => {})
  return {
    stop: async () => {
      isStopped = true
      await loop
    },
  }
}
