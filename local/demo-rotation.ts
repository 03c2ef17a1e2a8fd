import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { renderLine, renderTable, wrongIn } from './demos/rotation/outcome.ts'
import { rotationScenario } from './demos/rotation/scenario.ts'
import { tryLock } from './lock.mjs'
import { rotationDemoFolder } from './paths.ts'
import { openSession, reportFailure, wasStopped } from './session.ts'
import { bringUp, takeDown } from './stack.ts'
import { readStackRecord, stateFileOf } from './state.ts'
import { createTerminal, renderSeconds } from './terminal.mjs'

/** Short enough that every connection has to authenticate again many times while its credential is replaced. */
const maxReauthMs = 10_000

/** Credentials that rotate under running clients, on a stack of their own; resolves to the exit code. */
export const runRotationDemo = async (): Promise<number> => {
  const terminal = createTerminal()
  const { signal } = openSession()
  mkdirSync(dirname(rotationDemoFolder), { recursive: true })
  const lock = tryLock(`${rotationDemoFolder}.lock`)
  if (lock.holder !== undefined) {
    terminal.fail(`another \`npm run demo -- rotation\` runs in this folder (process ${lock.holder.pid})`)
    return 1
  }
  let line = ''
  let code = 1
  try {
    if (readStackRecord(stateFileOf(rotationDemoFolder)) !== undefined)
      await terminal.step('what an earlier run left behind', () => takeDown(rotationDemoFolder))
    const state = await bringUp(terminal, {
      runDirectory: rotationDemoFolder,
      signal,
      maxReauthMs,
    })
    const startedAt = Date.now()
    const report = (text: string) => terminal.line(`  ${renderSeconds(Date.now() - startedAt).padStart(7)}  ${text}`)
    const outcome = await rotationScenario({ state, report, signal })
    terminal.line()
    for (const row of renderTable(outcome)) terminal.line(row)
    line = renderLine(outcome)
    code = wrongIn(outcome).length === 0 ? 0 : 1
  } catch (error) {
    if (wasStopped({ signal })) code = 130
    else reportFailure(terminal, error)
  } finally {
    await terminal.step('stop everything', () => takeDown(rotationDemoFolder))
    lock.release()
  }
  terminal.line()
  terminal.line(line || 'rotation: not shown')
  return code
}
