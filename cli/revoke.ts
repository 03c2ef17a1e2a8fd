import type { Policy } from '../shared/domain/policy.ts'
import { isPrincipalName } from '../shared/domain/principal.ts'
import { isRevoked, type Revocation, withoutRevocation, withRevocation } from '../shared/domain/revocation.ts'
import { slotNames } from '../shared/domain/rotation.ts'
import type { AppliedAccess } from '../shared/store/access-store.ts'
import { changePointer } from '../shared/store/change-pointer.ts'
import type { StoredCredential } from '../shared/store/credential-store.ts'
import type { Lease } from '../shared/store/lease-store.ts'
import { CommandError } from './command-error.ts'
import type { Stack } from './stack.ts'
import { renderTable } from './table.ts'

export type RevokeDeps = Pick<Stack, 'directories' | 'access' | 'leases' | 'credentials' | 'queue'> & {
  readonly report: (line: string) => void
  readonly clock: () => Date
  readonly wait: (milliseconds: number) => Promise<void>
  readonly waitSeconds: number
}

const pollMs = 100
/** How old an answer of resolve can be: it looks at the pointer at most this often. */
const pointerCheckMs = 5_000

/** What the principal has on a cluster before anything is taken away or given back. */
type Held = {
  readonly cluster: string
  /** Whether rotate has an admin of the cluster, and so could take anything away. */
  readonly isManaged: boolean
  readonly access: AppliedAccess | undefined
  readonly credential: StoredCredential | undefined
}

const nameOf = ({ principal, cluster }: Revocation): string =>
  cluster === undefined ? `\`${principal}\`` : `\`${principal}\` on \`${cluster}\``

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`

/** What is in force, and what an apply that is under way is about to put in force. */
const readClusters = async (
  directories: Pick<RevokeDeps['directories'], 'readPointer' | 'readPolicy'>,
): Promise<Policy['clusters']> => {
  const { policy, next } = await directories.readPointer()
  const hashes = [...new Set([policy, next])].filter((hash) => hash !== undefined)
  const policies = await Promise.all(hashes.map((hash) => directories.readPolicy(hash)))
  return Object.assign({}, ...policies.map(({ clusters }) => clusters))
}

const checkedClusters = async (
  { principal, cluster }: Revocation,
  directories: RevokeDeps['directories'],
): Promise<Policy['clusters']> => {
  if (!isPrincipalName(principal)) throw new CommandError(`\`${principal}\` is no principal's name`, 2)
  const clusters = await readClusters(directories)
  if (cluster === undefined) return clusters
  const found = clusters[cluster]
  if (found !== undefined) return { [cluster]: found }
  const names = Object.keys(clusters).map((name) => `\`${name}\``)
  throw new CommandError(`there is no cluster \`${cluster}\`; the policy has ${names.join(', ') || 'none'}`, 2)
}

/** Compares and sets until it wins: an apply or another operator may be at it. */
const changeDenied = async (
  directories: RevokeDeps['directories'],
  change: (denied: readonly Revocation[]) => readonly Revocation[],
): Promise<{ readonly changed: boolean }> => {
  const { changed } = await changePointer(directories, ({ denied: before }) => {
    const denied = change(before)
    return denied === before ? undefined : { denied }
  })
  return { changed }
}

const readHeld = (
  principal: string,
  clusters: Policy['clusters'],
  { access, credentials }: RevokeDeps,
): Promise<readonly Held[]> =>
  Promise.all(
    Object.entries(clusters).map(async ([cluster, { admin }]) => {
      const [applied, credential] = await Promise.all([
        access.read(cluster, principal),
        credentials.read(cluster, principal),
      ])
      return { cluster, isManaged: admin !== undefined, access: applied, credential }
    }),
  )

/** Later than a function can end that was at work when the pointer was changed. */
const secondLookSeconds = 75

/** At once, beside what its cluster has to do already; and again when nobody is left who had looked before. */
const queueRevocation = async (principal: string, held: readonly Held[], { queue }: RevokeDeps): Promise<void> => {
  const clusters = held.filter(
    ({ isManaged, access, credential }) => isManaged && (access !== undefined || credential !== undefined),
  )
  for (const afterSeconds of [0, secondLookSeconds])
    await Promise.all(
      clusters.map(({ cluster }) => queue.send({ kind: 'revocation', cluster, principal }, afterSeconds)),
    )
}

/** Access first: it works on live connections, and what has none is harmless until its user is gone. */
const queueWork = async (principal: string, held: readonly Held[], { queue }: RevokeDeps): Promise<void> => {
  for (const { cluster, isManaged, access } of held)
    if (isManaged && access !== undefined) await queue.send({ kind: 'access', cluster, principal })
  for (const { cluster, credential } of held)
    if (credential !== undefined) await queue.send({ kind: 'credential', cluster, principal })
}

/** Rotate has been there since: what it had in hand when it was asked counts for nothing. */
const isNewer = (before: AppliedAccess | undefined, after: AppliedAccess | undefined): boolean =>
  after?.appliedAt !== undefined && after.appliedAt.getTime() !== before?.appliedAt?.getTime()

const hasUsers = (stored: StoredCredential | undefined): boolean =>
  stored !== undefined && slotNames.some((slot) => stored.credential.slots[slot].state !== 'absent')

type Wait = { readonly what: string; readonly done: string; readonly isDone: () => Promise<boolean> }

/** Reports each thing when it has happened. */
const follow = async (waits: readonly Wait[], startedAt: Date, deps: RevokeDeps): Promise<readonly Wait[]> => {
  const { clock, wait, waitSeconds, report } = deps
  let left = waits
  while (left.length > 0) {
    const states = await Promise.all(left.map(async (each) => ({ each, isDone: await each.isDone() })))
    const now = clock().getTime()
    for (const { each, isDone } of states)
      if (isDone) report(`${each.done} after ${seconds(now - startedAt.getTime())}`)
    left = states.filter(({ isDone }) => !isDone).map(({ each }) => each)
    if (left.length === 0 || now - startedAt.getTime() > waitSeconds * 1000) break
    await wait(pollMs)
  }
  return left
}

const latest = (leases: readonly Lease[]): Date | undefined => {
  const ends = leases.flatMap(({ credentialExpiresAt: end }) => (end === 'never' ? [] : [end.getTime()]))
  return ends.length === 0 ? undefined : new Date(Math.max(...ends))
}

/**
 * Refuses a principal from the next look at the pointer on, and takes its access and then its users away. Reports what
 * happened when, and what cannot be hurried. Killed anywhere, the same command goes on.
 * @throws CommandError when something is not gone in time; the principal is refused all the same
 */
export const revokePrincipal = async (revocation: Revocation, deps: RevokeDeps): Promise<void> => {
  const { principal, cluster: only } = revocation
  const { directories, access, credentials, leases, clock, wait, report, waitSeconds } = deps
  const clusters = await checkedClusters(revocation, directories)
  const { changed } = await changeDenied(directories, (denied) => withRevocation(denied, revocation))
  const startedAt = clock()
  // read after it: whoever comes to have something later finds the principal revoked
  const held = await readHeld(principal, clusters, deps)
  await queueRevocation(principal, held, deps)
  await queueWork(principal, held, deps)
  report(
    `${nameOf(revocation)} ${changed ? 'is' : 'already was'} revoked: new requests are refused within 5 s (60 s while DynamoDB cannot be read)`,
  )

  const left = await follow(
    held.flatMap(({ cluster, isManaged, access: before, credential }): Wait[] => [
      ...(!isManaged || before === undefined
        ? []
        : [
            {
              what: `the access on \`${cluster}\``,
              done: `${cluster}: access gone, also for live connections,`,
              isDone: async () => {
                const after = await access.read(cluster, principal)
                return after !== undefined && after.acls.length === 0 && isNewer(before, after)
              },
            },
          ]),
      ...(!hasUsers(credential)
        ? []
        : [
            {
              what: `the users on \`${cluster}\``,
              done: `${cluster}: users gone`,
              isDone: async () => !hasUsers(await credentials.read(cluster, principal)),
            },
          ]),
    ]),
    startedAt,
    deps,
  )

  // a lease that was written just before is known only when nobody writes any more
  const untilRefused = startedAt.getTime() + pointerCheckMs - clock().getTime()
  if (untilRefused > 0) await wait(untilRefused)
  const now = clock()
  const live = (await leases.list(principal, now)).filter(({ clusters: on }) =>
    on.some((cluster) => clusters[cluster] !== undefined),
  )
  for (const { cluster, isManaged } of held) {
    const there = live.filter(({ clusters: on }) => on.includes(cluster))
    if (there.length === 0) continue
    const end = latest(there)
    if (end !== undefined && end > now) report(`${cluster}: tokens end by ${end.toISOString()}`)
    if (!isManaged)
      report(`${cluster}: has no \`admin.secret\`, so what the principal may do there ends with its tokens`)
  }
  if (live.length === 0 && held.every(({ access: applied, credential }) => !applied && !credential))
    report(`nobody has seen ${nameOf(revocation)} yet: it has no access and no lease`)
  else
    report(
      'live connections stay open without access until their token ends, and longer on brokers without `connections.max.reauth.ms`',
    )
  const [first] = left
  if (first !== undefined)
    throw new CommandError(
      `${first.what} is not gone after ${waitSeconds} s, and rotate goes on trying: look at its log, then run this again${only === undefined ? '' : ` with --cluster ${only}`}`,
    )
}

/**
 * Ends a revocation; without a cluster all of a principal's. What was taken away is made anew.
 * @throws CommandError when the access is not there again in time
 */
export const restorePrincipal = async (revocation: Revocation, deps: RevokeDeps): Promise<void> => {
  const { principal, cluster } = revocation
  const { directories, access, clock, report, waitSeconds } = deps
  const clusters = await checkedClusters(revocation, directories)
  const { denied } = await directories.readPointer()
  if (cluster !== undefined && isRevoked(denied, principal))
    throw new CommandError(
      `\`${principal}\` is revoked everywhere; restore it without --cluster, and revoke it where it is to stay out`,
    )
  const { changed } = await changeDenied(directories, (now) => withoutRevocation(now, revocation))
  const startedAt = clock()
  const held = await readHeld(principal, clusters, deps)
  await queueWork(principal, held, deps)
  report(
    `${nameOf(revocation)} ${changed ? 'is no longer' : 'was not'} revoked: new requests are answered as its grants say within 5 s`,
  )

  const left = await follow(
    held
      .filter(({ isManaged, access: before }) => isManaged && before !== undefined)
      .map((each) => ({
        what: `the access on \`${each.cluster}\``,
        done: `${each.cluster}: access as the grants say`,
        isDone: async () => isNewer(each.access, await access.read(each.cluster, principal)),
      })),
    startedAt,
    deps,
  )
  if (held.some(({ credential }) => credential !== undefined))
    report('its stored credentials are made anew: `switchboard credentials` says how far they are')
  const [first] = left
  if (first !== undefined)
    throw new CommandError(
      `${first.what} is not there after ${waitSeconds} s, and rotate goes on trying: look at its log, then run this again`,
    )
}

/** Who is refused whatever the grants say. */
export const readRevocations = async ({ directories }: Pick<Stack, 'directories'>): Promise<readonly Revocation[]> =>
  (await directories.readPointer()).denied

export const renderRevocations = (denied: readonly Revocation[]): readonly string[] =>
  denied.length === 0
    ? ['nobody is revoked']
    : renderTable(
        ['principal', 'where'],
        denied.map(({ principal, cluster }) => [principal, cluster ?? 'everywhere']),
      )
