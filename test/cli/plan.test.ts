import { describe, expect, test } from 'vitest'
import { planAsJson, planPolicy, renderPlan } from '../../cli/plan.ts'
import { intentKey } from '../../shared/domain/intent.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
  createMemoryLeaseStore,
} from '../../shared/store/memory.ts'
import { aCluster, anIntent, aPolicy, now, revoked } from '../fixtures/policies.ts'
import { aCredential } from '../fixtures/stored-credentials.ts'

const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1000)

const orders: Policy['routes'][number] = { channel: 'kafka://acme/orders/**', cluster: 'main', topic: 'orders.{**}' }
const reports: Policy['routes'][number] = { channel: 'kafka://acme/reports/**', cluster: 'main', topic: 'reports.{**}' }
const clusters = { main: aCluster(), other: aCluster() }
const api = { principals: ['orders-api'], produce: ['kafka://acme/orders/**'] }
const finance = { principals: { labels: { team: 'finance' } }, consume: ['kafka://acme/orders/**'] }
const current: Partial<Policy> = { clusters, routes: [orders, reports], grants: [api, finance] }

/** A stack with `current` in force, the named access known, and these live leases. */
const aStack = async (policy: Partial<Policy> | null = current) => {
  const directories = createMemoryDirectoryStore()
  const access = createMemoryAccessStore()
  const credentials = createMemoryCredentialStore()
  const leases = createMemoryLeaseStore()
  if (policy !== null) {
    const hash = await directories.writePolicy(aPolicy(policy))
    await directories.swapPointer(0, { policy: hash, facts: undefined, next: undefined, denied: [revoked('banned')] })
  }
  await access.request('main', 'billing', { team: 'finance' }, now)
  let count = 0
  const record = async (principal: string, intent: unknown, expiresAt: Date) => {
    count += 1
    await leases.create(
      {
        principal,
        id: `lease_${String(count).padStart(32, '0')}`,
        instance: undefined,
        intent,
        clusters: ['main'],
        channels: [],
        directory: 'sha256:one',
        etag: '"one"',
        issuedAt: now,
        expiresAt,
        credentialExpiresAt: expiresAt,
      },
      100,
      now,
    )
  }
  const lease = (principal: string, body: Record<string, unknown>, expiresAt = later(600)) =>
    record(principal, intentKey(anIntent(body)), expiresAt)
  /** What the token endpoint records. */
  const token = (principal: string, cluster: string) => record(principal, { token: cluster }, later(600))
  /** Who logs in with a stored credential there. */
  const slot = (principal: string) =>
    leases.create(
      {
        principal,
        id: `lease_${principal}`,
        instance: undefined,
        intent: intentKey(anIntent(created)),
        clusters: ['main'],
        channels: [],
        directory: 'sha256:one',
        etag: '"one"',
        issuedAt: now,
        expiresAt: later(600),
        credentialExpiresAt: 'never',
        slots: { main: [{ slot: 'a', generation: 1 }] },
      },
      100,
      now,
    )
  const plan = (next: Partial<Policy>) => planPolicy(aPolicy(next), { directories, access, credentials, leases }, now)
  return { directories, credentials, lease, token, slot, plan }
}

const created = { produce: ['kafka://acme/orders/created'] }
const readCreated = { consume: ['kafka://acme/orders/created'], client: { family: 'java' } }

describe('who moves', () => {
  describe('of those that hold a token for a cluster', () => {
    const moves = async (next: Partial<Policy>, from: Partial<Policy> = current) => {
      const { token, plan } = await aStack(from)
      await token('orders-api', 'main')
      await token('billing', 'main')
      const found = (await plan(next)).moves
      expect(found).toMatchObject({ leases: 2, unreadable: 0 })
      return found.moves.map(({ principal, change, asked, from: before, to }) =>
        [principal, change, asked, before, '->', to].join(' '),
      )
    }

    test('nobody does when nothing changes, or only what a token does not depend on', async () => {
      expect(await moves(current)).toEqual([])
      expect(await moves({ ...current, routes: [reports, orders], limits: { leasesPerPrincipal: 5 } })).toEqual([])
    })

    test('who loses the cluster loses', async () => {
      expect(await moves({ ...current, grants: [api] })).toEqual([
        'billing loses kafka:main main: read orders.* -> rule 2: no_cluster',
      ])
      expect(await moves({ ...current, clusters: { ...clusters, main: aCluster({ quarantined: true }) } })).toEqual([
        'billing loses kafka:main main: read orders.* -> rule 4: cluster_quarantined',
        'orders-api loses kafka:main main: write orders.* -> rule 4: cluster_quarantined',
      ])
    })

    test('who gets the cluster back gains', async () => {
      expect(await moves(current, { ...current, grants: [api] })).toEqual([
        'billing gains kafka:main rule 2: no_cluster -> main: read orders.*',
      ])
    })

    test('whose topics become others on the cluster moves', async () => {
      expect(await moves({ ...current, routes: [{ ...orders, topic: 'orders.v2.{**}' }, reports] })).toEqual([
        'billing moves kafka:main main: read orders.* -> main: read orders.v2.*',
        'orders-api moves kafka:main main: write orders.* -> main: write orders.v2.*',
      ])
    })

    test('who may do less or more on the cluster loses or gains', async () => {
      const more = { ...api, produce: ['kafka://acme/orders/**', 'kafka://acme/reports/**'] }
      expect(await moves({ ...current, grants: [more, finance] })).toEqual([
        'orders-api gains kafka:main main: write orders.* -> main: write orders.*, write reports.*',
      ])
      expect(await moves(current, { ...current, grants: [more, finance] })).toEqual([
        'orders-api loses kafka:main main: write orders.*, write reports.* -> main: write orders.*',
      ])
    })

    test('topics that no prefix covers are compared by what makes them', async () => {
      const versioned = (version: string): Partial<Policy> => ({
        ...current,
        routes: [{ ...orders, topic: `{path}.${version}` }],
        grants: [api, finance],
      })
      expect(await moves(versioned('v1'), versioned('v1'))).toEqual([])
      expect(await moves(versioned('v2'), versioned('v1'))).toEqual([
        'billing moves kafka:main main: read {path}.v1 -> main: read {path}.v2',
        'orders-api moves kafka:main main: write {path}.v1 -> main: write {path}.v2',
      ])
    })
  })

  test('nobody does when nothing changes', async () => {
    const { lease, plan } = await aStack()
    await lease('orders-api', created)
    await lease('billing', readCreated)
    const found = await plan(current)
    expect(found).toMatchObject({ rules: [], access: [], notes: [], moves: { leases: 2, principals: 2, moves: [] } })
    expect(renderPlan(found)[0]).toBe(`nothing would change: revision 1 already is ${found.to}`)
  })

  test('a principal whose grant goes away loses, and the reason says what would refuse it', async () => {
    const { lease, plan } = await aStack()
    await lease('orders-api', created)
    await lease('billing', readCreated)
    const { moves } = await plan({ ...current, grants: [api] })
    expect(moves.moves).toEqual([
      {
        principal: 'billing',
        change: 'loses',
        action: 'consume',
        asked: 'kafka://acme/orders/created',
        from: 'main/orders.created',
        to: 'rule 2: no_grant',
        leases: 1,
      },
    ])
  })

  test('leases of one principal that ask for the same are counted together', async () => {
    const { lease, plan } = await aStack()
    await lease('orders-api', created)
    await lease('orders-api', created)
    const { moves } = await plan({ ...current, routes: [{ ...orders, cluster: 'other' }, reports] })
    expect(moves.moves).toEqual([
      {
        principal: 'orders-api',
        change: 'moves',
        action: 'produce',
        asked: 'kafka://acme/orders/created',
        from: 'main/orders.created',
        to: 'other/orders.created',
        leases: 2,
      },
    ])
  })

  test('another topic is a move, and so is another set of topics of a pattern', async () => {
    const { lease, plan } = await aStack()
    await lease('orders-api', { produce: ['kafka://acme/orders/**'] })
    const { moves } = await plan({ ...current, routes: [{ ...orders, topic: 'orders.v2.{**}' }, reports] })
    expect(moves.moves).toMatchObject([
      { change: 'moves', asked: 'kafka://acme/orders/**', from: 'main/orders\\..+', to: 'main/orders\\.v2\\..+' },
    ])
  })

  test('a live lease that the policy in force would refuse gains when the next one allows it', async () => {
    const { lease, plan } = await aStack({ ...current, grants: [] })
    await lease('orders-api', created)
    const { moves } = await plan(current)
    expect(moves.moves).toMatchObject([
      { principal: 'orders-api', change: 'gains', from: 'rule 2: no_grant', to: 'main/orders.created' },
    ])
  })

  test('those who lose come first, then those who move', async () => {
    const { lease, plan } = await aStack()
    await lease('billing', readCreated)
    await lease('orders-api', created)
    const { moves } = await plan({ ...current, grants: [api], routes: [{ ...orders, cluster: 'other' }, reports] })
    expect(moves.moves.map(({ principal, change }) => `${principal} ${change}`)).toEqual([
      'billing loses',
      'orders-api moves',
    ])
  })

  test('labels come from where the principal was last seen', async () => {
    const { lease, plan } = await aStack({ ...current, grants: [api] })
    await lease('billing', readCreated)
    await lease('stranger', readCreated)
    const { moves } = await plan(current)
    expect(moves.moves.map(({ principal, change }) => `${principal} ${change}`)).toEqual(['billing gains'])
  })

  test('a lease that ended and one of a principal that is denied are not replayed into a gain', async () => {
    const { lease, plan } = await aStack({ ...current, grants: [] })
    await lease('orders-api', created, now)
    await lease('banned', created)
    const { moves } = await plan({ ...current, grants: [{ ...api, principals: ['orders-api', 'banned'] }] })
    expect(moves).toMatchObject({ leases: 1, moves: [] })
  })
})

describe('access', () => {
  test('is compared for principals by name and for those that were seen', async () => {
    const { plan } = await aStack()
    const found = await plan({ ...current, routes: [{ ...orders, cluster: 'other' }, reports] })
    expect(planAsJson(found).access).toEqual([
      {
        cluster: 'main',
        principal: 'billing',
        add: [],
        remove: ['group:literal:read:billing', 'topic:prefixed:read:orders.'],
        dependsOnTopics: false,
      },
      {
        cluster: 'main',
        principal: 'orders-api',
        add: [],
        remove: ['topic:prefixed:write:orders.'],
        dependsOnTopics: false,
      },
      {
        cluster: 'other',
        principal: 'orders-api',
        add: ['topic:prefixed:write:orders.'],
        remove: [],
        dependsOnTopics: false,
      },
    ])
  })

  test('that only the topics on the cluster decide is said to be so', async () => {
    const { plan } = await aStack()
    const found = await plan({ ...current, routes: [{ ...orders, topic: '{**}.orders' }, reports] })
    expect(found.access.map(({ principal, dependsOnTopics }) => `${principal} ${dependsOnTopics}`)).toEqual([
      'billing true',
      'orders-api true',
    ])
    expect(found.notes).toEqual([expect.stringContaining('access depends on the topics that exist')])
    expect(renderPlan(found).join('\n')).toMatch(/main +orders-api +by topic/)
  })
})

describe('notes', () => {
  test('a cluster that still has access cannot be taken out', async () => {
    const { directories, plan } = await aStack()
    expect(await directories.readPointer()).toMatchObject({ revision: 1 })
    const access = createMemoryAccessStore()
    await access.recordApplied(
      {
        cluster: 'other',
        principal: 'orders-api',
        acls: [{ resource: 'topic', pattern: 'literal', operation: 'write', name: 'x' }],
        policies: [],
      },
      now,
    )
    const found = await planPolicy(
      aPolicy({ ...current, clusters: { main: aCluster() } }),
      { directories, access, credentials: createMemoryCredentialStore(), leases: createMemoryLeaseStore() },
      now,
    )
    expect(found.notes).toEqual([expect.stringMatching(/^apply would refuse this: the cluster `other` still has/)])
    expect((await plan(current)).notes).toEqual([])
  })

  test('an apply that was begun and not finished is told, unless it is this one', async () => {
    const { directories, plan } = await aStack()
    const { policy } = await directories.readPointer()
    const next = { ...current, grants: [api] }
    const hash = await directories.writePolicy(aPolicy(next))
    await directories.swapPointer(1, { policy, facts: undefined, next: hash, denied: [] })
    expect((await plan(current)).notes).toEqual([
      `an apply of ${hash} was begun and not finished; this one would take its place`,
    ])
    expect((await plan(next)).notes).toEqual([])
  })

  test('changed identity rules and another user prefix are told', async () => {
    const { plan } = await aStack()
    const identities = [{ issuer: 'https://other.acme.com', audience: 'switchboard' }]
    expect((await plan({ ...current, identities, kafkaUserPrefix: 'x.' })).notes).toEqual([
      expect.stringContaining('identity rules change'),
      expect.stringContaining('every principal becomes another Kafka user'),
    ])
  })
})

test('before the first apply everything is added', async () => {
  const { plan } = await aStack(null)
  const found = await plan(current)
  expect(found).toMatchObject({ revision: 0, from: undefined })
  expect(new Set(found.rules.map(({ change }) => change))).toEqual(new Set(['added']))
  expect(found.access.every(({ remove }) => remove.length === 0)).toBe(true)
})

test('a plan changes nothing', async () => {
  const { directories, plan } = await aStack()
  const before = await directories.readPointer()
  const { to } = await plan({ ...current, grants: [] })
  expect(await directories.readPointer()).toEqual(before)
  await expect(directories.readPolicy(to)).rejects.toThrow('is incomplete')
})

test('the table shows rules, access and who moves', async () => {
  const { lease, plan } = await aStack()
  await lease('orders-api', created)
  const text = renderPlan(await plan({ ...current, routes: [{ ...orders, cluster: 'other' }, reports] })).join('\n')
  expect(text).toContain('  changed  routes[0]  kafka://acme/orders/**  cluster: main -> other')
  expect(text).toMatch(/ {2}other +orders-api +add +write topic orders\.\*/)
  expect(text).toMatch(/who moves, of 1 live leases of 1 principals\n.*\n {2}orders-api +moves +1 +produce /)
})

describe('a way to log in that leaves a cluster', () => {
  const withAuth = (auth: readonly ('jwt' | 'scram')[]): Partial<Policy> => ({
    ...current,
    clusters: { ...clusters, main: aCluster({ auth: [...auth] }) },
  })
  const notesOf = async (from: Partial<Policy>, to: Partial<Policy>) => {
    const { token, slot, plan } = await aStack(from)
    for (const principal of ['orders-api', 'billing']) await token(principal, 'main')
    await slot('reports')
    return (await plan(to)).notes
  }

  test('is a warning that names who uses it now', async () => {
    expect(await notesOf(withAuth(['jwt', 'scram']), withAuth(['scram']))).toEqual([
      expect.stringMatching(
        /^`main` would take no tokens any more, and 2 principals .* now: billing, orders-api; they are refused on live connections at once\. Keep `jwt` beside `scram`/,
      ),
    ])
    expect(await notesOf(withAuth(['jwt', 'scram']), withAuth(['jwt']))).toEqual([
      expect.stringMatching(/^`main` would take no stored credentials any more, and 1 principals .* now: reports;/),
    ])
  })

  test('is none when another is added, or when nobody uses it', async () => {
    expect(await notesOf(withAuth(['jwt']), withAuth(['jwt', 'scram']))).toEqual([])
    const { plan } = await aStack(withAuth(['jwt', 'scram']))
    expect((await plan(withAuth(['scram']))).notes).toEqual([])
  })
})

describe('a quota', () => {
  const limited = { ...api, quota: { produceBytesPerSecond: 1_048_576 } }

  test('that comes, changes or goes is shown with what it was', async () => {
    const { plan } = await aStack()
    const next = await plan({ ...current, grants: [limited, finance] })
    expect(next.access).toMatchObject([
      { cluster: 'main', principal: 'orders-api', add: [], remove: [], quota: { from: {}, to: limited.quota } },
    ])
    expect(renderPlan(next).join('\n')).toMatch(
      /main +orders-api +quota +produce 1048576 bytes\/s on each broker, was no limit/,
    )
    expect(planAsJson(next).access[0]).toMatchObject({ quota: { to: { produceBytesPerSecond: 1_048_576 } } })
  })
})

describe('a cluster that becomes another one under its name', () => {
  const arn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/main/0f0e0d0c-0b0a-0908-0706-050403020100-1'
  const msk = { provider: 'msk' as const, arn, auth: ['scram' as const], admin: { secret: 'admin' } }
  const { bootstrap } = aCluster()
  const before = { clusters: { main: { ...msk, bootstrap } } }
  const after = { clusters: { main: aCluster({ auth: ['scram'] }) } }

  test('would be refused while somebody has a user on the one that it was', async () => {
    const { plan, credentials } = await aStack(before)
    await credentials.write(0, aCredential({ a: { state: 'active' } }), undefined)

    expect((await plan(after)).notes.join('\n')).toContain(
      'apply would refuse this: the cluster `main` becomes another one, and 1 principals have users on the one that it was, such as `orders-api`',
    )
    expect((await plan(before)).notes).toEqual([])
  })

  test('is nothing to speak of when nobody has one any more', async () => {
    const { plan, credentials } = await aStack(before)
    await credentials.write(0, aCredential({}), undefined)

    expect((await plan(after)).notes).toEqual([])
  })
})

describe('a service account that becomes another one', () => {
  const withAccount = (serviceAccounts: Readonly<Record<string, string>>, id = 'lkc-1'): Partial<Policy> => ({
    clusters: {
      main: aCluster({
        provider: 'confluent',
        id,
        environment: 'env-1',
        cloudKey: { secret: 'cloud' },
        auth: ['api-key'],
        serviceAccounts,
      }),
    },
  })
  const before = withAccount({ 'orders-api': 'sa-1' })
  const refused =
    'apply would refuse this: the service account of `orders-api` on `main` changes, and there are API keys of the one that it was'

  test('would be refused while there are keys of the one that it was, and so would none', async () => {
    const { plan, credentials } = await aStack(before)
    await credentials.write(0, aCredential({ a: { state: 'draining' } }), undefined)

    for (const after of [withAccount({ 'orders-api': 'sa-2' }), withAccount({ billing: 'sa-1' })])
      expect((await plan(after)).notes.join('\n')).toContain(refused)
    expect((await plan(withAccount({ 'orders-api': 'sa-1' }, 'lkc-2'))).notes.join('\n')).toContain(
      'becomes another one',
    )
    expect((await plan(withAccount({ 'orders-api': 'sa-1', billing: 'sa-2' }))).notes.join('\n')).not.toContain(
      'refuse',
    )
  })

  test('is nothing to speak of when there are no keys any more', async () => {
    const { plan, credentials } = await aStack(before)
    await credentials.write(0, aCredential({}), undefined)

    expect((await plan(withAccount({}))).notes.join('\n')).not.toContain('refuse')
  })
})

test('an MSK cluster without room for two users of each principal is told before anybody lacks one', async () => {
  const arn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/main/0f0e0d0c-0b0a-0908-0706-050403020100-1'
  const policyOf = (count: number): Partial<Policy> => ({
    clusters: {
      main: { provider: 'msk', arn, auth: ['scram'], admin: { secret: 'admin' }, bootstrap: 'b-1.main:9096' },
    },
    grants: [
      { principals: Array.from({ length: count }, (_, at) => `service-${at}`), consume: ['kafka://acme/orders/**'] },
    ],
  })
  const { plan } = await aStack(null)
  const notes = async (count: number) => (await plan(policyOf(count))).notes.join('\n')

  expect(await notes(500)).not.toContain('takes 1000 users')
  expect(await notes(501)).toContain('`main` takes 1000 users, and the grants name 501 principals who need two each')
})
