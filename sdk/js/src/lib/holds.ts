/** Which stored credentials clients still run with, and which of them Switchboard keeps for them. */
export const createHolds = () => {
  const clients = new Map<string, number>()
  /** Clusters whose clients are held at all: of the others nobody knows whether they moved. */
  const known = new Set<string>()
  /** Cluster -> what is handed out now, and what was before and is still kept. */
  const leaving = new Map<string, { readonly slots: ReadonlySet<string>; readonly next: string }>()
  const keyOf = (cluster: string, slot: string): string => `${cluster} ${slot}`
  const isUsed = (cluster: string, slot: string): boolean => (clients.get(keyOf(cluster, slot)) ?? 0) > 0

  return {
    /** Another client runs with the slot, until what is returned is called. */
    add: (cluster: string, slot: string | undefined): (() => void) => {
      if (slot === undefined) return () => undefined
      const key = keyOf(cluster, slot)
      known.add(cluster)
      clients.set(key, (clients.get(key) ?? 0) + 1)
      let isHeld = true
      return () => {
        if (isHeld) clients.set(key, (clients.get(key) ?? 0) - 1)
        isHeld = false
      }
    },

    /** A renewal gave another slot; without `next` the cluster is gone from the lease, or takes tokens now. */
    replace: (cluster: string, slot: string | undefined, next: string | undefined): void => {
      const slots = new Set([...(leaving.get(cluster)?.slots ?? []), ...(slot === undefined ? [] : [slot])])
      if (next !== undefined) slots.delete(next)
      if (next === undefined || slots.size === 0) leaving.delete(cluster)
      else leaving.set(cluster, { slots, next })
    },

    /** Cluster -> slot that all of its clients run with, where Switchboard does not know it yet. */
    moved: (): Readonly<Record<string, string>> | undefined => {
      const moved = [...leaving].flatMap(([cluster, { slots, next }]) =>
        known.has(cluster) && ![...slots].some((slot) => isUsed(cluster, slot)) ? [[cluster, next] as const] : [],
      )
      return moved.length === 0 ? undefined : Object.fromEntries(moved)
    },

    /** Switchboard was told. */
    confirm: (moved: Readonly<Record<string, string>>): void => {
      for (const [cluster, slot] of Object.entries(moved))
        if (leaving.get(cluster)?.next === slot) leaving.delete(cluster)
    },

    /** There is a new lease, which knows nothing of earlier slots. */
    forget: (): void => leaving.clear(),
  }
}
