import type { AdminCredential, Cluster } from '../../domain/cluster.ts'
import type { FailureReason } from '../../domain/failure-reason.ts'
import type { BackendOutcome, Login, ScramBackend } from '../scram-backend.ts'
import { createScramAdmin, type ScramErrorCode, type ScramOutcome } from './scram-admin.ts'
import { tryLogin } from './scram-login.ts'

const reasons: Readonly<Record<ScramErrorCode, FailureReason>> = {
  not_allowed: 'cluster_denied',
  unacceptable: 'user_refused',
  unavailable: 'cluster_unavailable',
  failed: 'cluster_failed',
}
/** A broker takes a few hundred logins a second; more at once only wait for its threads. */
const parallelLogins = 10

const outcomesOf = (found: ReadonlyMap<string, ScramOutcome>): ReadonlyMap<string, BackendOutcome<'done'>> =>
  new Map(
    [...found].map(([name, each]) => [
      name,
      each.done ? { outcome: 'done' } : { outcome: 'failed', reason: reasons[each.error.code], error: each.error },
    ]),
  )

/** A cluster that keeps its own users (KIP-554). Opens no connection before the first call. */
export const createKafkaScramBackend = (cluster: Cluster, credential: AdminCredential): ScramBackend => {
  const admin = createScramAdmin(cluster, credential)
  return {
    create: async (users) => outcomesOf(await admin.upsert(users)),
    verify: async (users) => {
      const logins = new Map<string, BackendOutcome<Login>>()
      const rest = users.values()
      await Promise.all(
        Array.from({ length: parallelLogins }, async () => {
          for (const user of rest) logins.set(user.name, await tryLogin(cluster, user))
        }),
      )
      return logins
    },
    revoke: async (names) => outcomesOf(await admin.remove(names)),
    close: () => admin.close(),
  }
}
