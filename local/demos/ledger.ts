import { SwitchboardError } from '@switchboard-kafka/client'

/** Where a record is: the same place twice is one record that was read twice. */
export type Place = { readonly partition: number; readonly offset: bigint }

/** What became of the numbered records of one producer. */
export type Account = {
  readonly sent: number
  readonly acknowledged: number
  /** Acknowledged and never read. */
  readonly lost: readonly number[]
  /** Numbers that are in the topic more often than once, each time after the first. */
  readonly duplicates: number
  /** Times that a record was handed to the application again. */
  readonly readAgain: number
  /** The most records that a member of the group had read and not committed at any time. */
  readonly uncommitted: number
  /** What the application saw go wrong. */
  readonly errors: readonly string[]
}

/** A client wraps what the broker said in what it did with it, several deep. */
const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const inner = [error.cause, ...(error instanceof AggregateError ? error.errors : [])].filter(
    (each) => each !== undefined,
  )
  const own = 'apiId' in error ? `${error.message} (${error.apiId})` : error.message
  return [own, ...inner.map(describe)].join(': ')
}

/** Keeps the account of numbered records: a producer numbers them from 0, whoever reads them says what and where. */
export const createLedger = () => {
  let sent = 0
  let readAgain = 0
  let uncommitted = 0
  const acknowledged = new Set<number>()
  const places = new Map<number, Set<string>>()
  const errors: string[] = []
  const fail = (error: unknown): void => void errors.push(describe(error))
  const lost = (): readonly number[] => [...acknowledged].filter((number) => !places.has(number))
  return {
    next: (): number => sent++,
    acknowledge: (number: number): void => void acknowledged.add(number),
    read: (number: number, { partition, offset }: Place): void => {
      const known = places.get(number) ?? new Set()
      places.set(number, known)
      const place = `${partition}:${offset}`
      if (known.has(place)) readAgain += 1
      known.add(place)
    },
    hold: (count: number): void => {
      uncommitted = Math.max(uncommitted, count)
    },
    fail,
    /** Of `keepClient`. A client that hangs in its close is used by nothing any more; what it should have flushed or committed is counted elsewhere. */
    failToReplace: (error: unknown): void => {
      if (!(error instanceof SwitchboardError && error.code === 'close_timeout')) fail(error)
    },
    acknowledgedCount: (): number => acknowledged.size,
    isAllRead: (): boolean => lost().length === 0,
    account: (): Account => ({
      sent,
      acknowledged: acknowledged.size,
      lost: lost(),
      duplicates: [...places.values()].reduce((total, { size }) => total + size - 1, 0),
      readAgain,
      uncommitted,
      errors,
    }),
  }
}

export type Ledger = ReturnType<typeof createLedger>
