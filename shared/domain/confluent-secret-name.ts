import type { SlotPlace } from './slot-place.ts'

/**
 * Where the API key of one slot is saved, under the stack's own folder. The key itself says so in its description: that is
 * how it is known to be this stack's, and of which slot.
 */
export const confluentSecretName = (stack: string, { cluster, principal, slot }: SlotPlace): string =>
  `switchboard/${stack}/credentials/${cluster}/${principal}/slot-${slot}`
