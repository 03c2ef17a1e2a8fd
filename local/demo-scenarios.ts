import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { crawlScenario } from './demos/crawl/scenario.ts'
import { renderLine, renderTable, wrongIn } from './demos/outcome.ts'
import { providersScenario } from './demos/providers/scenario.ts'
import { rotationScenario } from './demos/rotation/scenario.ts'
import { tryLock } from './lock.mjs'
import { crawlDemoFolder, providersDemoFolder, rotationDemoFolder } from './paths.ts'
import { openSession, reportFailure, wasStopped } from './session.ts'
import { bringUp, takeDown } from './stack.ts'
import { readStackRecord, stateFileOf } from './state.ts'
import { createTerminal, renderSeconds } from './terminal.mjs'

/** Each on a stack of its own. */
const scenarios = {
  // every connection has to authenticate again many times while its credential is replaced
  rotation: { folder: rotationDemoFolder, settings: { maxReauthMs: 10_000 }, play: rotationScenario },
  crawl: { folder: crawlDemoFolder, settings: {}, play: crawlScenario },
  providers: { folder: providersDemoFolder, settings: {}, play: providersScenario },
} as const

export type ScenarioName = keyof typeof scenarios

/** Plays it and counts what came of it; resolves to the exit code. */
export const runScenario = async (name: ScenarioName): Promise<number> => {
  const { folder, settings, play } = scenarios[name]
  const terminal = createTerminal()
  const { signal } = openSession()
  mkdirSync(dirname(folder), { recursive: true })
  const lock = tryLock(`${folder}.lock`)
  if (lock.holder !== undefined) {
    terminal.fail(`another \`npm run demo -- ${name}\` runs in this folder (process ${lock.holder.pid})`)
    return 1
  }
  let line = ''
  let code = 1
  try {
    if (readStackRecord(stateFileOf(folder)) !== undefined)
      await terminal.step('what an earlier run left behind', () => takeDown(folder))
    const state = await bringUp(terminal, { runDirectory: folder, signal, ...settings })
    const startedAt = Date.now()
    const report = (text: string) => terminal.line(`  ${renderSeconds(Date.now() - startedAt).padStart(7)}  ${text}`)
    const outcome = await play({ state, report, signal })
    terminal.line()
    for (const row of renderTable(outcome)) terminal.line(row)
    line = renderLine(name, outcome)
    code = wrongIn(outcome).length === 0 ? 0 : 1
  } catch (error) {
    if (wasStopped({ signal })) code = 130
    else reportFailure(terminal, error)
  } finally {
    await terminal.step('stop everything', () => takeDown(folder))
    lock.release()
  }
  terminal.line()
  terminal.line(line || `${name}: not shown`)
  return code
}
