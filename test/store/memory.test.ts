import { canonicalJson } from '../../shared/domain/canonical-json.ts'
import { snapshotAddress } from '../../shared/store/inventory-store.ts'
import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
  createMemoryInventoryStore,
  createMemoryLeaseStore,
  createMemoryUseStore,
  type StoredDocument,
} from '../../shared/store/memory.ts'
import { testAccessStore } from '../contracts/access-store.contract.ts'
import { testCredentialStore } from '../contracts/credential-store.contract.ts'
import { testDirectoryStore } from '../contracts/directory-store.contract.ts'
import { testInventoryStore } from '../contracts/inventory-store.contract.ts'
import { testLeaseSlots } from '../contracts/lease-slots.contract.ts'
import { testLeaseStore } from '../contracts/lease-store.contract.ts'
import { testUseStore } from '../contracts/use-store.contract.ts'

testDirectoryStore('memory', async () => {
  const policies = new Map<string, StoredDocument>()
  const stored = (hash: string): StoredDocument => {
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

testInventoryStore('memory', async () => {
  const snapshots = new Map<string, string>()
  return {
    store: createMemoryInventoryStore(snapshots),
    writeSnapshotAlone: async (snapshot) => void snapshots.set(snapshotAddress(snapshot), canonicalJson(snapshot)),
    damage: async (address) => void snapshots.delete(address),
  }
})

testUseStore('memory', async () => createMemoryUseStore())
