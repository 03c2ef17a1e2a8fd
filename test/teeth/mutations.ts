import type { Edit } from './working-copy.ts'

/** One way in which the source could be wrong, and the tests that should notice. */
export type Mutation = {
  /** What the product then does. */
  readonly name: string
  readonly edits: readonly Edit[]
  /** Files and folders; those that need a stack run last. */
  readonly tests: readonly string[]
}

const authenticator = 'shared/identity/authenticator.ts'
const issuerKeys = 'shared/identity/issuer-keys.ts'
const identity = 'shared/domain/identity.ts'
const directory = 'shared/domain/directory.ts'
const decide = 'shared/domain/decide.ts'
const accessPath = 'shared/domain/access-path.ts'
const lease = 'shared/domain/lease.ts'
const topic = 'shared/domain/topic.ts'
const access = 'shared/domain/access.ts'
const topicCollision = 'shared/domain/topic-collision.ts'
const resolve = 'functions/resolve/resolve.ts'
const requireAccess = 'functions/resolve/require-access.ts'
const reach = 'shared/domain/reach.ts'
const token = 'functions/resolve/token.ts'
const tokenEndpoint = 'functions/resolve/token-endpoint.ts'
const applyAccess = 'functions/rotate/apply-access.ts'
const leaseStore = 'shared/store/lease-store.ts'
const directoryStore = 'shared/store/directory-store.ts'
const accessStore = 'shared/store/access-store.ts'
const signingKey = 'shared/domain/signing-key.ts'
const signingKeyStore = 'shared/secrets/signing-key-store.ts'
const rotateSigningKeys = 'functions/rotate/rotate-signing-keys.ts'
const keepFresh = 'sdk/js/src/lib/keep-fresh.ts'

const whoTests = ['test/identity', 'test/domain']
const ruleTests = ['test/domain']
const resolveTests = ['test/functions']
const keyTests = ['test/secrets', 'test/functions/rotate']
const storeTests = ['test/store', 'test/contracts']

/** An error that a check throws is taken for a yes. */
const ignoring = (error: string): Edit => ({
  file: authenticator,
  find: '      if (error instanceof SwitchboardError) throw error',
  replace: `      if (error instanceof ${error}) return decodeJwt(token)
      if (error instanceof SwitchboardError) throw error`,
})

const identityMutations: readonly Mutation[] = [
  {
    name: 'rule 1: a token made for any audience proves an identity',
    edits: [{ file: identity, find: '  audienceMatches(claims, rule.audience) &&\n', replace: '' }],
    tests: whoTests,
  },
  {
    name: 'rule 1: a token of any issuer proves an identity',
    edits: [
      { file: identity, find: '  claims.iss === rule.issuer &&\n', replace: '' },
      { file: authenticator, find: '.filter((rule) => rule.issuer === issuer)', replace: '' },
      { file: authenticator, find: '        issuer: source.issuer,\n', replace: '' },
    ],
    tests: whoTests,
  },
  {
    name: 'rule 1: claim conditions are not looked at',
    edits: [
      {
        file: identity,
        find: "    return typeof value === 'string' && (typeof wanted",
        replace: "    return true || typeof value === 'string' && (typeof wanted",
      },
    ],
    tests: whoTests,
  },
  {
    name: 'signatures of tokens are not verified',
    edits: [ignoring('errors.JWSSignatureVerificationFailed')],
    tests: whoTests,
  },
  { name: 'tokens that have expired are taken', edits: [ignoring('errors.JWTExpired')], tests: whoTests },
  {
    name: 'tokens are taken before their time',
    edits: [ignoring("errors.JWTClaimValidationFailed && error.claim === 'nbf'")],
    tests: whoTests,
  },
  {
    name: 'tokens without an end are taken',
    edits: [{ file: authenticator, find: "        requiredClaims: ['exp'],\n", replace: '' }],
    tests: whoTests,
  },
  {
    name: 'algorithms outside the identity rule are taken',
    edits: [
      {
        file: authenticator,
        find: '        algorithms: [...new Set(rules.flatMap((rule) => rule.algorithms))],\n',
        replace: '',
      },
      { file: authenticator, find: 'each.algorithms.some((one) => one === algorithm) && ', replace: '' },
    ],
    tests: whoTests,
  },
  {
    name: 'tokens that Switchboard made for Kafka prove an identity',
    edits: [{ file: authenticator, find: 'if (issuer === ownIssuer)', replace: 'if (issuer === undefined)' }],
    tests: whoTests,
  },
  {
    name: 'a remembered token outlives the keys of its issuer',
    edits: [{ file: authenticator, find: 'known.generation === generation && ', replace: '' }],
    tests: whoTests,
  },
  {
    name: 'a remembered token outlives its own end',
    edits: [
      {
        file: authenticator,
        find: ' &&\n  Number(claims.exp) + clockToleranceSeconds > now.getTime() / 1000',
        replace: '',
      },
    ],
    tests: whoTests,
  },
  {
    name: 'dates in a token may be beyond every calendar',
    edits: [{ file: authenticator, find: '      requireSaneDates(payload)\n', replace: '' }],
    tests: whoTests,
  },
  {
    name: 'any secret is right for a known client',
    edits: [
      {
        file: authenticator,
        find: "if (!matches || rule?.kind !== 'client')",
        replace: "if (rule?.kind !== 'client')",
      },
    ],
    tests: whoTests,
  },
  {
    name: 'a role of any AWS account matches',
    edits: [{ file: identity, find: 'if (rule.accountId !== role.accountId) return false', replace: '' }],
    tests: whoTests,
  },
  {
    name: 'unknown key ids are a storm of requests to the issuer',
    edits: [
      {
        file: issuerKeys,
        find: '    if (entry.pending === undefined && clock().getTime() - entry.attemptedAt < refetchMs) return\n',
        replace: '',
      },
    ],
    tests: whoTests,
  },
  {
    name: 'redirects of an issuer are followed',
    edits: [{ file: issuerKeys, find: "redirect: 'error'", replace: "redirect: 'follow'" }],
    tests: whoTests,
  },
  {
    name: 'an issuer may answer without end',
    edits: [{ file: issuerKeys, find: 'if (bytes > maximumBytes)', replace: 'if (bytes < 0)' }],
    tests: whoTests,
  },
  {
    name: 'an issuer may keep its keys on any origin',
    edits: [
      {
        file: issuerKeys,
        find: 'if (new URL(metadata.jwks_uri).origin !== new URL(issuer).origin)',
        replace: 'if (metadata.jwks_uri === issuer)',
      },
    ],
    tests: whoTests,
  },
]

const anyGrant =
  '({ index: 0, principals: [], labels: undefined, produce: [], consume: [], groups: [], transactionalIds: [], maxLeaseSeconds: undefined, until: undefined })'

const decisionMutations: readonly Mutation[] = [
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
        find: '  if (grant === undefined) return deny(2,',
        replace: `  if (grant === undefined && wishes === undefined) return deny(2,`,
      },
      {
        file: decide,
        find: '  const common = { action, asked: asked.name, grant }',
        replace: `  const common = { action, asked: asked.name, grant: grant ?? ${anyGrant} }`,
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
        find: "(each) => action === 'produce' || group === undefined || allowsGroup(each, principal.name, group),",
        replace: '(each) => each !== undefined,',
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
]

const accessMutations: readonly Mutation[] = [
  {
    name: 'a prefix ACL covers topics that an earlier route takes',
    edits: [
      {
        file: access,
        find: '(isCutShort(directory, principal, route, both) ? undefined : topicPrefix(route, both))',
        replace: 'topicPrefix(route, both)',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a prefix ACL leaves out the last separator',
    edits: [{ file: access, find: `\`\${parts.join('.')}.\``, replace: "parts.join('.')" }],
    tests: ruleTests,
  },
  {
    name: 'a prefix ACL where the topic goes on after `**`',
    edits: [{ file: access, find: "  if (tokens.at(-1)?.kind !== 'rest') return undefined\n", replace: '' }],
    tests: ruleTests,
  },
  {
    name: 'ACLs of grants that have ended stay',
    edits: [
      {
        file: access,
        find: '(grant) => isHeldBy(grant, principal) && !isExpired(grant, now))',
        replace: '(grant) => isHeldBy(grant, principal))',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'an ACL for a channel that another route takes',
    edits: [
      {
        file: access,
        find: 'selectRoute(directory, principal, channel) === route ? topicOf(route, channel) : undefined',
        replace: 'topicOf(route, channel)',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'no ACL for existing topics where no prefix fits',
    edits: [{ file: access, find: '[route.topic.text] : (topics ?? []))', replace: '[route.topic.text] : [])' }],
    tests: ruleTests,
  },
  {
    name: 'no ACL for the own consumer group',
    edits: [
      { file: access, find: '  if (consumes) add({', replace: '  if (consumes && produces === undefined) add({' },
    ],
    tests: ruleTests,
  },
  {
    name: 'no ACL for granted consumer groups',
    edits: [
      {
        file: access,
        find: '      for (const group of grant.groups)',
        replace: '      for (const group of grant.groups.slice(0, 0))',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'no ACL for granted transactional ids',
    edits: [
      {
        file: access,
        find: '      for (const id of grant.transactionalIds)',
        replace: '      for (const id of grant.transactionalIds.slice(0, 0))',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'ACLs for producing allow reading too',
    edits: [{ file: access, find: "produce: 'write', consume: 'read'", replace: "produce: 'read', consume: 'read'" }],
    tests: ruleTests,
  },
  {
    name: 'ACLs that nobody wants stay',
    edits: [
      {
        file: access,
        find: 'remove: present.filter((acl) => !wants.has(aclKey(acl)))',
        replace: 'remove: present.slice(0, 0)',
      },
    ],
    tests: [...ruleTests, 'test/functions'],
  },
  {
    name: 'Kafka users have no prefix of ours',
    edits: [{ file: 'shared/domain/principal.ts', find: `\`\${prefix}\${principal}\``, replace: 'principal' }],
    tests: [...ruleTests, 'test/functions'],
  },
]

const resolveMutations: readonly Mutation[] = [
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
    edits: [{ file: resolve, find: 'aud: clusterAudience(cluster, issuerUrl)', replace: 'aud: issuerUrl' }],
    tests: resolveTests,
  },
  {
    name: 'a token that outlives its lease',
    edits: [
      {
        file: resolve,
        find: 'exp: Math.floor(times.expiresAt.getTime() / 1000)',
        replace: 'exp: Math.floor(times.expiresAt.getTime() / 1000) + 3600',
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

const rotateMutations: readonly Mutation[] = [
  {
    name: 'rotate reports access before brokers show it',
    edits: [{ file: applyAccess, find: '      await admin.settled(add, remove)\n', replace: '' }],
    tests: resolveTests,
  },
  {
    name: 'rotate takes away before it gives',
    edits: [
      {
        file: applyAccess,
        find: '      await admin.create(add)\n      await admin.remove(remove)\n',
        replace: '      await admin.remove(remove)\n      await admin.create(add)\n',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'rotate leaves a denied principal its access',
    edits: [{ file: applyAccess, find: 'isRevokedOn(denied, principal, clusterName)', replace: "principal === ''" }],
    tests: resolveTests,
  },
  {
    name: 'rotate forgets the policy in force while the next one is prepared',
    edits: [
      {
        file: applyAccess,
        find: '[policy, next].filter((hash) => hash !== undefined)',
        replace: '[next ?? policy].filter((hash) => hash !== undefined)',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'rotate drops a message that failed',
    edits: [
      {
        file: 'functions/rotate/handler.ts',
        find: 'return { batchItemFailures: failed.map(',
        replace: 'return { batchItemFailures: failed.slice(0, 0).map(',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'rotate leaves a failed message to the whole visibility timeout',
    edits: [
      {
        file: 'functions/rotate/handler.ts',
        find: 'await postpone(failed, queue, telemetry)',
        replace: 'await postpone([], queue, telemetry)',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'a second `ensure-keys` replaces the signing key',
    edits: [
      {
        file: signingKeyStore,
        find: '    ensure: async (generation, now) => {\n      if ((await readSecret()) !== undefined) return false',
        replace: '    ensure: async (generation, now) => {\n      if ((await readSecret()) === null) return false',
      },
    ],
    tests: keyTests,
  },
  {
    name: 'a signing key signs before every broker has read it',
    edits: [
      { file: rotateSigningKeys, find: 'kids === undefined || !isSettled', replace: 'isSettled && kids === undefined' },
    ],
    tests: keyTests,
  },
  {
    name: 'a signing key leaves the JWKS while its tokens live',
    edits: [
      { file: rotateSigningKeys, find: 'work.unlessLeased && !isRetired(', replace: "slot === 'a' && !isRetired(" },
    ],
    tests: keyTests,
  },
  {
    name: 'a signing key is believed to sign before the secret says so',
    edits: [
      {
        file: rotateSigningKeys,
        find: "if ((await keys.activate(slot, generation)) === 'lost')",
        replace: 'if (keys === undefined)',
      },
    ],
    tests: keyTests,
  },
  {
    name: 'a rotation removes the key that signs',
    edits: [
      { file: signingKeyStore, find: '          kid === secret.active || kept.some(', replace: '          kept.some(' },
    ],
    tests: keyTests,
  },
  {
    name: 'the next signing key is made again whenever it is asked for',
    edits: [
      {
        file: signingKeyStore,
        find: "if (find(secret, slot, generation) !== undefined) return 'done'",
        replace: "if (find(secret, slot, generation) === null) return 'done'",
      },
    ],
    tests: keyTests,
  },
  {
    name: 'a stolen signing key is still published after it was replaced',
    edits: [
      {
        file: signingKeyStore,
        find: '      await write({ active: key.kid, keys: [key] })\n      return true',
        replace: '      await write({ active: key.kid, keys: [...(secret?.keys ?? []), key] })\n      return true',
      },
    ],
    tests: keyTests,
  },
  {
    name: 'the same message replaces the signing keys again',
    edits: [
      {
        file: signingKeyStore,
        find: 'if (!ring?.keys.some(({ kid }) => kids.includes(kid))) return false',
        replace: 'if (ring === undefined || kids.length === 0) return false',
      },
    ],
    tests: keyTests,
  },
  {
    name: 'a lost state of the signing keys is never found again',
    edits: [
      {
        file: rotateSigningKeys,
        find: 'if (before !== undefined && isExplained(before, ring)) return isNew',
        replace: 'if (before !== undefined) return isNew',
      },
    ],
    tests: keyTests,
  },
  {
    name: 'the clock of the signing keys forgets how often resolve reads them',
    edits: [
      {
        file: signingKey,
        find: '    given.readEverySeconds + given.jwksMaxAgeSeconds +',
        replace: '    given.jwksMaxAgeSeconds +',
      },
    ],
    tests: ['test/domain', ...keyTests],
  },
]

const storeMutations: readonly Mutation[] = [
  {
    name: 'a lease that has ended can be renewed',
    edits: [
      {
        file: leaseStore,
        find: "'attribute_exists(principal) AND expiresAt > :now'",
        replace: "'attribute_exists(principal) AND (expiresAt > :now OR expiresAt <= :now)'",
      },
    ],
    tests: storeTests,
  },
  {
    name: 'a principal holds more leases than its cap',
    edits: [
      {
        file: leaseStore,
        find: "'attribute_not_exists(held) OR held < :maximum'",
        replace: "'attribute_not_exists(held) OR held < :maximum OR held >= :maximum'",
      },
    ],
    tests: storeTests,
  },
  {
    name: 'ended leases count against the cap for ever',
    edits: [
      { file: leaseStore, find: 'if (unexpired >= maximum) return false', replace: 'if (unexpired >= 0) return false' },
    ],
    tests: storeTests,
  },
  {
    name: '304 although the credential ends before the next refresh',
    edits: [
      {
        file: leaseStore,
        find: 'AND credentialExpiresAt > :lives`',
        replace: 'AND (credentialExpiresAt > :lives OR credentialExpiresAt <= :lives)`',
      },
    ],
    tests: storeTests,
  },
  {
    name: '304 for a lease that was told something else',
    edits: [{ file: leaseStore, find: 'AND etag = :etag AND', replace: 'AND (etag = :etag OR etag <> :etag) AND' }],
    tests: storeTests,
  },
  {
    name: 'two applies at once: the second overwrites the first',
    edits: [
      {
        file: directoryStore,
        find: "const isExpected = 'revision = :expected'",
        replace: "const isExpected = 'revision = :expected OR attribute_exists(pk)'",
      },
    ],
    tests: storeTests,
  },
  {
    name: 'two first applies at once: the second overwrites the first',
    edits: [
      {
        file: directoryStore,
        find: "const isFirst = 'attribute_not_exists(revision)'",
        replace: "const isFirst = 'attribute_not_exists(nothing)'",
      },
    ],
    tests: storeTests,
  },
  {
    name: 'the head of a policy is written before its chunks',
    edits: [
      {
        file: directoryStore,
        find: '    for (let index = 0; index < chunks; index++)\n      await dynamo.send(\n        new PutCommand({',
        replace: `    await dynamo.send(
      new UpdateCommand({
        TableName: table,
        Key: { pk: \`policy#\${hash}\`, sk: 'head' },
        UpdateExpression: 'SET chunks = :chunks',
        ExpressionAttributeValues: { ':chunks': chunks },
      }),
    )
    for (let index = 0; index < chunks; index++)
      await dynamo.send(
        new PutCommand({`,
      },
    ],
    tests: storeTests,
  },
  {
    name: 'a policy is read whatever its bytes are',
    edits: [{ file: directoryStore, find: 'if (contentAddress(text) !== hash)', replace: "if (hash === '')" }],
    tests: storeTests,
  },
  {
    name: 'a policy is read with chunks missing',
    edits: [
      {
        file: directoryStore,
        find: 'if (count === undefined || chunks.length !== count)',
        replace: "if (hash === '')",
      },
      { file: directoryStore, find: 'if (contentAddress(text) !== hash)', replace: "if (hash === '')" },
    ],
    tests: storeTests,
  },
  {
    name: 'every waiting client fills the queue',
    edits: [
      {
        file: accessStore,
        find: "const askedLongAgo = 'requestedAt <= :before'",
        replace: "const askedLongAgo = 'requestedAt <= :before OR requestedAt > :before'",
      },
    ],
    tests: storeTests,
  },
  {
    name: 'a directory is served for ever while the pointer cannot be read',
    edits: [
      {
        file: 'shared/store/directory-cache.ts',
        find: 'timeSince(checkedAt) > serveStaleMs',
        replace: 'checkedAt === Number.POSITIVE_INFINITY',
      },
    ],
    tests: ['test/store', 'test/functions'],
  },
  {
    name: 'a directory is served for longer by a clock that was set back',
    edits: [
      {
        file: 'shared/store/directory-cache.ts',
        find: 'Math.abs(clock().getTime() - at)',
        replace: '(clock().getTime() - at)',
      },
    ],
    tests: ['test/store'],
  },
  {
    name: 'a store that is throttled looks like a fault of ours',
    edits: [{ file: 'functions/resolve/outage.ts', find: '    throttledOrLate.has(name) ||\n', replace: '' }],
    tests: resolveTests,
  },
  {
    name: 'a transaction that was throttled looks like a fault of ours',
    edits: [{ file: 'functions/resolve/outage.ts', find: 'cancelledForNow.has(', replace: "[''].includes(" }],
    tests: resolveTests,
  },
  {
    name: 'a request waits for a store until the gateway gives up',
    edits: [{ file: 'functions/resolve/handler.ts', find: '>(inTime)', replace: '>()' }],
    tests: resolveTests,
  },
  {
    name: 'no tokens while Secrets Manager is down, though the key is held',
    edits: [
      {
        file: 'shared/secrets/signing-key-cache.ts',
        find: '      onStale(error)\n',
        replace: '      held = undefined\n      onStale(error)\n',
      },
    ],
    tests: ['test/secrets', 'test/functions'],
  },
]

const applyMutations: readonly Mutation[] = [
  {
    name: 'apply flips before the access is there',
    edits: [{ file: 'cli/apply.ts', find: '  await waitForAccess(named, hash)\n', replace: '' }],
    tests: ['test/cli'],
  },
  {
    name: 'apply goes on although somebody else was faster',
    edits: [
      {
        file: 'cli/apply.ts',
        find: '  if (!(await directories.swapPointer(revision, { policy: hash, next: undefined, denied }, clock())))\n    throw changedMeanwhile()',
        replace: '  await directories.swapPointer(revision, { policy: hash, next: undefined, denied }, clock())',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'apply loses the deny list',
    edits: [
      {
        file: 'cli/apply.ts',
        find: '{ policy: hash, next: undefined, denied }',
        replace: '{ policy: hash, next: undefined, denied: denied.slice(0, 0) }',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'a policy may hide who gets what behind anchors',
    edits: [{ file: 'cli/policy-file.ts', find: 'if (written !== undefined)', replace: 'if (written === null)' }],
    tests: ['test/cli'],
  },
  {
    name: 'of a key that a policy has twice the last one counts',
    edits: [{ file: 'cli/policy-file.ts', find: 'uniqueKeys: true', replace: 'uniqueKeys: false' }],
    tests: ['test/cli'],
  },
]

const sdkMutations: readonly Mutation[] = [
  {
    name: 'the SDK asks twice at once',
    edits: [{ file: keepFresh, find: 'if (underWay || signal.aborted) return', replace: 'if (signal.aborted) return' }],
    tests: ['sdk/js/test'],
  },
  {
    name: 'the SDK goes on asking after it was closed',
    edits: [
      { file: keepFresh, find: 'if (underWay || signal.aborted) return', replace: 'if (underWay) return' },
      { file: keepFresh, find: '    cancelTimer()\n    if (signal.aborted) return\n', replace: '    cancelTimer()\n' },
      { file: keepFresh, find: '      cancelTimer()\n      for (const', replace: '      for (const' },
    ],
    tests: ['sdk/js/test'],
  },
  {
    name: 'the SDK hands out a token that has ended',
    edits: [
      {
        file: keepFresh,
        find: 'return credential && isGood(credential.expiresAt.getTime()) ? credential.token : undefined',
        replace: 'return credential?.token',
      },
    ],
    tests: ['sdk/js/test'],
  },
  {
    name: 'an error of the SDK shows the token that it sent',
    edits: [
      {
        file: 'sdk/js/src/lib/resolve.ts',
        find: "text.replaceAll(token, '[token]').slice(0, 1_000)",
        replace: "text.replaceAll('[token]', token).slice(0, 1_000)",
      },
    ],
    tests: ['sdk/js/test'],
  },
]

const inputTests = ['test/http', 'test/domain', 'test/functions']

const inputMutations: readonly Mutation[] = [
  {
    name: 'of a member that a body has twice the last one counts',
    edits: [
      {
        file: 'shared/http/strict-json.ts',
        find: 'if (current.names.has(name)) return',
        replace: 'if (name === null) return',
      },
    ],
    tests: inputTests,
  },
  {
    name: 'a body may nest without end',
    edits: [
      {
        file: 'shared/http/strict-json.ts',
        find: 'if (path.length === maximumDepth) return',
        replace: 'if (path.length < 0) return',
      },
    ],
    tests: inputTests,
  },
  {
    name: 'a body may be of any size',
    edits: [{ file: 'shared/http/request.ts', find: 'if (bytes > maximumBodyBytes)', replace: 'if (bytes < 0)' }],
    tests: inputTests,
  },
  {
    name: 'a channel may have dot segments',
    edits: [
      {
        file: 'shared/domain/channel.ts',
        find: "literalSegment.test(part) && part !== '.' && part !== '..'",
        replace: 'literalSegment.test(part)',
      },
    ],
    tests: inputTests,
  },
  {
    name: 'a channel is folded to lower case',
    edits: [
      {
        file: 'shared/domain/channel.ts',
        find: "const [domain = '', ...parts] = text.slice(scheme.length).split('/')",
        replace: "const [domain = '', ...parts] = text.toLowerCase().slice(scheme.length).split('/')",
      },
    ],
    tests: inputTests,
  },
  {
    name: 'an intent may ask for any number of channels',
    edits: [
      {
        file: 'shared/domain/intent.ts',
        find: 'const maximumChannels = 100',
        replace: 'const maximumChannels = 100_000',
      },
    ],
    tests: inputTests,
  },
  {
    name: 'two rotations of a client at once: one secret is lost',
    edits: [
      {
        file: 'shared/store/client-store.ts',
        find: "version === 0 ? 'attribute_not_exists(pk)' : 'version = :version'",
        replace: "version === 0 ? 'attribute_not_exists(nothing)' : 'version = :version OR attribute_exists(pk)'",
      },
    ],
    tests: ['test/store', 'test/contracts', 'test/cli'],
  },
]

const tokenMutations: readonly Mutation[] = [
  {
    name: 'rule 1: a denied principal gets tokens',
    edits: [{ file: reach, find: 'if (isRevoked(denied, principal.name))', replace: 'if (denied.length < 0)' }],
    tests: resolveTests,
  },
  {
    name: 'rule 2: a grant that has ended gives tokens',
    edits: [{ file: reach, find: '.filter((grant) => !isExpired(grant, now))', replace: '' }],
    tests: resolveTests,
  },
  {
    name: 'rule 2: what a grant that has ended gave is remembered',
    edits: [{ file: token, find: 'known.validUntil > now', replace: 'known !== null' }],
    tests: resolveTests,
  },
  {
    name: 'rule 3: a cluster is reached by a route that an earlier one hides',
    edits: [{ file: access, find: 'if (isTaken(directory, principal, route, both)) continue', replace: '' }],
    tests: resolveTests,
  },
  {
    name: 'rule 4: there are tokens for a quarantined cluster',
    edits: [{ file: reach, find: ' || cluster.quarantined', replace: '' }],
    tests: resolveTests,
  },
  {
    name: 'rule 6: a token outlives one of the grants that it is for',
    edits: [{ file: reach, find: 'access.grants.flatMap(', replace: 'access.grants.slice(0, 1).flatMap(' }],
    tests: resolveTests,
  },
  {
    name: 'a cluster that is not the caller’s looks other than one that does not exist',
    edits: [
      {
        file: token,
        find: 'throw refusal(decision, request.cluster)',
        replace: 'throw refusal(decision, directory.clusters.has(cluster ?? "") ? request.cluster : undefined)',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'a token is handed out before all of its access is there',
    edits: [{ file: token, find: 'needed: access,', replace: 'needed: { ...access, acls: [] },' }],
    tests: resolveTests,
  },
  {
    name: 'access that other labels gave is taken for all of it',
    edits: [{ file: access, find: ' && hasLabels(applied.labels, needed.labels)', replace: '' }],
    tests: resolveTests,
  },
  {
    name: 'a token is handed out without a lease',
    edits: [{ file: token, find: '    await record(', replace: '    void record(' }],
    tests: resolveTests,
  },
  {
    name: 'each token is a lease of its own',
    edits: [{ file: token, find: 'request.instance ?? principal.name', replace: 'request.instance' }],
    tests: resolveTests,
  },
  {
    name: 'of a parameter that a form has twice the last one counts',
    edits: [{ file: 'shared/http/form.ts', find: 'if (seen.has(name))', replace: 'if (seen.has(text))' }],
    tests: ['test/http', 'test/functions'],
  },
  {
    name: 'a client proves itself in two ways at once',
    edits: [
      {
        file: tokenEndpoint,
        find: 'if (header !== undefined && secret !== undefined)',
        replace: 'if (header === secret && secret !== undefined)',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'an identity token is taken for the secret of a client',
    edits: [{ file: tokenEndpoint, find: ' && /^basic /i.test(header)', replace: '' }],
    tests: resolveTests,
  },
  {
    name: 'secrets may be in the URL of the token endpoint',
    edits: [{ file: tokenEndpoint, find: 'bodyParameters.has(name)', replace: "name === ''" }],
    tests: resolveTests,
  },
  {
    name: 'plan does not see what becomes of those who hold tokens',
    edits: [
      {
        file: 'cli/plan-moves.ts',
        find: 'return compareTokens(token.token, decideIn(current), decideIn(next))',
        replace: 'return compareTokens(token.token, decideIn(next), decideIn(next))',
      },
    ],
    tests: ['test/cli'],
  },
]

const servicegw = 'functions/resolve/servicegw.ts'
const servicegwEndpoint = 'functions/resolve/servicegw-endpoint.ts'
const servicegwQuery = 'shared/http/servicegw-query.ts'
const servicegwTests = ['test/functions/resolve/servicegw.test.ts']
const servicegwQueryTests = ['test/http/servicegw-query.property.test.ts']

const servicegwMutations: readonly Mutation[] = [
  {
    name: 'ancestor: channels of two clusters are answered with one of them',
    edits: [
      { file: servicegw, find: 'connection === undefined || other !== undefined', replace: 'connection === undefined' },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: channels that end alike overwrite each other',
    edits: [{ file: servicegwQuery, find: '    ...collisionErrors(asked),\n', replace: '' }],
    tests: [...servicegwTests, ...servicegwQueryTests],
  },
  {
    name: 'ancestor: who sends a parameter twice gets the last one',
    edits: [{ file: servicegwQuery, find: '    if (known.has(key))', replace: '    if (key.length > 1000)' }],
    tests: servicegwQueryTests,
  },
  {
    name: 'ancestor: `+` stays a plus',
    edits: [{ file: servicegwQuery, find: "text.replaceAll('+', ' ')", replace: 'text' }],
    tests: servicegwQueryTests,
  },
  {
    name: 'ancestor: everybody consumes unless they say otherwise',
    edits: [
      { file: servicegw, find: '  if (role !== undefined) return role\n', replace: "  return role ?? 'consumer'\n" },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: an answer before its access is on the cluster',
    edits: [{ file: servicegw, find: '    await requireAccess(\n', replace: '    void (\n' }],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: an answer without a lease',
    edits: [
      {
        file: servicegw,
        find: 'const outcome = await leases.keep(lease, maximum, now, checks)',
        replace: "const outcome = maximum < 0 ? await leases.keep(lease, maximum, now, checks) : 'kept'",
      },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: its leases have no cap',
    edits: [
      {
        file: servicegw,
        find: "=== 'capped') throw leaseCapped(maximum)",
        replace: '=== undefined) throw leaseCapped(maximum)',
      },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: every poll goes to the lease store',
    edits: [{ file: servicegw, find: 'return age >= 0 && age < keepEveryMs', replace: 'return age < 0' }],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: a lease for every instance of the function',
    edits: [
      { file: servicegw, find: 'leaseId(principal.name, instance, ', replace: 'leaseId(principal.name, undefined, ' },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: a lease stays on record where its channel was',
    edits: [{ file: servicegw, find: 'JSON.stringify([lease.etag, lease.directory])', replace: 'JSON.stringify([])' }],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: a lease outlives its grant',
    edits: [{ file: servicegw, find: '(until === undefined || (', replace: '(until === until || (' }],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: what is stored is made from a secret',
    edits: [
      {
        file: servicegw,
        find: "tagOf(bodyWith(loginWith('')))",
        replace: 'tagOf(bodyWith(loginWith(request.clientSecret)))',
      },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: any tag is the tag of the answer',
    edits: [
      {
        file: servicegwEndpoint,
        find: "['if-none-match'] === headers.etag",
        replace: "['if-none-match'] !== undefined",
      },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: polling takes the room of resolve',
    edits: [{ file: 'infra/api.ts', find: '    stage.routeSettings = ', replace: '    void ' }],
    tests: ['test/infra/switchboard.test.ts'],
  },
  {
    name: 'a lease that is kept is written again each time',
    edits: [
      {
        file: leaseStore,
        find: "'etag <> :etag OR directory <> :directory'",
        replace: "'etag <> :never OR directory <> :directory'",
      },
      {
        file: leaseStore,
        find: "      ':etag': lease.etag,\n",
        replace: "      ':etag': lease.etag,\n      ...(condition === undefined ? {} : { ':never': '' }),\n",
      },
    ],
    tests: ['test/contracts'],
  },
  {
    name: 'a lease that ended is taken for one that is kept',
    edits: [
      {
        file: leaseStore,
        find: 'heldUntil !== undefined && heldUntil > now.toISOString()',
        replace: 'heldUntil !== undefined',
      },
    ],
    tests: ['test/store'],
  },
]

const cliTests = ['test/cli/service']
const cliServiceTests = ['test/e2e/cli-services.test.ts']
const privateFile = 'cli/service/private-file.ts'
const exec = 'cli/service/exec.ts'

const cliMutations: readonly Mutation[] = [
  {
    name: 'switchboard resolve: everybody on the machine can read the file',
    edits: [
      { file: privateFile, find: "'wx', 0o600)", replace: "'wx', 0o644)" },
      { file: privateFile, find: 'await chmod(temporary, 0o600)', replace: 'await chmod(temporary, 0o644)' },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard resolve: a file can be read while it is half written',
    edits: [
      {
        file: privateFile,
        find: 'const temporary = join(',
        replace: 'const temporary = target || join(',
      },
      { file: privateFile, find: "open(temporary, 'wx', 0o600)", replace: "open(temporary, 'w', 0o600)" },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard resolve: a link in place of the file is replaced',
    edits: [
      {
        file: privateFile,
        find: 'if (found.isSymbolicLink())',
        replace: 'if (found.isSymbolicLink()) return\n  if (found.isFIFO())',
      },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard: a token goes to another machine in plain text',
    edits: [
      {
        file: 'cli/service/arguments.ts',
        find: "if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback))",
        replace: "if (url.protocol !== 'https:' && !isLoopback && url.protocol !== 'http:')",
      },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard exec: the command inherits the secret',
    edits: [
      { file: exec, find: '!secretVariables.includes(name) && ', replace: '' },
      { file: exec, find: "const secretVariables = ['SWITCHBOARD_TOKEN', 'SWITCHBOARD_CLIENT_SECRET']\n", replace: '' },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard exec: the files stay when the command has ended',
    edits: [{ file: exec, find: 'if (folder !== undefined) await rm(', replace: 'if (folder === null) await rm(' }],
    tests: cliTests,
  },
  {
    name: 'switchboard exec: the lease is not given back',
    edits: [
      { file: exec, find: 'if (lease !== undefined) await release(', replace: 'if (lease === null) await release(' },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard exec: the files do not follow what Switchboard says',
    edits: [
      { file: exec, find: 'keepFiles = async () => write(plan())', replace: 'keepFiles = async () => write(first)' },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard exec: a signal ends it, and the command goes on',
    edits: [
      {
        file: exec,
        find: 'if (child !== undefined) child.kill(signal)',
        replace: 'if (child !== undefined) process.exit(1)',
      },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard exec: KAFKA_OPTS forgets what was allowed before',
    edits: [
      {
        file: 'cli/service/client-files.ts',
        find: 'const values = [...words, option].filter(',
        replace: 'const values = [option].filter(',
      },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard doctor: the clock of this machine judges a token',
    edits: [
      {
        file: 'cli/service/doctor.ts',
        find: 'new Date(clock().getTime() + (health.skewMs ?? 0))',
        replace: 'clock()',
      },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard doctor: only the bootstrap servers are tried',
    edits: [
      {
        file: 'cli/service/kafka-checks.ts',
        find: 'const advertised = await inTurns(brokers, logIn)',
        replace: "const advertised: Login[] = brokers.map(() => ({ reach: { step: 'login' }, kafka: undefined }))",
      },
    ],
    tests: cliServiceTests,
  },
  {
    name: 'switchboard doctor: what the ACLs of the cluster say is not looked at',
    edits: [
      {
        file: 'cli/service/kafka-checks.ts',
        find: 'operations: entry?.topicAuthorizedOperations ?? 0',
        replace: 'operations: -1',
      },
    ],
    tests: cliServiceTests,
  },
]

const dialect = 'shared/domain/client-dialect.ts'
const clientFile = 'shared/http/client-file.ts'
const clientForm = 'functions/resolve/client-form.ts'

const fileMutations: readonly Mutation[] = [
  {
    name: 'a profile may make a client load code',
    edits: [
      {
        file: 'shared/domain/profile.ts',
        find: '  if (codeNames.test(name))',
        replace: '  if (name === codeNames.source)',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a profile may bring an assignor of its own',
    edits: [
      {
        file: 'shared/domain/profile.ts',
        find: "    name === 'partition.assignment.strategy' &&",
        replace: "    name === '' &&",
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a librdkafka client is told what it does not have',
    edits: [
      {
        file: dialect,
        find: "Object.hasOwn(domains, target) ? nearest(each, domains[target] ?? 'text') : undefined",
        replace: "nearest(each, domains[target] ?? 'text')",
      },
    ],
    tests: [...ruleTests, 'test/functions/resolve/client-form.test.ts'],
  },
  {
    name: 'a librdkafka client is told bytes where it counts kilobytes',
    edits: [{ file: dialect, find: 'scaled(value, 1024)', replace: 'scaled(value, 1)' }],
    tests: ruleTests,
  },
  {
    name: 'the JSON answer of a librdkafka client is in the words of Java',
    edits: [{ file: resolve, find: "intent.client.family ?? 'java'", replace: "'java'" }],
    tests: resolveTests,
  },
  {
    name: 'a file is made of the first of several clusters',
    edits: [
      { file: clientForm, find: 'if (only !== undefined && found.length === 1)', replace: 'if (only !== undefined)' },
    ],
    tests: resolveTests,
  },
  {
    name: 'the path of an assertion file is written as it came',
    edits: [
      {
        file: clientForm,
        find: 'if (file === undefined || !isAssertionFile(file))',
        replace: 'if (file === undefined)',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'a 304 keeps a file that was asked for in another way',
    edits: [{ file: resolve, find: '[selected.settings, selected.variant]', replace: '[selected.settings]' }],
    tests: resolveTests,
  },
  {
    name: 'a secret ends its quotes in a file',
    edits: [{ file: clientFile, find: ".replaceAll(/[\\\\\"]/g, '\\\\$&')", replace: '' }],
    tests: ['test/http'],
  },
  {
    name: 'a line of a value is a line of the file',
    edits: [{ file: clientFile, find: 'escapes[unit] ??', replace: "(unit === '\\n' ? unit : undefined) ??" }],
    tests: ['test/http'],
  },
  {
    name: 'what a caller refuses is what it gets',
    edits: [{ file: 'shared/http/accept.ts', find: '    if (quality === 0) continue\n', replace: '' }],
    tests: ['test/http'],
  },
]

const revocation = 'shared/domain/revocation.ts'
const revokeCommand = 'cli/revoke.ts'
const census = 'shared/domain/credential-census.ts'

const operationsMutations: readonly Mutation[] = [
  {
    name: 'rule 4: whoever is revoked on a cluster gets in there by what it asks for',
    edits: [
      { file: decide, find: 'if (isRevokedOn(denied, principal.name, name))', replace: 'if (denied.length < 0)' },
    ],
    tests: ruleTests,
  },
  {
    name: 'rule 4: whoever is revoked on a cluster gets tokens for it',
    edits: [{ file: reach, find: 'if (isRevokedOn(denied, principal.name, name))', replace: 'if (denied.length < 0)' }],
    tests: resolveTests,
  },
  {
    name: 'whoever is revoked everywhere keeps access to each cluster',
    edits: [
      {
        file: revocation,
        find: '(each.cluster === undefined || each.cluster === cluster)',
        replace: 'each.cluster === cluster',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a revocation on one cluster is one everywhere',
    edits: [
      {
        file: revocation,
        find: '=> each.principal === principal && each.cluster === undefined)',
        replace: '=> each.principal === principal)',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'after a restore resolve believes that the access is still there',
    edits: [
      { file: requireAccess, find: 'ready.has(remembered)', replace: 'ready.has(question)' },
      { file: requireAccess, find: 'ready.add(remembered)', replace: 'ready.add(question)' },
    ],
    tests: resolveTests,
  },
  {
    name: 'a revocation queues its work before resolve refuses',
    edits: [
      {
        file: revokeCommand,
        find: '  const { changed } = await changeDenied(directories, (denied) => withRevocation(denied, revocation))\n',
        replace:
          '  await queueWork(principal, await readHeld(principal, clusters, deps), deps)\n  const { changed } = await changeDenied(directories, (denied) => withRevocation(denied, revocation))\n',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'a revocation takes users away before their access',
    edits: [
      {
        file: revokeCommand,
        find: '  for (const { cluster, isManaged, access } of held)\n',
        replace:
          "  for (const { cluster, credential } of held)\n    if (credential !== undefined) await queue.send({ kind: 'credential', cluster, principal })\n  for (const { cluster, isManaged, access } of held)\n",
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'a revocation calls access gone that rotate has yet to look at',
    edits: [
      {
        file: revokeCommand,
        find: 'after.acls.length === 0 && isNewer(before, after)',
        replace: 'after.acls.length === 0',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'a revocation forgets the leases of the seconds before it is known',
    edits: [{ file: revokeCommand, find: '  if (untilRefused > 0) await wait(untilRefused)\n', replace: '' }],
    tests: ['test/cli'],
  },
  {
    name: 'a dead letter is removed before it is queued again',
    edits: [
      {
        file: 'cli/redrive.ts',
        find: '      await queue.send(message)\n      await deadLetters.remove(receiptHandle)\n',
        replace: '      await deadLetters.remove(receiptHandle)\n      await queue.send(message)\n',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'a credential that nobody comes for is not overdue',
    edits: [{ file: census, find: 'if (dueAt !== undefined && isLate(dueAt, lateSeconds)) return true', replace: '' }],
    tests: ruleTests,
  },
  {
    name: 'a credential that fails for ever is not stuck',
    edits: [{ file: census, find: 'if (isStuck(credential, context.policy)) stuck += 1', replace: '' }],
    tests: ruleTests,
  },
  {
    name: 'failures of each reason are in no sum',
    edits: [
      {
        file: 'shared/telemetry.ts',
        find: "dimension !== undefined && isSum ? [['service'], ...dimensions] : dimensions",
        replace: 'isSum ? dimensions : dimensions',
      },
    ],
    tests: ['test/telemetry.test.ts'],
  },
]

export const mutations: readonly Mutation[] = [
  ...operationsMutations,
  ...identityMutations,
  ...decisionMutations,
  ...accessMutations,
  ...tokenMutations,
  ...servicegwMutations,
  ...resolveMutations,
  ...rotateMutations,
  ...storeMutations,
  ...applyMutations,
  ...sdkMutations,
  ...inputMutations,
  ...fileMutations,
  ...cliMutations,
]
