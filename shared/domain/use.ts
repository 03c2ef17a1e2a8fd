import { canonicalJson } from './canonical-json.ts'
import type { Use } from './catalog.ts'
import { type ChannelPattern, parseChannelPattern } from './channel.ts'
import { type Directory, grantsOf } from './directory.ts'
import type { Action } from './grant.ts'
import { tokenIntentOf } from './reach.ts'

/*
 * What leases were for, kept for longer than the leases: leases go a day after their end, and to be called unused takes
 * 30 days. There is one for each thing that a principal asks for, however many instances and restarts ask for it.
 */

/** What a principal asked for, and where that led. */
export type RecordedUse = {
  readonly principal: string
  /** Channels and patterns by what is done with them; `token`: whatever its grants give on that cluster. */
  readonly asked:
    | { readonly produce: readonly string[]; readonly consume: readonly string[] }
    | { readonly token: string }
  /** By the policy's names, sorted. */
  readonly clusters: readonly string[]
  /** The end of the latest lease that said it. Up to a day older than that is. */
  readonly until: Date
}

/** What a lease has on record of its use. */
export type UsedLease = {
  readonly principal: string
  readonly intent: unknown
  readonly clusters: readonly string[]
  readonly directory: string
  readonly issuedAt: Date
  readonly expiresAt: Date | 'never'
}

/** For how long a use is known that nobody repeats: what is needed once a year is not "never used". */
export const recordedDays = 400
const dayMs = 86_400_000

const sortedTexts = (list: unknown): readonly string[] =>
  Array.isArray(list) ? [...new Set(list.map(String))].sort() : []

/**
 * @param policy address of the one in force: a lease without end counts as used for as long as its caller was answered
 * under that one, and only as long as it was young under an earlier one
 */
export const useOfLease = (lease: UsedLease, policy: string | undefined, now: Date): RecordedUse => {
  const { principal, intent, clusters, directory, issuedAt, expiresAt } = lease
  const token = tokenIntentOf(intent)
  const { produce, consume } = (intent ?? {}) as { readonly produce?: unknown; readonly consume?: unknown }
  return {
    principal,
    asked: token ?? { produce: sortedTexts(produce), consume: sortedTexts(consume) },
    clusters: [...new Set(clusters)].sort(),
    until: expiresAt !== 'never' ? expiresAt : directory === policy ? now : issuedAt,
  }
}

/** The same for two uses of the same. */
export const useKey = ({ principal, asked, clusters }: RecordedUse): string =>
  canonicalJson([principal, asked, clusters])

export type UseChanges = { readonly write: readonly RecordedUse[]; readonly remove: readonly RecordedUse[] }

/** Of uses of the same the one that ends last. Holds one for each, however many leases there are. */
export const latestUses = async (
  uses: AsyncIterable<RecordedUse> | Iterable<RecordedUse>,
): Promise<ReadonlyMap<string, RecordedUse>> => {
  const latest = new Map<string, RecordedUse>()
  for await (const use of uses) {
    const key = useKey(use)
    const other = latest.get(key)
    if (other === undefined || use.until > other.until) latest.set(key, use)
  }
  return latest
}

/** What has to be written so that the record says what these leases say, to a day: one that goes on is written once a day. @param seen by `useKey` */
export const compareUses = (
  recorded: Iterable<RecordedUse>,
  seen: ReadonlyMap<string, RecordedUse>,
  now: Date,
): UseChanges => {
  const write = new Map(seen)
  const remove: RecordedUse[] = []
  for (const use of recorded) {
    const key = useKey(use)
    const again = seen.get(key)
    if (again !== undefined && again.until.getTime() - use.until.getTime() < dayMs) write.delete(key)
    if (again === undefined && now.getTime() - use.until.getTime() > recordedDays * dayMs) remove.push(use)
  }
  return { write: [...write.values()], remove }
}

const actions = ['produce', 'consume'] as const satisfies readonly Action[]

/**
 * A token is good for all that the grants of its holder give, so all of it counts as used: to call something unused that
 * is used is the worse mistake.
 * @param labels those that the principal was last seen with
 */
export const usesOfRecorded = (
  { principal, asked, clusters, until }: RecordedUse,
  directory: Directory,
  labels: Readonly<Record<string, string>>,
): readonly Use[] => {
  const patternsOf = (action: Action): readonly ChannelPattern[] => {
    if ('token' in asked) return grantsOf(directory, { name: principal, labels }).flatMap((grant) => grant[action])
    return asked[action].flatMap((text) => {
      const parsed = parseChannelPattern(text)
      return parsed.ok ? [parsed.value] : []
    })
  }
  return actions.flatMap((action) =>
    patternsOf(action).map((channels) => ({ principal, labels, action, channels, clusters, until })),
  )
}
