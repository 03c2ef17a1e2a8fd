import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Acl,
  compareAccess,
  computeAccess,
  hasNeeded,
  isAdmitted,
  requiredAccess,
} from '../../shared/domain/access.ts'
import { decide } from '../../shared/domain/decide.ts'
import { compileDirectory, type Directory } from '../../shared/domain/directory.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { topicsOfTwoChannels } from '../../shared/domain/policy-checks.ts'
import { reachOf } from '../../shared/domain/reach.ts'
import { aCluster, anIntent, aPolicy, aPrincipal, now } from '../fixtures/policies.ts'
import { anyChannel, anyPattern, anyTemplate, everyChannel, hasChannel, texts } from '../fixtures/small-universe.ts'

type Labels = Readonly<Record<string, string>>
type GrantText = Policy['grants'][number]
type RouteText = Policy['routes'][number]
type World = { readonly policy: Policy; readonly directory: Directory }

const everyLabels: readonly Labels[] = [{}, { env: 'prod' }, { env: 'dev' }, { env: 'prod', team: 'x' }]
const anyLabels = fc.constantFrom(...everyLabels)
const actions = ['produce', 'consume'] as const

const anyGrant: fc.Arbitrary<GrantText> = fc
  .record({
    principals: fc.constantFrom<GrantText['principals']>(['p'], ['q'], ['q', 'p'], { labels: { env: 'prod' } }),
    produce: fc.array(anyPattern(), { minLength: 1, maxLength: 2 }),
    consume: fc.array(anyPattern(), { minLength: 1, maxLength: 2 }),
    has: fc.constantFrom('produce', 'consume', 'both'),
    until: fc.constantFrom(undefined, undefined, '2020-01-01', '2030-01-01'),
    groups: fc.constantFrom<GrantText['groups']>(undefined, ['g-*'], ['team.x']),
    transactionalIds: fc.constantFrom<GrantText['groups']>(undefined, ['t-*']),
  })
  .map(({ has, produce, consume, until, groups, transactionalIds, principals }) => ({
    principals,
    ...(has === 'consume' ? {} : { produce }),
    ...(has === 'produce' ? {} : { consume }),
    ...(until === undefined ? {} : { until }),
    ...(groups === undefined ? {} : { groups }),
    ...(transactionalIds === undefined ? {} : { transactionalIds }),
  }))

const anyTopics: fc.Arbitrary<Record<string, string>> = fc.dictionary(
  fc.constantFrom(...texts),
  fc.constantFrom('a', 'b', 'a.a', 'a.b', 'b.c.a'),
  { minKeys: 1 },
)

/** A template, or a lookup table where the channel has a single wildcard. */
const anyWay = (channel: string): fc.Arbitrary<Pick<RouteText, 'topic' | 'topics'>> => {
  const template = anyTemplate(channel).map((topic) => ({ topic }))
  return /^[^*{]*\{\w+\}[^*{]*$/.test(channel)
    ? fc.oneof(
        template,
        anyTopics.map((topics) => ({ topics })),
      )
    : template
}

const anyRoute: fc.Arbitrary<RouteText> = anyPattern({ named: true }).chain((channel) =>
  fc
    .record({
      way: anyWay(channel),
      cluster: fc.constantFrom('main', 'main', 'main', 'other'),
      when: fc.constantFrom(undefined, undefined, undefined, { labels: { env: 'prod' } }, { labels: { team: 'x' } }),
    })
    .map(({ way, cluster, when }) => ({ channel, ...way, cluster, ...(when === undefined ? {} : { when }) })),
)

/** What the compiler refuses is taken out, for no such policy is ever in force. */
const accepted = (policy: Policy): World => {
  const { directory, issues: own } = compileDirectory(policy, 'sha256:world')
  const issues = [...own, ...topicsOfTwoChannels(policy, directory)]
  if (issues.length === 0) return { policy, directory }
  const refused = new Set(issues.map(({ path }) => path[1]))
  if (issues.some(({ path }) => path[0] !== 'routes')) throw new Error(`unexpected: ${issues[0]?.detail}`)
  return accepted({ ...policy, routes: policy.routes.filter((_, index) => !refused.has(index)) })
}

const anyWorld: fc.Arbitrary<World> = fc
  .record({
    grants: fc.array(anyGrant, { minLength: 1, maxLength: 4 }),
    routes: fc.array(anyRoute, { minLength: 1, maxLength: 5 }),
  })
  .map((parts) => accepted(aPolicy({ clusters: { main: aCluster(), other: aCluster() }, ...parts })))

/* The model: what a policy means, from its text alone. */

const isHeld = (wanted: Labels, labels: Labels): boolean =>
  Object.keys(wanted).every((key) => labels[key] === wanted[key])

const routeOf = ({ policy }: World, labels: Labels, channel: string): RouteText | undefined =>
  policy.routes.find((route) => isHeld(route.when?.labels ?? {}, labels) && hasChannel(route.channel, channel))

const topicOf = ({ channel: pattern, topic, topics }: RouteText, channel: string): string | undefined => {
  const names = pattern.split('/').slice(3)
  const path = channel.split('/').slice(3)
  if (topics !== undefined) return topics[path[names.findIndex((name) => name.startsWith('{'))] ?? '']
  return topic
    ?.replace('{path}', path.join('.'))
    .replace('{**}', path.slice(names.length - 1).join('.'))
    .replace(/\{n\d\}/g, (name) => path[names.indexOf(name)] ?? '')
}

const isGranted = ({ policy }: World, labels: Labels, action: (typeof actions)[number], channel: string): boolean =>
  policy.grants.some(
    (grant) =>
      (Array.isArray(grant.principals) ? grant.principals.includes('p') : isHeld(grant.principals.labels, labels)) &&
      grant.until !== '2020-01-01' &&
      (grant[action] ?? []).some((pattern) => hasChannel(pattern, channel)),
  )

const admits = (acls: readonly Acl[], resource: Acl['resource'], action: string, name: string): boolean =>
  acls.some(
    (acl) =>
      acl.resource === resource &&
      acl.operation === (action === 'produce' ? 'write' : 'read') &&
      (acl.name === name || (acl.pattern === 'prefixed' && name.startsWith(acl.name))),
  )

/** Every topic that some channel has for some caller, and some that none has. */
const topicsOf = (world: World): readonly string[] => [
  ...new Set([
    ...everyLabels.flatMap((labels) =>
      everyChannel.flatMap((channel) => {
        const route = routeOf(world, labels, channel)
        return route === undefined ? [] : [topicOf(route, channel)].filter((topic) => topic !== undefined)
      }),
    ),
    'a',
    'a.b.c',
    'stray',
    'a.stray',
    'b.a.a.a.a',
  ]),
]

const runs = { numRuns: 300 }

describe('the invariant of access', () => {
  it('every topic that an ACL admits is the topic of channels that a grant allows, and of no others', () => {
    fc.assert(
      fc.property(anyWorld, anyLabels, fc.integer({ min: 1, max: 3 }), (world, labels, every) => {
        const existing = new Set(topicsOf(world).filter((_, index) => index % every === 0))
        const acls = computeAccess(world.directory, 'main', { name: 'p', labels }, existing, now)
        for (const anyone of everyLabels)
          for (const channel of everyChannel) {
            const route = routeOf(world, anyone, channel)
            if (route?.cluster !== 'main') continue
            const topic = topicOf(route, channel)
            if (topic === undefined) continue
            for (const action of actions)
              if (admits(acls, 'topic', action, topic))
                expect({ action, channel, topic, granted: isGranted(world, labels, action, channel) }).toMatchObject({
                  granted: true,
                })
          }
      }),
      runs,
    )
  })

  it('a topic is not admitted where an earlier route leads its channel elsewhere', () => {
    fc.assert(
      fc.property(anyWorld, anyLabels, (world, labels) => {
        const acls = computeAccess(world.directory, 'main', { name: 'p', labels }, new Set(topicsOf(world)), now)
        const applying = world.policy.routes.filter(
          ({ cluster, when }) => cluster === 'main' && isHeld(when?.labels ?? {}, labels),
        )
        for (const route of applying)
          for (const channel of everyChannel) {
            if (!hasChannel(route.channel, channel)) continue
            const topic = topicOf(route, channel)
            if (topic === undefined) continue
            const first = routeOf(world, labels, channel)
            if (first?.cluster === 'main' && topicOf(first, channel) === topic) continue
            for (const action of actions)
              expect({ channel, topic, admitted: admits(acls, 'topic', action, topic) }).toMatchObject({
                admitted: false,
              })
          }
      }),
      runs,
    )
  })

  it('every granted channel whose topic exists is admitted', () => {
    fc.assert(
      fc.property(anyWorld, anyLabels, (world, labels) => {
        const acls = computeAccess(world.directory, 'main', { name: 'p', labels }, new Set(topicsOf(world)), now)
        for (const channel of everyChannel) {
          const route = routeOf(world, labels, channel)
          if (route?.cluster !== 'main') continue
          const topic = topicOf(route, channel)
          if (topic === undefined) continue
          for (const action of actions)
            if (isGranted(world, labels, action, channel))
              expect({ action, channel, topic, admitted: admits(acls, 'topic', action, topic) }).toMatchObject({
                admitted: true,
              })
        }
      }),
      runs,
    )
  })

  it('a channel that a grant names literally is admitted before its topic exists', () => {
    fc.assert(
      fc.property(anyWorld, anyLabels, anyChannel, (world, labels, channel) => {
        const grants: GrantText[] = [...world.policy.grants, { principals: ['p'], produce: [channel] }]
        const changed = accepted({ ...world.policy, grants })
        const route = routeOf(changed, labels, channel)
        fc.pre(route?.cluster === 'main')
        const topic = topicOf(route, channel)
        if (topic === undefined) return
        const acls = computeAccess(changed.directory, 'main', { name: 'p', labels }, new Set(), now)
        expect(admits(acls, 'topic', 'produce', topic)).toBe(true)
      }),
    )
  })

  it('groups and transactional ids are those of grants that are held, and reading brings the own group', () => {
    fc.assert(
      fc.property(anyWorld, anyLabels, (world, labels) => {
        const acls = computeAccess(world.directory, 'main', { name: 'p', labels }, new Set(topicsOf(world)), now)
        const held = world.policy.grants.filter(
          ({ principals, until }) =>
            (Array.isArray(principals) ? principals.includes('p') : isHeld(principals.labels, labels)) &&
            until !== '2020-01-01',
        )
        const mayUse = (names: 'groups' | 'transactionalIds', prefix: string) =>
          held.some((grant) => grant[names]?.includes(prefix))
        if (admits(acls, 'group', 'consume', 'g-1')) expect(mayUse('groups', 'g-*')).toBe(true)
        if (admits(acls, 'group', 'consume', 'team.x')) expect(mayUse('groups', 'team.x')).toBe(true)
        if (admits(acls, 'transactional-id', 'produce', 't-1')) expect(mayUse('transactionalIds', 't-*')).toBe(true)
        for (const stranger of ['q', 'g', 'team', 'team.xy', 'pp'])
          expect(admits(acls, 'group', 'consume', stranger)).toBe(false)
        const reads = acls.some((acl) => acl.resource === 'topic' && acl.operation === 'read')
        expect(admits(acls, 'group', 'consume', 'p')).toBe(reads)
      }),
    )
  })
})

it('what an allowed intent needs is what access gives, so that nobody waits for ever', () => {
  fc.assert(
    fc.property(anyWorld, anyLabels, fc.oneof(anyChannel, anyPattern()), fc.constantFrom(...actions), (...world) => {
      const [{ directory, policy }, labels, asked, action] = world
      const principal = aPrincipal('p', labels)
      const decision = decide(principal, anIntent({ [action]: [asked] }), { directory, denied: [], now, jitter: 0 })
      if (decision.outcome !== 'allow') return
      const topics = new Set(topicsOf({ directory, policy }))
      for (const connection of decision.connections) {
        const acls = computeAccess(directory, connection.cluster.name, principal, topics, now)
        const needed = requiredAccess(directory, principal, connection)
        const isGroup = (acl: Acl) => acl.resource === 'group'
        // a pattern may have no topic yet, and then there is nothing to read in a group
        const wanted = needed.everything ? needed.acls.filter((acl) => !isGroup(acl)) : needed.acls
        expect(wanted.filter((acl) => !isAdmitted(acls, acl))).toEqual([])
      }
    }),
    runs,
  )
})

describe('what a token for a cluster is for', () => {
  const clusters = ['main', 'other'] as const
  const reachIn = ({ directory }: World, labels: Labels) => reachOf(directory, { name: 'p', labels }, now).clusters

  it('is in what access gives, whatever topics there are, so that nobody waits for ever', () => {
    fc.assert(
      fc.property(anyWorld, anyLabels, fc.integer({ min: 1, max: 3 }), (world, labels, every) => {
        const topics = new Set(topicsOf(world).filter((_, index) => index % every === 0))
        for (const [cluster, needed] of reachIn(world, labels)) {
          const acls = computeAccess(world.directory, cluster, { name: 'p', labels }, topics, now)
          expect(needed.acls.filter((acl) => !isAdmitted(acls, acl))).toEqual([])
          const applied = { acls, policies: [world.directory.hash], labels }
          expect(hasNeeded(applied, needed, world.directory.hash)).toBe(true)
        }
      }),
      runs,
    )
  })

  it('is all that access gives there, unless it says that it depends on topics', () => {
    fc.assert(
      fc.property(anyWorld, anyLabels, (world, labels) => {
        const reached = reachIn(world, labels)
        for (const cluster of clusters) {
          const topics = new Set(topicsOf(world))
          const acls = computeAccess(world.directory, cluster, { name: 'p', labels }, topics, now)
          const needed = reached.get(cluster)
          if (needed === undefined) expect(acls).toEqual([])
          else if (!needed.everything) expect(acls.filter((acl) => !isAdmitted(needed.acls, acl))).toEqual([])
        }
      }),
      runs,
    )
  })

  it('rests on every grant that lets an intent through there, so that it outlives none of them', () => {
    fc.assert(
      fc.property(anyWorld, anyLabels, anyChannel, fc.constantFrom(...actions), (world, labels, channel, action) => {
        const { directory } = world
        const principal = aPrincipal('p', labels)
        const decision = decide(principal, anIntent({ [action]: [channel] }), { directory, denied: [], now, jitter: 0 })
        if (decision.outcome !== 'allow') return
        for (const { cluster, admissions } of decision.connections)
          for (const { grant } of admissions) expect(reachIn(world, labels).get(cluster.name)?.grants).toContain(grant)
      }),
      runs,
    )
  })
})

const anyAcl: fc.Arbitrary<Acl> = fc.record({
  resource: fc.constantFrom('topic', 'group'),
  pattern: fc.constantFrom('literal', 'prefixed'),
  name: fc.constantFrom('a', 'a.', 'b'),
  operation: fc.constantFrom('read', 'write'),
})

it('what a comparison says to do makes the cluster as wanted, and then there is nothing left to do', () => {
  fc.assert(
    fc.property(fc.array(anyAcl), fc.array(anyAcl), (present, wanted) => {
      const change = compareAccess(present, wanted)
      const key = (acl: Acl) => Object.values(acl).join()
      const removed = new Set(change.remove.map(key))
      const after = [...present.filter((acl) => !removed.has(key(acl))), ...change.add]
      expect(new Set(after.map(key))).toEqual(new Set(wanted.map(key)))
      expect(compareAccess(after, wanted)).toEqual({ add: [], remove: [] })
    }),
  )
})
