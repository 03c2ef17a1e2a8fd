import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mskSecretName } from '../../shared/domain/msk-secret-name.ts'
import { type Credential, newCredential, type Slot } from '../../shared/domain/rotation.ts'
import { createMskSlotSecrets } from '../../shared/secrets/msk-slot-secrets.ts'
import { createSlotSecrets, type SlotSecretStore, slotSecretName } from '../../shared/secrets/slot-secrets.ts'
import { describeSlotSecretStore } from '../contracts/slot-secret-store.contract.ts'
import { type LoopbackSecrets, startSecrets } from '../fixtures/loopback-secrets.ts'
import { now } from '../fixtures/policies.ts'

describeSlotSecretStore('one secret for both slots', async () => {
  const aws = await startSecrets()
  return {
    store: createSlotSecrets(aws.client, 'prod', 'the-key'),
    deleteByHand: async (principal) => aws.deleteByHand(slotSecretName('prod', 'main', principal)),
    close: aws.close,
  }
})

describeSlotSecretStore('one secret for each slot, as MSK reads it', async () => {
  const aws = await startSecrets()
  return {
    store: createMskSlotSecrets(aws.client, 'prod', 'the-key'),
    deleteByHand: async (principal, slot) =>
      aws.deleteByHand(mskSecretName('prod', { cluster: 'main', principal, slot })),
    close: aws.close,
  }
})

const name = 'AmazonMSK_switchboard_prod_main_billing_slot_a'
const at = (generation: number, state: Slot['state'] = 'created'): Credential => ({
  ...newCredential('billing', 'main'),
  slots: {
    ...newCredential('billing', 'main').slots,
    a: { state, since: now, generation, health: 'unprobed', checkedAt: now, toldAt: now },
  },
})
const user = 'sb.billing@a'

let aws: LoopbackSecrets
let store: SlotSecretStore
beforeEach(async () => {
  aws = await startSecrets()
  store = createMskSlotSecrets(aws.client, 'prod', 'the-key')
})
afterEach(() => aws.close())

const failureOf = (work: Promise<unknown>) => work.catch((error: unknown) => error)

describe('the secret of a slot on MSK', () => {
  it('holds what MSK reads and nothing else, under the customer key', async () => {
    const { username, password } = await store.ensure(at(1), 'a', user)

    expect(JSON.parse(aws.text(name) ?? '')).toEqual({ username, password })
    expect(aws.kmsKeyOf(name)).toBe('the-key')
    expect(aws.secretNames()).toEqual([name])
  })

  it('is written once however often a lost answer makes somebody repeat it', async () => {
    aws.loseNext('CreateSecret')
    expect(await failureOf(store.ensure(at(1), 'a', user))).toMatchObject({ reason: 'secret_unavailable' })
    for (const generation of [1, 2]) {
      aws.loseNext('PutSecretValue')
      expect(await failureOf(store.ensure(at(generation), 'a', user))).toMatchObject({ reason: 'secret_unavailable' })
      const written = JSON.parse(aws.text(name) ?? '').password

      expect((await store.ensure(at(generation), 'a', user)).password).toBe(written)
    }
  })

  it('has one password for all who make it at once', async () => {
    for (const generation of [1, 2]) {
      const made = await Promise.all([1, 2, 3].map(() => store.ensure(at(generation), 'a', user)))

      expect(new Set(made.map(({ password }) => password)).size).toBe(1)
      expect(JSON.parse(aws.text(name) ?? '').password).toBe(made[0]?.password)
    }
  })

  it('is made anew for a credential that counts its generations anew, though its versions are all there', async () => {
    await store.ensure(at(1), 'a', user)
    const second = await store.ensure(at(2), 'a', user)

    const again = await store.ensure(at(1), 'a', user)

    expect(again.generation).toBe(1)
    expect(again.password).not.toBe(second.password)
  })

  it('is brought back before it is written', async () => {
    await store.ensure(at(1), 'a', user)
    await store.removeSlot(at(1, 'fenced'), 'a')
    aws.calls.length = 0

    await store.ensure(at(2), 'a', user)

    expect(aws.names()).toEqual(['GetSecretValue', 'RestoreSecret', 'GetSecretValue', 'PutSecretValue'])
  })

  it('is deleted with a window to bring it back in', async () => {
    await store.ensure(at(1), 'a', user)

    await store.removeSlot(at(1, 'fenced'), 'a')

    expect(aws.calls.at(-1)).toMatchObject({ call: 'DeleteSecret', input: { RecoveryWindowInDays: 7 } })
    expect(aws.calls.at(-1)?.input).not.toHaveProperty('ForceDeleteWithoutRecovery')
  })

  it('that somebody else wrote is of no generation: handed out to nobody, and replaced by the next', async () => {
    aws.put(name, JSON.stringify({ username: user, password: 'by-hand' }))

    expect(await store.read('main', 'billing', 'a')).toBeUndefined()
    expect((await store.ensure(at(1), 'a', user)).password).not.toBe('by-hand')
  })

  it.each([
    'hunter2',
    '{"username":"sb.billing@a"}',
    '{"username":"sb.billing@a","password":"hunter2","ssl":true}',
    '{"username":"other.billing@a","password":"hunter2"}',
  ])('is refused by its name, not shown and not written, where it holds something else: %s', async (text) => {
    aws.put(name, text)

    const failure = await failureOf(store.ensure(at(1), 'a', user))

    expect(failure).toMatchObject({ reason: 'secret_foreign', message: expect.stringContaining(`\`${name}\``) })
    expect(String(failure)).not.toContain('hunter2')
    expect(aws.text(name)).toBe(text)
  })

  it.each([
    ['AccessDeniedException', 'secret_denied'],
    ['EncryptionFailure', 'secret_denied'],
    ['ThrottlingException', 'secret_unavailable'],
  ])('that cannot be written for %s fails with %s', async (type, reason) => {
    aws.failNext('CreateSecret', type)
    expect(await failureOf(store.ensure(at(1), 'a', user))).toMatchObject({ reason })
    await store.ensure(at(1), 'a', user)
    await store.removeSlot(at(1, 'fenced'), 'a')
    aws.failNext('RestoreSecret', type)
    expect(await failureOf(store.ensure(at(2), 'a', user))).toMatchObject({ reason })
  })
})
