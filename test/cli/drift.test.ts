import { describe, expect, test } from 'vitest'
import { driftError, findDrift, renderDrift } from '../../cli/drift.ts'
import { entryAfterVanishing } from '../../shared/domain/inventory.ts'
import { aFoundCluster, anEntry, aSnapshot, aTopic } from '../fixtures/inventories.ts'
import { anInventoryWorld } from '../fixtures/inventory-world.ts'
import { aCluster, now } from '../fixtures/policies.ts'

const arn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/payments/0a1b2c3d-0000-4000-8000-000000000000-1'

const policy = {
  clusters: {
    main: aCluster(),
    payments: aCluster({ provider: 'msk', arn, auth: ['scram'], bootstrap: 'b-1.payments:9096' }),
  },
  routes: [{ channel: 'kafka://acme/orders', cluster: 'main', topic: 'orders' }],
}

const ofMain = (topics: readonly string[]) =>
  aSnapshot({
    source: 'kafka',
    id: 'main',
    cluster: aFoundCluster({ provider: 'kafka', name: 'main' }),
    parts: { topics: topics.map((name) => aTopic(name)), acls: [], users: [] },
  })
const ofPayments = aSnapshot({ source: 'prod', id: arn })

describe('switchboard drift', () => {
  test('ends with 0 and says so when all is as the policy says', async () => {
    const world = await anInventoryWorld(policy)
    await world.found(ofMain(['orders']))
    await world.found(ofPayments)

    const drift = await findDrift(undefined, world, now)

    expect(renderDrift(drift)).toEqual(['no drift'])
    expect(driftError(drift)).toBeUndefined()
  })

  test('ends with 1 when something is other, and shows what', async () => {
    const world = await anInventoryWorld(policy)
    await world.found(ofMain([]))

    const drift = await findDrift(undefined, world, now)

    expect(renderDrift(drift)).toEqual([
      'CLUSTER   DRIFT    WHAT     NAME      DETAIL',
      'main      missing  topic    orders    the route of `kafka://acme/orders` leads there',
      'payments  missing  cluster  payments  no crawl came across it',
    ])
    expect(driftError(drift)).toMatchObject({ exitCode: 1, message: '2 differences' })
  })

  test('ends with 3 when nothing is other as far as anybody can tell, and says what cannot be told and why', async () => {
    const world = await anInventoryWorld(policy)
    const failing = { code: 'denied', detail: 'the login was refused', since: now } as const
    await world.found(ofMain(['orders']), { failing })
    await world.found(ofPayments)

    const drift = await findDrift(undefined, world, now)

    expect(renderDrift(drift)).toEqual([
      'cannot be told',
      ...['topics'].map((what) => `  main: ${what}: denied since ${now.toISOString()}: the login was refused`),
    ])
    expect(driftError(drift)).toMatchObject({ exitCode: 3 })
  })

  test('shows selectors that match another cluster by its tags, which is no drift', async () => {
    const selector = { labels: { env: 'prod' } }
    const world = await anInventoryWorld({ ...policy, routes: policy.routes.map((route) => ({ ...route, selector })) })
    await world.found(ofMain(['orders']))
    await world.found(ofPayments)

    const drift = await findDrift(undefined, world, now)

    expect(renderDrift(drift)).toEqual([
      'no drift',
      '',
      'selectors that match another cluster by now',
      '  routes[0].cluster: `env=prod` matches `payments` by its tags; the route stays on `main`',
    ])
    expect(driftError(drift)).toBeUndefined()
  })

  test('is about one cluster when one is named, and names them all when there is none so', async () => {
    const world = await anInventoryWorld(policy)
    await world.found(ofMain([]))

    expect((await findDrift('payments', world, now)).differences).toMatchObject([{ cluster: 'payments' }])
    await expect(findDrift('nowhere', world, now)).rejects.toThrow('the policy has `main`, `payments`')
  })

  test('takes the cluster that is there, not the one that vanished from another source', async () => {
    const world = await anInventoryWorld(policy)
    await world.found(ofMain(['orders']))
    for (const source of ['a', 'z']) {
      const vanished = aSnapshot({ source, id: arn })
      await world.found(vanished)
      await world.foundEntry(entryAfterVanishing(anEntry(vanished), now))
    }
    await world.found(ofPayments)

    expect(await findDrift(undefined, world, now)).toEqual({ differences: [], untold: [], newMatches: [] })
  })
})
