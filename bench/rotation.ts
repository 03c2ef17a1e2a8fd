import { pbkdf2, randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createApplyAccess } from '../functions/rotate/apply-access.ts'
import { createInForce } from '../functions/rotate/in-force.ts'
import { createPace } from '../functions/rotate/pace.ts'
import { createRotateCredentials } from '../functions/rotate/rotate-credential.ts'
import { createSweep } from '../functions/rotate/sweep.ts'
import type { BackendOutcome, BackendUser } from '../shared/clusters/credential-backend.ts'
import { createAclAdmin } from '../shared/clusters/kafka/acl-admin.ts'
import { hashUsers } from '../shared/clusters/kafka/hash-users.ts'
import { createQuotaAdmin } from '../shared/clusters/kafka/quota-admin.ts'
import { createScramAdmin } from '../shared/clusters/kafka/scram-admin.ts'
import { createKafkaScramBackend } from '../shared/clusters/kafka/scram-backend.ts'
import type { Cluster } from '../shared/domain/cluster.ts'
import { compileDirectory } from '../shared/domain/directory.ts'
import type { Policy } from '../shared/domain/policy.ts'
import { slotUser } from '../shared/domain/principal.ts'
import { newCredential, type SlotName, type SlotState } from '../shared/domain/rotation.ts'
import { createSlotSecrets, slotSecretName } from '../shared/secrets/slot-secrets.ts'
import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
  createMemoryLeaseStore,
} from '../shared/store/memory.ts'
import type { Message } from '../shared/store/queue.ts'
import { createTelemetry } from '../shared/telemetry.ts'
import type { Figure } from './figure.ts'
import { type RealKafka, withKafka } from './local-parts.ts'
import { median } from './measure.ts'
import { measureQueries } from './rotation-queries.ts'
import { createSimulatedSecrets } from './simulated-secrets.ts'

const size = 10_000
/** More than production takes of its Secrets Manager: the run is shorter, and all else in it has to be faster. */
const secretWritesPerSecond = 100
const clusterName = 'main'
const principals = Array.from({ length: size }, (_, index) => `service-${index}`)
const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
const leaseMs = 60 * minuteMs
/** Longer than a slot drains whose clients have moved. */
const maximumMinutes = 90

const policyFor = ({ bootstrap }: RealKafka): Policy => ({
  identities: [{ issuer: 'https://login.acme.com', audience: 'switchboard' }],
  clusters: {
    [clusterName]: {
      provider: 'kafka',
      auth: ['scram'],
      admin: { secret: 'admin' },
      bootstrap,
      security: 'SASL_PLAINTEXT',
      // the hourly logins with active slots are no part of a rotation
      rotation: { every: '30d', clock: { checkEvery: '365d' } },
    },
  },
  grants: principals.map((name, index) => ({
    principals: [name],
    produce: [`kafka://acme/team-${index}/**`],
  })),
  routes: [{ channel: 'kafka://acme/**', cluster: clusterName, topic: '{path}' }],
})

const timed = async <T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly seconds: number }> => {
  const startedAt = performance.now()
  const result = await work()
  return { result, seconds: (performance.now() - startedAt) / 1000 }
}

const userOf = (name: string): BackendUser => ({
  name,
  username: name,
  password: randomBytes(32).toString('base64url'),
})

const hashing = async (): Promise<readonly Figure[]> => {
  const users = Array.from({ length: 400 }, (_, index) => userOf(`user-${index}`))
  const hash = promisify(pbkdf2)
  const alone = (): Promise<unknown> =>
    Promise.all(users.map(({ password }) => hash(password, randomBytes(32), 4_096, 64, 'sha512')))
  const ratios: number[] = []
  const rates: number[] = []
  for (let round = 0; round < 9; round++) {
    const ours = await timed(() => hashUsers('SCRAM-SHA-512', users))
    const theirs = await timed(alone)
    rates.push(users.length / ours.seconds)
    ratios.push(ours.seconds / theirs.seconds)
  }
  return [
    { name: 'rotation, users hashed', value: median(rates), unit: 'users/s' },
    { name: 'rotation, hashing / PBKDF2 alone on the thread pool', value: median(ratios), unit: 'x', limit: 1 / 0.9 },
  ]
}

const checkDone = (outcomes: ReadonlyMap<string, BackendOutcome<'done' | 'lost'>>): void => {
  for (const [name, { outcome }] of outcomes) if (outcome !== 'done') throw new Error(`\`${name}\` was not made`)
}

/** Leaves a user for slot `a` of every principal. */
const usersOnKafka = async (
  cluster: Cluster,
  { admin }: RealKafka,
  users: readonly BackendUser[],
): Promise<readonly Figure[]> => {
  const backend = createKafkaScramBackend(cluster, admin)
  const singles = Array.from({ length: 100 }, (_, index) => userOf(`single-${index}`))
  const oneByOne = async (some: readonly BackendUser[]): Promise<void> => {
    for (const user of some) checkDone(await backend.create([user]))
  }
  await oneByOne(singles.slice(0, 10))
  const before = await timed(() => oneByOne(singles.slice(0, 50)))
  const together = await timed(() => backend.create(users))
  checkDone(together.result)
  const after = await timed(() => oneByOne(singles.slice(50)))
  await backend.revoke(singles.map(({ name }) => name))
  await backend.close()
  const single = (before.seconds + after.seconds) / singles.length
  const each = together.seconds / users.length
  return [
    { name: 'rotation, Kafka user in a request of its own', value: single * 1e3, unit: 'ms' },
    { name: `rotation, Kafka user among ${users.length}, hashing included`, value: each * 1e3, unit: 'ms' },
    { name: 'rotation, Kafka user among many / in a request of its own', value: each / single, unit: 'x', limit: 0.1 },
  ]
}

const rotations = async (
  policy: Policy,
  cluster: Cluster,
  { admin }: RealKafka,
  users: readonly BackendUser[],
): Promise<readonly Figure[]> => {
  let aheadMs = 0
  const clock = (): Date => new Date(Date.now() + aheadMs)
  const madeAt = clock()
  const directories = createMemoryDirectoryStore()
  const access = createMemoryAccessStore()
  const credentials = createMemoryCredentialStore()
  const leases = createMemoryLeaseStore()
  const secrets = createSimulatedSecrets()
  const telemetry = createTelemetry('rotate', () => undefined)
  await directories.swapPointer(0, {
    policy: await directories.writePolicy(policy),
    facts: undefined,
    next: undefined,
    denied: [],
  })

  const leaseOf = (principal: string, slot: SlotName, expiresAt: Date) => ({
    principal,
    id: 'lease_00000000000000000000000000000000',
    instance: undefined,
    intent: {},
    clusters: [clusterName],
    channels: [],
    directory: 'sha256:bench',
    etag: slot,
    issuedAt: clock(),
    expiresAt,
    credentialExpiresAt: 'never' as const,
    slots: { [clusterName]: [{ slot, generation: 1 }] },
  })

  for (const [at, { name, password }] of users.entries()) {
    const principal = principals[at] ?? ''
    const made = newCredential(principal, clusterName)
    const a = {
      ...made.slots.a,
      state: 'active',
      since: madeAt,
      generation: 1,
      health: 'works',
      checkedAt: madeAt,
      toldAt: madeAt,
    } as const
    await credentials.write(0, { ...made, slots: { ...made.slots, a } }, new Date(madeAt.getTime() + 30 * dayMs))
    secrets.put(
      slotSecretName('bench', clusterName, principal),
      JSON.stringify({ a: { generation: 1, username: name, password } }),
    )
  }

  const applyAccess = createApplyAccess({
    directories,
    access,
    credentials,
    openAdmin: async () => createAclAdmin(cluster, admin),
    openQuotas: async () => createQuotaAdmin(cluster, admin),
    telemetry,
    clock,
  })
  const runSize = 1_000
  for (let at = 0; at < size; at += runSize) await applyAccess(clusterName, principals.slice(at, at + runSize))

  const queries = new Map<string, number>()
  const messages: (Message & { kind: 'credentials' })[] = []
  const sweep = createSweep({
    credentials,
    queue: { send: async (message) => void messages.push(message as Message & { kind: 'credentials' }) },
    telemetry,
    clock,
  })
  const rotateCredentials = createRotateCredentials({
    inForce: createInForce(directories),
    access,
    credentials,
    leases: {
      slotHeldUntil: (slot, now) => {
        queries.set(slot.principal, (queries.get(slot.principal) ?? 0) + 1)
        return leases.slotHeldUntil(slot, now)
      },
    },
    secretsOf: () => createSlotSecrets(secrets.client, 'bench'),
    openBackend: async () => createKafkaScramBackend(cluster, admin),
    applyAccess,
    pace: createPace(secretWritesPerSecond, 25, () => performance.now(), delay),
    telemetry,
    clock,
    wait: delay,
    createId: randomUUID,
  })
  /** What one invocation of the function gets: ten messages. */
  const work = async (): Promise<void> => {
    while (messages.length > 0) {
      const run = messages.splice(0, 10)
      await rotateCredentials(
        clusterName,
        run.flatMap((message) => message.principals),
      )
    }
  }
  const counted = async (slot: SlotName): Promise<Readonly<Partial<Record<SlotState, number>>>> => {
    const all = await credentials.list(clusterName)
    const groups = Map.groupBy(all, ({ credential }) => credential.slots[slot].state)
    return Object.fromEntries([...groups].map(([state, list]) => [state, list.length]))
  }
  /** Sweeps each minute, as the schedule does, until all have a slot in one of these states; how long that took here. */
  const until = async (slot: SlotName, ...states: readonly SlotState[]): Promise<number> => {
    const startedAt = performance.now()
    for (let minutes = 0; minutes <= maximumMinutes; minutes++) {
      // two, for a sweep takes on half of them
      for (let sweeps = 0; sweeps < 2; sweeps++) {
        await sweep()
        await work()
      }
      const there = await counted(slot)
      if (states.reduce((sum, state) => sum + (there[state] ?? 0), 0) === size)
        return (performance.now() - startedAt) / 1000
      aheadMs += minuteMs
    }
    throw new Error(`the slots \`${slot}\` are ${JSON.stringify(await counted(slot))}, expected \`${states}\``)
  }

  aheadMs = 30 * dayMs
  for (const principal of principals)
    await leases.create(leaseOf(principal, 'a', new Date(clock().getTime() + leaseMs)), 10, clock())
  const prepared = await until('b', 'created', 'settling', 'ready', 'active')
  const activated = await until('b', 'active')
  // each client meets the new slot at its next renewal, and has moved soon after
  aheadMs += leaseMs / 2
  for (const principal of principals)
    await leases.renew(leaseOf(principal, 'b', new Date(clock().getTime() + leaseMs)), clock())
  const removed = await until('a', 'absent')

  const scram = createScramAdmin(cluster, admin)
  const left = [...(await scram.describe()).keys()].filter((name) => name !== admin.username)
  await scram.close()
  if (left.length !== size)
    throw new Error(`Kafka has \`${left.length}\` users after the rotation, expected \`${size}\``)
  const most = (counts: ReadonlyMap<string, number>): number => Math.max(...counts.values())
  const rate = (seconds: number): number => size / seconds
  return [
    { name: `rotation, ${size} due at once, secrets and users`, value: rate(prepared), unit: 'credentials/s' },
    {
      name: `rotation, secrets and users / ${secretWritesPerSecond} simulated secret writes a second`,
      value: prepared / (size / secretWritesPerSecond),
      unit: 'x',
      limit: 1 / 0.9,
    },
    { name: 'rotation, logins that prove new slots', value: rate(activated), unit: 'credentials/s' },
    { name: 'rotation, old slots removed', value: rate(removed), unit: 'credentials/s' },
    { name: 'rotation, secret writes of a credential, most', value: most(secrets.writes), unit: 'requests', limit: 1 },
    { name: 'rotation, secret writes, missing', value: size - secrets.writes.size, unit: 'requests', limit: 0 },
    { name: 'rotation, lease queries of a credential, most', value: most(queries), unit: 'queries', limit: 1 },
    { name: 'rotation, lease queries, missing', value: size - queries.size, unit: 'queries', limit: 0 },
  ]
}

const measureKafka = (): Promise<readonly Figure[]> =>
  withKafka(async (kafka) => {
    const policy = policyFor(kafka)
    const { directory } = compileDirectory(policy, 'sha256:bench')
    const cluster = directory.clusters.get(clusterName)
    if (cluster === undefined) throw new Error('the policy has no cluster')
    const users = principals.map((principal) => userOf(slotUser(directory.kafkaUserPrefix, principal, 'a')))
    return [
      ...(await hashing()),
      ...(await usersOnKafka(cluster, kafka, users)),
      ...(await rotations(policy, cluster, kafka, users)),
    ]
  })

export const measure = async (): Promise<readonly Figure[]> => [...(await measureKafka()), ...(await measureQueries())]
