import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createManagementApi } from '../../shared/clusters/confluent/management-api.ts'
import { ensureServiceAccounts, serviceAccountName } from '../../shared/clusters/confluent/service-accounts.ts'
import { tryRegistryKey } from '../../shared/clusters/confluent/try-registry-key.ts'
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

describe('the API key of a slot at the schema registry', () => {
  const makePair = async (place = a, name = user) => {
    const { apiKey, apiSecret } = await cloud.slotKeys('prod', 'registry').make(place, name)
    return { ...(await make(place, name)), registry: { username: apiKey, password: apiSecret } }
  }

  it('is the same account’s, and says where its own secret is', async () => {
    const { username, registry } = await makePair()
    expect(cloud.apiKeys.keys().find(({ id }) => id === registry.username)).toMatchObject({
      displayName: user,
      description: 'switchboard/prod/credentials/main/billing/registry-a',
      owner: cloud.accounts.billing,
      resource: { id: 'lsrc-1', environment: 'env-1' },
    })
    expect(await cloud.slotKeys().made(a, user)).toEqual([username])
    expect(await cloud.slotKeys('prod', 'registry').made(a, user)).toEqual([registry.username])
  })

  it('is seen to be there, and is lost when somebody deletes it, whatever becomes of the other', async () => {
    const pair = await makePair()
    expect(await cloud.backend().create([pair])).toEqual(only('done', user))
    expect(await cloud.backend().verify([pair])).toEqual(only('works', user))
    cloud.apiKeys.removeKey(pair.registry.username)
    expect(await cloud.backend().create([pair])).toEqual(only('lost', user))
    expect(await cloud.backend().verify([pair])).toEqual(only('refused', user))
  })

  it('that is there and does not work keeps nobody from the cluster for longer than a new one may take', async () => {
    const pair = await makePair()
    const wrong = { ...pair, registry: { ...pair.registry, password: 'of another' } }
    expect(await cloud.backend().verify([wrong])).toEqual(only('unreachable', user))
  })

  it('makes up for nothing that the cluster refuses', async () => {
    const pair = await makePair()
    expect(await cloud.backend().verify([{ ...pair, password: 'wrong' }])).toEqual(only('refused', user))
  })

  it('is taken away with the other, of whichever registry it is, and nobody else’s is', async () => {
    await makePair()
    const others = ['b', 'a'].map((slot) => {
      const made = cloud.apiKeys.addKey({
        displayName: user,
        description: `switchboard/${slot === 'b' ? 'prod' : 'other'}/credentials/main/billing/registry-${slot}`,
        owner: cloud.accounts.billing ?? '',
        resource: { id: 'lsrc-1', environment: 'env-1' },
      })
      if (typeof made === 'string') throw new Error(made)
      return made.id
    })
    cloud.apiKeys.addKey({
      displayName: user,
      description: 'switchboard/prod/credentials/main/billing/registry-a',
      owner: cloud.accounts.billing ?? '',
      resource: { id: 'lsrc-0', environment: 'env-1' },
    })
    expect(await cloud.backend().revoke([user])).toEqual(only('done', user))
    expect(ids()).toEqual(others)
  })

  it('is none of the keys of clusters, for which there is a quota', async () => {
    cloud.apiKeys.setLimit(1)
    await makePair()
    expect((await cloud.backend().look(['sb.billing@b'])).get('sb.billing@b')).toMatchObject({
      error: expect.objectContaining({ message: expect.stringContaining('has 1 API keys of 1') }),
    })
  })
})

describe('a login at a schema registry', () => {
  const answers = async (status: number) => {
    const sent: (string | undefined)[] = []
    const outcome = await tryRegistryKey(
      'https://psrc-1.acme.com',
      { username: 'KEY', password: 'secret' },
      async (input, init) => {
        sent.push(String(input), new Headers(init?.headers).get('authorization') ?? undefined, init?.redirect)
        return new Response(null, { status })
      },
    )
    return { outcome, sent }
  }

  it('is that of a client, and follows nobody elsewhere', async () => {
    expect((await answers(200)).sent).toEqual([
      'https://psrc-1.acme.com/subjects?limit=1',
      `Basic ${Buffer.from('KEY:secret').toString('base64')}`,
      'error',
    ])
  })

  it.each([
    [200, 'works'],
    // whoever has no role there yet is known all the same
    [403, 'works'],
    [401, 'refused'],
    [404, 'unreachable'],
    [503, 'unreachable'],
  ])('that is answered with %i %s', async (status, outcome) => {
    expect((await answers(status)).outcome).toBe(outcome)
  })

  it('that nobody answers is not held against the key', async () => {
    const fails: typeof fetch = () => Promise.reject(new TypeError('fetch failed'))
    expect(await tryRegistryKey('https://x.acme.com', { username: 'KEY', password: 'secret' }, fails)).toBe(
      'unreachable',
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
