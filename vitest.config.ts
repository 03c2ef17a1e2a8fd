import { defineConfig } from 'vitest/config'

/** Beside the others on a stack of their own, for most of their time is waiting. */
const rotation = [
  'test/rotation/**/*.test.ts',
  'test/e2e/{confluent,confluent-api-keys,msk-iam,providers,schema-registry,signing-key}.test.ts',
]

const project = (
  name: string,
  options: { readonly include: string[]; readonly exclude?: string[]; readonly fileParallelism?: boolean },
) => ({ extends: true as const, test: { name, ...options } })

export default defineConfig({
  test: {
    // patience for a machine on which two stacks and all tests share two cores; nothing waits so long on one that is calm
    testTimeout: 180_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000, interval: 100 } },
    // the report of a run shows the first line of what failed
    chaiConfig: { truncateThreshold: 500 },
    projects: [
      project('unit', {
        include: [
          'test/{architecture,domain,functions,identity,http,store,clusters,inventory,secrets,cli,local,docs}/**/*.test.ts',
          'test/*.test.ts',
        ],
      }),
      project('sdk', { include: ['sdk/js/test/**/*.test.ts'] }),
      project('infra', { include: ['test/infra/**/*.test.ts'] }),
      project('e2e', { include: ['test/e2e/**/*.test.ts'], exclude: rotation, fileParallelism: false }),
      project('contracts', { include: ['test/contracts/**/*.test.ts'], fileParallelism: false }),
      project('rotation', { include: rotation, fileParallelism: false }),
      project('clients', { include: ['test/clients/**/*.test.ts'] }),
      project('aftermath', { include: ['test/aftermath/**/*.test.ts'] }),
    ],
  },
})
