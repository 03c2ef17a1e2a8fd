import { join } from 'node:path'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { root } from '../../../local/paths.ts'

/** Everything that is loaded before the first line of a module runs; what it imports later is not followed. */
const loadedBy = async (path: string): Promise<readonly string[]> => {
  const { metafile } = await build({
    entryPoints: [join(root, path)],
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    outdir: 'unused',
    plugins: [
      {
        name: 'later',
        setup: ({ onResolve }) =>
          onResolve({ filter: /./ }, ({ kind, path: later }) =>
            kind === 'dynamic-import' ? { path: later, external: true } : undefined,
          ),
      },
    ],
  })
  return Object.keys(metafile.inputs)
}

test.each([
  'cli/switchboard.ts',
  'cli/service/run.ts',
  'cli/service/resolve.ts',
  'cli/service/exec.ts',
  'cli/service/doctor.ts',
])('%s loads no Kafka client and nothing of AWS', async (path) => {
  const loaded = await loadedBy(path)
  expect(loaded).toContain(path)
  expect(loaded.filter((input) => /@platformatic|@aws-sdk|@smithy/.test(input))).toEqual([])
})

test('what looks at brokers does load one, so that the test above can see it', async () => {
  expect((await loadedBy('cli/service/kafka-checks.ts')).some((input) => input.includes('@platformatic'))).toBe(true)
  expect((await loadedBy('cli/operator.ts')).some((input) => input.includes('@aws-sdk'))).toBe(true)
})
