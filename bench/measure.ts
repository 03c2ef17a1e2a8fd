/** Runs something `times` times, one time unless it says otherwise. */
export type Batch = { readonly times?: number; readonly run: (round: number) => unknown }

/** Microseconds of CPU that this process, with all its threads, took. */
const cpu = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/**
 * Mean CPU microseconds of one run, per batch and round. The batches of a round follow one another, so what else the
 * machine does falls on all of them; compare them round by round. Short batches are fair to what is small: alone in a
 * loop it would never leave the processor's caches, as it does in a real request.
 */
export const interleave = async <K extends string>(
  batches: Readonly<Record<K, Batch>>,
  { rounds, warmUp }: { readonly rounds: number; readonly warmUp: number },
): Promise<Readonly<Record<K, readonly number[]>>> => {
  const names = Object.keys(batches) as K[]
  const means = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>
  for (let round = 0; round < warmUp + rounds; round++)
    for (const name of names) {
      const { times = 1, run } = batches[name]
      const before = cpu()
      await run(round)
      if (round >= warmUp) means[name].push((cpu() - before) / times)
    }
  return means
}

/** The median over rounds of `value` divided by what `of` took in the same round. */
export const medianRatio = (value: readonly number[], ...of: readonly (readonly number[])[]): number =>
  median(value.map((each, round) => each / of.reduce((sum, other) => sum + (other[round] ?? Number.NaN), 0)))
