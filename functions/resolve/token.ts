import { SwitchboardError } from '../../shared/domain/errors.ts'
import type { Principal } from '../../shared/domain/principal.ts'
import { decideToken, type Reach, reachOf, type TokenDecision, type TokenIntent } from '../../shared/domain/reach.ts'
import { OAuthError } from '../../shared/http/oauth-error.ts'
import { scopeOf, type TokenAnswer } from '../../shared/http/token-answer.ts'
import type { SigningKeys } from '../../shared/secrets/signing-key-store.ts'
import type { DirectorySnapshot } from '../../shared/store/directory-cache.ts'
import { type Lease, type LeaseStore, leaseId } from '../../shared/store/lease-store.ts'
import { metricNames } from '../../shared/telemetry.ts'
import { verdict } from './audit.ts'
import { mintKafkaToken, numericDate } from './mint-kafka-token.ts'
import { createRequireAccess, type RequireAccessDeps } from './require-access.ts'
import { leaseCapped } from './resolve.ts'

/** What a token is asked for, and by which request. */
export type TokenRequest = {
  readonly id: string
  readonly tokenHash: string
  readonly grantType: string
  /** undefined: the one that the principal reaches. */
  readonly cluster: string | undefined
  readonly instance: string | undefined
}

/**
 * Principal + cluster -> token for all that the principal's grants give there.
 * @throws OAuthError `invalid_scope`; SwitchboardError `credential_not_ready`, `unavailable` or `rate_limited`
 */
export type IssueToken = (
  principal: Principal,
  request: TokenRequest,
  snapshot: DirectorySnapshot,
) => Promise<TokenAnswer>

export type TokenDeps = RequireAccessDeps & {
  readonly issuerUrl: string
  readonly leases: Pick<LeaseStore, 'create' | 'renew'>
  readonly signingKeys: () => Promise<SigningKeys>
  readonly clock: () => Date
}

const maximumRemembered = 10_000

/**
 * A cluster that does not exist, one that no grant reaches and a principal that is denied look the same, as in resolve:
 * RFC 6749 3.3 has `invalid_scope` for a scope left out that has no default as well.
 */
const refusal = (decision: Extract<TokenDecision, { outcome: 'deny' }>, asked: string | undefined): Error => {
  const reason = `rule ${decision.rule}: ${decision.reason}`
  if (decision.reason === 'cluster_quarantined')
    return new SwitchboardError('unavailable', { reason, retryAfterSeconds: 60 })
  if (decision.reason === 'several_clusters') {
    const scopes = decision.clusters.map((cluster) => `\`${scopeOf(cluster)}\``).join(', ')
    return new OAuthError('invalid_scope', {
      detail: `several clusters are allowed, send one as scope: ${scopes}`,
      reason,
    })
  }
  // only who may use the cluster hears what it takes
  if (decision.reason === 'no_token')
    return new OAuthError('invalid_scope', {
      detail: `the cluster of the scope \`${scopeOf(asked ?? '')}\` takes no tokens; \`POST /v1/resolve\` has its credential`,
      reason,
    })
  return new OAuthError('invalid_scope', {
    detail:
      asked === undefined
        ? 'no grant lets this principal use a cluster'
        : `no grant lets this principal use a cluster of the scope \`${scopeOf(asked)}\``,
    reason,
  })
}

export const createIssueToken = (deps: TokenDeps): IssueToken => {
  const { issuerUrl, leases, signingKeys, telemetry, clock } = deps
  const requireAccess = createRequireAccess(deps)
  const reaches = new Map<string, Reach>()

  const findReach = (key: string, principal: Principal, { directory }: DirectorySnapshot, now: Date): Reach => {
    const known = reaches.get(key)
    if (known !== undefined && (known.validUntil === undefined || known.validUntil > now)) return known
    const found = reachOf(directory, principal, now)
    if (reaches.size >= maximumRemembered) reaches.clear()
    reaches.set(key, found)
    return found
  }

  /** Stored before anything is handed out. A renewal is one write, whichever instance of the function does it. */
  const record = async (lease: Lease, maximum: number): Promise<void> => {
    const now = lease.issuedAt
    if ((await leases.renew(lease, now)) === 'renewed') return
    const outcome = await leases.create(lease, maximum, now)
    if (outcome === 'capped') throw leaseCapped(maximum)
    if (outcome === 'exists' && (await leases.renew(lease, now)) !== 'renewed')
      throw new SwitchboardError('unavailable', {
        reason: 'the lease ended while it was renewed',
        retryAfterSeconds: 1,
      })
  }

  return async (principal, request, snapshot) => {
    const now = clock()
    const { directory, denied, revision } = snapshot
    const labels = JSON.stringify(principal.labels)
    const reach = findReach(JSON.stringify([directory.hash, principal.name, labels]), principal, snapshot, now)
    const decision = decideToken(principal, request.cluster, reach, { directory, denied, now, jitter: 0.5 })
    const cluster = decision.outcome === 'allow' ? decision.cluster.name : request.cluster
    const intent: TokenIntent = { token: cluster ?? '' }
    const id = leaseId(principal.name, request.instance ?? principal.name, intent)
    telemetry.audit({
      event: 'token',
      requestId: request.id,
      tokenHash: request.tokenHash,
      grantType: request.grantType,
      principal: principal.name,
      ...(cluster === undefined ? {} : { cluster }),
      directory: directory.hash,
      ...verdict(decision, id),
    })
    if (decision.outcome === 'deny') throw refusal(decision, request.cluster)

    const { access, times } = decision
    await requireAccess(
      { cluster: decision.cluster.name, principal, revision, policy: directory.hash, needed: access, key: labels },
      now,
    )
    const { active } = await signingKeys()
    await record(
      {
        principal: principal.name,
        id,
        instance: request.instance,
        intent,
        clusters: [decision.cluster.name],
        channels: access.channels,
        directory: directory.hash,
        etag: '"token"',
        issuedAt: now,
        expiresAt: times.expiresAt,
        credentialExpiresAt: times.expiresAt,
      },
      directory.leasesPerPrincipal,
    )
    telemetry.count(metricNames.tokenIssued)
    return {
      access_token: mintKafkaToken(active, {
        issuerUrl,
        kafkaUserPrefix: directory.kafkaUserPrefix,
        principal: principal.name,
        cluster: decision.cluster,
        lease: id,
        issuedAt: now,
        expiresAt: times.expiresAt,
      }),
      token_type: 'Bearer',
      expires_in: numericDate(times.expiresAt) - numericDate(now),
      scope: scopeOf(decision.cluster.name),
    }
  }
}
