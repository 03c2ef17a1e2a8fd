import { describe, expect, test } from 'vitest'
import { endLease, findLeases, type LeaseFilter, renderLeases } from '../../cli/leases.ts'
import type { Lease } from '../../shared/store/lease-store.ts'
import { createMemoryLeaseStore } from '../../shared/store/memory.ts'
import { now } from '../fixtures/policies.ts'

const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1000)

const aLease = (principal: string, digit: string, changes: Partial<Lease> = {}): Lease => ({
  principal,
  id: `lease_${digit.repeat(32)}`,
  instance: undefined,
  intent: {},
  clusters: ['main'],
  channels: ['kafka://acme/orders/created'],
  directory: 'sha256:one',
  etag: '"one"',
  issuedAt: now,
  expiresAt: later(600),
  credentialExpiresAt: later(600),
  ...changes,
})

const orders = aLease('orders-api', '1', { instance: 'pod-1', expiresAt: later(3599) })
const soon = aLease('orders-api', '2', { clusters: ['main', 'other'], expiresAt: later(59) })
const pattern = aLease('billing', '3', { channels: ['kafka://acme/orders/**', 'kafka://acme/reports/daily'] })
const ended = aLease('billing', '4', { expiresAt: now })

const find = async (filter: Partial<LeaseFilter>): Promise<readonly string[]> => {
  const leases = createMemoryLeaseStore()
  for (const lease of [orders, soon, pattern, ended]) await leases.create(lease, 100, later(-10))
  const all = { principal: undefined, cluster: undefined, channel: undefined, slot: undefined }
  return (await findLeases({ ...all, ...filter }, { leases }, now)).map(({ id }) => id.slice(-1))
}

describe('live leases are found', () => {
  test('all of them, by principal and then by their end', async () => {
    expect(await find({})).toEqual(['3', '2', '1'])
  })

  test('of a principal, of a cluster, and of both', async () => {
    expect(await find({ principal: 'orders-api' })).toEqual(['2', '1'])
    expect(await find({ cluster: 'other' })).toEqual(['2'])
    expect(await find({ principal: 'billing', cluster: 'other' })).toEqual([])
  })

  test.each([
    ['kafka://acme/orders/created', ['3', '2', '1']],
    ['kafka://acme/orders/shipped', ['3']],
    ['kafka://acme/orders/*', ['3', '2', '1']],
    ['kafka://acme/reports/**', ['3']],
    ['kafka://other/orders/created', []],
  ])('of the channel %s, also where a lease holds a pattern', async (channel, expected) => {
    expect(await find({ channel })).toEqual(expected)
  })

  test('of nothing that is no channel', async () => {
    await expect(find({ channel: 'orders' })).rejects.toMatchObject({ exitCode: 2 })
  })
})

test('the table says who holds what for how long', () => {
  expect(renderLeases([soon, orders], 'sha256:one', now)).toEqual([
    'PRINCIPAL   LEASE                                   INSTANCE  CLUSTERS     ENDS IN  CHANNELS',
    'orders-api  lease_22222222222222222222222222222222  -         main, other  59s      kafka://acme/orders/created',
    'orders-api  lease_11111111111111111111111111111111  pod-1     main         59m 59s  kafka://acme/orders/created',
  ])
  expect(renderLeases([], undefined, now)).toEqual(['no live lease'])
})

describe('a lease without end', () => {
  const standing = (digit: string, directory: string): Lease =>
    aLease('billing', digit, { instance: '/servicegw', expiresAt: 'never', credentialExpiresAt: 'never', directory })

  test('is listed after those that end', async () => {
    const leases = createMemoryLeaseStore()
    for (const lease of [standing('1', 'sha256:one'), aLease('billing', '2')]) await leases.create(lease, 100, now)
    const everybody = { principal: undefined, cluster: undefined, channel: undefined, slot: undefined }

    const found = await findLeases(everybody, { leases }, later(10))

    expect(found.map(({ id }) => id.slice(-1))).toEqual(['2', '1'])
    expect(JSON.parse(JSON.stringify(found[1]))).toMatchObject({ expiresAt: 'never' })
  })

  test('says so in the table, and whether its caller got an answer under the policy in force', () => {
    const rows = renderLeases([standing('1', 'sha256:two'), standing('2', 'sha256:one')], 'sha256:two', now)

    expect(rows.slice(1).map((row) => row.replace(/^.*main +(.*?) +kafka:.*$/, '$1'))).toEqual([
      'never',
      'never, unused since the last apply',
    ])
  })
})

describe('leases of a slot', () => {
  const held = (slot: 'a' | 'b') => [{ slot, generation: 1 }]
  const onA = aLease('orders-api', '1', { slots: { main: held('a') } })
  const onB = aLease('orders-api', '2', { clusters: ['main', 'other'], slots: { main: held('b'), other: held('a') } })
  const moving = aLease('orders-api', '3', { slots: { main: [...held('a'), ...held('b')] } })
  const withToken = aLease('orders-api', '4')
  const stranger = aLease('billing', '5', { slots: { main: held('a') } })

  const findSlot = async (slot: string, changes: Partial<LeaseFilter> = {}): Promise<readonly string[]> => {
    const leases = createMemoryLeaseStore()
    for (const lease of [onA, onB, moving, withToken, stranger]) await leases.create(lease, 100, later(-10))
    const filter = { principal: undefined, cluster: undefined, channel: undefined, slot, ...changes }
    return (await findLeases(filter, { leases }, now)).map(({ id }) => id.slice(-1)).sort()
  }

  test('are those that name it on any cluster, or on the one that was asked for', async () => {
    expect(await findSlot('orders-api@a')).toEqual(['1', '2', '3'])
    expect(await findSlot('orders-api@b')).toEqual(['2', '3'])
    expect(await findSlot('orders-api@a', { cluster: 'main' })).toEqual(['1', '3'])
    expect(await findSlot('orders-api@a', { cluster: 'other', principal: 'orders-api' })).toEqual(['2'])
    expect(await findSlot('nobody@a')).toEqual([])
  })

  test.each(['orders-api', 'orders-api@c', '@a', 'orders-api@a@b', 'orders api@a'])(
    'of `%s` do not exist',
    async (text) => {
      await expect(findSlot(text)).rejects.toMatchObject({ exitCode: 2 })
    },
  )

  test('of one principal are not asked for with the name of another', async () => {
    await expect(findSlot('orders-api@a', { principal: 'billing' })).rejects.toMatchObject({ exitCode: 2 })
  })

  test('say in the table which slots they hold, where there are any', () => {
    const rows = renderLeases([moving, withToken], undefined, now).map((row) => row.split(/ {2,}/).slice(3, 5))
    expect(rows).toEqual([
      ['CLUSTERS', 'SLOTS'],
      ['main', 'main@a, main@b'],
      ['main', '-'],
    ])
  })
})

describe('a lease that an operator ends', () => {
  const standing = aLease('billing', '1', { instance: '/servicegw', expiresAt: 'never', credentialExpiresAt: 'never' })
  const end = async (id: string, principal: string | undefined) => {
    const leases = createMemoryLeaseStore()
    for (const lease of [standing, aLease('billing', '2')]) await leases.create(lease, 100, now)
    const lines: string[] = []
    const ended = endLease(id, principal, { leases, report: (line) => lines.push(line) }, now)
    return { ended, lines, left: async () => (await leases.list('billing', now)).map((lease) => lease.id.slice(-1)) }
  }

  test('is off the record, also one without end, and no other; what that does not do is said', async () => {
    const { ended, lines, left } = await end(standing.id, 'billing')
    await ended
    expect(await left()).toEqual(['2'])
    expect(lines.join('\n')).toMatch(/keeps its access and its token.*`switchboard revoke`/)
  })

  test.each([
    ['of somebody else', standing.id, 'orders-api', 1],
    ['that is not there', 'lease_none', 'billing', 1],
    ['of nobody', standing.id, undefined, 2],
  ])('%s is refused, and none ends', async (_, id, principal, exitCode) => {
    const { ended, left } = await end(id, principal)
    await expect(ended).rejects.toMatchObject({ exitCode })
    expect(await left()).toHaveLength(2)
  })
})
