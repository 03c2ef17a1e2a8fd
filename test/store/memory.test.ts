import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
  createMemoryLeaseStore,
  type StoredPolicy,
} from '../../shared/store/memory.ts'
import { testAccessStore } from '../contracts/access-store.contract.ts'
import { testCredentialStore } from '../contracts/credential-store.contract.ts'
import { testDirectoryStore } from '../contracts/directory-store.contract.ts'
import { testLeaseSlots } from '../contracts/lease-slots.contract.ts'
import { testLeaseStore } from '../contracts/lease-store.contract.ts'

testDirectoryStore('memory', async () => {
  const policies = new Map<string, StoredPolicy>()
  const stored = (hash: string): StoredPolicy => {
    const found = policies.get(hash)
    if (found === undefined) throw new Error(`nothing is stored under \`${hash}\``)
    return found
  }
  return {
    store: createMemoryDirectoryStore(policies),
    damage: {
      removeHead: async (hash) => {
        stored(hash).chunks = undefined
      },
      removeLastChunk: async (hash) => {
        stored(hash).parts.pop()
      },
      replaceContent: async (hash, text) => void policies.set(hash, { chunks: 1, parts: [text] }),
    },
  }
})

testLeaseStore('memory', async () => createMemoryLeaseStore())

testLeaseSlots('memory', async () => {
  const credentials = createMemoryCredentialStore()
  return { leases: createMemoryLeaseStore(credentials), credentials }
})

testAccessStore('memory', async () => createMemoryAccessStore())

testCredentialStore('memory', async () => createMemoryCredentialStore())
