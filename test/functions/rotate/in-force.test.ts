import { beforeEach, describe, expect, it } from 'vitest'
import { createInForce } from '../../../functions/rotate/in-force.ts'
import type { DirectoryStore } from '../../../shared/store/directory-store.ts'
import { createMemoryDirectoryStore } from '../../../shared/store/memory.ts'
import { revoked } from '../../fixtures/policies.ts'
import { scramPolicy } from './a-rotation.ts'

let store: DirectoryStore
let reads: string[]
let failing: boolean

beforeEach(() => {
  store = createMemoryDirectoryStore()
  reads = []
  failing = false
})

const watched = (): Pick<DirectoryStore, 'readPointer' | 'readPolicy' | 'readFacts'> => ({
  readPointer: () => store.readPointer(),
  readPolicy: async (hash) => {
    reads.push(hash)
    if (failing) throw new Error('throttled')
    return store.readPolicy(hash)
  },
  readFacts: (hash) => store.readFacts(hash),
})

const point = async (policy: string | undefined, next?: string): Promise<void> => {
  const { revision, ...pointer } = await store.readPointer()
  await store.swapPointer(revision, { ...pointer, policy, next })
}

describe('what is in force', () => {
  it('is the policy, and during an apply the next one as the newest', async () => {
    const [one, other] = [await store.writePolicy(scramPolicy(['a'])), await store.writePolicy(scramPolicy(['b']))]
    await point(one, other)

    const { directories } = await createInForce(watched())()

    expect(directories.map(({ hash }) => hash)).toEqual([one, other])
  })

  it('is one where both are the same, and none before the first apply', async () => {
    expect((await createInForce(watched())()).directories).toEqual([])
    const one = await store.writePolicy(scramPolicy())
    await point(one, one)

    expect((await createInForce(watched())()).directories).toHaveLength(1)
  })

  it('says who is revoked each time, and reads a policy once for as long as it is current', async () => {
    const [one, other] = [await store.writePolicy(scramPolicy(['a'])), await store.writePolicy(scramPolicy(['b']))]
    await point(one)
    const inForce = createInForce(watched())
    await inForce()
    const { revision } = await store.readPointer()
    await store.swapPointer(revision, { policy: one, facts: undefined, next: undefined, denied: [revoked('a')] })

    expect((await inForce()).denied).toEqual([revoked('a')])

    expect(reads).toEqual([one])
    await point(other)
    await inForce()
    await point(one)
    await inForce()
    expect(reads).toEqual([one, other, one])
  })

  it('is read again after it could not be read', async () => {
    await point(await store.writePolicy(scramPolicy()))
    const inForce = createInForce(watched())
    failing = true
    await expect(inForce()).rejects.toThrow('throttled')
    failing = false

    expect((await inForce()).directories).toHaveLength(1)
  })
})
