import type { SourceError } from './cluster-source.ts'

const firstMs = 500
const longestMs = 20_000
/** What is malformed once may have been cut off on the way; what is malformed thrice is malformed. */
const malformedTries = 3

export type Tried = {
  /** Tries that failed, the one of `error` included. */
  readonly tries: number
  readonly elapsedMs: number
  readonly budgetMs: number
  readonly error: SourceError
  /** From 0 to 1. */
  readonly random: number
}

const mayHelp = ({ error, tries }: Tried): boolean =>
  error.isRetryable || (error.code === 'malformed' && tries < malformedTries)

/**
 * Milliseconds until the next try, or undefined to give up. Without a word of the other side the wait is anything from 0
 * to a bound that doubles (full jitter); with one it is never shorter, and longer by a little that differs for each.
 *
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export const waitBeforeRetry = (tried: Tried): number | undefined => {
  if (!mayHelp(tried)) return undefined
  const { tries, elapsedMs, budgetMs, error, random } = tried
  const bound = Math.min(longestMs, firstMs * 2 ** (tries - 1))
  const wait = error.retryAfterMs === undefined ? random * bound : error.retryAfterMs + random * firstMs
  return elapsedMs + wait > budgetMs ? undefined : Math.ceil(wait)
}
