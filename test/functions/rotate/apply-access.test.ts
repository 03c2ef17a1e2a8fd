import * as fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { type ApplyAccess, createApplyAccess } from '../../../functions/rotate/apply-access.ts'
import type { Acl } from '../../../shared/domain/access.ts'
import type { Policy } from '../../../shared/domain/policy.ts'
import type { Revocation } from '../../../shared/domain/revocation.ts'
import type { AccessStore } from '../../../shared/store/access-store.ts'
import type { CredentialStore } from '../../../shared/store/credential-store.ts'
import type { DirectoryStore } from '../../../shared/store/directory-store.ts'
import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
} from '../../../shared/store/memory.ts'
import { aCluster, aPolicy, now, revoked } from '../../fixtures/policies.ts'
import { type RecordedTelemetry, recordTelemetry } from '../../fixtures/recorded-telemetry.ts'
import { type SimulatedKafka, simulateKafka } from '../../fixtures/simulated-kafka.ts'
import { aCredential } from '../../fixtures/stored-credentials.ts'

const grantsTo = (...channels: string[]): Policy =>
  aPolicy({ grants: [{ principals: ['orders-api'], produce: channels }] })
const orders = grantsTo('kafka://acme/orders/**')
const payouts = grantsTo('kafka://acme/payouts/**')
const topicAcl = (name: string, pattern: Acl['pattern'] = 'literal'): Acl => ({
  resource: 'topic',
  pattern,
  name,
  operation: 'write',
})

let directories: DirectoryStore
let access: AccessStore
let credentials: CredentialStore
let kafka: SimulatedKafka
let telemetry: RecordedTelemetry
let applyAccess: ApplyAccess

const setPointer = async (policy: Policy | undefined, next?: Policy, denied: readonly Revocation[] = []) => {
  const { revision } = await directories.readPointer()
  await directories.swapPointer(revision, {
    policy: policy && (await directories.writePolicy(policy)),
    facts: undefined,
    next: next && (await directories.writePolicy(next)),
    denied,
  })
}

beforeEach(() => {
  directories = createMemoryDirectoryStore()
  access = createMemoryAccessStore()
  credentials = createMemoryCredentialStore()
  kafka = simulateKafka(['orders.created', 'payouts.settled'])
  telemetry = recordTelemetry()
  applyAccess = createApplyAccess({
    directories,
    access,
    credentials,
    openAdmin: kafka.open,
    openQuotas: kafka.openQuotas,
    telemetry,
    clock: () => now,
  })
})

describe('the access of a principal', () => {
  it('is made as the policy in force gives it, and written down with the policy that it covers', async () => {
    await setPointer(orders)
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual(['sb.orders-api topic:prefixed:write:orders.'])
    expect(await access.read('main', 'orders-api')).toMatchObject({
      acls: [topicAcl('orders.', 'prefixed')],
      policies: [await directories.writePolicy(orders)],
    })
  })

  it('is what the policy in force or the next one gives while an apply is under way', async () => {
    await setPointer(orders, payouts)
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual([
      'sb.orders-api topic:prefixed:write:orders.',
      'sb.orders-api topic:prefixed:write:payouts.',
    ])
    expect((await access.read('main', 'orders-api'))?.policies).toHaveLength(2)
  })

  it('is that of its identity pool on Confluent Cloud, and is not there before it has one', async () => {
    const withPools = (identityPools: Readonly<Record<string, string>>): Policy => {
      const main = aCluster({ provider: 'confluent', id: 'lkc-1', identityPools })
      return { ...orders, clusters: { main } }
    }
    await setPointer(withPools({}))
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual([])
    expect((await access.read('main', 'orders-api'))?.acls).toEqual([])
    await setPointer(withPools({}), withPools({ 'orders-api': 'pool-1' }))
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual(['pool-1 topic:prefixed:write:orders.'])
    expect((await access.read('main', 'orders-api'))?.acls).toEqual([topicAcl('orders.', 'prefixed')])
  })

  it('is that of every slot that works or will, and of no other', async () => {
    const stored = { ...orders, clusters: { main: aCluster({ auth: ['scram'] }) } }
    await setPointer(stored)
    await credentials.write(0, aCredential({ a: { state: 'draining' }, b: {} }), undefined)
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual([
      'sb.orders-api@a topic:prefixed:write:orders.',
      'sb.orders-api@b topic:prefixed:write:orders.',
    ])
    await credentials.write(1, aCredential({ a: { state: 'fenced' }, b: {} }), undefined)
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual(['sb.orders-api@b topic:prefixed:write:orders.'])
    expect((await access.read('main', 'orders-api'))?.acls).toHaveLength(1)
  })

  it('is that of tokens and of slots while a policy with the one follows a policy with the other', async () => {
    await credentials.write(0, aCredential({ a: {} }), undefined)
    const stored = { ...orders, clusters: { main: aCluster({ auth: ['scram'] }) } }
    await setPointer(orders, stored)
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual([
      'sb.orders-api topic:prefixed:write:orders.',
      'sb.orders-api@a topic:prefixed:write:orders.',
    ])
    await setPointer(stored)
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual(['sb.orders-api@a topic:prefixed:write:orders.'])
  })

  it('is taken from every slot of who was revoked', async () => {
    await credentials.write(0, aCredential({ a: {} }), undefined)
    await setPointer({ ...orders, clusters: { main: aCluster({ auth: ['scram'] }) } })
    await applyAccess('main', ['orders-api'])
    await setPointer({ ...orders, clusters: { main: aCluster({ auth: ['scram'] }) } }, undefined, [
      revoked('orders-api'),
    ])
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual([])
  })

  it('is written down once where both policies give the same', async () => {
    await setPointer(orders, { ...orders, kafkaUserPrefix: 'sb.' })
    await applyAccess('main', ['orders-api'])
    expect(kafka.done).toEqual(['create sb.orders-api topic:prefixed:write:orders.'])
    expect((await access.read('main', 'orders-api'))?.acls).toHaveLength(1)
  })

  it('loses what the policy gave before, after it has what it gives now', async () => {
    await setPointer(orders)
    await applyAccess('main', ['orders-api'])
    await setPointer(payouts)
    await applyAccess('main', ['orders-api'])
    expect(kafka.done).toEqual([
      'create sb.orders-api topic:prefixed:write:orders.',
      'create sb.orders-api topic:prefixed:write:payouts.',
      'remove sb.orders-api topic:prefixed:write:orders.',
    ])
  })

  it('is not touched a second time when it is there', async () => {
    await setPointer(orders)
    await applyAccess('main', ['orders-api'])
    const { done } = kafka
    const before = [...done]
    await applyAccess('main', ['orders-api', 'orders-api'])
    expect(done).toEqual(before)
  })

  it('is nothing for a principal on the deny list', async () => {
    await setPointer(orders)
    await applyAccess('main', ['orders-api'])
    await setPointer(orders, orders, [revoked('orders-api')])
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual([])
    expect((await access.read('main', 'orders-api'))?.acls).toEqual([])
  })

  it('goes from the cluster where a principal is revoked, and stays on others', async () => {
    await setPointer(orders)
    await applyAccess('main', ['orders-api'])
    await setPointer(orders, orders, [revoked('orders-api', 'other')])
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual(['sb.orders-api topic:prefixed:write:orders.'])
    await setPointer(orders, orders, [revoked('orders-api', 'main')])
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual([])
  })

  it('follows the labels that the principal was seen with', async () => {
    await setPointer(
      aPolicy({ grants: [{ principals: { labels: { team: 'finance' } }, produce: ['kafka://acme/orders/**'] }] }),
    )
    await access.request('main', 'billing', { team: 'finance' }, now)
    await access.request('main', 'intruder', { team: 'none' }, now)
    await applyAccess('main', ['billing', 'intruder', 'never-seen'])
    expect(kafka.acls()).toEqual(['sb.billing topic:prefixed:write:orders.'])
  })

  it('is literal over the topics that the cluster has', async () => {
    await setPointer(grantsTo('kafka://acme/*/created'))
    await applyAccess('main', ['orders-api'])
    kafka.topics.add('payouts.created')
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual([
      'sb.orders-api topic:literal:write:orders.created',
      'sb.orders-api topic:literal:write:payouts.created',
    ])
  })
})

describe('what is not ours', () => {
  it('is never touched, whoever it belongs to and whatever the policy says', async () => {
    const strangers = ['admin', 'orders-api', 'sb.orders-api.x', 'sb.somebody', 'xx.orders-api']
    for (const user of strangers) kafka.put(user, topicAcl('orders.', 'prefixed'))
    const before = kafka.acls()
    await setPointer(orders)
    await applyAccess('main', ['orders-api'])
    await setPointer(aPolicy())
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual(before)
    expect(kafka.done.every((line) => line.includes(' sb.orders-api '))).toBe(true)
  })

  it('is taken away where it hangs on a user of ours: nobody else may give our users rights', async () => {
    kafka.put('sb.orders-api', topicAcl('payouts.settled'))
    await setPointer(orders)
    await applyAccess('main', ['orders-api'])
    expect(kafka.acls()).toEqual(['sb.orders-api topic:prefixed:write:orders.'])
  })
})

describe('when something fails', () => {
  it.each(['listTopics', 'describe', 'create', 'remove', 'settled'] as const)(
    'at %s, nothing is written down as applied, the connection is closed and a second run finishes',
    async (call) => {
      kafka.put('sb.orders-api', topicAcl('payouts.settled'))
      await setPointer(orders)
      kafka.failNext(call)
      await expect(applyAccess('main', ['orders-api'])).rejects.toThrow('simulated')
      expect(await access.read('main', 'orders-api')).toBeUndefined()
      expect(kafka.closed()).toBe(kafka.opened())
      await applyAccess('main', ['orders-api'])
      expect(kafka.acls()).toEqual(['sb.orders-api topic:prefixed:write:orders.'])
      expect((await access.read('main', 'orders-api'))?.acls).toHaveLength(1)
    },
  )

  it('a message for a cluster that no policy has is noted and dropped', async () => {
    await setPointer(orders)
    await applyAccess('gone', ['orders-api'])
    expect(kafka.opened()).toBe(0)
    expect(telemetry.lines).toMatchObject([{ level: 'warn', fields: { cluster: 'gone' } }])
  })

  it('a cluster that only the next policy has is prepared', async () => {
    await setPointer(orders, { ...orders, clusters: { main: aCluster(), fresh: aCluster() } })
    await applyAccess('fresh', ['orders-api'])
    expect(kafka.opened()).toBe(1)
  })
})

describe('what was asked for', () => {
  const asks = (need: string, after = 0) =>
    access.request('main', 'orders-api', {}, new Date(now.getTime() + after), need)

  it('is answered once the topics were listed after it', async () => {
    await setPointer(orders)
    await asks('one')
    await applyAccess('main', ['orders-api'])
    expect(await access.read('main', 'orders-api')).toMatchObject({ asked: { need: 'one' }, answered: true })
  })

  it('while the topics are listed is not answered', async () => {
    await setPointer(orders)
    await asks('one')
    const openAdmin = async () => {
      const admin = await kafka.open()
      const listTopics = async () => {
        const topics = await admin.listTopics()
        expect(await asks('two', 10_000)).toBe(true)
        return topics
      }
      return { ...admin, listTopics }
    }
    const { openQuotas } = kafka
    const deps = { directories, access, credentials, openAdmin, openQuotas, telemetry, clock: () => now }
    await createApplyAccess(deps)('main', ['orders-api'])
    expect(await access.read('main', 'orders-api')).toMatchObject({ asked: { need: 'two' }, answered: false })
  })
})

describe('the quota of a principal', () => {
  const limited = (quota: { produceBytesPerSecond?: number; consumeBytesPerSecond?: number } | undefined) =>
    aPolicy({
      clusters: { main: aCluster({ auth: ['jwt', 'scram'] }) },
      grants: [{ principals: ['orders-api'], produce: ['kafka://acme/orders/**'], ...(quota && { quota }) }],
    })
  const slow = { produceBytesPerSecond: 1_000 }

  it('is that of each of its users that has access, and of nobody else', async () => {
    await credentials.write(0, aCredential({ a: {}, b: { state: 'fenced' } }), now)
    await setPointer(limited(slow))
    await applyAccess('main', ['orders-api'])
    expect(Object.fromEntries(kafka.quotas)).toEqual({ 'sb.orders-api': slow, 'sb.orders-api@a': slow })
    expect(await access.read('main', 'orders-api')).toMatchObject({ quota: slow })
  })

  it('is not stricter than either policy while an apply is under way', async () => {
    await setPointer(limited(slow), limited({ produceBytesPerSecond: 5_000, consumeBytesPerSecond: 10 }))
    await applyAccess('main', ['orders-api'])
    expect(kafka.quotas.get('sb.orders-api')).toEqual({ produceBytesPerSecond: 5_000 })
  })

  it.each([
    { when: 'the policy has none any more', end: () => setPointer(limited(undefined)) },
    { when: 'the principal is revoked', end: () => setPointer(limited(slow), undefined, [revoked('orders-api')]) },
    { when: 'no grant leads there', end: () => setPointer(aPolicy()) },
  ])('goes when $when', async ({ end }) => {
    await setPointer(limited(slow))
    await applyAccess('main', ['orders-api'])
    await end()
    await applyAccess('main', ['orders-api'])
    expect([...kafka.quotas]).toEqual([])
    expect((await access.read('main', 'orders-api'))?.quota).toBeUndefined()
  })

  it('costs a cluster that knows none nothing, not even a right to set one', async () => {
    await setPointer(orders)
    await applyAccess('main', ['orders-api'])
    expect(kafka.quotaRequests()).toBe(0)
  })
})

it('whatever was there before, afterwards there is what the policy wants and nothing else of that user', async () => {
  const anyAcl = fc.record({
    resource: fc.constantFrom('topic' as const, 'group' as const),
    pattern: fc.constantFrom('literal' as const, 'prefixed' as const),
    name: fc.constantFrom('orders.', 'orders.created', 'x'),
    operation: fc.constantFrom('read' as const, 'write' as const),
  })
  const anyPolicy = fc.constantFrom(orders, payouts, aPolicy())
  await fc.assert(
    fc.asyncProperty(fc.array(anyAcl), anyPolicy, anyPolicy, async (present, before, after) => {
      const cluster = simulateKafka()
      const stores = { directories: createMemoryDirectoryStore(), access: createMemoryAccessStore() }
      const { open: openAdmin, openQuotas } = cluster
      const run = createApplyAccess({ ...stores, credentials, openAdmin, openQuotas, telemetry, clock: () => now })
      for (const acl of present) cluster.put('sb.orders-api', acl)
      for (const [revision, policy] of [before, after].entries()) {
        const hash = await stores.directories.writePolicy(policy)
        await stores.directories.swapPointer(revision, { policy: hash, facts: undefined, next: undefined, denied: [] })
        await run('main', ['orders-api'])
      }
      const wanted = after.grants.flatMap(({ produce = [] }) => produce)
      expect(cluster.acls()).toEqual(
        wanted.map((channel) => `sb.orders-api topic:prefixed:write:${channel.split('/')[3]}.`),
      )
    }),
    { numRuns: 50 },
  )
})
