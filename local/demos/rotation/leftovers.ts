import { paginateListSecrets } from '@aws-sdk/client-secrets-manager'
import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from '@platformatic/kafka'
import { createScramAdmin } from '../../../shared/clusters/kafka/scram-admin.ts'
import { slotUser } from '../../../shared/domain/principal.ts'
import { slotNames } from '../../../shared/domain/rotation.ts'
import { slotSecretName } from '../../../shared/secrets/slot-secrets.ts'
import type { KafkaCluster, StackState } from '../../state.ts'
import { adminLogin, clusterOf } from '../admin.ts'
import type { Operator } from '../operator.ts'

/** What is somewhere and nobody answers for, and what should be there and is not; each item by its name. */
export type Difference = { readonly orphans: readonly string[]; readonly missing: readonly string[] }

const prefix = 'sb.'
const kafkaPrincipal = `User:${prefix}`

export const difference = (wanted: ReadonlySet<string>, found: ReadonlySet<string>): Difference => ({
  orphans: [...found].filter((item) => !wanted.has(item)).sort(),
  missing: [...wanted].filter((item) => !found.has(item)).sort(),
})

/** Every user, right and secret of ours that is outside, whoever it is for. */
const outside = async (cluster: KafkaCluster, { secrets }: Operator): Promise<ReadonlySet<string>> => {
  const { name, admin } = cluster
  const users = createScramAdmin(clusterOf(cluster), admin)
  const rules = new Admin({ clientId: 'leftovers', ...adminLogin(cluster) })
  const items = new Set<string>()
  try {
    for (const user of (await users.describe()).keys()) if (user.startsWith(prefix)) items.add(`user ${user}`)
    const found = await rules.describeAcls({
      filter: {
        ...{ resourceType: ResourceTypes.ANY, resourceName: null, resourcePatternType: ResourcePatternTypes.ANY },
        ...{ principal: null, host: null, operation: AclOperations.ANY, permissionType: AclPermissionTypes.ANY },
      },
    })
    for (const { principal } of found.flatMap(({ acls }) => acls))
      if (principal.startsWith(kafkaPrincipal)) items.add(`rights ${principal.slice('User:'.length)}`)
  } finally {
    await users.close()
    await rules.close()
  }
  for await (const { SecretList = [] } of paginateListSecrets({ client: secrets }, {}))
    for (const { Name = '', DeletedDate } of SecretList) {
      if (Name.includes(`/credentials/${name}/`) && DeletedDate === undefined) items.add(`secret ${Name}`)
    }
  return items
}

/** What the store answers for. */
const inside = async (stack: string, cluster: string, { credentials }: Operator): Promise<ReadonlySet<string>> => {
  const stored = await credentials.list(cluster)
  return new Set(
    stored.flatMap(({ credential: { principal, slots } }) => {
      const users = slotNames
        .filter((slot) => slots[slot].state !== 'absent')
        .map((slot) => slotUser(prefix, principal, slot))
      const secret = `secret ${slotSecretName(stack, cluster, principal)}`
      return users.length === 0 ? [] : [secret, ...users.flatMap((user) => [`user ${user}`, `rights ${user}`])]
    }),
  )
}

/**
 * Item by item, what is on the cluster and in Secrets Manager against what the store says. Nothing may be under way: what
 * a step has begun is there before its end is written.
 */
export const compare = async (state: StackState, cluster: 'payments', operator: Operator): Promise<Difference> => {
  const wanted = await inside(state.switchboard.stackName, cluster, operator)
  return difference(wanted, await outside(state.clusters[cluster], operator))
}
