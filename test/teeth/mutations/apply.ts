import type { Mutation } from '../mutation.ts'

export const applyMutations: readonly Mutation[] = [
  {
    name: 'apply flips before the access is there',
    edits: [{ file: 'cli/apply.ts', find: '  await waitForAccess(named, hash)\n', replace: '' }],
    tests: ['test/cli'],
  },
  {
    name: 'apply goes on although somebody else was faster',
    edits: [
      {
        file: 'cli/apply.ts',
        find: '  if (!(await directories.swapPointer(revision, { policy: hash, next: undefined, denied }, clock())))\n    throw changedMeanwhile()',
        replace: '  await directories.swapPointer(revision, { policy: hash, next: undefined, denied }, clock())',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'apply loses the deny list',
    edits: [
      {
        file: 'cli/apply.ts',
        find: '{ policy: hash, next: undefined, denied }',
        replace: '{ policy: hash, next: undefined, denied: denied.slice(0, 0) }',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'a policy may hide who gets what behind anchors',
    edits: [{ file: 'cli/policy-file.ts', find: 'if (written !== undefined)', replace: 'if (written === null)' }],
    tests: ['test/cli'],
  },
  {
    name: 'of a key that a policy has twice the last one counts',
    edits: [{ file: 'cli/policy-file.ts', find: 'uniqueKeys: true', replace: 'uniqueKeys: false' }],
    tests: ['test/cli'],
  },
]
