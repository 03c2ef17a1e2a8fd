import * as z from 'zod'
import { type OperationName, operationNames } from './routes.ts'

/**
 * - `throttled`, `internal-error`, `unavailable`, `forbidden`: the call is refused in the words of the service model
 * - `slow`: the call waits `delayMs` first
 * - `next-token-refused`: page tokens are not taken
 * - `next-token-repeats`: a page answers the token that it was asked with
 * - `next-token-loops`: the last page leads back to the first
 * - `next-token-endless`: every page is empty and has a new token
 * - `malformed`: half of the answer's JSON
 * - `half-open`: the connection stays open and nothing comes
 * - `cluster-gone`: `cluster` is as if it had been deleted
 * - `kms-access-denied`: the caller may not grant MSK the use of the secret's key
 * - `secret-not-yet-visible`: MSK cannot read a new secret in the first `calls` calls that name it (`InvalidSecretArn`)
 * - `sync-stalled`: nothing propagates from Secrets Manager to the brokers
 */
const kinds = [
  'throttled',
  'internal-error',
  'unavailable',
  'forbidden',
  'slow',
  'next-token-refused',
  'next-token-repeats',
  'next-token-loops',
  'next-token-endless',
  'malformed',
  'half-open',
  'cluster-gone',
  'kms-access-denied',
  'secret-not-yet-visible',
  'sync-stalled',
] as const

export type FaultKind = (typeof kinds)[number]

const fault = z.strictObject({
  kind: z.enum(kinds),
  /** Only these. @default - all operations */
  operations: z.array(z.enum(operationNames)).min(1).optional(),
  /** How often it strikes. @default - until it is cleared */
  calls: z.int().positive().optional(),
  /** How long it strikes. @default - until it is cleared */
  forMs: z.int().positive().optional(),
  /** Of `slow`. */
  delayMs: z.int().min(0).max(60_000).default(1_000),
  /** Of `cluster-gone`: its name. */
  cluster: z.string().optional(),
})

export type MskFault = z.input<typeof fault>

/** What tests switch on and off. */
export type MskFaults = {
  /** @throws z.ZodError when it is no fault */
  readonly inject: (fault: MskFault) => void
  readonly clear: () => void
  readonly active: () => readonly MskFault[]
}

export type StrikingFaults = MskFaults & {
  /** Whether this fault strikes now; it has struck once more then. */
  readonly strike: (kind: FaultKind, operation?: OperationName) => { readonly delayMs: number } | undefined
  /** As `strike`, but with a count of its own for each subject. */
  readonly strikeEach: (kind: FaultKind, subject: string) => boolean
  readonly isGone: (cluster: string) => boolean
}

type Held = { readonly fault: z.output<typeof fault>; readonly endsAt: number; struck: number; by: Map<string, number> }

export const createFaults = (now: () => number): StrikingFaults => {
  let held: Held[] = []
  const isOver = ({ fault: { calls }, struck, endsAt }: Held): boolean =>
    now() >= endsAt || (calls !== undefined && struck >= calls)
  const striking = (kind: FaultKind, operation?: OperationName): Held | undefined => {
    held = held.filter((each) => !isOver(each))
    return held.find(
      (each) =>
        each.fault.kind === kind &&
        (each.fault.operations === undefined || operation === undefined || each.fault.operations.includes(operation)),
    )
  }
  return {
    inject: (input) => {
      const parsed = fault.parse(input)
      const endsAt = parsed.forMs === undefined ? Number.POSITIVE_INFINITY : now() + parsed.forMs
      held.push({ fault: parsed, endsAt, struck: 0, by: new Map() })
    },
    clear: () => {
      held = []
    },
    active: () => held.filter((each) => !isOver(each)).map((each) => each.fault),
    isGone: (cluster) =>
      held.some((each) => each.fault.kind === 'cluster-gone' && each.fault.cluster === cluster && !isOver(each)),
    strike: (kind, operation) => {
      const found = striking(kind, operation)
      if (found === undefined) return undefined
      found.struck++
      return { delayMs: found.fault.delayMs }
    },
    strikeEach: (kind, subject) => {
      const found = striking(kind)
      if (found === undefined) return false
      const times = found.by.get(subject) ?? 0
      if (found.fault.calls !== undefined && times >= found.fault.calls) return false
      found.by.set(subject, times + 1)
      return true
    },
  }
}
