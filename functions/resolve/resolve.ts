import { hash } from 'node:crypto'
import { requiredAccess } from '../../shared/domain/access.ts'
import { canonicalJson } from '../../shared/domain/canonical-json.ts'
import { type Cluster, type CredentialKind, isStored } from '../../shared/domain/cluster.ts'
import { type ConnectionDecision, type Decision, decide } from '../../shared/domain/decide.ts'
import { maximumRoutesOfPattern } from '../../shared/domain/directory.ts'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { type Intent, intentKey } from '../../shared/domain/intent.ts'
import type { LeaseSlots } from '../../shared/domain/lease-slots.ts'
import { type Principal, slotUser } from '../../shared/domain/principal.ts'
import type { RegistryLogin } from '../../shared/domain/registry-login.ts'
import { inDialect, type StoredLogin } from '../../shared/http/client-file.ts'
import {
  type AnswerCredential,
  type ConnectionSettings,
  type RegistrySettings,
  type ResolveAnswer,
  renderConnection,
  storedMechanisms,
} from '../../shared/http/connection.ts'
import type { RegistrySecret } from '../../shared/secrets/registry-secrets.ts'
import type { SigningKeys } from '../../shared/secrets/signing-key-store.ts'
import type { SlotCheck } from '../../shared/store/credential-store.ts'
import type { DirectorySnapshot } from '../../shared/store/directory-cache.ts'
import { type Lease, type LeaseStore, leaseId } from '../../shared/store/lease-store.ts'
import { credentialEvent, verdict } from './audit.ts'
import type { ClientForm } from './client-form.ts'
import { mintKafkaToken } from './mint-kafka-token.ts'
import type { MskLogins } from './msk-logins.ts'
import type { RegistryLogins } from './registry-logins.ts'
import { accessDenied, createRequireAccess, type RequireAccessDeps } from './require-access.ts'
import {
  leaseSlotsOf,
  newestOf,
  notReady,
  type SlotOffer,
  type StoredCredentials,
  slotChecksOf,
} from './stored-credentials.ts'

/** Principal + intent -> lease, from one snapshot of the directory. */
export type Resolve = (
  principal: Principal,
  intent: Intent,
  snapshot: DirectorySnapshot,
  request: ResolveRequest,
) => Promise<Resolved>

export type ResolveRequest = {
  readonly id: string
  readonly tokenHash: string
  readonly ifNoneMatch: string | undefined
  /** The answer as the file of a client, which holds no token of ours; without it, as JSON. */
  readonly form?: Pick<ClientForm, 'select'> | undefined
}

/** `unchanged`: the lease was renewed, and what the caller holds is still right and lives past its next refresh. */
export type Resolved = { readonly etag: string; readonly lease: ResolveAnswer['lease'] } & (
  | { readonly outcome: 'answered'; readonly answer: ResolveAnswer }
  /** `login`: of a cluster whose credentials are stored. */
  | {
      readonly outcome: 'rendered'
      readonly settings: ConnectionSettings
      readonly login: StoredLogin | undefined
      /** Of its schema registry, where that takes a password. */
      readonly registryLogin: RegistryLogin | undefined
    }
  | { readonly outcome: 'unchanged' }
)

export type ResolveDeps = RequireAccessDeps & {
  readonly issuerUrl: string
  readonly leases: Pick<LeaseStore, 'create' | 'read' | 'renew' | 'renewUnchanged'>
  readonly storedCredentials: StoredCredentials
  readonly signingKeys: () => Promise<SigningKeys>
  readonly mskLogins: MskLogins
  readonly registryLogins: RegistryLogins
  readonly clock: () => Date
  /** 0 to 1. */
  readonly random: () => number
}

const cappedRetryAfterSeconds = 60
const maximumRemembered = 10_000
/** What was looked up is no longer so, and nothing was written or handed out. */
type Stale = { readonly outcome: 'stale'; readonly offers: readonly SlotOffer[] }

/** Of writes that found a slot to have changed hands since it was looked at. */
const slotAttempts = 3

/** RFC 9110 8.8.3; of the decision and its settings, never of tokens or times. */
const etagOf = (representation: unknown): string =>
  `"${hash('sha256', canonicalJson(representation), 'base64url').slice(0, 22)}"`

/** Another version is another password, of which an ETag says nothing more. */
const versionsOf = (registries: ReadonlyMap<string, RegistrySecret>): Readonly<Record<string, string>> =>
  Object.fromEntries([...registries].map(([cluster, { versionId }]) => [cluster, versionId]))

/** Absent, ended, released and somebody else's look the same. */
export const noSuchLease = (): SwitchboardError =>
  new SwitchboardError('not_found', { detail: 'no lease of this principal has this id; resolve without `lease`' })

export const leaseCapped = (maximum: number): SwitchboardError =>
  new SwitchboardError('rate_limited', {
    detail: `this principal holds ${maximum} leases, as many as the policy allows`,
    retryAfterSeconds: cappedRetryAfterSeconds,
  })

/** Wire answers of a denial: what the caller could not know anyway looks the same for every reason. */
export const refusal = (decision: Extract<Decision, { outcome: 'deny' }>): SwitchboardError => {
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
    case 'no_session_policy':
      return new SwitchboardError('invalid_intent', {
        reason: `${reason}: ${decision.detail}`,
        detail: `${decision.detail}; ask for fewer channels at a time, or by wider patterns`,
      })
    case 'pattern_split':
      return new SwitchboardError('invalid_intent', {
        reason,
        errors: [{ pointer: decision.pointer, detail: 'several routes share this pattern; ask for a narrower one' }],
      })
    case 'pattern_too_wide':
      return new SwitchboardError('invalid_intent', {
        reason,
        errors: [
          {
            pointer: decision.pointer,
            detail: `over ${maximumRoutesOfPattern} routes share this pattern; ask for a narrower one`,
          },
        ],
      })
    case 'cluster_quarantined':
    case 'no_listener_found':
    case 'no_identity_pool':
    case 'no_service_account':
      return new SwitchboardError('unavailable', { reason, retryAfterSeconds: 60 })
    case 'principal_denied':
    case 'denied_on_cluster':
    case 'no_grant':
    case 'group_not_granted':
    case 'no_route':
    case 'no_topic':
      return accessDenied(reason)
  }
}

/** Who asks for a file would find no password in it. */
export const referenceInFile = (cluster: string): SwitchboardError =>
  new SwitchboardError('invalid_intent', {
    detail: `the cluster \`${cluster}\` hands out where a password is and not the password, which no file can say; ask for JSON and read the secret, or use \`switchboard resolve\` or \`exec\`, which read it with AWS rights of yours`,
  })

/** A token of MSK lasts for minutes and comes from nowhere but resolve: no stock client could get its next one. */
const kindsOfFiles: readonly CredentialKind[] = ['jwt', 'workload', 'scram', 'api-key']

type StoredCredential = Exclude<AnswerCredential, { kind: 'jwt' | 'msk-iam' | 'workload' }>

export const createResolve = (deps: ResolveDeps): Resolve => {
  const { issuerUrl, leases, storedCredentials, signingKeys, mskLogins, registryLogins, telemetry, clock, random } =
    deps
  const requireAccess = createRequireAccess(deps)
  /** Lease -> end of its credential, in ms: a hint that saves a request, never a decision. */
  const credentialEnds = new Map<string, number>()

  /** A lease is stored before anything is handed out; without it nothing is. */
  const record = async (
    intent: Intent,
    lease: Lease,
    maximum: number,
    checks: readonly SlotCheck[],
    before: Lease | undefined,
  ): Promise<'recorded' | 'stale'> => {
    const now = lease.issuedAt
    const created = intent.lease === undefined ? await leases.create(lease, maximum, now, checks) : 'exists'
    if (created === 'capped') throw leaseCapped(maximum)
    const outcome = created === 'exists' ? await leases.renew(lease, now, checks, before) : created
    if (outcome === 'absent') throw noSuchLease()
    if (outcome === 'stale') return 'stale'
    const { credentialExpiresAt: end } = lease
    credentialEnds.delete(lease.id)
    if (credentialEnds.size >= maximumRemembered) credentialEnds.clear()
    credentialEnds.set(lease.id, end === 'never' ? Number.POSITIVE_INFINITY : end.getTime())
    return 'recorded'
  }

  /** Asks the store only when, as far as this instance knows, the credential lives past the next refresh. */
  const keepsCredential = async (
    principal: Principal,
    id: string,
    etag: string,
    { expiresAt, credentialLivesUntil }: { readonly expiresAt: Date; readonly credentialLivesUntil: Date },
    checks: readonly SlotCheck[],
    before: Lease | undefined,
    now: Date,
  ): Promise<boolean> => {
    const ends = credentialEnds.get(id)
    if (ends !== undefined && ends <= credentialLivesUntil.getTime()) return false
    const unchanged = { principal: principal.name, id, etag, expiresAt, credentialLivesUntil }
    return leases.renewUnchanged(unchanged, now, checks, before)
  }

  return async (principal, intent, snapshot, request) => {
    const now = clock()
    const { directory, denied, revision } = snapshot
    const kinds = request.form === undefined ? undefined : kindsOfFiles
    const decision = decide(principal, intent, { directory, denied, now, jitter: random(), kinds })
    const id = intent.lease ?? leaseId(principal.name, intent.client.instance, intentKey(intent))
    telemetry.audit({
      event: 'decision',
      requestId: request.id,
      tokenHash: request.tokenHash,
      principal: principal.name,
      produce: intent.produce.map((asked) => asked.name),
      consume: intent.consume.map((asked) => asked.name),
      directory: directory.hash,
      ...verdict(decision, id),
    })
    if (decision.outcome === 'deny') throw refusal(decision)

    const { connections, times } = decision
    const canonical = connections.map((connection) => renderConnection(connection, principal, intent))
    const selected = request.form?.select(canonical)
    const references = connections.flatMap(({ cluster, path }) =>
      isStored(path.kind) && cluster.credential === 'reference' ? [cluster.name] : [],
    )
    const chosen = selected?.settings.cluster.name
    if (chosen !== undefined && references.includes(chosen)) throw referenceInFile(chosen)
    const settings = canonical.map((each) => inDialect(each, intent.client.family ?? 'java'))
    const representation = selected === undefined ? settings : [selected.settings, selected.variant]
    const told = { id, refreshAfter: times.refreshAfter.toISOString(), expiresAt: times.expiresAt.toISOString() }
    // a file holds no credential that could end
    const credentialLivesUntil = selected === undefined ? times.refreshAfter : new Date(0)
    const renewed = { expiresAt: times.expiresAt, credentialLivesUntil }
    const withRegistry = connections.filter(
      ({ cluster }) => selected === undefined || (selected.settings.schemaRegistry && cluster.name === chosen),
    )
    const withRegistryKeys = withRegistry.flatMap(({ cluster, schemas }) =>
      schemas?.registry.kind === 'api-key' ? [cluster.name] : [],
    )
    const hasRegistryTokens = withRegistry.some(({ schemas }) => schemas?.registry.kind === 'jwt')
    const hasTokens = hasRegistryTokens || connections.some(({ path }) => path.kind === 'jwt')
    const hasNoTokens =
      !hasRegistryTokens && connections.every(({ path: { kind } }) => isStored(kind) || kind === 'workload')

    const ready = async (held: LeaseSlots | undefined): Promise<readonly SlotOffer[]> => {
      // IAM lets in who has a session, and asks no ACL
      const withAcls = connections.filter(({ path }) => path.kind !== 'msk-iam')
      const access = withAcls.map((connection) => {
        const needed = requiredAccess(directory, principal, connection)
        const { name: cluster } = connection.cluster
        const key = JSON.stringify(needed)
        return requireAccess({ cluster, principal, revision, policy: directory.hash, needed, key }, now)
      })
      const offers = connections
        .flatMap(({ cluster, path: { kind } }) => (isStored(kind) ? [{ cluster, kind }] : []))
        .map(({ cluster, kind }) => {
          const { name } = cluster
          const slots = { held: held?.[name] ?? [], moved: intent.moved[name] }
          return storedCredentials.offer({ cluster, kind, principal: principal.name, ...slots }, now)
        })
      // what is missing is asked for all at once, and not one after the other by a caller that comes back each time
      await Promise.allSettled([...access, ...offers])
      await Promise.all(access)
      return Promise.all(offers)
    }

    const hasStored = connections.some(({ path }) => isStored(path.kind))
    const asked = { principal: principal.name, lease: id, request }

    const handOut = async (offer: SlotOffer): Promise<StoredCredential> => {
      const { slot } = offer.newest
      if (references.includes(offer.cluster)) {
        const { arn, versionId } = await storedCredentials.referenceOf(offer)
        if (offer.kind === 'api-key')
          return { kind: 'reference', mechanism: storedMechanisms[offer.kind], arn, versionId, slot }
        const username = slotUser(directory.kafkaUserPrefix, principal.name, slot)
        return { kind: 'reference', mechanism: storedMechanisms[offer.kind], arn, versionId, username, slot }
      }
      const { username, password } = await storedCredentials.secretOf(offer)
      const login = { username, password, slot }
      return offer.kind === 'api-key'
        ? { kind: offer.kind, mechanism: storedMechanisms[offer.kind], ...login }
        : { kind: offer.kind, mechanism: storedMechanisms[offer.kind], ...login }
    }

    const attempt = async (): Promise<Resolved | Stale> => {
      const held = hasStored && intent.lease !== undefined ? await leases.read(principal.name, id, now) : undefined
      if (hasStored && intent.lease !== undefined && held === undefined) throw noSuchLease()
      const offers = await ready(held?.slots)
      const checks = slotChecksOf(offers)
      const slots = hasStored ? leaseSlotsOf(offers) : undefined
      const registries = await registryLogins(withRegistry, asked)
      const said = hasStored ? [representation, newestOf(offers), references] : representation
      const etag = etagOf(registries.size === 0 ? said : [said, versionsOf(registries)])
      const active = hasTokens ? (await signingKeys()).active : undefined

      if (
        intent.lease !== undefined &&
        request.ifNoneMatch === etag &&
        canonicalJson(slots ?? {}) === canonicalJson(held?.slots ?? {}) &&
        (await keepsCredential(principal, id, etag, renewed, checks, held, now))
      )
        return { outcome: 'unchanged', etag, lease: told }

      const mskTokens = await mskLogins(connections, { ...asked, now, until: times.expiresAt })
      const logins = new Map(
        await Promise.all(offers.map(async (offer) => [offer.cluster, await handOut(offer)] as const)),
      )
      const registryKeys = new Map(
        await Promise.all(
          offers
            .filter(({ cluster }) => withRegistryKeys.includes(cluster))
            .map(async (offer) => [offer.cluster, await storedCredentials.registryLoginOf(offer, now)] as const),
        ),
      )
      const registryLoginOf = (cluster: string): RegistryLogin | undefined =>
        registryKeys.get(cluster) ?? registries.get(cluster)
      const recorded = await record(
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
          credentialExpiresAt: hasNoTokens ? 'never' : times.expiresAt,
          slots,
        },
        directory.leasesPerPrincipal,
        checks,
        held,
      )
      if (recorded === 'stale') return { outcome: 'stale', offers }
      for (const { cluster, newest } of offers)
        telemetry.audit({ ...credentialEvent(asked), outcome: 'allow', cluster, ...newest })
      for (const { cluster, schemas } of withRegistry)
        if (schemas !== undefined)
          telemetry.audit({
            ...credentialEvent(asked),
            outcome: 'allow',
            cluster: cluster.name,
            registry: schemas.registry.url,
          })

      if (selected !== undefined) {
        const { settings } = selected
        const stored = logins.get(settings.cluster.name)
        return {
          outcome: 'rendered',
          etag,
          lease: told,
          settings,
          login: stored === undefined || stored.kind === 'reference' ? undefined : stored,
          registryLogin: registryLoginOf(settings.cluster.name),
        }
      }
      const ownToken = (cluster: Cluster) => {
        if (active === undefined) throw new Error(`there is no credential for \`${cluster.name}\``)
        return {
          kind: 'jwt' as const,
          expiresAt: told.expiresAt,
          token: mintKafkaToken(active, {
            issuerUrl,
            kafkaUserPrefix: directory.kafkaUserPrefix,
            principal: principal.name,
            cluster,
            lease: id,
            issuedAt: now,
            expiresAt: times.expiresAt,
          }),
        }
      }
      const credentialOf = ({ cluster, path }: ConnectionDecision): AnswerCredential => {
        if (path.kind === 'workload') return { kind: path.kind }
        const login = logins.get(cluster.name)
        if (login !== undefined) return login
        const token = mskTokens.get(cluster.name)
        return token === undefined ? ownToken(cluster) : { kind: 'msk-iam', expiresAt: told.expiresAt, token }
      }
      const registryOf = (cluster: Cluster, settings: RegistrySettings, credential: AnswerCredential) => {
        const login = registryLoginOf(cluster.name)
        if (login !== undefined)
          return {
            ...settings,
            credential: { kind: 'basic' as const, username: login.username, password: login.password },
          }
        // a registry of Confluent Cloud takes what its cluster takes
        return { ...settings, credential: credential.kind === 'jwt' ? credential : ownToken(cluster) }
      }
      const answer: ResolveAnswer = {
        lease: told,
        connections: connections.map((connection, at) => {
          const { cluster } = connection
          const { schemaRegistry, ...rest } = settings[at] as ConnectionSettings
          const credential = credentialOf(connection)
          return {
            ...rest,
            credential,
            ...(schemaRegistry && { schemaRegistry: registryOf(cluster, schemaRegistry, credential) }),
          }
        }),
        directory: directory.hash,
      }
      return { outcome: 'answered', etag, lease: told, answer }
    }

    for (let left = slotAttempts; left > 0; left--) {
      const resolved = await attempt()
      if (resolved.outcome !== 'stale') return resolved
      for (const offer of resolved.offers) storedCredentials.forget(offer)
    }
    throw notReady(`the slots of \`${principal.name}\` changed hands ${slotAttempts} times during one request`, 1)
  }
}
