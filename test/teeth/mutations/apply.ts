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
        find: '      if (current.policy !== before || current.next !== hash) throw changedMeanwhile()\n',
        replace: '',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'apply loses the deny list',
    edits: [
      {
        file: 'cli/apply.ts',
        find: '      return { policy: hash, next: undefined }',
        replace: '      return { policy: hash, next: undefined, denied: [] }',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'who changes the pointer does not look whether somebody else was faster',
    edits: [
      {
        file: 'shared/store/change-pointer.ts',
        find: '    if (await directories.swapPointer(pointer.revision, next, appliedAt)) return',
        replace: '    if ((await directories.swapPointer(pointer.revision, next, appliedAt)) || attempt > 0) return',
      },
    ],
    tests: ['test/cli', 'test/store'],
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
