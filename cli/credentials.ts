import { isOverdue } from '../shared/domain/credential-census.ts'
import type { Directory } from '../shared/domain/directory.ts'
import { rotationContext } from '../shared/domain/provider-clock.ts'
import {
  drainsTooLong,
  type Failures,
  isStuck,
  nextStep,
  type Slot,
  type SlotName,
  type Step,
  slotNames,
} from '../shared/domain/rotation.ts'
import { signingKeyContext, signingKeys } from '../shared/domain/signing-key.ts'
import type { StoredCredential } from '../shared/store/credential-store.ts'
import { readDirectory } from '../shared/store/read-directory.ts'
import { duration } from './duration.ts'
import type { Stack } from './stack.ts'
import { renderTable } from './table.ts'

export type CredentialFilter = { readonly principal: string | undefined; readonly cluster: string | undefined }

/** A stored credential, and what becomes of it next. */
export type CredentialReport = {
  readonly principal: string
  readonly cluster: string
  /** False: revoked, or no grant gives it any more; its slots are being taken away. */
  readonly wanted: boolean
  /** Failed so often that somebody should look. */
  readonly stuck: boolean
  /** It should be further by now: nobody came when it was due, or what is handed out is too old. */
  readonly overdue: boolean
  /** Slots that somebody has held for longer than `rotation.maxDrain` since they were replaced; it is overdue then. */
  readonly drainsTooLong: readonly SlotName[]
  readonly slots: Readonly<Record<SlotName, Slot>>
  readonly next: Step
  readonly failures: Failures | undefined
}

const readInForce = async ({ directories }: Pick<Stack, 'directories'>): Promise<Directory | undefined> => {
  const pointer = await directories.readPointer()
  return pointer.policy === undefined ? undefined : readDirectory(directories, pointer.policy, pointer)
}

const urgency = ({ stuck, overdue }: CredentialReport): number => (stuck ? 0 : overdue ? 1 : 2)

/** Stored credentials: what is stuck first, then what is overdue, then the others, each by cluster and principal. */
export const findCredentials = async (
  { principal, cluster }: CredentialFilter,
  stack: Pick<Stack, 'credentials' | 'directories' | 'signingKeyTimes'>,
  now: Date,
): Promise<readonly CredentialReport[]> => {
  const [directory, stored] = await Promise.all([readInForce(stack), stack.credentials.list(cluster)])
  const report = ({ credential, dueAt }: StoredCredential): CredentialReport => {
    const context =
      credential.cluster === signingKeys.cluster
        ? signingKeyContext(stack.signingKeyTimes, now)
        : rotationContext(credential, directory?.clusters.get(credential.cluster), now)
    return {
      principal: credential.principal,
      cluster: credential.cluster,
      wanted: credential.wanted,
      stuck: isStuck(credential, context.policy),
      overdue: isOverdue({ credential, dueAt }, context),
      drainsTooLong: slotNames.filter((name) => drainsTooLong(credential.slots[name], context)),
      slots: credential.slots,
      next: nextStep(credential, context),
      failures: credential.failures,
    }
  }
  return stored
    .filter(({ credential }) => principal === undefined || credential.principal === principal)
    .map(report)
    .sort(
      (a, b) =>
        urgency(a) - urgency(b) ||
        a.cluster.localeCompare(b.cluster, 'en') ||
        a.principal.localeCompare(b.principal, 'en'),
    )
}

const nextText = ({ next }: CredentialReport, now: Date): string => {
  if (next.kind !== 'wait') return `now: ${next.kind} slot ${next.slot}`
  return next.until === undefined ? next.why : `in ${duration(next.until.getTime() - now.getTime())}: ${next.why}`
}

const problemOf = ({ principal, wanted, stuck, overdue, drainsTooLong: held, failures }: CredentialReport): string => {
  const failed = failures && `${failures.count} x ${failures.step}: ${failures.reason}`
  return [
    ...(stuck ? [`stuck after ${failed}`] : failed === undefined ? [] : [`failed ${failed}`]),
    ...(overdue ? ['overdue'] : []),
    ...held.map((slot) => `somebody holds on to ${principal}@${slot}`),
    ...(wanted ? [] : ['not wanted any more']),
  ].join(', ')
}

/** One line a slot; what becomes of the credential stands on its first. */
export const renderCredentials = (reports: readonly CredentialReport[], now: Date): readonly string[] => {
  if (reports.length === 0) return ['no stored credential']
  const rows = reports.flatMap((report) => {
    const present = slotNames.filter((name) => report.slots[name].state !== 'absent')
    return (present.length === 0 ? slotNames.slice(0, 1) : present).map((name, at) => {
      const { state, since, health } = report.slots[name]
      const isAbsent = state === 'absent'
      return [
        report.cluster,
        report.principal,
        isAbsent ? '-' : name,
        state,
        isAbsent ? '-' : duration(now.getTime() - since.getTime()),
        isAbsent ? '-' : health,
        at === 0 ? nextText(report, now) : '',
        at === 0 ? problemOf(report) : '',
      ]
    })
  })
  return renderTable(['cluster', 'principal', 'slot', 'state', 'for', 'login', 'next', 'problem'], rows)
}
