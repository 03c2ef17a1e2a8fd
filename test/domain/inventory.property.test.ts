import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from '../../shared/domain/canonical-json.ts'
import {
  compare,
  completeObservation,
  entryAfterFailure,
  entryAfterLook,
  type FoundCluster,
  type FoundTopic,
  labelsOfTags,
  maximumTombstones,
  type Observation,
  type PartName,
  type Parts,
  type Snapshot,
  tombstoneDays,
} from '../../shared/domain/inventory.ts'
import { policySchema } from '../../shared/domain/policy.ts'
import { snapshotAddress } from '../../shared/store/inventory-store.ts'
import { aFoundCluster, anObservation, aSnapshot, aTopic, theseParts } from '../fixtures/inventories.ts'
import { aCluster, aPolicy } from '../fixtures/policies.ts'

const key = { source: 'prod', id: 'arn:a' }
const at = (days: number): Date => new Date(Date.UTC(2026, 0, 1 + days))
const failure = { code: 'denied', detail: 'no rights' } as const
const partNames: readonly PartName[] = ['brokers', 'topics', 'groups', 'users', 'acls', 'registries']

const name = fc.constantFrom('a', 'a.b', 'a_b', 'A', 'x'.repeat(249), 'orders.created.v3')
const topic: fc.Arbitrary<FoundTopic> = fc.record(
  {
    name,
    partitions: fc.integer({ min: 1, max: 10_000 }),
    replication: fc.integer({ min: 1, max: 5 }),
    minInsync: fc.integer({ min: 1, max: 3 }),
    configs: fc.dictionary(fc.constantFrom('retention.ms', 'cleanup.policy'), fc.string({ maxLength: 3 })),
  },
  { requiredKeys: ['name', 'partitions', 'replication'] },
)
const unique = <T>(entry: fc.Arbitrary<T>, selector: (value: T) => unknown): fc.Arbitrary<T[]> =>
  fc.uniqueArray(entry, { selector, maxLength: 6 })

const parts: fc.Arbitrary<Parts> = fc.record({
  brokers: unique(fc.record({ id: fc.nat(5), endpoints: fc.subarray(['b-1', 'b-2', 'b-3']) }), ({ id }) => id),
  topics: unique(topic, (each) => each.name),
  groups: unique(fc.record({ name }), (each) => each.name),
  users: unique(fc.record({ name, mechanism: fc.constant('SCRAM-SHA-512') }), (each) => each.name),
  acls: fc.constant([]),
  registries: unique(
    fc.record({
      id: fc.constantFrom('lsrc-1', 'lsrc-2'),
      url: fc.constant('https://sr'),
      subjects: unique(fc.record({ name, version: fc.nat(3) }), (each) => each.name),
    }),
    ({ id }) => id,
  ),
})
const cluster: fc.Arbitrary<FoundCluster> = fc
  .record({ state: fc.constantFrom('ACTIVE', 'UPDATING') })
  .map(aFoundCluster)
const observation: fc.Arbitrary<Observation> = fc
  .record({ cluster, parts, hidden: fc.subarray([...partNames]) })
  .map(({ hidden, ...seen }) => ({ ...seen, unknown: Object.fromEntries(hidden.map((part) => [part, failure])) }))
const whole = fc.record({ cluster, parts }).map((seen): Observation => ({ ...seen, unknown: {} }))

const look = (last: Snapshot | undefined, seen: Observation, days = 0) => compare(key, last, seen, at(days))

test('a second look that sees the same changes nothing, whatever was seen before', () => {
  fc.assert(
    fc.property(fc.option(observation, { nil: undefined }), observation, (before, seen) => {
      const last = before && look(undefined, before).snapshot
      const first = look(last, seen, 1)
      const second = look(first.snapshot, seen, 2)

      expect(second.changes).toEqual([])
      expect(second.clusterChanges).toEqual([])
      expect(snapshotAddress(second.snapshot)).toBe(snapshotAddress(first.snapshot))
    }),
  )
})

test('the order in which things are seen is in no snapshot', () => {
  fc.assert(
    fc.property(whole, (seen) => {
      const reversed: Observation = {
        ...seen,
        cluster: {
          ...seen.cluster,
          auth: seen.cluster.auth.toReversed(),
          listeners: seen.cluster.listeners
            .toReversed()
            .map((each) => ({ ...each, bootstrap: each.bootstrap.split(',').toReversed().join(',') })),
        },
        parts: Object.fromEntries(
          Object.entries(seen.parts).map(([part, found]) => [part, found.toReversed()]),
        ) as Partial<Parts>,
      }

      expect(look(undefined, reversed).snapshot).toEqual(look(undefined, seen).snapshot)
    }),
  )
})

test('what could not be seen is as it was, and what could be is as it is', () => {
  fc.assert(
    fc.property(whole, observation, (before, seen) => {
      const last = look(undefined, before).snapshot
      const { snapshot, changes } = look(last, seen, 1)

      for (const part of partNames)
        if (part in seen.unknown) expect(snapshot.parts[part]).toEqual(last.parts[part])
        else expect(snapshot.parts[part]?.length).toBe(seen.parts[part]?.length)
      if ('topics' in seen.unknown) expect(changes.filter(({ kind }) => kind === 'topic')).toEqual([])
    }),
  )
})

test('a tombstone is there for each thing that vanished, since it did, and for nothing that is there', () => {
  fc.assert(
    fc.property(fc.array(whole, { minLength: 2, maxLength: 6 }), (looks) => {
      let last: Snapshot | undefined
      const vanished = new Map<string, string>()
      for (const [days, seen] of looks.entries()) {
        const { snapshot, changes } = look(last, seen, days)
        for (const { change, kind, name: changed } of changes) {
          if (change === 'removed') vanished.set(`${kind} ${changed}`, at(days).toISOString())
          if (change === 'added') vanished.delete(`${kind} ${changed}`)
        }
        const found = snapshot.tombstones.map((each) => [`${each.kind} ${each.name}`, each.vanishedAt] as const)
        expect(new Map(found)).toEqual(vanished)
        expect(found).toHaveLength(vanished.size)
        last = snapshot
      }
    }),
  )
})

test('a tombstone is forgotten after 30 days, and there are only so many', () => {
  const topics = Array.from({ length: maximumTombstones + 10 }, (_, index) => aTopic(`topic-${index}`))
  const first = look(undefined, anObservation({ parts: theseParts({ topics }) })).snapshot
  const nothing = anObservation({ parts: theseParts({ topics: [] }) })

  const second = look(first, nothing, 1).snapshot
  expect(second.tombstones).toHaveLength(maximumTombstones)
  expect(look(second, nothing, 1 + tombstoneDays).snapshot.tombstones).toHaveLength(maximumTombstones)
  expect(look(second, nothing, 2 + tombstoneDays).snapshot.tombstones).toEqual([])
})

test('a topic whose settings cannot be read keeps those of the last time', () => {
  const first = look(undefined, anObservation({ parts: { topics: [aTopic('a')] } })).snapshot
  const bare = { name: 'a', partitions: 12, replication: 3 }

  const { snapshot, changes } = look(first, anObservation({ parts: { topics: [bare] } }), 1)

  expect(snapshot.parts.topics).toEqual([{ ...aTopic('a'), partitions: 12 }])
  expect(changes).toContainEqual({ change: 'changed', kind: 'topic', name: 'a' })
})

test('pages of one registry are one registry', () => {
  const page = (...names: readonly string[]) => ({
    id: 'lsrc-1',
    url: 'https://sr',
    subjects: names.map((each) => ({ name: each })),
  })

  const { snapshot } = look(undefined, anObservation({ parts: { registries: [page('b', 'c'), page('a', 'c')] } }))

  expect(snapshot.parts.registries?.map(({ subjects }) => subjects.map((each) => each.name))).toEqual([['a', 'b', 'c']])
})

test('since when something fails is the first failure after the last success', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), (successes) => {
      const snapshot = aSnapshot()
      let entry: ReturnType<typeof entryAfterFailure> | undefined
      let since: Date | undefined
      for (const [days, isSuccess] of successes.entries()) {
        entry = isSuccess
          ? entryAfterLook(entry, snapshot, 'sha256:a', { topics: failure }, undefined, at(days))
          : entryAfterFailure(snapshot, entry, failure, at(days))
        since = isSuccess ? undefined : (since ?? at(days))
        expect(entry.failing?.since).toEqual(since)
      }
      expect(entry?.firstLookAt).toEqual(at(0))
      if (successes.includes(true)) expect(entry?.unknown.topics?.since).toEqual(at(successes.indexOf(true)))
    }),
  )
})

test('what brokers say stands behind what the control plane said', () => {
  const first = anObservation({ parts: { brokers: [] }, unknown: { topics: failure } })
  const rest = anObservation({ parts: { topics: [], brokers: [{ id: 1, endpoints: [] }] }, unknown: { acls: failure } })

  expect(completeObservation(first, rest)).toEqual({
    cluster: first.cluster,
    parts: { brokers: [], topics: [] },
    unknown: { acls: failure },
  })
  expect(completeObservation(first, { code: 'unavailable', detail: 'x' }).unknown.topics?.code).toBe('unavailable')
})

test('labels of tags are labels that a policy takes, each as it was found', () => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 5 }), fc.constantFrom('owner', 'a:b', 'aws:x', 'é', ''))
  fc.assert(
    fc.property(fc.dictionary(text, text), (tags) => {
      const labels = labelsOfTags(tags)

      const policy = aPolicy({ clusters: { main: aCluster({ labels: { ...labels } }) } })
      expect(policySchema.safeParse(policy).success).toBe(true)
      for (const [label, value] of Object.entries(labels)) expect(tags[label]).toBe(value)
    }),
  )
})

test('a snapshot survives JSON', () => {
  fc.assert(
    fc.property(observation, (seen) => {
      const { snapshot } = look(undefined, seen)
      expect(canonicalJson(JSON.parse(JSON.stringify(snapshot)))).toBe(canonicalJson(snapshot))
    }),
  )
})
