import { intersectPatterns, isPatternText, parseChannelPattern } from '../shared/domain/channel.ts'
import type { Lease } from '../shared/store/lease-store.ts'
import { CommandError } from './command-error.ts'
import type { Stack } from './stack.ts'
import { renderTable } from './table.ts'

export type LeaseFilter = {
  readonly principal: string | undefined
  readonly cluster: string | undefined
  /** A channel or a pattern: leases that have one of its channels. */
  readonly channel: string | undefined
}

const hasChannel = (asked: string): ((lease: Lease) => boolean) => {
  const wanted = parseChannelPattern(asked)
  if (!wanted.ok) throw new CommandError(`--channel: ${wanted.detail}`, 2)
  return ({ channels }) =>
    channels.some((name) => {
      if (!isPatternText(name) && !isPatternText(asked)) return name === asked
      const held = parseChannelPattern(name)
      return held.ok && intersectPatterns(held.value, wanted.value) !== undefined
    })
}

const endOf = ({ expiresAt }: Lease): number => (expiresAt === 'never' ? Number.MAX_SAFE_INTEGER : expiresAt.getTime())

/** Live leases, by principal and then by how soon they end. */
export const findLeases = async (
  { principal, cluster, channel }: LeaseFilter,
  { leases }: Pick<Stack, 'leases'>,
  now: Date,
): Promise<readonly Lease[]> => {
  const isAbout = channel === undefined ? () => true : hasChannel(channel)
  const found = principal === undefined ? await leases.listAll(now) : await leases.list(principal, now)
  return found
    .filter((lease) => (cluster === undefined || lease.clusters.includes(cluster)) && isAbout(lease))
    .sort((a, b) => (a.principal === b.principal ? endOf(a) - endOf(b) : a.principal < b.principal ? -1 : 1))
}

const duration = (milliseconds: number): string => {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, '0')}s`
}

/**
 * A lease without end is on record under the policy in force when its caller last got an answer: one of an earlier policy
 * belongs to a caller that has stopped, or that is refused now.
 */
const endsIn = ({ expiresAt, directory }: Lease, policy: string | undefined, now: Date): string => {
  if (expiresAt !== 'never') return duration(expiresAt.getTime() - now.getTime())
  return directory === policy ? 'never' : 'never, unused since the last apply'
}

/** @param policy address of the one in force */
export const renderLeases = (leases: readonly Lease[], policy: string | undefined, now: Date): readonly string[] =>
  leases.length === 0
    ? ['no live lease']
    : renderTable(
        ['principal', 'lease', 'instance', 'clusters', 'ends in', 'channels'],
        leases.map((lease) => [
          lease.principal,
          lease.id,
          lease.instance ?? '-',
          lease.clusters.join(', '),
          endsIn(lease, policy, now),
          lease.channels.join(', '),
        ]),
      )
