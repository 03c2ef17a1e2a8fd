import { beforeEach, describe, expect, test } from 'vitest'
import {
  type RevokeDeps,
  readRevocations,
  renderRevocations,
  restorePrincipal,
  revokePrincipal,
} from '../../cli/revoke.ts'
import type { Acl } from '../../shared/domain/access.ts'
import { type Credential, newCredential, type SlotState } from '../../shared/domain/rotation.ts'
import type { Lease } from '../../shared/store/lease-store.ts'
import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
  createMemoryLeaseStore,
} from '../../shared/store/memory.ts'
import type { Message } from '../../shared/store/queue.ts'
import { aCluster, aPolicy, now, revoked } from '../fixtures/policies.ts'

const acls: readonly Acl[] = [{ resource: 'topic', pattern: 'literal', name: 'orders.created', operation: 'write' }]

const withSlot = (state: SlotState): Credential => {
  const credential = newCredential('billing', 'main')
  return { ...credential, slots: { ...credential.slots, a: { ...credential.slots.a, state } } }
}

/** A command whose queue is worked on while it waits; `work` says what becomes of the messages. */
const aCommand = () => {
  let time = now.getTime()
  const clock = (): Date => new Date(time)
  const directories = createMemoryDirectoryStore()
  const access = createMemoryAccessStore()
  const leases = createMemoryLeaseStore()
  const credentials = createMemoryCredentialStore()
  const messages: Message[] = []
  /** In a queue of their own, with how long they wait there. */
  const revocations: (Message & { readonly afterSeconds: number })[] = []
  const lines: string[] = []
  const worker = { work: async (_message: Message): Promise<void> => undefined }
  const deps: RevokeDeps = {
    directories,
    access,
    leases,
    credentials,
    queue: {
      send: async (message, afterSeconds = 0) => {
        if (message.kind === 'revocation') revocations.push({ ...message, afterSeconds })
        else messages.push(message)
      },
      postpone: async () => undefined,
    },
    report: (line) => lines.push(line),
    clock,
    wait: async (milliseconds) => {
      time += milliseconds
      const [message] = messages.slice(worked)
      if (message === undefined) return
      worked += 1
      await worker.work(message)
    },
    waitSeconds: 60,
  }
  let worked = 0
  const put = async (...clusters: readonly string[]): Promise<void> => {
    for (const cluster of clusters)
      await access.recordApplied({ cluster, principal: 'billing', acls, policies: ['sha256:one'] }, clock())
  }
  const publish = async (next?: ReturnType<typeof aPolicy>): Promise<void> => {
    const policy = aPolicy({ clusters: { main: aCluster(), other: aCluster() } })
    await directories.swapPointer(0, {
      policy: await directories.writePolicy(policy),
      facts: undefined,
      next: next && (await directories.writePolicy(next)),
      denied: [],
    })
  }
  const takeAway = async (message: Message): Promise<void> => {
    if (message.kind === 'access')
      await access.recordApplied({ ...message, acls: [], policies: ['sha256:one'] }, clock())
    if (message.kind === 'credential') {
      const found = await credentials.read(message.cluster, message.principal)
      if (found !== undefined) await credentials.write(found.version, withSlot('absent'), undefined)
    }
  }
  return {
    deps,
    messages,
    revocations,
    lines,
    worker,
    put,
    publish,
    takeAway,
    clock,
    access,
    credentials,
    directories,
    leases,
  }
}

type Command = ReturnType<typeof aCommand>
let command: Command

beforeEach(async () => {
  command = aCommand()
  await command.publish()
})

const aLease = (digit: string, changes: Partial<Lease> = {}): Lease => ({
  principal: 'billing',
  id: `lease_${digit.repeat(32)}`,
  instance: undefined,
  intent: {},
  clusters: ['main'],
  channels: [],
  directory: 'sha256:one',
  etag: '"one"',
  issuedAt: now,
  expiresAt: new Date(now.getTime() + 600_000),
  credentialExpiresAt: new Date(now.getTime() + 600_000),
  ...changes,
})

const deniedNow = async () => (await command.directories.readPointer()).denied

describe('a revocation', () => {
  test('is on the pointer before anything is queued', async () => {
    await command.put('main')
    const seen: unknown[] = []
    const send = async (message: Message): Promise<void> => {
      seen.push(await deniedNow())
      command.messages.push(message)
    }
    command.worker.work = command.takeAway

    await revokePrincipal(revoked('billing'), { ...command.deps, queue: { ...command.deps.queue, send } })

    expect(seen).toEqual([[revoked('billing')], [revoked('billing')], [revoked('billing')]])
  })

  test('takes access away before users, on every cluster where there is any, and says when each is gone', async () => {
    await command.put('main', 'other')
    await command.credentials.write(0, withSlot('active'), undefined)
    command.worker.work = command.takeAway

    await revokePrincipal(revoked('billing'), command.deps)

    expect(command.messages).toEqual([
      { kind: 'access', cluster: 'main', principal: 'billing' },
      { kind: 'access', cluster: 'other', principal: 'billing' },
      { kind: 'credential', cluster: 'main', principal: 'billing' },
    ])
    expect(command.lines).toEqual([
      '`billing` is revoked: new requests are refused within 5 s (60 s while DynamoDB cannot be read)',
      'main: access gone, also for live connections, after 0.1 s',
      'other: access gone, also for live connections, after 0.2 s',
      'main: users gone after 0.3 s',
      'live connections stay open without access until their token ends, and longer on brokers without `connections.max.reauth.ms`',
    ])
  })

  test('waits behind no other work, and is looked after again when nobody can be at work who has not heard of it', async () => {
    await command.put('main')
    await command.credentials.write(0, { ...withSlot('active'), cluster: 'other' }, undefined)

    await revokePrincipal(revoked('billing'), { ...command.deps, waitSeconds: 0 }).catch(() => {})

    expect(command.revocations.map(({ afterSeconds, ...message }) => [afterSeconds, message])).toEqual(
      [0, 0, 75, 75].map((seconds, at) => [
        seconds,
        { kind: 'revocation', cluster: at % 2 === 0 ? 'main' : 'other', principal: 'billing' },
      ]),
    )
  })

  test('of one cluster leaves the others alone', async () => {
    await command.put('main', 'other')
    command.worker.work = command.takeAway

    await revokePrincipal(revoked('billing', 'other'), command.deps)

    expect(await deniedNow()).toEqual([revoked('billing', 'other')])
    expect(command.messages).toEqual([{ kind: 'access', cluster: 'other', principal: 'billing' }])
  })

  test('says when the last token ends, of a lease too that was written while resolve did not know yet', async () => {
    await command.put('main')
    await command.leases.create(aLease('1'), 10, now)
    command.worker.work = async (message) => {
      await command.takeAway(message)
      const end = new Date(now.getTime() + 3_600_000)
      await command.leases.create(aLease('2', { expiresAt: end, credentialExpiresAt: end }), 10, now)
    }

    await revokePrincipal(revoked('billing'), command.deps)

    expect(command.lines).toContain('main: tokens end by 2026-11-21T13:00:00.000Z')
    expect(command.clock().getTime() - now.getTime()).toBeGreaterThanOrEqual(5_000)
  })

  test('says what it cannot take away: the access of a cluster without an admin', async () => {
    await command.directories.swapPointer(1, {
      policy: await command.directories.writePolicy(aPolicy({ clusters: { main: aCluster({ admin: undefined }) } })),
      facts: undefined,
      next: undefined,
      denied: [],
    })
    await command.leases.create(aLease('1'), 10, now)

    await revokePrincipal(revoked('billing'), command.deps)

    expect(command.messages).toEqual([])
    expect(command.lines).toContain(
      'main: has no `admin.secret`, so what the principal may do there ends with its tokens',
    )
  })

  test('of somebody nobody has seen is in force, and says so: the name may be mistyped', async () => {
    await revokePrincipal(revoked('biling'), command.deps)

    expect(await deniedNow()).toEqual([revoked('biling')])
    expect(command.lines.at(-1)).toBe('nobody has seen `biling` yet: it has no access and no lease')
  })

  test('fails when the access is not gone in time, with the principal revoked and what to do', async () => {
    await command.put('main')

    await expect(revokePrincipal(revoked('billing', 'main'), command.deps)).rejects.toThrow(
      'the access on `main` is not gone after 60 s, and rotate goes on trying: look at its log, then run this again with --cluster main',
    )
    expect(await deniedNow()).toEqual([revoked('billing', 'main')])
  })

  test('is not taken in by access that rotate wrote before it was asked', async () => {
    await command.access.recordApplied({ cluster: 'main', principal: 'billing', acls: [], policies: [] }, now)

    await expect(revokePrincipal(revoked('billing'), command.deps)).rejects.toThrow(/not gone/)
  })

  test('run again goes on where it was killed', async () => {
    await command.put('main')
    await expect(revokePrincipal(revoked('billing'), command.deps)).rejects.toThrow()
    const { revision } = await command.directories.readPointer()
    command.worker.work = command.takeAway

    await revokePrincipal(revoked('billing'), command.deps)

    expect((await command.directories.readPointer()).revision).toBe(revision)
    expect(command.lines.at(-3)).toMatch(/^`billing` already was revoked/)
  })

  test('wins against others that change the pointer, and keeps what they did', async () => {
    const { directories } = command
    let others = 3
    const readPointer: typeof directories.readPointer = async () => {
      const pointer = await directories.readPointer()
      if (others-- > 0)
        await directories.swapPointer(pointer.revision, {
          ...pointer,
          denied: [...pointer.denied, revoked(`other-${others}`)],
        })
      return pointer
    }

    await revokePrincipal(revoked('billing'), { ...command.deps, directories: { ...directories, readPointer } })

    expect((await deniedNow()).map(({ principal }) => principal)).toEqual(['other-2', 'other-1', 'other-0', 'billing'])
  })

  test.each([
    ['of nobody', revoked('not a name')],
    ['of a slot, which is no principal', revoked('billing@a')],
    ['on a cluster that is not there', revoked('billing', 'mian')],
  ])('%s is refused and changes nothing', async (_, revocation) => {
    await expect(revokePrincipal(revocation, command.deps)).rejects.toMatchObject({ exitCode: 2 })
    expect(await deniedNow()).toEqual([])
  })

  test('reaches a cluster that only the next policy of an unfinished apply has', async () => {
    command = aCommand()
    await command.publish(aPolicy({ clusters: { soon: aCluster() } }))
    await command.put('soon')
    command.worker.work = command.takeAway

    await revokePrincipal(revoked('billing'), command.deps)

    expect(command.messages).toEqual([{ kind: 'access', cluster: 'soon', principal: 'billing' }])
  })
})

describe('a restore', () => {
  beforeEach(async () => {
    await command.put('main', 'other')
    const { revision, ...pointer } = await command.directories.readPointer()
    await command.directories.swapPointer(revision, { ...pointer, denied: [revoked('billing'), revoked('orders-api')] })
  })

  const giveBack = async (message: Message): Promise<void> => {
    if (message.kind === 'access')
      await command.access.recordApplied({ ...message, acls, policies: ['sha256:one'] }, command.clock())
  }

  test('ends the revocation, then has the access made anew and says when it is there', async () => {
    command.worker.work = giveBack

    await restorePrincipal(revoked('billing'), command.deps)

    expect(await deniedNow()).toEqual([revoked('orders-api')])
    expect(command.lines).toEqual([
      '`billing` is no longer revoked: new requests are answered as its grants say within 5 s',
      'main: access as the grants say after 0.1 s',
      'other: access as the grants say after 0.2 s',
    ])
  })

  test('fails when the access is not there in time, and may be run again', async () => {
    await expect(restorePrincipal(revoked('billing'), command.deps)).rejects.toThrow(/run this again/)
    command.worker.work = giveBack

    await restorePrincipal(revoked('billing'), command.deps)

    expect(command.lines).toContain('`billing` was not revoked: new requests are answered as its grants say within 5 s')
  })

  test('on one cluster is refused for somebody who is revoked everywhere', async () => {
    await expect(restorePrincipal(revoked('billing', 'main'), command.deps)).rejects.toThrow(/revoked everywhere/)
    expect(await deniedNow()).toHaveLength(2)
  })
})

test('who is revoked, and where, can be listed', async () => {
  expect(renderRevocations(await readRevocations(command.deps))).toEqual(['nobody is revoked'])
  await revokePrincipal(revoked('billing'), command.deps)
  await revokePrincipal(revoked('orders-api', 'main'), command.deps)

  expect(renderRevocations(await readRevocations(command.deps))).toEqual([
    'PRINCIPAL   WHERE',
    'billing     everywhere',
    'orders-api  main',
  ])
})
