import { describe, expect, test } from 'vitest'
import { findNewMatches } from '../../cli/new-matches.ts'
import { compileDirectory } from '../../shared/domain/directory.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { aFoundCluster, aSnapshot } from '../fixtures/inventories.ts'
import { anInventoryWorld } from '../fixtures/inventory-world.ts'
import { aCluster, aPolicy, now } from '../fixtures/policies.ts'

const arn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/two/0a1b2c3d-0000-4000-8000-000000000000-1'
const route: Policy['routes'][number] = { channel: 'kafka://acme/**', cluster: 'one', topic: '{path}' }
const policy = aPolicy({
  clusters: {
    one: aCluster({ labels: { tier: 'gold' } }),
    two: aCluster({ provider: 'msk', arn, auth: ['scram'], bootstrap: 'b-1.two:9096' }),
    three: aCluster({ bootstrap: 'b-1.three:9096' }),
  },
  routes: [{ ...route, selector: { labels: { tier: 'gold' } } }],
})

const tagged = (source: string, id: string, tier: string, bootstrap = 'b-1.elsewhere:9096') => {
  const listener = { field: 'BootstrapBrokerStringSaslScram', bootstrap, security: 'SASL_SSL', mechanisms: [] } as const
  return aSnapshot({ source, id, cluster: aFoundCluster({ tags: { tier }, listeners: [listener] }) })
}

const aWorld = async (given: Policy = policy) => {
  const world = await anInventoryWorld(given)
  let listings = 0
  const inventory = {
    ...world.inventory,
    list: (source?: string) => {
      listings += 1
      return world.inventory.list(source)
    },
  }
  const matches = async () =>
    (await findNewMatches(given, compileDirectory(given, '').directory, inventory)).map(({ match }) => match)
  return { ...world, matches, listings: () => listings }
}

describe('selectors have a new match', () => {
  test('in a cluster with such tags, which is known by its id, and no facts are read for that', async () => {
    const world = await aWorld()
    await world.found(tagged('prod', arn, 'gold'))

    expect(await world.matches()).toEqual(['two'])
    expect(world.read).toEqual([])
  })

  test('in a cluster that the policy knows by an address alone', async () => {
    const world = await aWorld()
    await world.found(tagged('prod', 'arn:three', 'gold', 'b-1.three:9096'))
    await world.found(tagged('prod', 'arn:four', 'gold'))

    expect(await world.matches()).toEqual(['three'])
  })

  test('in none that has other tags, has vanished, or is none of the policy', async () => {
    const world = await aWorld()
    await world.found(tagged('prod', 'arn:four', 'gold'))
    await world.found(tagged('prod', 'arn:three', 'silver', 'b-1.three:9096'))
    await world.found(tagged('prod', arn, 'gold'), { vanishedAt: now })

    expect(await world.matches()).toEqual([])
  })

  test('in none whose labels are those of an earlier policy, which crawl repeats until it looks again', async () => {
    const world = await aWorld()
    await world.found(tagged('kafka', 'three', 'gold'))

    expect(await world.matches()).toEqual([])
  })

  test('by what was seen last, where two sources know the cluster', async () => {
    const world = await aWorld({
      ...policy,
      routes: [{ ...route, selector: { labels: { tier: 'gold', env: 'prod' } } }],
    })
    const both = (source: string, tags: Readonly<Record<string, string>>) =>
      aSnapshot({ source, id: arn, cluster: aFoundCluster({ tags }) })
    await world.found(both('a', { tier: 'silver', env: 'prod' }), { seenAt: new Date(2) })
    await world.found(both('z', { tier: 'gold', env: 'prod' }), { seenAt: new Date(1) })

    expect(await world.matches()).toEqual([])
  })

  test('only where there are selectors: a policy that names its clusters reads nothing', async () => {
    const world = await aWorld({ ...policy, routes: [route] })
    await world.found(tagged('prod', arn, 'gold'))

    expect(await world.matches()).toEqual([])
    expect(world.listings()).toBe(0)
  })
})
