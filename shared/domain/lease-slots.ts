import { type Credential, mayKeep, type SlotName, slotToHandOut } from './rotation.ts'

/** A slot of a stored credential that came with a lease; `generation` tells it from what the slot held before and after. */
export type HeldSlot = { readonly slot: SlotName; readonly generation: number }

/** Cluster -> slots: the last is what new clients get, one before it is kept for clients that have not moved yet. */
export type LeaseSlots = Readonly<Record<string, readonly HeldSlot[]>>

export const namesSlot = (slots: LeaseSlots | undefined, cluster: string, { slot, generation }: HeldSlot): boolean =>
  slots?.[cluster]?.some((held) => held.slot === slot && held.generation === generation) ?? false

/** A slot that a lease names from now on; `isNew`: it did not until now, so that it must be one that is handed out. */
export type ChosenSlot = HeldSlot & { readonly isNew: boolean }

/**
 * What a lease names after an answer, in the order of `LeaseSlots`; nothing when there is nothing that works. A client
 * keeps its Kafka user for its life, so what the lease named stays until its clients have moved, and what is active comes
 * beside it.
 * @param held what the lease named until now; nothing for a new lease and for an instance that starts again
 * @param moved the slot that every client of the lease runs with by now; undefined when nobody said so
 */
export const chooseSlots = (
  credential: Credential,
  held: readonly HeldSlot[],
  moved: SlotName | undefined,
): readonly ChosenSlot[] => {
  const works = held.filter(
    ({ slot, generation }) => mayKeep(credential, slot) && credential.slots[slot].generation === generation,
  )
  // who says that he moved to what he never had still has what he had
  const kept = works.some(({ slot }) => slot === moved) ? works.filter(({ slot }) => slot === moved) : works
  const active = slotToHandOut(credential)
  if (active === undefined) return kept.map(({ slot, generation }) => ({ slot, generation, isNew: false }))
  return [
    ...kept.filter(({ slot }) => slot !== active).map(({ slot, generation }) => ({ slot, generation, isNew: false })),
    {
      slot: active,
      generation: credential.slots[active].generation,
      isNew: !works.some(({ slot }) => slot === active),
    },
  ]
}
