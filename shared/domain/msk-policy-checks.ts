import { quoted } from './channel.ts'
import type { Directory } from './directory.ts'
import { maximumRoleName, mskPlaceOf, partitionOf, principalRole, roleNameOf } from './msk-iam.ts'
import { sessionPolicyProblem } from './msk-session-policy.ts'
import { isRegion, type Policy, type PolicyIssue } from './policy.ts'
import { principalsNamedOn } from './reach.ts'

/**
 * What of a policy MSK or AWS would refuse.
 * @param directory the policy, compiled without issues
 */
export const checkMsk = (policy: Policy, directory: Directory): readonly PolicyIssue[] => [
  ...clustersOfMsk(policy),
  ...rolesThatAreTooLong(directory),
  ...sessionsThatDoNotFit(directory),
]

/** MSK is found by its ARN, and takes passwords and its own IAM, but no tokens of another issuer than AWS. */
const clustersOfMsk = ({ clusters }: Policy): readonly PolicyIssue[] =>
  Object.entries(clusters).flatMap(([name, { provider, arn, auth, iam }]): readonly PolicyIssue[] => {
    const path = ['clusters', name]
    const takesIam = auth.includes('msk-iam')
    const iamOfNothing: readonly PolicyIssue[] =
      iam === undefined || takesIam
        ? []
        : [
            {
              path: [...path, 'iam'],
              detail: `\`auth\` of the cluster ${quoted(name)} is ${auth.map(quoted).join(', ')}; allowed: \`iam\` beside \`msk-iam\``,
            },
          ]
    if (provider !== 'msk')
      return [
        ...iamOfNothing,
        ...(arn === undefined
          ? []
          : [
              {
                path: [...path, 'arn'],
                detail: `the provider of ${quoted(name)} is \`${provider}\`; allowed: \`arn\` beside \`provider: msk\``,
              },
            ]),
        ...(takesIam
          ? [
              {
                path: [...path, 'auth'],
                detail: `the provider of ${quoted(name)} is \`${provider}\`; allowed: \`msk-iam\` beside \`provider: msk\``,
              },
            ]
          : []),
      ]
    if (arn === undefined)
      return [
        ...iamOfNothing,
        { path, detail: `the MSK cluster ${quoted(name)} has no \`arn\`; allowed: the ARN of an MSK cluster` },
      ]
    const { partition, region } = mskPlaceOf(arn)
    const isServerless = /-s\d+$/.test(arn)
    const takes: readonly string[] = isServerless ? ['msk-iam'] : ['msk-iam', 'scram']
    return [
      ...iamOfNothing,
      ...(isRegion(region) && partition === partitionOf(region)
        ? []
        : [
            {
              path: [...path, 'arn'],
              detail: `the region of the MSK cluster ${quoted(name)} is ${quoted(region)} of ${quoted(partition)}; allowed: a region such as \`eu-west-1\`, of its own partition`,
            },
          ]),
      ...(auth.every((kind) => takes.includes(kind))
        ? []
        : [
            {
              path: [...path, 'auth'],
              detail: `\`auth\` of the ${isServerless ? 'MSK Serverless' : 'MSK'} cluster ${quoted(name)} is ${auth.map(quoted).join(', ')}; allowed: ${takes.map(quoted).join(', ')}`,
            },
          ]),
    ]
  })

/** IAM knows no role of such a name, so whoever is to be it would be refused at each request. */
const rolesThatAreTooLong = (directory: Directory): readonly PolicyIssue[] =>
  [...directory.clusters.values()].flatMap((cluster): readonly PolicyIssue[] => {
    if (cluster.provider !== 'msk' || cluster.iamRole === undefined) return []
    const template = cluster.iamRole
    const nameFor = (principal: string): string => roleNameOf(principalRole(template, principal))
    const path = ['clusters', cluster.name, 'iam', 'role']
    const allowed = `allowed: ${maximumRoleName}`
    const atLeast = nameFor('a').length
    if (atLeast > maximumRoleName)
      return [
        {
          path,
          detail: `the role ${quoted(roleNameOf(template))} has a name of ${atLeast} characters or more; ${allowed}`,
        },
      ]
    // a grant that has ended may be given again
    return principalsNamedOn(directory, cluster.name, new Date(0)).flatMap((principal) => {
      const name = nameFor(principal)
      return name.length <= maximumRoleName
        ? []
        : [
            {
              path,
              detail: `the role of ${quoted(principal)} is ${quoted(name)}, of ${name.length} characters; ${allowed}`,
            },
          ]
    })
  })

/** Whoever holds these grants could ask for more at once than AWS takes, and be refused although every grant says yes. */
const sessionsThatDoNotFit = (directory: Directory): readonly PolicyIssue[] => {
  const clusters = [...directory.clusters.values()].flatMap((cluster) =>
    cluster.provider === 'msk' && cluster.auth.includes('msk-iam') ? [cluster] : [],
  )
  if (clusters.length === 0) return []
  const named = new Set(directory.grants.flatMap(({ principals = [] }) => principals))
  const labelled = new Map(directory.grants.flatMap(({ labels }) => (labels ? [[JSON.stringify(labels), labels]] : [])))
  const holders = [
    ...[...named].map((name) => ({ name, labels: {}, whose: quoted(name) })),
    ...[...labelled.values()].map((labels) => ({ name: 'anybody', labels, whose: 'whoever has these labels' })),
  ]
  return clusters.flatMap((cluster) =>
    holders.flatMap(({ whose, ...holder }): readonly PolicyIssue[] => {
      const found = sessionPolicyProblem(directory, holder, cluster)
      if (found === undefined) return []
      return [
        {
          path: ['grants', found.grant],
          detail: `${whose} cannot have all that its grants give on the MSK cluster ${quoted(cluster.name)} by IAM: ${found.problem}; allowed: fewer names, or patterns such as \`kafka://acme/orders/**\` whose topics have one prefix`,
        },
      ]
    }),
  )
}
