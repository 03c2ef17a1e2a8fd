/**
 * JSON with sorted keys and no white space, so that equal values have equal bytes and therefore equal hashes.
 * Covers what JSON itself covers; the ordering is that of RFC 8785 for keys of the Basic Multilingual Plane.
 */
export const canonicalJson = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map((entry) => canonicalJson(entry ?? null)).join(',')}]`
  if (value !== null && typeof value === 'object') {
    let members = ''
    for (const key of Object.keys(value).sort()) {
      const member: unknown = (value as Record<string, unknown>)[key]
      if (member !== undefined) members += `${members && ','}${JSON.stringify(key)}:${canonicalJson(member)}`
    }
    return `{${members}}`
  }
  return JSON.stringify(value)
}
