import { beforeEach, describe, expect, test } from 'vitest'
import { type CredentialFilter, findCredentials, renderCredentials } from '../../cli/credentials.ts'
import { rotationContext } from '../../shared/domain/provider-clock.ts'
import { type Credential, fail, newCredential, type Slot, type SlotName } from '../../shared/domain/rotation.ts'
import { parseSigningKeyTimes, signingKeys } from '../../shared/domain/signing-key.ts'
import { createMemoryCredentialStore, createMemoryDirectoryStore } from '../../shared/store/memory.ts'
import { aCluster, aPolicy, now } from '../fixtures/policies.ts'

const day = 86_400
const at = (seconds: number): Date => new Date(now.getTime() + seconds * 1000)

const aCredential = (
  principal: string,
  slots: Partial<Record<SlotName, Partial<Slot>>>,
  changes: Partial<Credential> = {},
): Credential => {
  const fresh = newCredential(principal, changes.cluster ?? 'main')
  return {
    ...fresh,
    slots: { a: { ...fresh.slots.a, ...slots.a }, b: { ...fresh.slots.b, ...slots.b } },
    ...changes,
  }
}

const active = (since: Date, checkedAt = now): Partial<Slot> => ({ state: 'active', since, checkedAt, health: 'works' })

const rotating = aCredential('billing', {
  a: { state: 'draining', since: at(-1200), checkedAt: now, health: 'works' },
  b: active(at(-1200)),
})
const fresh = aCredential('orders-api', {}, { cluster: 'other' })
const failing = aCredential('reports', { a: active(at(-29 * day)), b: { state: 'created', since: at(-600) } })

const stuck = Array.from({ length: 5 }).reduce<Credential>(
  (credential) =>
    fail(
      credential,
      { kind: 'create', slot: 'b', unlessLeased: false },
      'secret_denied',
      rotationContext(credential, undefined, now),
    ),
  failing,
)

const directories = createMemoryDirectoryStore()
const everything = { principal: undefined, cluster: undefined }

const find = async (credentials: readonly Credential[], filter: Partial<CredentialFilter> = {}, time = now) => {
  const store = createMemoryCredentialStore()
  for (const credential of credentials) await store.write(0, credential, undefined)
  return findCredentials(
    { ...everything, ...filter },
    { directories, credentials: store, signingKeyTimes: parseSigningKeyTimes('{}') },
    time,
  )
}

beforeEach(async () => {
  const { revision } = await directories.readPointer()
  const policy = aPolicy({ clusters: { main: aCluster(), other: aCluster() } })
  await directories.swapPointer(revision, {
    policy: await directories.writePolicy(policy),
    facts: undefined,
    next: undefined,
    denied: [],
  })
})

describe('stored credentials', () => {
  test('are listed by cluster and principal, with what is stuck before all', async () => {
    const found = await find([fresh, rotating, stuck])
    expect(found.map(({ principal }) => principal)).toEqual(['reports', 'billing', 'orders-api'])
    expect(found.map((each) => each.stuck)).toEqual([true, false, false])
  })

  test('of one principal, and of one cluster', async () => {
    const all = [fresh, rotating, stuck]
    expect(await find(all, { principal: 'billing' })).toHaveLength(1)
    expect(await find(all, { cluster: 'other' })).toMatchObject([{ principal: 'orders-api' }])
    expect(await find(all, { cluster: 'other', principal: 'billing' })).toEqual([])
  })

  test('are told their next step by the times that the policy gives their cluster', async () => {
    const aged = aCredential('billing', { a: active(at(-day), at(0)) })
    expect(await find([aged])).toMatchObject([{ next: { kind: 'wait' } }])
    const policy = aPolicy({ clusters: { main: aCluster({ rotation: { every: '1d' } }) } })
    const { revision } = await directories.readPointer()
    await directories.swapPointer(revision, {
      policy: await directories.writePolicy(policy),
      facts: undefined,
      next: undefined,
      denied: [],
    })

    expect(await find([aged])).toMatchObject([{ next: { kind: 'begin', slot: 'b' } }])
  })

  test('have the signing keys of the issuer among them, by times of their own', async () => {
    const { cluster, principal } = signingKeys
    const keys = { ...aCredential(principal, { a: active(at(-40 * day)) }, { cluster }), principal }
    expect(await find([keys])).toMatchObject([{ cluster: '@signing-keys', overdue: false, next: { kind: 'wait' } }])
  })

  test('are shown for a cluster that no policy has any more', async () => {
    const left = aCredential('billing', { a: { state: 'fenced' } }, { cluster: 'gone', wanted: false })
    expect(await find([left])).toMatchObject([{ cluster: 'gone', wanted: false, next: { kind: 'remove', slot: 'a' } }])
  })
})

test('the table says of each slot how it is, and of each credential what comes next and why', async () => {
  expect(renderCredentials(await find([rotating, fresh, stuck]), now)).toEqual([
    'CLUSTER  PRINCIPAL   SLOT  STATE     FOR      LOGIN     NEXT                                     PROBLEM',
    'main     reports     a     active    29d 0h   works     in 1m 20s: create failed: secret_denied  stuck after 5 x create: secret_denied',
    'main     reports     b     created   10m 00s  unprobed',
    'main     billing     a     draining  20m 00s  works     in 42m 00s: leases hold slot a',
    'main     billing     b     active    20m 00s  works',
    'other    orders-api  -     absent    -        -         now: begin slot a',
  ])
  expect(renderCredentials([], now)).toEqual(['no stored credential'])
})

test('a slot that somebody holds on to is overdue, and it says which', async () => {
  const held = aCredential('billing', {
    a: { state: 'draining', since: at(-31 * day), health: 'works' },
    b: active(at(-day)),
  })
  const [found] = await find([held])
  expect(found).toMatchObject({ overdue: true, drainsTooLong: ['a'] })
  expect(renderCredentials(found === undefined ? [] : [found], now).join('\n')).toContain(
    'overdue, somebody holds on to billing@a',
  )
  expect((await find([held], {}, at(-2 * day)))[0]).toMatchObject({ overdue: false, drainsTooLong: [] })
})
