import { type Calls, type CallsOptions, createCalls } from '../../shared/inventory/calls.ts'

/** Time that goes on only while somebody waits for it. */
export const virtualTime = () => {
  let at = Date.parse('2026-01-01T00:00:00.000Z')
  const waits: number[] = []
  return {
    now: () => at,
    waits: waits as readonly number[],
    wait: async (ms: number) => {
      waits.push(ms)
      at += ms
    },
  }
}

export type VirtualTime = ReturnType<typeof virtualTime>

export const callsIn = ({ now, wait }: VirtualTime, changes: Partial<CallsOptions> = {}): Calls =>
  createCalls({ now, wait, random: Math.random, ...changes })
