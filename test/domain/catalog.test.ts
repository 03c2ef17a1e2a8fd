import { describe, expect, test } from 'vitest'
import { type CatalogQuery, type CatalogRow, createCatalog, type Use } from '../../shared/domain/catalog.ts'
import { parseChannelPattern } from '../../shared/domain/channel.ts'
import type { Snapshot } from '../../shared/domain/inventory.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { aSnapshot, aTopic } from '../fixtures/inventories.ts'
import { aCluster, aDirectory, now } from '../fixtures/policies.ts'

const daysAgo = (days: number): Date => new Date(now.getTime() - days * 86_400_000)

const aUse = (principal: string, action: Use['action'], channels: string, given: Partial<Use> = {}): Use => {
  const parsed = parseChannelPattern(channels)
  if (!parsed.ok) throw new Error(parsed.detail)
  return { principal, labels: {}, action, channels: parsed.value, clusters: ['main'], until: daysAgo(-1), ...given }
}

const policy: Partial<Policy> = {
  clusters: { main: aCluster(), other: aCluster() },
  grants: [
    { principals: ['orders-api'], produce: ['kafka://acme/orders/**'] },
    { principals: { labels: { team: 'billing' } }, consume: ['kafka://acme/orders/*'] },
    { principals: ['gone'], consume: ['kafka://acme/orders/**'], until: '2026-01-01' },
  ],
  routes: [
    { channel: 'kafka://acme/orders/{event}', cluster: 'main', topic: 'orders.{event}.v3' },
    { channel: 'kafka://acme/**', cluster: 'main', topic: 'x.{path}' },
    { channel: 'kafka://beta/**', cluster: 'other', topic: '{path}' },
  ],
}

const withTopics = (names: readonly string[], given: Partial<Snapshot> = {}): Snapshot =>
  aSnapshot({ parts: { topics: names.map((name) => aTopic(name)) }, ...given })

const rows = (
  names: readonly string[],
  {
    query,
    uses = [],
    policyName = 'main',
  }: { query?: CatalogQuery; uses?: readonly Use[]; policyName?: string | null } = {},
): readonly CatalogRow[] => [
  ...createCatalog({ directory: aDirectory(policy), uses, now }).rowsOf(
    { snapshot: withTopics(names), policyName: policyName ?? undefined },
    query,
  ),
]

const shown = (list: readonly CatalogRow[]) => list.map(({ channel, topic }) => `${topic} <- ${channel}`)

describe('a row of the catalog', () => {
  test('leads from a topic back to its channel, with who may use it', () => {
    expect(rows(['orders.created.v3'])).toEqual([
      {
        channel: 'kafka://acme/orders/created',
        topic: 'orders.created.v3',
        cluster: 'main',
        source: 'prod/eu-west-1',
        id: 'arn:payments',
        partitions: 6,
        replication: 3,
        subjects: [],
        owner: 'team-payments',
        labels: { env: 'prod', owner: 'team-payments' },
        mayProduce: ['orders-api'],
        mayConsume: ['team=billing'],
        producers: [],
        consumers: [],
        unused: 'no-lease',
      },
    ])
  })

  test('says who does use it, of leases of the last 30 days that led here', () => {
    const uses = [
      aUse('orders-api', 'produce', 'kafka://acme/orders/created'),
      aUse('billing', 'consume', 'kafka://acme/orders/*', { until: daysAgo(29) }),
      aUse('former', 'consume', 'kafka://acme/orders/created', { until: daysAgo(31) }),
      aUse('elsewhere', 'consume', 'kafka://acme/orders/created', { clusters: ['other'] }),
    ]

    const [row] = rows(['orders.created.v3'], { uses })

    expect(row).toMatchObject({ producers: ['orders-api'], consumers: ['billing'], unused: undefined })
  })

  test('of a topic that no route reaches has no channel', () => {
    expect(rows(['Not..a.channel'])).toMatchObject([{ channel: undefined, unused: 'no-route' }])
  })

  test('of a cluster that the policy does not know has no channel, and the name that its provider gives it', () => {
    expect(rows(['orders.created.v3'], { policyName: null })).toMatchObject([
      { channel: undefined, cluster: 'payments' },
    ])
  })

  test('is not there for a channel that an earlier route takes', () => {
    // the second route would render it, but the first one leads `orders/created` elsewhere
    expect(shown(rows(['x.orders.created', 'x.orders']))).toEqual([
      'x.orders.created <- undefined',
      'x.orders <- kafka://acme/orders',
    ])
  })

  test('has the subjects of its topic', () => {
    const subjects = [{ name: 'a-value' }, { name: ':.staging:a-key' }, { name: 'b-value' }, { name: 'a' }]
    const snapshot = withTopics(['a'], {
      parts: { topics: [aTopic('a')], registries: [{ id: 'lsrc-1', url: 'https://sr', subjects }] },
    })
    const catalog = createCatalog({ directory: aDirectory(policy), uses: [], now })

    expect([...catalog.rowsOf({ snapshot, policyName: 'main' })]).toMatchObject([
      { subjects: ['a-value', ':.staging:a-key'] },
    ])
  })

  test('of channels that share a topic names their pattern', () => {
    const directory = aDirectory({
      routes: [{ channel: 'kafka://acme/audit/**', cluster: 'main', topic: 'audit', shared: true }],
    })
    const catalog = createCatalog({ directory, uses: [], now })

    const found = [...catalog.rowsOf({ snapshot: withTopics(['audit']), policyName: 'main' })]
    expect(found).toMatchObject([{ channel: 'kafka://acme/audit/**', topic: 'audit' }])
  })
})

describe('a search', () => {
  const names = ['orders.created.v3', 'x.payments.made', 'audit']

  test.each<[CatalogQuery, readonly string[]]>([
    [{}, ['orders.created.v3', 'x.payments.made', 'audit']],
    [{ words: ['ORDERS', 'v3'] }, ['orders.created.v3']],
    [{ words: ['team-payments', 'audit'] }, ['audit']],
    [{ words: ['nothing'] }, []],
    [{ words: ['kafka://acme/orders/cre'] }, ['orders.created.v3']],
    [{ words: ['acme', 'made'] }, ['x.payments.made']],
    [{ owner: 'team-payments' }, ['orders.created.v3', 'x.payments.made', 'audit']],
    [{ owner: 'team' }, []],
    [{ labels: { env: 'prod' }, words: ['audit'] }, ['audit']],
    [{ labels: { env: 'test' } }, []],
    [{ cluster: 'payments', words: ['audit'] }, ['audit']],
    [{ cluster: 'arn:payments', words: ['audit'] }, ['audit']],
    [{ cluster: 'other' }, []],
  ])('of %j finds %j', (query, topics) => {
    expect(rows(names, { query }).map(({ topic }) => topic)).toEqual(topics)
  })

  test('for what is unused leaves out what a lease leads to', () => {
    const uses = [aUse('pay', 'consume', 'kafka://acme/payments/**')]

    expect(rows(names, { query: { unused: true }, uses }).map(({ topic }) => topic)).not.toContain('x.payments.made')
  })

  test('for words finds them among 100,000 topics of 100 clusters', () => {
    const clusters = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`c-${at}`, aCluster()]))
    const directory = aDirectory({
      clusters,
      grants: Array.from({ length: 1_000 }, (_, at) => ({
        principals: [`svc-${at}`],
        consume: [`kafka://d${at % 100}/team-${at}/**`],
      })),
      routes: Array.from({ length: 100 }, (_, at) => ({
        channel: `kafka://d${at}/{team}/{event}`,
        cluster: `c-${at}`,
        topic: '{team}.{event}',
      })),
    })
    const uses = Array.from({ length: 10_000 }, (_, at) =>
      aUse(`svc-${at}`, 'consume', `kafka://d${at % 100}/team-${at % 1_000}/event-1`, { clusters: [`c-${at % 100}`] }),
    )
    const snapshots = Array.from({ length: 100 }, (_, cluster) =>
      withTopics(
        Array.from({ length: 1_000 }, (_, at) => `team-${at}.event-1`),
        { id: `arn:${cluster}` },
      ),
    )
    const count = (query: CatalogQuery): number => {
      const catalog = createCatalog({ directory, uses, now })
      return snapshots.reduce(
        (sum, snapshot, at) => sum + [...catalog.rowsOf({ snapshot, policyName: `c-${at}` }, query)].length,
        0,
      )
    }

    expect(count({ words: ['team-77', 'event'] })).toBe(1_100)
    expect(count({ unused: true, cluster: 'c-1' })).toBe(990)
  })
})

describe('what nobody uses', () => {
  test('are routes that no lease of the last 30 days took', () => {
    const uses = [
      aUse('orders-api', 'produce', 'kafka://acme/orders/created'),
      aUse('x', 'consume', 'kafka://beta/x', { clusters: ['other'], until: daysAgo(40) }),
    ]
    const catalog = createCatalog({ directory: aDirectory(policy), uses, now })

    expect(catalog.unusedRoutes()).toEqual([
      { position: 1, channel: 'kafka://acme/**', cluster: 'main', lastLease: undefined },
      { position: 2, channel: 'kafka://beta/**', cluster: 'other', lastLease: daysAgo(40) },
    ])
  })

  test('are grants whose holders never asked for what they give', () => {
    const uses = [
      aUse('orders-api', 'produce', 'kafka://acme/orders/created'),
      aUse('someone-else', 'consume', 'kafka://acme/orders/created'),
      aUse('gone', 'produce', 'kafka://acme/orders/created'),
    ]
    const catalog = createCatalog({ directory: aDirectory(policy), uses, now })

    expect(catalog.unusedGrants()).toEqual([
      { index: 1, principals: ['team=billing'], expired: false },
      { index: 2, principals: ['gone'], expired: true },
    ])

    const withLabels = [
      ...uses,
      aUse('invoices', 'consume', 'kafka://acme/orders/paid', { labels: { team: 'billing' } }),
    ]
    const found = createCatalog({ directory: aDirectory(policy), uses: withLabels, now }).unusedGrants()
    expect(found.map(({ index }) => index)).toEqual([2])
  })
})
