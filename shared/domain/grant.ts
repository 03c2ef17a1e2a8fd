import type { ChannelPattern } from './channel.ts'
import { hasLabels, type Principal } from './principal.ts'
import type { Quota } from './quota.ts'

export type Action = 'produce' | 'consume'

/** Who may produce or consume which channels. Without a grant nothing is allowed. */
export type Grant = {
  readonly index: number
  readonly principals: readonly string[] | undefined
  readonly labels: Readonly<Record<string, string>> | undefined
  readonly produce: readonly ChannelPattern[]
  readonly consume: readonly ChannelPattern[]
  /** Consumer groups besides the principal's own name. */
  readonly groups: readonly NamePattern[]
  readonly transactionalIds: readonly NamePattern[]
  readonly maxLeaseSeconds: number | undefined
  readonly quota: Quota
  /** Whether it lets into the schema registry of the cluster that a channel leads to. */
  readonly schemas: boolean
  readonly until: Date | undefined
}

/** A name, or every name that starts with a prefix (which ends in a separator, so that it covers no stranger). */
export type NamePattern = { readonly kind: 'literal' | 'prefixed'; readonly text: string }

export const parseNamePattern = (text: string): NamePattern =>
  text.endsWith('*') ? { kind: 'prefixed', text: text.slice(0, -1) } : { kind: 'literal', text }

export const matchesName = (pattern: NamePattern, name: string): boolean =>
  pattern.kind === 'prefixed' ? name.startsWith(pattern.text) : name === pattern.text

export const isHeldBy = (grant: Grant, principal: Pick<Principal, 'name' | 'labels'>): boolean =>
  grant.principals?.includes(principal.name) === true ||
  (grant.labels !== undefined && hasLabels(principal.labels, grant.labels))

export const isExpired = (grant: Grant, now: Date): boolean => grant.until !== undefined && grant.until <= now

/** A principal's own name is its own group; others need to be granted. */
export const allowsGroup = (grant: Grant, principal: string, group: string): boolean =>
  group === principal || grant.groups.some((pattern) => matchesName(pattern, group))
