import { AclOperations, AclPermissionTypes, type Admin, ResourcePatternTypes, ResourceTypes } from '@platformatic/kafka'

/*
 * Users and ACLs as people make them over the years, one kind of them each: by name, by prefix, by everything, taken away
 * again, for everybody, and with rights that no grant says.
 */

type Rule = {
  readonly resource: 'TOPIC' | 'GROUP' | 'TRANSACTIONAL_ID'
  readonly operation: 'READ' | 'WRITE' | 'ALL' | 'DESCRIBE' | 'ALTER'
  readonly name: string
  readonly isPrefix?: boolean
  readonly isDenial?: boolean
}

export const topics = ['sales.eu.orders', 'sales.eu.refunds', 'sales.us.orders', 'sales_audit'] as const

export const rulesByUser: Readonly<Record<string, readonly Rule[]>> = {
  'shop-writer': [
    { resource: 'TOPIC', operation: 'WRITE', name: 'sales.eu.orders' },
    { resource: 'TOPIC', operation: 'ALTER', name: 'sales.eu.orders' },
  ],
  'shop-reader': [
    { resource: 'TOPIC', operation: 'READ', name: 'sales.', isPrefix: true },
    { resource: 'GROUP', operation: 'READ', name: 'shop-reader' },
    { resource: 'GROUP', operation: 'READ', name: 'shop-batch-', isPrefix: true },
  ],
  'shop-both': [
    { resource: 'TOPIC', operation: 'ALL', name: 'sales.', isPrefix: true },
    { resource: 'TOPIC', operation: 'ALL', name: 'sales.us.orders', isDenial: true },
    { resource: 'GROUP', operation: 'ALL', name: 'shop-both' },
  ],
  'shop-auditor': [
    { resource: 'TOPIC', operation: 'READ', name: '*' },
    { resource: 'TOPIC', operation: 'READ', name: 'sales.eu.refunds', isDenial: true },
    { resource: 'GROUP', operation: 'READ', name: 'shop-auditor' },
  ],
  'shop-looker': [{ resource: 'TOPIC', operation: 'DESCRIBE', name: 'sales.', isPrefix: true }],
}

export const users = Object.keys(rulesByUser)

/** Those that the rules name, one inside a prefix, and one that is nobody's. */
export const groups = ['shop-reader', 'shop-batch-1', 'shop-both', 'shop-auditor', 'somebody-else'] as const

const aclOf = (user: string, { resource, operation, name, isPrefix = false, isDenial = false }: Rule) => ({
  resourceType: ResourceTypes[resource],
  resourceName: name,
  resourcePatternType: isPrefix ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
  principal: `User:${user}`,
  host: '*',
  operation: AclOperations[operation],
  permissionType: isDenial ? AclPermissionTypes.DENY : AclPermissionTypes.ALLOW,
})

const acls = Object.entries(rulesByUser).flatMap(([user, rules]) => rules.map((rule) => aclOf(user, rule)))

export const makeAcls = (admin: Admin): Promise<void> => admin.createAcls({ creations: [...acls] })

export const removeAcls = async (admin: Admin): Promise<void> => {
  await admin.deleteAcls({ filters: [...acls] })
}
