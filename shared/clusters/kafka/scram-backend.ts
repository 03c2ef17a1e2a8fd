import type { AdminCredential, Cluster } from '../../domain/cluster.ts'
import type { FailureReason } from '../../domain/failure-reason.ts'
import type { BackendOutcome, CredentialBackend, Name } from '../credential-backend.ts'
import { createScramAdmin, ScramAdminError, type ScramErrorCode, type ScramOutcome } from './scram-admin.ts'
import { tryLogins } from './try-logins.ts'

const reasons: Readonly<Record<ScramErrorCode, FailureReason>> = {
  not_allowed: 'cluster_denied',
  unacceptable: 'user_refused',
  unavailable: 'cluster_unavailable',
  failed: 'cluster_failed',
}

const outcomesOf = (found: ReadonlyMap<string, ScramOutcome>): ReadonlyMap<string, BackendOutcome<'done'>> =>
  new Map(
    [...found].map(([name, each]) => [
      name,
      each.done ? { outcome: 'done' } : { outcome: 'failed', reason: reasons[each.error.code], error: each.error },
    ]),
  )

/** A cluster that keeps its own users (KIP-554). Opens no connection before the first call. */
export const createKafkaScramBackend = (cluster: Cluster, credential: AdminCredential): CredentialBackend => {
  const admin = createScramAdmin(cluster, credential)
  return {
    look: async (names) => {
      try {
        const there = await admin.describe(names)
        return new Map(
          names.map((name): [string, BackendOutcome<Name>] => [name, { outcome: there.has(name) ? 'taken' : 'free' }]),
        )
      } catch (error) {
        if (!(error instanceof ScramAdminError)) throw error
        return new Map(names.map((name) => [name, { outcome: 'failed', reason: reasons[error.code], error }]))
      }
    },
    create: async (users) => outcomesOf(await admin.upsert(users)),
    verify: (users) => tryLogins(cluster, users, 'SCRAM-SHA-512'),
    revoke: async (names) => outcomesOf(await admin.remove(names)),
    close: () => admin.close(),
  }
}
