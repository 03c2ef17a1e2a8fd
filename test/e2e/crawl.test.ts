import { expect, test } from 'vitest'
import { crawlScenario } from '../../local/demos/crawl/scenario.ts'
import { renderLine, renderTable, wrongIn } from '../../local/demos/outcome.ts'
import { readStackState } from '../../local/state.ts'

// What `npm run demo -- crawl` shows, on the stack of the tests.

test('what really exists is found, searched, granted, followed when it moves, and taken over', async () => {
  const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
  const startedAt = Date.now()
  const report = (line: string) => process.stdout.write(`${((Date.now() - startedAt) / 1000).toFixed(1)} s  ${line}\n`)

  const outcome = await crawlScenario({ state, report, signal: AbortSignal.timeout(540_000) })

  process.stdout.write(`${[...renderTable(outcome), renderLine('crawl', outcome)].join('\n')}\n`)
  expect(wrongIn(outcome)).toEqual([])
}, 600_000)
