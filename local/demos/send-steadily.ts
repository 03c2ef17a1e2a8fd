import { setTimeout as delay } from 'node:timers/promises'
import type { Ledger } from './ledger.ts'

/**
 * Sends the next number every `everyMs`, whatever became of those before.
 * @returns what ends it, when all that was sent is acknowledged or failed
 */
export const sendSteadily = (
  ledger: Ledger,
  everyMs: number,
  send: (number: number) => Promise<unknown>,
): (() => Promise<void>) => {
  let isStopped = false
  const underWay = new Set<Promise<void>>()
  const sendNext = async (): Promise<void> => {
    const number = ledger.next()
    try {
      await send(number)
      ledger.acknowledge(number)
    } catch (error) {
      ledger.fail(error)
    }
  }
  const loop = (async () => {
    while (!isStopped) {
      const sending = sendNext().finally(() => underWay.delete(sending))
      underWay.add(sending)
      await delay(everyMs)
    }
    await Promise.all(underWay)
  })()
  return async () => {
    isStopped = true
    await loop
  }
}
