import type { Mutation } from '../mutation.ts'

const slotKeys = 'shared/clusters/confluent/slot-keys.ts'
const backend = 'shared/clusters/confluent/api-key-backend.ts'
const slotSecrets = 'shared/secrets/confluent-slot-secrets.ts'
const secretOfSlot = 'shared/secrets/secret-of-slot.ts'
const kafkaUsers = 'shared/domain/kafka-users.ts'

const secretTests = ['test/secrets/confluent-slot-secrets.test.ts']
const keyTests = ['test/clusters/confluent-api-keys.test.ts']
const machineTests = ['test/functions/rotate/rotate-api-keys.test.ts']

export const apiKeyMutations: readonly Mutation[] = [
  {
    name: 'API keys: what was made and not saved stays',
    edits: [
      { file: slotSecrets, find: 'if (id !== saved?.apiKey) await keys.remove(id)', replace: 'void saved, void id' },
    ],
    tests: [...secretTests, ...machineTests],
  },
  {
    name: 'API keys: what was saved is taken for an orphan',
    edits: [{ file: slotSecrets, find: 'if (id !== saved?.apiKey) ', replace: '' }],
    tests: secretTests,
  },
  {
    name: 'API keys: a key is made before it is known that it can be saved',
    edits: [
      {
        file: secretOfSlot,
        find: `      if (found.kind !== 'found') await create(name, place)
      const made = await make(place, user)
`,
        replace: `      const made = await make(place, user)
      if (found.kind !== 'found') await create(name, place)
`,
      },
    ],
    tests: secretTests,
  },
  {
    name: 'API keys: a secret that was brought back is handed out whosever account it was',
    edits: [{ file: slotSecrets, find: 'value.serviceAccountId === serviceAccountId', replace: 'value !== undefined' }],
    tests: secretTests,
  },
  {
    name: 'API keys: whatever the account has is of the slot',
    edits: [
      {
        file: slotKeys,
        find: 'spec.description === resource.secretName(stack, place)',
        replace: 'place !== undefined',
      },
    ],
    tests: keyTests,
  },
  {
    name: 'API keys: keys of another cluster are taken for ours',
    edits: [{ file: slotKeys, find: 'isOne: (id) => id === cluster.id', replace: 'isOne: (id) => id !== undefined' }],
    tests: keyTests,
  },
  {
    name: 'API keys: a key that is called otherwise is ours',
    edits: [{ file: slotKeys, find: 'spec.display_name !== user', replace: "spec.display_name === ''" }],
    tests: keyTests,
  },
  {
    name: 'API keys: the quota is not asked',
    edits: [{ file: backend, find: 'others < limit', replace: 'others >= 0' }],
    tests: [...keyTests, ...machineTests],
  },
  {
    name: 'API keys: a key that somebody deleted is thought to be there',
    edits: [{ file: backend, find: "? 'done' : 'lost'", replace: "? 'done' : 'done'" }],
    tests: keyTests,
  },
  {
    name: 'API keys: a revocation leaves the key',
    edits: [
      {
        file: backend,
        find: 'for (const id of await keys.made(place, user)) await keys.remove(id)',
        replace: 'await keys.made(place, user)',
      },
    ],
    tests: [...keyTests, ...machineTests],
  },
  {
    name: 'API keys: a revocation leaves the key of the schema registry',
    edits: [
      {
        file: backend,
        find: 'for (const id of await registryKeys.made(place, user)) await registryKeys.remove(id)',
        replace: 'await registryKeys.made(place, user)',
      },
    ],
    tests: [...keyTests, ...machineTests],
  },
  {
    name: 'API keys: a key of the schema registry that somebody deleted is thought to be there',
    edits: [
      { file: backend, find: '(await registryKeys.isThere(registry.username))', replace: 'registryKeys !== keys' },
    ],
    tests: keyTests,
  },
  {
    name: 'API keys: a schema registry that answers 401 to everybody keeps them from the cluster',
    edits: [
      {
        file: backend,
        find: "outcome === 'refused' && (await registryKeys.isThere(login.username)) ? 'unreachable' : outcome",
        replace: 'outcome',
      },
    ],
    tests: keyTests,
  },
  {
    name: 'API keys: a key is handed out before the schema registry takes the other',
    edits: [
      {
        file: backend,
        find: 'new Map([...outcomes, ...atRegistry])',
        replace: 'new Map([...outcomes, ...atRegistry, ...outcomes])',
      },
    ],
    tests: keyTests,
  },
  {
    name: 'API keys: a slot without its key of the schema registry counts as whole',
    edits: [
      {
        file: slotSecrets,
        find: 'other?.generation === found.generation ? withRegistry(found, other) : undefined',
        replace: 'other === undefined ? found : withRegistry(found, other)',
      },
    ],
    tests: [...secretTests, ...machineTests],
  },
  {
    name: 'API keys: the secret of the schema registry stays when its slot goes',
    edits: [{ file: slotSecrets, find: '      await registry.removeSlot(credential, slot)\n', replace: '' }],
    tests: secretTests,
  },
  {
    name: 'API keys: a service account keeps its rights on a cluster that takes tokens alone',
    edits: [
      {
        file: kafkaUsers,
        find: 'accounts.map((user) => ({ user, hasAccess: isHandedOut }))',
        replace: 'accounts.map((user) => ({ user, hasAccess: true }))',
      },
    ],
    tests: ['test/domain/kafka-users.test.ts'],
  },
  {
    name: 'API keys: two principals are one service account',
    edits: [
      {
        file: 'shared/domain/confluent-policy-checks.ts',
        find: "      ...sharedIds([...path, 'serviceAccounts'], 'service account', cluster.serviceAccounts),\n",
        replace: '',
      },
    ],
    tests: ['test/domain/confluent.test.ts'],
  },
  {
    name: 'API keys: a service account changes while there are keys of it',
    edits: [{ file: 'cli/plan-providers.ts', find: 'after.serviceAccounts.get(name) !== id', replace: "name === ''" }],
    tests: ['test/cli/plan.test.ts'],
  },
]
