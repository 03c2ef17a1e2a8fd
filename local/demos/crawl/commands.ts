import type { CatalogRow } from '../../../shared/domain/catalog.ts'
import type { Operator } from '../operator.ts'

/** What the scenario reads of `crawl --json`; times are ISO 8601. */
export type CrawlAnswer = {
  readonly seconds: number
  readonly sources: readonly {
    readonly source: string
    readonly clusters: number
    readonly topics: number
    readonly outcomes: Readonly<Record<'new' | 'changed' | 'unchanged' | 'failed' | 'vanished', number>>
    readonly seconds?: number
  }[]
  readonly failed: readonly {
    readonly source: string
    readonly id: string
    readonly code: string
    readonly since: string
  }[]
}

/** What the scenario reads of `clusters --json`. */
export type ClusterAnswer = {
  readonly source: string
  readonly id: string
  readonly provider?: string
  readonly policyName?: string
  readonly counts?: { readonly topics: number }
  readonly seenAt?: string
  readonly vanishedAt?: string
  readonly failing?: { readonly code: string; readonly since: string }
}

/** The command line as its operator uses it. */
export const createCommands = ({ command }: Operator) => {
  /** A crawl that met a cluster that is down says so by its exit code, and prints its answer all the same. */
  const answerOf = async (...words: readonly string[]): Promise<string> => {
    try {
      return await command(...words)
    } catch (error) {
      const stdout = error instanceof Error && 'stdout' in error ? String(error.stdout) : ''
      if (!stdout.trimStart().startsWith('{')) throw error
      return stdout
    }
  }
  return {
    crawl: async (...words: readonly string[]): Promise<CrawlAnswer> =>
      JSON.parse(await answerOf('crawl', '--json', ...words)),
    clusters: async (): Promise<readonly ClusterAnswer[]> => JSON.parse(await command('clusters', '--json')).clusters,
    catalog: async (...words: readonly string[]): Promise<readonly CatalogRow[]> =>
      JSON.parse(await command('catalog', ...words, '--json')).rows,
  }
}

export type Commands = ReturnType<typeof createCommands>
