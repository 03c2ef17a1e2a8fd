import type { DirectoryStore, Pointer } from './directory-store.ts'

/** Writers of the pointer are few; more than this many in a row that were faster is something that does not stop. */
const attempts = 20

/**
 * Compares and sets until it wins: an apply, a crawl or an operator may be at it, and none loses what another did.
 * @param change what is to be other; undefined: nothing is
 * @returns the pointer that is there now, and whether it was changed
 * @throws Error when others keep changing it; nothing was changed
 */
export const changePointer = async (
  directories: Pick<DirectoryStore, 'readPointer' | 'swapPointer'>,
  change: (pointer: Pointer) => Partial<Omit<Pointer, 'revision'>> | undefined,
  appliedAt?: Date,
): Promise<{ readonly pointer: Pointer; readonly changed: boolean }> => {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const pointer = await directories.readPointer()
    const changed = change(pointer)
    if (changed === undefined) return { pointer, changed: false }
    const next = { ...pointer, ...changed, revision: pointer.revision + 1 }
    if (await directories.swapPointer(pointer.revision, next, appliedAt)) return { pointer: next, changed: true }
  }
  throw new Error('others keep changing the directory; nothing was changed: try again')
}
