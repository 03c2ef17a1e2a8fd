import { SwitchboardError } from '../domain/errors.ts'

type MediaRange = { readonly type: string; readonly quality: number }

const parseRange = (text: string): MediaRange => {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const weight = parameters.map((parameter) => /^q\s*=\s*([01](?:\.[0-9]{0,3})?)$/.exec(parameter)?.[1]).find(Boolean)
  return { type, quality: Math.min(1, Number(weight ?? 1)) }
}

/** How closely a range names a type: by name, by its first half, as anything, or not at all. */
const closeness = (range: string, type: string): number => {
  if (range === type) return 3
  if (range === `${type.slice(0, type.indexOf('/'))}/*`) return 2
  return range === '*/*' ? 1 : 0
}

/**
 * The representation that a caller likes best, of those on offer. Of two that it likes alike the one it names more closely
 * wins, then the one that is offered first.
 * @see https://www.rfc-editor.org/rfc/rfc9110#name-accept
 * @throws SwitchboardError `not_acceptable` when it takes none of them
 */
export const negotiate = <T extends string>(accept: string | undefined, offered: readonly [T, ...T[]]): T => {
  if (accept === undefined) return offered[0]
  const ranges = accept.split(',').map(parseRange)
  let best: { readonly type: T; readonly quality: number; readonly close: number } | undefined
  for (const type of offered) {
    let close = 0
    let quality = 0
    for (const range of ranges) {
      const here = closeness(range.type, type)
      if (here > close || (here === close && here > 0 && range.quality > quality)) {
        close = here
        quality = range.quality
      }
    }
    if (quality === 0) continue
    if (best === undefined || quality > best.quality || (quality === best.quality && close > best.close))
      best = { type, quality, close }
  }
  if (best !== undefined) return best.type
  throw new SwitchboardError('not_acceptable', {
    detail: `this endpoint answers ${offered.map((type) => `\`${type}\``).join(', ')}`,
  })
}
