import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newCredential, type Slot, type SlotName } from '../../shared/domain/rotation.ts'
import type { SlotSecretStore } from '../../shared/secrets/slot-secrets.ts'
import { now } from '../fixtures/policies.ts'

export type OpenedSecrets = {
  readonly store: SlotSecretStore
  /** What its secrets log in with is not the user that they are asked for. */
  readonly hasOwnNames?: boolean
  /** As somebody would in the console, with a window to bring it back in. */
  readonly deleteByHand: (principal: string, slot: SlotName) => Promise<void>
  readonly close: () => Promise<void>
}

const slot = (state: Slot['state'], generation: number): Slot => ({
  state,
  since: now,
  generation,
  health: 'unprobed',
  checkedAt: now,
  toldAt: now,
})

/** What every store of the passwords of stored credentials keeps to. */
export const describeSlotSecretStore = (title: string, open: () => Promise<OpenedSecrets>): void => {
  describe(title, () => {
    let opened: OpenedSecrets
    let store: SlotSecretStore
    beforeAll(async () => {
      opened = await open()
      store = opened.store
    })
    afterAll(() => opened.close())

    const some = (name = 'billing'): string => `${name}-${randomUUID().slice(0, 8)}`
    const credentialOf = (principal: string, a: Slot, b: Slot = slot('absent', 0)) => ({
      ...newCredential(principal, 'main'),
      slots: { a, b },
    })
    const userOf = (principal: string, name: SlotName): string => `sb.${principal}@${name}`
    const ensureA = (principal: string, generation = 1, b?: Slot) =>
      store.ensure(credentialOf(principal, slot('created', generation), b), 'a', userOf(principal, 'a'))
    const removeA = (principal: string, generation = 1, b?: Slot) =>
      store.removeSlot(credentialOf(principal, slot('fenced', generation), b), 'a')

    test('makes the password of a generation once, and finds it again', async () => {
      const principal = some()
      expect(await store.read('main', principal, 'a')).toBeUndefined()

      const made = await ensureA(principal)

      expect(made).toMatchObject({
        generation: 1,
        username: opened.hasOwnNames ? expect.any(String) : userOf(principal, 'a'),
      })
      expect(await ensureA(principal)).toEqual(made)
      expect(await store.read('main', principal, 'a')).toEqual(made)
      expect(await store.read('main', principal, 'b')).toBeUndefined()
    })

    test('keeps one slot while the other gets its own', async () => {
      const principal = some()
      const a = await ensureA(principal)

      const second = credentialOf(principal, slot('active', 1), slot('created', 1))
      const b = await store.ensure(second, 'b', userOf(principal, 'b'))

      expect(b.password).not.toBe(a.password)
      expect(await store.read('main', principal, 'a')).toEqual(a)
      expect(await store.read('main', principal, 'b')).toEqual(b)
    })

    test('has another password for another generation, and that one alone', async () => {
      const principal = some()
      const before = await ensureA(principal)

      const after = await ensureA(principal, 2)

      expect(after).toMatchObject({ generation: 2 })
      expect(after.password).not.toBe(before.password)
      expect(await ensureA(principal, 2)).toEqual(after)
      expect(await store.read('main', principal, 'a')).toEqual(after)
    })

    test('locates what it made by an ARN that stays and a version that does not', async () => {
      const principal = some()
      expect(await store.locate('main', principal, 'a')).toBeUndefined()
      await ensureA(principal)
      const before = await store.locate('main', principal, 'a')

      await ensureA(principal, 2)

      const after = await store.locate('main', principal, 'a')
      expect(before?.arn).toMatch(/^arn:aws:secretsmanager:.+-\w{6}$/)
      expect(after?.arn).toBe(before?.arn)
      expect(after?.versionId).not.toBe(before?.versionId)
    })

    test('takes a password away, however often that is asked for, and makes a new one after it', async () => {
      const principal = some()
      await removeA(principal)
      const before = await ensureA(principal)

      await removeA(principal)
      await removeA(principal)

      expect(await store.read('main', principal, 'a')).toBeUndefined()
      expect(await store.locate('main', principal, 'a')).toBeUndefined()
      const after = await ensureA(principal, 2, slot('absent', 1))
      expect(after.password).not.toBe(before.password)
      expect(await store.read('main', principal, 'a')).toEqual(after)
    })

    test('leaves the other slot’s password when one is taken away', async () => {
      const principal = some()
      await ensureA(principal)
      const second = credentialOf(principal, slot('active', 1), slot('created', 1))
      const b = await store.ensure(second, 'b', userOf(principal, 'b'))

      await removeA(principal, 1, slot('active', 1))

      expect(await store.read('main', principal, 'b')).toEqual(b)
    })

    test('brings back what somebody deleted, for who may', async () => {
      const principal = some()
      const made = await ensureA(principal)
      await opened.deleteByHand(principal, 'a')

      expect(await store.read('main', principal, 'a')).toBeUndefined()
      expect(await store.recover('main', principal, 'a', userOf(principal, 'a'))).toEqual(made)
      expect(await store.read('main', principal, 'a')).toEqual(made)

      await opened.deleteByHand(principal, 'a')
      expect(await ensureA(principal)).toEqual(made)
    })

    test('recovers nothing where nothing was', async () => {
      const principal = some()
      expect(await store.recover('main', principal, 'a', userOf(principal, 'a'))).toBeUndefined()
    })

    test('does not give one user the password of another', async () => {
      const principal = some()
      await ensureA(principal)

      const other = store.ensure(credentialOf(principal, slot('created', 1)), 'a', `other.${principal}@a`)

      await expect(other).rejects.toMatchObject({ reason: 'secret_foreign' })
    })

    test.each(['a', 'my-secret', `${'x'.repeat(20)}._-y`, 'billing_slot_a', 'slots'])(
      'knows `%s` from those whose names are like it',
      async (name) => {
        const principal = some(name)
        // as the ARN of a secret ends: a hyphen and six characters
        const longer = `${principal}-abcdef`

        const [one, other] = [await ensureA(principal), await ensureA(longer)]

        expect(await store.read('main', principal, 'a')).toEqual(one)
        expect(await store.read('main', longer, 'a')).toEqual(other)
        await removeA(longer)
        expect(await store.read('main', principal, 'a')).toEqual(one)
      },
    )
  })
}
