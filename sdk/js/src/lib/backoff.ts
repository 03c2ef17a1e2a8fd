const firstMs = 500
const longestMs = 30_000

/** Half of an exponentially growing ceiling, and a random part of the other half, so that a fleet spreads out. */
export const backoffMs = (failures: number, random: () => number): number => {
  const ceiling = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 16))
  return Math.round(ceiling / 2 + (random() * ceiling) / 2)
}
