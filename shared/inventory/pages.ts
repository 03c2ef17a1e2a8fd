import { SourceError } from './cluster-source.ts'

export type Page<T> = {
  readonly items: readonly T[]
  /** The token of the page after this one; undefined on the last. */
  readonly next: string | undefined
}

export type PagesOptions<T> = {
  /** For messages, such as `the topics of \`payments\``. */
  readonly what: string
  readonly call: (token: string | undefined) => Promise<Page<T>>
  readonly keyOf: (item: T) => string
  /** Goes on with this token. @default - from the beginning */
  readonly from?: string | undefined
  /** @default 200_000 */
  readonly mostItems?: number
}

const longestToken = 8_192
/** AWS may answer pages that are empty and not the last; nobody needs so many in a row. */
const mostDryPages = 20
const mostBeginnings = 3

/**
 * The pages of a listing, each item once. Tokens that lead back, and pages that never bring anything new, end it with an
 * error; a token that is no longer taken begins it again, and what was seen already is not given twice.
 *
 * @throws SourceError `looped`, `too_large`, and what `call` throws
 */
export async function* pagesOf<T>({
  what,
  call,
  keyOf,
  from,
  mostItems = 200_000,
}: PagesOptions<T>): AsyncGenerator<Page<T>, void, undefined> {
  const seen = new Set<string>()
  let tokens = new Set<string>()
  let token = from
  let pages = 0
  let dryPages = 0
  let beginnings = 1
  for (;;) {
    let page: Page<T>
    try {
      page = await call(token)
    } catch (error) {
      const canBeginAgain = token !== undefined && beginnings < mostBeginnings
      if (!(error instanceof SourceError) || !error.isTokenRefused || !canBeginAgain) throw error
      beginnings++
      tokens = new Set()
      token = undefined
      // what was seen already brings nothing new
      dryPages = -pages
      continue
    }
    const items = page.items.filter((item) => seen.size < seen.add(keyOf(item)).size)
    if (seen.size > mostItems) throw new SourceError('too_large', `${what}: more than ${mostItems} entries`)
    const { next } = page
    if (next !== undefined) {
      if (next.length > longestToken)
        throw new SourceError('malformed', `${what}: a page token has ${next.length} characters`)
      if (next === token || tokens.has(next))
        throw new SourceError('looped', `${what}: a page token comes for the second time`)
      tokens.add(next)
      dryPages = items.length === 0 ? dryPages + 1 : 0
      if (dryPages > mostDryPages) throw new SourceError('looped', `${what}: ${dryPages} pages brought nothing new`)
    }
    pages++
    yield { items, next }
    if (next === undefined) return
    token = next
  }
}
