const lowerFirst = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1)

/**
 * An answer in the SDK's words as the JSON that MSK sends: the service model names every member as the SDK does, but for
 * a small first letter. Tags are data and keep their names; dates become ISO 8601 by themselves.
 */
export const toWire = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(toWire)
  if (value === null || typeof value !== 'object' || value instanceof Date) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [lowerFirst(name), name === 'Tags' ? member : toWire(member)]),
  )
}
