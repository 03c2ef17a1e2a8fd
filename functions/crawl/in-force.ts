import type { DirectoryStore } from '../../shared/store/directory-store.ts'
import { readDirectory } from '../../shared/store/read-directory.ts'
import type { InForce } from './sources.ts'

/** Neither a policy nor facts change under their addresses, so what they are is read once for as long as it is current. */
export const createInForce = (directories: Pick<DirectoryStore, 'readPointer' | 'readPolicy' | 'readFacts'>) => {
  let current: { readonly key: string; readonly inForce: InForce } | undefined
  return async (): Promise<InForce | undefined> => {
    const { policy: hash, facts } = await directories.readPointer()
    if (hash === undefined) return undefined
    const key = `${hash} ${facts}`
    if (current?.key === key) return current.inForce
    const [policy, directory] = await Promise.all([
      directories.readPolicy(hash),
      readDirectory(directories, hash, { facts }),
    ])
    current = { key, inForce: { policy, directory } }
    return current.inForce
  }
}
