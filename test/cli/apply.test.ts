import { describe, expect, it } from 'vitest'
import { type ApplyDeps, applyPolicy } from '../../cli/apply.ts'
import { CommandError } from '../../cli/command-error.ts'
import { createApplyAccess } from '../../functions/rotate/apply-access.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
  createMemoryInventoryStore,
} from '../../shared/store/memory.ts'
import type { Message } from '../../shared/store/queue.ts'
import { aFoundCluster, anEntry, aSnapshot } from '../fixtures/inventories.ts'
import { aCluster, aPolicy, now, revoked } from '../fixtures/policies.ts'
import { recordTelemetry } from '../fixtures/recorded-telemetry.ts'
import { simulateKafka } from '../fixtures/simulated-kafka.ts'
import { aCredential } from '../fixtures/stored-credentials.ts'

const grantsTo = (channel: string, changes: Partial<Policy> = {}): Policy =>
  aPolicy({ grants: [{ principals: ['orders-api'], produce: [channel] }], ...changes })
const orders = grantsTo('kafka://acme/orders/**')
const payouts = grantsTo('kafka://acme/payouts/**')
const ordersAcl = 'sb.orders-api topic:prefixed:write:orders.'
const payoutsAcl = 'sb.orders-api topic:prefixed:write:payouts.'

class Killed extends Error {}

/**
 * The command over memory stores, with rotate's work done on a simulated cluster while the command waits. It can be
 * killed before any of its calls to the outside.
 */
const anApply = (options: { rotateWorks?: boolean; readyAfterSeconds?: number } = {}) => {
  const directories = createMemoryDirectoryStore()
  const access = createMemoryAccessStore()
  const kafka = simulateKafka()
  const credentials = createMemoryCredentialStore()
  const reported: string[] = []
  const messages: Message[] = []
  let time = now.getTime()
  const telemetry = recordTelemetry()
  const applyAccess = createApplyAccess({
    credentials,
    directories,
    access,
    openQuotas: kafka.openQuotas,
    openAdmin: kafka.open,
    telemetry,
    clock: () => new Date(time),
  })
  /** What rotate does with what is queued. */
  const work = async (): Promise<void> => {
    for (const message of messages.splice(0))
      if (message.kind === 'access') await applyAccess(message.cluster, [message.principal])
    if (time < now.getTime() + 1_000 * (options.readyAfterSeconds ?? Number.POSITIVE_INFINITY)) return
    if ((await credentials.read('main', 'orders-api')) === undefined)
      await credentials.write(0, aCredential({ a: {} }), undefined)
  }

  const inventory = createMemoryInventoryStore()
  let calls: string[] = []
  const run = async (policy: Policy, killBefore = Number.POSITIVE_INFINITY): Promise<'applied' | 'unchanged'> => {
    calls = []
    const killable = <T extends object>(name: string, store: T): T =>
      new Proxy(store, {
        get: (target, member) => {
          const call = Reflect.get(target, member) as (...args: unknown[]) => Promise<unknown>
          return async (...args: unknown[]) => {
            if (calls.length >= killBefore) throw new Killed()
            calls.push(`${name}.${String(member)}`)
            return call(...args)
          }
        },
      })
    const deps: ApplyDeps = {
      directories: killable('directories', directories),
      access: killable('access', access),
      credentials,
      inventory,
      queue: killable('queue', {
        send: async (message: Message) => void messages.push(message),
        postpone: async () => {},
      }),
      report: (line) => void reported.push(line),
      clock: () => new Date(time),
      wait: async (milliseconds) => {
        time += milliseconds
        if (options.rotateWorks !== false) await work()
      },
      waitSeconds: 5,
    }
    return applyPolicy(policy, deps)
  }
  const inForce = async () => {
    const { policy } = await directories.readPointer()
    return policy === undefined ? undefined : directories.readPolicy(policy)
  }
  return { run, work, inForce, directories, access, inventory, kafka, messages, reported, calls: () => calls }
}

describe('an apply with stored credentials', () => {
  const scram = { clusters: { main: aCluster({ auth: ['scram'] }) } }
  const named = grantsTo('kafka://acme/orders/**', scram)

  it('waits until those of named principals are handed out, and says how far they are', async () => {
    const { run, reported } = anApply({ readyAfterSeconds: 12 })
    expect(await run(named)).toBe('applied')
    expect(reported.filter((line) => line.startsWith('stored'))).toEqual([
      'stored credentials: 0 of 1 are ready',
      'stored credentials: 0 of 1 are ready',
      'stored credentials of 1 principals are ready',
    ])
    expect(reported.findIndex((line) => line.includes('in force'))).toBeGreaterThan(
      reported.findIndex((line) => line.endsWith('are ready')),
    )
  })

  it('gives up when they take longer than they can, and says what to do; the old policy stays in force', async () => {
    const { run, inForce } = anApply()
    // 5 s of patience, 10 s of propagation, 120 s of skew and the time of one write
    await expect(run(named)).rejects.toThrow(
      /^1 of 1 stored credentials are not ready after 136 s, such as that of `orders-api` on `main`; the old policy stays in force: .*apply again$/,
    )
    expect(await inForce()).toBeUndefined()
  })

  it.each([
    {
      why: 'only labels give them',
      policy: aPolicy({
        ...scram,
        grants: [{ principals: { labels: { team: 'x' } }, produce: ['kafka://acme/orders/**'] }],
      }),
    },
    { why: 'the cluster takes tokens', policy: orders },
  ])('does not wait where $why', async ({ policy }) => {
    const { run, reported } = anApply()
    expect(await run(policy)).toBe('applied')
    expect(reported.filter((line) => line.startsWith('stored'))).toEqual([])
  })

  it('does not wait for somebody who is revoked', async () => {
    const { run, directories } = anApply()
    await directories.swapPointer(0, {
      policy: undefined,
      facts: undefined,
      next: undefined,
      denied: [revoked('orders-api')],
    })
    expect(await run(named)).toBe('applied')
  })
})

describe('an apply', () => {
  it('adds access, then puts the policy in force, then removes access', async () => {
    const { run, work, kafka, directories } = anApply()
    await run(orders)
    await work()
    expect(kafka.acls()).toEqual([ordersAcl])
    const seen: unknown[] = []
    const { swapPointer } = directories
    Object.assign(directories, {
      swapPointer: async (...args: Parameters<typeof swapPointer>) => {
        const swapped = await swapPointer(...args)
        seen.push([args[1].next === undefined ? 'in force' : 'announced', kafka.acls()])
        return swapped
      },
    })
    expect(await run(payouts)).toBe('applied')
    await work()
    seen.push(['done', kafka.acls()])
    expect(seen).toEqual([
      ['announced', [ordersAcl]],
      ['in force', [ordersAcl, payoutsAcl]],
      ['done', [payoutsAcl]],
    ])
  })

  it('of the policy that is in force changes nothing', async () => {
    const { run, work, directories, messages, kafka } = anApply()
    await run(orders)
    await work()
    const before = await directories.readPointer()
    const done = [...kafka.done]
    expect(await run(structuredClone(orders))).toBe('unchanged')
    await work()
    expect(await directories.readPointer()).toEqual(before)
    expect(messages).toEqual([])
    expect(kafka.done).toEqual(done)
  })

  it('leaves the old policy in force when the access does not come, and says what to do', async () => {
    const { run, inForce } = anApply({ rotateWorks: false })
    const failure = await run(orders).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(CommandError)
    expect(failure).toMatchObject({
      exitCode: 1,
      message: expect.stringMatching(/`orders-api` on `main`.*apply again/),
    })
    expect(await inForce()).toBeUndefined()
  })

  it('keeps the deny list', async () => {
    const { run, directories } = anApply()
    await directories.swapPointer(0, {
      policy: undefined,
      facts: undefined,
      next: undefined,
      denied: [revoked('stolen')],
    })
    await run(orders)
    expect(await directories.readPointer()).toMatchObject({ denied: [revoked('stolen')], next: undefined })
  })

  it('waits for nobody on a cluster that no policy manages', async () => {
    const { admin: _, ...unmanaged } = aCluster()
    const { run } = anApply({ rotateWorks: false })
    expect(await run({ ...orders, clusters: { main: unmanaged } })).toBe('applied')
  })

  it('takes access away from principals that only labels had let in', async () => {
    const { run, work, access, kafka } = anApply()
    await run(aPolicy({ grants: [{ principals: { labels: { team: 'x' } }, produce: ['kafka://acme/orders/**'] }] }))
    await access.request('main', 'billing', { team: 'x' }, now)
    await run(aPolicy({ grants: [{ principals: { labels: { team: 'x' } }, produce: ['kafka://acme/a/**'] }] }))
    await work()
    expect(kafka.acls()).toEqual(['sb.billing topic:prefixed:write:a.'])
    await run(aPolicy())
    await work()
    expect(kafka.acls()).toEqual([])
  })

  it('refuses to forget a cluster on which somebody still has access', async () => {
    const { run, work, inForce } = anApply()
    await run({ ...orders, clusters: { main: aCluster(), other: aCluster() } })
    await work()
    const elsewhere = { ...orders, clusters: { other: aCluster() }, routes: [] }
    await expect(run(elsewhere)).rejects.toThrow(/cluster `main` still has access of `orders-api`/)
    expect((await inForce())?.clusters).toHaveProperty('main')
  })
})

describe('two people who apply at once', () => {
  it('do not overwrite each other: the later one is told to apply again', async () => {
    const { run, directories, inForce } = anApply()
    await run(orders)
    const { readPolicy } = directories
    let meanwhile = 0
    Object.assign(directories, {
      readPolicy: async (hash: string) => {
        if (meanwhile++ === 0) {
          const { revision, ...pointer } = await directories.readPointer()
          await directories.swapPointer(revision, { ...pointer, next: 'sha256:other', denied: [revoked('stolen')] })
        }
        return readPolicy(hash)
      },
    })
    await expect(run(payouts)).rejects.toThrow(/somebody else changed the directory.*apply again/)
    expect(await inForce()).toEqual(orders)
    expect(await run(payouts)).toBe('applied')
    expect(await directories.readPointer()).toMatchObject({ denied: [revoked('stolen')] })
  })
})

describe('an apply that is killed', () => {
  it('before any of its calls leaves the old or the new policy in force, and run again it finishes', async () => {
    const complete = anApply()
    await complete.run(orders)
    await complete.work()
    await complete.run(payouts)
    const total = complete.calls().length
    expect(total).toBeGreaterThan(8)

    for (let killBefore = 0; killBefore < total; killBefore++) {
      const { run, work, inForce, kafka, calls } = anApply()
      await run(orders)
      await work()
      await expect(run(payouts, killBefore)).rejects.toThrow(Killed)
      const at = `killed before call ${killBefore}, after ${calls().at(-1) ?? 'nothing'}`
      const flipped = calls().filter((call) => call === 'directories.swapPointer').length === 2
      expect(await inForce(), at).toEqual(flipped ? payouts : orders)
      await work()
      // what the policy in force promises works, whatever the command got done
      expect(kafka.acls(), at).toContain(flipped ? payoutsAcl : ordersAcl)
      await run(payouts)
      await work()
      expect(await inForce(), at).toEqual(payouts)
      expect(kafka.acls(), at).toEqual([payoutsAcl])
    }
  })

  it('can be given up for the old policy', async () => {
    const { run, work, inForce, kafka, calls } = anApply()
    await run(orders)
    await work()
    await run(payouts)
    const total = calls().length
    for (let killBefore = 0; killBefore < total; killBefore++) {
      const apply = anApply()
      await apply.run(orders)
      await apply.work()
      await apply.run(payouts, killBefore).catch(() => {})
      await apply.work()
      await apply.run(orders)
      await apply.work()
      expect(await apply.inForce()).toEqual(orders)
      expect(apply.kafka.acls()).toEqual([ordersAcl])
      expect(await apply.directories.readPointer()).toMatchObject({ next: undefined })
    }
    expect(await inForce()).toEqual(payouts)
    expect(kafka.acls()).toContain(payoutsAcl)
  })
})

describe('an apply of a cluster whose listeners are left to the crawl', () => {
  const arn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/main/0f0e0d0c-0b0a-0908-0706-050403020100-1'
  const msk = aPolicy({ clusters: { main: { provider: 'msk', arn, auth: ['scram'], admin: { secret: 'admin' } } } })

  it('has those that were found before anybody may be sent there', async () => {
    const { run, inForce, inventory, directories, reported } = anApply()
    const snapshot = aSnapshot({ source: 'prod', id: arn })
    await inventory.write(undefined, anEntry(snapshot), snapshot)

    expect(await run(msk)).toBe('applied')

    const { facts } = await directories.readPointer()
    expect(await directories.readFacts(facts ?? '')).toMatchObject({
      clusters: { [arn]: { listeners: [{ bootstrap: 'b-1.payments:9096,b-2.payments:9096', auth: ['scram'] }] } },
    })
    expect(await inForce()).toEqual(msk)
    expect(reported).toContain('listeners of 1 clusters are those that the last crawl found')
  })

  it('is refused while no crawl has found a way into it, and changes nothing', async () => {
    const { run, inventory, directories } = anApply()
    const snapshot = aSnapshot({ source: 'prod', id: arn, cluster: aFoundCluster({ listeners: [] }) })
    await inventory.write(undefined, anEntry(snapshot), snapshot)

    await expect(run(msk)).rejects.toThrow('the cluster `main` has no `listeners`')

    expect(await directories.readPointer()).toMatchObject({ policy: undefined, next: undefined })
  })
})
