const unitSeconds: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 }

export const durationSeconds = (text: string): number =>
  Number.parseInt(text, 10) * (unitSeconds[text.replace(/^[0-9]+/, '')] ?? Number.NaN)

/** A plain date lasts to its end, UTC. Whole seconds, as in tokens: a fraction would let a lease end before it begins. */
export const untilDate = (text: string): Date | undefined => {
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text)
  if (!isDay && !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text)) return undefined
  const at = new Date(isDay ? `${text}T00:00:00Z` : text)
  // JavaScript takes February 30 for March 2
  const written = text.slice(0, 10)
  const day = new Date(`${written}T00:00:00Z`)
  if (Number.isNaN(at.getTime()) || day.toISOString().slice(0, 10) !== written) return undefined
  return new Date(isDay ? at.getTime() + 86_400_000 : Math.floor(at.getTime() / 1000) * 1000)
}
