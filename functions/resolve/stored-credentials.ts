import type { Cluster, Provider, StoredKind } from '../../shared/domain/cluster.ts'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { type ChosenSlot, chooseSlots, type HeldSlot, type LeaseSlots } from '../../shared/domain/lease-slots.ts'
import { rotationContext } from '../../shared/domain/provider-clock.ts'
import type { RegistryLogin } from '../../shared/domain/registry-login.ts'
import { type Credential, doubted, newCredential, type SlotName, slotToHandOut } from '../../shared/domain/rotation.ts'
import type { StoredLogin } from '../../shared/http/client-file.ts'
import type { SecretReference, SlotSecretStore } from '../../shared/secrets/slot-secrets.ts'
import type { CredentialStore, SlotCheck } from '../../shared/store/credential-store.ts'
import type { Queue } from '../../shared/store/queue.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'

export type SlotQuestion = {
  readonly cluster: Cluster
  readonly kind: StoredKind
  readonly principal: string
  /** What the lease named until now; nothing for a new one. */
  readonly held: readonly HeldSlot[]
  readonly moved: SlotName | undefined
}

/** The slots that the lease names from now on; new clients get `newest`, the last of them. */
export type SlotOffer = {
  readonly cluster: string
  readonly provider: Provider
  readonly kind: StoredKind
  readonly credential: Credential
  readonly chosen: readonly ChosenSlot[]
  readonly newest: HeldSlot
}

/** What the lease records. */
export const leaseSlotsOf = (offers: readonly SlotOffer[]): LeaseSlots =>
  Object.fromEntries(
    offers.map(({ cluster, chosen }) => [cluster, chosen.map(({ slot, generation }) => ({ slot, generation }))]),
  )

/** What must hold when it is recorded. */
export const slotChecksOf = (offers: readonly SlotOffer[]): readonly SlotCheck[] =>
  offers.flatMap(({ cluster, chosen }) => chosen.map((slot) => ({ cluster, ...slot })))

/** What the answer says of the slots: which, and never their secrets. */
export const newestOf = (offers: readonly SlotOffer[]): Readonly<Record<string, HeldSlot>> =>
  Object.fromEntries(offers.map(({ cluster, newest }) => [cluster, newest]))

export type StoredCredentials = {
  /** @throws SwitchboardError `credential_not_ready`, and then it is on its way */
  readonly offer: (question: SlotQuestion, now: Date) => Promise<SlotOffer>
  /** To be called when a write found the offer to be wrong: the next one is read anew. */
  readonly forget: (offer: SlotOffer) => void
  /**
   * What a client logs in with; it goes into the answer and nowhere else.
   * @throws SwitchboardError `credential_not_ready` when the secret is not there as it should be; SlotSecretError
   */
  readonly secretOf: (offer: SlotOffer) => Promise<StoredLogin>
  /**
   * What it logs in with at the schema registry that the slot has an API key of; as `secretOf`. A slot that was made before
   * the policy named the registry has none, and then rotate is asked to look at it.
   * @throws as `secretOf`
   */
  readonly registryLoginOf: (offer: SlotOffer, now: Date) => Promise<RegistryLogin>
  /**
   * Where the caller reads that itself.
   * @throws as `secretOf`
   */
  readonly referenceOf: (offer: SlotOffer) => Promise<SecretReference>
}

export type StoredCredentialsDeps = {
  readonly credentials: Pick<CredentialStore, 'read' | 'write'>
  readonly secretsOf: (provider: Provider) => Pick<SlotSecretStore, 'read' | 'locate'>
  /** API keys of schema registries, under the generations of the slots. */
  readonly registryKeys: Pick<SlotSecretStore, 'read'>
  readonly queue: Pick<Queue, 'send'>
  readonly telemetry: Telemetry
}

/**
 * No longer than resolve trusts its pointer. What is remembered is never trusted: the write of the lease checks it, so an
 * old answer costs a second attempt, and at worst a client hears of its new slot so much later.
 */
const credentialHoldsMs = 5_000
const askEveryMs = 10_000
const maximumRemembered = 10_000
const maximumSecrets = 1_000
const longestRetryAfterSeconds = 60

const keyOf = (cluster: string, principal: string): string => `${cluster} ${principal}`

/** A credential that was removed and made anew counts its generations anew, and its slots' times differ. */
const slotKeyOf = ({ cluster, credential, newest: { slot, generation } }: SlotOffer): string =>
  JSON.stringify([cluster, credential.principal, slot, generation, credential.slots[slot].toldAt.getTime()])

/** Room for one more; what was put in first goes first, a tenth at a time. */
const makeRoom = (map: Map<string, unknown>, maximum: number): void => {
  if (map.size < maximum) return
  let left = Math.ceil(maximum / 10)
  for (const key of map.keys()) {
    if (left-- <= 0) return
    map.delete(key)
  }
}

export const notReady = (reason: string, retryAfterSeconds: number): SwitchboardError =>
  new SwitchboardError('credential_not_ready', {
    detail: 'the credential on the cluster is being prepared; ask again',
    reason,
    retryAfterSeconds,
  })

/** Stored credentials as resolve sees them: it reads and asks, `rotate` makes them. */
export const createStoredCredentials = ({
  credentials,
  secretsOf,
  registryKeys,
  queue,
  telemetry,
}: StoredCredentialsDeps): StoredCredentials => {
  const known = new Map<string, { readonly credential: Credential; readonly readAt: number }>()
  const secrets = new Map<string, RegistryLogin>()
  const references = new Map<string, SecretReference>()
  const asked = new Map<string, number>()

  const read = async (cluster: string, principal: string, now: Date): Promise<Credential | undefined> => {
    const key = keyOf(cluster, principal)
    const found = known.get(key)
    const age = found === undefined ? Number.NaN : now.getTime() - found.readAt
    if (found !== undefined && age >= 0 && age < credentialHoldsMs) return found.credential
    known.delete(key)
    const stored = await credentials.read(cluster, principal)
    // only what works is remembered
    if (stored !== undefined && slotToHandOut(stored.credential) !== undefined) {
      makeRoom(known, maximumRemembered)
      known.set(key, { credential: stored.credential, readAt: now.getTime() })
    }
    return stored?.credential
  }

  const ask = async (cluster: string, principal: string, now: Date): Promise<void> => {
    const key = keyOf(cluster, principal)
    const age = now.getTime() - (asked.get(key) ?? Number.NEGATIVE_INFINITY)
    if (age >= 0 && age < askEveryMs) return
    makeRoom(asked, maximumRemembered)
    asked.set(key, now.getTime())
    await queue.send({ kind: 'credential', cluster, principal })
  }

  const doubt = async ({ cluster, credential: { principal }, newest }: SlotOffer, now: Date): Promise<void> => {
    const stored = await credentials.read(cluster, principal)
    const isSame = stored?.credential.slots[newest.slot].generation === newest.generation
    const changed = isSame ? doubted(stored.credential, newest.slot) : undefined
    if (stored !== undefined && changed !== undefined) await credentials.write(stored.version, changed, now)
    await ask(cluster, principal, now)
  }

  const loginOf = async (
    at: 'cluster' | 'registry',
    { read: readSlot }: Pick<SlotSecretStore, 'read'>,
    offer: SlotOffer,
    onAbsent = async (): Promise<void> => {},
  ): Promise<RegistryLogin> => {
    const { cluster, credential, newest } = offer
    const { principal } = credential
    const { slot, generation } = newest
    const key = `${at} ${slotKeyOf(offer)}`
    const held = secrets.get(key)
    if (held !== undefined) return held
    const saved = await readSlot(cluster, principal, slot)
    if (saved === undefined || saved.generation !== generation) {
      await onAbsent()
      throw notReady(
        `the secret of slot \`${slot}\`, generation ${generation}, of \`${principal}\` ${at === 'cluster' ? 'on' : 'at the schema registry of'} \`${cluster}\` is ${saved === undefined ? 'gone' : `that of generation ${saved.generation}`}`,
        2,
      )
    }
    const { username, password } = saved
    makeRoom(secrets, maximumSecrets)
    const login = { username, password }
    secrets.set(key, login)
    return login
  }

  return {
    offer: async ({ cluster, kind, principal, held, moved }, now) => {
      const { name } = cluster
      const credential = await read(name, principal, now)
      const chosen = credential === undefined ? [] : chooseSlots(credential, held, moved)
      const newest = chosen.at(-1)
      if (credential !== undefined && newest !== undefined) {
        const { slot, generation } = newest
        return { cluster: name, provider: cluster.provider, kind, credential, chosen, newest: { slot, generation } }
      }
      const wanted = newCredential(principal, name)
      // the worker decides whether it may be: what is known here of who was revoked may be seconds old
      if (credential === undefined) await credentials.write(0, wanted, now)
      await ask(name, principal, now)
      telemetry.count(metricNames.notReady)
      const { clock } = rotationContext(wanted, cluster, now)
      throw notReady(
        `the stored credential of \`${principal}\` on \`${name}\` is ${credential === undefined ? 'new' : 'not handed out now'}`,
        Math.min(longestRetryAfterSeconds, Math.ceil(clock.lookEverySeconds) + 1),
      )
    },

    forget: ({ cluster, credential }) => void known.delete(keyOf(cluster, credential.principal)),

    secretOf: async (offer) => ({ kind: offer.kind, ...(await loginOf('cluster', secretsOf(offer.provider), offer)) }),

    registryLoginOf: (offer, now) => loginOf('registry', registryKeys, offer, () => doubt(offer, now)),

    referenceOf: async (offer) => {
      const { cluster, credential, newest } = offer
      const key = slotKeyOf(offer)
      const held = references.get(key)
      if (held !== undefined) return held
      const found = await secretsOf(offer.provider).locate(cluster, credential.principal, newest.slot)
      if (found === undefined)
        throw notReady(
          `the secret of slot \`${newest.slot}\` of \`${credential.principal}\` on \`${cluster}\` is gone`,
          2,
        )
      makeRoom(references, maximumSecrets)
      references.set(key, found)
      return found
    },
  }
}
