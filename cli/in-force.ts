import type { Directory } from '../shared/domain/directory.ts'
import type { Policy } from '../shared/domain/policy.ts'
import type { DirectoryStore, Pointer } from '../shared/store/directory-store.ts'
import { readDirectory } from '../shared/store/read-directory.ts'
import { CommandError } from './command-error.ts'

export type InForce = { readonly pointer: Pointer; readonly policy: Policy; readonly directory: Directory }

/** @throws CommandError when nothing is in force yet */
export const readInForce = async (
  directories: Pick<DirectoryStore, 'readPointer' | 'readPolicy' | 'readFacts'>,
): Promise<InForce> => {
  const pointer = await directories.readPointer()
  if (pointer.policy === undefined) throw new CommandError('no policy is in force; apply one first')
  const [policy, directory] = await Promise.all([
    directories.readPolicy(pointer.policy),
    readDirectory(directories, pointer.policy, pointer),
  ])
  return { pointer, policy, directory }
}
