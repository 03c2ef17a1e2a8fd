import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { confluentSecretName } from '../../shared/domain/confluent-secret-name.ts'
import { type Credential, newCredential } from '../../shared/domain/rotation.ts'
import { createConfluentSlotSecrets } from '../../shared/secrets/confluent-slot-secrets.ts'
import type { SlotSecret, SlotSecretStore } from '../../shared/secrets/slot-secrets.ts'
import { describeSlotSecretStore, type OpenedSecrets } from '../contracts/slot-secret-store.contract.ts'
import { type LoopbackSecrets, startSecrets } from '../fixtures/loopback-secrets.ts'
import { now } from '../fixtures/policies.ts'
import { type SimulatedApiKeys, startApiKeys } from '../fixtures/simulated-api-keys.ts'

const openStore = async (hasRegistry: boolean): Promise<OpenedSecrets> => {
  const aws = await startSecrets()
  const cloud = await startApiKeys('everybody')
  const store = createConfluentSlotSecrets(aws.client, 'prod', 'the-key', cloud.keysOfSlots(hasRegistry))
  // who only reads is told nothing of the registry
  const ofCluster = <T extends SlotSecret | undefined>(found: T) => found && { ...found, registry: undefined }
  return {
    store: {
      ...store,
      ensure: async (...of) => ofCluster(await store.ensure(...of)),
      recover: async (...of) => ofCluster(await store.recover(...of)),
    },
    hasOwnNames: true,
    deleteByHand: async (principal, slot) =>
      aws.deleteByHand(confluentSecretName('prod', { cluster: 'main', principal, slot })),
    close: async () => {
      await aws.close()
      await cloud.stop()
    },
  }
}

describeSlotSecretStore('one secret for each slot, with an API key of Confluent Cloud', () => openStore(false))
describeSlotSecretStore('two secrets for each slot, with API keys of a cluster and of its schema registry', () =>
  openStore(true),
)

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
const storeOf = (of = cloud, hasRegistry = false) =>
  createConfluentSlotSecrets(aws.client, 'prod', 'the-key', of.keysOfSlots(hasRegistry))
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

  it('has the names by which its keys are known', () => {
    expect(confluentSecretName('prod', { cluster: 'main', principal: 'billing', slot: 'a' })).toBe(name)
  })
})

describe('the secrets of a slot whose cluster has a schema registry that takes API keys', () => {
  const registryName = 'switchboard/prod/credentials/main/billing/registry-a'
  const savedOfRegistry = () => JSON.parse(aws.text(registryName) ?? '{}')
  const recover = () => store.recover('main', 'billing', 'a', user)
  beforeEach(() => {
    store = storeOf(cloud, true)
  })

  it('are two of one shape, each with a key that opens nothing else', async () => {
    const { username, password, registry } = await store.ensure(at(1), 'a', user)

    const { apiKey, apiSecret, ...ofRegistry } = savedOfRegistry()
    expect(registry).toEqual({ username: apiKey, password: apiSecret })
    expect(ofRegistry).toEqual({
      serviceAccountId: cloud.accounts.billing,
      resourceId: 'lsrc-1',
      environmentId: 'env-1',
    })
    expect(saved()).toMatchObject({ apiKey: username, resourceId: 'lkc-1' })
    expect(aws.secretNames()).toEqual([name, registryName])
    expect(aws.kmsKeyOf(registryName)).toBe('the-key')
    expect([cloud.login(username, password), cloud.registryLogin(apiKey, apiSecret)]).toEqual(['works', 'works'])
    expect([cloud.login(apiKey, apiSecret), cloud.registryLogin(username, password)]).toEqual(['refused', 'refused'])
  })

  it('are made once and replaced together', async () => {
    const first = await store.ensure(at(1), 'a', user)
    expect(await store.ensure(at(1), 'a', user)).toEqual(first)
    expect(await recover()).toEqual(first)

    const second = await store.ensure(at(2), 'a', user)
    expect(second.registry?.username).not.toBe(first.registry?.username)
    expect(ids().sort()).toEqual([second.username, second.registry?.username].sort())
  })

  it.each([
    [
      'the second key was made and its answer was lost',
      () => cloud.plane.faults.inject({ kind: 'answer-lost', where: 'POST /iam/v2/api-keys', calls: 1 }),
    ],
    ['it was made and could not be saved', () => aws.failNext('PutSecretValue', 'ThrottlingException')],
    ['it was saved and nobody heard of it', () => aws.loseNext('PutSecretValue')],
  ])('leave no orphan when %s', async (_, break_) => {
    const first = await storeOf().ensure(at(1), 'a', user)
    break_()
    expect(await failureOf(store.ensure(at(1), 'a', user))).toMatchObject({
      reason: expect.stringMatching(/unavailable/),
    })
    expect(ids()).toHaveLength(2)

    const made = await store.ensure(at(1), 'a', user)

    expect(ids().sort()).toEqual([first.username, made.registry?.username].sort())
    expect(savedOfRegistry().apiKey).toBe(made.registry?.username)
  })

  it('are lost where one of them is missing, or is of a generation or a registry of before', async () => {
    await store.ensure(at(1), 'a', user)
    aws.destroyByHand(registryName)
    expect(await recover()).toBeUndefined()

    await store.ensure(at(1), 'a', user)
    expect(await recover()).toBeDefined()
    const text = JSON.stringify({ ...savedOfRegistry(), resourceId: 'lsrc-0' })
    aws.put(registryName, text)
    expect(await recover()).toBeUndefined()
  })

  it('are lost where the policy names a registry that it did not name before', async () => {
    const made = await storeOf().ensure(at(1), 'a', user)
    expect(await storeOf().recover('main', 'billing', 'a', user)).toEqual(made)
    expect(aws.secretNames()).toEqual([name])

    expect(await recover()).toBeUndefined()
  })

  it('go together, also where the policy has no such registry any more', async () => {
    await store.ensure(at(1), 'a', user)
    await storeOf().removeSlot(at(1), 'a')

    expect([aws.text(name), aws.text(registryName)]).toEqual([undefined, undefined])
  })
})
