/** What Switchboard takes as a name. */
const longestName = 63

/** Names that leases of this process go by. */
const taken = new Set<string>()

/**
 * The name that a lease goes by: Switchboard takes an equal intent of an equal instance for the same lease, so that a
 * restart finds its own again. Two leases of one process with one record would end each other's credential when the first
 * of them has moved to the next; the second gets a name of its own.
 * @param question what makes leases the same besides the instance
 */
export const takeInstance = (
  instance: string,
  question: unknown,
): { readonly name: string; readonly release: () => void } => {
  for (let at = 1; ; at++) {
    const suffix = at === 1 ? '' : `--${at}`
    const name = at === 1 ? instance : `${instance.slice(0, longestName - suffix.length)}${suffix}`
    const key = JSON.stringify([name, question])
    if (taken.has(key)) continue
    taken.add(key)
    return { name, release: () => void taken.delete(key) }
  }
}
