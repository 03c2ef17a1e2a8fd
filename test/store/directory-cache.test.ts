import { beforeEach, describe, expect, it } from 'vitest'
import type { Policy } from '../../shared/domain/policy.ts'
import type { Revocation } from '../../shared/domain/revocation.ts'
import { createDirectoryCache, type DirectoryCache } from '../../shared/store/directory-cache.ts'
import { createMemoryDirectoryStore } from '../../shared/store/memory.ts'
import { aPolicy, revoked } from '../fixtures/policies.ts'

let store: ReturnType<typeof createMemoryDirectoryStore>
let cache: DirectoryCache
let time: number
let failing: boolean
let pointerReads: number
let policyReads: number
let stale: unknown[]

const publish = async (policy: Policy | undefined, denied: readonly Revocation[] = []): Promise<string | undefined> => {
  const { revision } = await store.readPointer()
  const hash = policy === undefined ? undefined : await store.writePolicy(policy)
  await store.swapPointer(revision, { policy: hash, facts: undefined, next: undefined, denied })
  return hash
}

const pass = (seconds: number): void => {
  time += seconds * 1000
}

const granting = (principal: string): Policy =>
  aPolicy({ grants: [{ principals: [principal], produce: ['kafka://acme/x'] }] })

beforeEach(() => {
  store = createMemoryDirectoryStore()
  time = 1_000_000
  failing = false
  pointerReads = 0
  policyReads = 0
  stale = []
  const counting = {
    readPointer: async () => {
      pointerReads++
      if (failing) throw new Error('throttled')
      return store.readPointer()
    },
    readPolicy: async (hash: string) => {
      policyReads++
      return store.readPolicy(hash)
    },
    readFacts: store.readFacts,
  }
  cache = createDirectoryCache(
    counting,
    () => new Date(time),
    (error) => void stale.push(error),
  )
})

describe('the directory in memory', () => {
  it('is read once for everybody who asks at the same time', async () => {
    const hash = await publish(granting('a'))
    const all = await Promise.all([cache.current(), cache.current(), cache.current()])
    expect(all.map(({ directory }) => directory.hash)).toEqual([hash, hash, hash])
    expect([pointerReads, policyReads]).toEqual([1, 1])
  })

  it('follows another policy within 5 s', async () => {
    await publish(granting('a'))
    await cache.current()
    const hash = await publish(granting('b'))
    pass(4.999)
    expect((await cache.current()).directory.hash).not.toBe(hash)
    pass(0.001)
    expect(await cache.current()).toMatchObject({ directory: { hash }, revision: 2 })
  })

  it('follows the deny list without reading the policy again', async () => {
    await publish(granting('a'))
    await cache.current()
    await publish(granting('a'), [revoked('a')])
    pass(5)
    expect((await cache.current()).denied).toEqual([revoked('a')])
    expect(policyReads).toBe(1)
  })

  it('is served for 60 s while the pointer cannot be read, and then no more: a revocation is never later', async () => {
    const hash = await publish(granting('a'))
    await cache.current()
    failing = true
    pass(60)
    expect((await cache.current()).directory.hash).toBe(hash)
    expect(stale).toHaveLength(1)
    pass(1)
    await expect(cache.current()).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 5 })
  })

  it('is back as soon as the pointer can be read again', async () => {
    await publish(granting('a'))
    await cache.current()
    failing = true
    pass(3600)
    await expect(cache.current()).rejects.toMatchObject({ code: 'unavailable' })
    failing = false
    pass(5)
    expect((await cache.current()).revision).toBe(1)
  })

  it('is looked at again as soon as the clock was set back, so that a revocation is no later', async () => {
    await publish(granting('a'))
    await cache.current()
    await publish(granting('a'), [revoked('a')])
    pass(-120)
    expect((await cache.current()).denied).toEqual([revoked('a')])
    failing = true
    pass(-120)
    await expect(cache.current()).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('is asked for at most every 5 s while the pointer cannot be read', async () => {
    await publish(granting('a'))
    await cache.current()
    failing = true
    for (let second = 0; second < 20; second++) {
      pass(1)
      await cache.current()
    }
    expect(pointerReads).toBe(5)
  })

  it('is unavailable before the first apply, and there at once after it', async () => {
    await expect(cache.current()).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 30 })
    await publish(granting('a'))
    expect((await cache.current()).revision).toBe(1)
  })

  it('stays the old one while the policy that the pointer names cannot be read', async () => {
    const hash = await publish(granting('a'))
    await cache.current()
    const { revision, ...pointer } = await store.readPointer()
    await store.swapPointer(revision, { ...pointer, policy: `sha256:${'0'.repeat(64)}` })
    pass(5)
    expect((await cache.current()).directory.hash).toBe(hash)
    pass(60)
    await expect(cache.current()).rejects.toMatchObject({ code: 'unavailable' })
  })
})
