import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { confluentSecretName } from '../../shared/domain/confluent-secret-name.ts'
import { type Credential, newCredential } from '../../shared/domain/rotation.ts'
import { createConfluentSlotSecrets } from '../../shared/secrets/confluent-slot-secrets.ts'
import type { SlotSecretStore } from '../../shared/secrets/slot-secrets.ts'
import { describeSlotSecretStore } from '../contracts/slot-secret-store.contract.ts'
import { type LoopbackSecrets, startSecrets } from '../fixtures/loopback-secrets.ts'
import { now } from '../fixtures/policies.ts'
import { type SimulatedApiKeys, startApiKeys } from '../fixtures/simulated-api-keys.ts'

describeSlotSecretStore('one secret for each slot, with an API key of Confluent Cloud', async () => {
  const aws = await startSecrets()
  const cloud = await startApiKeys('everybody')
  return {
    store: createConfluentSlotSecrets(aws.client, 'prod', 'the-key', cloud.slotKeys()),
    hasOwnNames: true,
    deleteByHand: async (principal, slot) =>
      aws.deleteByHand(confluentSecretName('prod', { cluster: 'main', principal, slot })),
    close: async () => {
      await aws.close()
      await cloud.stop()
    },
  }
})

const name = 'switchboard/prod/credentials/main/billing/slot-a'
const user = 'sb.billing@a'
const at = (generation: number): Credential => ({
  ...newCredential('billing', 'main'),
  slots: {
    ...newCredential('billing', 'main').slots,
    a: { state: 'created', since: now, generation, health: 'unprobed', checkedAt: now, toldAt: now },
  },
})

let aws: LoopbackSecrets
let cloud: SimulatedApiKeys
let store: SlotSecretStore
const storeOf = (of = cloud) => createConfluentSlotSecrets(aws.client, 'prod', 'the-key', of.slotKeys())
beforeEach(async () => {
  aws = await startSecrets()
  cloud = await startApiKeys()
  store = storeOf()
})
afterEach(async () => {
  await aws.close()
  await cloud.stop()
})

const ids = () => cloud.apiKeys.keys().map(({ id }) => id)
const failureOf = (work: Promise<unknown>) => work.catch((error: unknown) => error)
const saved = () => JSON.parse(aws.text(name) ?? '{}')

describe('the secret of a slot on Confluent Cloud', () => {
  it('has the shape that Secrets Manager rotates, and nothing else', async () => {
    const { username, password } = await store.ensure(at(1), 'a', user)

    expect(saved()).toEqual({
      apiKey: username,
      apiSecret: password,
      serviceAccountId: cloud.accounts.billing,
      resourceId: 'lkc-1',
      environmentId: 'env-1',
    })
    expect(aws.secretNames()).toEqual([name])
    expect(aws.kmsKeyOf(name)).toBe('the-key')
    expect(cloud.login(username, password)).toBe('works')
  })

  it('is of one key however often it is asked for, and of another for another generation', async () => {
    const first = await store.ensure(at(1), 'a', user)
    expect(await store.ensure(at(1), 'a', user)).toEqual(first)
    expect(ids()).toEqual([first.username])

    const second = await store.ensure(at(2), 'a', user)
    expect(second.username).not.toBe(first.username)
    expect(ids()).toEqual([second.username])
    expect(await store.read('main', 'billing', 'a')).toEqual(second)
  })

  it.each([
    [
      'the key was made and its answer was lost',
      () => cloud.plane.faults.inject({ kind: 'answer-lost', where: 'POST /iam/v2/api-keys', calls: 1 }),
    ],
    ['the key was made and could not be saved', () => aws.failNext('PutSecretValue', 'ThrottlingException')],
    ['the key was saved and nobody heard of it', () => aws.loseNext('PutSecretValue')],
  ])('leaves no orphan when %s', async (_, break_) => {
    break_()
    expect(await failureOf(store.ensure(at(1), 'a', user))).toMatchObject({
      reason: expect.stringMatching(/unavailable/),
    })
    expect(ids()).toHaveLength(1)

    const made = await store.ensure(at(1), 'a', user)

    expect(ids()).toEqual([made.username])
    expect(saved().apiKey).toBe(made.username)
    expect(cloud.login(made.username, made.password)).toBe('works')
  })

  it('has one key for all who make it at once', async () => {
    await Promise.all([1, 2, 3].map(() => failureOf(store.ensure(at(1), 'a', user))))
    const made = await store.ensure(at(1), 'a', user)
    expect(saved().apiKey).toBe(made.username)
    expect(ids().filter((id) => id !== made.username)).toEqual([])
  })

  it('brought back from its deletion is of nobody when the account is another by now', async () => {
    const before = await store.ensure(at(1), 'a', user)
    await store.removeSlot(at(1), 'a')
    const other = await startApiKeys(['x', 'billing'])

    expect(await storeOf(other).recover('main', 'billing', 'a', user)).toBeUndefined()
    const after = await storeOf(other).ensure(at(1), 'a', user)

    expect(after.username).not.toBe(before.username)
    expect(saved().serviceAccountId).toBe(other.accounts.billing)
    await other.stop()
  })

  it('is no key’s any more when somebody deleted it, and that is not for here to find out', async () => {
    const made = await store.ensure(at(1), 'a', user)
    cloud.apiKeys.removeKey(made.username)
    expect(await store.ensure(at(1), 'a', user)).toEqual(made)
  })

  it('that has another shape is refused by its name, not shown and not written, and no key is made for it', async () => {
    aws.put(name, '{"username":"x","password":"hunter2"}')
    const failure = await failureOf(store.ensure(at(1), 'a', user))
    expect(failure).toMatchObject({ reason: 'secret_foreign', message: expect.stringContaining(`\`${name}\``) })
    expect(String(failure)).not.toContain('hunter2')
    expect(ids()).toEqual([])
  })

  it('that may not be written fails before a key is made', async () => {
    aws.failNext('CreateSecret', 'AccessDeniedException')
    expect(await failureOf(store.ensure(at(1), 'a', user))).toMatchObject({ reason: 'secret_denied' })
    expect(ids()).toEqual([])
  })

  it('has the name by which its key is known', () => {
    expect(confluentSecretName('prod', { cluster: 'main', principal: 'billing', slot: 'a' })).toBe(name)
  })
})
