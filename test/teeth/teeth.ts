// Shows that the tests can tell: breaks the product in one small way at a time and names the test that notices.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { LocalError } from '../../local/errors.ts'
import { tryLock } from '../../local/lock.mjs'
import { localFolder, root } from '../../local/paths.ts'
import { openSession, reportFailure, wasStopped } from '../../local/session.ts'
import { bringUp, takeDown } from '../../local/stack.ts'
import { readStackRecord, stateFileOf } from '../../local/state.ts'
import { createTerminal, renderSeconds, type Terminal } from '../../local/terminal.mjs'
import { aclBreaks, grantBreaks, type LiveBreak, meetEverybody, permissionBreaks } from './live-breaks.ts'
import { openLiveStack } from './live-stack.ts'
import type { Mutation } from './mutation.ts'
import { mutations } from './mutations.ts'
import { permissionMutations } from './permission-mutations.ts'
import { needsStack, type Outcome, runTests, type TestPlace } from './run-tests.ts'
import { createWorkingCopy, requireBreaks, whileBroken } from './working-copy.ts'

const folder = join(localFolder, 'teeth')
const copyFolder = join(folder, 'copy')
const resultFolder = join(folder, 'results')
const stackFolder = join(folder, 'stack')

const usage = `usage: npm run test:teeth [-- [--only <text>] [--without-stack] [--list]]

  --only <text>    only breaks whose name has this text
  --without-stack  only breaks that need no running stack
  --list           name the breaks and run nothing; those of a running stack are known once it is up`

type Context = {
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly only: string
}

type Row = { readonly name: string; readonly outcome: Outcome; readonly milliseconds: number }

const isWanted = ({ only }: Pick<Context, 'only'>, { name }: { readonly name: string }): boolean => name.includes(only)

const isLive = ({ tests }: Mutation): boolean => tests.some(needsStack)

const describe = ({ kind, ...rest }: Outcome): string =>
  kind === 'green' ? 'SURVIVED' : 'test' in rest ? rest.test : kind

/** One break: the tests run while it is there, and it is mended whatever comes. */
const tryBreak = async ({ terminal, signal }: Context, name: string, run: () => Promise<Outcome>): Promise<Row> => {
  signal.throwIfAborted()
  const startedAt = Date.now()
  const outcome = await run()
  const milliseconds = Date.now() - startedAt
  const text = `${name}\n    ${describe(outcome)} (${renderSeconds(milliseconds)})`
  if (outcome.kind === 'green') terminal.fail(text)
  else terminal.line(`✔ ${text}`)
  return { name, outcome, milliseconds }
}

const requireGreen = async (
  { terminal }: Context,
  title: string,
  tests: readonly string[],
  place: TestPlace,
): Promise<void> => {
  const outcome = await terminal.step(title, async () => {
    const found = await runTests(tests, place, { bail: false })
    if (found.kind === 'noticed') throw new LocalError(`${title}, but this one fails: ${found.test}`, found.log)
    return found
  })
  terminal.line(`    ${outcome.passed} tests pass`)
}

const testsOf = (breaks: readonly { readonly tests: readonly string[] }[]): readonly string[] => [
  ...new Set(breaks.flatMap(({ tests }) => tests)),
]

const runMutations = async (
  context: Context,
  chosen: readonly Mutation[],
  place: TestPlace,
): Promise<readonly Row[]> => {
  const rows: Row[] = []
  for (const mutation of chosen) {
    rows.push(
      await tryBreak(context, mutation.name, () =>
        whileBroken(place.folder, mutation, () => runTests(mutation.tests, place)),
      ),
    )
  }
  return rows
}

const runLiveBreaks = async (
  context: Context,
  chosen: readonly LiveBreak[],
  place: TestPlace,
): Promise<readonly Row[]> => {
  const rows: Row[] = []
  for (const { name, tests, apply, mend } of chosen)
    rows.push(
      await tryBreak(context, name, async () => {
        try {
          await apply()
          return await runTests(tests, place)
        } finally {
          await mend()
        }
      }),
    )
  return rows
}

/** Breaks that need a running stack: its roles, its ACLs, its grants, and source that only a real store can judge. */
const runOnStack = async (context: Context, chosen: readonly Mutation[]): Promise<readonly Row[]> => {
  const { terminal, signal } = context
  const state = await bringUp(terminal, { runDirectory: stackFolder, signal })
  const stack = openLiveStack(state, signal)
  const copy: TestPlace = { folder: copyFolder, resultFolder, env: stack.testEnvironment, signal }
  const original: TestPlace = { ...copy, folder: root }
  await meetEverybody(stack)
  const permissions = permissionBreaks(state, stack, await stack.rolePolicies())
  const live = [...permissions.breaks, ...aclBreaks(state, stack.directory()), ...grantBreaks(stack)].filter((each) =>
    isWanted(context, each),
  )
  if (chosen.length > 0) await requireGreen(context, 'unbroken, on the stack, the source passes', testsOf(chosen), copy)
  const rows = [...(await runMutations(context, chosen, copy))]
  if (live.length === 0) return rows
  for (const name of permissions.unseen.filter((each) => each.includes(context.only)))
    terminal.line(`- ${name}: the emulator does not ask for it; the test of the templates does`)
  const tests = testsOf(live)
  await requireGreen(context, 'unbroken, the stack passes', tests, original)
  rows.push(...(await runLiveBreaks(context, live, original)))
  // a break that was not mended would have been noticed in the name of the ones after it
  await requireGreen(context, 'mended, the stack passes again', tests, original)
  return rows
}

const runAll = async (context: Context, withStack: boolean): Promise<readonly Row[]> => {
  const { terminal, signal } = context
  await terminal.step('a copy of the project to break', async () => createWorkingCopy(copyFolder))
  const all = [...mutations, ...permissionMutations(copyFolder)]
  const chosen = all.filter((each) => isWanted(context, each))
  requireBreaks(copyFolder, chosen)
  const offline = chosen.filter((mutation) => !isLive(mutation))
  const place: TestPlace = { folder: copyFolder, resultFolder, env: {}, signal }
  const rows: Row[] = []
  if (offline.length > 0) {
    await requireGreen(context, 'unbroken, the source passes', testsOf(offline), place)
    rows.push(...(await runMutations(context, offline, place)))
  }
  const live = chosen.filter(isLive)
  if (withStack) rows.push(...(await runOnStack(context, live)))
  else if (live.length > 0) terminal.line(`- ${live.length} breaks that need a running stack are left out`)
  return rows
}

const showTable = (terminal: Terminal, rows: readonly Row[]): void => {
  terminal.line()
  terminal.line('| break | noticed by | time |')
  terminal.line('|---|---|---|')
  for (const { name, outcome, milliseconds } of rows)
    terminal.line(`| ${name} | ${describe(outcome).replaceAll('|', '\\|')} | ${renderSeconds(milliseconds)} |`)
  const survived = rows.filter(({ outcome }) => outcome.kind === 'green')
  terminal.line()
  terminal.line(`${rows.length} breaks, ${rows.length - survived.length} noticed, ${survived.length} survived`)
  for (const { name } of survived) terminal.fail(`SURVIVED: ${name}`)
}

const list = (terminal: Terminal, context: Context): void => {
  const all = [...mutations, ...permissionMutations(root)]
  requireBreaks(root, all)
  for (const { name } of all.filter((each) => isWanted(context, each))) terminal.line(name)
  terminal.line('and on a stack of its own: each action of each deployed role, each ACL, each grant of the example')
}

const main = async (argv: readonly string[]): Promise<number> => {
  const terminal = createTerminal()
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string', default: '' },
      'without-stack': { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const { signal } = openSession()
  const context: Context = { terminal, signal, only: values.only }
  if (values.help) {
    terminal.line(usage)
    return 0
  }
  if (values.list) {
    list(terminal, context)
    return 0
  }
  const lock = tryLock(`${folder}.lock`)
  if (lock.holder !== undefined) {
    terminal.fail(`another run in this folder (process ${lock.holder.pid}): wait for it or stop it`)
    return 1
  }
  const startedAt = Date.now()
  try {
    if (readStackRecord(stateFileOf(stackFolder)) !== undefined)
      await terminal.step('what an earlier run left behind', () => takeDown(stackFolder))
    rmSync(resultFolder, { recursive: true, force: true })
    mkdirSync(resultFolder, { recursive: true })
    const rows = await runAll(context, !values['without-stack'])
    showTable(terminal, rows)
    terminal.line(`in ${renderSeconds(Date.now() - startedAt)}`)
    if (rows.length === 0) throw new LocalError(`no break has \`${values.only}\` in its name; --list names them`)
    return rows.some(({ outcome }) => outcome.kind === 'green') ? 1 : 0
  } catch (error) {
    if (wasStopped({ signal })) return 130
    reportFailure(terminal, error)
    return 1
  } finally {
    await takeDown(stackFolder)
    rmSync(copyFolder, { recursive: true, force: true })
    lock.release()
  }
}

let code: number
try {
  code = await main(process.argv.slice(2))
} catch (error) {
  createTerminal(process.stderr).fail(error instanceof Error ? error.message : 'failed')
  code = 2
}
// A run that was interrupted may still hold sockets; what has to be stopped has been stopped by now.
process.exit(code)
