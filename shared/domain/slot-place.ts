import type { SlotName } from './rotation.ts'

/** One slot of a stored credential, as what is made for it is named. */
export type SlotPlace = { readonly cluster: string; readonly principal: string; readonly slot: SlotName }
