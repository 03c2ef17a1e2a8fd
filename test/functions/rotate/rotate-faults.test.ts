import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Acl } from '../../../shared/domain/access.ts'
import type { SlotName } from '../../../shared/domain/rotation.ts'
import { type LoopbackSecrets, startSecrets } from '../../fixtures/loopback-secrets.ts'
import { revoked } from '../../fixtures/policies.ts'
import { type ARotation, aRotation, scramPolicy, secretName } from './a-rotation.ts'

// What others do to a cluster and to Secrets Manager, and what these refuse. test/contracts/throttled-rotate.test.ts fails
// every call to AWS in turn; test/contracts/strangers.test.ts meets strangers on real Kafka.

const hour = 3_600
const rotated = 2.2 * hour

let aws: LoopbackSecrets
let world: ARotation

beforeEach(async () => {
  aws = await startSecrets()
  world = aRotation(aws)
  await world.setPolicy(scramPolicy())
})

afterEach(() => aws.close())

const rotate = (...principals: string[]) => world.aWorker()('main', principals.length > 0 ? principals : ['billing'])
const reasons = () =>
  world.telemetry.lines
    .filter(({ message }) => message === 'credential step failed')
    .map(({ fields }) => `${fields.step}: ${fields.reason}`)
const anAcl: Acl = { resource: 'topic', pattern: 'literal', name: 'orders.created', operation: 'write' }

describe('a key that lets rotate in no more', () => {
  const denied = (calls: readonly string[]) =>
    aws.before(({ call }) => {
      if (calls.includes(call)) aws.failNext(call, 'AccessDeniedException')
    })

  it.each([['GetSecretValue'], ['CreateSecret']])(
    'makes nothing on the cluster for a new credential, and is stuck until it is given back: %s',
    async (call) => {
      denied([call])

      await world.sweepFor(hour)
      await rotate()
      await world.sweepFor(hour)

      expect(new Set(reasons())).toEqual(new Set(['create: secret_denied']))
      expect(world.telemetry.lines.some(({ fields }) => fields.stuck === true)).toBe(true)
      expect(world.scram.users.size).toBe(0)

      aws.before(undefined)
      await world.sweepFor(hour)
      expect(world.works('a')).toBe(true)
    },
  )

  it.each([
    { call: 'GetSecretValue', b: 'absent', reason: 'probe: secret_denied' },
    { call: 'PutSecretValue', b: 'created', reason: 'create: secret_denied' },
  ])('leaves what is active as it is, and the next rotation waits: $call', async ({ call, b, reason }) => {
    await rotate()
    const before = world.secretOf()
    denied([call])

    await world.sweepFor(1.2 * rotated)

    expect(new Set(reasons())).toEqual(new Set([reason]))
    expect(await world.states()).toEqual({ a: 'active', b })
    expect(world.secretOf()).toEqual(before)
    expect([...world.scram.users.keys()]).toEqual(['sb.billing@a'])

    aws.before(undefined)
    await world.sweepFor(hour)
    expect(await world.states()).toEqual({ a: 'absent', b: 'active' })
    expect(world.works('b')).toBe(true)
  })
})

describe('what somebody else changed of a slot that is handed out', () => {
  it.each([
    { what: 'its user was deleted', change: () => world.scram.users.delete('sb.billing@a') },
    { what: 'its password was changed', change: () => world.scram.users.set('sb.billing@a', 'other') },
    { what: 'its secret was deleted for good', change: () => aws.destroyByHand(secretName('billing')) },
  ])('is counted for an alarm, once: $what', async ({ change }) => {
    await rotate()
    change()

    await world.sweepFor(1.2 * hour)

    expect(world.telemetry.counted.filter((name) => name === 'ActiveSlotBroken')).toHaveLength(1)
  })

  it('is no alarm while nothing was changed', async () => {
    await rotate()

    await world.sweepFor(2 * rotated)

    expect(world.telemetry.counted).not.toContain('ActiveSlotBroken')
  })
})

describe('a Kafka user that has the name of a slot and is not ours', () => {
  it('is not taken over: nothing is made, and somebody is told', async () => {
    world.scram.users.set('sb.billing@a', 'of a stranger')
    world.kafka.put('sb.billing@a', anAcl)
    const acls = world.kafka.acls()

    await rotate()
    await world.sweepFor(hour)

    expect(new Set(reasons())).toEqual(new Set(['begin: user_exists']))
    expect(world.telemetry.lines.some(({ fields }) => fields.stuck === true)).toBe(true)
    expect(world.scram.users).toEqual(new Map([['sb.billing@a', 'of a stranger']]))
    expect(world.kafka.acls()).toEqual(acls)
    expect(aws.secretNames()).toEqual([])
  })

  it('is not taken over by the next rotation either, and what is active goes on', async () => {
    world.scram.users.set('sb.billing@b', 'of a stranger')
    world.kafka.put('sb.billing@b', anAcl)
    await rotate()

    await world.sweepFor(2 * rotated)

    expect(world.scram.users.get('sb.billing@b')).toBe('of a stranger')
    expect(world.kafka.acls()).toContain('sb.billing@b topic:literal:write:orders.created')
    expect(await world.states()).toEqual({ a: 'active', b: 'absent' })
    expect(world.works('a')).toBe(true)
    expect(new Set(reasons())).toEqual(new Set(['begin: user_exists']))
  })

  it('is not deleted by a revocation of the principal', async () => {
    world.scram.users.set('sb.billing@a', 'of a stranger')
    await rotate()
    await world.setPolicy(scramPolicy(), [revoked('billing')])

    await rotate()
    await world.sweepFor(hour)

    expect(world.scram.users.get('sb.billing@a')).toBe('of a stranger')
  })

  it('holds up nobody but this principal', async () => {
    await world.setPolicy(scramPolicy(['billing', 'orders-api']))
    world.scram.users.set('sb.billing@a', 'of a stranger')

    await rotate('billing', 'orders-api')

    expect(world.works('a', 'orders-api')).toBe(true)
  })

  it('is made way for when somebody has removed it', async () => {
    world.scram.users.set('sb.billing@a', 'of a stranger')
    await rotate()
    world.scram.users.delete('sb.billing@a')

    await world.sweepFor(hour)

    expect(world.works('a')).toBe(true)
  })
})

describe('names that look like ours', () => {
  const strangers = [
    'sb.billing', // without a slot: that of tokens, which has no password of ours
    'sb.billing@c',
    'sb.billing@A',
    'sb.billing@ab',
    'sb.billing@',
    'sb.Billing@a',
    'sb.billin@a',
    'sb.billing-too@a',
    'sbx@a',
    'sbbilling@a',
    'SB.billing@a',
    'sb.other@a',
    'billing@a',
    'admin',
  ]
  const secrets = [
    'switchboard/prod/credentials/main/billing',
    'switchboard/prod/credentials/main/billing/slots-abcdef',
    'switchboard/prod/credentials/main/billing/slotsx',
    'switchboard/prod/credentials/main/Billing/slots',
    'switchboard/prod/credentials/main/billin/slots',
    'switchboard/prod/credentials/mai/billing/slots',
    'switchboard/prod/credentials/other/billing/slots',
    'switchboard/prod-2/credentials/main/billing/slots',
    'switchboard/credentials/main/billing',
    'AmazonMSK_billing',
  ]

  it('are never touched, neither users nor ACLs nor secrets', async () => {
    for (const user of strangers) {
      world.scram.users.set(user, 'of a stranger')
      // the user of tokens is ours by name, and its ACLs are what the policy says
      if (user !== 'sb.billing') world.kafka.put(user, anAcl)
    }
    for (const name of secrets) aws.put(name, 'of a stranger')
    const acls = world.kafka.acls()

    await rotate()
    await world.sweepFor(2 * rotated)
    await world.setPolicy(scramPolicy(), [revoked('billing')])
    await rotate()
    await world.sweepFor(hour)

    expect(world.scram.users).toEqual(new Map(strangers.map((user) => [user, 'of a stranger'])))
    expect(world.kafka.acls()).toEqual(acls)
    for (const name of secrets) expect(aws.text(name)).toBe('of a stranger')
    expect(new Set(aws.calls.map(({ name }) => name))).toEqual(new Set([secretName('billing')]))
  })
})

describe('principals with names that are something else elsewhere', () => {
  // an ARN ends in a hyphen and six characters; Kafka has a wildcard and an anonymous user, and cares for case
  const names = [
    'jobs-abcdef',
    'jobs',
    'Jobs',
    'a.b',
    'a_b',
    'a-b',
    'a.b.',
    'User',
    'ANONYMOUS',
    'admin',
    'x'.repeat(63),
  ]
  const only = (held: SlotName) => (held === 'a' ? { a: 'active', b: 'absent' } : { a: 'absent', b: 'active' })

  it('have a credential each, which is rotated and taken away as any other', async () => {
    await world.setPolicy(scramPolicy(names))

    await rotate(...names)

    for (const name of names) expect(world.works('a', name), name).toBe(true)
    await world.sweepFor(1.2 * rotated)
    for (const name of names) expect(await world.states(name), name).toEqual(only('b'))
    await world.setPolicy(scramPolicy(names), [revoked('jobs'), revoked('a.b')])
    await rotate(...names)
    expect([...world.leftovers('jobs'), ...world.leftovers('a.b')]).toEqual([])
    for (const name of names.filter((each) => each !== 'jobs' && each !== 'a.b'))
      expect(world.works('b', name), name).toBe(true)
  })
})

describe('two stacks', () => {
  it('on one cluster, with a prefix each, and in one account do not see each other', async () => {
    const { kafka, scram } = world
    const other = aRotation(aws, { stack: 'staging', kafka, scram })
    const policy = { ...scramPolicy(), kafkaUserPrefix: 'st.' }
    await other.setPolicy(policy)
    await Promise.all([rotate(), other.aWorker()('main', ['billing'])])
    const theirs = {
      secret: aws.text(secretName('billing', 'staging')),
      password: scram.users.get('st.billing@a'),
      acls: kafka.acls().filter((acl) => acl.startsWith('st.')),
    }
    expect(theirs.acls).toHaveLength(1)

    await world.sweepFor(rotated)
    await world.setPolicy(scramPolicy(), [revoked('billing')])
    await rotate()

    expect(world.leftovers()).toEqual([])
    expect(aws.text(secretName('billing', 'staging'))).toBe(theirs.secret)
    expect(scram.users).toEqual(new Map([['st.billing@a', theirs.password]]))
    expect(kafka.acls()).toEqual(theirs.acls)
    await other.sweepFor(rotated)
    expect([...scram.users.keys()]).toEqual(['st.billing@b'])
  })

  it('that share a prefix by mistake do not take each other’s users over', async () => {
    const { kafka, scram } = world
    const other = aRotation(aws, { stack: 'staging', kafka, scram })
    await other.setPolicy(scramPolicy())
    await rotate()

    await other.aWorker()('main', ['billing'])

    expect(world.works('a')).toBe(true)
    expect((await other.read())?.failures).toMatchObject({ step: 'begin', reason: 'user_exists' })
    expect(aws.text(secretName('billing', 'staging'))).toBeUndefined()
  })
})
