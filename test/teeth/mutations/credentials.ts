import type { Mutation } from '../mutation.ts'

const rotation = 'shared/domain/rotation.ts'
const leaseSlots = 'shared/domain/lease-slots.ts'
const kafkaUsers = 'shared/domain/kafka-users.ts'
const executor = 'functions/rotate/rotate-credential.ts'
const sweep = 'functions/rotate/sweep.ts'
const inForce = 'functions/rotate/in-force.ts'
const revokeAccess = 'functions/rotate/revoke-access.ts'
const slotSecrets = 'shared/secrets/slot-secrets.ts'
const scramBackend = 'shared/clusters/kafka/scram-backend.ts'
const scramAdmin = 'shared/clusters/kafka/scram-admin.ts'

const machineTests = ['test/domain/rotation.test.ts', 'test/domain/rotation.property.test.ts']
const executorTests = [
  'test/functions/rotate/rotate-credential.test.ts',
  'test/functions/rotate/rotate-faults.test.ts',
  'test/functions/rotate/rotate-crash.test.ts',
]
const secretTests = ['test/secrets/slot-secrets.test.ts', 'test/functions/rotate/rotate-faults.test.ts']
const backendTests = ['test/contracts/scram-backend.test.ts', 'test/contracts/strangers.test.ts']

export const credentialMutations: readonly Mutation[] = [
  {
    name: 'credentials: a slot is handed out before its time is over',
    edits: [{ file: rotation, find: 'after(toldAt, propagationSeconds + skewSeconds)', replace: 'after(toldAt, 0)' }],
    tests: machineTests,
  },
  {
    name: 'credentials: a slot is taken away while leases name it',
    edits: [{ file: rotation, find: "work('fence', draining, true)", replace: "work('fence', draining)" }],
    tests: machineTests,
  },
  {
    name: 'credentials: a slot that replaced another drops it at once',
    edits: [{ file: rotation, find: "...move(before, 'draining', now)", replace: "...move(before, 'fenced', now)" }],
    tests: machineTests,
  },
  {
    name: 'credentials: the name of a removed slot is used again while its removal is on its way',
    edits: [
      {
        file: rotation,
        find: 'generation === 0 ? since : after(since, propagationSeconds + skewSeconds)',
        replace: 'since',
      },
    ],
    tests: machineTests,
  },
  {
    name: 'credentials: two work on one at once, for a claim ends by the fastest clock',
    edits: [{ file: rotation, find: 'after(claim.until, context.clock.skewSeconds)', replace: 'claim.until' }],
    tests: machineTests,
  },
  {
    name: 'credentials: a failure is repeated at once',
    edits: [
      { file: rotation, find: 'if (failures !== undefined && context.now < failures.retryAt)', replace: 'if (false)' },
    ],
    tests: machineTests,
  },
  {
    name: 'credentials: a revocation waits for leases',
    edits: [
      {
        file: rotation,
        find: "if (slot !== undefined) return work('fence', slot)",
        replace: "if (slot !== undefined) return work('fence', slot, true)",
      },
    ],
    tests: machineTests,
  },
  {
    name: 'credentials: what a login showed to be wrong is handed out',
    edits: [
      {
        file: rotation,
        find: 'active !== undefined && isSound(credential.slots[active]) ? active : undefined',
        replace: 'active',
      },
    ],
    tests: machineTests,
  },
  {
    name: 'credentials: the leases cannot be read, and a slot is taken away on a guess',
    edits: [{ file: executor, find: "return { reason: 'leases_unavailable', error }", replace: "return 'done'" }],
    tests: executorTests,
  },
  {
    name: 'credentials: a step outside begins before it is claimed',
    edits: [
      {
        file: executor,
        find: 'if (after === undefined) return {}\n      return { next: { ...after,',
        replace: 'return { next: { ...(after ?? held),',
      },
    ],
    tests: executorTests,
  },
  {
    name: 'credentials: somebody else’s Kafka user is taken over',
    edits: [
      { file: executor, find: "if (found.outcome === 'free') return 'done'", replace: "if (found) return 'done'" },
    ],
    tests: executorTests,
  },
  {
    name: 'credentials: the ACLs of somebody else’s Kafka user are taken away',
    edits: [{ file: kafkaUsers, find: '.generation > 0', replace: '.generation >= 0' }],
    tests: ['test/functions/rotate/rotate-faults.test.ts'],
  },
  {
    name: 'credentials: users go before their rights',
    edits: [
      {
        file: executor,
        find: `        await applyAccess(clusterName, principalsOf(removes))
        await failAll(removes, results, () => remove(removes, results), 'cluster_unavailable')`,
        replace: `        await failAll(removes, results, () => remove(removes, results), 'cluster_unavailable')
        await applyAccess(clusterName, principalsOf(removes))`,
      },
    ],
    tests: executorTests,
  },
  {
    name: 'credentials: the secret stays when its user is gone',
    edits: [
      {
        file: executor,
        find: 'if (!isReason(result)) await secrets.removeSlot(item.credential, item.work.slot)',
        replace: 'void secrets',
      },
    ],
    tests: executorTests,
  },
  {
    name: 'credentials: nobody is told that what is handed out does not work',
    edits: [{ file: executor, find: 'telemetry.count(metricNames.activeSlotBroken)', replace: 'void metricNames' }],
    tests: executorTests,
  },
  {
    name: 'credentials: a password is written over one that somebody saved a moment before',
    edits: [{ file: slotSecrets, find: 'tokenAfter(name, found.version)', replace: "randomBytes(32).toString('hex')" }],
    tests: secretTests,
  },
  {
    name: 'credentials: every attempt has a password of its own',
    edits: [
      {
        file: slotSecrets,
        find: 'if (there?.generation === generation) {',
        replace: 'if (there?.generation === -1) {',
      },
    ],
    tests: secretTests,
  },
  {
    name: 'credentials: the next slot’s password replaces that of the one that is handed out',
    edits: [{ file: slotSecrets, find: 'const isKept = each !== slot && ', replace: 'const isKept = false && ' }],
    tests: secretTests,
  },
  {
    name: 'credentials: a secret goes while the other slot needs it',
    edits: [
      {
        file: slotSecrets,
        find: "if (credential.slots[otherSlot(slot)].state === 'absent') await deleteSecret(name)",
        replace: 'await deleteSecret(name)',
      },
    ],
    tests: secretTests,
  },
  {
    name: 'credentials: two stacks in one account have the same secrets',
    edits: [{ file: slotSecrets, find: 'slotSecretName(stack, cluster', replace: "slotSecretName('prod', cluster" }],
    tests: secretTests,
  },
  {
    name: 'credentials: a sweep forgets whose cluster is due',
    edits: [{ file: sweep, find: '...byCluster(due)', replace: '...[...byCluster(due)].slice(0, 1)' }],
    tests: ['test/functions/rotate/sweep.test.ts'],
  },
  {
    name: 'credentials: a sweep takes only as many as one message has',
    edits: [{ file: sweep, find: 'principals.length / messageSize', replace: '1' }],
    tests: ['test/functions/rotate/sweep.test.ts'],
  },
  {
    name: 'credentials: a sweep that did not run is not missed',
    edits: [{ file: sweep, find: '    telemetry.count(metricNames.swept)\n', replace: '    void metricNames\n' }],
    tests: ['test/functions/rotate/sweep.test.ts'],
  },
  {
    name: 'credentials: what the policy before the next one wants is taken away',
    edits: [{ file: inForce, find: '[policy, next].filter', replace: '[next ?? policy].filter' }],
    tests: ['test/functions/rotate/in-force.test.ts'],
  },
  {
    name: 'credentials: a policy that could not be read once is never read again',
    edits: [{ file: inForce, find: '      compiled = new Map()\n', replace: '' }],
    tests: ['test/functions/rotate/in-force.test.ts'],
  },
  {
    name: 'credentials: a lease keeps a slot that holds another password by now',
    edits: [{ file: leaseSlots, find: ' && credential.slots[slot].generation === generation,\n', replace: ',\n' }],
    tests: ['test/domain/lease-slots.test.ts'],
  },
  {
    name: 'credentials: who says that it moved to what it never had loses what it has',
    edits: [{ file: leaseSlots, find: 'works.some(({ slot }) => slot === moved) ?', replace: 'moved !== undefined ?' }],
    tests: ['test/domain/lease-slots.test.ts'],
  },
  {
    name: 'credentials: a revocation on one cluster takes access of somebody who is not revoked',
    edits: [
      {
        file: revokeAccess,
        find: 'principals.filter((principal) => isRevokedOn(denied, principal, clusterName))',
        replace: '[...principals]',
      },
    ],
    tests: ['test/functions/rotate/revoke-access.test.ts'],
  },
  {
    name: 'credentials: a user that is there already is not seen',
    edits: [{ file: scramBackend, find: "there.has(name) ? 'taken' : 'free'", replace: "'free'" }],
    tests: backendTests,
  },
  {
    name: 'credentials: a user that is gone cannot be removed',
    edits: [{ file: scramAdmin, find: '(isRemoval && error.apiId === missing)', replace: 'false' }],
    tests: backendTests,
  },
]
