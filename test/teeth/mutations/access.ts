import type { Mutation } from '../mutation.ts'

const access = 'shared/domain/access.ts'
const ruleTests = ['test/domain']

export const accessMutations: readonly Mutation[] = [
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
        find: '.filter((grant) => !isExpired(grant, now))',
        replace: '',
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
