import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createManagementApi } from '../../shared/clusters/confluent/management-api.ts'
import { ensureServiceAccounts, serviceAccountName } from '../../shared/clusters/confluent/service-accounts.ts'
import { type SimulatedApiKeys, startApiKeys } from '../fixtures/simulated-api-keys.ts'

let cloud: SimulatedApiKeys
beforeEach(async () => {
  cloud = await startApiKeys(['billing', 'search'])
})
afterEach(() => cloud.stop())

const a = { cluster: 'main', principal: 'billing', slot: 'a' } as const
const user = 'sb.billing@a'
const only = (outcome: string, ...names: readonly string[]) => new Map(names.map((name) => [name, { outcome }]))
const make = async (place = a, name = user, stack?: string) => {
  const { apiKey, apiSecret } = await cloud.slotKeys(stack).make(place, name)
  return { name, username: apiKey, password: apiSecret }
}
const ids = () => cloud.apiKeys.keys().map(({ id }) => id)

/** Keys that are like ours but for one thing each. */
const strangers = (): readonly string[] => {
  const [mine] = cloud.apiKeys.keys()
  if (mine === undefined) throw new Error('expected a key of ours')
  return [
    { ...mine, description: 'made by hand' },
    { ...mine, description: mine.description.replace('/prod/', '/other/') },
    { ...mine, description: mine.description.replace('slot-a', 'slot-b') },
    { ...mine, owner: cloud.accounts.search ?? '' },
    { ...mine, resource: { id: 'lkc-2', environment: 'env-1' } },
  ].map((key) => {
    const made = cloud.apiKeys.addKey(key)
    if (typeof made === 'string') throw new Error(made)
    return made.id
  })
}

describe('the API key of a slot', () => {
  it('is that of the principal’s service account on the cluster, and says where its secret is', async () => {
    await make()
    expect(cloud.apiKeys.keys()).toMatchObject([
      {
        displayName: user,
        description: 'switchboard/prod/credentials/main/billing/slot-a',
        owner: cloud.accounts.billing,
        resource: { id: 'lkc-1', environment: 'env-1' },
      },
    ])
  })

  it('works once it was made, is seen to be there, and is lost when somebody deletes it', async () => {
    const made = await make()
    expect(await cloud.backend().create([made])).toEqual(only('done', user))
    expect(await cloud.backend().verify([made])).toEqual(only('works', user))
    cloud.apiKeys.removeKey(made.username)
    expect(await cloud.backend().create([made])).toEqual(only('lost', user))
    expect(await cloud.backend().verify([made])).toEqual(only('refused', user))
  })

  it('is taken away with all that were made for the slot, and nobody else’s', async () => {
    await make()
    const others = strangers()
    await make()
    expect(await cloud.backend().revoke([user, 'sb.search@b'])).toEqual(only('done', user, 'sb.search@b'))
    expect(ids()).toEqual(others)
    expect(await cloud.backend().revoke([user])).toEqual(only('done', user))
  })

  it('that is called otherwise is left alone, and somebody has to look', async () => {
    await make(a, 'other.billing@a')
    const foreign = { outcome: 'failed', reason: 'secret_foreign' }
    expect((await cloud.backend().revoke([user])).get(user)).toMatchObject(foreign)
    expect(ids()).toHaveLength(1)
  })

  it('finds room as long as the account has fewer than Confluent says, orphans of the slot aside', async () => {
    cloud.apiKeys.setLimit(2)
    const elsewhere = { id: 'lkc-2', environment: 'env-1' }
    cloud.apiKeys.addKey({
      displayName: 'x',
      description: 'x',
      owner: cloud.accounts.billing ?? '',
      resource: elsewhere,
    })
    expect(await cloud.backend().look([user])).toEqual(only('free', user))
    await make()
    expect(await cloud.backend().look([user])).toEqual(only('free', user))
    expect((await cloud.backend().look(['sb.billing@b'])).get('sb.billing@b')).toMatchObject({
      outcome: 'failed',
      reason: 'cluster_full',
      error: expect.objectContaining({
        message: 'there is no room for `sb.billing@b`: its service account has 2 API keys of 2',
      }),
    })
    expect(await cloud.backend().look(['sb.search@a'])).toEqual(only('free', 'sb.search@a'))
  })

  it('needs a service account in the policy', async () => {
    expect((await cloud.backend().look(['sb.nobody@a'])).get('sb.nobody@a')).toMatchObject({ reason: 'cluster_failed' })
    expect((await cloud.backend().look(['stranger'])).get('stranger')).toMatchObject({ reason: 'unexpected' })
  })

  it.each([
    ['throttled', 'cluster_unavailable'],
    ['internal-error', 'cluster_unavailable'],
    ['unauthenticated', 'cluster_denied'],
    ['forbidden', 'cluster_denied'],
  ] as const)('fails with what Confluent says: %s', async (kind, reason) => {
    const made = await make()
    cloud.plane.faults.inject({ kind })
    const backend = cloud.backend()
    for (const outcomes of [await backend.look([user]), await backend.create([made]), await backend.revoke([user])])
      expect(outcomes.get(user)).toMatchObject({ outcome: 'failed', reason })
    await expect(make()).rejects.toMatchObject({ reason })
    cloud.plane.faults.clear()
    expect(ids()).toHaveLength(1)
  })

  it('is not made beyond a quota, and that is said as such', async () => {
    cloud.plane.faults.inject({ kind: 'quota' })
    await expect(make()).rejects.toMatchObject({ reason: 'cluster_full' })
    expect(ids()).toEqual([])
  })

  it('is made once for each time it is asked for: an answer that was lost is not asked for again', async () => {
    cloud.plane.faults.inject({ kind: 'answer-lost', where: 'POST /iam/v2/api-keys', calls: 1 })
    await expect(make()).rejects.toMatchObject({ reason: 'cluster_unavailable' })
    expect(ids()).toHaveLength(1)
  })

  it('tells nobody its secret again, in no error either', async () => {
    const { password } = await make()
    cloud.plane.faults.inject({ kind: 'internal-error' })
    const outcomes = await cloud.backend().revoke([user])
    expect(JSON.stringify([...outcomes], (_, value) => (value instanceof Error ? String(value) : value))).not.toContain(
      password,
    )
  })
})

describe('service accounts', () => {
  const ensure = (...names: readonly string[]) =>
    ensureServiceAccounts(
      createManagementApi({
        fetch,
        url: cloud.plane.url,
        key: { key: 'CLOUDKEY', secret: 'of the platform team' },
        wait: async () => {},
      }),
      names,
    )

  it('are made once and found again by their names', async () => {
    const first = await ensure('analytics/sb.billing', 'analytics/sb.search')
    expect(first.map(({ outcome }) => outcome)).toEqual(['made', 'made'])
    const second = await ensure('analytics/sb.billing', 'analytics/sb.search')
    expect(second).toEqual(first.map(({ id }) => ({ id, outcome: 'there' })))
  })

  it('that somebody else made are not taken, whatever they are called', async () => {
    await expect(ensure('main/sb.billing')).rejects.toThrow(/is described as `of a test`; allowed:/)
  })

  it('have names that Confluent takes, and no two of them the same', async () => {
    const long = (end: string) => serviceAccountName('c'.repeat(63), `sb.${'p'.repeat(62)}${end}`)
    expect(serviceAccountName('analytics', 'sb.billing')).toBe('analytics/sb.billing')
    expect(long('a')).toHaveLength(64)
    expect(long('a')).not.toBe(long('b'))
    expect((await ensure(long('a'), long('b'))).map(({ outcome }) => outcome)).toEqual(['made', 'made'])
  })
})
