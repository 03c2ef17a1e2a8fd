import { test } from 'vitest'
import { crawlScenario } from '../../local/demos/crawl/scenario.ts'
import { expectDemo } from '../fixtures/demo.ts'

test(
  'what really exists is found, searched, granted, followed when it moves, and taken over',
  () => expectDemo('crawl', crawlScenario, 540_000),
  600_000,
)
