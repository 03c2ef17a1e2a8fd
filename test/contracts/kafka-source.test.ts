import { randomUUID } from 'node:crypto'
import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { knownCluster } from '../../local/kafka/known-cluster.ts'
import { readStackState } from '../../local/state.ts'
import { adminConnection } from '../../shared/clusters/kafka/admin-connection.ts'
import { createScramAdmin } from '../../shared/clusters/kafka/scram-admin.ts'
import type { AdminCredential, Cluster } from '../../shared/domain/cluster.ts'
import { compare, type Observation } from '../../shared/domain/inventory.ts'
import { gather } from '../../shared/inventory/gather.ts'
import { createKafkaSource } from '../../shared/inventory/kafka.ts'
import { snapshotAddress } from '../../shared/store/inventory-store.ts'
import { aFoundCluster } from '../fixtures/inventories.ts'
import { untilLogin } from '../fixtures/kafka-login.ts'

// Against a real broker, for what it says, and how, is all there is to this adapter.

const { clusters } = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const { inside, admin: credential } = clusters.payments
const cluster: Cluster = { ...knownCluster('payments', inside), auth: ['scram'] }
const found = aFoundCluster({ name: 'payments', provider: 'kafka' })
const mine = `crawl-${randomUUID().slice(0, 8)}`
const longName = `${mine}.${'long_name-'.repeat(30)}`.slice(0, 249)
const wideTopic = `${mine}.wide`
const ownTopic = `${mine}.own`
const reader = `${mine}-reader`

const admin = new Admin(adminConnection(cluster, credential))
const users = createScramAdmin(cluster, credential)

const acl = (resourceName: string, permissionType: number) => ({
  resourceType: ResourceTypes.TOPIC,
  resourceName,
  resourcePatternType: ResourcePatternTypes.PREFIXED,
  principal: `User:${mine}`,
  host: '*',
  operation: AclOperations.WRITE,
  permissionType: permissionType as typeof AclPermissionTypes.ALLOW,
})

const observeAs = async (given: AdminCredential, bootstrap = inside): Promise<Observation> => {
  const listeners = cluster.listeners.map((listener) => ({ ...listener, bootstrap }))
  const source = createKafkaSource({
    list: async () => ['payments'],
    open: async () => ({ cluster: found, connection: adminConnection({ ...cluster, listeners }, given) }),
  })
  return gather(source.observe({ id: 'payments' }))
}

const topicOf = ({ parts }: Observation, wanted: string) => parts.topics?.find(({ name }) => name === wanted)

beforeAll(async () => {
  await users.upsert([
    { name: mine, password: 'unimportant' },
    { name: reader, password: 'reader' },
  ])
  await untilLogin({ bootstrap: inside, username: reader, password: 'reader' }, true)
  await admin.createTopics({ topics: [longName], partitions: 3, replicas: 1 })
  await admin.createTopics({ topics: [wideTopic], partitions: 100, replicas: 1 })
  await admin.createTopics({
    topics: [ownTopic],
    partitions: 1,
    replicas: 1,
    configs: [
      { name: 'retention.ms', value: '1234567' },
      { name: 'cleanup.policy', value: 'compact,delete' },
    ],
  })
  await admin.createAcls({
    creations: [acl(`${mine}.`, AclPermissionTypes.ALLOW), acl(`${mine}.secret.`, AclPermissionTypes.DENY)],
  })
  // a broker shows what its controller took when it has read it
  await vi.waitFor(
    async () => {
      const { parts } = await observeAs(credential)
      expect(parts.acls?.filter(({ principal }) => principal === `User:${mine}`)).toHaveLength(2)
      expect(parts.topics?.filter(({ name }) => name.startsWith(mine))).toHaveLength(3)
    },
    { timeout: 60_000, interval: 200 },
  )
})

afterAll(async () => {
  await admin.deleteTopics({ topics: [longName, wideTopic, ownTopic] }).catch(() => {})
  await admin.deleteAcls({
    filters: [acl(`${mine}.`, AclPermissionTypes.ALLOW), acl(`${mine}.secret.`, AclPermissionTypes.DENY)],
  })
  await users.remove([mine, reader])
  await users.close()
  await admin.close()
})

describe('what an admin sees of a real cluster', () => {
  test('topics with their sizes, the least in-sync replicas, and the configs that are their own', async () => {
    const seen = await observeAs(credential)

    expect(seen.unknown).toEqual({})
    expect(topicOf(seen, longName)).toEqual({
      name: longName,
      partitions: 3,
      replication: 1,
      minInsync: 1,
      configs: {},
    })
    expect(topicOf(seen, wideTopic)?.partitions).toBe(100)
    expect(topicOf(seen, ownTopic)?.configs).toEqual({ 'cleanup.policy': 'compact,delete', 'retention.ms': '1234567' })
  })

  test('brokers, groups, users and ACLs, those that deny too', async () => {
    const { parts } = await observeAs(credential)

    expect(parts.brokers?.map(({ endpoints }) => endpoints)).toEqual([[inside]])
    expect(parts.groups).toBeInstanceOf(Array)
    expect(parts.users).toContainEqual({ name: mine, mechanism: 'SCRAM-SHA-512' })
    const acls = parts.acls?.filter(({ principal }) => principal === `User:${mine}`)
    const common = { principal: `User:${mine}`, host: '*', operation: 'WRITE', resource: 'TOPIC', pattern: 'PREFIXED' }
    expect(acls).toContainEqual({ ...common, permission: 'ALLOW', name: `${mine}.` })
    expect(acls).toContainEqual({ ...common, permission: 'DENY', name: `${mine}.secret.` })
  })

  test('is the same snapshot byte for byte when nothing changed', async () => {
    const key = { source: 'kafka', id: 'payments' }
    const [first, second] = [await observeAs(credential), await observeAs(credential)]

    const one = compare(key, undefined, first, new Date(1)).snapshot
    const two = compare(key, one, second, new Date(2))

    expect(two.changes).toEqual([])
    expect(snapshotAddress(two.snapshot)).toBe(snapshotAddress(one))
  })
})

describe('what cannot be seen', () => {
  test('is nothing when the login is refused, and said so without the password', async () => {
    const wrong = observeAs({ ...credential, password: 'not-the-password' })

    await expect(wrong).rejects.toMatchObject({ name: 'SourceError', code: 'denied' })
    await expect(wrong).rejects.not.toThrow('not-the-password')
  })

  test('is nothing when nobody answers', async () => {
    await expect(observeAs(credential, '127.0.0.1:1')).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('is unknown, part by part, to one who may log in and see nothing', async () => {
    const seen = await observeAs({ username: reader, password: 'reader', mechanism: 'SCRAM-SHA-512' })

    expect(seen.parts.brokers).toHaveLength(1)
    expect(seen.unknown.acls?.code).toBe('denied')
    expect(seen.unknown.users?.code).toBe('denied')
    expect(seen.unknown.topics?.code).toBe('denied')
    expect(seen.parts.acls).toBeUndefined()
  })
})
