import { describe, expect, test } from 'vitest'
import { findClusters, renderClusters } from '../../cli/clusters.ts'
import { entryAfterFailure, entryAfterVanishing } from '../../shared/domain/inventory.ts'
import { aFoundCluster, anEntry, aSnapshot } from '../fixtures/inventories.ts'
import { anInventoryWorld } from '../fixtures/inventory-world.ts'
import { aCluster, now } from '../fixtures/policies.ts'

const arn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/payments/0a1b2c3d-0000-4000-8000-000000000000-1'
const ago = (hours: number): Date => new Date(now.getTime() - hours * 3_600_000)
const clusters = {
  main: aCluster(),
  payments: aCluster({ provider: 'msk', arn, auth: ['scram'] }),
  analytics: aCluster({ bootstrap: 'pkc-1.confluent.cloud:9092' }),
}

const rows = async (world: Awaited<ReturnType<typeof anInventoryWorld>>) =>
  renderClusters(await findClusters(world), now).map((line) => line.split(/ {2,}/))

describe('switchboard clusters', () => {
  test('has a line for each cluster, with the name that the policy gives it', async () => {
    const world = await anInventoryWorld({ clusters })
    await world.found(aSnapshot({ source: 'prod', id: arn }), { seenAt: ago(1) })

    const [head, row] = await rows(world)

    expect(head).toEqual('SOURCE NAME POLICY PROVIDER WHERE STATE VERSION TOPICS SEEN PROBLEM'.split(' '))
    expect(row).toEqual([
      'prod',
      'payments',
      'payments',
      'msk',
      '111122223333 eu-west-1',
      'ACTIVE',
      '3.8.x',
      '2',
      '1h 00m ago',
    ])
  })

  test('knows a cluster of the policy by an address where neither name nor ARN says it', async () => {
    const world = await anInventoryWorld({ clusters })
    const listeners = [
      {
        field: 'PUBLIC',
        bootstrap: 'pkc-1.confluent.cloud:9092',
        security: 'SASL_SSL' as const,
        mechanisms: ['OAUTHBEARER'],
      },
    ]
    const cluster = aFoundCluster({ provider: 'confluent', name: 'dwh', environment: 'env-1', listeners })
    await world.found(aSnapshot({ source: 'acme', id: 'lkc-1', cluster }))

    expect((await findClusters(world)).clusters).toMatchObject([{ id: 'lkc-1', policyName: 'analytics' }])
  })

  test('reads no facts of clusters that their ids name, and none where the policy has no addresses', async () => {
    const { payments } = clusters
    for (const policy of [
      { clusters, id: arn },
      { clusters: { payments }, routes: [], id: 'arn:other' },
    ]) {
      const { id, ...given } = policy
      const world = await anInventoryWorld(given)
      await world.found(aSnapshot({ source: 'prod', id }))

      await findClusters(world)

      expect(world.read).toEqual([])
    }
  })

  test('says what fails since when, what vanished, what was not seen and what clients are not told', async () => {
    const world = await anInventoryWorld({ clusters })
    const failing = { code: 'denied', detail: 'the login was refused' } as const
    await world.found(aSnapshot({ source: 'prod', id: 'a' }), { failing: { ...failing, since: ago(2) } })
    await world.foundEntry(entryAfterVanishing(anEntry(aSnapshot({ source: 'prod', id: 'b' })), ago(48)))
    await world.found(aSnapshot({ source: 'prod', id: 'c' }), { unknown: { acls: { ...failing, since: ago(3) } } })
    await world.found(aSnapshot({ source: 'prod', id: 'd' }), {
      withheld: { listeners: ['BootstrapBrokerStringSaslScram'], since: ago(1) },
    })
    await world.foundEntry(entryAfterFailure({ source: 'prod', id: 'e' }, undefined, failing, ago(1), 'young'))

    expect((await rows(world)).slice(1).map((row) => row.slice(-2))).toEqual([
      [expect.anything(), 'denied for 2h 00m: the login was refused'],
      [expect.anything(), 'vanished 2d 0h ago'],
      [expect.anything(), 'acls not seen: denied for 3h 00m: the login was refused'],
      [expect.anything(), 'kept from clients for 1h 00m: without BootstrapBrokerStringSaslScram'],
      ['never', 'denied for 1h 00m: the login was refused'],
    ])
  })

  test('names the sources that cannot be listed, or not whole', async () => {
    const world = await anInventoryWorld({ clusters })
    const failure = { code: 'denied', detail: 'no rights', since: ago(1) } as const
    const source = { triedAt: now, listedAt: ago(2), clusters: 1, failing: undefined, unlisted: [] }
    await world.inventory.writeSource({ ...source, source: 'acme', unlisted: [{ ...failure, prefix: 'env-2/' }] })
    await world.inventory.writeSource({ ...source, source: 'prod', failing: failure })

    expect(renderClusters(await findClusters(world), now).slice(1)).toEqual([
      'acme: env-2/ cannot be listed, denied for 1h 00m: no rights',
      'prod: cannot be listed, denied for 1h 00m: no rights',
    ])
  })

  test('says what to do when nothing was found yet', async () => {
    expect(renderClusters(await findClusters(await anInventoryWorld()), now)).toEqual([
      'no crawl has found a cluster yet; `switchboard crawl` looks now',
    ])
  })
})
