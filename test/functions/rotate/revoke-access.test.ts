import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createApplyAccess } from '../../../functions/rotate/apply-access.ts'
import { createInForce } from '../../../functions/rotate/in-force.ts'
import { createRevokeAccess } from '../../../functions/rotate/revoke-access.ts'
import type { Revocation } from '../../../shared/domain/revocation.ts'
import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
} from '../../../shared/store/memory.ts'
import type { Message } from '../../../shared/store/queue.ts'
import { aPolicy, now, revoked } from '../../fixtures/policies.ts'
import { recordTelemetry } from '../../fixtures/recorded-telemetry.ts'
import { simulateKafka } from '../../fixtures/simulated-kafka.ts'

const policy = aPolicy({ grants: [{ principals: ['billing', 'orders-api'], produce: ['kafka://acme/orders/**'] }] })
const write = { resource: 'topic', pattern: 'prefixed', name: 'orders.', operation: 'write' } as const

/** Every call to the outside waits for its turn before it is made, and again before its answer is known. */
const inTurns = <T extends object>(target: T, turn: () => Promise<void>): T =>
  new Proxy(target, {
    get: (of, name) => {
      const member: unknown = Reflect.get(of, name)
      if (typeof member !== 'function') return member
      return async (...values: unknown[]) => {
        await turn()
        const result: unknown = await member.apply(of, values)
        await turn()
        return result
      }
    },
  })

const aCluster = async () => {
  const directories = createMemoryDirectoryStore()
  const access = createMemoryAccessStore()
  const credentials = createMemoryCredentialStore()
  const kafka = simulateKafka(['orders.created'])
  const telemetry = recordTelemetry()
  let time = now.getTime()
  // two that look at the same time of day are what the store has to tell apart least of all
  const clock = (): Date => new Date(time++)
  const hash = await directories.writePolicy(policy)
  await directories.swapPointer(0, { policy: hash, facts: undefined, next: undefined, denied: [] })
  const deny = async (denied: readonly Revocation[] = [revoked('billing')]): Promise<void> => {
    const { revision } = await directories.readPointer()
    await directories.swapPointer(revision, { policy: hash, facts: undefined, next: undefined, denied })
  }
  const workers = (turn: () => Promise<void> = async () => {}) => {
    const stores = { directories: inTurns(directories, turn), access: inTurns(access, turn) }
    const openAdmin = async () => inTurns(await kafka.open(), turn)
    const inForce = createInForce(stores.directories)
    return {
      apply: createApplyAccess({
        ...stores,
        credentials: inTurns(credentials, turn),
        openAdmin,
        openQuotas: kafka.openQuotas,
        telemetry,
        clock,
      }),
      revoke: createRevokeAccess({ inForce, access: stores.access, openAdmin, telemetry, clock }),
    }
  }
  const aclsOf = (user: string) => kafka.acls().filter((acl) => acl.startsWith(`${user} `))
  return { access, kafka, telemetry, deny, workers, aclsOf }
}

describe('the access of who is revoked', () => {
  it('is gone at once, of each of its users and of nobody else, and this is written down', async () => {
    const { access, kafka, deny, workers, telemetry } = await aCluster()
    const { apply, revoke } = workers()
    await apply('main', ['billing', 'orders-api'])
    for (const user of ['sb.billing@a', 'sb.billing@b', 'sb.billing2', 'billing']) kafka.put(user, write)
    await deny()

    await revoke('main', ['billing'])

    expect(kafka.acls()).toEqual([
      'billing topic:prefixed:write:orders.',
      'sb.billing2 topic:prefixed:write:orders.',
      'sb.orders-api topic:prefixed:write:orders.',
    ])
    expect(await access.read('main', 'billing')).toMatchObject({ acls: [] })
    expect(telemetry.lines.at(-1)).toMatchObject({ message: 'access revoked', fields: { removed: 3 } })
    expect(kafka.closed()).toBe(kafka.opened())
  })

  it('stays when nobody is revoked, or is again in by now', async () => {
    const { kafka, deny, workers } = await aCluster()
    const { apply, revoke } = workers()
    await apply('main', ['billing'])
    await deny([revoked('billing', 'other')])

    await revoke('main', ['billing'])
    await revoke('no-such-cluster', ['billing'])

    expect(kafka.acls()).toEqual(['sb.billing topic:prefixed:write:orders.'])
  })

  it('is none in the end, however the revocation falls into the work of who had looked before it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 60 }), fc.nat({ max: 40 }), async (turns, deniedAt) => {
        const { access, deny, workers, aclsOf } = await aCluster()
        const waiting: { apply: (() => void)[]; revoke: (() => void)[] } = { apply: [], revoke: [] }
        const turnOf = (who: keyof typeof waiting) => () => new Promise<void>((go) => void waiting[who].push(go))
        let ended = 0
        const count = () => void ended++
        const applying = workers(turnOf('apply')).apply('main', ['billing', 'orders-api']).finally(count)
        let revoking: Promise<void> | undefined
        for (let at = 0; ended < 2; at++) {
          if (at === deniedAt) {
            await deny()
            revoking = workers(turnOf('revoke')).revoke('main', ['billing']).finally(count)
          }
          // nothing here takes longer than one turn of the event loop
          await new Promise(setImmediate)
          const order = turns[at] === true ? (['revoke', 'apply'] as const) : (['apply', 'revoke'] as const)
          const next = waiting[order[0]].shift() ?? waiting[order[1]].shift()
          next?.()
        }
        await Promise.all([applying, revoking])
        expect(aclsOf('sb.billing')).toEqual([])
        expect((await access.read('main', 'billing'))?.acls).toEqual([])
        expect(aclsOf('sb.orders-api')).toHaveLength(1)
        expect((await access.read('main', 'orders-api'))?.acls).toHaveLength(1)
      }),
      { numRuns: 300 },
    )
  })
})

type Queued = { readonly message: Message; readonly group: string | undefined; isTaken: boolean }

/** SQS in its order: of a group nobody gets the second before the first is done; what has no group waits for nobody. */
const simulateQueues = () => {
  const queued: Queued[] = []
  return {
    send: (message: Message) => {
      const group = message.kind === 'revocation' || !('cluster' in message) ? undefined : message.cluster
      queued.push({ message, group, isTaken: false })
    },
    take: (): Queued | undefined => {
      const next = queued.find(
        ({ group, isTaken }) =>
          !isTaken && (group === undefined || !queued.some((other) => other.isTaken && other.group === group)),
      )
      if (next !== undefined) next.isTaken = true
      return next
    },
    remove: (done: Queued) => void queued.splice(queued.indexOf(done), 1),
  }
}

describe('a revocation in the order of the queues', () => {
  it('is not behind a mass rotation of its cluster, which its other message is', async () => {
    const { deny, workers, aclsOf } = await aCluster()
    const { apply, revoke } = workers()
    await apply('main', ['billing'])
    const queues = simulateQueues()
    const rotation: Message = { kind: 'credentials', cluster: 'main', principals: ['orders-api'] }
    for (const message of [rotation, rotation, rotation]) queues.send(message)
    const mass = queues.take()
    await deny()
    for (const kind of ['revocation', 'access'] as const) queues.send({ kind, cluster: 'main', principal: 'billing' })

    const taken = queues.take()

    expect(mass?.message).toEqual(rotation)
    expect(taken?.message).toEqual({ kind: 'revocation', cluster: 'main', principal: 'billing' })
    await revoke('main', ['billing'])
    expect(aclsOf('sb.billing')).toEqual([])
    // while the rotation runs nobody gets what is behind it
    expect(queues.take()).toBeUndefined()
    const order: string[] = []
    if (mass !== undefined) queues.remove(mass)
    for (let next = queues.take(); next !== undefined; next = queues.take()) {
      order.push(next.message.kind)
      queues.remove(next)
    }
    expect(order).toEqual(['credentials', 'credentials', 'access'])
  })
})
