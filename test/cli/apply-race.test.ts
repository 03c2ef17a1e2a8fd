import { expect, it } from 'vitest'
import { applyPolicy } from '../../cli/apply.ts'
import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
} from '../../shared/store/memory.ts'
import { aPolicy, now, revoked } from '../fixtures/policies.ts'

it('an apply that somebody overtakes while it waits for access puts nothing in force and says so', async () => {
  const directories = createMemoryDirectoryStore()
  const access = createMemoryAccessStore()
  const report: string[] = []
  let overtaken = false
  const overtake = async (): Promise<void> => {
    overtaken = true
    const { revision, ...pointer } = await directories.readPointer()
    await directories.swapPointer(revision, { ...pointer, denied: [revoked('stolen')] })
    const { next = '' } = pointer
    await access.recordApplied({ cluster: 'main', principal: 'orders-api', acls: [], policies: [next] }, now)
  }

  const applied = applyPolicy(
    aPolicy({ grants: [{ principals: ['orders-api'], produce: ['kafka://acme/orders/**'] }] }),
    {
      directories,
      access,
      credentials: createMemoryCredentialStore(),
      queue: { send: async () => {}, postpone: async () => {} },
      report: (line) => void report.push(line),
      clock: () => now,
      wait: async () => void (overtaken || (await overtake())),
      waitSeconds: 5,
    },
  )

  await expect(applied).rejects.toThrow(/somebody else changed the directory/)
  expect(overtaken).toBe(true)
  expect(await directories.readPointer()).toMatchObject({ policy: undefined, denied: [revoked('stolen')] })
  expect(report.join('\n')).not.toContain('in force')
})
