import { intersectPatterns, isPatternText, parseChannelPattern } from '../shared/domain/channel.ts'
import { isPrincipalName } from '../shared/domain/principal.ts'
import { type SlotName, slotNames } from '../shared/domain/rotation.ts'
import type { Lease } from '../shared/store/lease-store.ts'
import { CommandError } from './command-error.ts'
import { duration } from './duration.ts'
import type { Stack } from './stack.ts'
import { renderTable } from './table.ts'

export type LeaseFilter = {
  readonly principal: string | undefined
  readonly cluster: string | undefined
  /** A channel or a pattern: leases that have one of its channels. */
  readonly channel: string | undefined
  /** `<principal>@a` or `<principal>@b`: leases whose clients may log in with that slot. */
  readonly slot: string | undefined
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

const parseSlot = (text: string): { readonly principal: string; readonly slot: SlotName } => {
  const [principal = '', name, ...rest] = text.split('@')
  const slot = slotNames.find((each) => each === name)
  if (!isPrincipalName(principal) || slot === undefined || rest.length > 0)
    throw new CommandError(`--slot takes \`<principal>@a\` or \`<principal>@b\`, got \`${text}\``, 2)
  return { principal, slot }
}

const endOf = ({ expiresAt }: Lease): number => (expiresAt === 'never' ? Number.MAX_SAFE_INTEGER : expiresAt.getTime())

/** Live leases, by principal and then by how soon they end. */
export const findLeases = async (
  { principal: named, cluster, channel, slot }: LeaseFilter,
  { leases }: Pick<Stack, 'leases'>,
  now: Date,
): Promise<readonly Lease[]> => {
  const isAbout = channel === undefined ? () => true : hasChannel(channel)
  const asked = slot === undefined ? undefined : parseSlot(slot)
  if (asked !== undefined && named !== undefined && asked.principal !== named)
    throw new CommandError(`--slot is of \`${asked.principal}\` and --principal is \`${named}\`; leave one out`, 2)
  const principal = asked?.principal ?? named
  const isOn = (lease: Lease): boolean => cluster === undefined || lease.clusters.includes(cluster)
  const found =
    asked !== undefined
      ? await leases.listHolders(asked.principal, asked.slot, cluster, now)
      : principal === undefined
        ? await leases.listAll(now)
        : await leases.list(principal, now)
  return found
    .filter((lease) => isOn(lease) && isAbout(lease))
    .sort((a, b) => (a.principal === b.principal ? endOf(a) - endOf(b) : a.principal < b.principal ? -1 : 1))
}

/**
 * A lease without end is on record under the policy in force when its caller last got an answer: one of an earlier policy
 * belongs to a caller that has stopped, or that is refused now.
 */
const endsIn = ({ expiresAt, directory }: Lease, policy: string | undefined, now: Date): string => {
  if (expiresAt !== 'never') return duration(expiresAt.getTime() - now.getTime())
  return directory === policy ? 'never' : 'never, unused since the last apply'
}

/** Such as `payments@a`: the cluster, and the slot that clients of the lease log in with there. */
const slotsOf = ({ slots = {} }: Lease): string =>
  Object.entries(slots)
    .flatMap(([cluster, held]) => held.map(({ slot }) => `${cluster}@${slot}`))
    .join(', ') || '-'

/** @param policy address of the one in force */
export const renderLeases = (leases: readonly Lease[], policy: string | undefined, now: Date): readonly string[] => {
  if (leases.length === 0) return ['no live lease']
  const hasSlots = leases.some(({ slots }) => slots !== undefined)
  return renderTable(
    ['principal', 'lease', 'instance', 'clusters', ...(hasSlots ? ['slots'] : []), 'ends in', 'channels'],
    leases.map((lease) => [
      lease.principal,
      lease.id,
      lease.instance ?? '-',
      lease.clusters.join(', '),
      ...(hasSlots ? [slotsOf(lease)] : []),
      endsIn(lease, policy, now),
      lease.channels.join(', '),
    ]),
  )
}

/**
 * Takes a lease off the record, whoever uses it: one that nobody will ever renew holds a slot, and a place below the cap,
 * for as long as it is there.
 */
export const endLease = async (
  id: string,
  principal: string | undefined,
  { leases, report }: Pick<Stack, 'leases'> & { readonly report: (line: string) => void },
  now: Date,
): Promise<void> => {
  if (principal === undefined) throw new CommandError('--end needs --principal <name>, who holds the lease', 2)
  if (!(await leases.release(principal, id, now)))
    throw new CommandError(`\`${principal}\` holds no live lease \`${id}\`; see \`switchboard leases\``)
  report(`${id} of ${principal} has ended; the slots that it held may be taken away now`)
  report(
    'its client keeps its access and its token, and gets another lease when it asks: `switchboard revoke` keeps it out',
  )
}
