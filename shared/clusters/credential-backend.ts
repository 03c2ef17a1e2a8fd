import type { FailureReason } from '../domain/failure-reason.ts'
import type { RegistryLogin } from '../domain/registry-login.ts'

/**
 * Whom a cluster lets in by what is stored; every call takes many, each has an outcome of its own, and can be repeated. A
 * name is that of a slot's user, see `slotUser`, also where the cluster calls it otherwise.
 */
export type CredentialBackend = {
  /** Whether the cluster has a user of these names already, whoever made it, and room for one where it has not. */
  readonly look: (names: readonly string[]) => Promise<ReadonlyMap<string, BackendOutcome<Name>>>
  /** Sees that they are let in with this login. `lost`: that can be no more, and only another one helps. */
  readonly create: (users: readonly BackendUser[]) => Promise<ReadonlyMap<string, BackendOutcome<'done' | 'lost'>>>
  /** Logs in as each of them, as its client would. */
  readonly verify: (users: readonly BackendUser[]) => Promise<ReadonlyMap<string, BackendOutcome<Login>>>
  /** A user that is not there counts as revoked. Open connections may stay: take its access away first. */
  readonly revoke: (names: readonly string[]) => Promise<ReadonlyMap<string, BackendOutcome<'done'>>>
  readonly close: () => Promise<void>
}

/** `username`: what it logs in with, which is its name but for an API key. */
export type BackendUser = {
  readonly name: string
  readonly username: string
  readonly password: string
  /** What it logs in with at the schema registry of the cluster, where it has that too. */
  readonly registry?: RegistryLogin | undefined
}

/** `taken`: there is such a user. */
export type Name = 'free' | 'taken'

/** `unreachable`: no login can be tried from here. */
export type Login = 'works' | 'refused' | 'unreachable'

export type BackendOutcome<T extends string> =
  | { readonly outcome: T }
  | { readonly outcome: 'failed'; readonly reason: FailureReason; readonly error: unknown }
