import { describe, expect, test } from 'vitest'
import { compileDirectory } from '../../../shared/domain/directory.ts'
import type { FoundListener } from '../../../shared/domain/inventory.ts'
import type { Policy } from '../../../shared/domain/policy.ts'
import { readDirectory } from '../../../shared/store/read-directory.ts'
import { aFoundCluster, aTopic } from '../../fixtures/inventories.ts'
import { aPolicy, revoked } from '../../fixtures/policies.ts'
import { aCrawl, aSource, someParts } from './a-crawl.ts'

const arn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/payments/0f0e0d0c-0b0a-0908-0706-050403020100-1'
const admin = { secret: 'switchboard/prod/clusters/payments' }
const leftToCrawl: Policy = aPolicy({
  clusters: { payments: { provider: 'msk', arn, auth: ['scram'], admin } },
  grants: [{ principals: ['billing'], consume: ['kafka://acme/*/created'] }],
  routes: [{ channel: 'kafka://acme/{domain}/created', cluster: 'payments', topic: '{domain}.created' }],
})

const listener = (field: string, bootstrap: string): FoundListener => ({
  field,
  network: 'vpc',
  bootstrap,
  security: 'SASL_SSL',
  mechanisms: ['SCRAM-SHA-512'],
})
const inside = listener('BootstrapBrokerStringSaslScram', 'b-1.payments:9096')
const outside = listener('BootstrapBrokerStringPublicSaslScram', 'b-1.payments:9196')
const connect = listener('BootstrapBrokerStringVpcConnectivitySaslScram', 'b-1.payments:14001')

/** A crawl of one MSK cluster, with a policy in force that leaves its listeners to it. */
const aPublishing = async (policy: Policy = leftToCrawl) => {
  const source = aSource()
  const crawl = aCrawl({ sources: { prod: source } })
  const hash = await crawl.directories.writePolicy(policy)
  await crawl.directories.swapPointer(0, { policy: hash, facts: undefined, next: undefined, denied: [] })
  const show = (listeners: readonly FoundListener[], topics = ['orders.created']): void => {
    source.listed = [{ kind: 'cluster', ref: { id: arn, name: 'payments' } }]
    source.clusters.set(arn, [
      { part: 'cluster', cluster: aFoundCluster({ listeners }) },
      ...someParts('payments', { topics: topics.map((name) => aTopic(name)) }).filter(({ part }) => part !== 'cluster'),
    ])
  }
  /** What resolve would tell clients by now. */
  const told = async (): Promise<readonly string[]> => {
    const pointer = await crawl.directories.readPointer()
    const { clusters } = await readDirectory(crawl.directories, pointer.policy ?? '', pointer)
    return clusters.get('payments')?.listeners.map(({ bootstrap }) => bootstrap) ?? []
  }
  const withheld = async () => (await crawl.entry('prod', arn))?.withheld?.listeners
  return { ...crawl, show, told, withheld }
}

describe('where clients connect', () => {
  test('is what the first look finds, and nothing before', async () => {
    const crawl = await aPublishing()
    expect(await crawl.told()).toEqual([])

    crawl.show([inside])
    expect(await crawl.run()).toEqual([])

    expect(await crawl.told()).toEqual(['b-1.payments:9096'])
    expect(crawl.telemetry.counted).toContain('FactsPublished')
  })

  test('is published again when it changes, and only then', async () => {
    const crawl = await aPublishing()
    crawl.show([inside])
    await crawl.run()
    const { revision } = await crawl.directories.readPointer()

    await crawl.run()
    expect((await crawl.directories.readPointer()).revision).toBe(revision)

    crawl.show([{ ...inside, bootstrap: 'b-2.payments:9096' }])
    await crawl.run()
    expect(await crawl.told()).toEqual(['b-2.payments:9096'])
    expect((await crawl.directories.readPointer()).revision).toBe(revision + 1)
  })

  test('is the same in whatever order a provider names its brokers', async () => {
    const crawl = await aPublishing()
    crawl.show([{ ...inside, bootstrap: 'b-1:9096,b-2:9096' }])
    await crawl.run()
    const before = await crawl.directories.readPointer()

    crawl.show([{ ...inside, bootstrap: 'b-2:9096,b-1:9096' }])
    await crawl.run()

    expect(await crawl.directories.readPointer()).toEqual(before)
  })

  test('stays what the policy says where it says something', async () => {
    const cluster = leftToCrawl.clusters.payments
    const crawl = await aPublishing({
      ...leftToCrawl,
      clusters: { payments: { ...cluster, provider: 'msk', auth: ['scram'], bootstrap: 'own:9096' } },
    })
    crawl.show([inside])

    await crawl.run()

    expect(await crawl.told()).toEqual(['own:9096'])
    expect((await crawl.directories.readPointer()).facts).toBeUndefined()
  })

  test('is what it was when so many listeners are gone that it may be a mistake, until somebody says that it is none', async () => {
    const crawl = await aPublishing()
    crawl.show([inside, outside, connect])
    await crawl.run()

    crawl.show([inside])
    await crawl.run()

    expect((await crawl.told()).length).toBe(3)
    expect(await crawl.withheld()).toEqual([outside.field, connect.field])
    expect(crawl.telemetry.counted).toContain('FactsWithheld')
    // the inventory says what is there, whatever clients are told
    expect((await crawl.snapshot('prod', arn))?.cluster.listeners).toHaveLength(1)

    await crawl.run({ kind: 'crawl-cluster', source: 'prod', id: arn, accept: true })

    expect(await crawl.told()).toEqual(['b-1.payments:9096'])
    expect(await crawl.withheld()).toBeUndefined()
  })

  test('is no longer withheld when the listeners are there again', async () => {
    const crawl = await aPublishing()
    crawl.show([inside, outside])
    await crawl.run()
    crawl.show([])
    await crawl.run()
    expect(await crawl.withheld()).toEqual([outside.field, inside.field])

    crawl.show([inside, outside])
    await crawl.run()

    expect(await crawl.withheld()).toBeUndefined()
  })

  test('of a policy that is being applied is there before it is in force', async () => {
    const crawl = await aPublishing(aPolicy({}))
    const next = await crawl.directories.writePolicy(leftToCrawl)
    const pointer = await crawl.directories.readPointer()
    await crawl.directories.swapPointer(pointer.revision, { ...pointer, next })
    crawl.show([inside])

    await crawl.run()

    const { facts } = await crawl.directories.readPointer()
    const { clusters } = await readDirectory(crawl.directories, next, { facts })
    expect(clusters.get('payments')?.listeners).toMatchObject([{ bootstrap: 'b-1.payments:9096', auth: ['scram'] }])
  })

  test('and who is revoked meanwhile are both kept', async () => {
    const crawl = await aPublishing()
    crawl.show([inside])
    const { readPointer, swapPointer } = crawl.directories
    let isOvertaken = false
    const overtaken: typeof swapPointer = async (expected, next, at) => {
      if (!isOvertaken) {
        isOvertaken = true
        const pointer = await readPointer()
        await swapPointer(pointer.revision, { ...pointer, denied: [revoked('stolen')] })
      }
      return swapPointer(expected, next, at)
    }
    Object.assign(crawl.directories, { swapPointer: overtaken })

    await crawl.run()

    expect(isOvertaken).toBe(true)
    expect(await crawl.told()).toEqual(['b-1.payments:9096'])
    expect((await crawl.directories.readPointer()).denied).toEqual([revoked('stolen')])
  })

  test('is asked for by a policy that compiles without it', () => {
    const { directory, issues } = compileDirectory(leftToCrawl, 'sha256:test')
    expect(issues).toEqual([])
    expect(directory.clusters.get('payments')?.listeners).toEqual([])
  })
})

describe('a topic that is new', () => {
  test('has rotate make the access of those whose grants reach it', async () => {
    const crawl = await aPublishing()
    crawl.show([inside], ['other'])
    await crawl.run()
    expect(crawl.toRotate).toEqual([])

    crawl.show([inside], ['other', 'orders.created'])
    await crawl.run()

    expect(crawl.toRotate).toEqual([{ kind: 'access', cluster: 'payments', principal: 'billing' }])
  })

  test('that nobody’s grant reaches, or that is known, asks for nothing', async () => {
    const crawl = await aPublishing()
    crawl.show([inside], ['orders.created'])
    await crawl.run()
    crawl.toRotate.length = 0

    crawl.show([inside], ['orders.created', 'secrets'])
    await crawl.run()

    expect(crawl.toRotate).toEqual([])
  })

  test('is asked for again when the worker was killed before it wrote that it is there', async () => {
    const crawl = await aPublishing()
    crawl.show([inside], ['other'])
    await crawl.run()
    const { write } = crawl.inventory
    const killed: typeof write = async () => {
      throw new Error('killed')
    }
    Object.assign(crawl.inventory, { write: killed })
    crawl.show([inside], ['other', 'orders.created'])
    await crawl.run()
    Object.assign(crawl.inventory, { write })

    await crawl.run()

    expect(crawl.toRotate).toHaveLength(2)
  })
})

describe('a listing', () => {
  const names = ['a', 'b', 'c', 'd', 'e']

  test('without most of the clusters that were there is not believed, until somebody says that it is meant', async () => {
    const source = aSource(...names)
    const crawl = aCrawl({ sources: { prod: source } })
    await crawl.run()

    source.listed = source.listed.slice(0, 2)
    await crawl.run()

    const vanished = async () => (await crawl.entries()).filter(({ vanishedAt }) => vanishedAt !== undefined).length
    expect(await vanished()).toBe(0)
    expect((await crawl.inventory.readSource('prod'))?.failing).toMatchObject({
      code: 'dropped',
      detail: '3 of 5 clusters are not listed any more',
    })

    await crawl.run({ kind: 'list-clusters', source: 'prod', accept: true })

    expect(await vanished()).toBe(3)
    expect((await crawl.inventory.readSource('prod'))?.failing).toBeUndefined()
  })
})
