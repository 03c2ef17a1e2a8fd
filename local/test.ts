import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { awsEnvironment } from './emulator.ts'
import { LocalError } from './errors.ts'
import { tryLock } from './lock.mjs'
import { localBin, localFolder, nodeFile, root, rotationTestFolder, testFolder } from './paths.ts'
import { cleanEnvironment, runCommand, runToExit } from './processes.ts'
import { openSession, reportFailure, wasStopped } from './session.ts'
import { bringUp, takeDown } from './stack.ts'
import { readStackRecord, type StackState, stateFileOf } from './state.ts'
import { createTerminal, type Terminal } from './terminal.mjs'
import { countTests, type TestCount } from './test-report.ts'

/** Short enough that every client has to authenticate again while a test looks. */
const maxReauthMs = 20_000
const rotationMaxReauthMs = 10_000
/** A rotation of the signing keys fits into a test, and happens only when one asks for it. */
const signingKeys = {
  everySeconds: 0,
  readEverySeconds: 2,
  jwksMaxAgeSeconds: 0,
  brokerRefreshSeconds: 5,
  tokenSeconds: 12,
  outageSeconds: 1,
  skewSeconds: 1,
}
const resultFolder = join(localFolder, 'test-results')
const stackFolders = [testFolder, rotationTestFolder]

type Context = { readonly terminal: Terminal; readonly signal: AbortSignal }

const specOf = (name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) => ({
  name,
  file: nodeFile,
  args,
  env: cleanEnvironment({ PATH: `${join(localBin('node'), '..')}:${process.env.PATH ?? ''}`, ...env }),
  cwd: root,
  log: join(resultFolder, `${name.replaceAll(/\W+/g, '-')}.log`),
})

const logOf = (error: unknown): string[] =>
  error instanceof LocalError && error.log !== undefined ? [`its log: ${error.log}`] : []

/** A check that has no tests to count: nothing when it holds, one failure when not. */
const check = async ({ terminal, signal }: Context, name: string, args: readonly string[]): Promise<TestCount> => {
  try {
    await terminal.step(name, () => runCommand(specOf(name, args), signal))
    return { passed: 0, failed: 0, failures: [] }
  } catch (error) {
    signal.throwIfAborted()
    return {
      passed: 0,
      failed: 1,
      failures: [`${name}: ${error instanceof Error ? error.message : 'failed'}`, ...logOf(error)],
    }
  }
}

const readCount = (file: string, log: string): TestCount => {
  try {
    return countTests(readFileSync(file, 'utf8'))
  } catch {
    throw new LocalError('vitest wrote no report', log)
  }
}

const runProjects = async (
  { terminal, signal }: Context,
  projects: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<TestCount> => {
  const name = `tests: ${projects.join(', ')}`
  const reportFile = join(resultFolder, `${projects.join('-')}.json`)
  const args = [
    ...[localBin('vitest'), 'run', ...projects.flatMap((project) => ['--project', project])],
    ...['--reporter', 'default', '--reporter', 'json', `--outputFile.json=${reportFile}`],
  ]
  const spec = specOf(name, args, { NO_COLOR: '1', ...env })
  let count: TestCount = { passed: 0, failed: 1, failures: [] }
  try {
    await terminal.step(name, async () => {
      const code = await runToExit(spec, signal)
      count = readCount(reportFile, spec.log)
      if (code !== 0 && count.failed === 0) count = { ...count, failed: 1, failures: [`vitest ended with ${code}`] }
      if (count.failed > 0) throw new LocalError(`${count.failed} failed`, spec.log)
    })
    return count
  } catch (error) {
    signal.throwIfAborted()
    return { ...count, failures: [...count.failures, ...logOf(error)] }
  }
}

const testEnvironment = (state: StackState): Record<string, string> => ({
  SWITCHBOARD_TEST_STATE: state.stateFile,
  ...awsEnvironment(state.aws, state.caFile),
})

const sum = (counts: readonly TestCount[]): TestCount => ({
  passed: counts.reduce((total, { passed }) => total + passed, 0),
  failed: counts.reduce((total, { failed }) => total + failed, 0),
  failures: counts.flatMap(({ failures }) => failures),
})

const runOffline = async (context: Context): Promise<readonly TestCount[]> => [
  await check(context, 'lint', [localBin('biome'), 'check', '--error-on-warnings', '.']),
  await check(context, 'types', [localBin('tsc'), '--noEmit']),
  await runProjects(context, ['unit', 'sdk', 'infra'], {}),
]

/** Groups of projects on a stack of their own, side by side. */
const runOnStack = async (
  context: Context,
  groups: readonly (readonly string[])[],
  stack: { readonly runDirectory: string; readonly maxReauthMs: number; readonly signingKeys?: typeof signingKeys },
): Promise<readonly TestCount[]> => {
  const { terminal, signal } = context
  try {
    const state = await bringUp(terminal, { ...stack, signal })
    const count = sum(
      await Promise.all(groups.map((projects) => runProjects(context, projects, testEnvironment(state)))),
    )
    const seen = count.failed > 0 ? [`the logs of its stack: ${state.logDirectory}`] : []
    return [{ ...count, failures: [...count.failures, ...seen] }]
  } catch (error) {
    signal.throwIfAborted()
    reportFailure(terminal, error)
    return [{ passed: 0, failed: 1, failures: [`${groups.flat().join(', ')}: its stack did not come up`] }]
  }
}

/** One after the other it would be twice as long, and most of it is waiting; a stack comes up faster alone. */
const runEndToEnd = async (context: Context): Promise<readonly TestCount[]> => {
  // the clients need no stack, but what it was made of: jars and Python packages
  const counts = await Promise.all([
    runOnStack(context, [['clients', 'e2e'], ['contracts']], { runDirectory: testFolder, maxReauthMs }),
    runOnStack(context, [['rotation']], {
      runDirectory: rotationTestFolder,
      maxReauthMs: rotationMaxReauthMs,
      signingKeys,
    }),
  ])
  return counts.flat()
}

/** What is logged is read last, when nobody adds to it. */
const runAftermath = async (context: Context): Promise<readonly TestCount[]> => {
  const counts: TestCount[] = []
  for (const folder of stackFolders) {
    const record = readStackRecord(stateFileOf(folder))
    if (record?.status === 'ready') counts.push(await runProjects(context, ['aftermath'], testEnvironment(record)))
  }
  return counts
}

const runAll = async (context: Context): Promise<TestCount> => {
  // side by side: a stack that comes up and its long tests mostly wait
  const both = await Promise.allSettled([runOffline(context), runEndToEnd(context)])
  context.signal.throwIfAborted()
  const counts = both.flatMap((each) => {
    if (each.status === 'rejected') throw each.reason
    return each.value
  })
  return sum([...counts, ...(await runAftermath(context))])
}

/** Everything there is to check, with a stack of its own; resolves to the exit code. */
export const runTests = async (): Promise<number> => {
  const terminal = createTerminal()
  const { signal } = openSession()
  const lock = tryLock(`${testFolder}.lock`)
  if (lock.holder !== undefined) {
    terminal.fail(`another \`npm test\` runs in this folder (process ${lock.holder.pid}): wait for it or stop it`)
    return 1
  }
  rmSync(resultFolder, { recursive: true, force: true })
  mkdirSync(resultFolder, { recursive: true })
  let count: TestCount | undefined
  try {
    for (const folder of stackFolders)
      if (readStackRecord(stateFileOf(folder)) !== undefined)
        await terminal.step('what an earlier run left behind', () => takeDown(folder))
    count = await runAll({ terminal, signal })
  } catch (error) {
    if (!wasStopped({ signal })) reportFailure(terminal, error)
  } finally {
    await terminal.step('stop everything', async () => void (await Promise.all(stackFolders.map(takeDown))))
    lock.release()
  }
  if (count === undefined) return wasStopped({ signal }) ? 130 : 1
  if (count.failures.length > 0) {
    terminal.line()
    for (const failure of count.failures) terminal.fail(failure)
  }
  terminal.line()
  terminal.line(`${count.passed} passed, ${count.failed} failed`)
  return count.failed === 0 ? 0 : 1
}
