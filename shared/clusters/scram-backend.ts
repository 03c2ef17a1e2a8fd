import type { FailureReason } from '../domain/failure-reason.ts'

/** Whom a cluster lets in by a password; every call takes many, each has an outcome of its own, and can be repeated. */
export type ScramBackend = {
  /** Whether the cluster has a user of these names already, whoever made it, and room for one where it has not. */
  readonly look: (names: readonly string[]) => Promise<ReadonlyMap<string, BackendOutcome<Name>>>
  /** Makes the users, or gives those that exist this password. */
  readonly create: (users: readonly ScramUser[]) => Promise<ReadonlyMap<string, BackendOutcome<'done'>>>
  /** Logs in as each of them, as its client would. */
  readonly verify: (users: readonly ScramUser[]) => Promise<ReadonlyMap<string, BackendOutcome<Login>>>
  /** A user that is not there counts as revoked. Open connections may stay: take its access away first. */
  readonly revoke: (names: readonly string[]) => Promise<ReadonlyMap<string, BackendOutcome<'done'>>>
  readonly close: () => Promise<void>
}

export type ScramUser = { readonly name: string; readonly password: string }

/** `taken`: there is such a user. */
export type Name = 'free' | 'taken'

/** `unreachable`: no login can be tried from here. */
export type Login = 'works' | 'refused' | 'unreachable'

export type BackendOutcome<T extends string> =
  | { readonly outcome: T }
  | { readonly outcome: 'failed'; readonly reason: FailureReason; readonly error: unknown }
