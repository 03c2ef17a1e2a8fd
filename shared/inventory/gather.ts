import type { CrawlFailure, FoundCluster, FoundRegistry, Observation, PartName, Parts } from '../domain/inventory.ts'
import { type Part, SourceError } from './cluster-source.ts'

/** Facts of one part that a worker holds: some 100 MB. The largest Kafka clusters have a fifth of it. */
export const mostFacts = 250_000

/** Subjects come inside their registries. */
const sizeOf = (facts: readonly unknown[]): number =>
  facts.reduce<number>((sum, fact) => sum + ((fact as Partial<FoundRegistry>).subjects?.length ?? 1), 0)

/**
 * The parts of one look, put together. A part of which one page is unknown is unknown: half of it would look as if the
 * other half had vanished.
 * @throws SourceError `malformed` when nothing was said of the cluster as a whole, and what `parts` throws
 */
export const gather = async (parts: AsyncIterable<Part>, most: number = mostFacts): Promise<Observation> => {
  let cluster: FoundCluster | undefined
  const found = new Map<PartName, unknown[]>()
  const sizes = new Map<PartName, number>()
  const unknown = new Map<PartName, CrawlFailure>()
  for await (const part of parts) {
    if (part.part === 'cluster') cluster = part.cluster
    else if (part.part === 'unknown') {
      found.delete(part.of)
      unknown.set(part.of, part.failure)
    } else if (!unknown.has(part.part)) {
      const facts = found.get(part.part) ?? []
      found.set(part.part, facts)
      for (const fact of part.found) facts.push(fact)
      const size = (sizes.get(part.part) ?? 0) + sizeOf(part.found)
      sizes.set(part.part, size)
      if (size > most) {
        found.delete(part.part)
        unknown.set(part.part, { code: 'too_large', detail: `the ${part.part}: more than ${most}` })
      }
    }
  }
  if (cluster === undefined) throw new SourceError('malformed', 'nothing was said of the cluster itself')
  return { cluster, parts: Object.fromEntries(found) as Partial<Parts>, unknown: Object.fromEntries(unknown) }
}

/**
 * The same parts, until the time is over: an adapter bounds each of its calls, and nobody else all of them.
 * @throws SourceError `unavailable` then
 */
export async function* within(parts: AsyncIterable<Part>, ms: number): AsyncGenerator<Part> {
  const iterator = parts[Symbol.asyncIterator]()
  let timer: NodeJS.Timeout | undefined
  const isOver = new Promise<never>((_, reject) => {
    const text = `it took more than ${Math.max(0, Math.round(ms / 1000))} s`
    timer = setTimeout(() => reject(new SourceError('unavailable', text)), Math.max(0, ms))
  })
  let isEnded = false
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), isOver])
      if (next.done === true) {
        isEnded = true
        return
      }
      yield next.value
    }
  } finally {
    clearTimeout(timer)
    // not waited for: it may hang on the very call that took so long
    if (!isEnded) iterator.return?.().catch(() => {})
  }
}
