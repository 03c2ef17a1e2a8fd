import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { MskError } from './errors.ts'

export type Page<T> = { readonly items: readonly T[]; readonly nextToken: string | undefined }

export type Pager = <T>(
  list: readonly T[],
  keyOf: (item: T) => string,
  request: { readonly scope: string; readonly query: URLSearchParams },
) => Page<T>

/** What a fault makes of the tokens of a call. */
export type TokenFault = 'refused' | 'repeats' | 'loops' | 'endless'

const largestPage = 100

const parseMaxResults = (text: string | null, pageSize: number): number => {
  if (text === null) return pageSize
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= largestPage) return value
  throw new MskError(
    'BadRequestException',
    `The maxResults value must be from 1 to ${largestPage}, got ${text}.`,
    'maxResults',
  )
}

/**
 * Pages in the order of keys. A token says after which key to go on, so what is added or removed between two pages
 * neither hides nor repeats anything else; it is good for the call that it was given for, and for this server.
 */
export const createPager = (pageSize: number, faultOf: (scope: string) => TokenFault | undefined): Pager => {
  const key = randomBytes(32)
  const seal = (text: string): Buffer => createHmac('sha256', key).update(text).digest()

  const renderToken = (scope: string, after: string): string => {
    const text = Buffer.from(JSON.stringify([scope, after])).toString('base64url')
    return `${text}.${seal(text).toString('base64url')}`
  }

  const parseToken = (token: string, scope: string, isRefused: boolean): string => {
    const [text = '', signature = ''] = token.split('.')
    const wanted = seal(text)
    const got = Buffer.from(signature, 'base64url')
    if (got.length === wanted.length && timingSafeEqual(got, wanted)) {
      const [itsScope, after]: [string, string] = JSON.parse(Buffer.from(text, 'base64url').toString())
      if (itsScope === scope && !isRefused) return after
    }
    throw new MskError('BadRequestException', 'The nextToken value is not valid.', 'nextToken')
  }

  return (list, keyOf, { scope, query }) => {
    const size = parseMaxResults(query.get('maxResults'), pageSize)
    const token = query.get('nextToken')
    const fault = faultOf(scope)
    const after = token === null ? undefined : parseToken(token, scope, fault === 'refused')
    if (fault === 'endless') return { items: [], nextToken: renderToken(scope, randomBytes(8).toString('hex')) }
    const sorted = list.map((item) => ({ item, key: keyOf(item) })).sort((a, b) => (a.key < b.key ? -1 : 1))
    const rest = after === undefined ? sorted : sorted.filter((entry) => entry.key > after)
    const page = rest.slice(0, size)
    const last = page.at(-1)
    const next = last !== undefined && rest.length > size ? renderToken(scope, last.key) : undefined
    const nextOf = (): string | undefined => {
      if (fault === 'repeats' && token !== null) return token
      // no key is before the empty one
      return fault === 'loops' && next === undefined ? renderToken(scope, '') : next
    }
    return { items: page.map(({ item }) => item), nextToken: nextOf() }
  }
}
