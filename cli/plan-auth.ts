import { type CredentialKind, isStored } from '../shared/domain/cluster.ts'
import type { Directory } from '../shared/domain/directory.ts'
import type { Lease } from '../shared/store/lease-store.ts'

const named = 5

const namesText = (names: readonly string[]): string =>
  `${names.slice(0, named).join(', ')}${names.length > named ? ` and ${names.length - named} more` : ''}`

/** A token of AWS has its rights within it and is good for as long as it was to be, so that nobody loses any. */
const words: Readonly<Record<Exclude<CredentialKind, 'msk-iam'>, { readonly many: string; readonly one: string }>> = {
  jwt: { many: 'tokens', one: 'a token' },
  workload: { many: 'tokens of AWS', one: 'a token of AWS' },
  scram: { many: 'stored credentials', one: 'a stored credential' },
  'api-key': { many: 'API keys', one: 'an API key' },
}

/**
 * Ways to log in that an apply would end while somebody uses them: their users lose their rights with it, at once and on
 * live connections, however long the lease is.
 */
export const authWarnings = (current: Directory, next: Directory, leases: readonly Lease[]): readonly string[] =>
  [...current.clusters.values()].flatMap(({ name, auth }) => {
    const after = next.clusters.get(name)?.auth
    if (after === undefined) return []
    return auth
      .filter((kind) => kind !== 'msk-iam')
      .filter((kind) => !after.includes(kind))
      .flatMap((kind) => {
        const users = leases.filter(({ clusters, slots }) => {
          const hasSlot = slots?.[name] !== undefined
          return clusters.includes(name) && hasSlot === isStored(kind)
        })
        const principals = [...new Set(users.map(({ principal }) => principal))].sort()
        if (principals.length === 0) return []
        const { many, one } = words[kind]
        const [other = ''] = after
        return [
          `\`${name}\` would take no ${many} any more, and ${principals.length} principals log in with ${one} now: ${namesText(principals)}; they are refused on live connections at once. Keep \`${kind}\` beside \`${other}\` until their leases have moved`,
        ]
      })
  })
