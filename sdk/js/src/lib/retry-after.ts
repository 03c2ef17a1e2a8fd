/**
 * The wait that a `Retry-After` header asks for: seconds or an HTTP date.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 * @param now the server's time, so that a wrong clock here does not shorten the wait
 */
export const retryAfterMs = (header: string | null, now: Date): number | undefined => {
  const value = header?.trim()
  if (!value) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  // an HTTP date starts with the day's name; Date.parse alone would also take `-5` or `2.5`
  const date = /^[A-Za-z]{3,9},? /.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime())
}
