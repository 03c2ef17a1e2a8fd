import { expect, test } from 'vitest'
import { root } from '../local/paths.ts'
import { mutations } from './teeth/mutations.ts'
import { requireBreaks } from './teeth/working-copy.ts'

test('every break that `npm run test:teeth` tries can still be made', () => {
  expect(() => requireBreaks(root, mutations)).not.toThrow()
})
