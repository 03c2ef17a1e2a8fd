import { quoted } from './channel.ts'
import type { CredentialKind } from './cluster.ts'
import type { Policy, PolicyIssue } from './policy.ts'

/** What of a policy Confluent Cloud would refuse, or would let somebody be somebody else by. */
export const checkConfluent = (policy: Policy): readonly PolicyIssue[] => [
  ...clustersOfConfluent(policy),
  ...registriesOfConfluent(policy),
]

const ofConfluent = [
  'id',
  'environment',
  'cloudKey',
  'identityProvider',
  'workload',
  'identityPools',
  'serviceAccounts',
] as const
const onlyOnConfluent: readonly CredentialKind[] = ['workload', 'api-key']
const takenByConfluent: readonly CredentialKind[] = ['jwt', ...onlyOnConfluent]

/** The same id for two principals. */
const sharedIds = (path: readonly PropertyKey[], what: string, ids: Readonly<Record<string, string>> = {}) => {
  const owners = new Map<string, string>()
  return Object.entries(ids).flatMap(([principal, id]): readonly PolicyIssue[] => {
    const owner = owners.get(id)
    owners.set(id, owner ?? principal)
    if (owner === undefined) return []
    return [
      {
        path: [...path, principal],
        detail: `the ${what} ${quoted(id)} is that of ${quoted(owner)}; allowed: one of its own, as whoever shares a ${what} has all that the other has`,
      },
    ]
  })
}

/**
 * Confluent Cloud is found by its id; a token is there who its identity pool is, and an API key its service account: so two
 * principals share none.
 */
const clustersOfConfluent = ({ clusters }: Policy): readonly PolicyIssue[] =>
  Object.entries(clusters).flatMap(([name, cluster]): readonly PolicyIssue[] => {
    const path = ['clusters', name]
    const takesKeys = cluster.auth.includes('api-key')
    if (cluster.provider !== 'confluent')
      return [
        ...ofConfluent.flatMap((member) =>
          cluster[member] === undefined
            ? []
            : [
                {
                  path: [...path, member],
                  detail: `the provider of ${quoted(name)} is \`${cluster.provider}\`; allowed: \`${member}\` beside \`provider: confluent\``,
                },
              ],
        ),
        // what else MSK takes is said where MSK is
        ...onlyOnConfluent.flatMap((kind) =>
          cluster.auth.includes(kind) && cluster.provider !== 'msk'
            ? [
                {
                  path: [...path, 'auth'],
                  detail: `the provider of ${quoted(name)} is \`${cluster.provider}\`; allowed: \`${kind}\` beside \`provider: confluent\``,
                },
              ]
            : [],
        ),
      ]
    const issues: PolicyIssue[] = []
    if (cluster.id === undefined)
      issues.push({
        path,
        detail: `the Confluent cluster ${quoted(name)} has no \`id\`; allowed: such as \`lkc-abc123\``,
      })
    if (takesKeys)
      for (const member of ['environment', 'cloudKey'] as const)
        if (cluster[member] === undefined)
          issues.push({
            path,
            detail: `the Confluent cluster ${quoted(name)} takes \`api-key\` and has no \`${member}\`; allowed: ${member === 'environment' ? 'such as `env-abc1`' : '`cloudKey: { secret: <name or ARN> }`, without it nobody can make API keys'}`,
          })
    const takesWorkloads = cluster.auth.includes('workload')
    if (takesWorkloads !== (cluster.workload !== undefined))
      issues.push({
        path: [...path, 'workload'],
        detail: `\`auth\` of the Confluent cluster ${quoted(name)} is ${cluster.auth.map(quoted).join(', ')}; allowed: \`workload\` there and \`workload: { audience, region }\`, or neither`,
      })
    if (takesWorkloads && cluster.auth.includes('jwt'))
      issues.push({
        path: [...path, 'auth'],
        detail: `\`auth\` of the Confluent cluster ${quoted(name)} is ${cluster.auth.map(quoted).join(', ')}; allowed: \`jwt\` or \`workload\`, as an identity pool is of one issuer`,
      })
    if (!cluster.auth.every((kind) => takenByConfluent.includes(kind)))
      issues.push({
        path: [...path, 'auth'],
        detail: `\`auth\` of the Confluent cluster ${quoted(name)} is ${cluster.auth.map(quoted).join(', ')}; allowed: ${takenByConfluent.map(quoted).join(', ')}`,
      })
    return [
      ...issues,
      ...sharedIds([...path, 'identityPools'], 'pool', cluster.identityPools),
      ...sharedIds([...path, 'serviceAccounts'], 'service account', cluster.serviceAccounts),
    ]
  })

/**
 * A registry is known by its id where our tokens reach it through an identity pool, or by API keys where those are all that
 * the cluster takes: who gets no key on the cluster gets none of its registry.
 */
const registriesOfConfluent = ({ clusters }: Policy): readonly PolicyIssue[] =>
  Object.entries(clusters).flatMap(([name, cluster]): readonly PolicyIssue[] => {
    const { provider, auth, credential, schemaRegistry } = cluster
    if (schemaRegistry?.id === undefined) return []
    const path = ['clusters', name, 'schemaRegistry', 'id']
    if (provider !== 'confluent')
      return [
        {
          path,
          detail: `the provider of ${quoted(name)} is \`${provider}\`; allowed: \`secret\`, and \`id\` beside \`provider: confluent\``,
        },
      ]
    if (auth.includes('jwt')) return []
    if (!auth.every((kind) => kind === 'api-key'))
      return [
        {
          path,
          detail: `\`auth\` of the cluster ${quoted(name)} is ${auth.map(quoted).join(', ')}, so that some would have neither a token nor an API key for the registry; allowed: \`secret\`, and \`id\` beside \`jwt\`, or \`api-key\` alone`,
        },
      ]
    if (credential !== 'reference') return []
    return [
      {
        path,
        detail: `\`credential\` of the cluster ${quoted(name)} is \`reference\`, and API keys of a registry are handed out as they are alone; allowed: \`secret\`, and \`id\` beside \`credential: value\``,
      },
    ]
  })
