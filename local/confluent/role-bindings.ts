/** Who has which role on what. */
export type RoleBinding = {
  readonly id: string
  /** `User:pool-...` */
  readonly principal: string
  readonly role: string
  readonly crnPattern: string
}

export type RoleBindings = {
  readonly list: () => readonly RoleBinding[]
  readonly add: (binding: Omit<RoleBinding, 'id'>) => RoleBinding
}

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
