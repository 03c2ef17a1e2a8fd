import type { Mutation } from '../mutation.ts'

const ruleTests = ['test/functions/resolve/schema-registry.test.ts']
const poolTests = ['test/clusters/confluent-registry.test.ts']
const sdkTests = ['sdk/js/test/schemaregistry.test.ts']

export const registryMutations: readonly Mutation[] = [
  {
    name: 'a schema registry for everybody whom a grant lets in',
    edits: [
      {
        file: 'shared/domain/decide.ts',
        find: '  grant.schemas ? grant : grantThat(',
        replace: '  grant ?? grantThat(',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a schema registry by any grant of the channel that lets the group in',
    edits: [{ file: 'shared/domain/decide.ts', find: 'each.schemas && grantsGroup', replace: 'grantsGroup' }],
    tests: ruleTests,
  },
  {
    name: 'a lease that outlives the grant of its schema registry',
    edits: [{ file: 'shared/domain/decide.ts', find: '[...grants, schemas.grant]', replace: 'grants' }],
    tests: ruleTests,
  },
  {
    name: 'one user of the schema registry for all principals',
    edits: [
      {
        file: 'shared/domain/cluster.ts',
        find: "  secret.replaceAll('{principal}', principal)",
        replace: "  principal && secret.replaceAll('{principal}', 'orders')",
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'another password of the schema registry is kept from a client that renews',
    edits: [
      {
        file: 'functions/resolve/resolve.ts',
        find: 'registries.size === 0 ? said : [said, versionsOf(registries)]',
        replace: 'registries && versionsOf ? said : said',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'an API key of a schema registry for everybody who has one of the cluster',
    edits: [
      {
        file: 'functions/resolve/resolve.ts',
        find: '.filter(({ cluster }) => withRegistryKeys.includes(cluster))',
        replace: '.filter(() => withRegistryKeys !== undefined)',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'an API key of a schema registry of whatever generation',
    edits: [
      {
        file: 'functions/resolve/stored-credentials.ts',
        find: 'saved === undefined || saved.generation !== generation',
        replace: 'saved === undefined',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a slot without an API key of the schema registry is left to itself',
    edits: [
      {
        file: 'functions/resolve/stored-credentials.ts',
        find: '      await onAbsent()\n',
        replace: '      void onAbsent\n',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'no role at the schema registry for service accounts',
    edits: [
      {
        file: 'cli/confluent.ts',
        find: "registry.kind === 'jwt' ? identityPools : serviceAccounts",
        replace: 'identityPools ?? serviceAccounts',
      },
    ],
    tests: poolTests,
  },
  {
    name: 'the SDK asks a schema registry as the user that its client began with',
    edits: [
      {
        file: 'sdk/js/src/lib/connection.ts',
        find: "now.kind === 'basic' ? now.username : first.username",
        replace: "now.kind === 'basic' ? first.username : first.username",
      },
    ],
    tests: sdkTests,
  },
  {
    name: 'a password of a schema registry is kept for as long as the function lives',
    edits: [
      { file: 'shared/secrets/registry-secrets.ts', find: '&& age < holdsMs', replace: '&& age < holdsMs * 1_000' },
    ],
    tests: ['test/secrets/registry-secrets.test.ts'],
  },
  {
    name: 'a role at the schema registry of Confluent Cloud for every pool',
    edits: [{ file: 'shared/domain/registry-roles.ts', find: 'grant.schemas && !isExpired', replace: '!isExpired' }],
    tests: poolTests,
  },
  {
    name: 'who may read schemas on Confluent Cloud may write them',
    edits: [
      {
        file: 'shared/domain/registry-roles.ts',
        find: "consume: ['DeveloperRead']",
        replace: "consume: ['DeveloperRead', 'DeveloperWrite']",
      },
    ],
    tests: poolTests,
  },
  {
    name: 'the SDK asks a schema registry with the token that its client began with',
    edits: [
      {
        file: 'sdk/js/src/schemaregistry.ts',
        find: "    headers.set('Authorization', authorizationOf(registry))\n",
        replace: '    void [headers, authorizationOf]\n',
      },
    ],
    tests: sdkTests,
  },
  {
    name: 'the SDK renews without a thought for the token of a schema registry',
    edits: [
      {
        file: 'sdk/js/src/lib/keep-fresh.ts',
        find: '  Math.min(endOf(connection.credential), registryEndOf(connection))',
        replace: '  Math.min(endOf(connection.credential), registryEndOf(connection) * 2)',
      },
    ],
    tests: sdkTests,
  },
]
