import { compileDirectory, type Directory } from '../domain/directory.ts'
import { noFacts } from '../domain/facts.ts'
import type { DirectoryStore, Pointer } from './directory-store.ts'

/**
 * A policy that was checked when it was applied, compiled with what the crawl found.
 * @throws Error when one of them cannot be read whole, or is not what compiles
 */
export const readDirectory = async (
  directories: Pick<DirectoryStore, 'readPolicy' | 'readFacts'>,
  policyHash: string,
  { facts: factsHash }: Pick<Pointer, 'facts'>,
): Promise<Directory> => {
  const [policy, facts] = await Promise.all([
    directories.readPolicy(policyHash),
    factsHash === undefined ? noFacts : directories.readFacts(factsHash),
  ])
  const { directory, issues } = compileDirectory(policy, policyHash, { published: true, facts })
  const issue = issues[0]
  if (issue !== undefined) throw new Error(`the policy in force does not compile: ${issue.detail}`)
  return directory
}
