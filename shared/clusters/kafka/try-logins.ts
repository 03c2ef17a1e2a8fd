import { Connection } from '@platformatic/kafka'
import { findInCauses } from '../../causes.ts'
import type { Cluster } from '../../domain/cluster.ts'
import type { BackendOutcome, BackendUser, Login } from '../credential-backend.ts'
import { adminConnection } from './admin-connection.ts'

const connectTimeoutMs = 3_000
const refusals = ['SASL_AUTHENTICATION_FAILED']
const missingMechanism = ['UNSUPPORTED_SASL_MECHANISM', 'ILLEGAL_SASL_STATE']

const apiIdOf = (error: unknown): string | undefined =>
  findInCauses(error, (each) => ('apiId' in each && typeof each.apiId === 'string' ? each.apiId : undefined))

/** How those who are let in by what is stored prove it. */
export type StoredMechanism = 'SCRAM-SHA-512' | 'PLAIN'

const tryBroker = async (
  broker: string,
  cluster: Cluster,
  { username, password }: BackendUser,
  mechanism: StoredMechanism,
) => {
  const at = broker.lastIndexOf(':')
  const { tls } = adminConnection(cluster, { username, password, mechanism })
  const connection = new Connection('switchboard-probe', {
    connectTimeout: connectTimeoutMs,
    requestTimeout: connectTimeoutMs,
    sasl: { mechanism, username, password },
    ...(tls && { tls }),
  })
  // what fails is thrown by `connect` too
  connection.on('error', () => {})
  try {
    await connection.connect(broker.slice(0, at), Number(broker.slice(at + 1)))
  } finally {
    await connection.close().catch(() => {})
  }
}

/** A broker takes a few hundred logins a second; more at once only wait for its threads. */
const parallelLogins = 10

/** Logs in to the first of the cluster's brokers that answers, over the listener that its admin uses. */
const tryLogin = async (
  cluster: Cluster,
  user: BackendUser,
  mechanism: StoredMechanism,
): Promise<BackendOutcome<Login>> => {
  const { bootstrapBrokers } = adminConnection(cluster, { ...user, mechanism })
  for (const broker of bootstrapBrokers)
    try {
      await tryBroker(String(broker), cluster, user, mechanism)
      return { outcome: 'works' }
    } catch (error) {
      const apiId = apiIdOf(error)
      if (apiId !== undefined && refusals.includes(apiId)) return { outcome: 'refused' }
      if (apiId !== undefined && missingMechanism.includes(apiId))
        return { outcome: 'failed', reason: 'mechanism_missing', error }
    }
  return { outcome: 'unreachable' }
}

/** Logs in as each of them. */
export const tryLogins = async (
  cluster: Cluster,
  users: readonly BackendUser[],
  mechanism: StoredMechanism,
): Promise<ReadonlyMap<string, BackendOutcome<Login>>> => {
  const logins = new Map<string, BackendOutcome<Login>>()
  const rest = users.values()
  const worker = async (): Promise<void> => {
    for (const user of rest) logins.set(user.name, await tryLogin(cluster, user, mechanism))
  }
  await Promise.all(Array.from({ length: parallelLogins }, worker))
  return logins
}
