import { expect, it } from 'vitest'
import { applyPolicy } from '../../cli/apply.ts'
import type { DirectoryStore, Pointer } from '../../shared/store/directory-store.ts'
import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
  createMemoryInventoryStore,
} from '../../shared/store/memory.ts'
import { aPolicy, now, revoked } from '../fixtures/policies.ts'

const policy = aPolicy({ grants: [{ principals: ['orders-api'], produce: ['kafka://acme/orders/**'] }] })

/** An apply that somebody overtakes once, while it waits for access. */
const applyOvertaken = async (overtake: (directories: DirectoryStore) => Promise<void>) => {
  const directories = createMemoryDirectoryStore()
  const access = createMemoryAccessStore()
  const report: string[] = []
  let isOvertaken = false
  const wait = async (): Promise<void> => {
    if (isOvertaken) return
    isOvertaken = true
    const { next = '' } = await directories.readPointer()
    await overtake(directories)
    await access.recordApplied({ cluster: 'main', principal: 'orders-api', acls: [], policies: [next] }, now)
  }
  const outcome = await applyPolicy(policy, {
    directories,
    access,
    credentials: createMemoryCredentialStore(),
    inventory: createMemoryInventoryStore(),
    queue: { send: async () => {}, postpone: async () => {} },
    report: (line) => void report.push(line),
    clock: () => now,
    wait,
    waitSeconds: 5,
  }).catch((error: Error) => error.message)
  expect(isOvertaken).toBe(true)
  return { outcome, report: report.join('\n'), pointer: await directories.readPointer() }
}

const change = (changed: Partial<Pointer>) => async (directories: DirectoryStore) => {
  const pointer = await directories.readPointer()
  expect(await directories.swapPointer(pointer.revision, { ...pointer, ...changed })).toBe(true)
}

it('an apply that another one overtakes while it waits for access puts nothing in force and says so', async () => {
  const { outcome, report, pointer } = await applyOvertaken(change({ next: 'sha256:other' }))

  expect(outcome).toMatch(/somebody else changed the directory/)
  expect(pointer).toMatchObject({ policy: undefined, next: 'sha256:other' })
  expect(report).not.toContain('in force')
})

it('an apply goes on when somebody is revoked meanwhile, and the revocation stays', async () => {
  const { outcome, pointer } = await applyOvertaken(change({ denied: [revoked('stolen')] }))

  expect(outcome).toBe('applied')
  expect(pointer).toMatchObject({ next: undefined, denied: [revoked('stolen')] })
  expect(pointer.policy).toBeDefined()
})

it('an apply goes on when a crawl publishes meanwhile, and what it found stays', async () => {
  const { outcome, pointer } = await applyOvertaken(change({ facts: 'sha256:found' }))

  expect(outcome).toBe('applied')
  expect(pointer).toMatchObject({ next: undefined, facts: 'sha256:found' })
})
