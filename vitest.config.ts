import { defineConfig } from 'vitest/config'

/** Beside the others on a stack of their own, for most of their time is waiting. */
const rotation = [
  'test/rotation/**/*.test.ts',
  'test/e2e/{confluent,confluent-api-keys,msk-iam,providers,schema-registry,signing-key}.test.ts',
]

export default defineConfig({
  test: {
    // the report of a run shows the first line of what failed
    chaiConfig: { truncateThreshold: 500 },
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'test/{architecture,domain,functions,identity,http,store,clusters,inventory,secrets,cli,local,docs}/**/*.test.ts',
            'test/*.test.ts',
          ],
          testTimeout: 20_000,
        },
      },
      { test: { name: 'sdk', include: ['sdk/js/test/**/*.test.ts'], testTimeout: 20_000 } },
      { test: { name: 'infra', include: ['test/infra/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: rotation,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'contracts',
          include: ['test/contracts/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'rotation',
          include: rotation,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      { test: { name: 'clients', include: ['test/clients/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 300_000 } },
      { test: { name: 'aftermath', include: ['test/aftermath/**/*.test.ts'], testTimeout: 60_000 } },
    ],
  },
})
