import { expect, test } from 'vitest'
import { createNoteUses } from '../../../functions/crawl/note-uses.ts'
import type { RecordedUse } from '../../../shared/domain/use.ts'
import {
  createMemoryDirectoryStore,
  createMemoryLeaseStore,
  createMemoryUseStore,
} from '../../../shared/store/memory.ts'
import { recordTelemetry } from '../../fixtures/recorded-telemetry.ts'
import { aCrawl } from './a-crawl.ts'

const start = new Date('2026-11-21T12:00:00.000Z')
const hours = (count: number): Date => new Date(start.getTime() + count * 3_600_000)

const world = () => {
  const leases = createMemoryLeaseStore()
  const uses = createMemoryUseStore()
  let writes = 0
  let now = start
  const note = createNoteUses({
    directories: createMemoryDirectoryStore(),
    leases,
    uses: {
      ...uses,
      write: async (use) => {
        writes++
        await uses.write(use)
      },
    },
    telemetry: recordTelemetry(),
    clock: () => now,
  })
  return {
    writes: () => writes,
    lease: (instance: string, expiresAt: Date, channel = 'kafka://acme/orders') =>
      leases.create(
        {
          principal: 'orders-api',
          id: `lease_${instance}`,
          instance,
          intent: { produce: [channel] },
          clusters: ['main'],
          channels: [channel],
          directory: 'sha256:x',
          issuedAt: start,
          expiresAt,
          etag: instance,
          credentialExpiresAt: expiresAt,
        },
        10_000,
        now,
      ),
    note: async (at: Date) => {
      now = at
      await note()
    },
    recorded: async () => {
      const found: RecordedUse[] = []
      for await (const use of uses.list()) found.push(use)
      return found
    },
  }
}

test('what a thousand instances ask for is one use, with the end of the latest of their leases', async () => {
  const { lease, note, recorded } = world()
  for (let instance = 0; instance < 1_000; instance++) await lease(`pod-${instance}`, hours(1 + (instance % 7)))

  await note(hours(0))

  expect(await recorded()).toEqual([
    {
      principal: 'orders-api',
      asked: { produce: ['kafka://acme/orders'], consume: [] },
      clusters: ['main'],
      until: hours(7),
    },
  ])
})

test('a lease that has ended since the last time still counts, because it stays for a day', async () => {
  const { lease, note, recorded } = world()
  await note(hours(0))
  await lease('pod-1', hours(1))

  await note(hours(24))

  expect((await recorded()).map(({ until }) => until)).toEqual([hours(1)])
})

test('nothing is written for what goes on within a day', async () => {
  const { lease, note, writes } = world()
  await lease('pod-1', hours(1))
  await note(hours(0))
  await lease('pod-2', hours(10))

  await note(hours(9))

  expect(writes()).toBe(1)
})

test('the daily message of the schedule has it done, and a crawl by itself has not', async () => {
  const crawl = aCrawl()

  expect(await crawl.run({ kind: 'note-uses', scheduledAt: '2026-11-21T12:00:00Z' })).toEqual([])
  await crawl.run()

  expect(crawl.telemetry.lines.filter(({ message }) => message === 'uses noted')).toHaveLength(1)
})
