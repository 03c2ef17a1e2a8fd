/** Somebody who is refused whatever the grants say: everywhere, or on one cluster. */
export type Revocation = {
  readonly principal: string
  /** undefined: everywhere */
  readonly cluster: string | undefined
}

/** Whether a principal is refused everywhere. */
export const isRevoked = (denied: readonly Revocation[], principal: string): boolean =>
  denied.some((each) => each.principal === principal && each.cluster === undefined)

/** Whether a principal is refused on a cluster, be it because it is refused everywhere. */
export const isRevokedOn = (denied: readonly Revocation[], principal: string, cluster: string): boolean =>
  denied.some((each) => each.principal === principal && (each.cluster === undefined || each.cluster === cluster))

const isWithin = (each: Revocation, { principal, cluster }: Revocation): boolean =>
  each.principal === principal && (cluster === undefined || each.cluster === cluster)

/** The list with one more; the same list when that is refused already. What is refused everywhere needs no clusters. */
export const withRevocation = (denied: readonly Revocation[], added: Revocation): readonly Revocation[] => {
  const { principal, cluster } = added
  const isThere = cluster === undefined ? isRevoked(denied, principal) : isRevokedOn(denied, principal, cluster)
  return isThere ? denied : [...denied.filter((each) => !isWithin(each, added)), added]
}

/** The list without one; without a cluster, all that the principal is refused. The same list when there is none. */
export const withoutRevocation = (denied: readonly Revocation[], removed: Revocation): readonly Revocation[] => {
  const left = denied.filter((each) => !isWithin(each, removed))
  return left.length === denied.length ? denied : left
}
