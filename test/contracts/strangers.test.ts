import { randomUUID } from 'node:crypto'
import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApplyAccess } from '../../functions/rotate/apply-access.ts'
import { knownCluster } from '../../local/kafka/known-cluster.ts'
import { readStackState } from '../../local/state.ts'
import { createAclAdmin } from '../../shared/clusters/kafka/acl-admin.ts'
import { adminConnection } from '../../shared/clusters/kafka/admin-connection.ts'
import { createQuotaAdmin } from '../../shared/clusters/kafka/quota-admin.ts'
import { createScramAdmin } from '../../shared/clusters/kafka/scram-admin.ts'
import { createKafkaScramBackend } from '../../shared/clusters/kafka/scram-backend.ts'
import type { Cluster } from '../../shared/domain/cluster.ts'
import type { SlotName } from '../../shared/domain/rotation.ts'
import { canLogIn, untilLogin } from '../fixtures/kafka-login.ts'
import { type LoopbackSecrets, startSecrets } from '../fixtures/loopback-secrets.ts'
import { revoked } from '../fixtures/policies.ts'
import { type ARotation, aRotation, scramPolicy } from '../functions/rotate/a-rotation.ts'

// Two stacks, and people who know of neither, on one real cluster. Secrets and tables are simulated, time passes as it is
// told to.

const { clusters } = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const { inside, admin: credential } = clusters.payments
const cluster: Cluster = { ...knownCluster('main', inside), auth: ['scram'] }
const users = createScramAdmin(cluster, credential)
const admin = new Admin(adminConnection(cluster, credential))
type Rule = Parameters<Admin['createAcls']>[0]['creations'][number]
const run = randomUUID().slice(0, 6)
const hour = 3_600

let aws: LoopbackSecrets
const worlds: { readonly world: ARotation; readonly principals: readonly string[]; readonly prefix: string }[] = []
const strangersMade = new Set<string>()

beforeAll(async () => {
  aws = await startSecrets()
})

afterAll(async () => {
  for (const { world, principals, prefix } of worlds) {
    await world.setPolicy(
      { ...scramPolicy(principals), kafkaUserPrefix: prefix },
      principals.map((name) => revoked(name)),
    )
    await workerOf(world)('main', principals)
  }
  await users.remove([...strangersMade])
  await admin.deleteAcls({
    filters: [...strangersMade].map((user) => ({ ...filterOf(user), permissionType: AclPermissionTypes.ANY })),
  })
  await Promise.all([users.close(), admin.close(), aws.close()])
})

const workerOf = (world: ARotation) => {
  const { directories, access, credentials, telemetry, clock } = world
  return world.aWorker(undefined, {
    openBackend: async () => createKafkaScramBackend(cluster, credential),
    applyAccess: createApplyAccess({
      directories,
      access,
      credentials,
      openAdmin: async () => createAclAdmin(cluster, credential),
      openQuotas: async () => createQuotaAdmin(cluster, credential),
      telemetry,
      clock,
    }),
  })
}

const aStack = async (stack: string, prefix: string, principals: readonly string[]) => {
  const world = aRotation(aws, { stack })
  const policy = { ...scramPolicy(principals), kafkaUserPrefix: prefix }
  await world.setPolicy(policy)
  worlds.push({ world, principals, prefix })
  const secretOf = (principal: string) =>
    JSON.parse(aws.text(`switchboard/${stack}/credentials/main/${principal}/slots`) ?? '{}')
  return {
    world,
    rotate: () => workerOf(world)('main', principals),
    sweepFor: (seconds: number) => world.sweepFor(seconds, workerOf(world)),
    revoke: (principal: string) => world.setPolicy(policy, [revoked(principal)]),
    loginOf: (principal: string, slot: SlotName) => {
      const { username = '', password = '' } = secretOf(principal)[slot] ?? {}
      return { bootstrap: inside, username, password }
    },
    secretOf,
  }
}

const filterOf = (user: string) => ({
  resourceType: ResourceTypes.ANY,
  resourceName: null,
  resourcePatternType: ResourcePatternTypes.ANY,
  principal: `User:${user}`,
  host: null,
  operation: AclOperations.ANY,
  permissionType: AclPermissionTypes.ANY,
})

const aclsOf = async (names: readonly string[]): Promise<readonly string[]> => {
  const found = await Promise.all(names.map((name) => admin.describeAcls({ filter: filterOf(name) })))
  return found
    .flat()
    .flatMap(({ acls, ...resource }) => acls.map((acl) => JSON.stringify({ ...resource, ...acl })))
    .sort()
}

const aRule = (user: string, changes: Partial<Rule> = {}): Rule => ({
  resourceType: ResourceTypes.TOPIC,
  resourceName: 'orders.created',
  resourcePatternType: ResourcePatternTypes.LITERAL,
  principal: `User:${user}`,
  host: '*',
  operation: AclOperations.WRITE,
  permissionType: AclPermissionTypes.ALLOW,
  ...changes,
})

/** Users with a password, and rules for them. */
const makeStrangers = async (names: readonly string[]) => {
  for (const name of names) strangersMade.add(name)
  await users.upsert(names.map((name) => ({ name, password: 'of a stranger' })))
  await admin.createAcls({
    creations: names.flatMap((name) => [aRule(name), aRule(name, { permissionType: AclPermissionTypes.DENY })]),
  })
  for (const name of names) await untilLogin({ bootstrap: inside, username: name, password: 'of a stranger' }, true)
  return aclsOf(names)
}

const expectUntouched = async (names: readonly string[], acls: readonly string[]): Promise<void> => {
  for (const username of names)
    expect(await canLogIn({ bootstrap: inside, username, password: 'of a stranger' }), username).toBe(true)
  expect(await aclsOf(names)).toEqual(acls)
}

describe('strangers on a real cluster', () => {
  test('whose names look like ours keep users and ACLs through a whole life of a credential', async () => {
    const principal = `p${run}`
    // without the user of tokens: what hangs on that is ours by its name, whoever made it
    const similar = ['@c', '@A', '@ab', 'x@a', '-too@a'].map((end) => `sb.${principal}${end}`)
    const names = [...similar, `sbx${principal}@a`, `SB.${principal}@a`, `${principal}@a`, `sb.P${run}@a`]
    const { rotate, sweepFor, revoke, loginOf, world } = await aStack('prod', 'sb.', [principal])
    const acls = await makeStrangers(names)

    await rotate()
    await untilLogin(loginOf(principal, 'a'), true)
    await sweepFor(3 * hour)
    await untilLogin(loginOf(principal, 'b'), true)
    await expectUntouched(names, acls)
    await revoke(principal)
    await rotate()

    expect(await world.states(principal)).toEqual({ a: 'absent', b: 'absent' })
    expect(await users.describe([`sb.${principal}@a`, `sb.${principal}@b`])).toEqual(new Map())
    await expectUntouched(names, acls)
  })

  test('who has the very name of a slot keeps password and ACLs, and the slot is not made', async () => {
    const principal = `q${run}`
    const { rotate, revoke, world } = await aStack('prod', 'sb.', [principal])
    const acls = await makeStrangers([`sb.${principal}@a`])

    await rotate()

    expect((await world.read(principal))?.failures).toMatchObject({ step: 'begin', reason: 'user_exists' })
    await expectUntouched([`sb.${principal}@a`], acls)
    await revoke(principal)
    await rotate()
    expect(await canLogIn({ bootstrap: inside, username: `sb.${principal}@a`, password: 'of a stranger' })).toBe(true)
  })
})

test.each([
  { what: 'gave it another password', change: (name: string) => users.upsert([{ name, password: 'other' }]) },
  { what: 'deleted it', change: (name: string) => users.remove([name]) },
])('a user of ours is found and set right on a real cluster when somebody $what', async ({ what, change }) => {
  const principal = `u${run}-${what.split(' ')[0]}`
  const { rotate, sweepFor, loginOf, world } = await aStack('prod', 'sb.', [principal])
  await rotate()
  const login = loginOf(principal, 'a')
  await untilLogin(login, true)
  await change(login.username)
  await untilLogin(login, false)

  await sweepFor(1.2 * hour)

  expect(loginOf(principal, 'a')).toEqual(login)
  expect(await canLogIn(login)).toBe(true)
  expect((await world.read(principal))?.slots.a).toMatchObject({ state: 'active', health: 'works' })
  expect(world.telemetry.counted).toContain('ActiveSlotBroken')
})

describe('two stacks on a real cluster', () => {
  test('with a prefix each do not see each other', async () => {
    const principal = `r${run}`
    const one = await aStack('prod', 'sb.', [principal])
    const other = await aStack('staging', 'st.', [principal])
    await one.rotate()
    await other.rotate()
    const theirs = other.loginOf(principal, 'a')
    await untilLogin(theirs, true)
    const acls = await aclsOf([theirs.username])
    expect(acls).toHaveLength(1)

    await one.sweepFor(3 * hour)
    await one.revoke(principal)
    await one.rotate()

    expect(other.loginOf(principal, 'a')).toEqual(theirs)
    expect(await canLogIn(theirs)).toBe(true)
    expect(await aclsOf([theirs.username])).toEqual(acls)
  })

  test('with one prefix by mistake do not take each other’s users over', async () => {
    const principal = `s${run}`
    const one = await aStack('prod', 'sb.', [principal])
    const other = await aStack('staging', 'sb.', [principal])
    await one.rotate()
    await untilLogin(one.loginOf(principal, 'a'), true)

    await other.rotate()

    expect((await other.world.read(principal))?.failures).toMatchObject({ reason: 'user_exists' })
    expect(other.secretOf(principal)).toEqual({})
    expect(await canLogIn(one.loginOf(principal, 'a'))).toBe(true)
  })
})

test('principals whose names are something else elsewhere log in to a real cluster by their own password alone', async () => {
  const names = ['-abcdef', '', '.b', '_b', '-b', '.b.'].map((end) => `t${run}${end}`)
  const principals = [...names, `T${run}`, `User${run}`, `${'x'.repeat(63 - run.length)}${run}`]
  const { rotate, sweepFor, revoke, loginOf, world } = await aStack('prod', 'sb.', principals)

  await rotate()

  for (const principal of principals) await untilLogin(loginOf(principal, 'a'), true)
  await sweepFor(3 * hour)
  for (const principal of principals) await untilLogin(loginOf(principal, 'b'), true)
  const others = { ...loginOf(`T${run}`, 'b'), username: `sb.t${run}@b` }
  expect(await canLogIn(others)).toBe(false)
  await revoke(`t${run}`)
  await rotate()
  expect(await world.states(`t${run}`)).toEqual({ a: 'absent', b: 'absent' })
  for (const principal of principals.filter((each) => each !== `t${run}`))
    expect(await canLogIn(loginOf(principal, 'b')), principal).toBe(true)
})
