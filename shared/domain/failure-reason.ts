/**
 * Why a step of a stored credential failed: what an operator reads, and what failures are counted by.
 * - `cluster_unavailable`: no answer, or one that another try may change
 * - `cluster_denied`: the admin may not do it, or is not let in
 * - `cluster_failed`: the cluster refused for another reason
 * - `mechanism_missing`: the listener takes no SCRAM-SHA-512, or no API keys
 * - `user_refused`: the cluster does not take a user of this name
 * - `user_exists`: the cluster has a user of this name that rotate did not make
 * - `cluster_full`: the cluster has as many users as it takes, or the service account as many API keys
 * - `access_failed`: the ACLs could not be made or taken away
 * - `secret_unavailable`: no answer of Secrets Manager, or too many requests
 * - `secret_denied`: the secret, or its key, may not be used
 * - `secret_foreign`: a secret of this name holds something that is not ours
 * - `secret_unseen`: the cluster does not see the secret yet
 * - `secret_unusable`: the cluster does not take the secret for its key, its name, its place or what it holds
 * - `leases_unavailable`: who still has a slot cannot be read
 * - `unexpected`: a bug
 */
export const failureReasons = [
  'cluster_unavailable',
  'cluster_denied',
  'cluster_failed',
  'mechanism_missing',
  'user_refused',
  'user_exists',
  'cluster_full',
  'access_failed',
  'secret_unavailable',
  'secret_denied',
  'secret_foreign',
  'secret_unseen',
  'secret_unusable',
  'leases_unavailable',
  'unexpected',
] as const

export type FailureReason = (typeof failureReasons)[number]
