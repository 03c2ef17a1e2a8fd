import { expect, test } from 'vitest'
import { renderLine, renderTable, wrongIn } from '../../local/demos/outcome.ts'
import { providersScenario } from '../../local/demos/providers/scenario.ts'
import { readStackState } from '../../local/state.ts'

// What `npm run demo -- providers` shows, on the stack of the tests.

test('three kinds of clusters are one answer, each lets in and refuses, and a channel moves from one to another', async () => {
  const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
  const startedAt = Date.now()
  const report = (line: string) => process.stdout.write(`${((Date.now() - startedAt) / 1000).toFixed(1)} s  ${line}\n`)

  const outcome = await providersScenario({ state, report, signal: AbortSignal.timeout(270_000) })

  process.stdout.write(`${[...renderTable(outcome), renderLine('providers', outcome)].join('\n')}\n`)
  expect(wrongIn(outcome)).toEqual([])
}, 300_000)
