// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is looked for is source
import type { Mutation } from '../mutation.ts'

const builder = 'shared/domain/msk-session-policy.ts'
const policyTests = ['test/domain/msk-session-policy.test.ts', 'test/domain/msk-session-policy.property.test.ts']

/** Text of the builder -> what stands there instead; the names say what a session then may or may not. */
const ofBuilder: readonly (readonly [name: string, find: string, replace: string])[] = [
  ['a wildcard that may be nothing', "const some = '?*'", "const some = '*'"],
  ['a wildcard of one character', "const some = '?*'", "const some = '?'"],
  ['a denial of a `.` at the start of a segment alone', "const withDot = '*.*'", "const withDot = '.*'"],
  ['a denial of a `.` at the end of a segment alone', "const withDot = '*.*'", "const withDot = '*.'"],
  ['a denial of every name', "const withDot = '*.*'", "const withDot = '*'"],
  [
    'a fixed segment without what is before it',
    'text: `${prefix}${segment.text}${suffix}` })',
    'text: `${segment.text}${suffix}` })',
  ],
  [
    'a fixed segment without what is behind it',
    'text: `${prefix}${segment.text}${suffix}` })',
    'text: `${prefix}${segment.text}` })',
  ],
  [
    'a subtree that is one segment',
    "segment?.kind === 'rest' ? { kind: 'rest' } : { kind: 'one', prefix, suffix }",
    "{ kind: 'one', prefix, suffix }",
  ],
  [
    'a segment that is a subtree',
    "segment?.kind === 'rest' ? { kind: 'rest' } : { kind: 'one', prefix, suffix }",
    "{ kind: 'rest' }",
  ],
  [
    'a segment without what is around it',
    "{ kind: 'rest' } : { kind: 'one', prefix, suffix }",
    "{ kind: 'rest' } : { kind: 'one', prefix: '', suffix: '' }",
  ],
  [
    'a template without its fixed texts',
    "if (token.kind === 'text') tokens.push(token)\n    else",
    "if (token.kind === 'text') continue\n    else",
  ],
  [
    'a segment without what a template puts around it',
    'add(token.index, token.prefix, token.suffix)',
    'add(token.index)',
  ],
  [
    'the segment behind the one that the template shows',
    'add(token.index, token.prefix',
    'add(token.index + 1, token.prefix',
  ],
  [
    'the segment before the rest once more',
    'let index = channel.segments.length - 1; index',
    'let index = Math.max(0, channel.segments.length - 2); index',
  ],
  [
    'a rest without its first segment',
    'let index = channel.segments.length - 1; index',
    'let index = channel.segments.length; index',
  ],
  [
    'a rest without its last segment',
    'index < both.segments.length; index++',
    'index < both.segments.length - 1; index++',
  ],
  ['a rest of one segment', 'index < both.segments.length; index++', 'index < channel.segments.length; index++'],
  [
    'every segment beside a subtree counts as bare',
    "token?.kind === 'one' && token.prefix + token.suffix === ''",
    "token?.kind === 'one'",
  ],
  [
    'what stands between a segment and the rest is not looked at',
    "between.every((token) => isBare(token) || token.kind === 'rest')",
    'between.length >= 0',
  ],
  ['every template with a rest can be said', 'return isSaidByOne(tokens) ? [', 'return tokens.length > 0 ? ['],
  ['no template with a rest can be said', 'return isSaidByOne(tokens) ? [', 'return tokens.length === 0 ? ['],
  [
    'segments are denied a `.` without what is around them',
    "return token.kind === 'rest' ? wild : `${token.prefix}${wild}${token.suffix}`",
    "return token.kind === 'rest' || at === dotted ? wild : `${token.prefix}${wild}${token.suffix}`",
  ],
  [
    'every segment is denied where one has a `.`',
    'const wild = at === dotted ? withDot : some',
    'const wild = dotted === undefined ? some : withDot',
  ],
  [
    'tokens that are joined by nothing',
    "    .join('.')\n\n/** @returns undefined where IAM",
    "    .join('')\n\n/** @returns undefined where IAM",
  ],
  [
    'a `.` in a segment is let in',
    "kind === 'one' ? [patternOf(tokens, at)] : []",
    'kind === undefined ? [patternOf(tokens, at)] : []',
  ],
  [
    'a `.` is let in to every segment but the first',
    "const deny = tokens.flatMap(({ kind }, at) => (kind === 'one'",
    "const deny = tokens.flatMap(({ kind }, at) => (kind === 'one' && at === 0",
  ],
  [
    'a `.` is denied to the rest too',
    'deny: [], dots: undefined }] : undefined',
    'deny: [patternOf(tokens, tokens.length - 1)], dots: undefined }] : undefined',
  ],
  ['a topic is a prefix', '({ allow: topic, deny: [],', '({ allow: `${topic}*`, deny: [],'],
  ['a topic has something before it', '({ allow: topic, deny: [],', '({ allow: `*${topic}`, deny: [],'],
  [
    'a topic counts as one of another pattern that denies it',
    'meet(topic, allow) && !deny.some((pattern) => meet(topic, pattern))',
    'meet(topic, allow)',
  ],
  [
    'a topic counts as one of every pattern',
    'meet(topic, allow) && !deny.some((pattern) => meet(topic, pattern))',
    'topic.length > 0',
  ],
  [
    'a pattern counts as part of a flat one',
    'return other.deny.length === 0 && ends.length === 1',
    'return ends.length === 1',
  ],
  [
    'a pattern counts as part of one that goes on behind its wildcard',
    "ends.length === 1 && ends[0] === '' && one.allow",
    'ends.length === 1 && one.allow',
  ],
  ['a pattern counts as part of every subtree', "ends[0] === '' && one.allow.startsWith(start)", "ends[0] === ''"],
  ['patterns that differ in what they deny count as one', 'JSON.stringify([each.allow, each.deny])', 'each.allow'],
  [
    'a denial takes what another channel allows',
    'topicRights.map((right) => deniedByOthers(rights[right]))',
    'topicRights.map(() => undefined)',
  ],
  [
    'a denial takes what the other action allows to be seen',
    'topicRights.map((right) =>',
    'topicRights.slice(1).map((right) =>',
  ],
  [
    'denials count against names that are too short for them',
    '(one.dots === undefined || one.dots >= pattern',
    '(one.dots === undefined || one.dots >= 0 * pattern',
  ],
  [
    'what is consumed cannot be seen',
    'DescribeTopic: distinct([...produce, ...consume])',
    'DescribeTopic: distinct(produce)',
  ],
  [
    'what is produced cannot be seen',
    'DescribeTopic: distinct([...produce, ...consume])',
    'DescribeTopic: distinct(consume)',
  ],
  ['a consumer reads what it may write', 'ReadData: distinct(consume)', 'ReadData: distinct(produce)'],
  [
    'a consumer reads what it may produce to, too',
    'ReadData: distinct(consume)',
    'ReadData: distinct([...produce, ...consume])',
  ],
  [
    'a producer writes what it may consume, too',
    'WriteData: distinct(produce)',
    'WriteData: distinct([...produce, ...consume])',
  ],
  ['nobody writes', 'WriteData: distinct(produce)', 'WriteData: []'],
  ['a name that begins another is a prefix', "kind === 'prefixed' ? `${text}*` : text", '`${text}*`'],
  ['a prefix is a name', "kind === 'prefixed' ? `${text}*` : text", 'kind.length > 0 ? text : text'],
  [
    'names that only begin alike are left out',
    "other.endsWith('*') && name.startsWith(other.slice(0, -1))",
    'name.startsWith(other.slice(0, 1))',
  ],
  [
    'all that is said is said of any cluster',
    "`${arn.replace(':cluster/', `:${kind}/`)}/${name}`",
    '`${arn.replace(/:cluster.*/, `:${kind}`)}/*/${name}`',
  ],
  [
    'topics of any incarnation of the cluster',
    "`${arn.replace(':cluster/', `:${kind}/`)}/${name}`",
    "`${arn.replace(':cluster/', `:${kind}/`).replace(/-\\d+$/, '*')}/${name}`",
  ],
  [
    'topics of a cluster of any region',
    "`${arn.replace(':cluster/', `:${kind}/`)}/${name}`",
    "`${arn.replace(':cluster/', `:${kind}/`).replace(/kafka:[^:]+/, 'kafka:*')}/${name}`",
  ],
  ['groups are topics', "'group', widest(names.groups)", "'topic', widest(names.groups)"],
  ['everybody produces idempotently', 'rights.WriteData.length > 0 ? [', 'rights.WriteData.length >= 0 ? ['],
  ['nobody produces idempotently', 'rights.WriteData.length > 0 ? [', 'rights.WriteData.length < 0 ? ['],
  [
    'a session may do all to its topics',
    'Action: oneOrMore(rights.map(action)),',
    "Action: Effect === 'Allow' ? 'kafka-cluster:*' : oneOrMore(rights.map(action)),",
  ],
  ['a group cannot be joined', "['AlterGroup', 'DescribeGroup'], 'group'", "['DescribeGroup'], 'group'"],
  [
    'a group can be deleted',
    "['AlterGroup', 'DescribeGroup'], 'group'",
    "['AlterGroup', 'DescribeGroup', 'DeleteGroup'], 'group'",
  ],
  [
    'a transaction cannot begin',
    "['AlterTransactionalId', 'DescribeTransactionalId'],",
    "['DescribeTransactionalId'],",
  ],
  [
    'who is denied is allowed',
    "...sayTopics('Deny', ({ deny }) => deny),",
    "...sayTopics('Allow', ({ deny }) => deny),",
  ],
  ['nobody is denied', "...sayTopics('Deny', ({ deny }) => deny),", ''],
  ['a session does not connect', "['Connect', ...(rights", '[...(rights'],
  ['rights of one topic are those of its last action', '[...(taking.get(pattern) ?? []), right]', '[right]'],
  ['topics of all rights in one statement', '([, taken]) => taken.join())', '([, taken]) => taken.length > 9)'],
  [
    'too long a policy is handed to AWS',
    "if (text.length <= maximumSessionPolicy) return { outcome: 'built', text }\n  const bySaving",
    "if (text.length <= 9_999) return { outcome: 'built', text }\n  const bySaving",
  ],
  ['a policy that would fit is refused', 'maximumSessionPolicy = 2_048', 'maximumSessionPolicy = 512'],
  [
    'a prefix that an earlier route cuts into',
    'if (route.topic === noTopic || isMetEarlier(directory, principal, route, both)) return []',
    'if (route.topic === noTopic) return []',
  ],
  [
    'a wider pattern for the other action',
    '[action]: [...reach[action], topics],',
    'produce: [...reach.produce, topics],\n    consume: [...reach.consume, topics],',
  ],
  ['no wider pattern', '[action]: [...reach[action], topics],', '[action]: reach[action],'],
  ['rights of a grant that has ended', '.filter((grant) => !isExpired(grant, now))', ''],
  [
    'transactional ids of grants that only consume',
    'held.filter(({ produce }) => produce.length > 0).flatMap',
    'held.flatMap',
  ],
  ['topics of another cluster', '.filter(({ route }) => route.cluster === cluster)', ''],
  [
    'no topic of a pattern',
    '[literal(admission.topic)] : topicsOf(admission.route, admission.both)',
    '[literal(admission.topic)] : []',
  ],
  [
    'all channels of the route for a part of them',
    'topicsOf(admission.route, admission.both)',
    'topicsOf(admission.route, admission.route.channel)',
  ],
  [
    'every action for every channel',
    'reach[admission.action].push(...topics)',
    'reach.produce.push(...topics)\n    reach.consume.push(...topics)',
  ],
  [
    'the other action for every channel',
    'reach[admission.action].push(...topics)',
    "reach[admission.action === 'produce' ? 'consume' : 'produce'].push(...topics)",
  ],
  [
    'no group',
    "group === undefined ? [] : [{ kind: 'literal', text: group }],\n    transactionalIds: admissions",
    '[],\n    transactionalIds: admissions',
  ],
  [
    'every group that begins as the own',
    "group === undefined ? [] : [{ kind: 'literal', text: group }]",
    "group === undefined ? [] : [{ kind: 'prefixed', text: group }]",
  ],
  [
    'the own group beside another',
    "group === undefined ? [] : [{ kind: 'literal', text: group }]",
    "group === undefined ? [] : [{ kind: 'literal', text: group }, { kind: 'literal', text: principal.name }]",
  ],
  [
    'transactional ids for who only consumes',
    "admissions.some(({ action }) => action === 'produce') ? transactionalIdsOf(held) : []",
    'transactionalIdsOf(held)',
  ],
  [
    'no transactional ids',
    "admissions.some(({ action }) => action === 'produce') ? transactionalIdsOf(held) : []",
    '[]',
  ],
]

const session = 'shared/clusters/msk/iam-session.ts'
const token = 'shared/clusters/msk/iam-token.ts'
const logins = 'functions/resolve/msk-logins.ts'

/** File, its text -> what stands there instead; the names say what happens to a token. */
const ofLogins: readonly (readonly [name: string, file: string, find: string, replace: string])[] = [
  ['a session with another policy', session, 'request.cluster, request.policy]', 'request.cluster]'],
  ['the session of somebody else', session, '[request.role, request.principal,', '[request.role,'],
  [
    'a session that ends before the token',
    session,
    'if (known !== undefined && known.expiresAt.getTime() >= until.getTime() + known.aheadMs) return known',
    'if (known !== undefined) return known',
  ],
  ['a name of its own each time', session, 'sessionName(principal)', '`${principal}-${clock().getTime()}`'],
  ['no word of a role that does not let us', session, "    case 'AccessDenied':\n", ''],
  ['the times of our own clock', session, 'Math.abs(aheadMs) > toleratedMs ? aheadMs : 0', '0'],
  ['half a second more than the lease', token, 'Math.floor((until.getTime()', 'Math.ceil((until.getTime()'],
  [
    'the key of another day',
    token,
    'if (known?.scope === scope) return known',
    'if (known !== undefined) return known',
  ],
  [
    'a refusal that nobody audits',
    logins,
    "audit({ outcome: 'deny', reason: error instanceof Error ? `${error.name}: ${error.message}` : 'unknown' })",
    '',
  ],
]

export const mskMutations: readonly Mutation[] = [
  ...ofBuilder.map(([name, find, replace]) => ({
    name: `a session on MSK: ${name}`,
    edits: [{ file: builder, find, replace }],
    tests: policyTests,
  })),
  ...ofLogins.map(([name, file, find, replace]) => ({
    name: `a token of MSK: ${name}`,
    edits: [{ file, find, replace }],
    tests: [
      'test/clusters/iam-session.test.ts',
      'test/clusters/iam-token.test.ts',
      'test/functions/resolve/msk-iam.test.ts',
    ],
  })),
  {
    name: 'a role on MSK whose name IAM does not know',
    edits: [
      { file: 'shared/domain/msk-policy-checks.ts', find: '  ...rolesThatAreTooLong(directory),\n', replace: '' },
    ],
    tests: ['test/domain/policy-checks.test.ts'],
  },
]
