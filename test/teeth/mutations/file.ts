import type { Mutation } from '../mutation.ts'

const resolve = 'functions/resolve/resolve.ts'
const ruleTests = ['test/domain']
const resolveTests = ['test/functions']
const dialect = 'shared/domain/client-dialect.ts'
const clientFile = 'shared/http/client-file.ts'
const clientForm = 'functions/resolve/client-form.ts'

export const fileMutations: readonly Mutation[] = [
  {
    name: 'a profile may make a client load code',
    edits: [
      {
        file: 'shared/domain/profile.ts',
        find: '  if (codeNames.test(name))',
        replace: '  if (name === codeNames.source)',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a profile may bring an assignor of its own',
    edits: [
      {
        file: 'shared/domain/profile.ts',
        find: "    name === 'partition.assignment.strategy' &&",
        replace: "    name === '' &&",
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a librdkafka client is told what it does not have',
    edits: [
      {
        file: dialect,
        find: "Object.hasOwn(domains, target) ? nearest(each, domains[target] ?? 'text') : undefined",
        replace: "nearest(each, domains[target] ?? 'text')",
      },
    ],
    tests: [...ruleTests, 'test/functions/resolve/client-form.test.ts'],
  },
  {
    name: 'a librdkafka client is told bytes where it counts kilobytes',
    edits: [{ file: dialect, find: 'scaled(value, 1024)', replace: 'scaled(value, 1)' }],
    tests: ruleTests,
  },
  {
    name: 'the JSON answer of a librdkafka client is in the words of Java',
    edits: [{ file: resolve, find: "intent.client.family ?? 'java'", replace: "'java'" }],
    tests: resolveTests,
  },
  {
    name: 'a file is made of the first of several clusters',
    edits: [
      { file: clientForm, find: 'if (only !== undefined && found.length === 1)', replace: 'if (only !== undefined)' },
    ],
    tests: resolveTests,
  },
  {
    name: 'the path of an assertion file is written as it came',
    edits: [
      {
        file: clientForm,
        find: 'if (file === undefined || !isAssertionFile(file))',
        replace: 'if (file === undefined)',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'a 304 keeps a file that was asked for in another way',
    edits: [{ file: resolve, find: '[selected.settings, selected.variant]', replace: '[selected.settings]' }],
    tests: resolveTests,
  },
  {
    name: 'a secret ends its quotes in a file',
    edits: [{ file: clientFile, find: ".replaceAll(/[\\\\\"]/g, '\\\\$&')", replace: '' }],
    tests: ['test/http'],
  },
  {
    name: 'a line of a value is a line of the file',
    edits: [{ file: clientFile, find: 'escapes[unit] ??', replace: "(unit === '\\n' ? unit : undefined) ??" }],
    tests: ['test/http'],
  },
  {
    name: 'what a caller refuses is what it gets',
    edits: [{ file: 'shared/http/accept.ts', find: '    if (quality === 0) continue\n', replace: '' }],
    tests: ['test/http'],
  },
]
