import { createApplyAccess } from '../../../functions/rotate/apply-access.ts'
import { createInForce } from '../../../functions/rotate/in-force.ts'
import { createPace } from '../../../functions/rotate/pace.ts'
import { createRotateCredentials, type RotateCredentials } from '../../../functions/rotate/rotate-credential.ts'
import type { Policy } from '../../../shared/domain/policy.ts'
import type { Revocation } from '../../../shared/domain/revocation.ts'
import { type SlotName, slotNames, slotToHandOut } from '../../../shared/domain/rotation.ts'
import { createSlotSecrets } from '../../../shared/secrets/slot-secrets.ts'
import type { Lease } from '../../../shared/store/lease-store.ts'
import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
  createMemoryLeaseStore,
} from '../../../shared/store/memory.ts'
import type { LoopbackSecrets } from '../../fixtures/loopback-secrets.ts'
import { aCluster, aPolicy, now } from '../../fixtures/policies.ts'
import { recordTelemetry } from '../../fixtures/recorded-telemetry.ts'
import { simulateKafka } from '../../fixtures/simulated-kafka.ts'
import { simulateScram } from '../../fixtures/simulated-scram.ts'

/** A worker that ends at its n-th call to the outside: before the call is made, or after it was and before it is known. */
export type Life = { calls: number; isOver: boolean; readonly endsAt: number; readonly when: 'before' | 'after' }

export const aLife = (endsAt = Number.POSITIVE_INFINITY, when: Life['when'] = 'before'): Life => ({
  calls: 0,
  isOver: false,
  endsAt,
  when,
})

export class WorkerEnded extends Error {}

type Calls = object

/** The same calls as long as the worker lives. */
export const during = <T extends Calls>(life: Life, target: T): T =>
  new Proxy(target, {
    get: (of, name) => {
      const member: unknown = Reflect.get(of, name)
      if (typeof member !== 'function') return member
      return async (...values: unknown[]) => {
        if (life.isOver) throw new WorkerEnded('the worker has ended')
        life.calls++
        const ends = life.calls === life.endsAt
        if (ends && life.when === 'before') life.isOver = true
        if (life.isOver) throw new WorkerEnded('the worker ends')
        const result: unknown = await member.apply(of, values)
        if (ends) life.isOver = true
        if (life.isOver) throw new WorkerEnded('the worker ends')
        return result
      }
    },
  })

/** Every credential lives for two hours, and every lease for ten minutes. */
export const scramPolicy = (principals: readonly string[] = ['billing'], changes: Partial<Policy> = {}): Policy =>
  aPolicy({
    clusters: { main: aCluster({ auth: ['scram'], rotation: { every: '2h' } }) },
    grants: [{ principals: [...principals], produce: ['kafka://acme/orders/**'], maxLease: '10m' }],
    ...changes,
  })

export const secretName = (principal: string, stack = 'prod'): string =>
  `switchboard/${stack}/credentials/main/${principal}/slots`

/** A stack with its stores and a policy, and a cluster that may be another stack's too; workers come and go. */
export const aRotation = (
  aws: LoopbackSecrets,
  { stack = 'prod', kafka = simulateKafka(['orders.created']), scram = simulateScram() } = {},
) => {
  const directories = createMemoryDirectoryStore()
  const access = createMemoryAccessStore()
  const credentials = createMemoryCredentialStore()
  const leases = createMemoryLeaseStore(credentials)
  const telemetry = recordTelemetry()
  let time = now.getTime()
  let workers = 0
  const clock = (): Date => new Date(time)
  const pass = (seconds: number): void => {
    time += seconds * 1000
  }

  const aWorker = (life = aLife(), changes: Partial<Parameters<typeof createRotateCredentials>[0]> = {}) => {
    const id = `worker-${++workers}`
    const applyAccess = createApplyAccess({
      directories,
      access,
      credentials,
      openAdmin: async () => during(life, await kafka.open()),
      openQuotas: async () => during(life, await kafka.openQuotas()),
      telemetry,
      clock,
    })
    return createRotateCredentials({
      inForce: createInForce(directories),
      access,
      credentials: during(life, credentials),
      leases: during(life, leases),
      secretsOf: () => during(life, createSlotSecrets(aws.client, stack, 'the-key')),
      openBackend: async () => during(life, await scram.open()),
      applyAccess,
      pace: createPace(
        1_000,
        10,
        () => time,
        async () => {},
      ),
      telemetry,
      clock,
      wait: async (milliseconds) => {
        time += milliseconds
      },
      createId: () => id,
      ...changes,
    })
  }

  const setPolicy = async (policy: Policy, denied: readonly Revocation[] = []): Promise<void> => {
    const { revision } = await directories.readPointer()
    const hash = await directories.writePolicy(policy)
    await directories.swapPointer(revision, { policy: hash, facts: undefined, next: undefined, denied })
  }

  const read = async (principal = 'billing') => (await credentials.read('main', principal))?.credential
  const states = async (principal = 'billing') => {
    const { slots } = (await read(principal)) ?? {}
    return slots && { a: slots.a.state, b: slots.b.state }
  }
  const secretOf = (principal = 'billing') => JSON.parse(aws.text(secretName(principal)) ?? '{}')

  /** Whether who has the slot gets in, and may do what the policy gives. */
  const works = (slot: SlotName, principal = 'billing'): boolean => {
    const user = `sb.${principal}@${slot}`
    const held = secretOf(principal)[slot]
    return (
      held !== undefined &&
      scram.users.get(user) === held.password &&
      kafka.acls().includes(`${user} topic:prefixed:write:orders.`)
    )
  }

  /** A lease on what is handed out now, as resolve would write it. */
  const take = async (seconds: number, id = 'lease_1', principal = 'billing'): Promise<SlotName> => {
    const credential = await read(principal)
    const slot = credential && slotToHandOut(credential)
    if (credential === undefined || slot === undefined) throw new Error('no slot is handed out')
    const held = { slot, generation: credential.slots[slot].generation }
    const lease: Lease = {
      principal,
      id,
      instance: undefined,
      intent: {},
      clusters: ['main'],
      channels: [],
      directory: 'sha256:test',
      etag: 'x',
      issuedAt: clock(),
      expiresAt: new Date(time + seconds * 1000),
      credentialExpiresAt: 'never',
      slots: { main: [held] },
    }
    const outcome = await leases.create(lease, 100, clock(), [{ cluster: 'main', ...held, isNew: true }])
    if (outcome !== 'created') throw new Error(`the lease is ${outcome}`)
    return slot
  }

  /** What a sweep a minute does, as far as it finds something. */
  const sweepFor = async (seconds: number, worker: RotateCredentials = aWorker()): Promise<void> => {
    const end = time + seconds * 1000
    const minute = 60_000
    while (time < end) {
      const due = await credentials.due(clock(), 1_000)
      if (due.length > 0)
        await worker(
          'main',
          due.map(({ principal }) => principal),
        )
      const next = (await credentials.list()).map(({ dueAt }) => dueAt?.getTime() ?? Number.POSITIVE_INFINITY)
      const idleMs = Math.min(end, ...next) - time
      time += Math.max(minute, Math.ceil(idleMs / minute) * minute)
    }
  }

  /** Names of what there is on the cluster and in Secrets Manager, whatever the state says. */
  const leftovers = (principal = 'billing'): readonly string[] => [
    ...[...scram.users.keys()].filter((user) => slotNames.some((slot) => user === `sb.${principal}@${slot}`)),
    ...kafka.acls().filter((acl) => acl.startsWith(`sb.${principal}@`)),
    ...(aws.text(secretName(principal)) === undefined ? [] : [secretName(principal)]),
  ]

  return {
    directories,
    access,
    credentials,
    leases,
    kafka,
    scram,
    telemetry,
    clock,
    pass,
    aWorker,
    setPolicy,
    read,
    states,
    secretOf,
    works,
    take,
    sweepFor,
    leftovers,
  }
}

export type ARotation = ReturnType<typeof aRotation>
