import type { Edit } from './working-copy.ts'

/** One way in which the source could be wrong, and the tests that should notice. */
export type Mutation = {
  /** What the product then does. */
  readonly name: string
  readonly edits: readonly Edit[]
  /** Files and folders; those that need a stack run last. */
  readonly tests: readonly string[]
}
