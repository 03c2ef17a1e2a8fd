/** Runs work at most `perSecond` times a second and `parallel` at once, each in its turn. */
export const createPace = (
  perSecond: number,
  parallel: number,
  now: () => number,
  wait: (milliseconds: number) => Promise<void>,
) => {
  let next = 0
  return async <T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> => {
    const results: R[] = []
    const rest = items.entries()
    await Promise.all(
      Array.from({ length: Math.min(parallel, items.length) }, async () => {
        for (const [at, item] of rest) {
          const startsAt = Math.max(now(), next)
          next = startsAt + 1000 / perSecond
          if (startsAt > now()) await wait(startsAt - now())
          results[at] = await work(item)
        }
      }),
    )
    return results
  }
}

export type Pace = ReturnType<typeof createPace>
