import { computeAccess } from '../shared/domain/access.ts'
import { credentialWish } from '../shared/domain/credential-wish.ts'
import type { Directory } from '../shared/domain/directory.ts'
import type { Policy } from '../shared/domain/policy.ts'
import { rotationContext, secretWritesPerSecond } from '../shared/domain/provider-clock.ts'
import { isRevokedOn } from '../shared/domain/revocation.ts'
import { slotToHandOut } from '../shared/domain/rotation.ts'
import { changePointer } from '../shared/store/change-pointer.ts'
import { createPublishFacts } from '../shared/store/publish-facts.ts'
import { readDirectory } from '../shared/store/read-directory.ts'
import { CommandError } from './command-error.ts'
import { type FoundClustersDeps, findUnpublished } from './found-clusters.ts'
import { replacementRefusals } from './plan-providers.ts'
import type { Stack } from './stack.ts'

export type ApplyDeps = Pick<Stack, 'directories' | 'access' | 'credentials' | 'queue'> & {
  readonly inventory: FoundClustersDeps['inventory']
  readonly report: (line: string) => void
  readonly clock: () => Date
  readonly wait: (milliseconds: number) => Promise<void>
  readonly waitSeconds: number
}

type Target = { readonly cluster: string; readonly principal: string }

const pollMs = 250
/** Each look reads all credentials of the clusters. */
const credentialPollMs = 1_000
const progressMs = 5_000

/** Principals that grants name and the clusters where they get something; topics are not known here and not needed. */
const namedTargets = (directory: Directory, now: Date): readonly Target[] => {
  const names = new Set(directory.grants.flatMap((grant) => grant.principals ?? []))
  return [...names].flatMap((principal) =>
    [...directory.clusters.keys()]
      .filter((cluster) => mayNeedAccess(directory, cluster, principal, now))
      .map((cluster) => ({ cluster, principal })),
  )
}

const mayNeedAccess = (directory: Directory, cluster: string, principal: string, now: Date): boolean =>
  directory.clusters.get(cluster)?.adminSecret !== undefined &&
  directory.routes.some((route) => route.cluster === cluster) &&
  (computeAccess(directory, cluster, { name: principal, labels: {} }, new Set(), now).length > 0 ||
    directory.grants.some((grant) => grant.principals?.includes(principal)))

const targetKey = ({ cluster, principal }: Pick<Target, 'cluster' | 'principal'>): string => `${cluster}\n${principal}`

const uniqueTargets = (targets: readonly Target[]): readonly Target[] => [
  ...new Map(targets.map((target) => [targetKey(target), target])).values(),
]

/** Whose access still covers another policy: an apply that was killed after its flip left removals to be queued. */
const withAccessOfOthers = async (
  hash: string,
  clusters: readonly string[],
  access: ApplyDeps['access'],
): Promise<readonly Target[]> => {
  const known = (await Promise.all(clusters.map((cluster) => access.list(cluster)))).flat()
  return known.filter(({ policies }) => policies.some((policy) => policy !== hash))
}

/**
 * Additions, flip, removals: nothing that was promised stops working before, and nothing new is promised before it works.
 * Killed anywhere, the policy that was in force still is, and the same command picks up where it stopped.
 */
export const applyPolicy = async (policy: Policy, deps: ApplyDeps): Promise<'applied' | 'unchanged'> => {
  const { directories, access, credentials, queue, inventory, report, clock, wait, waitSeconds } = deps
  const hash = await directories.writePolicy(policy)
  let pointer = await directories.readPointer()
  if (pointer.policy === hash && pointer.next === undefined) {
    report(`unchanged: revision ${pointer.revision} already is ${hash}`)
    const unfinished = await withAccessOfOthers(hash, Object.keys(policy.clusters), access)
    await queueAll(unfinished)
    if (unfinished.length > 0) report(`removals of ${unfinished.length} principals queued`)
    return 'unchanged'
  }
  const now = clock()
  const next = await readDirectory(directories, hash, pointer)
  const current = pointer.policy === undefined ? undefined : await readDirectory(directories, pointer.policy, pointer)

  const known = (
    await Promise.all(
      [...new Set([...next.clusters.keys(), ...(current?.clusters.keys() ?? [])])].map((cluster) =>
        access.list(cluster),
      ),
    )
  ).flat()
  const leftBehind = known.find(({ cluster, acls }) => acls.length > 0 && !next.clusters.has(cluster))
  if (leftBehind !== undefined)
    throw new CommandError(
      `the cluster \`${leftBehind.cluster}\` still has access of \`${leftBehind.principal}\`; remove its routes, apply, and then remove the cluster`,
    )

  const [refusal] = await replacementRefusals(current, next, async (cluster) =>
    (await credentials.list(cluster)).map(({ credential }) => credential),
  )
  if (refusal !== undefined) throw new CommandError(refusal)

  const unpublished = await findUnpublished(policy, pointer, { directories, inventory })
  const before = pointer.policy
  pointer = (
    await changePointer(directories, ({ policy, next: other }) => {
      if (policy !== before || (other !== undefined && other !== pointer.next && other !== hash))
        throw changedMeanwhile()
      return other === hash ? undefined : { next: hash }
    })
  ).pointer

  const publish = createPublishFacts(directories)
  for (const [id, found] of unpublished) await publish(id, found, false)
  if (unpublished.size > 0) report(`listeners of ${unpublished.size} clusters are those that the last crawl found`)

  const named = namedTargets(next, now)
  const additions = uniqueTargets([...named, ...known.filter(({ cluster }) => next.clusters.has(cluster))])
  await queueAll(additions)
  report(`access of ${additions.length} principals queued`)
  await waitForAccess(named, hash)
  await waitForCredentials(
    named.filter(
      ({ cluster, principal }) =>
        !isRevokedOn(pointer.denied, principal, cluster) &&
        credentialWish(next, cluster, { name: principal, labels: {} }, now) === 'named',
    ),
  )

  // a crawl may find something and an operator may revoke somebody meanwhile; another apply may not
  const flipped = await changePointer(
    directories,
    (current) => {
      if (current.policy !== before || current.next !== hash) throw changedMeanwhile()
      return { policy: hash, next: undefined }
    },
    clock(),
  )
  report(`revision ${flipped.pointer.revision} is in force: ${hash}`)

  const removals = uniqueTargets([
    ...(current === undefined ? [] : namedTargets(current, now)).filter(({ cluster }) => next.clusters.has(cluster)),
    ...known.filter(({ cluster }) => next.clusters.has(cluster)),
  ])
  await queueAll(removals)
  if (removals.length > 0) report(`removals of ${removals.length} principals queued`)
  return 'applied'

  async function queueAll(targets: readonly Target[]): Promise<void> {
    for (const { cluster, principal } of targets) await queue.send({ kind: 'access', cluster, principal })
  }

  /** As long as they can take, by the clocks of their clusters and by how fast secrets are written, and a while more. */
  async function waitForCredentials(targets: readonly Target[]): Promise<void> {
    if (targets.length === 0) return
    const clusters = [...new Set(targets.map(({ cluster }) => cluster))]
    const slowest = Math.max(
      ...clusters.map((cluster) => {
        const context = rotationContext({ cluster, principal: '' }, next.clusters.get(cluster), now)
        return context.clock.propagationSeconds + context.clock.skewSeconds
      }),
    )
    const limitSeconds = Math.ceil(waitSeconds + slowest + targets.length / secretWritesPerSecond)
    const startedAt = clock().getTime()
    let told = startedAt
    for (;;) {
      const stored = (await Promise.all(clusters.map((cluster) => credentials.list(cluster)))).flat()
      const ready = new Set(
        stored.flatMap(({ credential }) => (slotToHandOut(credential) === undefined ? [] : [targetKey(credential)])),
      )
      const waiting = targets.filter((target) => !ready.has(targetKey(target)))
      const [first] = waiting
      const time = clock().getTime()
      if (first === undefined) {
        report(`stored credentials of ${targets.length} principals are ready`)
        return
      }
      if (time - startedAt > limitSeconds * 1000)
        throw new CommandError(
          `${waiting.length} of ${targets.length} stored credentials are not ready after ${limitSeconds} s, such as that of \`${first.principal}\` on \`${first.cluster}\`; the old policy stays in force: \`switchboard credentials\` says why, and rotate goes on: apply again`,
        )
      if (time - told >= progressMs) {
        told = time
        report(`stored credentials: ${targets.length - waiting.length} of ${targets.length} are ready`)
      }
      await wait(credentialPollMs)
    }
  }

  async function waitForAccess(targets: readonly Target[], policyHash: string): Promise<void> {
    const deadline = clock().getTime() + waitSeconds * 1000
    let waiting = targets
    while (waiting.length > 0) {
      const states = await Promise.all(
        waiting.map(async (target) => ({ target, applied: await access.read(target.cluster, target.principal) })),
      )
      waiting = states.filter(({ applied }) => !applied?.policies.includes(policyHash)).map(({ target }) => target)
      const first = waiting[0]
      if (first === undefined) return
      if (clock().getTime() > deadline)
        throw new CommandError(
          `the access of \`${first.principal}\` on \`${first.cluster}\` is not there after ${waitSeconds} s; the old policy stays in force: look at the log of the rotate function, then apply again`,
        )
      await wait(pollMs)
    }
  }
}

const changedMeanwhile = (): CommandError =>
  new CommandError('somebody else changed the directory meanwhile; the old policy stays in force: apply again')
