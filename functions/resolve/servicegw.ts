import { hash } from 'node:crypto'
import { requiredAccess } from '../../shared/domain/access.ts'
import { canonicalJson } from '../../shared/domain/canonical-json.ts'
import type { CredentialKind } from '../../shared/domain/cluster.ts'
import { type Cluster, isStored, type StoredKind } from '../../shared/domain/cluster.ts'
import { type ConnectionDecision, decide } from '../../shared/domain/decide.ts'
import type { Directory } from '../../shared/domain/directory.ts'
import { type FieldError, SwitchboardError } from '../../shared/domain/errors.ts'
import { type Intent, intentKey, parseIntent } from '../../shared/domain/intent.ts'
import type { Principal } from '../../shared/domain/principal.ts'
import type { ClientRole } from '../../shared/domain/profile.ts'
import type { ClientLogin } from '../../shared/http/client-file.ts'
import { renderConnection } from '../../shared/http/connection.ts'
import { renderServicegw } from '../../shared/http/servicegw-answer.ts'
import type { ServicegwQuery } from '../../shared/http/servicegw-query.ts'
import { scopeOf, tokenEndpointUrl } from '../../shared/http/token-answer.ts'
import type { SlotCheck } from '../../shared/store/credential-store.ts'
import type { DirectorySnapshot } from '../../shared/store/directory-cache.ts'
import { type End, type Lease, type LeaseStore, leaseId } from '../../shared/store/lease-store.ts'
import { credentialEvent } from './audit.ts'
import { createRequireAccess, type RequireAccessDeps } from './require-access.ts'
import { leaseCapped, referenceInFile, refusal } from './resolve.ts'
import { leaseSlotsOf, notReady, type SlotOffer, type StoredCredentials, slotChecksOf } from './stored-credentials.ts'

/** Who asks by which request; the secret goes into the answer and nowhere else. */
export type ServicegwRequest = {
  readonly id: string
  readonly tokenHash: string
  readonly clientId: string
  readonly clientSecret: string
}

/** `body`: the same bytes for the same request, until the policy gives another answer. */
export type ServicegwAnswered = { readonly lease: string; readonly body: string }

/** The ancestor's contract: the same decision as resolve's, in an answer that stays the same. */
export type Servicegw = (
  principal: Principal,
  query: ServicegwQuery,
  snapshot: DirectorySnapshot,
  request: ServicegwRequest,
) => Promise<ServicegwAnswered>

export type ServicegwDeps = RequireAccessDeps & {
  readonly issuerUrl: string
  readonly leases: Pick<LeaseStore, 'keep' | 'read'>
  readonly storedCredentials: StoredCredentials
  readonly clock: () => Date
}

/** No client can name its instance so, and no lease of another endpoint can be taken for one of this. */
const instance = '/servicegw'
/** A lease that was released by somebody who asks on all the same is on record again after this. */
const keepEveryMs = 300_000
const maximumRemembered = 10_000
/** Its clients ask about once a second and start anew when the answer changes: by then all of them have. */
const moveTakesMs = 300_000
const slotAttempts = 3

const invalid = (detail: string, ...errors: readonly FieldError[]): SwitchboardError =>
  new SwitchboardError('invalid_intent', { detail, errors })

/** The role says what the caller wants to do; a name that both roles have leaves it open. */
const roleOf = ({ profile, role }: ServicegwQuery, { profiles }: Directory): ClientRole => {
  if (role !== undefined) return role
  const roles = new Set(profiles.filter(({ name }) => name === profile).map((each) => each.role))
  const [only] = roles
  if (only === undefined)
    throw invalid('there is no such profile', { pointer: '/config_profile', detail: 'no profile of that name' })
  if (roles.size > 1)
    throw invalid('the profile is one of producers and one of consumers', {
      pointer: '/config_profile.type',
      detail: 'needed with this profile: `producer` or `consumer`',
    })
  return only
}

const intentOf = (query: ServicegwQuery, directory: Directory): Intent => {
  const role = roleOf(query, directory)
  return parseIntent({
    [role === 'producer' ? 'produce' : 'consume']: query.channels,
    profile: { [role]: query.profile },
    client: { family: 'librdkafka' },
  })
}

const parameterOf = (pointer: string): string => {
  if (pointer.startsWith('/profile/')) return '/config_profile'
  return /^\/(?:produce|consume|network)\b/.test(pointer) ? '/channel' : pointer
}

/** What is wrong with an intent, said of the parameters that it was made from. */
const atParameters = (error: unknown): unknown => {
  if (!(error instanceof SwitchboardError) || error.code !== 'invalid_intent') return error
  const { detail = 'the query string asks for what cannot be', reason = detail, errors } = error
  const said = errors.map(({ pointer, detail: of }) => ({ pointer: parameterOf(pointer), detail: of }))
  return new SwitchboardError('invalid_intent', { detail, reason, errors: said, cause: error })
}

/** Its clients run with what the answer has names for. */
const kinds: readonly CredentialKind[] = ['jwt', 'scram', 'api-key']

/** A grant that ends takes the lease with it; nothing else ends it. */
const endOf = ({ admissions }: ConnectionDecision): End =>
  admissions.reduce<End>(
    (end, { grant: { until } }) => (until === undefined || (end !== 'never' && end <= until) ? end : until),
    'never',
  )

/** RFC 9110 8.8.3 */
export const tagOf = (body: string): string => `"${hash('sha256', body, 'base64url').slice(0, 22)}"`

export const createServicegw = (deps: ServicegwDeps): Servicegw => {
  const { issuerUrl, leases, storedCredentials, telemetry, clock } = deps
  const requireAccess = createRequireAccess(deps)
  /** Lease -> what is on record, so that a client that polls costs no write: a hint, the store decides. */
  const kept = new Map<string, { readonly record: string; readonly at: number }>()

  const isKept = (id: string, record: string, now: Date): boolean => {
    const known = kept.get(id)
    const age = known?.record === record ? now.getTime() - known.at : Number.NaN
    return age >= 0 && age < keepEveryMs
  }

  const keep = async (
    lease: Lease,
    record: string,
    maximum: number,
    checks: readonly SlotCheck[] = [],
    before: Lease | undefined = undefined,
  ): Promise<'kept' | 'stale'> => {
    const now = lease.issuedAt
    const outcome = await leases.keep(lease, maximum, now, checks, before)
    if (outcome === 'capped') throw leaseCapped(maximum)
    if (outcome === 'stale') return 'stale'
    if (kept.size >= maximumRemembered) kept.clear()
    kept.set(lease.id, { record, at: now.getTime() })
    return 'kept'
  }

  /** The lease names the slot that is active now, and the one before it for as long as clients may still run with it. */
  const keepWithSlot = async (
    lease: Lease,
    cluster: Cluster,
    kind: StoredKind,
    maximum: number,
  ): Promise<{ readonly offer: SlotOffer; readonly isNew: boolean }> => {
    const { principal, id, issuedAt: now } = lease
    const { name } = cluster
    for (let left = slotAttempts; left > 0; left--) {
      const fresh = await storedCredentials.offer({ cluster, kind, principal, held: [], moved: undefined }, now)
      const { slot } = fresh.newest
      const hasMoved = now.getTime() - fresh.credential.slots[slot].since.getTime() >= moveTakesMs
      const record = JSON.stringify([lease.etag, lease.directory, fresh.newest, hasMoved])
      if (isKept(id, record, now)) return { offer: fresh, isNew: false }
      const before = await leases.read(principal, id, now)
      const held = before?.slots?.[name] ?? []
      const offer = await storedCredentials.offer(
        { cluster, kind, principal, held, moved: hasMoved ? slot : undefined },
        now,
      )
      const slots = leaseSlotsOf([offer])
      const named = { ...lease, slots, etag: tagOf(JSON.stringify([lease.etag, slots])) }
      if ((await keep(named, record, maximum, slotChecksOf([offer]), before)) === 'kept') return { offer, isNew: true }
      storedCredentials.forget(offer)
    }
    throw notReady(`the slots of \`${principal}\` on \`${name}\` changed hands during one request`, 1)
  }

  const connect = (
    principal: Principal,
    intent: Intent,
    lease: string,
    { directory, denied }: DirectorySnapshot,
    request: ServicegwRequest,
    now: Date,
  ): ConnectionDecision => {
    const decision = decide(principal, intent, { directory, denied, now, jitter: 0.5, kinds })
    telemetry.audit({
      event: 'decision',
      requestId: request.id,
      tokenHash: request.tokenHash,
      principal: principal.name,
      produce: intent.produce.map(({ name }) => name),
      consume: intent.consume.map(({ name }) => name),
      directory: directory.hash,
      ...(decision.outcome === 'allow'
        ? { outcome: 'allow', lease }
        : { outcome: 'deny', rule: decision.rule, reason: decision.reason }),
    })
    if (decision.outcome === 'deny') throw refusal(decision)
    const [connection, other] = decision.connections
    if (connection === undefined || other !== undefined)
      throw invalid('the answer has room for one cluster', {
        pointer: '/channel',
        detail: 'these channels lead to several clusters; ask for those of each cluster by themselves',
      })
    return connection
  }

  const answer: Servicegw = async (principal, query, snapshot, request) => {
    const now = clock()
    const { directory, revision } = snapshot
    const intent = intentOf(query, directory)
    const id = leaseId(principal.name, instance, intentKey(intent))
    const connection = connect(principal, intent, id, snapshot, request, now)
    const { name: cluster } = connection.cluster
    const needed = requiredAccess(directory, principal, connection)
    await requireAccess(
      { cluster, principal, revision, policy: directory.hash, needed, key: JSON.stringify(needed) },
      now,
    )

    const settings = renderConnection(connection, principal, intent)
    const bodyWith = (login: ClientLogin): string => canonicalJson(renderServicegw(settings, login))
    const end = endOf(connection)
    const leaseWith = (etag: string): Lease => ({
      principal: principal.name,
      id,
      instance,
      intent: intentKey(intent),
      clusters: [cluster],
      channels: query.channels,
      directory: directory.hash,
      etag,
      issuedAt: now,
      expiresAt: end,
      credentialExpiresAt: end,
    })
    const maximum = directory.leasesPerPrincipal

    const { kind } = connection.path
    if (isStored(kind)) {
      if (connection.cluster.credential === 'reference') throw referenceInFile(cluster)
      // nothing that is stored is made from a secret
      const lease = leaseWith(tagOf(bodyWith({ kind, username: '', password: '' })))
      const { offer, isNew } = await keepWithSlot(lease, connection.cluster, kind, maximum)
      const login = await storedCredentials.secretOf(offer)
      if (isNew)
        telemetry.audit({
          ...credentialEvent({ principal: principal.name, lease: id, request }),
          outcome: 'allow',
          cluster,
          ...offer.newest,
        })
      return { lease: id, body: bodyWith(login) }
    }

    const loginWith = (clientSecret: string): ClientLogin => ({
      kind: 'client_credentials',
      tokenEndpointUrl: tokenEndpointUrl(issuerUrl),
      scope: scopeOf(cluster),
      clientId: request.clientId,
      clientSecret,
    })
    const lease = leaseWith(tagOf(bodyWith(loginWith(''))))
    const record = JSON.stringify([lease.etag, lease.directory])
    if (!isKept(id, record, now)) await keep(lease, record, maximum)
    return { lease: id, body: bodyWith(loginWith(request.clientSecret)) }
  }
  return async (principal, query, snapshot, request) => {
    try {
      return await answer(principal, query, snapshot, request)
    } catch (error) {
      throw atParameters(error)
    }
  }
}
