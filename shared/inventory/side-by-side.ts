/** Works on a list with at most so many at a time; the results are in the list's order. The first error ends it. */
export const sideBySide = async <T, R>(
  list: readonly T[],
  atATime: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> => {
  const results: R[] = []
  const rest = list.entries()
  let failed = false
  const worker = async (): Promise<void> => {
    for (const [at, item] of rest) {
      if (failed) return
      try {
        results[at] = await work(item)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atATime, list.length) }, worker))
  return results
}
