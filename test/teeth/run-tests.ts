import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import * as z from 'zod'
import { LocalError } from '../../local/errors.ts'
import { localBin, nodeFile } from '../../local/paths.ts'
import { cleanEnvironment, runToExit } from '../../local/processes.ts'

/** `test` is the first test that failed. */
export type Outcome =
  | { readonly kind: 'green'; readonly passed: number }
  | { readonly kind: 'noticed'; readonly test: string; readonly log: string }

export type TestPlace = {
  /** The project, or a copy of it. */
  readonly folder: string
  readonly resultFolder: string
  readonly env: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

const limitMs = 300_000
// each run keeps its log, for whoever wonders why a test noticed
let runs = 0

const reportSchema = z.object({
  numPassedTests: z.number(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
})

const projectOf = (path: string): string => {
  if (path.startsWith('sdk/')) return 'sdk'
  if (path.startsWith('test/infra')) return 'infra'
  if (path.startsWith('test/contracts')) return 'contracts'
  return needsStack(path) ? 'e2e' : 'unit'
}

export const needsStack = (path: string): boolean => /^test\/(e2e|contracts)\b/.test(path)

/** Test files of one vitest project run as one, and quick ones come first; those on a stack run in the order given. */
const groups = (paths: readonly string[]): readonly (readonly [string, readonly string[]])[] => [
  ...['unit', 'sdk', 'infra'].flatMap((project) => {
    const own = paths.filter((path) => projectOf(path) === project)
    return own.length === 0 ? [] : [[project, own] as const]
  }),
  ...paths.filter(needsStack).map((path) => [projectOf(path), [path]] as const),
]

// A module that does not even load fails every test of it, which proves nothing about the tests.
const doesNotLoad = /SyntaxError|Transform failed|PARSE_ERROR|Failed to (load|resolve)|Cannot find (module|package)/

const firstFailure = (
  { testResults }: z.infer<typeof reportSchema>,
  folder: string,
  log: string,
): string | undefined => {
  for (const { name, assertionResults } of testResults) {
    const failed = assertionResults.find((test) => test.status === 'failed')
    if (failed !== undefined) return `${relative(folder, name)}: ${failed.fullName}`
  }
  // files that a failure elsewhere kept from running count as failed too, without a message
  const suite = testResults.find(({ status, message }) => status === 'failed' && Boolean(message))
  if (suite === undefined) return undefined
  const file = relative(folder, suite.name)
  if (doesNotLoad.test(suite.message ?? '')) throw new LocalError(`\`${file}\` does not load: ${suite.message}`, log)
  return `${file}: (set-up) ${suite.message?.split('\n')[0]}`
}

/** Runs these files and folders up to the first test that fails. */
export const runTests = async (
  paths: readonly string[],
  { folder, resultFolder, env, signal }: TestPlace,
  { bail = true }: { readonly bail?: boolean } = {},
): Promise<Outcome> => {
  let passed = 0
  for (const [project, own] of groups(paths)) {
    runs += 1
    const reportFile = join(resultFolder, `${runs}.json`)
    const log = join(resultFolder, `${runs}.log`)
    const timeout = AbortSignal.timeout(limitMs)
    const code = await runToExit(
      {
        name: 'vitest',
        file: nodeFile,
        args: [
          ...[localBin('vitest'), 'run', '--project', project, ...own, '--passWithNoTests'],
          ...(bail ? ['--bail', '1'] : []),
          ...['--reporter', 'json', '--reporter', 'default', `--outputFile.json=${reportFile}`],
        ],
        env: cleanEnvironment({
          PATH: `${dirname(localBin('node'))}:${process.env.PATH ?? ''}`,
          NO_COLOR: '1',
          ...env,
        }),
        cwd: folder,
        log,
      },
      AbortSignal.any([signal, timeout]),
    ).catch((error: unknown) => {
      signal.throwIfAborted()
      if (!timeout.aborted) throw error
      throw new LocalError(`the tests in ${own.join(', ')} did not end within ${limitMs / 1000} s`, log)
    })
    if (!existsSync(reportFile)) {
      if (code === 0) continue
      throw new LocalError(`vitest ended with ${code} and wrote no report`, log)
    }
    const report = reportSchema.parse(JSON.parse(readFileSync(reportFile, 'utf8')))
    const test = firstFailure(report, folder, log)
    if (test !== undefined) return { kind: 'noticed', test, log }
    if (code !== 0) throw new LocalError(`vitest ended with ${code}, but every test passed`, log)
    passed += report.numPassedTests
  }
  return { kind: 'green', passed }
}
