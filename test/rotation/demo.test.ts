import { test } from 'vitest'
import { rotationScenario } from '../../local/demos/rotation/scenario.ts'
import { expectDemo } from '../fixtures/demo.ts'

test(
  'credentials rotate under running clients, through revocation and whatever breaks, and nothing is lost',
  () => expectDemo('rotation', rotationScenario, 1_140_000),
  1_200_000,
)
