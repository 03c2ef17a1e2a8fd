import { describe, expect, test } from 'vitest'
import { type CatalogDeps, catalogAsJson, renderRows, renderUnused, searchCatalog } from '../../cli/catalog.ts'
import type { CatalogQuery, CatalogRow } from '../../shared/domain/catalog.ts'
import { aFoundCluster, anEntry, aSnapshot, aTopic } from '../fixtures/inventories.ts'
import { anInventoryWorld } from '../fixtures/inventory-world.ts'
import { aCluster, aPolicy, now } from '../fixtures/policies.ts'

const days = (count: number): Date => new Date(now.getTime() + count * 86_400_000)

const policy = {
  clusters: { main: aCluster(), other: aCluster({ bootstrap: 'other:9093' }) },
  grants: [
    { principals: ['orders-api'], produce: ['kafka://acme/orders/**'] },
    { principals: { labels: { team: 'billing' } }, consume: ['kafka://acme/orders/*'] },
  ],
  routes: [
    { channel: 'kafka://acme/orders/{event}', cluster: 'main', topic: 'orders.{event}' },
    { channel: 'kafka://beta/**', cluster: 'other', topic: '{path}' },
  ],
}

const ofCluster = (id: string, topics: readonly string[], tags: Readonly<Record<string, string>> = {}) =>
  aSnapshot({
    source: 'kafka',
    id,
    cluster: aFoundCluster({ provider: 'kafka', name: id, tags }),
    parts: { topics: topics.map((name) => aTopic(name)) },
  })

const aWorld = async () => {
  const world = await anInventoryWorld(policy)
  await world.found(ofCluster('main', ['orders.created', 'orders.paid', 'scratch'], { owner: 'payments', env: 'prod' }))
  await world.found(ofCluster('other', ['audit']))
  return world
}

const aLease = (principal: string, intent: unknown, channel: string, expiresAt: Date) => ({
  principal,
  id: `lease_${principal}`,
  instance: undefined,
  intent,
  clusters: ['main'],
  channels: [channel],
  directory: 'sha256:x',
  issuedAt: now,
  expiresAt,
  etag: 'x',
  credentialExpiresAt: expiresAt,
})

const rowsOf = async (deps: CatalogDeps, query: CatalogQuery = {}): Promise<readonly CatalogRow[]> => {
  const rows: CatalogRow[] = []
  for await (const row of (await searchCatalog(query, deps, now)).rows) rows.push(row)
  return rows
}
const shown = async (deps: CatalogDeps, query: CatalogQuery = {}) =>
  (await rowsOf(deps, query)).map(({ channel, topic }) => `${topic} <- ${channel}`)

describe('switchboard catalog', () => {
  test('has the channels of every cluster, and the topics that no route reaches', async () => {
    expect(await shown(await aWorld())).toEqual([
      'orders.created <- kafka://acme/orders/created',
      'orders.paid <- kafka://acme/orders/paid',
      'scratch <- undefined',
      'audit <- kafka://beta/audit',
    ])
  })

  test('says who uses a channel, by leases of now and by what is on record of earlier ones', async () => {
    const world = await aWorld()
    const channel = 'kafka://acme/orders/created'
    await world.leases.create(aLease('orders-api', { produce: [channel] }, channel, days(1)), 10, now)
    await world.uses.write({
      principal: 'billing',
      asked: { produce: [], consume: [channel] },
      clusters: ['main'],
      until: days(-20),
    })

    const [row, other] = await rowsOf(world, { words: ['orders'] })

    expect(row).toMatchObject({ producers: ['orders-api'], consumers: ['billing'], unused: undefined })
    expect(other).toMatchObject({ producers: [], consumers: [], unused: 'no-lease' })
  })

  test('counts a token for what the grants of its holder give, by the labels it was last seen with', async () => {
    const world = await aWorld()
    await world.access.request('main', 'reports', { team: 'billing' }, now)
    await world.leases.create(aLease('reports', { token: 'main' }, '', days(1)), 10, now)

    expect(await rowsOf(world, { words: ['created'] })).toMatchObject([{ consumers: ['reports'] }])
  })

  test('is searched by words, owner, label and cluster', async () => {
    const world = await aWorld()

    expect(await shown(world, { words: ['ORDERS', 'paid'] })).toEqual(['orders.paid <- kafka://acme/orders/paid'])
    expect(await shown(world, { owner: 'payments' })).toHaveLength(3)
    expect(await shown(world, { labels: { env: 'prod' } })).toHaveLength(3)
    expect(await shown(world, { labels: { env: 'lab' } })).toEqual([])
    expect(await shown(world, { cluster: 'other' })).toEqual(['audit <- kafka://beta/audit'])
  })

  test('reads no facts of clusters that cannot be in the answer', async () => {
    const world = await aWorld()

    await shown(world, { cluster: 'other' })
    await shown(world, { owner: 'payments' })

    expect(world.read).toHaveLength(2)
  })

  test('finds a cluster by the name of the policy where only an address says that it is the one', async () => {
    const world = await aWorld()
    const listeners = [
      { field: 'PUBLIC', bootstrap: 'other:9093', security: 'SASL_SSL' as const, mechanisms: ['PLAIN'] },
    ]
    const cluster = aFoundCluster({ provider: 'confluent', name: 'dwh', listeners })
    await world.found(aSnapshot({ source: 'acme', id: 'lkc-1', cluster, parts: { topics: [aTopic('events')] } }))

    expect(await shown(world, { cluster: 'other', words: ['events'] })).toEqual(['events <- kafka://beta/events'])
  })

  test('has a cluster once that two sources know, as its control plane has it, unless that could not see its topics', async () => {
    const listeners = [
      { field: 'PUBLIC', bootstrap: 'other:9093', security: 'SASL_SSL' as const, mechanisms: ['PLAIN'] },
    ]
    const cluster = aFoundCluster({ provider: 'confluent', name: 'dwh', listeners })
    const sourcesWith = async (parts: { topics?: ReturnType<typeof aTopic>[] }) => {
      const world = await aWorld()
      await world.found(aSnapshot({ source: 'zeta', id: 'lkc-1', cluster, parts }))
      return (await rowsOf(world, { cluster: 'other' })).map(({ source }) => source)
    }

    expect(await sourcesWith({ topics: [aTopic('audit')] })).toEqual(['zeta'])
    expect(await sourcesWith({})).toEqual(['kafka'])
  })

  test('leaves out a cluster that is not there any more', async () => {
    const world = await aWorld()
    await world.found(ofCluster('gone', ['t']), { vanishedAt: now })

    expect((await rowsOf(world)).map(({ cluster }) => cluster)).not.toContain('gone')
  })

  test('reads few snapshots ahead of the row that is looked at', async () => {
    const world = await anInventoryWorld(policy)
    for (let at = 0; at < 50; at++) await world.found(ofCluster(`c-${at}`, [`t-${at}`]))
    const { rows } = await searchCatalog({}, world, now)

    await rows[Symbol.asyncIterator]().next()

    expect(world.read.length).toBeLessThan(6)
  })

  test('reads a cluster again that changed twice while it was being read', async () => {
    const world = await aWorld()
    const [before, after] = [ofCluster('main', ['orders.created']), ofCluster('main', ['orders.refunded'])]
    const old = anEntry(before)
    const inventory: CatalogDeps['inventory'] = {
      ...world.inventory,
      list: async function* () {
        yield { entry: old, revision: 1, superseded: undefined }
      },
    }
    for (const topics of [['a'], ['b']]) await world.found(ofCluster('main', topics))
    await world.found(after)

    expect(await shown({ ...world, inventory })).toEqual(['orders.refunded <- kafka://acme/orders/refunded'])
  })
})

describe('what a person sees of the catalog', () => {
  test('is one line a channel, with who may use it and who does from left to right', async () => {
    const world = await aWorld()
    const channel = 'kafka://acme/orders/created'
    await world.leases.create(aLease('orders-api', { produce: [channel] }, channel, days(1)), 10, now)

    const [head, row] = await renderRows((await searchCatalog({ words: ['created'] }, world, now)).rows)

    expect(head?.split(/ {2,}/)).toEqual(
      'CHANNEL,TOPIC,CLUSTER,PARTITIONS,OWNER,MAY USE IT,USES IT,SCHEMAS,LABELS'.split(','),
    )
    expect(row?.split(/ {2,}/)).toEqual([
      channel,
      'orders.created',
      'main',
      '6',
      'payments',
      'orders-api -> team=billing',
      'orders-api -> -',
      '-',
      'env=prod, owner=payments',
    ])
  })

  test('ends after as many rows as somebody reads, and what comes after them is not read', async () => {
    const world = await anInventoryWorld(policy)
    const many = Array.from({ length: 600 }, (_, at) => `t-${at}`)
    for (let at = 0; at < 20; at++) await world.found(ofCluster(`c-${String(at).padStart(2, '0')}`, many))

    const lines = await renderRows((await searchCatalog({}, world, now)).rows)

    expect(lines).toHaveLength(1_002)
    expect(lines.at(-1)).toBe('the first 1000; search for more words, or take all with --json')
    expect(world.read.length).toBeLessThan(8)
  })

  test('says it when nothing was found', async () => {
    expect(await renderRows((await searchCatalog({ words: ['nothing'] }, await aWorld(), now)).rows)).toEqual([
      'nothing found',
    ])
  })

  test('with --unused has the routes without a lease and the grants that were never used', async () => {
    const world = await aWorld()
    const used = {
      principal: 'orders-api',
      asked: { produce: ['kafka://acme/orders/a'], consume: [] },
      clusters: ['main'],
    }
    await world.uses.write({ ...used, until: days(-31) })

    expect(renderUnused(await searchCatalog({ unused: true }, world, now))).toEqual([
      '',
      'routes without a lease for 30 days',
      '  ROUTE      CHANNEL                      CLUSTER  LAST LEASE',
      `  routes[0]  kafka://acme/orders/{event}  main     ${days(-31).toISOString()}`,
      '  routes[1]  kafka://beta/**              other    never',
      '',
      'grants never used',
      '  GRANT      PRINCIPALS    EXPIRED',
      '  grants[1]  team=billing  no',
    ])
  })

  test('says it when everything is used', async () => {
    const world = await anInventoryWorld({ ...policy, grants: [], routes: [] })

    expect(renderUnused(await searchCatalog({ unused: true }, world, now))).toEqual([
      '',
      'every route was taken by a lease of the last 30 days',
      '',
      'every grant was used',
    ])
  })
})

describe('the catalog as JSON', () => {
  const textOf = async (query: CatalogQuery, withUnused: boolean): Promise<string> => {
    const lines: string[] = []
    for await (const line of catalogAsJson(await searchCatalog(query, await aWorld(), now), withUnused))
      lines.push(line)
    return lines.join('\n')
  }

  test('is one document with all rows', async () => {
    const rows = await rowsOf(await aWorld())

    expect(JSON.parse(await textOf({}, false))).toEqual({ rows: JSON.parse(JSON.stringify(rows)) })
  })

  test('is a document also when nothing was found', async () => {
    expect(JSON.parse(await textOf({ words: ['nothing'] }, false))).toEqual({ rows: [] })
  })

  test('has the unused routes and grants when they were asked for', async () => {
    const { unusedRoutes, unusedGrants } = JSON.parse(await textOf({ unused: true }, true))

    expect(unusedRoutes).toHaveLength(policy.routes.length)
    expect(unusedGrants).toHaveLength(aPolicy(policy).grants.length)
  })
})
