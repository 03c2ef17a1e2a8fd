import type { Mutation } from '../mutation.ts'

const decide = 'shared/domain/decide.ts'
const requireAccess = 'functions/resolve/require-access.ts'
const reach = 'shared/domain/reach.ts'
const ruleTests = ['test/domain']
const resolveTests = ['test/functions']
const revocation = 'shared/domain/revocation.ts'
const revokeCommand = 'cli/revoke.ts'
const census = 'shared/domain/credential-census.ts'

export const operationsMutations: readonly Mutation[] = [
  {
    name: 'rule 4: whoever is revoked on a cluster gets in there by what it asks for',
    edits: [
      { file: decide, find: 'if (isRevokedOn(denied, principal.name, name))', replace: 'if (denied.length < 0)' },
    ],
    tests: ruleTests,
  },
  {
    name: 'rule 4: whoever is revoked on a cluster gets tokens for it',
    edits: [{ file: reach, find: 'if (isRevokedOn(denied, principal.name, name))', replace: 'if (denied.length < 0)' }],
    tests: resolveTests,
  },
  {
    name: 'whoever is revoked everywhere keeps access to each cluster',
    edits: [
      {
        file: revocation,
        find: '(each.cluster === undefined || each.cluster === cluster)',
        replace: 'each.cluster === cluster',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'a revocation on one cluster is one everywhere',
    edits: [
      {
        file: revocation,
        find: '=> each.principal === principal && each.cluster === undefined)',
        replace: '=> each.principal === principal)',
      },
    ],
    tests: ruleTests,
  },
  {
    name: 'after a restore resolve believes that the access is still there',
    edits: [
      { file: requireAccess, find: 'ready.has(remembered)', replace: 'ready.has(question)' },
      { file: requireAccess, find: 'ready.add(remembered)', replace: 'ready.add(question)' },
    ],
    tests: resolveTests,
  },
  {
    name: 'a revocation queues its work before resolve refuses',
    edits: [
      {
        file: revokeCommand,
        find: '  const { changed } = await changeDenied(directories, (denied) => withRevocation(denied, revocation))\n',
        replace:
          '  await queueWork(principal, await readHeld(principal, clusters, deps), deps)\n  const { changed } = await changeDenied(directories, (denied) => withRevocation(denied, revocation))\n',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'a revocation takes users away before their access',
    edits: [
      {
        file: revokeCommand,
        find: '  for (const { cluster, isManaged, access } of held)\n',
        replace:
          "  for (const { cluster, credential } of held)\n    if (credential !== undefined) await queue.send({ kind: 'credential', cluster, principal })\n  for (const { cluster, isManaged, access } of held)\n",
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'a revocation calls access gone that rotate has yet to look at',
    edits: [
      {
        file: revokeCommand,
        find: 'after.acls.length === 0 && isNewer(before, after)',
        replace: 'after.acls.length === 0',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'a revocation forgets the leases of the seconds before it is known',
    edits: [{ file: revokeCommand, find: '  if (untilRefused > 0) await wait(untilRefused)\n', replace: '' }],
    tests: ['test/cli'],
  },
  {
    name: 'a dead letter is removed before it is queued again',
    edits: [
      {
        file: 'cli/redrive.ts',
        find: '      await queue.send(message)\n      await deadLetters.remove(receiptHandle)\n',
        replace: '      await deadLetters.remove(receiptHandle)\n      await queue.send(message)\n',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'a credential that nobody comes for is not overdue',
    edits: [{ file: census, find: 'if (dueAt !== undefined && isLate(dueAt, lateSeconds)) return true', replace: '' }],
    tests: ruleTests,
  },
  {
    name: 'a credential that fails for ever is not stuck',
    edits: [{ file: census, find: 'if (isStuck(credential, context.policy)) stuck += 1', replace: '' }],
    tests: ruleTests,
  },
  {
    name: 'failures of each reason are in no sum',
    edits: [
      {
        file: 'shared/telemetry.ts',
        find: "dimension !== undefined && isSum ? [['service'], ...dimensions] : dimensions",
        replace: 'isSum ? dimensions : dimensions',
      },
    ],
    tests: ['test/telemetry.test.ts'],
  },
]
