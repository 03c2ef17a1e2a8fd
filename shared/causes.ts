/** The first in a tree of errors that `find` knows: clients wrap what a broker said in what they did with it. */
export const findInCauses = <T>(error: unknown, find: (error: Error) => T | undefined): T | undefined => {
  if (!(error instanceof Error)) return undefined
  const found = find(error)
  if (found !== undefined) return found
  const causes = error instanceof AggregateError ? [...error.errors, error.cause] : [error.cause]
  for (const cause of causes) {
    const inner = findInCauses(cause, find)
    if (inner !== undefined) return inner
  }
  return undefined
}
