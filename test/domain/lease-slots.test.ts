import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseSlots, type HeldSlot } from '../../shared/domain/lease-slots.ts'
import { type Credential, type SlotName, type SlotState, slotToHandOut } from '../../shared/domain/rotation.ts'
import { aCredential } from '../fixtures/stored-credentials.ts'

const a1: HeldSlot = { slot: 'a', generation: 1 }
const b1: HeldSlot = { slot: 'b', generation: 1 }
const kept = (held: HeldSlot) => ({ ...held, isNew: false })
const added = (held: HeldSlot) => ({ ...held, isNew: true })
const onlyA = aCredential({ a: {} })
const fromAToB = aCredential({ a: { state: 'draining' }, b: {} })

describe('a lease', () => {
  it.each<[string, Credential, readonly HeldSlot[], SlotName | undefined, unknown]>([
    ['that is new gets what is active', onlyA, [], undefined, [added(a1)]],
    ['that is new gets nothing of a slot that drains', fromAToB, [], undefined, [added(b1)]],
    ['keeps what it has', onlyA, [a1], undefined, [kept(a1)]],
    ['gets the next slot beside the one it has', fromAToB, [a1], undefined, [kept(a1), added(b1)]],
    ['keeps both for as long as nobody says that he moved', fromAToB, [a1, b1], undefined, [kept(a1), kept(b1)]],
    ['lets go of the slot that its clients moved away from', fromAToB, [a1, b1], 'b', [kept(b1)]],
    ['lets go of nothing for a move to what it never had', fromAToB, [a1], 'b', [kept(a1), added(b1)]],
    ['lets go of nothing that its clients stay with', fromAToB, [a1, b1], 'a', [kept(a1), kept(b1)]],
    [
      'loses a slot that became another secret',
      aCredential({ a: { generation: 3 } }),
      [a1],
      undefined,
      [added({ slot: 'a', generation: 3 })],
    ],
    ['loses a slot that was fenced', aCredential({ a: { state: 'fenced' }, b: {} }), [a1], undefined, [added(b1)]],
    ['keeps a slot that nobody else would get', aCredential({ a: { health: 'refused' } }), [a1], undefined, [kept(a1)]],
    ['gets nothing of a slot that does not work', aCredential({ a: { health: 'refused' } }), [], undefined, []],
    ['gets nothing of what is not there yet', aCredential({ a: { state: 'settling' } }), [], undefined, []],
    ['loses everything that is not wanted any more', aCredential({ a: {} }, { wanted: false }), [a1], undefined, []],
  ])('%s', (_, credential, held, moved, expected) => {
    expect(chooseSlots(credential, held, moved)).toEqual(expected)
  })

  const state = fc.constantFrom<SlotState>('absent', 'created', 'settling', 'ready', 'active', 'draining', 'fenced')
  const held = fc.uniqueArray(
    fc.record({ slot: fc.constantFrom<SlotName>('a', 'b'), generation: fc.integer({ min: 1, max: 2 }) }),
    { selector: ({ slot }) => slot, maxLength: 2 },
  )

  it('names each slot once, ends in what is handed out, and is the same when it is chosen again', () => {
    const credential = fc
      .tuple(state, state)
      .filter((states) => states.filter((each) => each === 'active').length < 2)
      .map(([a, b]) => aCredential({ a: { state: a }, b: { state: b } }))
    fc.assert(
      fc.property(credential, held, fc.constantFrom(undefined, 'a' as const, 'b' as const), (found, before, moved) => {
        const chosen = chooseSlots(found, before, moved)
        expect(new Set(chosen.map(({ slot }) => slot)).size).toBe(chosen.length)
        const active = slotToHandOut(found)
        if (active !== undefined) expect(chosen.at(-1)?.slot).toBe(active)
        const names = chosen.map(({ slot, generation }) => ({ slot, generation }))
        expect(chooseSlots(found, names, undefined).map(({ slot, generation }) => ({ slot, generation }))).toEqual(
          names,
        )
      }),
    )
  })
})
