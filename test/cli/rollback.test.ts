import { describe, expect, test } from 'vitest'
import { applyPolicy } from '../../cli/apply.ts'
import { readHistory, renderHistory, rollbackPolicy } from '../../cli/rollback.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import type { DirectoryStore } from '../../shared/store/directory-store.ts'
import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
  createMemoryInventoryStore,
} from '../../shared/store/memory.ts'
import type { Message } from '../../shared/store/queue.ts'
import { aPolicy, now, revoked } from '../fixtures/policies.ts'

const grantTo = (principal: string): Partial<Policy> => ({
  grants: [{ principals: [principal], produce: ['kafka://acme/**'] }],
})
const [first, second, third] = [aPolicy(grantTo('one')), aPolicy(grantTo('two')), aPolicy(grantTo('three'))]

/** A stack whose rotate, simulated, covers what a message asks for at once, under the policies it then finds. */
const aStack = (directories: DirectoryStore = createMemoryDirectoryStore()) => {
  const access = createMemoryAccessStore()
  const reported: string[] = []
  let seconds = 0
  const deps = {
    issuerUrl: 'https://switchboard.acme.com',
    directories,
    access,
    credentials: createMemoryCredentialStore(),
    inventory: createMemoryInventoryStore(),
    queue: {
      send: async (message: Message) => {
        if (message.kind !== 'access') return
        const { policy, next } = await directories.readPointer()
        const policies = [policy, next].filter((hash) => hash !== undefined)
        await access.recordApplied({ cluster: message.cluster, principal: message.principal, acls: [], policies }, now)
      },
      postpone: async () => undefined,
    },
    report: (line: string) => void reported.push(line),
    clock: () => new Date(now.getTime() + 1000 * seconds++),
    wait: async () => undefined,
    waitSeconds: 1,
  }
  const inForce = async (): Promise<Policy> =>
    directories.readPolicy((await directories.readPointer()).policy ?? 'nothing')
  return { deps, reported, inForce }
}

describe('a rollback', () => {
  test('without a revision puts back what was in force before', async () => {
    const { deps, inForce, reported } = aStack()
    await applyPolicy(first, deps)
    await applyPolicy(second, deps)
    expect(await rollbackPolicy(undefined, deps)).toBe('applied')
    expect(await inForce()).toEqual(first)
    expect(reported).toContainEqual(expect.stringMatching(/^back to revision 2 of 2026-11-21T/))
  })

  test('puts back a policy with the selectors that its routes were pinned from', async () => {
    const { deps, inForce } = aStack()
    const pinned = {
      ...first,
      routes: first.routes.map((route) => ({ ...route, selector: { labels: { tier: 'gold' } } })),
    }
    for (const policy of [pinned, second]) await applyPolicy(policy, deps)
    await rollbackPolicy(undefined, deps)
    expect(await inForce()).toEqual(pinned)
  })

  test('of a rollback puts back what was rolled back', async () => {
    const { deps, inForce } = aStack()
    for (const policy of [first, second]) await applyPolicy(policy, deps)
    await rollbackPolicy(undefined, deps)
    await rollbackPolicy(undefined, deps)
    expect(await inForce()).toEqual(second)
  })

  test('to a revision puts back its policy', async () => {
    const { deps, inForce } = aStack()
    for (const policy of [first, second, third]) await applyPolicy(policy, deps)
    await rollbackPolicy(2, deps)
    expect(await inForce()).toEqual(first)
  })

  test('makes the access of its principals while the other policy is still in force', async () => {
    const { deps } = aStack()
    for (const policy of [first, second]) await applyPolicy(policy, deps)
    const { policy: before } = await deps.directories.readPointer()
    const inForceWhenAsked: (string | undefined)[] = []
    const send = async (message: Message) => {
      if (message.kind === 'access' && message.principal === 'one')
        inForceWhenAsked.push((await deps.directories.readPointer()).policy)
      await deps.queue.send(message)
    }
    await rollbackPolicy(undefined, { ...deps, queue: { ...deps.queue, send } })
    expect(inForceWhenAsked[0]).toBe(before)
    expect((await deps.directories.readPointer()).policy).not.toBe(before)
  })

  test('whose access does not come changes nothing', async () => {
    const { deps, inForce } = aStack()
    for (const policy of [first, second]) await applyPolicy(policy, deps)
    const deaf = { ...deps, queue: { ...deps.queue, send: async () => undefined } }
    await expect(rollbackPolicy(undefined, deaf)).rejects.toThrow('the old policy stays in force')
    expect(await inForce()).toEqual(second)
    expect((await deps.directories.listRevisions()).map(({ revision }) => revision)).toEqual([4, 2])
  })

  test('to the policy in force ends an apply that was not finished', async () => {
    const { deps, inForce } = aStack()
    await applyPolicy(first, deps)
    const { revision, policy } = await deps.directories.readPointer()
    await deps.directories.swapPointer(revision, { policy, facts: undefined, next: 'sha256:unfinished', denied: [] })
    await rollbackPolicy(revision, deps)
    expect(await deps.directories.readPointer()).toMatchObject({ policy, facts: undefined, next: undefined })
    expect(await inForce()).toEqual(first)
  })

  test('keeps who is denied', async () => {
    const { deps } = aStack()
    for (const policy of [first, second]) await applyPolicy(policy, deps)
    const { revision, policy, next } = await deps.directories.readPointer()
    await deps.directories.swapPointer(revision, { policy, facts: undefined, next, denied: [revoked('intruder')] })
    await rollbackPolicy(undefined, deps)
    expect(await deps.directories.readPointer()).toMatchObject({ denied: [revoked('intruder')] })
  })

  test.each([
    ['a revision that only noted the next policy', 1, 'no policy was put in force as revision `1`'],
    ['a revision that never was', 9, 'no policy was put in force as revision `9`'],
    ['nothing before the first', undefined, 'no other policy was in force before'],
  ])('to %s is refused', async (_, wanted, message) => {
    const { deps } = aStack()
    await applyPolicy(first, deps)
    await expect(rollbackPolicy(wanted, deps)).rejects.toThrow(message)
  })

  test('to a policy that this version does not understand is refused', async () => {
    const { deps, inForce } = aStack()
    const old = { ...first, bogus: true } as Policy
    const hash = await deps.directories.writePolicy(old)
    await deps.directories.swapPointer(0, { policy: hash, facts: undefined, next: undefined, denied: [] }, now)
    await applyPolicy(second, deps)
    await expect(rollbackPolicy(1, deps)).rejects.toThrow('the policy of revision `1` is none for this version')
    expect(await inForce()).toEqual(second)
  })

  test.each([
    [
      'could let somebody be somebody else',
      { ...first, identities: [...first.identities, { issuer: 'https://other.acme.com', audience: 'switchboard' }] },
      'can give two workloads one name',
    ],
    [
      'trusts the tokens of this very stack',
      { ...first, identities: [{ issuer: 'https://switchboard.acme.com', audience: 'switchboard' }] },
      'is Switchboard itself',
    ],
  ])('to a policy that %s is refused as an apply would, though it once was in force', async (_, old, message) => {
    const { deps, inForce } = aStack()
    const hash = await deps.directories.writePolicy(old)
    await deps.directories.swapPointer(0, { policy: hash, facts: undefined, next: undefined, denied: [] }, now)
    await applyPolicy(second, deps)
    await expect(rollbackPolicy(1, deps)).rejects.toThrow(message)
    expect(await inForce()).toEqual(second)
  })
})

test('the history lists what was in force, the latest first, and marks what is', async () => {
  const { deps } = aStack()
  expect(renderHistory(await readHistory(deps))).toEqual(['no policy was applied yet'])
  for (const policy of [first, second]) await applyPolicy(policy, deps)
  await rollbackPolicy(undefined, deps)
  const lines = renderHistory(await readHistory(deps))
  expect(lines.map((line) => line.split(/ +/)[0])).toEqual(['REVISION', '6', '4', '2'])
  expect(lines.map((line) => line.endsWith('in force'))).toEqual([false, true, false, false])
})
