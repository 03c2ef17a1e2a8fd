import { hash, randomUUID } from 'node:crypto'
import { isAdmitted, requiredAccess } from '../../shared/domain/access.ts'
import { canonicalJson } from '../../shared/domain/canonical-json.ts'
import { clusterAudience } from '../../shared/domain/cluster.ts'
import { type ConnectionDecision, type Decision, decide } from '../../shared/domain/decide.ts'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { type Intent, intentKey } from '../../shared/domain/intent.ts'
import type { LeaseTimes } from '../../shared/domain/lease.ts'
import { kafkaUser, type Principal } from '../../shared/domain/principal.ts'
import { type ConnectionSettings, type ResolveAnswer, renderConnection } from '../../shared/http/connection.ts'
import { signKafkaToken } from '../../shared/secrets/kafka-token.ts'
import type { SigningKeys } from '../../shared/secrets/signing-key-store.ts'
import type { AccessStore } from '../../shared/store/access-store.ts'
import type { DirectorySnapshot } from '../../shared/store/directory-cache.ts'
import { type Lease, type LeaseStore, leaseId } from '../../shared/store/lease-store.ts'
import type { Queue } from '../../shared/store/queue.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'

/** Principal + intent -> lease, from one snapshot of the directory. */
export type Resolve = (
  principal: Principal,
  intent: Intent,
  snapshot: DirectorySnapshot,
  request: { readonly id: string; readonly tokenHash: string; readonly ifNoneMatch: string | undefined },
) => Promise<Resolved>

/** `unchanged`: the lease was renewed, and what the caller holds is still right and lives past its next refresh. */
export type Resolved = { readonly etag: string; readonly lease: ResolveAnswer['lease'] } & (
  | { readonly outcome: 'answered'; readonly answer: ResolveAnswer }
  | { readonly outcome: 'unchanged' }
)

export type ResolveDeps = {
  readonly issuerUrl: string
  readonly access: Pick<AccessStore, 'read' | 'request'>
  readonly leases: Pick<LeaseStore, 'create' | 'renew' | 'renewUnchanged'>
  readonly queue: Pick<Queue, 'send'>
  readonly signingKeys: () => Promise<SigningKeys>
  readonly telemetry: Telemetry
  readonly clock: () => Date
  /** 0 to 1. */
  readonly random: () => number
}

/** What a new ACL takes on a self-managed cluster, and the queue before it. */
const retryAfterSeconds = 2
const cappedRetryAfterSeconds = 60
const maximumRemembered = 10_000

/** RFC 9110 8.8.3; of the decision and its settings, never of tokens or times. */
const etagOf = (settings: readonly ConnectionSettings[]): string =>
  `"${hash('sha256', canonicalJson(settings), 'base64url').slice(0, 22)}"`

/** Absent, ended, released and somebody else's look the same. */
export const noSuchLease = (): SwitchboardError =>
  new SwitchboardError('not_found', { detail: 'no lease of this principal has this id; resolve without `lease`' })

/** Wire answers of a denial: what the caller could not know anyway looks the same for every reason. */
const refusal = (decision: Extract<Decision, { outcome: 'deny' }>): SwitchboardError => {
  const reason = `rule ${decision.rule}: ${decision.reason} at ${decision.pointer || '/'}`
  switch (decision.reason) {
    case 'no_access_path':
      return new SwitchboardError('invalid_intent', {
        reason,
        errors: [{ pointer: decision.pointer, detail: 'no listener there that this client can log in to' }],
      })
    case 'unknown_profile':
      return new SwitchboardError('invalid_intent', {
        reason,
        errors: [{ pointer: decision.pointer, detail: 'no profile of that name for this role' }],
      })
    case 'pattern_split':
      return new SwitchboardError('invalid_intent', {
        reason,
        errors: [{ pointer: decision.pointer, detail: 'several routes share this pattern; ask for a narrower one' }],
      })
    case 'cluster_quarantined':
      return new SwitchboardError('unavailable', { reason, retryAfterSeconds: 60 })
    case 'principal_denied':
    case 'no_grant':
    case 'group_not_granted':
    case 'no_route':
    case 'no_topic':
      return new SwitchboardError('access_denied', {
        reason,
        detail:
          'no grant allows this principal all that it asked for; the platform team finds the reason by the request id',
      })
  }
}

export const createResolve = (deps: ResolveDeps): Resolve => {
  const { issuerUrl, access, leases, queue, signingKeys, telemetry, clock, random } = deps
  /** Only a yes is remembered, for the policy it was read under. */
  const ready = new Set<string>()
  /** Lease -> end of its credential, in ms: a hint that saves a request, never a decision. */
  const credentialEnds = new Map<string, number>()

  const requireAccess = async (
    connection: ConnectionDecision,
    principal: Principal,
    { directory }: DirectorySnapshot,
    now: Date,
  ): Promise<void> => {
    const { name } = connection.cluster
    const needed = requiredAccess(directory, principal, connection)
    const key = JSON.stringify([directory.hash, name, principal.name, needed])
    if (ready.has(key)) return
    const applied = await access.read(name, principal.name)
    if (
      applied !== undefined &&
      needed.acls.every((acl) => isAdmitted(applied.acls, acl)) &&
      (!needed.everything || applied.policies.includes(directory.hash))
    ) {
      if (ready.size >= maximumRemembered) ready.clear()
      ready.add(key)
      return
    }
    if (await access.request(name, principal.name, principal.labels, now))
      await queue.send({ kind: 'access', cluster: name, principal: principal.name })
    telemetry.count(metricNames.notReady)
    throw new SwitchboardError('credential_not_ready', {
      detail: 'the access on the cluster is being prepared; ask again',
      reason: `access of \`${principal.name}\` on \`${name}\` is not applied yet`,
      retryAfterSeconds,
    })
  }

  /** A lease is stored before anything is handed out; without it nothing is. */
  const record = async (intent: Intent, lease: Lease, maximum: number): Promise<void> => {
    const now = lease.issuedAt
    const outcome = intent.lease === undefined ? await leases.create(lease, maximum, now) : 'exists'
    if (outcome === 'capped')
      throw new SwitchboardError('rate_limited', {
        detail: `this principal holds ${maximum} leases, as many as the policy allows`,
        retryAfterSeconds: cappedRetryAfterSeconds,
      })
    if (outcome === 'exists' && !(await leases.renew(lease, now))) throw noSuchLease()
    credentialEnds.delete(lease.id)
    if (credentialEnds.size >= maximumRemembered) credentialEnds.clear()
    credentialEnds.set(lease.id, lease.credentialExpiresAt.getTime())
  }

  /** Asks the store only when, as far as this instance knows, the credential lives past the next refresh. */
  const keepsCredential = async (
    principal: Principal,
    id: string,
    etag: string,
    times: LeaseTimes,
    now: Date,
  ): Promise<boolean> => {
    const ends = credentialEnds.get(id)
    if (ends !== undefined && ends <= times.refreshAfter.getTime()) return false
    return leases.renewUnchanged(
      { principal: principal.name, id, etag, expiresAt: times.expiresAt, credentialLivesUntil: times.refreshAfter },
      now,
    )
  }

  return async (principal, intent, snapshot, request) => {
    const now = clock()
    const { directory, denied } = snapshot
    const decision = decide(principal, intent, { directory, denied, now, jitter: random() })
    const id = intent.lease ?? leaseId(principal.name, intent.client.instance, intentKey(intent))
    telemetry.audit({
      event: 'decision',
      requestId: request.id,
      tokenHash: request.tokenHash,
      principal: principal.name,
      produce: intent.produce.map((asked) => asked.name),
      consume: intent.consume.map((asked) => asked.name),
      directory: directory.hash,
      ...(decision.outcome === 'allow'
        ? {
            outcome: 'allow',
            lease: id,
            expiresAt: decision.times.expiresAt.toISOString(),
            limit: decision.times.limit,
          }
        : { outcome: 'deny', rule: decision.rule, reason: decision.reason }),
    })
    if (decision.outcome === 'deny') throw refusal(decision)

    const { connections, times } = decision
    for (const connection of connections) await requireAccess(connection, principal, snapshot, now)
    const { active } = await signingKeys()

    const settings = connections.map((connection) => renderConnection(connection, principal, intent))
    const etag = etagOf(settings)
    const told = { id, refreshAfter: times.refreshAfter.toISOString(), expiresAt: times.expiresAt.toISOString() }
    if (
      intent.lease !== undefined &&
      request.ifNoneMatch === etag &&
      (await keepsCredential(principal, id, etag, times, now))
    )
      return { outcome: 'unchanged', etag, lease: told }

    await record(
      intent,
      {
        principal: principal.name,
        id,
        instance: intent.client.instance,
        intent: intentKey(intent),
        clusters: connections.map((connection) => connection.cluster.name),
        channels: [...intent.produce, ...intent.consume].map((asked) => asked.name),
        directory: directory.hash,
        etag,
        issuedAt: now,
        expiresAt: times.expiresAt,
        credentialExpiresAt: times.expiresAt,
      },
      directory.leasesPerPrincipal,
    )

    const answer: ResolveAnswer = {
      lease: told,
      connections: connections.map(({ cluster }, at) => ({
        ...(settings[at] as ConnectionSettings),
        credential: {
          kind: 'jwt',
          expiresAt: told.expiresAt,
          token: signKafkaToken(active, {
            iss: issuerUrl,
            sub: kafkaUser(directory.kafkaUserPrefix, principal.name),
            aud: clusterAudience(cluster, issuerUrl),
            iat: Math.floor(now.getTime() / 1000),
            exp: Math.floor(times.expiresAt.getTime() / 1000),
            jti: randomUUID(),
            lease: id,
          }),
        },
      })),
      directory: directory.hash,
    }
    return { outcome: 'answered', etag, lease: told, answer }
  }
}
