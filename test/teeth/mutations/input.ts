import type { Mutation } from '../mutation.ts'

const inputTests = ['test/http', 'test/domain', 'test/functions']

export const inputMutations: readonly Mutation[] = [
  {
    name: 'of a member that a body has twice the last one counts',
    edits: [
      {
        file: 'shared/http/strict-json.ts',
        find: 'if (current.names.has(name)) return',
        replace: 'if (name === null) return',
      },
    ],
    tests: inputTests,
  },
  {
    name: 'a body may nest without end',
    edits: [
      {
        file: 'shared/http/strict-json.ts',
        find: 'if (path.length === maximumDepth) return',
        replace: 'if (path.length < 0) return',
      },
    ],
    tests: inputTests,
  },
  {
    name: 'a body may be of any size',
    edits: [{ file: 'shared/http/request.ts', find: 'if (bytes > maximumBodyBytes)', replace: 'if (bytes < 0)' }],
    tests: inputTests,
  },
  {
    name: 'a channel may have dot segments',
    edits: [
      {
        file: 'shared/domain/channel.ts',
        find: "literalSegment.test(part) && part !== '.' && part !== '..'",
        replace: 'literalSegment.test(part)',
      },
    ],
    tests: inputTests,
  },
  {
    name: 'a channel is folded to lower case',
    edits: [
      {
        file: 'shared/domain/channel.ts',
        find: "const [domain = '', ...parts] = text.slice(scheme.length).split('/')",
        replace: "const [domain = '', ...parts] = text.toLowerCase().slice(scheme.length).split('/')",
      },
    ],
    tests: inputTests,
  },
  {
    name: 'an intent may ask for any number of channels',
    edits: [
      {
        file: 'shared/domain/intent.ts',
        find: 'const maximumChannels = 100',
        replace: 'const maximumChannels = 100_000',
      },
    ],
    tests: inputTests,
  },
  {
    name: 'two rotations of a client at once: one secret is lost',
    edits: [
      {
        file: 'shared/store/client-store.ts',
        find: "version === 0 ? 'attribute_not_exists(pk)' : 'version = :version'",
        replace: "version === 0 ? 'attribute_not_exists(nothing)' : 'version = :version OR attribute_exists(pk)'",
      },
    ],
    tests: ['test/store', 'test/contracts', 'test/cli'],
  },
]
