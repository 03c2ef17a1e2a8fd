import { beforeEach, describe, expect, it } from 'vitest'
import { type ClientDigests, createClientDigests, type StoredClient } from '../../shared/store/client-store.ts'

let stored: readonly StoredClient[]
let failing: boolean
let reads: number
let time: number
let digests: ClientDigests

const pass = (seconds: number): void => {
  time += seconds * 1000
}

const ids = async (): Promise<readonly string[]> => [...(await digests()).keys()]

beforeEach(() => {
  stored = [{ id: 'legacy', digests: ['00ff'], version: 1 }]
  failing = false
  reads = 0
  time = 1_000_000
  const list = async () => {
    reads++
    if (failing) throw new Error('throttled')
    return stored
  }
  digests = createClientDigests({ list }, () => new Date(time))
})

describe('the digests of clients in memory', () => {
  it('are bytes, read once for everybody who asks at the same time and at most every 5 s', async () => {
    const [first] = await Promise.all([digests(), digests()])
    expect(first.get('legacy')).toEqual([Buffer.from([0x00, 0xff])])
    pass(4.999)
    await digests()
    expect(reads).toBe(1)
    pass(0.001)
    await digests()
    expect(reads).toBe(2)
  })

  it('lose a client within 5 s, also when the clock was set back', async () => {
    await digests()
    stored = []
    pass(5)
    expect(await ids()).toEqual([])
    stored = [{ id: 'legacy', digests: [], version: 2 }]
    pass(-120)
    expect(await ids()).toEqual(['legacy'])
  })

  it('are kept for 60 s while they cannot be read, and then no more', async () => {
    await digests()
    failing = true
    pass(60)
    expect(await ids()).toEqual(['legacy'])
    pass(1)
    await expect(digests()).rejects.toThrow('throttled')
  })
})
