import { openLease } from '@switchboard-kafka/client'
import { mintWorkloadToken } from '../../issuer.ts'
import type { StackState } from '../../state.ts'
import type { Ledger } from '../ledger.ts'

/** A client that runs until it is stopped. */
export type Load = {
  /** Clients that were made after the first. */
  readonly rebuilds: () => number
  readonly stop: () => Promise<void>
}

export type LoadOptions = {
  readonly state: StackState
  readonly principal: string
  readonly channel: string
  readonly ledger: Ledger
  /** @default - the principal's own name */
  readonly group?: string
}

/** On a busy machine everything that begins at once takes its time. */
const startTimeoutMs = 180_000

export const openDemoLease = (
  { state, principal }: Pick<LoadOptions, 'state' | 'principal'>,
  intent: Parameters<typeof openLease>[0]['intent'],
) =>
  openLease({
    url: state.switchboard.url,
    token: () => mintWorkloadToken(state, { principal }),
    intent,
    startTimeoutMs,
  })
