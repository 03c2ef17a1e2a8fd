import type { Directory } from '../../shared/domain/directory.ts'
import type { Revocation } from '../../shared/domain/revocation.ts'
import type { DirectoryStore } from '../../shared/store/directory-store.ts'
import { readDirectory } from '../../shared/store/read-directory.ts'

/** The policy in force, and during an apply the next one too: what either wants must be there. The newest is last. */
export type InForce = { readonly directories: readonly Directory[]; readonly denied: readonly Revocation[] }

/** Neither a policy nor facts change under their addresses, so each pair is compiled once for as long as it is current. */
export const createInForce = (directories: Pick<DirectoryStore, 'readPointer' | 'readPolicy' | 'readFacts'>) => {
  let compiled: ReadonlyMap<string, Promise<Directory>> = new Map()
  return async (): Promise<InForce> => {
    const { policy, facts, next, denied } = await directories.readPointer()
    const hashes = [...new Set([policy, next].filter((hash) => hash !== undefined))]
    const current = new Map(
      hashes.map((hash) => {
        const key = `${hash} ${facts}`
        return [key, compiled.get(key) ?? readDirectory(directories, hash, { facts })] as const
      }),
    )
    compiled = current
    try {
      return { directories: await Promise.all(current.values()), denied }
    } catch (error) {
      compiled = new Map()
      throw error
    }
  }
}
