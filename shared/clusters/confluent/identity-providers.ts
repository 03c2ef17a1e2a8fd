import * as z from 'zod'
import type { IdentityPool } from '../../domain/identity-pool.ts'
import type { ManagementApi } from './management-api.ts'

/** `made`: now; `changed`: it was there and said something else. */
export type Ensured = { readonly id: string; readonly outcome: 'made' | 'changed' | 'there' }

const providersPath = '/iam/v2/identity-providers'
const poolsPath = (provider: string): string => `${providersPath}/${provider}/identity-pools`

const providerSchema = z.object({ id: z.string().min(1), issuer: z.string(), jwks_uri: z.string() })
const keysSchema = z.object({ keys: z.array(z.object({ kid: z.string() })).nullish() })
const poolSchema = z.object({
  id: z.string().min(1),
  display_name: z.string(),
  identity_claim: z.string(),
  filter: z.string(),
})
const anything = z.unknown()

/**
 * Makes Confluent Cloud trust an issuer, which it knows by its `iss`. Repeating it changes nothing.
 * @throws ConfluentError
 */
export const ensureIdentityProvider = async (
  api: ManagementApi,
  { issuerUrl, jwksUri }: { readonly issuerUrl: string; readonly jwksUri: string },
): Promise<Ensured> => {
  const found = (await api.list(providersPath, providerSchema)).find(({ issuer }) => issuer === issuerUrl)
  if (found !== undefined && found.jwks_uri === jwksUri) return { id: found.id, outcome: 'there' }
  if (found !== undefined) {
    await api.send('PATCH', `${providersPath}/${found.id}`, { jwks_uri: jwksUri }, anything)
    return { id: found.id, outcome: 'changed' }
  }
  const body = {
    display_name: `Switchboard ${new URL(issuerUrl).host}`,
    description: 'Tokens of Switchboard; made by `switchboard confluent setup`',
    issuer: issuerUrl,
    jwks_uri: jwksUri,
  }
  const { id } = await api.send('POST', providersPath, body, z.object({ id: z.string().min(1) }))
  return { id, outcome: 'made' }
}

/**
 * Makes identity pools of a provider be as they are wanted, by their names; others are left alone. Repeating it changes nothing.
 * @returns in the order of `wanted`
 * @throws ConfluentError
 */
export const ensureIdentityPools = async (
  api: ManagementApi,
  provider: string,
  wanted: readonly IdentityPool[],
): Promise<readonly Ensured[]> => {
  const present = new Map((await api.list(poolsPath(provider), poolSchema)).map((pool) => [pool.display_name, pool]))
  const ensured: Ensured[] = []
  for (const { displayName, filter, identityClaim } of wanted) {
    const found = present.get(displayName)
    const said = { identity_claim: identityClaim, filter }
    if (found === undefined) {
      const description = 'One principal of Switchboard on one cluster'
      const body = { display_name: displayName, description, ...said }
      const { id } = await api.send('POST', poolsPath(provider), body, z.object({ id: z.string().min(1) }))
      ensured.push({ id, outcome: 'made' })
    } else if (found.filter === filter && found.identity_claim === identityClaim)
      ensured.push({ id: found.id, outcome: 'there' })
    else {
      await api.send('PATCH', `${poolsPath(provider)}/${found.id}`, said, anything)
      ensured.push({ id: found.id, outcome: 'changed' })
    }
  }
  return ensured
}

/**
 * Has Confluent Cloud read the keys of an issuer again.
 * @returns ids of those that it has now; undefined: it does not say
 * @throws ConfluentError
 */
export const refreshKeys = async (api: ManagementApi, provider: string): Promise<ReadonlySet<string> | undefined> => {
  await api.send('PATCH', `${providersPath}/${provider}/jwks`, {}, anything)
  const { keys } = (await api.read(`${providersPath}/${provider}`, keysSchema)) ?? {}
  return keys ? new Set(keys.map(({ kid }) => kid)) : undefined
}
