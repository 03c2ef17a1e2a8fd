/** 0 to 1, evenly and the same for equal names at all times: FNV-1a with the last mix of MurmurHash3, which spreads names that differ in their end only. */
export const spread = (...names: readonly string[]): number => {
  let hash = 0x811c9dc5
  for (const character of names.join('\n')) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
