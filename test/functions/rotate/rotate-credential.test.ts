import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newCredential } from '../../../shared/domain/rotation.ts'
import { type LoopbackSecrets, startSecrets } from '../../fixtures/loopback-secrets.ts'
import { aCluster, aPolicy, revoked } from '../../fixtures/policies.ts'
import { type ARotation, aRotation, scramPolicy, secretName } from './a-rotation.ts'

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
const failures = () => world.telemetry.lines.filter(({ message }) => message === 'credential step failed')
const reasons = () => failures().map(({ fields }) => fields.reason)

describe('the first credential of a principal that a grant names', () => {
  it('is made, proven and handed out in one run', async () => {
    await rotate()

    expect(await world.states()).toEqual({ a: 'active', b: 'absent' })
    expect((await world.read())?.slots.a).toMatchObject({ health: 'works', generation: 1 })
    expect(world.works('a')).toBe(true)
    expect(world.scram.done).toEqual(['create sb.billing@a', 'verify sb.billing@a'])
    expect(world.scram.closed()).toBe(world.scram.opened())
  })

  it('has its rights before it is handed out, and no others', async () => {
    await rotate()

    expect(world.kafka.acls()).toEqual(['sb.billing@a topic:prefixed:write:orders.'])
  })

  it('is made once, however often it is asked for', async () => {
    await rotate()
    const before = { secret: world.secretOf(), users: new Map(world.scram.users), version: await stored() }

    await rotate()
    await rotate()

    expect({ secret: world.secretOf(), users: world.scram.users, version: await stored() }).toEqual(before)
  })

  it('is looked at again in an hour, and not before', async () => {
    await rotate()

    expect((await world.credentials.read('main', 'billing'))?.dueAt).toEqual(
      new Date(world.clock().getTime() + 3_600_000),
    )
  })

  const stored = async () => (await world.credentials.read('main', 'billing'))?.version
})

describe('a credential that nobody is to have', () => {
  it.each([
    { why: 'no grant leads there', policy: aPolicy({ clusters: { main: aCluster({ auth: ['scram'] }) } }) },
    {
      why: 'the cluster takes tokens only',
      policy: scramPolicy(['billing'], { clusters: { main: aCluster({ auth: ['jwt'] }) } }),
    },
    {
      why: 'the grant has ended',
      policy: scramPolicy([], {
        grants: [{ principals: ['billing'], produce: ['kafka://acme/orders/**'], until: '2026-01-01' }],
      }),
    },
    {
      why: 'labels give it, and nobody asked yet',
      policy: scramPolicy([], {
        grants: [{ principals: { labels: { team: 'payments' } }, produce: ['kafka://acme/orders/**'] }],
      }),
    },
  ])('is not made: $why', async ({ policy }) => {
    await world.setPolicy(policy)

    await rotate()

    expect(await world.read()).toBeUndefined()
    expect(aws.calls).toEqual([])
    expect(world.scram.opened()).toBe(0)
  })

  it('is not made for somebody who is denied', async () => {
    await world.setPolicy(scramPolicy(), [revoked('billing')])

    await rotate()

    expect(await world.read()).toBeUndefined()
  })

  it('on a cluster that no policy has is no error', async () => {
    await world.aWorker()('other', ['billing'])

    expect(world.telemetry.lines).toMatchObject([{ level: 'warn', fields: { cluster: 'other' } }])
  })
})

it('a credential that labels give is made when somebody has asked for it', async () => {
  const grants = [{ principals: { labels: { team: 'payments' } }, produce: ['kafka://acme/orders/**'] }]
  await world.setPolicy(scramPolicy([], { grants }))
  await world.access.request('main', 'billing', { team: 'payments' }, world.clock())
  await world.credentials.write(0, newCredential('billing', 'main'), world.clock())

  await rotate()

  expect(await world.states()).toEqual({ a: 'active', b: 'absent' })
  expect(world.works('a')).toBe(true)
})

describe('a rotation', () => {
  it('hands out the other slot and takes the old one away when no lease names it', async () => {
    await rotate()
    const before = world.secretOf().a.password

    await world.sweepFor(rotated)

    expect(await world.states()).toEqual({ a: 'absent', b: 'active' })
    expect(world.works('b')).toBe(true)
    expect([...world.scram.users.keys()]).toEqual(['sb.billing@b'])
    expect(world.kafka.acls()).toEqual(['sb.billing@b topic:prefixed:write:orders.'])
    expect(world.secretOf().b.password).not.toBe(before)
    expect(failures()).toEqual([])
  })

  it('goes on for ever, with one write of the secret each time', async () => {
    await rotate()
    aws.calls.length = 0

    await world.sweepFor(8 * hour)

    const { slots } = (await world.read()) ?? {}
    const generations = (slots?.a.generation ?? 0) + (slots?.b.generation ?? 0)
    expect(generations).toBeGreaterThanOrEqual(4)
    expect(aws.names().filter((name) => name === 'PutSecretValue')).toHaveLength(generations - 1)
    expect(aws.names().filter((name) => name !== 'PutSecretValue' && name !== 'GetSecretValue')).toEqual([])
    expect(world.scram.users.size).toBe(1)
  })

  it('asks once who holds the old slot when its clients have moved in time, and again when the last lease ends', async () => {
    const asked: string[] = []
    const slotHeldUntil: typeof world.leases.slotHeldUntil = (slot, at) => {
      asked.push(`${slot.slot}${slot.generation}`)
      return world.leases.slotHeldUntil(slot, at)
    }
    const worker = world.aWorker(undefined, { leases: { slotHeldUntil } })
    await worker('main', ['billing'])

    await world.sweepFor(8 * hour, worker)

    expect(asked.length).toBeGreaterThan(3)
    expect(asked.length).toBe(new Set(asked).size)
    asked.length = 0
    const slot = await world.take(5 * hour)
    await world.sweepFor(6 * hour, worker)
    expect(asked.filter((each) => each.startsWith(slot))).toHaveLength(2)
  })

  it('keeps what a lease names until the lease has ended by every clock', async () => {
    await rotate()
    const leaseSeconds = 3 * hour
    const slot = await world.take(leaseSeconds)
    const end = world.clock().getTime() + leaseSeconds * 1000

    while (world.clock().getTime() < end) {
      expect(world.works(slot)).toBe(true)
      await world.sweepFor(900)
    }
    await world.sweepFor(600)

    expect(world.works(slot)).toBe(false)
    expect(await world.states()).toEqual({ a: 'absent', b: 'active' })
  })

  it('drains nothing on a guess while the leases cannot be read', async () => {
    await rotate()
    const slotHeldUntil = async () => {
      throw new Error('throttled')
    }
    const worker = world.aWorker(undefined, { leases: { slotHeldUntil } })

    await world.sweepFor(rotated, worker)

    expect(await world.states()).toEqual({ a: 'draining', b: 'active' })
    expect(world.scram.users.has('sb.billing@a')).toBe(true)
    expect(new Set(reasons())).toEqual(new Set(['leases_unavailable']))
  })
})

describe('a revoked principal', () => {
  it('loses its rights first, then its users and its secret, and nothing is left', async () => {
    await rotate()
    await world.take(10 * hour)
    await world.setPolicy(scramPolicy(), [revoked('billing')])

    await rotate()

    expect(await world.states()).toEqual({ a: 'absent', b: 'absent' })
    expect(world.leftovers()).toEqual([])
    expect(aws.names().at(-1)).toBe('DeleteSecret')
    expect((await world.credentials.read('main', 'billing'))?.dueAt).toBeUndefined()
  })

  it('keeps its rights nowhere when the cluster does not take the user away', async () => {
    await rotate()
    world.scram.setFailing('sb.billing@a', 'cluster_unavailable')
    await world.setPolicy(scramPolicy(), [revoked('billing')])

    await rotate()

    expect(world.kafka.acls()).toEqual([])
    expect(await world.states()).toEqual({ a: 'fenced', b: 'absent' })
    world.scram.setFailing('sb.billing@a', undefined)
    await world.sweepFor(600)
    expect(world.leftovers()).toEqual([])
  })

  it('keeps its users while its rights cannot be taken away, and is tried again', async () => {
    await rotate()
    await world.setPolicy(scramPolicy(), [revoked('billing')])
    world.kafka.failNext('remove')

    await rotate()

    expect(reasons()).toEqual(['access_failed'])
    expect(world.scram.users.has('sb.billing@a')).toBe(true)
    await world.sweepFor(600)
    expect(world.leftovers()).toEqual([])
  })

  it('that is restored gets another password', async () => {
    await rotate()
    const before = world.secretOf().a.password
    await world.setPolicy(scramPolicy(), [revoked('billing')])
    await rotate()
    await world.setPolicy(scramPolicy())

    await world.sweepFor(600)
    await rotate()
    await world.sweepFor(600)

    const { slots } = (await world.read()) ?? {}
    const active = slots?.a.state === 'active' ? 'a' : 'b'
    expect(world.works(active)).toBe(true)
    expect(aws.text(secretName('billing'))).not.toContain(before)
  })

  it('is one whose grant is gone, too', async () => {
    await rotate()
    await world.setPolicy(scramPolicy(['orders-api']))

    await rotate('billing', 'orders-api')

    expect(world.leftovers('billing')).toEqual([])
    expect(world.works('a', 'orders-api')).toBe(true)
  })

  it('does not disturb another', async () => {
    await world.setPolicy(scramPolicy(['billing', 'orders-api']))
    await rotate('billing', 'orders-api')
    await world.setPolicy(scramPolicy(['billing', 'orders-api']), [revoked('billing')])

    await rotate('billing')

    expect(world.leftovers('billing')).toEqual([])
    expect(world.works('a', 'orders-api')).toBe(true)
  })
})

describe('many credentials of a cluster', () => {
  const names = Array.from({ length: 40 }, (_, index) => `p${index}`)

  it('are told to the cluster in one request, over one connection', async () => {
    await world.setPolicy(scramPolicy(names))

    await rotate(...names)

    expect(world.scram.opened()).toBe(1)
    expect(world.scram.done.map((call) => call.split(' ')[0])).toEqual(['create', 'verify'])
    for (const name of names) expect(world.works('a', name)).toBe(true)
  })

  it('for which there is no room are not begun: nothing of them is anywhere, and the others are made', async () => {
    await world.setPolicy(scramPolicy(names))
    world.scram.setFailing('sb.p7@a', 'cluster_full')

    await rotate(...names)

    expect(reasons()).toEqual(['cluster_full'])
    expect(await world.states('p7')).toEqual({ a: 'absent', b: 'absent' })
    expect(aws.text(secretName('p7'))).toBeUndefined()
    expect(world.works('a', 'p8')).toBe(true)
  })

  it('have an outcome each', async () => {
    await world.setPolicy(scramPolicy(names))
    world.scram.setFailing('sb.p7@a', 'user_refused')
    aws.put(secretName('p8'), 'something of somebody else')

    await rotate(...names)

    expect(await world.states('p7')).toEqual({ a: 'created', b: 'absent' })
    expect(await world.states('p8')).toEqual({ a: 'created', b: 'absent' })
    expect(reasons().sort()).toEqual(['secret_foreign', 'user_refused'])
    for (const name of names.filter((each) => each !== 'p7' && each !== 'p8'))
      expect(await world.states(name)).toEqual({ a: 'active', b: 'absent' })
  })
})

describe('what changes behind our back', () => {
  it.each([
    { what: 'its password was changed', change: () => world.scram.users.set('sb.billing@a', 'other') },
    { what: 'it was deleted', change: () => world.scram.users.delete('sb.billing@a') },
  ])('is found by the hourly login and set right: $what', async ({ change }) => {
    await rotate()
    const before = world.secretOf().a
    change()

    await world.sweepFor(1.2 * hour)

    expect(world.works('a')).toBe(true)
    expect(world.secretOf().a).toEqual(before)
    expect((await world.read())?.slots.a.health).toBe('works')
    expect(world.telemetry.lines.some(({ message }) => message === 'an active slot does not work')).toBe(true)
  })

  it('is a secret that was deleted, which is brought back', async () => {
    await rotate()
    const before = world.secretOf().a
    aws.deleteByHand(secretName('billing'))

    await world.sweepFor(1.2 * hour)

    expect(world.secretOf().a).toEqual(before)
    expect(await world.states()).toEqual({ a: 'active', b: 'absent' })
  })

  it('is a secret that was deleted for good: the other slot takes over, and who has the old one keeps it', async () => {
    await rotate()
    await world.take(10 * hour)
    aws.destroyByHand(secretName('billing'))

    await world.sweepFor(1.2 * hour)

    expect(await world.states()).toEqual({ a: 'draining', b: 'active' })
    expect(world.works('b')).toBe(true)
    expect(world.scram.users.has('sb.billing@a')).toBe(true)
  })
})

describe('a cluster where no login can be tried from here', () => {
  it('has its slots handed out after the longest time that it may take', async () => {
    world.scram.setReachable(false)

    await world.sweepFor(120)
    await rotate()
    expect(await world.states()).toEqual({ a: 'settling', b: 'absent' })
    await world.sweepFor(300)

    expect(await world.states()).toEqual({ a: 'active', b: 'absent' })
    expect((await world.read())?.slots.a.health).toBe('unprobed')
  })
})

describe('two workers', () => {
  it('make one credential of one principal', async () => {
    await Promise.all([rotate(), rotate(), rotate()])
    await world.sweepFor(600)

    expect(await world.states()).toEqual({ a: 'active', b: 'absent' })
    expect((await world.read())?.slots.a.generation).toBe(1)
    expect(aws.names().filter((name) => name === 'CreateSecret')).toHaveLength(1)
    expect(world.works('a')).toBe(true)
  })
})

it('no password is in what is said or stored', async () => {
  await rotate()
  world.scram.users.set('sb.billing@a', 'other')
  await world.sweepFor(1.2 * hour)

  const { password } = world.secretOf().a
  expect(world.telemetry.text()).not.toContain(password)
  expect(JSON.stringify(await world.credentials.list())).not.toContain(password)
})
