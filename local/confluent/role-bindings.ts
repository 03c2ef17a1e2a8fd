/** Who has which role on what. */
export type RoleBinding = {
  readonly id: string
  /** `User:pool-...` or `User:sa-...` */
  readonly principal: string
  readonly role: string
  readonly crnPattern: string
}

export type RoleBindings = {
  readonly list: () => readonly RoleBinding[]
  readonly add: (binding: Omit<RoleBinding, 'id'>) => RoleBinding
}

/** Whether somebody may do that with all subjects of a registry: whoever may write may not read for that alone. */
export const mayUseSubjects = (
  { list }: Pick<RoleBindings, 'list'>,
  registry: string,
  user: string,
  action: 'read' | 'write',
): boolean =>
  list().some(
    ({ principal, role, crnPattern }) =>
      principal === `User:${user}` &&
      role === (action === 'read' ? 'DeveloperRead' : 'DeveloperWrite') &&
      crnPattern.endsWith(`/schema-registry=${registry}/subject=*`),
  )

export const createRoleBindings = (): RoleBindings => {
  const bindings: RoleBinding[] = []
  return {
    list: () => bindings,
    add: (binding) => {
      const made = { id: `rb-${bindings.length + 1}`, ...binding }
      bindings.push(made)
      return made
    },
  }
}
