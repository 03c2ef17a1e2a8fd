import * as z from 'zod'
import type { FoundSubject } from '../domain/inventory.ts'
import { type Part, toFailure } from './cluster-source.ts'
import type { JsonApi } from './json-api.ts'
import { pagesOf } from './pages.ts'

/** Names alone: the schemas themselves are many times as much. */
const subjectsSchema = z.array(z.string().min(1))
const pageSize = 1_000

/**
 * The subjects of a schema registry, of all its contexts, page by page. Registries that know no paging answer everything
 * at once, each time.
 *
 * @see https://docs.confluent.io/platform/current/schema-registry/develop/api.html#get--subjects
 * @throws SourceError
 */
export async function* subjectPages(api: JsonApi): AsyncGenerator<readonly FoundSubject[], void, undefined> {
  let first: string | undefined
  const pages = pagesOf<string>({
    what: 'the subjects of a schema registry',
    keyOf: (name) => name,
    call: async (token = '0') => {
      const names = await api.get('/subjects', subjectsSchema, { offset: token, limit: String(pageSize) })
      const isAllAgain = token !== '0' && names[0] === first
      first ??= names[0]
      const isLast = isAllAgain || names.length !== pageSize
      return { items: names, next: isLast ? undefined : String(Number(token) + pageSize) }
    },
  })
  for await (const { items } of pages) yield items.map((name) => ({ name }))
}

/** The registry of a cluster that no control plane knows; what fails there says nothing against the cluster. */
export async function* observeRegistry(url: string, open: () => Promise<JsonApi>): AsyncGenerator<Part> {
  try {
    for await (const subjects of subjectPages(await open()))
      yield { part: 'registries', found: [{ id: new URL(url).host, url, subjects }] }
  } catch (error) {
    yield { part: 'unknown', of: 'registries', failure: toFailure(error) }
  }
}
