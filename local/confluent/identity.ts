import { randomBytes } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'

/** An issuer that the organisation trusts. */
export type IdentityProvider = {
  readonly id: string
  readonly displayName: string
  readonly description: string
  readonly issuer: string
  readonly jwksUri: string
  /** Ids of its keys as they were last read. */
  readonly kids: readonly string[]
}

/** Tokens of one provider that the filter takes are this pool. */
export type IdentityPool = {
  readonly id: string
  readonly provider: string
  readonly displayName: string
  readonly description: string
  readonly identityClaim: string
  readonly filter: string
}

/** The part of Common Expression Language that is simulated, and that the brokers evaluate. */
const filterPattern = /^claims\.[A-Za-z_]+ *== *"[^"\\]*"(?: *&& *claims\.[A-Za-z_]+ *== *"[^"\\]*")*$/

export type Identities = {
  readonly providers: () => readonly IdentityProvider[]
  readonly pools: (provider: string) => readonly IdentityPool[]
  /** @throws Error what is wrong with the keys at that address */
  readonly addProvider: (provider: Omit<IdentityProvider, 'id' | 'kids'>) => Promise<IdentityProvider>
  readonly changeProvider: (id: string, change: { readonly jwksUri: string }) => Promise<IdentityProvider | undefined>
  /** Reads the keys again. @throws as `addProvider` */
  readonly refresh: (id: string) => Promise<IdentityProvider | undefined>
  /** @throws Error what is wrong with its filter */
  readonly addPool: (pool: Omit<IdentityPool, 'id'>) => IdentityPool
  readonly changePool: (
    id: string,
    change: Partial<Pick<IdentityPool, 'identityClaim' | 'filter'>>,
  ) => IdentityPool | undefined
}

const newId = (kind: string): string => `${kind}-${randomBytes(3).toString('hex')}`

const readKids = async (jwksUri: string): Promise<readonly string[]> => {
  const answer = await fetch(jwksUri, { redirect: 'error', signal: AbortSignal.timeout(5_000) })
  const { keys } = (await answer.json()) as { readonly keys?: readonly { readonly kid?: string }[] }
  const kids = (keys ?? []).flatMap(({ kid }) => kid ?? [])
  if (!answer.ok || kids.length === 0) throw new Error(`there are no keys at ${jwksUri}`)
  return kids
}

/** @param file where brokers read the pools. @default - there are no brokers */
export const createIdentities = (file?: string): Identities => {
  const providers = new Map<string, IdentityProvider>()
  const pools = new Map<string, IdentityPool>()

  const save = (): void => {
    if (file === undefined) return
    const text = [...pools.values()].map(({ id, provider, filter }) => ({
      ...{ id, filter },
      issuer: providers.get(provider)?.issuer,
    }))
    // a broker must never read half of it
    writeFileSync(`${file}.new`, JSON.stringify(text), { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }
  save()

  const put = async (provider: Omit<IdentityProvider, 'kids'>): Promise<IdentityProvider> => {
    const whole = { ...provider, kids: await readKids(provider.jwksUri) }
    providers.set(whole.id, whole)
    save()
    return whole
  }

  const check = (filter: string): void => {
    if (!filterPattern.test(filter)) throw new Error(`the simulated filter takes only equal claims joined by &&`)
  }

  return {
    providers: () => [...providers.values()],
    pools: (provider) => [...pools.values()].filter((pool) => pool.provider === provider),
    addProvider: (provider) => put({ id: newId('op'), ...provider }),
    changeProvider: async (id, change) => {
      const found = providers.get(id)
      return found && put({ ...found, ...change })
    },
    refresh: async (id) => {
      const found = providers.get(id)
      return found && put(found)
    },
    addPool: (pool) => {
      check(pool.filter)
      const made = { id: newId('pool'), ...pool }
      pools.set(made.id, made)
      save()
      return made
    },
    changePool: (id, change) => {
      const found = pools.get(id)
      if (found === undefined) return undefined
      check(change.filter ?? found.filter)
      const changed = { ...found, ...change }
      pools.set(id, changed)
      save()
      return changed
    },
  }
}
