import type { Mutation } from '../mutation.ts'

const applyAccess = 'functions/rotate/apply-access.ts'
const signingKey = 'shared/domain/signing-key.ts'
const signingKeyStore = 'shared/secrets/signing-key-store.ts'
const rotateSigningKeys = 'functions/rotate/rotate-signing-keys.ts'
const resolveTests = ['test/functions']
const keyTests = ['test/secrets', 'test/functions/rotate']

export const rotateMutations: readonly Mutation[] = [
  {
    name: 'rotate reports access before brokers show it',
    edits: [{ file: applyAccess, find: '      await admin.settled(add, remove)\n', replace: '' }],
    tests: resolveTests,
  },
  {
    name: 'rotate takes away before it gives',
    edits: [
      {
        file: applyAccess,
        find: '      await admin.create(add)\n      await admin.remove(remove)\n',
        replace: '      await admin.remove(remove)\n      await admin.create(add)\n',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'rotate leaves a denied principal its access',
    edits: [{ file: applyAccess, find: 'isRevokedOn(denied, principal, clusterName)', replace: "principal === ''" }],
    tests: resolveTests,
  },
  {
    name: 'rotate forgets the policy in force while the next one is prepared',
    edits: [
      {
        file: 'functions/rotate/in-force.ts',
        find: '[policy, next].filter((hash) => hash !== undefined)',
        replace: '[next ?? policy].filter((hash) => hash !== undefined)',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'rotate drops a message that failed',
    edits: [
      {
        file: 'functions/rotate/handler.ts',
        find: 'return { batchItemFailures: failed.map(',
        replace: 'return { batchItemFailures: failed.slice(0, 0).map(',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'rotate leaves a failed message to the whole visibility timeout',
    edits: [
      {
        file: 'functions/rotate/handler.ts',
        find: 'await postpone(failed, queue, telemetry)',
        replace: 'await postpone([], queue, telemetry)',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'a second `ensure-keys` replaces the signing key',
    edits: [
      {
        file: signingKeyStore,
        find: '    ensure: async (generation, now) => {\n      if ((await readSecret()) !== undefined) return false',
        replace: '    ensure: async (generation, now) => {\n      if ((await readSecret()) === null) return false',
      },
    ],
    tests: keyTests,
  },
  {
    name: 'a signing key signs before every broker has read it',
    edits: [{ file: rotateSigningKeys, find: "    if (!isSettled) return 'unreachable'\n", replace: '' }],
    tests: keyTests,
  },
  {
    name: 'access that an older look wanted outlives a revocation beside it',
    edits: [
      {
        file: applyAccess,
        find: 'acls.length > 0 && isRevokedOn(deniedNow',
        replace: 'acls.length < 0 && isRevokedOn(deniedNow',
      },
    ],
    tests: ['test/functions/rotate/revoke-access.test.ts'],
  },
  {
    name: 'a signing key leaves the JWKS while its tokens live',
    edits: [
      {
        file: rotateSigningKeys,
        find: 'work.unlessLeased && clock() < retiredAt(',
        replace: "slot === 'a' && clock() < retiredAt(",
      },
    ],
    tests: keyTests,
  },
  {
    name: 'a signing key is believed to sign before the secret says so',
    edits: [
      {
        file: rotateSigningKeys,
        find: "if ((await keys.activate(slot, generation)) === 'lost')",
        replace: 'if (keys === undefined)',
      },
    ],
    tests: keyTests,
  },
  {
    name: 'a rotation removes the key that signs',
    edits: [
      { file: signingKeyStore, find: '          kid === secret.active || kept.some(', replace: '          kept.some(' },
    ],
    tests: keyTests,
  },
  {
    name: 'the next signing key is made again whenever it is asked for',
    edits: [
      {
        file: signingKeyStore,
        find: "if (find(secret, slot, generation) !== undefined) return 'done'",
        replace: "if (find(secret, slot, generation) === null) return 'done'",
      },
    ],
    tests: keyTests,
  },
  {
    name: 'a stolen signing key is still published after it was replaced',
    edits: [
      {
        file: signingKeyStore,
        find: '      await write({ active: key.kid, keys: [key] })\n      return true',
        replace: '      await write({ active: key.kid, keys: [...(secret?.keys ?? []), key] })\n      return true',
      },
    ],
    tests: keyTests,
  },
  {
    name: 'the same message replaces the signing keys again',
    edits: [
      {
        file: signingKeyStore,
        find: 'if (!ring?.keys.some(({ kid }) => kids.includes(kid))) return false',
        replace: 'if (ring === undefined || kids.length === 0) return false',
      },
    ],
    tests: keyTests,
  },
  {
    name: 'a lost state of the signing keys is never found again',
    edits: [
      {
        file: rotateSigningKeys,
        find: 'if (before !== undefined && isExplained(before, ring)) return isNew',
        replace: 'if (before !== undefined) return isNew',
      },
    ],
    tests: keyTests,
  },
  {
    name: 'the clock of the signing keys forgets how often resolve reads them',
    edits: [
      {
        file: signingKey,
        find: '    given.readEverySeconds + given.jwksMaxAgeSeconds +',
        replace: '    given.jwksMaxAgeSeconds +',
      },
    ],
    tests: ['test/domain', ...keyTests],
  },
  {
    name: 'a key signs that Confluent Cloud has not read',
    edits: [
      {
        file: rotateSigningKeys,
        find: "state === 'settling' && (await tellReaders()).some((read) => !read.has(key.kid))",
        replace: "state === 'absent'",
      },
    ],
    tests: keyTests,
  },
  {
    name: 'a key signs although Confluent Cloud was shown older ones',
    edits: [{ file: rotateSigningKeys, find: '.some((read) => !read.has(key.kid))', replace: '.length < 0' }],
    tests: keyTests,
  },
  {
    name: 'a key that is replaced at once is not told to Confluent Cloud',
    edits: [{ file: rotateSigningKeys, find: 'if (atOnce && (await tellReaders())', replace: 'if (atOnce && []' }],
    tests: keyTests,
  },
  {
    name: 'a key that is replaced at once stays at Confluent Cloud',
    edits: [
      { file: rotateSigningKeys, find: '.some((read) => kids.some((kid) => read.has(kid)))', replace: '.length < 0' },
    ],
    tests: keyTests,
  },
]
