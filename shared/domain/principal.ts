import type { SlotName } from './rotation.ts'

/** An authenticated workload. Never a Kafka user name: that is `kafkaUser`. */
export type Principal = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Position of the identity rule that named it, for explain and the audit trail. */
  readonly identityRule: number
}

/** Never normalised: what does not fit is refused, so no two spellings are one principal. */
export const principalPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

export const isPrincipalName = (text: string): boolean => principalPattern.test(text)

/** Kafka users are ours by name; whatever does not start with the prefix is never touched. */
export const kafkaUser = (prefix: string, principal: string): string => `${prefix}${principal}`

/** The Kafka user of one slot of a stored credential. No principal has an `@`, so none can be another's slot. */
export const slotUser = (prefix: string, principal: string, slot: SlotName): string => `${prefix}${principal}@${slot}`

/** Whose slot a Kafka user is; undefined for the user of no slot of ours. */
export const slotOfUser = (
  prefix: string,
  user: string,
): { readonly principal: string; readonly slot: SlotName } | undefined => {
  if (!user.startsWith(prefix)) return undefined
  const [principal = '', slot, ...rest] = user.slice(prefix.length).split('@')
  if (!isPrincipalName(principal) || (slot !== 'a' && slot !== 'b') || rest.length > 0) return undefined
  return { principal, slot }
}

export const hasLabels = (
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): boolean => Object.keys(wanted).every((key) => Object.hasOwn(labels, key) && labels[key] === wanted[key])
