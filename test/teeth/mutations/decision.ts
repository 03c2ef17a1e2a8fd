import type { Mutation } from '../mutation.ts'

const directory = 'shared/domain/directory.ts'
const decide = 'shared/domain/decide.ts'
const accessPath = 'shared/domain/access-path.ts'
const lease = 'shared/domain/lease.ts'
const topic = 'shared/domain/topic.ts'
const topicCollision = 'shared/domain/topic-collision.ts'
const ruleTests = ['test/domain']
const anyGrant =
  '({ index: 0, principals: [], labels: undefined, produce: [], consume: [], groups: [], transactionalIds: [], maxLeaseSeconds: undefined, quota: {}, until: undefined })'

export const decisionMutations: readonly Mutation[] = [
  {
    name: 'rule 1: the deny list is not looked at',
    edits: [{ file: decide, find: 'if (isRevoked(denied, principal.name))', replace: "if (principal.name === '')" }],
    tests: ruleTests,
  },
  {
    name: 'rule 2: nothing is denied',
    edits: [
      {
        file: decide,
        find: '  const grant = grantThat(asking, (each) => grantsGroup(asking, each))',
        replace: `  const grant = grantThat(asking, (each) => grantsGroup(asking, each)) ?? ${anyGrant}`,
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'rule 2: grants that have ended still allow',
    edits: [
      {
        file: directory,
        find: '      return grant !== undefined && !isExpired(grant, now) && accepts(grant)',
        replace: '      return grant !== undefined && accepts(grant)',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'rule 2: any consumer group is allowed',
    edits: [
      {
        file: decide,
        find: "  wish.action === 'produce' || group === undefined || allowsGroup(grant, principal.name, group)",
        replace: '  grant !== undefined',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'rule 2: a label grant holds for everybody',
    edits: [
      {
        file: directory,
        find: '      if (hasLabels(principal.labels, held.labels)) found.push(held)',
        replace: '      found.push(held)',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'rule 3: `when` of a route is not looked at',
    edits: [
      {
        file: directory,
        find: '    return route !== undefined && hasLabels(principal.labels, route.when)',
        replace: '    return route !== undefined',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'rule 3: the last route wins',
    edits: [
      {
        file: 'shared/domain/channel-trie.ts',
        find: '      if (index >= best) return\n      if (accepts(index)) {\n        best = index\n        return\n      }',
        replace: '      if (accepts(index) && (index > best || best === Number.POSITIVE_INFINITY)) best = index',
      },
      { file: 'shared/domain/channel-trie.ts', find: '    if (node.smallest >= best) return\n', replace: '' },
    ],
    tests: ruleTests,
  },
  {
    name: 'rule 4: a quarantined cluster is handed out',
    edits: [{ file: decide, find: 'cluster === undefined || cluster.quarantined', replace: 'cluster === undefined' }],
    tests: ruleTests,
  },
  {
    name: 'rule 5: the asked network does not matter',
    edits: [
      {
        file: accessPath,
        find: 'return listeners.filter((listener) => listener.network === network)',
        replace: 'return listeners',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'rule 5: plain before encrypted',
    edits: [
      {
        file: accessPath,
        find: "Number(b.security === 'SASL_SSL') - Number(a.security === 'SASL_SSL')",
        replace: "Number(a.security === 'SASL_SSL') - Number(b.security === 'SASL_SSL')",
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'rule 6: `maxLease` does not shorten a lease',
    edits: [{ file: decide, find: 'if (grant.maxLeaseSeconds !== undefined)', replace: 'if (grant.index < 0)' }],
    tests: ruleTests,
  },
  {
    name: 'rule 6: a lease outlives the `until` of its grant',
    edits: [
      { file: decide, find: 'if (grant.until !== undefined) limits.push', replace: 'if (grant.index < 0) limits.push' },
    ],
    tests: ruleTests,
  },
  {
    name: 'rule 6: a lease lives longer than an hour',
    edits: [{ file: lease, find: 'maximumLeaseSeconds = 3600', replace: 'maximumLeaseSeconds = 7200' }],
    tests: ruleTests,
  },
  {
    name: 'a segment with a `.` becomes part of a topic',
    edits: [
      {
        file: topic,
        find: "      if (segment === undefined || segment.includes('.')) return undefined\n      parts.push(`",
        replace: '      if (segment === undefined) return undefined\n      parts.push(`',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a segment with a `.` under `**` becomes part of a topic',
    edits: [
      {
        file: topic,
        find: "      if (captures.rest.some((segment) => segment.includes('.'))) return undefined\n",
        replace: '',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'two channels of different routes may share a topic unseen',
    edits: [
      {
        file: 'shared/domain/policy-checks.ts',
        find: 'return findTopicCollisions(exclusive)',
        replace: 'return findTopicCollisions([])',
      },
    ],
    tests: [...ruleTests, 'test/cli'],
  },
  {
    name: 'two routes with `**` in their topics are never compared',
    edits: [
      {
        file: topicCollision,
        find: '    if (node.rest !== undefined) {',
        replace: '    if (node.rest !== undefined && at < 0) {',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'routes of one family are told apart from no other',
    edits: [
      {
        file: topicCollision,
        find: '      if (entered.family !== family) entered.family = undefined\n',
        replace: '      if (entered.family === undefined) entered.family = family\n',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a channel that differs from the path of its topic is in the family of those that do not',
    edits: [
      {
        file: topicCollision,
        find: 'token.index === index && ',
        replace: '',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a pattern of an intent may meet any number of routes',
    edits: [
      {
        file: directory,
        find: "  if (meeting.length > maximumRoutesOfPattern) return { outcome: 'wide' }\n",
        replace: '',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'any number of routes of the same channels may have to be tried',
    edits: [
      {
        file: 'shared/domain/channel-trie.ts',
        find: 'Math.max(0, last < 0 ? indices.length - 1 : last)',
        replace: 'Math.min(0, last)',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a look-up may take any number of steps',
    edits: [
      {
        file: 'shared/domain/policy-checks.ts',
        find: '    if (longest <= maximumSearch) return []\n',
        replace: '    if (longest <= maximumSearch * 1_000) return []\n',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a rollback puts back what an apply would refuse',
    edits: [
      {
        file: 'cli/rollback.ts',
        find: 'issues.length > 0 ? issues : [',
        replace: 'issues.length >= 0 ? issues : [',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'a profile may set where a client connects and who it is',
    edits: [
      {
        file: 'shared/domain/policy.ts',
        find: 'if (problem !== undefined) context',
        replace: 'if (problem === name) context',
      },
    ],
    tests: [...ruleTests, 'test/cli'],
  },
  {
    name: 'who does not say what it is gets what few clients can',
    edits: [
      {
        file: 'shared/domain/access-path.ts',
        find: 'Object.values(familyKinds).every(',
        replace: 'Object.values(familyKinds).some(',
      },
    ],
    tests: ['test/functions/resolve/workload.test.ts'],
  },
  {
    name: 'an identity pool may be of two issuers',
    edits: [
      {
        file: 'shared/domain/confluent-policy-checks.ts',
        find: "if (takesWorkloads && cluster.auth.includes('jwt'))",
        replace: 'if (takesWorkloads && cluster.auth.length === 0)',
      },
    ],
    tests: ['test/functions/resolve/workload.test.ts'],
  },
  {
    name: 'who shows tokens of AWS has no ACLs',
    edits: [
      {
        file: 'shared/domain/kafka-users.ts',
        find: "hasAccess: cluster.auth.includes('jwt') || cluster.auth.includes('workload'),",
        replace: "hasAccess: cluster.auth.includes('jwt'),",
      },
    ],
    tests: ['test/functions/resolve/workload.test.ts'],
  },
]
