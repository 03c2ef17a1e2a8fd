import * as z from 'zod'

/**
 * - `throttled`: 429, with how long to wait where the API says so
 * - `internal-error`: 500
 * - `forbidden`: 403
 * - `unauthenticated`: 401, as when the key was deleted
 * - `quota`: 402, where something is to be made
 * - `answer-lost`: it is done, and the connection ends without an answer; its addresses begin with the method
 * - `token-expired`: page tokens are not taken
 * - `token-repeats`: a page answers the token that it was asked with
 * - `token-loops`: the last page leads back to the first
 * - `token-endless`: every page is empty and has a new token
 * - `malformed`: half of the answer's JSON
 * - `half-open`: the connection stays open and nothing comes
 * - `gone`: what the path names is as if it had been deleted
 */
const kinds = [
  'throttled',
  'internal-error',
  'forbidden',
  'quota',
  'unauthenticated',
  'answer-lost',
  'token-expired',
  'token-repeats',
  'token-loops',
  'token-endless',
  'malformed',
  'half-open',
  'gone',
] as const

export type ConfluentFaultKind = (typeof kinds)[number]

const fault = z.strictObject({
  kind: z.enum(kinds),
  /** Only addresses with this in them, such as `/cmk/v2/clusters` or `environment=env-2`. @default - all */
  where: z.string().min(1).optional(),
  /** How often it strikes. @default - until it is cleared */
  calls: z.int().positive().optional(),
  /** How long it strikes. @default - until it is cleared */
  forMs: z.int().positive().optional(),
})

export type ConfluentFault = z.input<typeof fault>

/** @throws z.ZodError when they are no faults */
export const parseFaults = (text: string): readonly ConfluentFault[] => z.array(fault).parse(JSON.parse(text))

/** What tests switch on and off. */
export type ConfluentFaults = {
  /** @throws z.ZodError when it is no fault */
  readonly inject: (fault: ConfluentFault) => void
  readonly clear: () => void
}

export type StrikingFaults = ConfluentFaults & {
  /** Whether this fault strikes a request for this address now; it has struck once more then. */
  readonly strikes: (kind: ConfluentFaultKind, address: string) => boolean
}

export const createFaults = (now: () => number): StrikingFaults => {
  let held: { readonly fault: z.output<typeof fault>; readonly endsAt: number; struck: number }[] = []
  return {
    inject: (input) => {
      const parsed = fault.parse(input)
      held.push({ fault: parsed, endsAt: now() + (parsed.forMs ?? Number.POSITIVE_INFINITY), struck: 0 })
    },
    clear: () => {
      held = []
    },
    strikes: (kind, address) => {
      const found = held.find(
        ({ fault: { where, calls, ...each }, endsAt, struck }) =>
          each.kind === kind &&
          now() < endsAt &&
          struck < (calls ?? Number.POSITIVE_INFINITY) &&
          (where === undefined || address.includes(where)),
      )
      if (found === undefined) return false
      found.struck++
      return true
    },
  }
}
