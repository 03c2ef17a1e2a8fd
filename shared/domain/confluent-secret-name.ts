import type { SlotPlace } from './slot-place.ts'

/**
 * Where the API key of one slot is saved, under the stack's own folder. The key itself says so in its description: that is
 * how it is known to be this stack's, and of which slot.
 */
export const confluentSecretName = (stack: string, { cluster, principal, slot }: SlotPlace): string =>
  `switchboard/${stack}/credentials/${cluster}/${principal}/slot-${slot}`

/**
 * Where the slot's API key of the schema registry is. It does not begin like the other: whoever may read `slot-a-*`, as the ARN
 * of a secret ends, is not to read this.
 */
export const registryKeySecretName = (stack: string, { cluster, principal, slot }: SlotPlace): string =>
  `switchboard/${stack}/credentials/${cluster}/${principal}/registry-${slot}`
