import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { initPolicy, writePolicyFile } from '../../cli/init.ts'
import { parsePolicyFile } from '../../cli/policy-file.ts'
import type { FoundAcl, FoundCluster, FoundListener, Parts } from '../../shared/domain/inventory.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { aFoundCluster, aSnapshot, aTopic } from '../fixtures/inventories.ts'
import { anInventoryWorld } from '../fixtures/inventory-world.ts'
import { aCluster } from '../fixtures/policies.ts'

const arn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/payments/0a1b2c3d-0000-4000-8000-000000000000-1'

const anAcl = (user: string, operation: string, given: Partial<FoundAcl> = {}): FoundAcl => ({
  principal: `User:${user}`,
  host: '*',
  permission: 'ALLOW',
  operation,
  resource: 'TOPIC',
  pattern: 'LITERAL',
  name: 'orders.created',
  ...given,
})

const crawl: Policy['crawl'] = { prod: { provider: 'msk', regions: ['eu-west-1'] } }
const nothing = { grants: [], routes: [], crawl }

const ofMain = (parts: Partial<Parts>, cluster: Partial<FoundCluster> = {}) =>
  aSnapshot({
    source: 'kafka',
    id: 'main',
    cluster: aFoundCluster({ provider: 'kafka', name: 'main', tags: {}, ...cluster }),
    parts: { topics: [aTopic('orders.created'), aTopic('audit')], acls: [], ...parts },
  })

const ofPayments = (given: Partial<FoundCluster> = {}, parts: Partial<Parts> = {}) =>
  aSnapshot({ source: 'prod', id: arn, cluster: aFoundCluster(given), parts: { topics: [aTopic('paid')], ...parts } })

const parsed = (text: string) => {
  const file = parsePolicyFile(text)
  if (!file.ok) throw new Error(file.issues.map(({ line, detail }) => `${line}: ${detail}`).join('\n'))
  return file.policy
}

describe('switchboard init --from-inventory', () => {
  test('writes a policy that plan takes as it is, where there is nothing to fill in', async () => {
    const world = await anInventoryWorld(nothing)
    await world.found(ofMain({ acls: [anAcl('billing', 'READ'), anAcl('orders-api', 'WRITE')] }))

    const policy = parsed(await initPolicy(world))

    expect(policy.grants).toEqual([
      { principals: ['billing'], consume: ['kafka://main/orders/created'] },
      { principals: ['orders-api'], produce: ['kafka://main/orders/created'] },
    ])
    expect(policy.routes.map(({ channel }) => channel).sort()).toEqual([
      'kafka://main/audit',
      'kafka://main/orders/created',
    ])
  })

  test('takes in a cluster that the policy does not have, and says what is to be filled in', async () => {
    const world = await anInventoryWorld(nothing)
    await world.found(ofPayments())

    const text = await initPolicy(world)
    const file = parsePolicyFile(text)

    expect(file.ok || file.issues.map(({ detail }) => detail)).toEqual([
      expect.stringContaining('the cluster `payments` has no `admin.secret`'),
    ])
    expect(text).toContain('# fill in `admin: { secret: <name or ARN> }`')
    const filledIn = text.replace(/^( +)arn: .*$/m, (line, indent) => `${line}\n${indent}admin: { secret: x }`)
    expect(parsed(filledIn).clusters.payments).toMatchObject({ provider: 'msk', arn, admin: { secret: 'x' } })
  })

  test('lets principals in by IAM where an MSK cluster has a listener for it, and says what that needs', async () => {
    const world = await anInventoryWorld(nothing)
    const [scram] = aFoundCluster().listeners
    const iam: FoundListener = {
      field: 'BootstrapBrokerStringSaslIam',
      network: 'vpc',
      bootstrap: 'b-1.payments:9098',
      security: 'SASL_SSL',
      mechanisms: ['AWS_MSK_IAM'],
    }
    const serverless = arn.replace(/-1$/, '-s1')
    await world.found(ofPayments({ listeners: scram === undefined ? [] : [scram, iam] }))
    await world.found(aSnapshot({ ...ofPayments({ name: 'events', listeners: [iam] }), id: serverless }))

    const text = await initPolicy(world)
    const file = parsePolicyFile(text)

    // with IAM alone nobody has a user or an ACL, so nobody is needed to make them
    expect(file.ok || file.issues.map(({ detail }) => detail)).toEqual([
      expect.stringContaining('the cluster `payments` has no `admin.secret`'),
    ])
    expect(text.match(/fill in `admin/g)).toHaveLength(1)
    expect(text.match(/`mskIamClusters`/g)).toHaveLength(2)
    const { clusters } = parsed(
      text.replace(/^( +)arn: .*-1$/m, (line, indent) => `${line}\n${indent}admin: { secret: x }`),
    )
    expect(clusters).toMatchObject({
      payments: { provider: 'msk', arn, auth: ['msk-iam', 'scram'] },
      events: { provider: 'msk', arn: serverless, auth: ['msk-iam'] },
    })
  })

  test('keeps what the policy in force says of clusters, identities and sources', async () => {
    const clusters = { main: aCluster({ labels: { tier: 'gold' } }), unseen: aCluster({ bootstrap: 'unseen:9093' }) }
    const world = await anInventoryWorld({ ...nothing, clusters, kafkaUserPrefix: 'our.' })
    await world.found(ofMain({ acls: [anAcl('our.billing', 'READ')] }))

    const policy = parsed(await initPolicy(world))

    expect(policy).toMatchObject({ clusters, crawl, kafkaUserPrefix: 'our.' })
    expect(policy.grants).toEqual([])
  })

  test('says that the grants and routes in force are not in it', async () => {
    const world = await anInventoryWorld()
    await world.found(ofMain({}))

    expect(await initPolicy(world)).toContain('# The grants and routes in force are not in it')
  })

  test('says of each part where it comes from', async () => {
    const world = await anInventoryWorld(nothing)
    await world.found(ofMain({ acls: [anAcl('billing', 'READ'), anAcl('billing', 'ALTER')] }))

    const text = await initPolicy(world)

    expect(text).toContain('# kafka main, as it was found 2026-11-21T12:00:00.000Z\n')
    expect(text).toContain('# from the ACLs of User:billing on main\n')
    expect(text).toContain('# not carried over, no grant says it: ALLOW ALTER TOPIC orders.created\n')
    expect(text).toContain('# topic of main: 6 partitions, 3 replicas\n')
  })

  test('has a cluster once that two sources know: as who could see its ACLs does', async () => {
    const clusters = { main: aCluster({ bootstrap: 'b-1.payments:9096' }) }
    const world = await anInventoryWorld({ ...nothing, clusters })
    await world.found(ofPayments())
    await world.found(ofMain({ topics: [aTopic('paid')], acls: [anAcl('billing', 'READ', { name: 'paid' })] }))

    const policy = parsed(await initPolicy(world))

    expect(Object.keys(policy.clusters)).toEqual(['main'])
    expect(policy.grants).toHaveLength(1)
  })

  test('gives two clusters of one name two names', async () => {
    const world = await anInventoryWorld(nothing)
    await world.found(ofMain({}))
    await world.found(ofPayments())
    const second = arn.replace('111122223333', '444455556666')
    await world.found(aSnapshot({ ...ofPayments(), id: second }))

    const text = await initPolicy(world)

    expect(text).toMatch(/^ {2}payments:$/m)
    expect(text).toMatch(/^ {2}payments-2:$/m)
  })

  test('names what it leaves out', async () => {
    const world = await anInventoryWorld(nothing)
    await world.found(ofMain({ acls: [anAcl('CN=legacy,O=acme', 'READ')] }))
    await world.found(ofPayments({ listeners: [] }))

    const text = await initPolicy(world)

    expect(text).toContain(`# - payments (msk ${arn}): nothing there that Switchboard can log clients in with`)
    expect(text).toContain('CN=legacy,O=acme')
    expect(Object.keys(parsed(text).clusters)).toEqual(['main'])
  })

  test('lets no name that was found become a part of the policy', async () => {
    const world = await anInventoryWorld(nothing)
    const evil = 'x\ngrants: [{ principals: [evil], produce: ["kafka://main/**"] }]\n#'
    await world.found(
      ofMain({ acls: [anAcl('billing', 'READ'), anAcl('billing', 'ALTER', { name: evil }), anAcl(evil, 'READ')] }),
    )
    await world.found(ofPayments({ name: `payments\u2028${evil}`, listeners: [] }))

    const policy = parsed(await initPolicy(world))

    expect(policy.grants).toEqual([{ principals: ['billing'], consume: ['kafka://main/orders/created'] }])
  })

  test('says what to do where no crawl has found anything', async () => {
    await expect(initPolicy(await anInventoryWorld(nothing))).rejects.toThrow(
      'run `switchboard crawl`, then this again',
    )
  })
})

describe('the file of init', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'init-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  test('takes the place of no file, which somebody may have filled in', async () => {
    const file = join(folder, 'policy.yaml')
    await writePolicyFile(file, 'first')

    await expect(writePolicyFile(file, 'second')).rejects.toThrow('is there already')
    expect(await readFile(file, 'utf8')).toBe('first')
  })
})
