import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose'
import type { Admit } from '../schema-registry/registry.ts'
import type { Identities, IdentityProvider } from './identity.ts'
import { mayUseSubjects, type RoleBindings } from './role-bindings.ts'

export type PoolAdmissionOptions = {
  readonly identities: Pick<Identities, 'providers' | 'pools'>
  readonly roleBindings: Pick<RoleBindings, 'list'>
  /** `lsrc-...` */
  readonly registry: string
}

const termPattern = /^claims\.([A-Za-z_]+) *== *"([^"\\]*)"$/

/** A claim that is a list has what is in it. */
const takes = (filter: string, claims: JWTPayload): boolean =>
  filter.split('&&').every((term) => {
    const [, name = '', value] = termPattern.exec(term.trim()) ?? []
    const claim = claims[name]
    return value !== undefined && (Array.isArray(claim) ? claim.includes(value) : claim === value)
  })

/**
 * As a schema registry of Confluent Cloud admits by OAuth: the token of an identity provider, the registry that it is for,
 * an identity pool whose filter takes the token, and a role that the pool has on all subjects.
 */
export const admitPools = ({ identities, roleBindings, registry }: PoolAdmissionOptions): Admit => {
  const keys = new Map<string, ReturnType<typeof createRemoteJWKSet>>()
  const keysOf = ({ jwksUri }: IdentityProvider): ReturnType<typeof createRemoteJWKSet> => {
    const known = keys.get(jwksUri) ?? createRemoteJWKSet(new URL(jwksUri), { cooldownDuration: 1_000 })
    keys.set(jwksUri, known)
    return known
  }

  const claimsOf = async (token: string, provider: IdentityProvider): Promise<JWTPayload | undefined> => {
    try {
      return (await jwtVerify(token, keysOf(provider), { issuer: provider.issuer, algorithms: ['ES256'] })).payload
    } catch {
      return undefined
    }
  }

  return async (headers, action) => {
    const [, token] = /^Bearer (\S+)$/.exec(headers.authorization ?? '') ?? []
    if (token === undefined || headers['target-sr-cluster'] !== registry) return 'unknown'
    const wanted = String(headers['confluent-identity-pool-id'] ?? '').split(',')
    for (const provider of identities.providers()) {
      const claims = await claimsOf(token, provider)
      if (claims === undefined) continue
      const pools = identities
        .pools(provider.id)
        .filter(({ id, filter }) => wanted.includes(id) && takes(filter, claims))
      if (pools.length === 0) return 'unknown'
      return pools.some(({ id }) => mayUseSubjects(roleBindings, registry, id, action)) ? 'admitted' : 'forbidden'
    }
    return 'unknown'
  }
}
