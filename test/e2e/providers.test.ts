import { test } from 'vitest'
import { providersScenario } from '../../local/demos/providers/scenario.ts'
import { expectDemo } from '../fixtures/demo.ts'

test(
  'three kinds of clusters are one answer, each lets in and refuses, and a channel moves from one to another',
  () => expectDemo('providers', providersScenario, 540_000),
  600_000,
)
