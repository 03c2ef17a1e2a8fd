import type { Mutation } from '../mutation.ts'

const leaseStore = 'shared/store/lease-store.ts'
const directoryStore = 'shared/store/directory-store.ts'
const documents = 'shared/store/documents.ts'
const accessStore = 'shared/store/access-store.ts'
const resolveTests = ['test/functions']
const storeTests = ['test/store', 'test/contracts']

export const storeMutations: readonly Mutation[] = [
  {
    name: 'a lease that has ended can be renewed',
    edits: [
      {
        file: leaseStore,
        find: "'attribute_exists(principal) AND expiresAt > :now'",
        replace: "'attribute_exists(principal) AND (expiresAt > :now OR expiresAt <= :now)'",
      },
    ],
    tests: storeTests,
  },
  {
    name: 'a principal holds more leases than its cap',
    edits: [
      {
        file: leaseStore,
        find: "'attribute_not_exists(held) OR held < :maximum'",
        replace: "'attribute_not_exists(held) OR held < :maximum OR held >= :maximum'",
      },
    ],
    tests: storeTests,
  },
  {
    name: 'ended leases count against the cap for ever',
    edits: [
      { file: leaseStore, find: 'if (unexpired >= maximum) return false', replace: 'if (unexpired >= 0) return false' },
    ],
    tests: storeTests,
  },
  {
    name: '304 although the credential ends before the next refresh',
    edits: [
      {
        file: leaseStore,
        find: 'AND credentialExpiresAt > :lives`',
        replace: 'AND (credentialExpiresAt > :lives OR credentialExpiresAt <= :lives)`',
      },
    ],
    tests: storeTests,
  },
  {
    name: '304 for a lease that was told something else',
    edits: [{ file: leaseStore, find: 'AND etag = :etag AND', replace: 'AND (etag = :etag OR etag <> :etag) AND' }],
    tests: storeTests,
  },
  {
    name: 'two applies at once: the second overwrites the first',
    edits: [
      {
        file: directoryStore,
        find: "const isExpected = 'revision = :expected'",
        replace: "const isExpected = 'revision = :expected OR attribute_exists(pk)'",
      },
    ],
    tests: storeTests,
  },
  {
    name: 'two first applies at once: the second overwrites the first',
    edits: [
      {
        file: directoryStore,
        find: "const isFirst = 'attribute_not_exists(revision)'",
        replace: "const isFirst = 'attribute_not_exists(nothing)'",
      },
    ],
    tests: storeTests,
  },
  {
    name: 'the head of a policy is written before its chunks',
    edits: [
      {
        file: documents,
        find: '    for (let index = 0; index < chunks; index++)\n      await dynamo.send(\n        new PutCommand({',
        replace: `    await dynamo.send(
      new UpdateCommand({
        TableName: table,
        Key: { pk: \`\${kind}#\${address}\`, sk: 'head' },
        UpdateExpression: 'SET chunks = :chunks',
        ExpressionAttributeValues: { ':chunks': chunks },
      }),
    )
    for (let index = 0; index < chunks; index++)
      await dynamo.send(
        new PutCommand({`,
      },
    ],
    tests: storeTests,
  },
  {
    name: 'a policy is read whatever its bytes are',
    edits: [{ file: documents, find: 'if (contentAddress(text) !== address)', replace: "if (address === '')" }],
    tests: storeTests,
  },
  {
    name: 'a policy is read with chunks missing',
    edits: [
      {
        file: documents,
        find: 'if (count === undefined || chunks.length !== count)',
        replace: "if (address === '')",
      },
      { file: documents, find: 'if (contentAddress(text) !== address)', replace: "if (address === '')" },
    ],
    tests: storeTests,
  },
  {
    name: 'every waiting client fills the queue',
    edits: [
      {
        file: accessStore,
        find: "const askedLongAgo = 'requestedAt <= :before'",
        replace: "const askedLongAgo = 'requestedAt <= :before OR requestedAt > :before'",
      },
    ],
    tests: storeTests,
  },
  {
    name: 'a directory is served for ever while the pointer cannot be read',
    edits: [
      {
        file: 'shared/store/directory-cache.ts',
        find: 'timeSince(checkedAt) > serveStaleMs',
        replace: 'checkedAt === Number.POSITIVE_INFINITY',
      },
    ],
    tests: ['test/store', 'test/functions'],
  },
  {
    name: 'a directory is served for longer by a clock that was set back',
    edits: [
      {
        file: 'shared/store/directory-cache.ts',
        find: 'Math.abs(clock().getTime() - at)',
        replace: '(clock().getTime() - at)',
      },
    ],
    tests: ['test/store'],
  },
  {
    name: 'a store that is throttled looks like a fault of ours',
    edits: [{ file: 'functions/resolve/outage.ts', find: '    throttledOrLate.has(name) ||\n', replace: '' }],
    tests: resolveTests,
  },
  {
    name: 'a transaction that was throttled looks like a fault of ours',
    edits: [{ file: 'functions/resolve/outage.ts', find: 'cancelledForNow.has(', replace: "[''].includes(" }],
    tests: resolveTests,
  },
  {
    name: 'a request waits for a store until the gateway gives up',
    edits: [{ file: 'functions/resolve/handler.ts', find: '>(inTime)', replace: '>()' }],
    tests: resolveTests,
  },
  {
    name: 'no tokens while Secrets Manager is down, though the key is held',
    edits: [
      {
        file: 'shared/secrets/signing-key-cache.ts',
        find: '      onStale(error)\n',
        replace: '      held = undefined\n      onStale(error)\n',
      },
    ],
    tests: ['test/secrets', 'test/functions'],
  },
]
