import type { FoundCluster, PartName, Parts } from '../../shared/domain/inventory.ts'
import type { ClusterRef, ClusterSource, Listed } from '../../shared/inventory/cluster-source.ts'

export const listAll = async (source: ClusterSource): Promise<readonly Listed[]> => {
  const all: Listed[] = []
  for await (const each of source.list()) all.push(each)
  return all
}

export const refsOf = (listed: readonly Listed[]): readonly ClusterRef[] =>
  listed.flatMap((each) => (each.kind === 'cluster' ? [each.ref] : []))

export type Observed = {
  readonly cluster: FoundCluster | undefined
  /** The pieces of each part, joined. */
  readonly found: { readonly [Name in PartName]?: Parts[Name] }
  readonly unknown: { readonly [Name in PartName]?: string }
  readonly largestPiece: number
}

/** A whole observation; `between` is called after every piece. */
export const observe = async (
  source: ClusterSource,
  id: string,
  between: (part: string) => void = () => {},
): Promise<Observed> => {
  let cluster: FoundCluster | undefined
  const found: Record<string, unknown[]> = {}
  const unknown: Record<string, string> = {}
  let largestPiece = 0
  for await (const piece of source.observe({ id })) {
    if (piece.part === 'cluster') cluster = piece.cluster
    else if (piece.part === 'unknown') unknown[piece.of] = piece.failure.code
    else {
      const entries = found[piece.part] ?? []
      found[piece.part] = entries
      entries.push(...piece.found)
      largestPiece = Math.max(largestPiece, piece.found.length)
    }
    between(piece.part)
  }
  return { cluster, found, unknown, largestPiece }
}
