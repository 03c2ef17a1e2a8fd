import type { Mutation } from '../mutation.ts'

const keepFresh = 'sdk/js/src/lib/keep-fresh.ts'

export const sdkMutations: readonly Mutation[] = [
  {
    name: 'the SDK asks twice at once',
    edits: [{ file: keepFresh, find: 'if (underWay || signal.aborted) return', replace: 'if (signal.aborted) return' }],
    tests: ['sdk/js/test'],
  },
  {
    name: 'the SDK goes on asking after it was closed',
    edits: [
      { file: keepFresh, find: 'if (underWay || signal.aborted) return', replace: 'if (underWay) return' },
      { file: keepFresh, find: '    cancelTimer()\n    if (signal.aborted) return\n', replace: '    cancelTimer()\n' },
      { file: keepFresh, find: '      cancelTimer()\n      for (const', replace: '      for (const' },
    ],
    tests: ['sdk/js/test'],
  },
  {
    name: 'the SDK hands out a token that has ended',
    edits: [
      {
        file: keepFresh,
        find: 'return credential && isGood(credential.expiresAt.getTime()) ? credential.token : undefined',
        replace: 'return credential?.token',
      },
    ],
    tests: ['sdk/js/test'],
  },
  {
    name: 'an error of the SDK shows the token that it sent',
    edits: [
      {
        file: 'sdk/js/src/lib/resolve.ts',
        find: "text.replaceAll(token, '[token]').slice(0, 1_000)",
        replace: "text.replaceAll('[token]', token).slice(0, 1_000)",
      },
    ],
    tests: ['sdk/js/test'],
  },
  {
    name: 'the SDK does not tell clients that a channel of theirs is elsewhere',
    edits: [
      {
        file: keepFresh,
        find: ' || !isSameLogin(old.credential, now.credential) || !hasStayed(old, now)',
        replace: ' || !isSameLogin(old.credential, now.credential)',
      },
    ],
    tests: ['sdk/js/test'],
  },
  {
    name: 'a client that does not come back from its close keeps its slot for ever',
    edits: [{ file: 'sdk/js/src/keep-client.ts', find: 'await closeInTime(client)', replace: 'await close(client)' }],
    tests: ['sdk/js/test'],
  },
  {
    name: 'a client that is kept for a channel is where the channel went first',
    edits: [
      {
        file: 'sdk/js/src/keep-client.ts',
        find: ' || (channel !== undefined && underWay !== undefined)',
        replace: '',
      },
    ],
    tests: ['sdk/js/test'],
  },
  {
    name: 'kafkajs authenticates twice within a second at the end of a token',
    edits: [
      {
        file: 'sdk/js/src/kafkajs.ts',
        find: 'const reauthenticationThreshold = 750',
        replace: 'const reauthenticationThreshold = 3_000',
      },
    ],
    tests: ['sdk/js/test'],
  },
]
