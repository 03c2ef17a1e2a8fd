import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { keepClient } from '../src/keep-client.ts'
import type { Lease, LeaseEvent } from '../src/lease.ts'
import { openLease } from '../src/open-lease.ts'
import { aConnection, anAnswer, created } from './answers.ts'
import { createManualClock, type ManualClock, until } from './manual-clock.ts'
import { type SimulatedReply, type SimulatedSwitchboard, startSimulatedSwitchboard } from './simulated-switchboard.ts'

const shipped = 'kafka://payments.acme.com/orders/shipped'

let clock: ManualClock
let switchboard: SimulatedSwitchboard
let events: LeaseEvent[]
let lease: Lease

/** Cluster -> channel -> topic. */
type Places = Readonly<Record<string, Readonly<Record<string, string>>>>

const answerAt = (places: Places): SimulatedReply =>
  anAnswer(clock.now(), {
    connections: Object.entries(places).map(([name, topics]) =>
      aConnection(clock.now(), { cluster: { name, provider: 'kafka' }, topics, patterns: {} }),
    ),
  })

const countOf = (type: LeaseEvent['type']): number => events.filter((event) => event.type === type).length
const replaced = (): readonly string[] => events.flatMap((event) => (event.type === 'replaced' ? [event.cluster] : []))

/** What a client hears after somebody applied another policy. */
const move = async (places: Places): Promise<void> => {
  const renewed = countOf('renewed')
  switchboard.follow(() => answerAt(places))
  clock.next()
  await until(() => countOf('renewed') > renewed, 'a renewal')
}

const apart: Places = { payments: { [created]: 'orders.created' }, lab: { [shipped]: 'orders.shipped' } }

beforeEach(async () => {
  clock = createManualClock()
  events = []
  switchboard = await startSimulatedSwitchboard(clock.now, () => answerAt(apart))
  lease = await openLease({
    url: switchboard.url,
    token: 'workload.token.secret',
    intent: { produce: [created, shipped] },
    instance: 'pod-1',
    clock,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
  })
})

afterEach(async () => {
  lease.close()
  await switchboard.close()
})

describe('a channel of a lease', () => {
  test('is on the connection that has it now', async () => {
    expect(lease.connectionOf(created).cluster.name).toBe('payments')
    expect(lease.connectionOf(shipped).cluster.name).toBe('lab')
    await move({ lab: { [created]: 'created', [shipped]: 'orders.shipped' } })
    expect(lease.connectionOf(created)).toBe(lease.connection('lab'))
  })

  test('that the intent does not have is on none', () => {
    expect(() => lease.connectionOf('kafka://payments.acme.com/other')).toThrow(
      expect.objectContaining({ code: 'unknown_channel', message: expect.stringContaining(created) }),
    )
  })

  test.each<readonly [string, Places, readonly string[]]>([
    ['leaves a cluster for good', { lab: { [created]: 'created', [shipped]: 'orders.shipped' } }, ['payments']],
    ['changes its topic', { ...apart, payments: { [created]: 'orders.created.v2' } }, ['payments']],
    ['swaps places with another', { payments: { [shipped]: 's' }, lab: { [created]: 'c' } }, ['payments', 'lab']],
    ['is where it was', apart, []],
  ])('that %s has the clients made anew that it is no more with', async (_, places, clusters) => {
    await move(places)
    expect(replaced()).toEqual(clusters)
  })
})

describe('a client that is kept for a channel', () => {
  let log: string[]
  let opening: Promise<void> | undefined

  const keep = () => {
    log = []
    opening = undefined
    return keepClient<string>(lease, {
      channel: created,
      open: async (connection) => {
        const { name } = connection.cluster
        log.push(`open ${name}`)
        await opening
        return `${name} ${connection.topic(created)}`
      },
      close: (client) => void log.push(`close ${client}`),
      clock,
      random: () => 0.5,
    })
  }

  test('follows it to another cluster', async () => {
    const kept = await keep()
    await move({ lab: { [created]: 'created', [shipped]: 'orders.shipped' } })
    await until(() => log.length === 3, 'the next client')
    expect(log).toEqual(['open payments', 'open lab', 'close payments orders.created'])
    expect(kept.current()).toBe('lab created')
    await kept.close()
  })

  test('follows it to another topic', async () => {
    const kept = await keep()
    await move({ ...apart, payments: { [created]: 'orders.created.v2' } })
    await until(() => log.length === 3, 'the next client')
    expect(kept.current()).toBe('payments orders.created.v2')
    await kept.close()
  })

  test('stays when others move', async () => {
    const kept = await keep()
    await move({ payments: { [created]: 'orders.created', [shipped]: 'orders.shipped' } })
    expect(replaced()).toEqual(['lab'])
    expect(log).toEqual(['open payments'])
    await kept.close()
  })

  test('follows it on when it moves again while the next client is made', async () => {
    const kept = await keep()
    const { promise, resolve: isThere } = Promise.withResolvers<void>()
    opening = promise
    await move({ lab: { [created]: 'created', [shipped]: 'orders.shipped' } })
    await until(() => log.includes('open lab'), 'the next client')
    await move({ spare: { [created]: 'spare' }, lab: { [shipped]: 'orders.shipped' } })
    isThere()
    await until(() => log.includes('close lab created'), 'the client after that')
    expect(kept.current()).toBe('spare spare')
    await kept.close()
  })

  test('cannot be for a channel that the intent does not have', async () => {
    const other = { channel: 'kafka://payments.acme.com/other', open: () => 'client', close: () => {} }
    await expect(keepClient(lease, other)).rejects.toMatchObject({ code: 'unknown_channel' })
  })
})
