import { factsOf, leftToCrawl, noFacts, reviewFacts, withClusterFacts } from '../domain/facts.ts'
import type { FoundCluster } from '../domain/inventory.ts'
import { changePointer } from './change-pointer.ts'
import type { DirectoryStore } from './directory-store.ts'

export type Published =
  /** No policy leaves the cluster to the crawl, or nothing of it that clients need is other. */
  | { readonly outcome: 'unchanged' }
  | { readonly outcome: 'published'; readonly facts: string }
  /** So many of its listeners are gone that somebody has to say that it is meant. */
  | { readonly outcome: 'withheld'; readonly listeners: readonly string[] }

/**
 * Puts what was found of a cluster in force, when it decides where clients connect. An apply, a revocation or another
 * crawl that is made at the same time loses nothing, and neither does this one.
 * @param id what the provider calls the cluster, such as its ARN
 * @param accepted somebody said that listeners that are gone are meant to be
 */
export type PublishFacts = (id: string, found: FoundCluster, accepted: boolean) => Promise<Published>

/** Those who publish are few; more than this many in a row that were faster is something that does not stop. */
const attempts = 20

export const createPublishFacts = (
  directories: Pick<DirectoryStore, 'readPointer' | 'swapPointer' | 'readPolicy' | 'readFacts' | 'writeFacts'>,
): PublishFacts => {
  /** A policy does not change under its address. */
  let known: ReadonlyMap<string, Promise<ReadonlySet<string>>> = new Map()

  /** Of the policy in force, and during an apply of the next one too. */
  const idsWanted = async (hashes: readonly (string | undefined)[]): Promise<ReadonlySet<string>> => {
    const current = new Map(
      hashes
        .filter((hash) => hash !== undefined)
        .map((hash) => [
          hash,
          known.get(hash) ?? directories.readPolicy(hash).then((policy) => new Set(leftToCrawl(policy).keys())),
        ]),
    )
    known = current
    try {
      return new Set((await Promise.all(current.values())).flatMap((ids) => [...ids]))
    } catch (error) {
      known = new Map()
      throw error
    }
  }

  return async (id, found, accepted) => {
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const { policy, next, facts: before } = await directories.readPointer()
      const wanted = await idsWanted([policy, next])
      if (!wanted.has(id)) return { outcome: 'unchanged' }
      const facts = before === undefined ? noFacts : await directories.readFacts(before)
      const after = factsOf(found)
      const review = reviewFacts(facts.clusters[id], after)
      if (review.outcome === 'unchanged') return { outcome: 'unchanged' }
      if (review.outcome === 'drop' && !accepted) return { outcome: 'withheld', listeners: review.listeners }
      const address = await directories.writeFacts(withClusterFacts(facts, id, after, wanted))
      const { changed } = await changePointer(directories, (pointer) =>
        // what is wanted may be more by now
        pointer.facts === before && pointer.policy === policy && pointer.next === next ? { facts: address } : undefined,
      )
      if (changed) return { outcome: 'published', facts: address }
    }
    throw new Error('others keep publishing what they found; the next crawl tries again')
  }
}
