import type { Mutation } from '../mutation.ts'

const resolve = 'functions/resolve/resolve.ts'
const mintToken = 'functions/resolve/mint-kafka-token.ts'
const requireAccess = 'functions/resolve/require-access.ts'
const applyAccess = 'functions/rotate/apply-access.ts'
const resolveTests = ['test/functions']

export const resolveMutations: readonly Mutation[] = [
  {
    name: 'resolve writes no lease',
    edits: [
      {
        file: resolve,
        find: "intent.lease === undefined ? await leases.create(lease, maximum, now, checks) : 'exists'",
        replace: "intent.lease === undefined ? 'created' : 'exists'",
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'resolve hands out more leases than the cap',
    edits: [{ file: resolve, find: "if (created === 'capped')", replace: 'if (created === undefined)' }],
    tests: resolveTests,
  },
  {
    name: 'a renewal of a lease that is gone is answered',
    edits: [
      {
        file: resolve,
        find: "if (outcome === 'absent') throw noSuchLease()",
        replace: '',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'credentials are handed out before the access is there',
    edits: [
      {
        file: requireAccess,
        find: "    throw new SwitchboardError('credential_not_ready', {",
        replace: "    if (key === '') throw new SwitchboardError('credential_not_ready', {",
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'a slot that changed hands is handed out all the same',
    edits: [{ file: resolve, find: "if (recorded === 'stale') return", replace: 'if (recorded === undefined) return' }],
    tests: resolveTests,
  },
  {
    name: 'a lease lets go of a slot before its clients have moved',
    edits: [
      {
        file: 'shared/domain/lease-slots.ts',
        find: 'works.some(({ slot }) => slot === moved) ?',
        replace: 'works.length > 1 ?',
      },
    ],
    tests: [...resolveTests, 'test/domain/lease-slots.test.ts'],
  },
  {
    name: 'a renewal takes a slot for one that is not its own any more',
    edits: [
      {
        file: 'shared/domain/lease-slots.ts',
        find: 'mayKeep(credential, slot) && credential.slots[slot].generation === generation',
        replace: 'mayKeep(credential, slot)',
      },
    ],
    tests: ['test/domain/lease-slots.test.ts'],
  },
  {
    name: 'a password is remembered after it was told anew',
    edits: [
      {
        file: 'functions/resolve/stored-credentials.ts',
        find: ', credential.slots[slot].toldAt.getTime()]',
        replace: ']',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'a fenced slot keeps its access',
    edits: [{ file: 'shared/domain/kafka-users.ts', find: "['absent', 'fenced']", replace: "['absent']" }],
    tests: ['test/domain/kafka-users.test.ts'],
  },
  {
    name: 'a topic that does not exist is waited for for ever',
    edits: [{ file: requireAccess, find: 'if (absent.length > 0)', replace: 'if (absent.length < 0)' }],
    tests: resolveTests,
  },
  {
    name: 'a topic is taken for absent because another one was',
    edits: [{ file: requireAccess, find: '    asked?.need === need &&\n', replace: '    asked !== undefined &&\n' }],
    tests: resolveTests,
  },
  {
    name: 'a topic is taken for absent under a policy that rotate has not seen',
    edits: [
      { file: requireAccess, find: '    policies.includes(policy) &&\n', replace: '' },
      { file: requireAccess, find: 'JSON.stringify([policy, cluster,', replace: 'JSON.stringify([cluster,' },
    ],
    tests: resolveTests,
  },
  {
    name: 'a topic is taken for absent for labels that rotate has not seen',
    edits: [
      {
        file: requireAccess,
        find: '    canonicalJson(labels) === canonicalJson(principal.labels) &&\n',
        replace: '    canonicalJson(labels) !== undefined &&\n',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'a topic that was absent once is absent for ever',
    edits: [
      {
        file: requireAccess,
        find: 'now.getTime() - asked.at.getTime() < absenceHoldsMs',
        replace: 'now.getTime() - asked.at.getTime() < absenceHoldsMs * 1_000_000',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'rotate answers what was asked after it listed the topics',
    edits: [
      {
        file: applyAccess,
        find: '      const known = await Promise.all(',
        replace: '      const topics = await admin.listTopics()\n      const known = await Promise.all(',
      },
      {
        file: applyAccess,
        find: '      const topics = await admin.listTopics()\n      const prefix',
        replace: '      const prefix',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'access at first sight is never asked for',
    edits: [
      {
        file: requireAccess,
        find: "      await queue.send({ kind: 'access', cluster, principal: principal.name })",
        replace: '      await Promise.resolve()',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'a refused decision is answered',
    edits: [
      {
        file: resolve,
        find: "    if (decision.outcome === 'deny') throw refusal(decision)\n",
        replace:
          "    if (decision.outcome === 'deny') return { outcome: 'unchanged', etag: '', lease: { id, refreshAfter: '', expiresAt: '' } }\n",
      },
    ],
    tests: resolveTests,
  },
  {
    name: '304 to a caller whose answer would be another one',
    edits: [
      {
        file: resolve,
        find: '      request.ifNoneMatch === etag &&\n',
        replace: '      request.ifNoneMatch !== undefined &&\n',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'a token that is good for every cluster',
    edits: [
      {
        file: mintToken,
        find: 'aud: clusterAudience(parts.cluster, parts.issuerUrl)',
        replace: 'aud: parts.issuerUrl',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'a token that outlives its lease',
    edits: [
      {
        file: mintToken,
        find: 'exp: numericDate(parts.expiresAt)',
        replace: 'exp: numericDate(parts.expiresAt) + 3600',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'the reason of a refusal tells what exists',
    edits: [
      {
        file: resolve,
        find: "    case 'no_route':\n",
        replace: "    case 'no_route':\n      return new SwitchboardError('not_found', { reason })\n",
      },
    ],
    tests: resolveTests,
  },
]
