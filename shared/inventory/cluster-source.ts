import type { CrawlFailure, FailureCode, FoundCluster, PartName, Parts } from '../domain/inventory.ts'

/** A cluster that a control plane knows. */
export type ClusterRef = {
  /**
   * With what the adapter finds it again, and nothing else reads: an ARN, `env-a1/lkc-b2`, a name of the policy. One
   * cluster has one id for its life.
   */
  readonly id: string
  /** What people call it; two clusters may have one. */
  readonly name: string
}

/** What a listing yields. A listing that throws says nothing of any cluster that it did not yield. */
export type Listed =
  | { readonly kind: 'cluster'; readonly ref: ClusterRef }
  /** Of clusters whose id starts with `prefix` nothing can be said, such as an environment that the key may not see. */
  | { readonly kind: 'unlisted'; readonly prefix: string; readonly failure: CrawlFailure }

/**
 * What an observation yields, in any order. A part of many pages is yielded once a page; one that has nothing is yielded
 * once, empty. A part that is not yielded, or is said to be `unknown` however late, keeps its last facts.
 */
export type Part =
  | { readonly part: 'cluster'; readonly cluster: FoundCluster }
  | { readonly [Name in PartName]: { readonly part: Name; readonly found: Parts[Name] } }[PartName]
  | { readonly part: 'unknown'; readonly of: PartName; readonly failure: CrawlFailure }

/**
 * A control plane, or one cluster's own protocol. Both streams hold one page at a time and may be left early. What a
 * cluster as a whole makes fail is thrown as a SourceError: `gone` when it is not there any more.
 */
export type ClusterSource = {
  readonly list: () => AsyncIterable<Listed>
  readonly observe: (ref: Pick<ClusterRef, 'id'>) => AsyncIterable<Part>
}

export type SourceErrorOptions = {
  readonly cause?: unknown
  /** How long the other side asks us to wait. */
  readonly retryAfterMs?: number | undefined
  /** It is the page token that is not taken. */
  readonly isTokenRefused?: boolean
}

/** The one error of control planes. Its message names what was asked and never holds a credential. */
export class SourceError extends Error {
  readonly code: FailureCode
  readonly retryAfterMs: number | undefined
  readonly isTokenRefused: boolean

  constructor(
    code: FailureCode,
    message: string,
    { cause, retryAfterMs, isTokenRefused = false }: SourceErrorOptions = {},
  ) {
    super(message, { cause })
    this.name = 'SourceError'
    this.code = code
    this.retryAfterMs = retryAfterMs
    this.isTokenRefused = isTokenRefused
  }

  get isRetryable(): boolean {
    return this.code === 'throttled' || this.code === 'unavailable'
  }
}

/** What is no failure of a control plane is thrown on. */
export const toFailure = (error: unknown): CrawlFailure => {
  if (error instanceof SourceError) return { code: error.code, detail: error.message }
  throw error
}
