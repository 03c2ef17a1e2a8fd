import { expect, test } from 'vitest'
import { renderLine, renderTable, wrongIn } from '../../local/demos/outcome.ts'
import { rotationScenario } from '../../local/demos/rotation/scenario.ts'
import { readStackState } from '../../local/state.ts'

// What `npm run demo -- rotation` shows, on the stack of the tests.

test('credentials rotate under running clients, through revocation and whatever breaks, and nothing is lost', async () => {
  const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
  const startedAt = Date.now()
  const report = (line: string) => process.stdout.write(`${((Date.now() - startedAt) / 1000).toFixed(1)} s  ${line}\n`)

  const outcome = await rotationScenario({ state, report, signal: AbortSignal.timeout(1_140_000) })

  process.stdout.write(`${[...renderTable(outcome), renderLine('rotation', outcome)].join('\n')}\n`)
  expect(wrongIn(outcome)).toEqual([])
}, 1_200_000)
