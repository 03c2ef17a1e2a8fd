import { compileDirectory, type Directory } from '../../shared/domain/directory.ts'
import type { Revocation } from '../../shared/domain/revocation.ts'
import type { DirectoryStore } from '../../shared/store/directory-store.ts'

/** The policy in force, and during an apply the next one too: what either wants must be there. The newest is last. */
export type InForce = { readonly directories: readonly Directory[]; readonly denied: readonly Revocation[] }

/** A policy never changes under its address, so each is compiled once for as long as it is current. */
export const createInForce = (directories: Pick<DirectoryStore, 'readPointer' | 'readPolicy'>) => {
  let compiled: ReadonlyMap<string, Promise<Directory>> = new Map()
  const compile = async (hash: string): Promise<Directory> =>
    compileDirectory(await directories.readPolicy(hash), hash, { published: true }).directory

  return async (): Promise<InForce> => {
    const { policy, next, denied } = await directories.readPointer()
    const hashes = [...new Set([policy, next].filter((hash) => hash !== undefined))]
    const current = new Map(hashes.map((hash) => [hash, compiled.get(hash) ?? compile(hash)] as const))
    compiled = current
    try {
      return { directories: await Promise.all(current.values()), denied }
    } catch (error) {
      compiled = new Map()
      throw error
    }
  }
}
