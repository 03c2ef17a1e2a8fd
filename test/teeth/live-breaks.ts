import { isMap, isSeq, parseDocument } from 'yaml'
import { LocalError } from '../../local/errors.ts'
import type { StackState } from '../../local/state.ts'
import { createAclAdmin, type UserAcl } from '../../shared/clusters/kafka/acl-admin.ts'
import { aclKey, computeAccess } from '../../shared/domain/access.ts'
import type { Directory } from '../../shared/domain/directory.ts'
import { kafkaUser } from '../../shared/domain/principal.ts'
import type { Document, LiveStack, RolePolicy } from './live-stack.ts'

/** One way in which a stack that is up could be wrong, and the tests that should notice. */
export type LiveBreak = {
  readonly name: string
  readonly tests: readonly string[]
  readonly apply: () => Promise<void>
  readonly mend: () => Promise<void>
}

const functionTests = ['test/e2e/roles.test.ts']
const roleTests = {
  resolve: functionTests,
  rotate: functionTests,
  operator: [...functionTests, 'test/e2e/identities.test.ts'],
}
const grantTests = ['test/e2e/example-grants.test.ts']

/** What the emulator lets through without asking the role; only the templates' test can hold these. */
const notEvaluated: readonly { readonly action: RegExp; readonly resource?: RegExp }[] = [
  // it delivers logs and traces, and feeds functions from queues, by itself
  { action: /^logs:(CreateLogStream|PutLogEvents)$/ },
  { action: /^xray:/ },
  { action: /^sqs:(ReceiveMessage|DeleteMessage|GetQueueAttributes)$/ },
  // it does not ask the key that a secret is encrypted with
  { action: /^kms:/ },
  // it knows log groups by their ARN without the end
  { action: /^logs:FilterLogEvents$/, resource: /:\*$/ },
]

const isEvaluated = (action: string, resource: string): boolean =>
  !notEvaluated.some((rule) => rule.action.test(action) && (rule.resource?.test(resource) ?? true))

const listed = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T])

/** The last part of an ARN that a person knows it by. */
const resourceName = (resource: string, { switchboard }: StackState): string => {
  const { DirectoryTableName, LeasesTableName, AccessTableName, QueueUrl, SigningKeySecretArn } = switchboard.outputs
  if (resource === SigningKeySecretArn) return 'the signing keys'
  if (QueueUrl?.endsWith(`/${resource.split(':').at(-1)}`)) return 'the queue'
  const names = { directory: DirectoryTableName, leases: LeasesTableName, access: AccessTableName }
  const table = Object.entries(names).find(([, name]) => name !== undefined && resource.endsWith(`/${name}`))
  return table?.[0] ?? resource.split(/:(?=[^:]*$)/).at(-1) ?? resource
}

const without = (document: Document, statementAt: number, action: string): Document => ({
  ...document,
  Statement: document.Statement.flatMap((statement, at) => {
    if (at !== statementAt) return [statement]
    const left = listed(statement.Action).filter((each) => each !== action)
    return left.length === 0 ? [] : [{ ...statement, Action: left }]
  }),
})

type Permission = {
  readonly policy: RolePolicy
  readonly statementAt: number
  readonly action: string
  readonly resource: string
}

const permissionsOf = (policy: RolePolicy): readonly Permission[] =>
  policy.document.Statement.flatMap((statement, statementAt) =>
    listed(statement.Action).map((action) => ({
      policy,
      statementAt,
      action,
      resource: listed(statement.Resource)[0] ?? '',
    })),
  )

/** Every action that a deployed role may do, taken away; `unseen` are those that nothing here can notice. */
export const permissionBreaks = (
  state: StackState,
  stack: LiveStack,
  policies: readonly RolePolicy[],
): { readonly breaks: readonly LiveBreak[]; readonly unseen: readonly string[] } => {
  const policyText = stack.policyText()
  const permissions = policies.flatMap(permissionsOf)
  const nameOf = ({ policy, action, resource }: Permission): string =>
    `${policy.role} may not ${action} on ${resourceName(resource, state)}`
  return {
    unseen: permissions.filter(({ action, resource }) => !isEvaluated(action, resource)).map(nameOf),
    breaks: permissions
      .filter(({ action, resource }) => isEvaluated(action, resource))
      .map((permission) => ({
        name: nameOf(permission),
        tests: roleTests[permission.policy.role],
        apply: async () => {
          const { policy, statementAt, action } = permission
          await stack.putRolePolicy(policy, without(policy.document, statementAt, action))
          await stack.startAfresh()
        },
        mend: async () => {
          await stack.putRolePolicy(permission.policy, permission.policy.document)
          await stack.startAfresh()
          // without the permission the tests may not have been able to put the policy back
          await stack.apply(policyText)
        },
      })),
  }
}

/** Who the example policy is about, by name or by the label that `local/issuer-claims.ts` gives them. */
const examplePrincipals = [
  {
    name: 'orders-api',
    labels: { team: 'payments' },
    intent: { produce: ['kafka://payments.acme.com/orders/created'] },
  },
  { name: 'billing', labels: { team: 'finance' }, intent: { consume: ['kafka://payments.acme.com/orders/created'] } },
  {
    name: 'reporting',
    labels: { team: 'analytics' },
    intent: { consume: ['kafka://payments.acme.com/reports/daily'] },
  },
] as const

/** Has the access of everybody in the example made, so that it can be taken away. */
export const meetEverybody = async (stack: LiveStack): Promise<void> => {
  for (const { name, intent } of examplePrincipals) await stack.meet(name, intent)
}

const onCluster = async (
  state: StackState,
  directory: Directory,
  name: string,
  run: (admin: ReturnType<typeof createAclAdmin>) => Promise<void>,
): Promise<void> => {
  const cluster = directory.clusters.get(name)
  if (cluster === undefined || (name !== 'payments' && name !== 'analytics'))
    throw new LocalError(`the example has no cluster \`${name}\``)
  const admin = createAclAdmin(cluster, state.clusters[name].admin)
  try {
    await run(admin)
  } finally {
    await admin.close()
  }
}

/** Every ACL that Switchboard makes for the example policy, deleted on the broker. */
export const aclBreaks = (state: StackState, directory: Directory): readonly LiveBreak[] =>
  [...directory.clusters.keys()].flatMap((cluster) =>
    examplePrincipals.flatMap(({ name, labels }) =>
      // the example's ACLs are prefixes and groups, so which topics there are does not matter
      computeAccess(directory, cluster, { name, labels }, new Set(), new Date()).map((acl): LiveBreak => {
        const entry: UserAcl = { user: kafkaUser(directory.kafkaUserPrefix, name), acl }
        return {
          name: `${cluster}: no ACL ${aclKey(acl)} of ${entry.user}`,
          tests: grantTests,
          apply: () =>
            onCluster(state, directory, cluster, async (admin) => {
              const present = (await admin.describe([entry.user])).get(entry.user) ?? []
              if (!present.some((other) => aclKey(other) === aclKey(acl)))
                throw new LocalError(`\`${entry.user}\` has no ACL \`${aclKey(acl)}\` on \`${cluster}\` to take away`)
              await admin.remove([entry])
              await admin.settled([], [entry])
            }),
          mend: () =>
            onCluster(state, directory, cluster, async (admin) => {
              await admin.create([entry])
              await admin.settled([entry], [])
            }),
        }
      }),
    ),
  )

/** Every grant of the example policy, taken out of it. */
export const grantBreaks = (stack: LiveStack): readonly LiveBreak[] => {
  const text = stack.policyText()
  const grants = parseDocument(text).get('grants')
  if (!isSeq(grants)) throw new LocalError('the example policy has no `grants`')
  return grants.items.map((item, index): LiveBreak => {
    const principals = isMap(item) ? item.get('principals') : undefined
    return {
      name: `grants[${index}] is gone (${JSON.stringify(principals)})`,
      tests: grantTests,
      apply: async () => {
        const policy = parseDocument(text)
        policy.deleteIn(['grants', index])
        await stack.apply(policy.toString({ lineWidth: 0 }))
        await stack.startAfresh()
      },
      mend: async () => {
        await stack.apply(text)
        await stack.startAfresh()
        await meetEverybody(stack)
      },
    }
  })
}
