import { randomBytes } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'

export type ServiceAccount = { readonly id: string; readonly displayName: string; readonly description: string }

export type ApiKey = {
  readonly id: string
  readonly secret: string
  readonly displayName: string
  readonly description: string
  /** `sa-...` */
  readonly owner: string
  /** `lkc-...` or `lsrc-...` */
  readonly resource: { readonly id: string; readonly environment: string }
  /** Milliseconds: brokers and registries know it from then on, and not after. */
  readonly worksFrom: number
  readonly worksUntil?: number
}

/** How long a change takes to reach brokers and registries: anything between the two. */
export type Propagation = { readonly minMs: number; readonly maxMs: number }

/** `quota`: the owner has as many as it may. */
export type Made = ApiKey | 'no owner' | 'quota'

export type ApiKeys = {
  readonly accounts: () => readonly ServiceAccount[]
  /** Undefined: one of this name is there. */
  readonly addAccount: (account: Omit<ServiceAccount, 'id'>) => ServiceAccount | undefined
  /** Keys of clusters that one account may have. */
  readonly limit: () => number
  readonly setLimit: (limit: number) => void
  readonly setPropagation: (propagation: Propagation) => void
  readonly keys: () => readonly ApiKey[]
  /** Who it is that shows this login for the resource now: the owner of the key; undefined: nobody. */
  readonly ownerOf: (login: { readonly id: string; readonly secret: string }, resource: string) => string | undefined
  readonly addKey: (key: Pick<ApiKey, 'displayName' | 'description' | 'owner' | 'resource'>) => Made
  /** False: there is none. */
  readonly removeKey: (id: string) => boolean
}

const isOfCluster = ({ resource }: Pick<ApiKey, 'resource'>): boolean => resource.id.startsWith('lkc-')

const newKeyId = (): string => randomBytes(10).toString('hex').slice(0, 16).toUpperCase()

/**
 * Service accounts and their API keys, each of one cluster or one schema registry: a key's secret is told once, and those hear of
 * keys late.
 * @param file where brokers read the keys. @default - there are no brokers
 */
export const createApiKeys = (
  file?: string,
  {
    propagation: first = { minMs: 0, maxMs: 0 },
    now = Date.now,
  }: { readonly propagation?: Propagation; readonly now?: () => number } = {},
): ApiKeys => {
  const accounts = new Map<string, ServiceAccount>()
  const keys = new Map<string, ApiKey>()
  /** Brokers and registries still know them. */
  let leaving: readonly ApiKey[] = []
  let propagation = first
  let limit = 10

  const arrivesAt = (): number => {
    const { minMs, maxMs } = propagation
    return now() + minMs + Math.random() * (maxMs - minMs)
  }

  const save = (): void => {
    leaving = leaving.filter(({ worksUntil = 0 }) => worksUntil > now())
    if (file === undefined) return
    const text = [...keys.values(), ...leaving]
      .filter(isOfCluster)
      .map(({ id, secret, owner, worksFrom, worksUntil }) => ({
        ...{ key: id, secret, owner, worksFrom },
        ...(worksUntil === undefined ? {} : { worksUntil }),
      }))
    // a broker must never read half of it
    writeFileSync(`${file}.new`, JSON.stringify(text), { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }
  save()

  return {
    accounts: () => [...accounts.values()],
    addAccount: (account) => {
      if ([...accounts.values()].some(({ displayName }) => displayName === account.displayName)) return undefined
      const made = { id: `sa-${randomBytes(3).toString('hex')}`, ...account }
      accounts.set(made.id, made)
      return made
    },
    limit: () => limit,
    setLimit: (next) => {
      limit = next
    },
    setPropagation: (next) => {
      propagation = next
    },
    keys: () => [...keys.values()],
    ownerOf: ({ id, secret }, resource) =>
      [...keys.values(), ...leaving].find(
        (key) =>
          key.id === id &&
          key.secret === secret &&
          key.resource.id === resource &&
          key.worksFrom <= now() &&
          now() < (key.worksUntil ?? Number.POSITIVE_INFINITY),
      )?.owner,
    addKey: (key) => {
      if (!accounts.has(key.owner)) return 'no owner'
      const ofOwner = [...keys.values()].filter(({ owner }) => owner === key.owner)
      if (isOfCluster(key) && ofOwner.filter(isOfCluster).length >= limit) return 'quota'
      const made = { ...key, id: newKeyId(), secret: randomBytes(48).toString('base64'), worksFrom: arrivesAt() }
      keys.set(made.id, made)
      save()
      return made
    },
    removeKey: (id) => {
      const found = keys.get(id)
      if (found === undefined) return false
      keys.delete(id)
      leaving = [...leaving, { ...found, worksUntil: arrivesAt() }]
      save()
      return true
    },
  }
}
