import { beforeEach, describe, expect, it } from 'vitest'
import { createSweep } from '../../../functions/rotate/sweep.ts'
import { newCredential } from '../../../shared/domain/rotation.ts'
import { createMemoryCredentialStore } from '../../../shared/store/memory.ts'
import type { Message } from '../../../shared/store/queue.ts'
import { now } from '../../fixtures/policies.ts'
import { type RecordedTelemetry, recordTelemetry } from '../../fixtures/recorded-telemetry.ts'

const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1000)

let sent: Message[]
let calls: string[]
let telemetry: RecordedTelemetry
let store: ReturnType<typeof createMemoryCredentialStore>
let running: number
let most: number

beforeEach(() => {
  sent = []
  calls = []
  running = 0
  most = 0
  telemetry = recordTelemetry()
  store = createMemoryCredentialStore()
})

const sweep = () => {
  const watched = new Proxy(store, {
    get: (target, name: keyof typeof store) => {
      calls.push(name)
      return target[name]
    },
  })
  const send = async (message: Message) => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setImmediate(resolve))
    running--
    sent.push(message)
  }
  return createSweep({ credentials: watched, queue: { send }, telemetry, clock: () => now })()
}

const add = (cluster: string, principal: string, dueAt: Date | undefined) =>
  store.write(0, newCredential(principal, cluster), dueAt)

describe('a sweep', () => {
  it('with nothing due sends nothing and reads no credential', async () => {
    await add('main', 'billing', later(1))
    await add('main', 'orders', undefined)

    await sweep()

    expect(sent).toEqual([])
    expect(calls).toEqual(['due'])
  })

  it('tells each cluster what is due on it', async () => {
    await add('main', 'billing', now)
    await add('other', 'billing', later(-5))
    await add('main', 'orders', later(-1))
    await add('main', 'later', later(1))

    await sweep()

    expect(sent).toEqual([
      { kind: 'credentials', cluster: 'other', principals: ['billing'] },
      { kind: 'credentials', cluster: 'main', principals: ['orders', 'billing'] },
    ])
    expect(calls).toEqual(['due'])
  })

  it('puts a hundred principals in a message and sends ten at a time', async () => {
    for (let index = 0; index < 2_150; index++) await add('main', `p${index}`, now)

    await sweep()

    const sizes = sent.map((message) => (message.kind === 'credentials' ? message.principals.length : 0))
    expect(sizes.sort((a, b) => b - a)).toEqual([...Array.from({ length: 21 }, () => 100), 50])
    expect(most).toBe(10)
  })

  it('is counted, so that one that did not run is missed', async () => {
    await sweep()

    expect(telemetry.counted).toEqual(['Swept'])
  })
})
